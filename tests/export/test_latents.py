import io
import json
import math
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from analytic import BlobGenerator
from engine.helpers import run
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from draggan_widget import DragRecord, DragSession
from draggan_widget.errors import ExportError
from draggan_widget.export.latents import load_latents, save_latents

ENDINGS = (".npz", ".safetensors", ".pt", ".npy")
HELD = "the latents hold NaN, infinity or a number too large for float32; expected finite numbers"
WS = np.random.default_rng(0).normal(size=(3, 4, 8)).astype(np.float32)


def refusal(path: Path) -> str:
    with pytest.raises(ExportError) as caught:
        load_latents(path)
    return str(caught.value)


def damaged(path: Path, reason: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(str(path))} is damaged or holds no latents \({reason}\); take another copy")


@pytest.mark.parametrize("ending", ENDINGS)
def test_latents_come_back_bit_for_bit(tmp_path: Path, ending: str):
    tricky = WS.copy()
    tricky[0, 0, :5] = -0.0, 1e-45, np.finfo(np.float32).max, np.finfo(np.float32).tiny, 1 / 3
    path = save_latents(tricky, tmp_path / f"new/w{ending}")
    back = load_latents(path)
    assert (back.dtype, back.shape) == (np.float32, (3, 4, 8))
    assert back.tobytes() == tricky.tobytes()


