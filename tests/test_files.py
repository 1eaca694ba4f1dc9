import os
from pathlib import Path

import pytest

from draggan_widget.files import replacing, write_atomically, write_folder_atomically


def test_the_whole_file_takes_its_place_and_nothing_is_left_beside_it(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "x.bin"
    write_atomically(path, lambda file: file.write(b"all of it"))
    assert path.read_bytes() == b"all of it"
    assert os.listdir(path.parent) == ["x.bin"]


def test_an_older_file_is_replaced(tmp_path: Path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"older and longer")
    write_atomically(path, lambda file: file.write(b"newer"))
    assert path.read_bytes() == b"newer"


def test_a_write_that_fails_half_way_leaves_the_older_file(tmp_path: Path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"older")

    def half(file):
        file.write(b"ha")
        file.flush()
        raise OSError("no space left")

    with pytest.raises(OSError, match=r"^no space left$"):
        write_atomically(path, half)
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["x.bin"]


def test_the_older_file_stays_readable_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"older")
    seen = []

    def watched(file):
        file.write(b"newer")
        seen.append(path.read_bytes())

    write_atomically(path, watched)
    assert seen == [b"older"]
    assert path.read_bytes() == b"newer"


def test_a_folder_that_is_a_file_is_an_os_error(tmp_path: Path):
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken" / "x.bin", lambda file: file.write(b""))


def test_a_writer_that_wants_a_path_gets_one_of_the_same_ending_in_the_same_folder(tmp_path: Path):
    path = tmp_path / "new" / "x.mp4"
    with replacing(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (path.parent, ".mp4")
        temporary.write_bytes(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    assert os.listdir(path.parent) == ["x.mp4"]


def test_a_writer_that_fails_leaves_the_older_file_and_nothing_beside_it(tmp_path: Path):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"older")

    def half() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"ha")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["x.mp4"]


def test_a_writer_that_wrote_nothing_leaves_the_older_file(tmp_path: Path):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"older")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_bytes() == b"older"


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_folder_is_replaced_whole(tmp_path: Path):
    path = tmp_path / "new" / "store"
    write_folder_atomically(path, lambda folder: fill(folder, "a", "deep/b"))
    write_folder_atomically(path, lambda folder: fill(folder, "deep/c"))
    assert [str(found.relative_to(path)) for found in path.rglob("*")] == ["deep", "deep/c"]
    assert os.listdir(path.parent) == ["store"]


def test_a_folder_that_cannot_be_filled_leaves_the_older_one(tmp_path: Path):
    path = tmp_path / "store"
    write_folder_atomically(path, lambda folder: fill(folder, "a"))

    def half(folder: Path) -> None:
        fill(folder, "b")
        raise OSError("no space left")

    with pytest.raises(OSError, match=r"^no space left$"):
        write_folder_atomically(path, half)
    assert os.listdir(path) == ["a"]
    assert os.listdir(tmp_path) == ["store"]


def test_a_folder_that_cannot_take_its_place_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, rename = tmp_path / "store", os.rename
    write_folder_atomically(path, lambda folder: fill(folder, "a"))

    def failing(source: Path, target: Path) -> None:
        if target == path and ".old." not in source.name:
            raise OSError("busy")
        rename(source, target)

    monkeypatch.setattr("draggan_widget.files.os.rename", failing)
    with pytest.raises(OSError, match=r"^busy$"):
        write_folder_atomically(path, lambda folder: fill(folder, "b"))
    assert os.listdir(path) == ["a"]
    assert os.listdir(tmp_path) == ["store"]
