"""Every notebook runs from its first cell to its last, as "Run All" would."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow
NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
REAL = ("02_your_own_generator", "05_latents_and_export")  # these draw real faces
PRINTED = {  # patterns; a number that differs between machines is compared with its twin, not written here
    "01_drag": (r", arrived\)", "tracking error 0."),
    "02_your_own_generator": ("the same pixels: True", "draws the same pixels: True", "builtins.print"),
    "03_trajectories": ("terms add up to the loss: True", "masked : fixed part changed by"),
    "04_feature_maps": (
        r"nearest to f at \((\d+), (\d+)\), tracked handle \(\1\.0, \2\.0\)",
        r"by hand (0\.\d{3})\d*, record \1",
    ),
    "05_latents_and_export": ("same latents: True", "trainedAlgorithmicMedia", "replay.html"),
    "06_scripting": ("the same latent: True", r"did you mean 'learning_rate'\?", "--handle X,Y"),
}


def texts(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(o.get("text", "") or o.get("data", {}).get("text/plain", "")) for o in outputs)


def marked(path: Path):
    return pytest.param(path, id=path.stem, marks=[pytest.mark.real] if path.stem in REAL else [])


@pytest.fixture(scope="module", params=[marked(path) for path in NOTEBOOKS])
def executed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    if request.param.stem in REAL:
        request.getfixturevalue("real_source")
    folder = tmp_path_factory.mktemp(request.param.stem)
    notebook = nbformat.read(request.param, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    own = str(Path(sys.executable).parent)  # folder of the command draggan-widget
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", own, prepend=os.pathsep)
        NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    return request.param.stem, notebook, folder


def test_a_notebook_runs_to_its_end_and_says_what_its_text_says(executed) -> None:
    name, notebook, _ = executed
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    for pattern in PRINTED[name]:
        assert re.search(pattern, texts(notebook)), pattern


def test_the_first_notebook_drags_the_nose_to_its_target(executed) -> None:
    name, notebook, folder = executed
    if name != "01_drag":
        return
    assert (folder / "drag.npz").exists()
    kinds = [kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})]
    assert "application/vnd.jupyter.widget-view+json" in kinds
    assert "image/png" in kinds  # the trajectories
