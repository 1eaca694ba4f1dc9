"""A process that is killed while it writes, or finds the disk full, leaves the old file whole."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from draggan_widget import DragRecord
from draggan_widget.export.edit_file import load_edit
from draggan_widget.export.features import load_features
from draggan_widget.export.latents import load_latents
from draggan_widget.export.pictures import read_provenance
from draggan_widget.export.trajectories import load_trajectories

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="kills and limits as Unix has them"),
]
TESTS = Path(__file__).parents[1]
STEPS = {  # that each old file tells of: a drag of three steps and its start
    **{f"w{ending}": lambda path: len(load_latents(path)) for ending in (".npz", ".safetensors", ".pt", ".npy")},
    **{f"t{ending}": lambda path: len(load_trajectories(path)) for ending in (".csv", ".parquet")},
    **{f"f{ending}": lambda path: sum(1 for _ in load_features(path)) for ending in (".npz", ".zarr")},
    **{f"p{ending}": lambda path: read_provenance(path)["step"] + 1 for ending in (".png", ".jpg")},
    "edit.json": lambda path: load_edit(path).segments[0].count,
    "record.npz": lambda path: len(DragRecord.load(path)),
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("attacked")
    run = subprocess.run(
        [sys.executable, TESTS / "export" / "atomic_writer.py", folder],
        env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, json.loads(run.stdout)


@pytest.mark.parametrize("name", STEPS)
def test_a_process_killed_before_its_file_is_in_place_leaves_the_old_one_whole(attacked, name: str):
    folder, found = attacked
    assert found["killed"][name] == "here 1"  # it was in the middle: its temporary file was there
    assert STEPS[name](folder / "killed" / name) == 4


@pytest.mark.parametrize("name", STEPS)
def test_a_full_disk_leaves_the_old_file_whole_and_says_so(attacked, name: str):
    folder, found = attacked
    path = folder / "full" / name
    assert re.fullmatch(
        rf"(Export|Record)Error: {re.escape(str(path))} cannot be written \(.*File too large.*\); choose another "
        "folder, one on a disk that takes larger files",
        found["full"][name],
    )
    assert STEPS[name](path) == 4
    assert not [left for left in path.parent.iterdir() if left.name.startswith(".")]
