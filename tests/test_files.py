import os
from pathlib import Path

import pytest

from draggan_widget.files import replacing, write_atomically


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
