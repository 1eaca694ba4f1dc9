"""Every notebook runs from its first cell to its last, as "Run All" would."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def texts(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(o.get("text", "") or o.get("data", {}).get("text/plain", "")) for o in outputs)


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def executed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(request.param.stem)
    notebook = nbformat.read(request.param, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    return request.param.stem, notebook, folder


def test_a_notebook_runs_to_its_end(executed) -> None:
    _, notebook, _ = executed
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def test_the_first_notebook_drags_the_nose_to_its_target(executed) -> None:
    name, notebook, folder = executed
    if name != "01_drag":
        return
    assert ", arrived)" in texts(notebook)
    assert (folder / "drag.npz").exists()
    kinds = [kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})]
    assert "application/vnd.jupyter.widget-view+json" in kinds
    assert "image/png" in kinds  # the trajectories