@pytest.mark.parametrize(
    ("empty", "shape"), [(DragRecord(), (0, 0, 0)), (DragRecord(start=torch.zeros(1, 4, 8)), (0, 4, 8))]
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_record_gives_a_file_without_latents(tmp_path: Path, ending: str, empty: DragRecord, shape: tuple):
    back = load_latents(save_latents(empty, tmp_path / f"w{ending}"))
    assert (back.dtype, back.shape) == (np.float32, shape)


@given(
    values=numbers.arrays(
        np.float32,
        numbers.array_shapes(min_dims=3, max_dims=3, max_side=4),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
@settings(deadline=None, max_examples=15)
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_finite_latents_come_back(tmp_path_factory, ending: str, values: np.ndarray):
    path = tmp_path_factory.mktemp("any") / f"w{ending}"
    assert load_latents(save_latents(values, path)).tobytes() == values.tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_record_s_latents_are_those_of_every_step(tmp_path: Path, ending: str):
    record = DragRecord({"seed": 3}, run(BlobGenerator(), max_steps=4))
    np.testing.assert_array_equal(load_latents(save_latents(record, tmp_path / f"w{ending}")), record.ws)


def test_one_latent_may_leave_its_first_axis_out_and_be_a_tensor(tmp_path: Path):
    path = save_latents(torch.from_numpy(WS[0]).double(), tmp_path / "w.npy")
    np.testing.assert_array_equal(load_latents(path), WS[:1])


def test_the_official_gui_s_file_is_one_plain_array(tmp_path: Path):
    save_latents(WS[0], tmp_path / "w.npy")
    plain = np.load(tmp_path / "w.npy", allow_pickle=False)
    assert (plain.shape, plain.dtype) == ((1, 4, 8), np.float32)
    np.save(tmp_path / "theirs.npy", WS[0].astype(np.float64))
    np.testing.assert_array_equal(load_latents(tmp_path / "theirs.npy"), WS[:1])


def test_others_read_the_files(tmp_path: Path):
    record = DragRecord({"seed": 3}, run(BlobGenerator(), max_steps=2))
    for ending in ENDINGS:
        save_latents(record, tmp_path / f"w{ending}")
    told = {"schema": "draggan-widget latents", "version": 1, "about": {"seed": 3}}
    with np.load(tmp_path / "w.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["ws"], record.ws)
        assert json.loads(str(file["draggan_widget"])) == told
    np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / "w.safetensors")["ws"], record.ws)
    found = torch.load(tmp_path / "w.pt", weights_only=True)
    assert (type(found), set(found)) == (dict, {"ws", "draggan_widget"})
    np.testing.assert_array_equal(found["ws"].numpy(), record.ws)
    assert json.loads(bytes(found["draggan_widget"].tolist())) == told


@pytest.mark.parametrize(
    ("tensor", "due"),
    [
        (torch.zeros(1).expand(64, 16, 2**24), r"a tensor of shape \(64, 16, 16777216\), strides .*"),
        (torch.from_numpy(WS).to_sparse(), r"names the global torch\._utils\._rebuild_sparse_tensor .*"),
        (torch.zeros(1, 4, 8, device="meta"), r"names the global torch\._utils\._rebuild_meta_tensor_no_storage .*"),
        (torch.zeros(1, 4, 8, dtype=torch.complex64), r"names the global torch\.ComplexFloatStorage .*"),
    ],
)
def test_tensors_that_are_no_plain_numbers_are_refused(tmp_path: Path, tensor: torch.Tensor, due: str):
    path = tmp_path / "w.pt"
    torch.save({"ws": tensor}, path)
    assert damaged(path, due).fullmatch(refusal(path))


def test_torch_s_advice_to_run_a_file_is_not_passed_on(tmp_path: Path):
    path = tmp_path / "w.pt"
    torch.save({"ws": Path("x")}, path)
    due = (
        r"names the global pathlib\S*\.\w+ before byte \d+; expected only those that a network's weights need; it may "
        r"run code in tools that unpickle it; take the file from a source you trust, or a \.safetensors of it"
    )
    assert damaged(path, due).fullmatch(refusal(path))


@pytest.mark.parametrize(
    ("value", "due"),
    [
        ([torch.ones(1, 4, 8)], "holds a list of 1; expected a tensor or a dict of tensors; .*"),
        ({"ws": torch.ones(1, 4, 8), "seed": 3}, "'seed' is 3; expected tensors alone; save a dict of tensors"),
        ({"ws": {"a": torch.ones(1)}}, "'ws' is a dict of 1; expected tensors alone; save a dict of tensors"),
    ],
)
def test_a_pt_file_of_other_things_says_what_it_holds(tmp_path: Path, value: object, due: str):
    path = tmp_path / "w.pt"
    torch.save(value, path)
    assert damaged(path, due).fullmatch(refusal(path))


BYTEARRAY = b"cbuiltins\nbytearray\n\x8a\x05" + (2**32).to_bytes(5, "little") + b"\x85R."
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}X\r\x00\x00\x00little_endian\x88s."


def hungry_files() -> list[bytes]:
    """A few bytes that ask for 4 GB: a plain pickle, the older layout of torch.save, and its archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02" + BYTEARRAY)
    return [b"\x80\x02" + BYTEARRAY, LEGACY + b"\x80\x02" + BYTEARRAY, archive.getvalue()]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_few_bytes_that_ask_for_four_gigabytes_are_refused(tmp_path: Path, kind: int):
    path = tmp_path / "w.pt"
    path.write_bytes(hungry_files()[kind])
    if kind == 0:
        due = "is not a file of torch.save; expected one that holds a tensor or a dict of tensors; .*"
    else:
        due = r"names the global builtins\.bytearray before byte \d+; .*"
    assert damaged(path, due).fullmatch(refusal(path))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="resource counts in kilobytes on Linux alone")
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_few_bytes_that_ask_for_four_gigabytes_take_no_memory(tmp_path: Path, kind: int):
    save_latents(WS, tmp_path / "good.pt")
    (tmp_path / "bad.pt").write_bytes(hungry_files()[kind])
    program = f"""
import resource
from draggan_widget import load_latents
from draggan_widget.errors import ExportError
load_latents({str(tmp_path / "good.pt")!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_latents({str(tmp_path / "bad.pt")!r})
except ExportError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 << 10  # kB


@pytest.mark.parametrize("shape", [(8,), (1, 8), (1, 1, 8), (4, 8), (1, 4, 8)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_one_latent_is_read_in_every_shape_that_people_keep(tmp_path: Path, shape: tuple[int, ...], dtype: torch.dtype):
    kept = (torch.arange(math.prod(shape)).reshape(shape) / 4).to(dtype)
    torch.save(kept, tmp_path / "w.pt")
    torch.save({"latent": torch.nn.Parameter(kept)}, tmp_path / "older.pt", _use_new_zipfile_serialization=False)
    np.save(tmp_path / "w.npy", kept.numpy())
    np.savez(tmp_path / "w.npz", w=kept.numpy())
    safetensors.torch.save_file({"w": kept}, tmp_path / "w.safetensors")
    for path in tmp_path.iterdir():
        found = load_latents(path)
        assert found.shape == (1,) * (3 - len(shape)) + shape
        np.testing.assert_array_equal(found.reshape(shape), kept.float().numpy())
        with DragSession(BlobGenerator(), ws=found) as session:
            assert session.ws.shape == (1, 4, 8)


@pytest.mark.parametrize("shape", [(), (2, 0, 8), (1, 1, 4, 8)])
def test_another_shape_is_named_with_those_that_are_taken(tmp_path: Path, shape: tuple[int, ...]):
    torch.save(torch.zeros(shape), tmp_path / "w.pt")
    assert refusal(tmp_path / "w.pt") == (
        f"{tmp_path / 'w.pt'}: the latents have shape {shape}; expected (latents, num_ws, w_dim), (num_ws, w_dim), or "
        "(w_dim,) for one row; save the latents alone"
    )


def test_bfloat16_is_read_and_written_as_float32(tmp_path: Path):
    half = torch.from_numpy(WS).bfloat16()
    safetensors.torch.save_file({"w": half}, tmp_path / "a.safetensors")
    torch.save(half, tmp_path / "b.pt")
    save_latents(half, tmp_path / "c.npy")
    for name in ("a.safetensors", "b.pt", "c.npy"):
        np.testing.assert_array_equal(load_latents(tmp_path / name), half.float().numpy())


def test_others_files_of_one_array_are_read(tmp_path: Path):
    np.savez(tmp_path / "projected_w.npz", w=WS[:1])
    torch.save(torch.from_numpy(WS[0]), tmp_path / "a.pt")
    torch.save({"latent": torch.from_numpy(WS).double()}, tmp_path / "b.pt")
    safetensors.numpy.save_file({"w": WS}, tmp_path / "c.safetensors")
    for name, due in (("projected_w.npz", WS[:1]), ("a.pt", WS[:1]), ("b.pt", WS), ("c.safetensors", WS)):
        np.testing.assert_array_equal(load_latents(tmp_path / name), due)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, ending: str, part: float):
    path = save_latents(WS, tmp_path / f"w{ending}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert damaged(path, r"(?s:.*)").fullmatch(refusal(path))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html>", b"\x93NUMPY\x01\x00\xff\xff", b"PK\x03\x04 rest", b"\xff" * 40]
)
def test_a_foreign_file_is_refused(tmp_path: Path, ending: str, content: bytes):
    path = tmp_path / f"w{ending}"
    path.write_bytes(content)
    assert damaged(path, r"(?s:.*)").fullmatch(refusal(path))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, ending: str):
    path = tmp_path / f"w{ending}"
    assert refusal(path) == f"{path} does not exist; expected a file to read; check the path"


class Trap:
    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("ending", [".npz", ".npy", ".pt"])
def test_nothing_in_a_file_is_run(tmp_path: Path, ending: str):
    path, trap = tmp_path / f"w{ending}", Trap(tmp_path / "sprung")
    if ending == ".npz":
        np.savez(path, ws=np.array([trap], dtype=object))
    elif ending == ".npy":
        np.save(path, np.array([trap], dtype=object), allow_pickle=True)
    else:
        torch.save({"ws": trap}, path)
    assert damaged(path, r"(?s:.*)").fullmatch(refusal(path))
    path.write_bytes(pickle.dumps(trap))
    assert damaged(path, r"(?s:.*)").fullmatch(refusal(path))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((4, 8), np.int64), "the latents are of type int64; expected floating-point numbers"),
        (np.zeros((2, 0, 8), np.float32), r"the latents have shape \(2, 0, 8\); expected .* for one row"),
        (np.full((1, 4, 8), np.nan, np.float32), HELD),
        (np.full((1, 4, 8), 1e300), HELD),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_arrays_that_are_no_latents_are_refused(tmp_path: Path, values: np.ndarray, reason: str):
    path = tmp_path / "w.npy"
    with pytest.raises(ExportError, match=f"^{reason}$"):
        save_latents(values, path)
    assert not path.exists()
    np.save(path, values)
    due = damaged(path, reason) if reason == HELD else rf"{re.escape(str(path))}: {reason}; save the latents alone"
    assert re.fullmatch(due, refusal(path))


def test_a_header_of_a_huge_array_is_refused_before_it_is_made(tmp_path: Path):
    path = tmp_path / "w.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
        )
        file.write(bytes(64))
    assert damaged(path, r"ValueError: 64 bytes for shape \(1048576, 1048576\) of float32").fullmatch(refusal(path))


