import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import draggan_widget
from draggan_widget import export, inspection

HEAVY = ("torch", "numpy", "matplotlib", "matplotlib.pyplot", "anywidget", "ipywidgets", "ipycanvas")
# Statements run one after another in one fresh interpreter, each with the heavy modules that are loaded after it.
LOADED_AFTER = {
    "import draggan_widget; draggan_widget.__version__; dir(draggan_widget)": set(),
    "from draggan_widget import DragganError, export, inspection; dir(export); dir(inspection)": set(),
    "from draggan_widget import DragConfig, DragRecord, Edit, drag, load_generator": {"torch", "numpy"},
    "from draggan_widget.inspection import FeatureColours, WComponents, similarity, tracking_cost, travelled": {
        "torch",
        "numpy",
    },
    "from draggan_widget import DragSession, save_edit, save_latents, save_picture": {"torch", "numpy"},
    "from draggan_widget.export import save_features, save_video, to_html": {"torch", "numpy"},
    "from draggan_widget.inspection import plot_trajectories": {"torch", "numpy", "matplotlib"},
}
REPORT = """
import json, sys
statements, heavy = json.load(sys.stdin)
loaded = []
for statement in statements:
    exec(statement)
    loaded.append([name for name in heavy if name in sys.modules])
print(json.dumps(loaded))
"""

each_module = pytest.mark.parametrize(
    "module", [draggan_widget, inspection, export], ids=lambda module: module.__name__
)


def test_a_name_loads_only_what_it_needs():
    asked = json.dumps([list(LOADED_AFTER), HEAVY])
    run = subprocess.run([sys.executable, "-c", REPORT], input=asked, check=True, capture_output=True, text=True)
    loaded = dict(zip(LOADED_AFTER, map(set, json.loads(run.stdout)), strict=True))
    assert loaded == LOADED_AFTER


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
