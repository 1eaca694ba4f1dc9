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


def change_meta(path: Path, change) -> None:
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
    change(meta)
    rewrite(path, meta=np.array(json.dumps(meta)))


def change_array(path: Path, name: str, change) -> None:
    with np.load(path) as file:
        rewrite(path, **{name: change(file[name])})


def put(values: np.ndarray, place: tuple, value: float) -> np.ndarray:
    values[place] = value
    return values


def in_step(name: str, value: object):
    return lambda meta: meta["steps"][1].update({name: value})


def in_edit(name: str, value: object):
    return lambda meta: meta["edits"][0].update({name: value})


WRONG_META = {
    "an infinite step": (
        in_step("index", 1e400),
        "index of step 1 is inf; expected a whole number from 0 to 2147483647",
    ),
    "half a step": (in_step("index", 0.5), "index of step 1 is 0.5; expected a whole number from 0 to 2147483647"),
    "a step before the first": (in_step("index", -1), "index of step 1 is -1; expected a whole number from 0 .*"),
    "a step that is true": (in_step("index", True), "index of step 1 is True; expected a whole number from 0 .*"),
    "the last edit from behind": (in_step("edit", -1), "edit of step 1 is -1; expected a whole number from 0 to 1"),
    "an edit that is not there": (in_step("edit", 2), "edit of step 1 is 2; expected a whole number from 0 to 1"),
    "an edit by text": (in_step("edit", "0"), "edit of step 1 is '0'; expected a whole number from 0 to 1"),
    "an ending as a list": (
        in_step("ended", ["cap"]),
        r"ended of step 1 is \['cap'\]; expected arrived, cap, stalled, lost",
    ),
    "an unknown ending": (in_step("ended", "over"), "ended of step 1 is 'over'; expected arrived, cap, stalled, lost"),
    "negative seconds": (in_step("seconds", -1), "seconds of step 1 is -1; expected a finite number of at least 0"),
    "endless seconds": (in_step("seconds", 1e400), "seconds of step 1 is inf; expected a finite number of at least 0"),
    "seconds as text": (in_step("seconds", "1"), "seconds of step 1 is '1'; expected a finite number of at least 0"),
    "a huge number": (in_step("seconds", 10**400), r"seconds of step 1 is 1000+\.\.\.; expected a finite number .*"),
    "an infinite loss": (in_step("loss", -1e400), "loss of step 1 is -inf; expected a finite number"),
    "a loss that is no number": (in_step("loss", float("nan")), "loss of step 1 is nan; expected a finite number"),
    "a loss as a list": (in_step("mask_loss", [1]), r"mask_loss of step 1 is \[1\]; expected a finite number"),
    "no seconds": (lambda meta: meta["steps"][1].pop("seconds"), "step 1 has no 'seconds'"),
    "a step as a list": (lambda meta: meta["steps"].__setitem__(1, []), r"step 1 is \[\]; expected an object"),
    "about as a list": (lambda meta: meta.update(about=[1]), r"about is \[1\]; expected an object"),
    "too few settings": (lambda meta: meta["settings"].pop(), "settings name those of 6 steps; expected 7"),
    "settings from behind": (lambda meta: meta["settings"].__setitem__(1, -1), "settings of step 1 is -1; expected .*"),
    "unknown settings": (lambda meta: meta["configs"][0].update(blok=3), "DragConfig has no setting 'blok'; .*"),
    "settings as a number": (lambda meta: meta["configs"].__setitem__(0, 3), "a config is 3; expected an object"),
    "locks as a number": (in_edit("locked", 1), "locked of edit 0 is 1; expected a list"),
    "locks as text": (in_edit("locked", ["x"]), r"locked of edit 0 is \['x'\]; expected true or false for each point"),
    "an infinite handle": (in_edit("handles", [[1e400, 1]]), "handles of edit 0 is inf; expected a finite number"),
    "a handle that is true": (in_edit("handles", [[True, 1]]), "handles of edit 0 is True; expected a finite number"),
    "a target of one number": (in_edit("targets", [3]), "targets of edit 0 is 3; expected a list"),
}


@pytest.mark.parametrize(("change", "reason"), WRONG_META.values(), ids=WRONG_META.keys())
def test_a_value_that_no_record_has_is_refused_in_words(saved: Path, change, reason: str):
    change_meta(saved, change)
    assert re.match(damaged(saved, rf"\w+: {reason}"), refusal(saved))