def test_a_file_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path: Path):
    path = tmp_path / "w.npz"
    np.savez_compressed(path, ws=np.zeros((1, 18, 1 << 20), np.float32))
    assert refusal(path) == f"{path} would unpack to {18 * 4 * 2**20 + 128} bytes; expected at most 100 times its size"


@pytest.mark.parametrize("version", [2, 0, "1", None, True])
def test_a_file_of_another_version_is_refused(tmp_path: Path, version: object):
    path = tmp_path / "w.npz"
    told = json.dumps({"schema": "draggan-widget latents", "version": version, "about": {}})
    np.savez(path, ws=WS, draggan_widget=np.array(told))
    if version == 2:
        due = f"{path} has schema version 2; this version of draggan-widget reads up to 1; update it"
    else:
        due = f"{path} has schema version {version!r}; expected a whole number from 1 to 1"
    assert refusal(path) == due


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "draggan-widget features"}', "[" * 100_000])
def test_a_file_of_another_kind_of_ours_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "w.npz"
    np.savez(path, ws=WS, draggan_widget=np.array(text))
    assert damaged(path, r"(?s:.*)").fullmatch(refusal(path))


def test_several_arrays_without_ours_are_refused(tmp_path: Path):
    path = tmp_path / "w.npz"
    np.savez(path, a=WS, b=WS)
    assert damaged(path, "it has a, b; expected 'ws' or one array alone").fullmatch(refusal(path))


@pytest.mark.parametrize("do", [save_latents, lambda ws, path: load_latents(path)])
def test_another_ending_is_refused(tmp_path: Path, do):
    with pytest.raises(ExportError) as caught:
        do(WS, tmp_path / "w.bin")
    assert str(caught.value) == (
        f"latents go to a file that ends in .npz or .safetensors or .pt or .npy; {str(tmp_path / 'w.bin')!r} does not; "
        "rename it"
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path, ending: str):
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / f"w{ending}"
    with pytest.raises(
        ExportError,
        match=rf"^{re.escape(str(path))} cannot be written \(.*\); '.*file' is a file, not a folder; choose ",
    ):
        save_latents(WS, path)
