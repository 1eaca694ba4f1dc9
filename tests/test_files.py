import errno
import os
from pathlib import Path

import pytest

from draggan_widget.files import (
    as_path,
    read_remedy,
    replacing,
    write_atomically,
    write_folder_atomically,
    write_remedy,
)


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


@pytest.mark.parametrize(
    ("number", "due"),
    [
        (errno.ENOSPC, "HERE or free some space"),
        (errno.EDQUOT, "HERE or free some space"),
        (errno.EFBIG, "HERE, one on a disk that takes larger files"),
        (errno.EACCES, "HERE, one in which you may write"),
        (errno.EPERM, "HERE, one in which you may write"),
        (errno.EROFS, "HERE, one in which you may write"),
        (errno.ENOENT, "HERE"),
        (errno.EIO, "HERE, one on another disk"),
        (None, "HERE, one on another disk"),
        (errno.EISDIR, "give the name of a file, not of a folder"),
        (errno.EINVAL, "give the name of an ordinary file"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.ELOOP, "the symbolic links lead in a circle; remove one of them or give another path"),
        (errno.EMFILE, "close files or other programs, or raise the limit of open files (ulimit -n)"),
        (errno.ENFILE, "close files or other programs, or raise the limit of open files (ulimit -n)"),
    ],
)
def test_an_error_of_writing_gets_the_remedy_that_fits_it(tmp_path: Path, number: int | None, due: str):
    error = OSError("busy") if number is None else OSError(number, os.strerror(number))
    assert write_remedy(error, tmp_path / "x.bin", "HERE") == due


@pytest.mark.parametrize(
    ("number", "due"),
    [
        (errno.EACCES, "take a file that you may read"),
        (errno.EPERM, "take a file that you may read"),
        (errno.ENOENT, "check the path"),
        (errno.EIO, "take another copy"),
        (errno.EISDIR, "give the name of a file, not of a folder"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.EMFILE, "close files or other programs, or raise the limit of open files (ulimit -n)"),
    ],
)
def test_an_error_of_reading_gets_the_remedy_that_fits_it(tmp_path: Path, number: int, due: str):
    assert read_remedy(OSError(number, os.strerror(number)), tmp_path / "x.bin") == due


@pytest.mark.parametrize("number", [errno.ENOTDIR, errno.EEXIST, errno.ENOENT])
def test_a_file_among_the_parents_is_named_whatever_the_system_calls_the_error(tmp_path: Path, number: int):
    (tmp_path / "taken").write_bytes(b"")
    error, path = OSError(number, os.strerror(number)), tmp_path / "taken" / "new" / "x.bin"
    assert write_remedy(error, path, "HERE") == f"{str(tmp_path / 'taken')!r} is a file, not a folder; HERE"
    assert read_remedy(error, path) == f"{str(tmp_path / 'taken')!r} is a file, not a folder; check the path"


def test_the_home_folder_of_a_user_is_found():
    pwd = pytest.importorskip("pwd")
    user = pwd.getpwuid(os.getuid())
    assert as_path(f"~{user.pw_name}/x", "path", ValueError) == Path(user.pw_dir) / "x"


@pytest.mark.parametrize("given", ["~", "~/x", "~/../x", "x/~", "./~x", "/~x", "x.npz"])
def test_a_path_is_expanded_once(given: str):
    once = as_path(given, "path", ValueError)
    assert once == Path(os.path.expanduser(given)) or once == Path.cwd() / "~x"
    assert as_path(once, "path", ValueError) == once


def test_a_home_folder_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("draggan_widget.files.os.path.expanduser", lambda text: text)
    with pytest.raises(ValueError, match=r"^path is '~/x', but this machine knows no home folder '~'; expected ~ or "):
        as_path("~/x", "path", ValueError)
