"""Checkpoints that were compressed with gzip."""

import gzip
import hashlib
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from draggan_widget import load_generator
from draggan_widget.checkpoints import gzipped, own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.errors import CheckpointError
from tests.checkpoints import nvidia_writer
from tests.generators.tiny_stylegan2 import TINY, random_tensors

pytestmark = pytest.mark.usefixtures("unchecked")
TENSORS = random_tensors(TINY)
AGAIN = "download it again, or unpack it with gunzip"


def kinds(folder: Path) -> dict[str, bytes]:
    """A file of every kind that is read."""
    made = {}
    for protocol in (2, 4):
        snapshot = nvidia_writer.snapshot(TINY.to_dict(), TENSORS)
        made[f"pickle, protocol {protocol}"] = nvidia_writer.dumps(snapshot, protocol)
    torch.save(TENSORS, folder / "x")
    made["torch"] = (folder / "x").read_bytes()
    save_file(TENSORS, folder / "x")
    made["safetensors"] = (folder / "x").read_bytes()
    own_file.save(Checkpoint("stylegan2", TINY.to_dict(), TENSORS, {}), folder / "x")
    made["ours"] = (folder / "x").read_bytes()
    return made


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    return str(caught.value)


def test_a_compressed_file_of_every_kind_gives_the_same_network_and_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for kind, data in kinds(tmp_path).items():
        plain = read_checkpoint(written(tmp_path / "network.pkl", data))
        found = read_checkpoint(written(tmp_path / "network.pkl.gz", gzip.compress(data)))
        assert found.config == plain.config, kind
        assert all(torch.equal(found.tensors[name], tensor) for name, tensor in TENSORS.items()), kind
        assert found.meta.get("source_sha256") == plain.meta.get("source_sha256"), kind
        assert [*(tmp_path / "temporary").iterdir()] == []


def test_a_compressed_network_is_a_generator_and_its_sha256_is_that_of_the_unpacked_file(tmp_path):
    data = nvidia_writer.dumps(nvidia_writer.snapshot(TINY.to_dict(), TENSORS))
    path = written(tmp_path / "network.pkl.gz", gzip.compress(data))
    assert load_generator(path, "cpu").image_size == (32, 32)
    meta = read_checkpoint(path).meta
    assert meta["source_sha256"] == hashlib.sha256(data).hexdigest()
    assert meta["provenance"] == "network.pkl.gz, G_ema of a NVIDIA PyTorch pickle"


def test_members_one_after_another_and_zeros_after_them_are_read(tmp_path):
    data = nvidia_writer.dumps({"G_ema": nvidia_writer.generator(TINY.to_dict(), TENSORS)})
    parts = [gzip.compress(data[start : start + 100]) for start in range(0, len(data), 100)]
    path = written(tmp_path / "x", b"".join([*parts, gzip.compress(b""), bytes(100_000)]))
    assert torch.equal(read_checkpoint(path).tensors["mapping.w_avg"], TENSORS["mapping.w_avg"])


def test_other_bytes_after_the_end_are_refused(tmp_path):
    packed = gzip.compress(b"x")
    for rest in (b"rest", bytes(70_000) + b"rest"):
        found = f"goes on for {len(rest)} bytes after the end of its gzip data"
        path = written(tmp_path / "x", packed + rest)
        assert refusal(path) == f"{path}: {found}; expected its end, or another member of gzip; {AGAIN}"


def test_a_file_cut_off_anywhere_or_altered_is_refused_in_words(tmp_path):
    data = gzip.compress(nvidia_writer.dumps({"G_ema": nvidia_writer.generator(TINY.to_dict(), TENSORS)}))
    path = tmp_path / "x.pkl.gz"
    for cut in (2, 9, 10, 11, 500, len(data) // 2, len(data) - 9, len(data) - 1):
        written(path, data[:cut])
        assert refusal(path) == f"{path}: is a gzip file that is cut off; expected a whole one; {AGAIN}"
    for place in (2, len(data) - 6, len(data) - 1):
        written(path, data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        assert refusal(path).startswith(f"{path}: is a damaged gzip file (Error -3 while decompressing data: ")


def test_a_file_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(gzipped, "SMALL", 1 << 20)
    path = written(tmp_path / "x", gzip.compress(bytes(2 << 20)))
    size = path.stat().st_size
    assert refusal(path) == (
        f"{path}: unpacks to more than 1048576 bytes; expected at most 1048576: 1048576, or 10 times its {size} bytes; "
        f"{AGAIN}"
    )
    monkeypatch.setattr(gzipped, "MOST_MEMBERS", 9)
    assert "has over 9 members of gzip; expected at most 9" in refusal(written(path, gzip.compress(b"") * 11))


def test_a_compressed_file_of_another_kind_is_told_what_it_holds(tmp_path):
    for data, words in ((b"", "an empty file"), (gzip.compress(b"x"), "a gzip archive"), (b"<html>", "an HTML page")):
        path = written(tmp_path / "x", gzip.compress(data))
        assert refusal(path).startswith(f"{path}, unpacked: looks like {words}")
    tar = bytes(257) + b"ustar" + bytes(300)
    assert "looks like a tar archive" in refusal(written(tmp_path / "x.tar.gz", gzip.compress(tar)))


def test_no_room_for_the_unpacked_file_is_said(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("draggan_widget.checkpoints.read.unpack", full)
    path = written(tmp_path / "x", gzip.compress(b"x"))
    assert refusal(path) == (
        f"{path} cannot be unpacked in {tempfile.gettempdir()} ([Errno 28] No space left on device); expected room for "
        "the unpacked file; set TMPDIR to another folder or free some space"
    )


def test_no_folder_for_temporary_files_is_said(tmp_path, monkeypatch):
    path = written(tmp_path / "x", gzip.compress(b"x"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    message = refusal(path)
    assert message.startswith(f"{path} cannot be unpacked: there is no place for temporary files ([Errno 2] ")
    assert message.endswith("; set TMPDIR to another folder")
