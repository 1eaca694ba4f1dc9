import contextlib
import dataclasses
import hashlib
import http.server
import importlib.util
import os
import signal
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from draggan_widget.checkpoints.hub import cache as hub
from draggan_widget.checkpoints.hub import pip as pip_module
from draggan_widget.checkpoints.hub.catalog import MOBILESTYLEGAN_FFHQ, NAMED
from draggan_widget.errors import CheckpointError

CONTENT = b"wheel" * 40_000
TINY = dataclasses.replace(
    MOBILESTYLEGAN_FFHQ,
    name="tiny",
    project="tiny-face",
    version="1.0",
    filename="tiny_face-1.0-py3-none-any.whl",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
    members={"face/a.bin": hashlib.sha256(b"a").hexdigest(), "face/b.bin": hashlib.sha256(b"b").hexdigest()},
)
BY_HAND = (
    "or run `python -m pip download --no-deps --only-binary :all: tiny-face==1.0` where it works and pass "
    'load_generator("tiny", wheel=PATH)'
)
START = """
import os, pathlib, sys, time
temporary = pathlib.Path(os.environ["TMPDIR"])
argument = lambda name: pathlib.Path(sys.argv[sys.argv.index(name) + 1])
"""
GROW = """
content = b"wheel" * 40_000
with (temporary / "growing").open("wb") as file:
    for start in range(0, len(content), 20_000):
        file.write(content[start : start + 20_000]); file.flush(); time.sleep(0.04)
"""
WRITE = GROW.replace("time.sleep(0.04)", "")
FINISH = """
folder = argument("--dest"); folder.mkdir()
(temporary / "growing").rename(folder / "tiny_face-1.0-py3-none-any.whl")
"""


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DRAGGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pip_module, "POLL_SECONDS", 0.02)
    monkeypatch.setitem(NAMED, "tiny", TINY)
    return tmp_path / "cache"


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """Sets the script that stands in for pip."""

    def use(script: str) -> None:
        path = tmp_path / "pip.py"
        path.write_text(START + script)
        monkeypatch.setattr(pip_module, "pip_command", lambda: [sys.executable, str(path)])

    return use


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """Sets the script that stands in for uv, on a machine without pip."""

    def use(script: str) -> None:
        path = tmp_path / "bin" / "uv"
        path.parent.mkdir()
        path.write_text(f"#!{sys.executable}\n{START}{script}")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(path.parent))
        monkeypatch.setattr(pip_module, "pip_command", lambda: None)

    return use


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.name[0] == ".")


def refusal(**arguments) -> str:
    with pytest.raises(CheckpointError) as caught:
        hub.fetch("tiny", **arguments)
    return str(caught.value)


def test_the_cache_lies_where_the_user_says_and_else_where_the_system_says(monkeypatch):
    monkeypatch.setenv("DRAGGAN_CACHE", "~/here")
    assert hub.cache_dir() == Path.home() / "here"
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("DRAGGAN_CACHE")
        else:
            monkeypatch.setenv("DRAGGAN_CACHE", unset)
        assert hub.cache_dir().name == "draggan-widget"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilestylegan", "perhaps 'mobilestylegan-ffhq'"),
        ("stylegan2-lion-512", "perhaps 'stylegan2-lions-512' or "),
        ("0", "one that available_generators() lists"),
    ],
)
def test_an_unknown_name_is_answered_with_names_like_it(name, expected):
    with pytest.raises(CheckpointError) as caught:
        hub.fetch(name)
    message = str(caught.value)
    assert message.startswith(f"checkpoint {name!r} is not known; expected {expected}")
    assert message.endswith("; check the spelling or pass a path")


def test_a_given_wheel_is_verified_and_used_where_it_lies(cache, tmp_path):
    wheel = tmp_path / "mine.whl"
    wheel.write_bytes(CONTENT)
    assert hub.fetch("tiny", wheel=wheel) == wheel
    assert not cache.exists()
    wheel.write_bytes(CONTENT[:-1])
    found = hashlib.sha256(CONTENT[:-1]).hexdigest()
    assert refusal(wheel=wheel) == (
        f"wheel {wheel} has sha256 {found}; expected {TINY.sha256}, that of {TINY.filename}; download it again"
    )
    wheel.unlink()
    assert refusal(wheel=wheel) == (
        f"wheel {wheel} cannot be read ([Errno 2] No such file or directory: '{wheel}'); expected {TINY.filename}; "
        "check the path"
    )


def test_a_download_reports_its_growth_and_is_kept(cache, pip):
    pip(GROW + FINISH)
    seen: list[tuple[int, int]] = []
    path = hub.fetch("tiny", progress=lambda done, due: seen.append((done, due)))
    assert path == cache / "tiny" / TINY.filename
    assert path.read_bytes() == CONTENT
    assert files(cache) == [f"tiny/{TINY.filename}"]
    done = [so_far for so_far, _ in seen]
    assert {due for _, due in seen} == {len(CONTENT)}
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
    assert len(set(done)) > 3
    pip("sys.exit('not to be called again')")
    assert hub.fetch("tiny") == path


