"""The widget without a kernel: it constructs, works from Python and closes."""

import base64
import gc
import io
import sys
import threading
import types
import weakref

import anywidget
import numpy as np
import pytest
from analytic import BlobGenerator
from PIL import Image
from session.helpers import BOUND, EDIT, FailingBlob, until, workers
from widget.helpers import BrokenPicture

from draggan_widget.errors import CheckpointError, ConfigError
from draggan_widget.widget import kernel
from draggan_widget.widget.lifecycle import _open, close_all
from draggan_widget.widget.widget import DragWidget

TEXT = (
    "DragWidget(blob, 64 x 32 px): the picture shows in JupyterLab, Colab and VS Code "
    "where this widget is the last line of a notebook cell; here w.session works from Python"
)


class Landscape(BlobGenerator):
    def __init__(self) -> None:
        super().__init__(32, wide=2)
        self.drag_defaults = {"block": 3, "learning_rate": 2e-2}


@pytest.fixture
def widget():
    with DragWidget(BlobGenerator()) as made:
        yield made


def test_it_constructs_and_tells_its_traits(widget):
    assert widget.image_size == [64, 64]
    assert (widget.seed, widget.truncation_psi, widget.status, widget.max_points) == (0, 0.7, "idle", 64)
    assert widget._poster == b""
    assert widget.last_error is None


@pytest.mark.parametrize("name", ["edit", "config", "record"])
def test_a_name_of_the_session_is_not_set_on_the_widget(widget, name: str):
    words = rf"^a DragWidget has no attribute '{name}'; expected w\.session\.{name}; set that$"
    with pytest.raises(AttributeError, match=words):
        setattr(widget, name, EDIT)


def test_the_image_size_is_width_then_height():
    with DragWidget(Landscape()) as made:
        assert made.image_size == [64, 32]
        assert repr(made) == TEXT


def test_a_given_latent_has_no_seed():
    generator = BlobGenerator()
    with DragWidget(generator, ws=generator.ws_at(20.0, 20.0), truncation_psi=0.5) as made:
        assert (made.seed, made.truncation_psi) == (None, 0.5)


def test_what_does_not_fit_is_refused_and_leaves_no_widget():
    before = set(_open)
    with pytest.raises(ConfigError, match=r"^seed is -1; "):
        DragWidget(BlobGenerator(), seed=-1)
    with pytest.raises(CheckpointError):
        DragWidget("no such generator")
    assert set(_open) == before


def test_the_bundle_keeps_the_view_and_its_metadata_and_adds_words(monkeypatch, widget):
    def bundle(self, **kwargs):
        return {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "x"}, {"colab": {"a": 1}}

    data, metadata = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert data["text/plain"] == repr(widget)
    monkeypatch.setattr(anywidget.AnyWidget, "_repr_mimebundle_", bundle)
    data, metadata = widget._repr_mimebundle_()
    assert metadata == {"colab": {"a": 1}}
    assert data["application/vnd.jupyter.widget-view+json"] == {"model_id": "m"}
    shown = Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"])))  # text, as every host takes it
    assert (shown.format, shown.size) == ("JPEG", (64, 64))
    assert widget._poster == base64.b64decode(data["image/jpeg"])  # and in the widget's saved state


def test_a_shown_picture_is_drawn_once_for_the_still_and_the_first_frame(monkeypatch):
    generator = BlobGenerator()
    with DragWidget(generator) as made:
        sent = []
        monkeypatch.setattr(made, "send", lambda content, buffers=None: sent.append(content))
        made._repr_mimebundle_()
        made._handle_custom_msg({"type": "hello", "client": "a", "colab": False}, [])
        until(lambda: len([content for content in sent if content["type"] == "frame"]) == 2)
        assert generator.drawn == 1


def test_the_still_is_of_the_picture_as_it_is_when_shown():
    with DragWidget(BlobGenerator()) as made:
        first = made._repr_mimebundle_()[0]["image/jpeg"]
        made.session.new_seed(9)
        assert made._repr_mimebundle_()[0]["image/jpeg"] != first


def test_a_picture_that_cannot_be_drawn_leaves_the_words():
    with DragWidget(BrokenPicture()) as made:
        data, _ = made._repr_mimebundle_()
        assert "image/jpeg" not in data
        assert data["text/plain"] == repr(made)


def test_a_snapshot_is_the_picture_with_its_points(widget):
    widget.session.edit = EDIT
    before = widget.snapshot()
    assert before.size == (512, 512)
    x, y = EDIT.handles[0]
    assert before.getpixel((int((x + 0.5) * 8), int((y + 0.5) * 8))) == (230, 159, 0)
    record = widget.session.run()
    x, y = record[-1].handles[0]
    assert widget.snapshot().getpixel((int((x + 0.5) * 8), int((y + 0.5) * 8))) == (230, 159, 0)
    assert widget.snapshot().tobytes() != before.tobytes()


