import json
import os

import pytest
import safetensors.torch
import torch

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.errors import CheckpointError

REMEDY = "convert or fetch the checkpoint again"


def example(fill: float = 1.0) -> Checkpoint:
    tensors = {
        "a": torch.full((2, 3), fill),
        "b.half": torch.arange(5, dtype=torch.bfloat16),
        "flags": torch.tensor([True, False, True]),
        "scalar": torch.tensor(7, dtype=torch.int64),
        "empty": torch.zeros(0, 4),
    }
    config = {"resolution": 1024, "channels": [512, 64], "scale": 0.5, "nested": {"on": True, "none": None}}
    return Checkpoint(
        "mobilestylegan", config, tensors, {"licence": "MIT", "provenance": "a test, née 2024", "source_sha256": "0"}
    )


def rewrite(path, change):
    """Change the JSON header of a safetensors file."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])


def refusal(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        own_file.load(path)
    return str(caught.value)


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path):
    path = tmp_path / "new" / "x.safetensors"
    own_file.save(example(), path)
    back = own_file.load(path)
    assert (back.family, back.config, back.meta) == (example().family, example().config, example().meta)
    assert back.tensors.keys() == example().tensors.keys()
    for name, tensor in example().tensors.items():
        assert back.tensors[name].dtype == tensor.dtype
        assert torch.equal(back.tensors[name], tensor)
    assert os.listdir(path.parent) == ["x.safetensors"]


def test_the_file_is_a_plain_safetensors_file_for_others(tmp_path):
    own_file.save(example(), tmp_path / "x.safetensors")
    assert torch.equal(safetensors.torch.load_file(tmp_path / "x.safetensors")["a"], torch.ones(2, 3))


def test_views_and_shared_tensors_are_saved_as_what_they_show(tmp_path):
    base = torch.arange(6.0).reshape(2, 3).requires_grad_()
    tensors = {"whole": base, "turned": base.T, "row": base[1], "same": base}
    own_file.save(Checkpoint("x", {}, tensors, {}), tmp_path / "x.safetensors")
    back = own_file.load(tmp_path / "x.safetensors").tensors
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
    assert not back["whole"].requires_grad


def test_writing_into_a_loaded_tensor_leaves_the_file_alone(tmp_path):
    path = tmp_path / "x.safetensors"
    own_file.save(example(), path)
    own_file.load(path).tensors["a"].fill_(9)
    assert torch.equal(own_file.load(path).tensors["a"], torch.ones(2, 3))


def test_a_checkpoint_may_be_saved_over_the_file_it_was_loaded_from(tmp_path):
    path = tmp_path / "x.safetensors"
    own_file.save(example(1), path)
    loaded = own_file.load(path)
    own_file.save(example(2), path)
    assert torch.equal(loaded.tensors["a"], torch.ones(2, 3))
    assert torch.equal(own_file.load(path).tensors["a"], torch.full((2, 3), 2.0))


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_whole_and_no_other(tmp_path, monkeypatch, step, error):
    path = tmp_path / "x.safetensors"
    own_file.save(example(1), path)

    def fail(*args):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(CheckpointError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        own_file.save(example(2), path)
    if isinstance(error, OSError):
        size = path.stat().st_size - 8
        assert str(caught.value) == (
            f"checkpoint file {path} cannot be written ([Errno 28] No space left on device); expected a writable "
            f"folder with {size} bytes free; choose another folder or free some space"
        )
    monkeypatch.undo()
    assert torch.equal(own_file.load(path).tensors["a"], torch.ones(2, 3))
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    own_file.save(example(), path)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        message = refusal(path)
        assert message.startswith(f"checkpoint file {path} cannot be read (")
        assert message.endswith(f"); expected a whole .safetensors file; {REMEDY}")


def test_an_altered_byte_among_the_tensors_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    own_file.save(example(), path)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert refusal(path).endswith(f", as its header says: the file was altered; {REMEDY}")


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file({"a": torch.ones(2)}, path)
    assert (
        refusal(path)
        == f"checkpoint file {path} has format None; expected 'draggan-widget checkpoint'; convert it first"
    )
    for foreign in (b"<html>not found</html>", b"\x80\x04.", b"PK\x03\x04" * 9):
        path.write_bytes(foreign)
        assert refusal(path).endswith(f"expected a whole .safetensors file; {REMEDY}")
    assert refusal(tmp_path).endswith("expected a whole .safetensors file; give the name of a file, not of a folder")
    assert refusal(tmp_path / "none").endswith("expected a whole .safetensors file; check the path")


def test_a_newer_format_is_refused_with_the_advice_to_upgrade(tmp_path):
    path = tmp_path / "x.safetensors"
    own_file.save(example(), path)
    rewrite(path, lambda header: header["__metadata__"].update(format_version="2"))
    assert refusal(path) == (
        f"checkpoint file {path} has format version 2; expected at most 1; upgrade draggan-widget or convert the "
        "checkpoint again"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("config", "{"),
        ("config", "3"),
        ("config", None),
        ("format_version", "one"),
        ("family", None),
        ("content_sha256", None),
    ],
)
def test_broken_metadata_is_refused(tmp_path, key, value):
    path = tmp_path / "x.safetensors"
    own_file.save(example(), path)

    def change(header):
        if value is None:
            del header["__metadata__"][key]
        else:
            header["__metadata__"][key] = value

    rewrite(path, change)
    message = refusal(path)
    assert message.startswith(f"checkpoint file {path} has broken metadata (")
    assert message.endswith(f"; expected metadata as save() writes them; {REMEDY}")


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (Checkpoint("x", {}, {}, {"config": "a"}), "has meta ['config']; expected keys other than"),
        (
            Checkpoint("x", {}, {"__metadata__": torch.ones(1)}, {}),
            "has a tensor '__metadata__'; expected another name",
        ),
        (
            Checkpoint("x", {"a": float("nan")}, {}, {}),
            "cannot be stored (Out of range float values are not JSON compliant",
        ),
        (Checkpoint("x", {"a": object()}, {}, {}), "cannot be stored (Object of type object is not JSON serializable)"),
        (Checkpoint("x", {"a": (1, 2)}, {}, {}), "config {'a': (1, 2)} changes in JSON; expected text keys and lists"),
        (Checkpoint("x", {}, {"a": torch.eye(2).to_sparse()}, {}), "cannot be stored ("),
    ],
)
def test_what_the_file_cannot_keep_is_refused_before_anything_is_written(tmp_path, checkpoint, message):
    with pytest.raises(CheckpointError) as caught:
        own_file.save(checkpoint, tmp_path / "x.safetensors")
    assert message in str(caught.value)
    assert os.listdir(tmp_path) == []