def test_a_damaged_cached_wheel_is_fetched_again(cache, pip):
    pip(WRITE + FINISH)
    path = hub.fetch("tiny")
    path.write_bytes(b"damaged")
    assert hub.fetch("tiny").read_bytes() == CONTENT


def test_the_command_pins_version_and_hash_and_the_environment_passes_through(cache, pip, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.invalid/simple")
    pip(
        f"""
record = pathlib.Path({str(tmp_path / "record")!r})
record.write_text("\\n".join([*sys.argv[1:], argument("-r").read_text().strip(), os.environ["PIP_INDEX_URL"]]))
"""
        + WRITE
        + FINISH
    )
    hub.fetch("tiny")
    record = (tmp_path / "record").read_text().splitlines()
    assert record[:5] == ["download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    assert record[-2:] == [f"tiny-face==1.0 --hash=sha256:{TINY.sha256}", "https://mirror.invalid/simple"]


CAUSES = [
    (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "the disk is full ({ending})",
        "free some space, or set DRAGGAN_CACHE to a folder on another disk",
    ),
    (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
        "the package index offers another file than the pinned one ({ending})",
        "check which index the installer is set to",
    ),
    (
        "WARNING: Retrying: NewConnectionError('Temporary failure in name resolution')\n"
        "ERROR: No matching distribution found",
        "the package index was not reached ({ending})",
        "check the network and the proxy settings, then try again",
    ),
    (
        "ERROR: No matching distribution found for tiny-face==1.0",
        "the package index does not carry it ({ending})",
        "check which index the installer is set to",
    ),
    ("ERROR: something new", "{ending}", "see its last lines"),
]


@pytest.mark.parametrize(("output", "cause", "remedy"), CAUSES)
def test_a_failure_of_pip_names_cause_remedy_and_last_lines_and_leaves_nothing(cache, pip, output, cause, remedy):
    pip(f"print('Collecting tiny-face')\nsys.stderr.write({output!r})\nsys.exit(3)")
    lines = "".join(f"\n    {line}" for line in ["Collecting tiny-face", *output.splitlines()])
    ending = f"{Path(sys.executable).name} ended with status 3"
    # The two streams may arrive in either order.
    head, tail = refusal().split(" Last lines:")
    assert head == (
        f"checkpoint 'tiny' (tiny-face==1.0) was not downloaded: {cause.format(ending=ending)}; expected a wheel of "
        f"{TINY.size} bytes; {remedy}, {BY_HAND}."
    )
    assert sorted(tail.split("\n")) == sorted(lines.split("\n"))
    assert files(cache) == []
    pip(WRITE + FINISH)
    assert hub.fetch("tiny").read_bytes() == CONTENT


def test_only_the_last_lines_of_a_long_output_are_shown(cache, pip):
    pip("print('\\n'.join(str(n) for n in range(100_000)))\nsys.exit(1)")
    lines = refusal().split("Last lines:\n")[1].split("\n")
    assert [line.strip() for line in lines] == [str(n) for n in range(100_000 - pip_module.TAIL_LINES, 100_000)]


def test_a_pip_that_dies_half_way_leaves_nothing(cache, pip):
    pip(WRITE + f"os.kill(os.getpid(), {int(signal.SIGTERM)})")
    assert f"ended with status -{int(signal.SIGTERM)}; expected" in refusal()
    assert files(cache) == []


def test_a_pip_that_saves_another_file_is_refused(cache, pip):
    pip("folder = argument('--dest'); folder.mkdir(); (folder / 'tiny_face-1.0-py3-none-any.whl').write_bytes(b'x')")
    found = hashlib.sha256(b"x").hexdigest()
    expected = f"expected {TINY.sha256}; try again, {BY_HAND}"
    assert refusal() == f"the downloaded {TINY.filename} has sha256 {found}; {expected}"
    pip("")
    assert refusal() == f"the downloaded {TINY.filename} has sha256 (no file); {expected}"
    assert files(cache) == []


def test_a_pip_that_cannot_be_started_is_reported(cache, monkeypatch):
    monkeypatch.setattr(pip_module, "pip_command", lambda: ["/nowhere/python"])
    message = refusal()
    assert "not downloaded: /nowhere/python could not be started ([Errno 2] No such file or directory" in message
    assert message.endswith("Last lines:\n    (nothing)")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupt_or_a_failing_callback_kills_pip_and_leaves_nothing(cache, pip, tmp_path, error):
    note = tmp_path / "pid"
    pip(
        f"pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\n"
        "(temporary / 'growing').write_bytes(b'x')\ntime.sleep(60)"
    )

    def stop(done: int, due: int) -> None:
        if note.exists() and note.read_text():
            raise error

    start = time.monotonic()
    with pytest.raises(error):
        hub.fetch("tiny", progress=stop)
    assert time.monotonic() - start < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert files(cache) == []


def test_a_real_interrupt_reaches_a_download_without_a_callback(cache, pip):
    pip("time.sleep(60)")
    threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT)).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            hub.fetch("tiny")
    finally:
        signal.signal(signal.SIGINT, before)
    assert files(cache) == []