def test_an_old_host_without_metadata_still_gets_words(monkeypatch, widget):
    monkeypatch.setattr(anywidget.AnyWidget, "_repr_mimebundle_", lambda self, **kwargs: {"text/plain": "x"})
    data, metadata = widget._repr_mimebundle_()
    assert (set(data), data["text/plain"], metadata) == ({"text/plain", "image/jpeg"}, repr(widget), {})
    monkeypatch.setattr(anywidget.AnyWidget, "_repr_mimebundle_", lambda self, **kwargs: None)
    assert widget._repr_mimebundle_() is None


def test_the_traits_follow_the_session(widget):
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "status")
    widget.session.edit = EDIT
    widget.session.run()
    until(lambda: seen == ["running", "idle"])
    widget.session.new_seed(5)
    assert widget.seed == 5


def test_an_error_of_the_last_drag_stays_readable():
    with DragWidget(FailingBlob(at=2)) as made:
        made.session.edit = EDIT
        with pytest.raises(RuntimeError, match=r"^the synthesis broke$"):
            made.session.run()
        assert str(made.last_error) == "the synthesis broke"


def test_closing_twice_ends_the_worker_and_says_so():
    before = len(workers())
    made = DragWidget(BlobGenerator())
    made.session.edit = EDIT
    made.session.step()
    made.close()
    made.close()
    assert made.session.status == "closed"
    assert made.status == "closed"
    assert made.comm is None
    assert made not in _open
    assert len(workers()) == before


def test_the_context_manager_closes_after_an_error():
    with pytest.raises(ZeroDivisionError), DragWidget(BlobGenerator()) as made:
        raise ZeroDivisionError
    assert made.session.status == "closed"


def test_a_message_from_the_browser_reaches_the_session(widget):
    points = [{"handle": [31, 31], "target": [40, 31]}]
    content = {"type": "edit", "client": "a", "rid": 1, "revision": 0, "points": points, "mask": "keep"}
    widget._handle_custom_msg(content, [])
    assert widget.session.edit.targets == ((40.0, 31.0),)


def test_what_is_sent_goes_over_the_comm_until_closed(monkeypatch):
    made, sent = DragWidget(BlobGenerator()), []
    monkeypatch.setattr(made, "send", lambda content, buffers=None: sent.append((content, buffers)))
    made._handle_custom_msg({"type": "hello", "client": "a", "colab": False}, [])
    until(lambda: len([1 for content, _ in sent if content["type"] == "frame"]) == 2)
    until(lambda: made._poster != b"")
    made.close()
    count = len(sent)
    made._handle_custom_msg({"type": "start", "client": "a", "rid": 1}, [])
    assert len(sent) == count


def test_the_worker_does_not_keep_a_closed_widget_alive():
    made = DragWidget(BlobGenerator())
    made.session.edit = EDIT
    made.session.run()
    gone = weakref.ref(made)
    made.close()
    del made
    until(lambda: gc.collect() >= 0 and gone() is None, "the widget to go")


def test_the_same_cell_run_again_closes_what_it_opened_before(monkeypatch):
    def run(cell: str | None, execution: str) -> DragWidget:
        place = None if cell is None else (cell, execution)
        monkeypatch.setattr("draggan_widget.widget.widget.cell_identity", lambda: place)
        return DragWidget(BlobGenerator())

    first, twin = run("cell 1", "run 1"), run("cell 1", "run 1")
    other, script = run("cell 2", "run 2"), run(None, "")
    again = run("cell 1", "run 3")
    states = [made.session.status for made in (first, twin, other, script, again)]
    assert states == ["closed", "closed", "idle", "idle", "idle"]
    for made in (other, script, again):
        made.close()


# What it knows of the kernel


class Shell:
    history_manager = None

    def __init__(self, parent):
        self.get_parent = lambda: parent


@pytest.mark.parametrize(
    ("shell", "identity"),
    [
        (None, None),
        (object(), None),
        (Shell({}), None),
        (Shell({"header": {"msg_id": "m"}, "content": {"code": "w"}}), ("w", "m")),
        (Shell({"header": {"msg_id": "m"}, "content": {"code": "w"}, "metadata": {"cellId": "c"}}), ("c", "m")),
        (Shell({"header": {"msg_id": "m"}, "content": {"comm_id": "x", "data": {}}}), None),
    ],
)
def test_a_cell_is_known_by_its_id_or_its_text(monkeypatch, shell, identity):
    monkeypatch.setattr(kernel, "get_ipython", lambda: shell)
    assert kernel.cell_identity() == identity


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (("c", "run 2"), "This widget was closed, because its cell ran again: the new widget is in the output of {}."),
        (("c", "m"), ""),  # closed by the execution that made it
        (("other", "run 1"), ""),
        (None, ""),
    ],
)
def test_a_widget_says_where_the_new_one_is_only_where_its_own_cell_runs_again(monkeypatch, cell, words):
    shell = Shell({"header": {"msg_id": "m"}, "content": {"code": "w"}, "metadata": {"cellId": "c"}})
    monkeypatch.setattr(kernel, "get_ipython", lambda: shell)
    assert kernel.rerun_words(cell) == words.format("that cell")
    inputs = ["", "import torch", "w", "w"]  # of IPython: the first one is empty, the last one runs now
    shell.history_manager = types.SimpleNamespace(input_hist_parsed=inputs)
    assert kernel.rerun_words(cell) == words.format("cell [3]")


