"""The notebooks as they are committed: short cells, and outputs that can be read without a kernel."""

import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 12  # lines
LARGEST = 3_000_000  # bytes: size of all notebooks together
MACHINE = re.compile(r"/(home|root|tmp|work|Users|private|var)/|[A-Z]:\\\\|0x[0-9a-f]{6,}|Traceback|Warning:")

every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_of(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_six_and_the_readme_and_the_docs_name_each() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]
    for text in ((ROOT / "README.md").read_text("utf-8"), (ROOT / "docs" / "notebooks.md").read_text("utf-8")):
        assert [path.name for path in NOTEBOOKS if path.name not in text] == []


@every
def test_every_cell_was_run_in_order(path: Path) -> None:
    assert [cell.execution_count for cell in code_of(path)] == list(range(1, len(code_of(path)) + 1))


@every
def test_most_cells_show_what_they_did(path: Path) -> None:
    assert sum(bool(cell.outputs) for cell in code_of(path)) > len(code_of(path)) / 2


@every
def test_no_output_is_an_error_a_warning_or_names_a_machine(path: Path) -> None:
    for output in (output for cell in code_of(path) for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name", "stdout") == "stdout"
        text = output.get("text", "") + json.dumps(
            {kind: value for kind, value in output.get("data", {}).items() if kind.startswith("text/")}
        )
        assert MACHINE.search(text) is None, text


@every
def test_no_output_needs_a_kernel(path: Path) -> None:
    assert "widget-view" not in path.read_text("utf-8")
    assert "widgets" not in nbformat.read(path, as_version=4).metadata


@every
def test_cells_are_short(path: Path) -> None:
    assert [cell.source for cell in code_of(path) if len(cell.source.splitlines()) > LONGEST_CELL] == []


@every
def test_a_notebook_begins_with_words_and_an_installation_that_is_guarded(path: Path) -> None:
    first, second, *_ = nbformat.read(path, as_version=4).cells
    assert first.source.startswith(f"# {int(path.stem[:2])}. ")
    assert second.source.splitlines()[2] == 'if importlib.util.find_spec("draggan_widget") is None:'


def test_all_together_are_small() -> None:
    assert sum(path.stat().st_size for path in NOTEBOOKS) < LARGEST