FINITE = "expected finite numbers"
WRONG_ARRAYS = {
    "one axis too few": ("ws", lambda ws: ws[0], r"ws has shape \(4, 8\); expected \(steps, num_ws, w_dim\)"),
    "one axis too many": ("ws", lambda ws: ws[..., None], r"ws has shape .*; expected \(steps, num_ws, w_dim\)"),
    "whole latents": ("ws", lambda ws: ws.astype(int), "ws is of type int64; expected floating-point numbers"),
    "complex latents": (
        "ws",
        lambda ws: ws.astype(complex),
        "ws is of type complex128; expected floating-point numbers",
    ),
    "a latent that is NaN": ("ws", lambda ws: put(ws, (3, 1, 1), np.nan), f"ws holds NaN or infinity; {FINITE}"),
    "an endless latent": ("ws", lambda ws: put(ws, (6, 1, 1), np.inf), f"ws holds NaN or infinity; {FINITE}"),
    "complex handles": (
        "handles",
        lambda handles: handles.astype(complex),
        "handles is of type complex128; expected floating-point numbers",
    ),
    "handles of three numbers": (
        "handles",
        lambda handles: np.repeat(handles, 2, axis=2)[..., :3],
        r"handles has shape \(7, 2, 3\); expected \(7, points, 2\)",
    ),
    "handles of too few steps": (
        "handles",
        lambda h: h[:-1],
        r"handles has shape \(6, 2, 2\); expected \(7, points, 2\)",
    ),
    "a handle that is NaN": (
        "handles",
        lambda handles: put(handles, (2, 0, 0), np.nan),
        f"handles of step 2 hold NaN or infinity; {FINITE}",
    ),
    "errors of one axis": (
        "tracking_error",
        lambda e: e[:, 0],
        r"tracking_error has shape \(7,\); expected \(7, points\)",
    ),
    "an endless error": (
        "tracking_error",
        lambda errors: put(errors, (2, 0), np.inf),
        f"tracking_error of step 2 hold NaN or infinity; {FINITE}",
    ),
    "an endless term": (
        "motion_losses",
        lambda terms: put(terms, (1, 0), np.inf),
        f"the losses or gradient norms of step 1 are infinite; {FINITE}",
    ),
    "an endless norm": (
        "gradient_norms",
        lambda norms: put(norms, (1, 0), np.inf),
        f"the losses or gradient norms of step 1 are infinite; {FINITE}",
    ),
    "too few terms": ("motion_losses", lambda terms: terms[:, :1], "step 3 has 1 motion losses for 2 points"),
    "an endless version": (
        "version",
        lambda _: np.array(np.inf),
        "its schema version is array.inf.; expected .* from 1 to 2",
    ),
    "no version": (
        "version",
        lambda _: np.array(0),
        "its schema version is array.0.; expected a whole number from 1 to 2",
    ),
}


@pytest.mark.parametrize(("array", "change", "reason"), WRONG_ARRAYS.values(), ids=WRONG_ARRAYS.keys())
def test_an_array_that_no_record_has_is_refused_in_words(saved: Path, array: str, change, reason: str):
    change_array(saved, array, change)
    assert re.match(damaged(saved, f"ValueError: {reason}"), refusal(saved))


def test_a_record_from_an_older_file_can_be_saved_and_loaded_again(tmp_path: Path):
    older = DragRecord.load(Path(__file__).parents[1] / "golden" / "record_v1.npz", BlobGenerator())
    assert older.loss[1] > 0
    again = DragRecord.load(older.save(tmp_path / "again.npz"), BlobGenerator())
    np.testing.assert_array_equal(again.ws, older.ws)


def test_a_record_of_another_generator_is_refused_when_it_is_loaded(saved: Path):
    generator = BlobGenerator()

    def refused() -> str:
        with pytest.raises(RecordError) as caught:
            DragRecord.load(saved, generator)
        return str(caught.value)

    remedy = "load it with the generator that made it, or without one"
    whole = saved.read_bytes()
    for rows, width in ((3, 8), (4, 7)):
        saved.write_bytes(whole)
        change_array(saved, "ws", lambda ws, rows=rows, width=width: ws[:, :rows, :width])
        assert len(DragRecord.load(saved)) == 7
        found = f"its latents (num_ws, w_dim) are {(rows, width)}; expected (4, 8)"
        assert refused() == f"{saved} does not fit blob: {found}; {remedy}"
    saved.write_bytes(whole)
    change_array(saved, "ws", lambda ws: ws.astype(float) * 1e300)
    assert re.match(damaged(saved, "ValueError: ws holds NaN or infinity; expected finite numbers"), refused())
    saved.write_bytes(whole)
    change_meta(saved, in_edit("handles", [[64, 3]]))
    found = "handle 1 at (64, 3) is outside the 64 x 64 image; move it inside"
    assert refused() == f"{saved} does not fit blob: {found}; {remedy}"
    saved.write_bytes(whole)
    change_meta(saved, lambda meta: meta["configs"][0].update(block=9))
    assert refused().startswith(f"{saved} does not fit blob: block is 9; ")


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