def test_what_a_killed_process_left_is_swept_a_day_later(cache, pip):
    old, young = cache / "tiny" / ".fetch-old", cache / "tiny" / ".fetch-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"x")
    os.utime(old, (time.time() - 2 * hub.STALE_SECONDS,) * 2)
    pip(WRITE + FINISH)
    hub.fetch("tiny")
    assert (old.exists(), young.exists()) == (False, True)


def test_a_cache_that_cannot_be_written_is_reported_with_the_variable_to_set(cache):
    cache.write_bytes(b"a file, not a folder")
    home = cache / "tiny"
    message = refusal()
    assert message.startswith(f"checkpoint 'tiny' cannot be kept in {home} (")
    assert message.endswith(
        f"); expected a writable folder with {3 * TINY.size} bytes free; {str(cache)!r} is a file, not a folder; set "
        f"DRAGGAN_CACHE to another folder, {BY_HAND}"
    )


UNPACK = """
for name, data in {files}.items():
    path = argument("--target") / "face" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
"""


def test_without_pip_uv_unpacks_and_only_the_weight_files_are_kept(cache, uv):
    uv(UNPACK.format(files={"a.bin": b"a", "b.bin": b"b", "code.py": b"evil"}))
    path = hub.fetch("tiny")
    assert path == cache / "tiny" / "tiny-face==1.0"
    assert files(cache) == ["tiny/tiny-face==1.0/face/a.bin", "tiny/tiny-face==1.0/face/b.bin"]
    (cache.parent / "bin" / "uv").unlink()
    assert hub.fetch("tiny") == path
    (path / "face" / "b.bin").write_bytes(b"damaged")
    assert "there is no uv" in refusal()


def test_a_weight_file_that_uv_unpacked_wrongly_is_refused(cache, uv):
    uv(UNPACK.format(files={"a.bin": b"a", "b.bin": b"B"}))
    assert refusal() == (
        "face/b.bin in the unpacked tiny-face==1.0 is missing or altered; expected sha256 "
        f"{TINY.members['face/b.bin']}; try again, {BY_HAND}"
    )
    assert files(cache) == []


def test_a_failure_of_uv_is_named_too(cache, uv):
    uv("print('error: Failed to fetch: dns error: failed to lookup address'); sys.exit(2)")
    message = refusal()
    assert "was not downloaded: the package index was not reached (uv ended with status 2); " in message
    assert message.endswith("Last lines:\n    error: Failed to fetch: dns error: failed to lookup address")


def test_with_neither_pip_nor_uv_the_command_to_type_is_given(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(pip_module, "pip_command", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal() == (
        "checkpoint 'tiny' (tiny-face==1.0) was not downloaded: this Python has no pip and there is no uv; expected "
        f"one of them; install pip (`python -m ensurepip`), {BY_HAND}"
    )
    assert files(cache) == []


def test_the_running_interpreters_own_pip_is_used_if_it_has_one(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert pip_module.pip_command() == [sys.executable, "-m", "pip"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert pip_module.pip_command() is None
    monkeypatch.setattr(sys, "executable", "")
    assert pip_module.pip_command() is None


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index on this machine that carries one tiny wheel; the real pip is set to it."""
    project = tmp_path / "simple" / "tiny-face"
    project.mkdir(parents=True)
    with zipfile.ZipFile(project / TINY.filename, "w") as wheel:
        wheel.writestr("tiny_face-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-face\nVersion: 1.0\n")
        wheel.writestr(
            "tiny_face-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tiny_face-1.0.dist-info/RECORD", "")
    (project / "index.html").write_text(f'<a href="{TINY.filename}">{TINY.filename}</a>')

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server, contextlib.ExitStack() as stack:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        for key in [key for key in os.environ if key.startswith("PIP_") or key.lower().endswith("_proxy")]:
            monkeypatch.delenv(key)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        yield project / TINY.filename


@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this Python has no pip")
@pytest.mark.slow
class TestWithTheRealPip:
    def test_the_wheel_comes_from_the_index_the_user_has_set(self, cache, index, monkeypatch):
        found = hashlib.sha256(index.read_bytes()).hexdigest()
        monkeypatch.setitem(NAMED, "tiny", dataclasses.replace(TINY, sha256=found, size=index.stat().st_size))
        assert hub.fetch("tiny").read_bytes() == index.read_bytes()
        assert files(cache) == [f"tiny/{TINY.filename}"]

    def test_another_file_on_the_index_is_refused_by_its_hash(self, cache, index):
        assert "was not downloaded: the package index offers another file than the pinned one (" in refusal()
        assert files(cache) == []

    def test_an_index_without_the_project_is_reported(self, cache, index):
        index.unlink()
        (index.parent / "index.html").write_text("")
        assert "was not downloaded: the package index does not carry it (" in refusal()

    def test_an_index_that_does_not_answer_is_reported(self, cache, index, monkeypatch):
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")
        assert "was not downloaded: the package index was not reached (" in refusal()
        assert files(cache) == []
