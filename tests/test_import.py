"""What an import pulls in, seen in one fresh interpreter, and the public names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import draggan_widget

ROOT = Path(__file__).resolve().parents[1]
WATCHED = (
    *("torch", "anywidget", "ipywidgets", "ipycanvas", "matplotlib", "numpy"),
    *("matplotlib.figure", "matplotlib.pyplot", "torch._dynamo", "sympy"),
)
COMPILER = {"torch._dynamo", "sympy"}  # of torch; importing it takes 2 s
STAGES = {  # one after the other in one interpreter: a module that is absent then was not imported before, either
    "package": "import draggan_widget; dir(draggan_widget); draggan_widget.__version__",
    "help": "from draggan_widget import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
    "engine": "from draggan_widget import Edit, drag, load_generator",
    "numbers": "from draggan_widget.inspection import feature_maps, latents, tracking_cost",
    "load": "generator = load_generator('heads', device='cpu')",
    "drag": (
        "session = draggan_widget.DragSession(generator)\n"
        "session.edit = Edit([(64.0, 64.0)], [(60.0, 64.0)])\n"
        "session.step(2)\n"
        "assert session.current.index == 2 or session.current.ended"
    ),
    "plots": ("from inspection import golden_plots\nfor draw in golden_plots.plots().values(): draw().canvas.draw()"),
}
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Which watched modules a fresh interpreter has loaded after each stage."""
    lines = ["import json, sys", "imported = {}"]
    for name, code in STAGES.items():
        lines += [code, f"imported[{name!r}] = [module for module in {WATCHED!r} if module in sys.modules]"]
    lines.append("print(json.dumps(imported))")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    return {name: set(modules) for name, modules in json.loads(run.stdout.splitlines()[-1]).items()}


@slow
def test_importing_the_package_imports_nothing_heavy(imported: dict[str, set[str]]):
    assert imported["package"] == set()


@slow
def test_asking_for_help_imports_nothing_heavy(imported: dict[str, set[str]]):
    assert imported["help"] == set()


@slow
def test_a_name_of_the_engine_imports_torch_but_no_widget(imported: dict[str, set[str]]):
    assert imported["engine"] == {"torch", "numpy"}


@slow
def test_the_numbers_of_an_inspection_import_no_matplotlib(imported: dict[str, set[str]]):
    assert imported["numbers"] == {"torch", "numpy"}


@slow
def test_loading_a_generator_does_not_import_torch_s_compiler(imported: dict[str, set[str]]):
    assert not imported["load"] & COMPILER


@slow
def test_a_first_drag_does_not_import_torch_s_compiler(imported: dict[str, set[str]]):
    assert not imported["drag"] & COMPILER


@slow
def test_plots_import_matplotlib_without_pyplot(imported: dict[str, set[str]]):
    assert imported["plots"] >= {"matplotlib", "matplotlib.figure"}
    assert "matplotlib.pyplot" not in imported["plots"]


def test_every_public_name_is_there_and_listed():
    assert dir(draggan_widget) == sorted(draggan_widget.__all__)
    for name in draggan_widget.__all__:
        assert getattr(draggan_widget, name).__name__ == name if name != "__version__" else True


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError) as caught:
        _ = draggan_widget.DragGan  # pyright: ignore[reportAttributeAccessIssue]
    assert str(caught.value) == "module 'draggan_widget' has no attribute 'DragGan'"
