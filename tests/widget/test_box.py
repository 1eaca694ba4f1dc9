"""What replay and inspector share: the picture in a saved notebook, marimo, Colab, sliders that have two ends."""

import base64
import io
import subprocess
import sys

import pytest
from IPython.core.formatters import DisplayFormatter
from ipywidgets import IntSlider, Widget
from PIL import Image
from session.helpers import EDIT, opened, until

from draggan_widget.engine.record import DragRecord
from draggan_widget.widget import kernel
from draggan_widget.widget.box import BoardBox
from draggan_widget.widget.inspector import FeatureInspector
from draggan_widget.widget.replay import TrajectoryReplay
from draggan_widget.widget.widget import DragWidget

VIEW = "application/vnd.jupyter.widget-view+json"
BOARDS = [TrajectoryReplay, FeatureInspector]


@pytest.fixture(scope="module")
def record() -> DragRecord:
    with opened() as session:
        return session.run()


def still_of(bundle: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))


def all_sliders(widget: Widget) -> list[IntSlider]:
    inner = [slider for child in getattr(widget, "children", ()) for slider in all_sliders(child)]
    return [widget, *inner] if isinstance(widget, IntSlider) else inner


@pytest.mark.parametrize("kind", BOARDS)
def test_the_output_of_a_board_holds_its_view_and_its_picture(record, kind):
    made = kind(record)
    data, metadata = DisplayFormatter().format(made)  # as IPython makes an output, in every version of ipywidgets
    assert data[VIEW]["model_id"] == made.model_id
    assert (data["text/plain"], metadata) == (repr(made), {})
    still = still_of(data)
    assert still.size == ((512, 512) if kind is TrajectoryReplay else (808, 400))
    x, y = record[0 if kind is TrajectoryReplay else -1].handles[0]
    scale = still.height / 64
    dot = still.getpixel((int((x + 0.5) * scale), int((y + 0.5) * scale)))
    assert max(abs(a - b) for a, b in zip(dot, (230, 159, 0), strict=True)) < 40  # handle 1
    made.close()


def test_ipywidgets_7_shows_the_picture_too(record, monkeypatch):
    """There IPython would call `_ipython_display_` of every widget, which shows no picture."""
    monkeypatch.setattr(Widget, "_ipython_display_", lambda self, **_: pytest.fail("shown alone"), raising=False)
    session = record[0]
    with DragWidget(session.generator, ws=session.ws) as widget:
        for made in (widget, TrajectoryReplay(record), FeatureInspector(record)):
            data, _ = DisplayFormatter().format(made)
            assert {VIEW, "image/jpeg"} < set(data)
            made.close()


@pytest.mark.parametrize("kind", BOARDS)
def test_marimo_gets_the_picture_and_a_sentence(record, kind):
    made = kind(record)
    shown = made._display_()._repr_html_()
    name = kind.__name__
    assert f'alt="Picture of the {name}"' in shown
    words = (
        f">marimo shows no classic widgets: this is a picture of the {name}, which works in JupyterLab, Notebook, "
        "VS Code and Colab. DragWidget works in marimo.<"
    )
    assert words in shown
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOARDS)
def test_a_board_alone_turns_on_the_widget_manager_of_colab(kind):
    code = f"""
import sys, types
sys.path[:0] = {sys.path!r}
calls = []
output = types.ModuleType("google.colab.output")
output.enable_custom_widget_manager = lambda: calls.append(1)
output._widgets = types.SimpleNamespace(_installed_url="https://manager")
sys.modules["google.colab.output"] = output
from session.helpers import opened
from draggan_widget.widget.{"replay" if kind is TrajectoryReplay else "inspector"} import {kind.__name__} as Kind
with opened() as session:
    session.step(2)
    made = Kind(session)
    assert calls == [1], calls
    assert made._repr_mimebundle_()[1][{VIEW!r}]["colab"]["custom_widget_manager"]["url"] == "https://manager"
    made.close()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("kind", BOARDS)
@pytest.mark.parametrize("view", ["channel", "colours"])
def test_no_slider_has_one_place_and_those_with_nothing_to_choose_are_hidden(kind, view):
    with opened() as session:
        made = kind(DragRecord(None, [session.current]))
        assert all(slider.min < slider.max for slider in all_sliders(made))
        assert made.play.min < made.play.max if kind is TrajectoryReplay else made.step.layout.display == "none"
        if kind is TrajectoryReplay:
            assert made.children[1].layout.display == "none"
            made.slider.value = 1
            until(lambda: "Step 0 of 0" in made.progress.value, "the only step")
        made.close()


def test_the_inspector_follows_a_session_from_its_first_step():
    with opened() as session:
        made = FeatureInspector(session)
        assert made.step.layout.display == "none"
        session.edit = EDIT
        session.step(2)
        until(lambda: "Step 2 of 2" in made.progress.value, "the newest step")
        assert (made.step.value, made.step.max, made.step.layout.display) == (2, 2, None)
        made.close()


@pytest.mark.parametrize("kind", BOARDS)
def test_a_board_whose_cell_ran_again_says_where_the_new_one_is(record, kind, monkeypatch):
    made: BoardBox = kind(record)
    words: list[str] = []
    made._front_end.observe(lambda change: words.append(change["new"]), "_last_words")
    made.cell = ("cell", "first")
    monkeypatch.setattr(kernel, "cell_identity", lambda: ("cell", "second"))
    made.close()
    assert words == [
        "This widget was closed, because its cell ran again: the new widget is in the output of that cell."
    ]