def test_messages_are_read_on_the_subshell_that_they_name():
    class Comm:
        def _reply_subshell_for(self, data, default):
            return "the last one used"

    comm = Comm()
    kernel.keep_subshell(comm)
    assert comm._reply_subshell_for({"content": {}}, "named") == "named"
    assert comm._reply_subshell_for(None, None) is None


def test_a_kernel_that_routes_otherwise_is_left_alone():
    class Later:
        def _reply_subshell_for(self, message):
            return "its own way"

    class Earlier:
        pass

    later, earlier = Later(), Earlier()
    kernel.keep_subshell(later)
    kernel.keep_subshell(earlier)
    kernel.keep_subshell(None)
    assert later._reply_subshell_for({}) == "its own way"
    assert vars(earlier) == {}


def test_without_a_loop_a_job_runs_at_once_and_nothing_is_blocked():
    main, done = kernel.MainLoop(), []
    main.call(lambda: done.append(threading.current_thread()))
    assert done == [threading.current_thread()]
    assert not main.blocked()


def test_a_loop_that_does_not_answer_is_blocked_until_it_does(monkeypatch):
    import asyncio

    now = [100.0]
    monkeypatch.setattr(kernel.time, "monotonic", lambda: now[0])

    async def notebook() -> None:
        main = kernel.MainLoop()
        assert not main.blocked()
        now[0] += kernel.BLOCKED_AFTER
        assert not main.blocked()
        now[0] += 0.01
        assert main.blocked()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not main.blocked()
        done = asyncio.Event()
        threading.Thread(target=lambda: main.call(done.set)).start()
        await asyncio.wait_for(done.wait(), BOUND)

    asyncio.run(notebook())


def test_close_all_ends_every_open_widget():
    close_all()
    widgets = [DragWidget(BlobGenerator()) for _ in range(3)]
    widgets[0].close()
    assert close_all() == 2
    assert [widget.status for widget in widgets] == ["closed"] * 3
    assert close_all() == 0


def test_an_exception_in_a_step_callback_stops_the_drag_and_is_told_to_every_client(monkeypatch, widget):
    sent: list[dict] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append(content))
    widget.session.edit = EDIT
    widget.session.on_step(lambda step: 1 / (step.index - 2))
    with pytest.raises(ZeroDivisionError):
        widget.session.run()
    message = "ZeroDivisionError: division by zero; session.last_error has the traceback"
    told = [content for content in sent if content["type"] == "failed"]
    assert told == [{"type": "failed", "message": message, "rid": None, "client": None}]
    assert widget.status == "idle"
    assert widget.last_error.__traceback__ is not None
    assert len(widget.session.record) == 3


def test_an_overlay_from_python_is_sent_and_what_is_none_is_refused(monkeypatch, widget):
    sent: list[tuple[dict, list[bytes]]] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append((content, buffers)))
    widget.show_overlay(np.eye(8), opacity=0.4)
    ((content, buffers),) = sent
    assert content == {"type": "overlay", "view": "given", "opacity": 0.4, "shown": True}
    assert buffers[0].startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match=r"^opacity is -1; expected a number from 0 to 1$"):
        widget.show_overlay(np.eye(8), opacity=-1)
    widget.show_overlay(None)
    assert sent[-1] == ({"type": "overlay", "view": "none", "opacity": 0.6, "shown": False}, [])
    assert len(sent) == 2


def test_in_marimo_a_cell_that_runs_again_closes_its_widget(monkeypatch):
    items = []
    context = types.SimpleNamespace(cell_lifecycle_registry=types.SimpleNamespace(add=items.append))
    runtime = types.SimpleNamespace(runtime_context_installed=lambda: True, get_context=lambda: context)
    monkeypatch.setitem(sys.modules, "marimo._runtime.context", runtime)
    made = DragWidget(BlobGenerator())
    (item,) = items
    item.create(context)
    assert made.session.status == "idle"
    assert item.dispose(context, deletion=False) is True
    assert made.status == "closed"
    assert made.session.status == "closed"
