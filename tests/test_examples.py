"""Every `>>>` example in the docstring of a public name runs."""

import doctest
import inspect
from pathlib import Path

import pytest

import draggan_widget
from draggan_widget import export, inspection


def find_examples() -> list[doctest.DocTest]:
    """The examples of all public names and of their public methods, each once."""
    finder, found = doctest.DocTestFinder(), {}
    for package in (draggan_widget, inspection, export):
        for public in (getattr(package, name) for name in package.__all__):
            if inspect.isclass(public) or inspect.isfunction(public):
                name = f"{public.__module__}.{public.__qualname__}"
                names = vars(inspect.getmodule(public))
                found |= {test.name: test for test in finder.find(public, name, globs=dict(names)) if test.examples}
    return list(found.values())


@pytest.mark.parametrize("example", find_examples(), ids=lambda example: example.name)
def test_an_example_runs(example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=report.append)
    assert not failed, "".join(report)
