"""What an import pulls in, seen in one fresh interpreter, and the public names."""

import ast
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import draggan_widget
from draggan_widget import export, inspection

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "numpy", "matplotlib", "matplotlib.pyplot", "anywidget", "ipywidgets", "ipycanvas"}
COMPILER = {"torch._dynamo", "sympy"}  # torch's compiler: importing it takes 2 s
# The stages run one after another in one interpreter: what a stage lacks, no earlier stage imported either.
STAGES = {
    "the package": "import draggan_widget; dir(draggan_widget); draggan_widget.__version__",
    "its modules": "from draggan_widget import DragganError, export, inspection; dir(export); dir(inspection)",
    "help": "from draggan_widget import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
    "the engine": "from draggan_widget import DragConfig, DragRecord, Edit, drag, load_generator",
    "numbers": "from draggan_widget.inspection import FeatureColours, WComponents, tracking_cost, travelled",
    "a session": "from draggan_widget import DragSession, save_edit, save_latents, save_picture",
    "export": "from draggan_widget.export import save_features, save_video, to_html",
    "loading": "generator = load_generator('heads', device='cpu')",
    "a drag": (
        "session = DragSession(generator)\n"
        "session.edit = Edit([(64.0, 64.0)], [(60.0, 64.0)])\n"
        "session.step(2)\n"
        "assert session.current.index == 2 or session.current.ended"
    ),
    "plots": "from inspection import golden_plots\nfor draw in golden_plots.plots().values(): draw().canvas.draw()",
}
LOADED: dict[str, set[str]] = {stage: {"torch", "numpy"} for stage in STAGES} | {
    "the package": set(),
    "its modules": set(),
    "help": set(),
    "plots": {"torch", "numpy", "matplotlib"},
}

each_module = pytest.mark.parametrize(
    "module", [draggan_widget, inspection, export], ids=lambda module: module.__name__
)


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Which watched modules a fresh interpreter has loaded after each stage."""
    watched = sorted(HEAVY | COMPILER)
    lines = ["import json, sys", "imported = {}"]
    for name, code in STAGES.items():
        lines += [code, f"imported[{name!r}] = [module for module in {watched!r} if module in sys.modules]"]
    lines.append("print(json.dumps(imported))")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    return {name: set(modules) for name, modules in json.loads(run.stdout.splitlines()[-1]).items()}


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_name_loads_only_what_it_needs(imported: dict[str, set[str]], stage: str):
    assert imported[stage] & HEAVY == LOADED[stage]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["loading", "a drag"])
def test_torch_s_compiler_is_not_imported(imported: dict[str, set[str]], stage: str):
    assert not imported[stage] & COMPILER


@each_module
def test_every_public_name_is_there_and_listed(module: ModuleType):
    assert dir(module) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name).__name__.rpartition(".")[2] == name


@each_module
def test_no_public_object_has_the_name_of_a_module_beside_it(module: ModuleType):
    modules = {found.name for found in pkgutil.iter_modules(module.__path__)}
    objects = {name for name in module.__all__ if not isinstance(getattr(module, name), ModuleType)}
    assert not modules & objects  # importing the module would put it in the place of the object


@each_module
def test_type_checkers_see_every_public_name(module: ModuleType):
    assert module.__file__ is not None
    stub = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text())
    exported = {
        alias.asname
        for statement in stub.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.name == alias.asname  # without `as` a stub's import is private
    }
    assert exported == set(module.__all__)


def test_no_name_is_public_in_two_places():
    names = [*draggan_widget.__all__, *inspection.__all__, *export.__all__]
    assert len(names) == len(set(names))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^No draggan_widget attribute DragGan$"):
        _ = draggan_widget.DragGan  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("module", "page"),
    [(draggan_widget, "api.md"), (inspection, "api-inspection.md"), (export, "api-export.md")],
)
def test_every_public_object_is_described_on_the_page_of_its_module(module: ModuleType, page: str):
    described = set(re.findall(rf"^::: {re.escape(module.__name__)}\.(\w+)$", (ROOT / "docs" / page).read_text(), re.M))
    assert described == {name for name in module.__all__ if not isinstance(getattr(module, name), ModuleType)}
