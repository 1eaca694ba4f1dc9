import builtins
import json
import os
import re
import weakref
from pathlib import Path

import numpy as np
import pytest
import zarr
from analytic import BlobGenerator
from engine.helpers import run

from draggan_widget import DragRecord
from draggan_widget.errors import ConfigError, ExportError, RecordError
from draggan_widget.export import features as module
from draggan_widget.export.features import load_features, save_features

ENDINGS = (".npz", ".zarr")


@pytest.fixture(scope="module")
def record() -> DragRecord:
    return DragRecord({"generator": "blob", "seed": 3}, run(BlobGenerator(), max_steps=5))


def refusal(path: Path) -> str:
    with pytest.raises(ExportError) as caught:
        load_features(path)
    return str(caught.value)


def damaged(path: Path) -> str:
    return rf"{re.escape(str(path))} is damaged or holds no features \((?s:.+)\); take another copy"


@pytest.mark.parametrize("ending", ENDINGS)
def test_maps_come_back_bit_for_bit_with_what_they_are(tmp_path: Path, record: DragRecord, ending: str):
    back = load_features(save_features(record, 2, tmp_path / f"new/f{ending}"))
    assert (back.block, back.steps, back.image_size, back.about) == (2, (0, 1, 2, 3, 4, 5), (64, 64), record.about)
    assert len(back) == 6
    for values, step in zip(back, record, strict=True):
        np.testing.assert_array_equal(values, step.features(2).whole.numpy())
        assert values.dtype == np.float32


@pytest.mark.parametrize("ending", ENDINGS)
def test_chosen_steps_alone_are_written(tmp_path: Path, record: DragRecord, ending: str):
    back = load_features(save_features(record, 1, tmp_path / f"f{ending}", steps=range(1, 6, 2)))
    assert back.steps == (1, 3, 5)
    np.testing.assert_array_equal(back[-1], record[5].features(1).whole.numpy())
    with pytest.raises(IndexError):
        back[3]


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_more_than_two_maps_are_held_at_a_time(tmp_path: Path, ending: str):
    order, alive, most = [], weakref.WeakSet(), 0

    class Map(np.ndarray):
        __hash__ = object.__hash__  # pyright: ignore[reportAssignmentType]

    class Noting(DragRecord):
        def features(self, block: int):
            class Maps:
                def __getitem__(self, place: int) -> np.ndarray:
                    nonlocal most
                    order.append(place)
                    values = np.full((9, 8, 8), place, np.float32).view(Map)
                    alive.add(values)
                    most = max(most, len(alive))
                    return values

            return Maps()

    noting = Noting({}, run(BlobGenerator(), max_steps=6))
    back = load_features(save_features(noting, 1, tmp_path / f"f{ending}"))
    assert order == list(range(7))
    assert [float(values.mean()) for values in back] == order
    assert most <= 3  # the first, the one written, the one to come


def test_a_zarr_store_is_read_one_step_at_a_time(tmp_path: Path, record: DragRecord):
    path = save_features(record, 2, tmp_path / "f.zarr")
    back = load_features(path)
    assert isinstance(back.values, zarr.Array)
    assert back.values.chunks == (1, 9, 16, 16)
    chunk = next(p for p in sorted(path.rglob("*")) if p.is_file() and "3" in p.relative_to(path).parts)
    chunk.write_bytes(b"damaged")
    np.testing.assert_array_equal(back[2], record[2].features(2).whole.numpy())


def test_others_read_the_files(tmp_path: Path, record: DragRecord):
    told = {
        "schema": "draggan-widget features",
        "version": 1,
        "about": record.about,
        "block": 1,
        "steps": [0, 5],
        "image_size": [64, 64],
    }
    with np.load(save_features(record, 1, tmp_path / "f.npz", (0, 5)), allow_pickle=False) as file:
        assert file["features"].shape == (2, 9, 8, 8)
        assert json.loads(str(file["draggan_widget"])) == told
    array = zarr.open_array(str(save_features(record, 1, tmp_path / "f.zarr", (0, 5))), mode="r")
    assert dict(array.attrs) == {"draggan_widget": told}


def test_an_old_store_is_replaced_whole(tmp_path: Path, record: DragRecord):
    path = save_features(record, 2, tmp_path / "f.zarr")
    save_features(record, 1, path, (4,))
    back = load_features(path)
    assert (back.block, back.steps) == (1, (4,))
    assert os.listdir(tmp_path) == ["f.zarr"]
    assert len([p for p in path.rglob("*") if p.is_file()]) == 2


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_folder_or_file_of_other_things_is_never_replaced(tmp_path: Path, record: DragRecord, kind: str):
    path = tmp_path / "mine.zarr"
    if kind == "folder":
        path.mkdir()
        (path / "thesis.tex").write_text("mine")
    else:
        path.write_text("mine")
    with pytest.raises(ExportError) as caught:
        save_features(record, 2, path)
    assert str(caught.value) == (
        f"{path} exists and is not a zarr store; expected one to replace, or a new name; choose another"
    )
    assert (path / "thesis.tex" if kind == "folder" else path).read_text() == "mine"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_map_that_cannot_be_made_leaves_the_old_one(tmp_path: Path, record: DragRecord, ending: str):
    class Failing(DragRecord):
        def features(self, block: int):
            maps = super().features(block)

            class Maps:
                def __getitem__(self, place: int) -> np.ndarray:
                    if place == 2:
                        raise RecordError("gone")
                    return maps[place]

            return Maps()

    path = save_features(record, 2, tmp_path / f"f{ending}")
    with pytest.raises(RecordError, match="^gone$"):
        save_features(Failing({}, record.steps), 2, path)
    assert load_features(path).steps == (0, 1, 2, 3, 4, 5)
    assert os.listdir(tmp_path) == [path.name]


