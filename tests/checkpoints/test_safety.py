import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.errors import CheckpointError
from tests.checkpoints import hostile, nvidia_writer
from tests.generators.tiny_stylegan2 import plain_config, random_tensors

ROOT = Path(__file__).parents[2]
SECONDS = 2.0
ROOM = 64 << 20  # bytes, and 1.3 times the file: the bound that `read.py` states
LIBRARIES = 16 << 20  # bytes of code that a forked process touches first
linux = pytest.mark.skipif(sys.platform != "linux", reason="the cage measures with Linux's /proc")


def caged(folder: Path) -> dict[str, dict]:
    command = [sys.executable, "-m", "tests.checkpoints.cage", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {found["file"]: found for found in map(json.loads, done.stdout.splitlines())}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("maker", hostile.MAKERS, ids=lambda maker: maker.__name__)
def test_a_few_planted_files_of_each_group_are_refused_and_run_nothing(tmp_path, monkeypatch, maker):
    monkeypatch.chdir(tmp_path)  # where the planted command would leave its mark
    files = [*hostile.groups()[maker.__name__].values()]
    for data, message in files[:: len(files) // 8]:
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(tmp_path / "file")
        assert message in str(caught.value)
    assert not (tmp_path / "RAN").exists()


@linux
@pytest.mark.slow
def test_every_planted_file_is_refused_soon_and_small_and_runs_nothing(tmp_path):
    files = {f"{index:03d}": entry for index, entry in enumerate(hostile.planted().items())}
    for name, (_, (data, _)) in files.items():
        (tmp_path / name).write_bytes(data)
    found = caged(tmp_path)
    assert found.keys() == files.keys()
    wrong = [
        (key, message, found[name])
        for name, (key, (data, message)) in files.items()
        if found[name]["outcome"] != "CheckpointError"
        or message not in found[name]["message"]
        or found[name]["seconds"] > SECONDS
        or found[name]["growth"] > ROOM + 1.3 * len(data)
    ]
    assert wrong == []
    assert not (tmp_path / "RAN").exists()


@linux
@pytest.mark.slow
def test_a_network_takes_little_more_memory_than_its_weights(tmp_path):
    config = plain_config(channels=[512, 512])
    tensors = random_tensors(config)
    weights = sum(tensor.nbytes for tensor in tensors.values())
    made = nvidia_writer.generator(config.to_dict(), tensors)
    for protocol in (2, 4):
        (tmp_path / f"{protocol}.pkl").write_bytes(nvidia_writer.dumps({"G": made, "G_ema": made}, protocol))
    torch.save(tensors, tmp_path / "x.pt")
    for found in caged(tmp_path).values():
        assert found["outcome"] == "stylegan2", found
        assert found["growth"] < 1.3 * weights + LIBRARIES, found


@linux
@pytest.mark.slow
def test_hundreds_of_damaged_files_give_a_checkpoint_or_its_error(tmp_path):
    command = [sys.executable, "-m", "tests.checkpoints.fuzz", "--inputs", "400", "--seed", "11"]
    done = subprocess.run([*command, "--keep", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
