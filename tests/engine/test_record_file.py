import io
import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine.test_record import changing, record

from draggan_widget import DragRecord
from draggan_widget.engine import record_file
from draggan_widget.errors import DragganError, RecordError


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return record().save(tmp_path / "drag.npz")


def refusal(path: Path) -> str:
    with pytest.raises(RecordError) as caught:
        DragRecord.load(path)
    assert isinstance(caught.value, DragganError)
    return str(caught.value)


def rewrite(path: Path, **changes) -> None:
    """The same file with some of its arrays changed; None leaves one out."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def damaged(path: Path, reason: str) -> str:
    return (
        rf"^{re.escape(str(path))} is damaged or not a record \({reason}\); "
        r"expected a file written by DragRecord\.save; take another copy$"
    )


@pytest.mark.parametrize("with_generator", [False, True])
def test_a_record_comes_back_as_it_was_saved(tmp_path: Path, with_generator: bool):
    generator = BlobGenerator()
    kept = record(generator)
    path = kept.save(tmp_path / "new" / "drag.npz")
    back = DragRecord.load(path, generator if with_generator else None)
    assert back.about == kept.about
    assert np.array_equal(back.ws, kept.ws)
    for name in (
        "handles",
        "targets",
        "distances",
        "tracking_error",
        "loss",
        "seconds",
        "motion_losses",
        "mask_loss",
        "gradient_norms",
    ):
        np.testing.assert_array_equal(getattr(back, name), getattr(kept, name))
    for step, due in zip(back, kept, strict=True):
        assert (step.index, step.edit, step.ended, step.loss) == (due.index, due.edit, due.ended, due.loss)
        assert torch.equal(step.ws, due.ws)
        assert step.references is None
        assert step.config == due.config
    assert back.starts == [0, 5]


@pytest.mark.parametrize(("grows", "steps"), [(True, 2), (False, 7)])
def test_a_record_saved_while_its_drag_runs_can_be_loaded(tmp_path: Path, grows: bool, steps: int):
    back = DragRecord.load(changing(grows).save(tmp_path / "drag.npz"))
    due = record()
    assert (len(back), back.about) == (steps, due.about)
    np.testing.assert_array_equal(back.ws, due.ws[:steps])
    np.testing.assert_array_equal(back.handles, due.handles[:steps, : back.handles.shape[1]])


def test_the_mask_is_kept_and_steps_of_one_edit_share_it(saved: Path):
    back = DragRecord.load(saved)
    assert back[0].edit.mask is None
    mask = back[4].edit.mask
    assert mask is not None
    assert mask.dtype == bool
    assert mask[:60].all()
    assert not mask[60:].any()
    assert back[3].edit is back[4].edit
    with np.load(saved, allow_pickle=False) as file:
        assert [name for name in file.files if name.startswith("mask")] == ["mask_1"]


def test_with_its_generator_a_record_can_be_drawn_again(tmp_path: Path):
    generator = BlobGenerator()
    kept = record(generator)
    back = DragRecord.load(kept.save(tmp_path / "drag.npz"), generator)
    for step, due in zip(back, kept, strict=True):
        assert np.array_equal(step.pixels(), due.pixels())


def test_without_its_generator_a_record_has_no_pictures(saved: Path):
    with pytest.raises(RecordError) as caught:
        DragRecord.load(saved)[0].picture()
    assert str(caught.value) == ("this step was read without its generator; call DragRecord.load(path, generator)")


def test_latents_take_the_generator_s_number_type(saved: Path):
    assert DragRecord.load(saved, BlobGenerator(dtype=torch.float64))[0].ws.dtype == torch.float64


@pytest.mark.parametrize(("name", "written"), [("a", "a.npz"), ("a.npz", "a.npz"), ("a.v1", "a.v1.npz")])
def test_the_name_gets_its_ending(tmp_path: Path, name: str, written: str):
    assert record().save(str(tmp_path / name)) == tmp_path / written
    assert os.listdir(tmp_path) == [written]


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    path = tmp_path / "none.npz"
    assert refusal(path) == f"{path} does not exist; expected a file written by DragRecord.save; check the path"


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved: Path, part: float):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(part * len(whole))])
    assert re.match(damaged(saved, r"(EOFError|ValueError|BadZipFile): .*"), refusal(saved))


def test_an_altered_array_is_refused(saved: Path):
    whole = bytearray(saved.read_bytes())
    place = whole.index(b"ws.npy") + 400
    whole[place] ^= 0xFF
    saved.write_bytes(whole)
    assert re.match(damaged(saved, r"BadZipFile: Bad CRC-32 for file 'ws\.npy'"), refusal(saved))


@pytest.mark.parametrize("content", [b"not an array", b"\x93NUMPY\x01\x00", b"PK\x03\x04 rest"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    assert re.match(damaged(path, r"\w+: .*"), refusal(path), re.DOTALL)


def test_a_single_array_is_refused(tmp_path: Path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(3))
    assert re.match(damaged(path, r".+"), refusal(path), re.DOTALL)


def test_other_arrays_are_refused(tmp_path: Path):
    path = tmp_path / "other.npz"
    np.savez(path, ws=np.zeros(3))
    due = f"{path} is not a record of a drag; expected a file written by DragRecord.save"
    assert refusal(path) == due
    np.savez(path, schema=np.array("someone else's"))
    assert refusal(path) == due


def test_pickled_arrays_are_never_run(tmp_path: Path, saved: Path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    rewrite(saved, handles=np.array([Trap()], dtype=object))
    assert re.match(
        damaged(saved, r"ValueError: Object arrays cannot be loaded when allow_pickle=False"), refusal(saved)
    )
    assert not (tmp_path / "sprung").exists()


def test_a_newer_file_is_refused(saved: Path):
    rewrite(saved, version=np.array(3))
    assert refusal(saved) == f"{saved} has schema version 3; this version reads up to 2"


def test_a_file_without_an_array_is_refused(saved: Path):
    rewrite(saved, handles=None)
    assert re.match(damaged(saved, r"KeyError: 'handles'"), refusal(saved))


def test_a_file_with_too_few_latents_is_refused(saved: Path):
    with np.load(saved) as file:
        ws = file["ws"]
    rewrite(saved, ws=ws[:-1])
    assert re.match(damaged(saved, r"ValueError: 6 latents for 7 steps"), refusal(saved))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        ("handles", "step 3 has 1 handles and 2 errors for 2 points"),
        ("tracking_error", "step 3 has 2 handles and 1 errors for 2 points"),
    ],
)
def test_a_file_with_too_few_points_is_refused(saved: Path, array: str, reason: str):
    with np.load(saved) as file:
        values = file[array]
    rewrite(saved, **{array: values[:, :1]})
    assert re.match(damaged(saved, f"ValueError: {reason}"), refusal(saved))


def test_a_text_that_is_no_json_is_refused(saved: Path):
    rewrite(saved, meta=np.array("{"))
    assert re.match(damaged(saved, r"JSONDecodeError: .*"), refusal(saved))


def test_an_edit_that_is_none_is_refused(saved: Path):
    with np.load(saved) as file:
        meta = json.loads(str(file["meta"]))
    meta["edits"][0]["targets"] = []
    rewrite(saved, meta=np.array(json.dumps(meta)))
    assert re.match(damaged(saved, r"EditError: the edit has 1 handles and 0 targets; .*"), refusal(saved))


def test_an_array_that_claims_more_than_the_file_holds_is_refused_before_it_is_made(saved: Path):
    with zipfile.ZipFile(saved) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**41,)})
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in (entries | {"ws.npy": header.getvalue() + bytes(8)}).items():
            archive.writestr(name, data)
    assert re.match(damaged(saved, r"ValueError: 8 bytes for shape \(2199023255552,\) of float32"), refusal(saved))


def test_a_file_that_unpacks_to_far_more_than_it_holds_is_refused(saved: Path):
    with zipfile.ZipFile(saved, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(80 << 20))
    due = r"ValueError: it would unpack to \d+ bytes; expected at most 100 times its size"
    assert re.match(damaged(saved, due), refusal(saved))


def test_an_empty_record_comes_back_with_the_shape_of_its_latents(tmp_path: Path):
    generator = BlobGenerator(dtype=torch.float64)
    for start, shape in ((None, (0, 0, 0)), (generator.ws_at(3, 4), (0, 4, 8))):
        path = DragRecord({"seed": 7}, start=start).save(tmp_path / "none.npz")
        back = DragRecord.load(path)
        assert (back.about, len(back), back.ws.shape) == ({"seed": 7}, 0, shape)
        assert DragRecord.load(path, generator).ws.dtype == np.float64


def test_a_failed_save_leaves_the_older_file_and_nothing_else(saved: Path, monkeypatch: pytest.MonkeyPatch):
    before = saved.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_file.np, "savez", full)
    with pytest.raises(RecordError) as caught:
        record().save(saved)
    assert str(caught.value) == (
        f"{saved} cannot be written ([Errno 28] No space left on device); choose another folder or free some space"
    )
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]