def test_what_cannot_be_saved_says_so(tmp_path: Path, record: DragRecord):
    for steps, due in (
        ([6], "steps has 6; expected positions from 0 to 5"),
        ([-1], "steps has -1; expected positions from 0 to 5"),
        ([True], "steps has True; expected positions from 0 to 5"),
        ([], "steps is empty; expected at least one position in the record"),
    ):
        with pytest.raises(ExportError) as caught:
            save_features(record, 2, tmp_path / "f.npz", steps)
        assert str(caught.value) == due
    with pytest.raises(RecordError, match=r"^the record has 0 steps; expected at least one; start a drag first$"):
        save_features(DragRecord(), 2, tmp_path / "f.npz")
    with pytest.raises(ConfigError, match=r"^block is 9; blob has blocks 0 to 4$"):
        save_features(record, 9, tmp_path / "f.npz")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("do", ["save", "load"])
def test_without_zarr_a_store_says_what_to_install(
    tmp_path: Path, record: DragRecord, do: str, monkeypatch: pytest.MonkeyPatch
):
    true_import = builtins.__import__

    def without(name: str, *rest, **more):
        if name == "zarr":
            raise ModuleNotFoundError("No module named 'zarr'")
        return true_import(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / "f.zarr"
    with pytest.raises(ExportError) as caught:
        save_features(record, 2, path) if do == "save" else load_features(path)
    assert (
        str(caught.value) == "a .zarr folder needs zarr, which is not installed; pip install 'draggan-widget[export]'"
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_not_there_is_named(tmp_path: Path, ending: str):
    path = tmp_path / f"f{ending}"
    assert refusal(path) == f"{path} does not exist; expected a file to read; check the path"


def test_foreign_and_damaged_files_are_refused(tmp_path: Path, record: DragRecord):
    path = save_features(record, 2, tmp_path / "f.npz")
    whole = path.read_bytes()
    for data in (whole[:-40], whole[: len(whole) // 2], b"", b"text", b"PK\x03\x04"):
        path.write_bytes(data)
        assert re.fullmatch(damaged(path), refusal(path))
    np.savez(path, features=np.zeros((1, 2, 3, 4), np.float32))
    assert re.fullmatch(damaged(path), refusal(path))


def test_foreign_and_damaged_stores_are_refused(tmp_path: Path, record: DragRecord):
    empty, foreign, damaged_store = tmp_path / "a.zarr", tmp_path / "b.zarr", tmp_path / "c.zarr"
    empty.mkdir()
    zarr.open_array(str(foreign), mode="w", shape=(2,), dtype="float32")
    save_features(record, 2, damaged_store)
    (damaged_store / "zarr.json").write_text("{")
    for path in (empty, foreign, damaged_store):
        assert re.fullmatch(damaged(path), refusal(path))


def test_a_store_that_lacks_a_map_is_refused_and_not_read_as_zeros(tmp_path: Path, record: DragRecord):
    path = save_features(record, 2, tmp_path / "f.zarr")
    chunk = next(p for p in sorted(path.rglob("*")) if p.is_file() and "3" in p.relative_to(path).parts)
    chunk.unlink()
    assert refusal(path) == f"{path} is damaged or holds no features (5 of 6 maps are there); take another copy"


def test_a_map_of_zeros_is_no_lost_one(tmp_path: Path):
    class Zeros(DragRecord):
        def features(self, block: int):
            return [np.zeros((9, 8, 8), np.float32)] * 3

    back = load_features(save_features(Zeros({}, run(BlobGenerator(), max_steps=2)), 1, tmp_path / "f.zarr"))
    assert [values.any() for values in back] == [False] * 3


def test_a_store_that_claims_more_than_its_files_can_hold_is_refused(tmp_path: Path, record: DragRecord):
    path = save_features(record, 2, tmp_path / "f.zarr")
    told = json.loads((path / "zarr.json").read_text())
    told["shape"] = [6, 9, 2**20, 2**20]
    (path / "zarr.json").write_text(json.dumps(told))
    due = r"\(chunks of shape \(1, 9, 16, 16\); expected one chunk for each map\)"
    assert re.search(due, refusal(path))
    told["chunk_grid"]["configuration"]["chunk_shape"] = [1, 9, 2**20, 2**20]
    (path / "zarr.json").write_text(json.dumps(told))
    assert refusal(path) == f"{path} would unpack to {36 * 2**40} bytes; expected at most 100 times its size"


@pytest.mark.parametrize(
    "change", [{"steps": [0]}, {"steps": 3}, {"block": "2"}, {"image_size": [64]}, {"steps": [True] * 6}, {"about": 3}]
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_wrong_words_beside_the_maps_are_refused(tmp_path: Path, record: DragRecord, ending: str, change: dict):
    path = save_features(record, 0, tmp_path / f"f{ending}")
    if ending == ".npz":
        with np.load(path) as file:
            arrays = dict(file)
        told = json.loads(str(arrays["draggan_widget"])) | change
        np.savez(path, features=arrays["features"], draggan_widget=np.array(json.dumps(told)))
    else:
        array = zarr.open_array(str(path), mode="r+")
        array.attrs["draggan_widget"] = dict(array.attrs["draggan_widget"]) | change
    assert re.fullmatch(damaged(path), refusal(path))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_newer_version_is_refused(tmp_path: Path, record: DragRecord, ending: str, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "VERSION", 2)
        path = save_features(record, 0, tmp_path / f"f{ending}")
    assert refusal(path) == f"{path} has schema version 2; this version of draggan-widget reads up to 1; update it"
