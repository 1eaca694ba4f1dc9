import json
import subprocess
import sys

import pytest

import draggan_widget

HEAVY = ("torch", "anywidget", "ipywidgets", "ipycanvas", "matplotlib", "numpy")


def imported_by(code: str) -> set[str]:
    """Which heavy modules a fresh interpreter has loaded after the code."""
    report = f"\nimport json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code + report], check=True, capture_output=True, text=True)
    return set(json.loads(run.stdout))


def test_importing_the_package_imports_nothing_heavy():
    assert imported_by("import draggan_widget; dir(draggan_widget); draggan_widget.__version__") == set()


def test_a_name_of_the_engine_imports_torch_but_no_widget():
    assert imported_by("from draggan_widget import drag, Edit, load_generator") == {"torch", "numpy"}


def test_every_public_name_is_there_and_listed():
    assert dir(draggan_widget) == sorted(draggan_widget.__all__)
    for name in draggan_widget.__all__:
        assert getattr(draggan_widget, name).__name__ == name if name != "__version__" else True


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError) as caught:
        _ = draggan_widget.DragGan  # pyright: ignore[reportAttributeAccessIssue]
    assert str(caught.value) == "module 'draggan_widget' has no attribute 'DragGan'"
