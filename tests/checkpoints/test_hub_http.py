import dataclasses
import errno
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from checkpoints.site import Site, cut, ignore_ranges, reply, serve, stall

from draggan_widget.checkpoints.hub import cache as hub
from draggan_widget.checkpoints.hub import http
from draggan_widget.checkpoints.hub.catalog import NAMED, STYLEGAN2_CITATION, UrlCheckpoint
from draggan_widget.errors import CheckpointError

CONTENT = b"\x80\x04" + bytes(range(256)) * 1200 + b"."
OTHER = b"\x80\x04other" + CONTENT[7:]
SIZE = len(CONTENT)
SUM, OTHER_SUM = hashlib.sha256(CONTENT).hexdigest(), hashlib.sha256(OTHER).hexdigest()
PIECE = http.PIECE


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(http, "PAUSE_SECONDS", 0.0)
    for key in [key for key in os.environ if key.lower().endswith("_proxy")]:
        monkeypatch.delenv(key)
    with Site(CONTENT) as site:
        yield site


def tiny_at(url: str) -> UrlCheckpoint:
    return UrlCheckpoint(
        name="tiny",
        family="stylegan2",
        image_size=(32, 32),
        filename="tiny.pkl",
        sha256=None,
        size=None,
        licence="For tests only. Nothing else.",
        citation=STYLEGAN2_CITATION,
        url=url,
    )


@pytest.fixture
def tiny(site, monkeypatch) -> UrlCheckpoint:
    monkeypatch.setitem(NAMED, "tiny", tiny_at(site.url))
    return tiny_at(site.url)


@pytest.fixture
def pinned(tiny, monkeypatch) -> UrlCheckpoint:
    named = dataclasses.replace(tiny, sha256=SUM, size=SIZE)
    monkeypatch.setitem(NAMED, "tiny", named)
    return named


@pytest.fixture
def home(tiny, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DRAGGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tiny"


def left(home: Path) -> set[str]:
    """What lies in the folder, but for the lock."""
    return {path.name for path in home.iterdir()} - {".lock"}


def refusal() -> str:
    with pytest.raises(CheckpointError) as caught:
        hub.fetch("tiny")
    return str(caught.value)


def ending(site: Site, remedy: str) -> str:
    return (
        f"; expected the file tiny.pkl; {remedy}, or download {site.url} by other means (a browser, another machine) "
        "and pass load_generator(PATH)"
    )


def words(site: Site, found: str, remedy: str) -> str:
    return f"checkpoint 'tiny' ({site.url}) was not downloaded: {found}{ending(site, remedy)}"


AGAIN = "check the network, then try again"


def test_a_download_reports_its_growth_and_notes_what_it_was(site, home):
    seen: list[tuple[int, int]] = []
    path = hub.fetch("tiny", progress=lambda done, total: seen.append((done, total)))
    assert path == home / "tiny.pkl"
    assert path.read_bytes() == CONTENT
    assert {total for _, total in seen} == {SIZE}
    assert [done for done, _ in seen] == [*range(PIECE, SIZE, PIECE), SIZE]
    record = json.loads((home / "tiny.pkl.json").read_text())
    assert (record["url"], record["sha256"], record["size"]) == (site.url, SUM, SIZE)
    assert left(home) == {"tiny.pkl", "tiny.pkl.json"}
    assert hub.fetch("tiny") == path
    assert len(site.requests) == 1


def test_the_licence_is_said_before_the_server_is_asked(site, home, monkeypatch):
    events: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words, **how: events.append(" ".join(words)))
    site.answers.append(lambda handler: (events.append("asked"), serve(handler)))
    hub.fetch("tiny")
    hub.fetch("tiny")
    cache = home.parent
    assert events == [f"tiny: downloading once, to {cache}. For tests only. Nothing else.", "asked"]


def test_pooch_says_nothing_of_its_own(site, home, capfd):
    hub.fetch("tiny")
    out, err = capfd.readouterr()
    assert (len(out.splitlines()), err) == (1, "")


def test_an_interrupted_download_is_resumed_in_the_same_call(site, home):
    site.answers.extend([cut(2 * PIECE), cut(PIECE)])
    seen: list[int] = []
    assert hub.fetch("tiny", progress=lambda done, total: seen.append(done)).read_bytes() == CONTENT
    assert site.asked("Range") == [None, f"bytes={2 * PIECE}-", f"bytes={3 * PIECE}-"]
    assert site.asked("If-Range") == [None, '"one"', '"one"']
    assert seen == sorted(seen)
    assert seen[-1] == SIZE


def test_a_download_that_stays_interrupted_is_resumed_in_the_next_call(site, home):
    site.answers.extend([cut(PIECE), *[cut(0)] * 3])
    message = refusal()
    assert message.startswith(f"checkpoint 'tiny' ({site.url}) was not downloaded: the connection was lost ")
    assert f" (attempt 4 of 4); {PIECE} bytes are kept, and the next call resumes from them; expected the" in message
    assert left(home) == {"tiny.pkl.part", "tiny.pkl.part.json"}
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range")[-1] == f"bytes={PIECE}-"
    assert left(home) == {"tiny.pkl", "tiny.pkl.json"}


def test_a_server_without_ranges_starts_anew(site, home):
    site.answers.extend([cut(2 * PIECE), ignore_ranges])
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range") == [None, f"bytes={2 * PIECE}-"]


def test_a_file_that_changed_in_between_starts_anew(site, home):
    site.answers.append(cut(2 * PIECE))

    def changed(handler):
        site.content, site.headers = OTHER, {"ETag": '"two"'}
        serve(handler)

    site.answers.append(changed)
    assert hub.fetch("tiny").read_bytes() == OTHER


@pytest.mark.parametrize(
    ("headers", "condition"),
    [
        ({}, None),
        ({"ETag": 'W/"weak"'}, None),
        ({"Last_Modified": "Tue, 05 Mar 2024 10:00:00 GMT"}, "Tue, 05 Mar 2024 10:00:00 GMT"),
    ],
)
def test_without_a_strong_tag_the_date_or_the_length_must_agree(site, home, headers, condition):
    site.headers = headers
    site.answers.append(cut(2 * PIECE))
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range") == [None, f"bytes={2 * PIECE}-"]
    assert site.asked("If-Range") == [None, condition]


REST = f"bytes {PIECE}-{SIZE - 1}/{SIZE}"
WRONG_PARTS = {
    "another start": {"Content_Range": f"bytes {PIECE + 1}-{SIZE - 1}/{SIZE}", "ETag": '"one"'},
    "another length": {"Content_Range": f"bytes {PIECE}-{SIZE}/{SIZE + 1}", "ETag": '"one"'},
    "another tag": {"Content_Range": REST, "ETag": '"two"'},
    "no place": {"ETag": '"one"'},
    "no sense": {"Content_Range": "lines 1-2", "ETag": '"one"'},
}


@pytest.mark.parametrize("wrong", WRONG_PARTS)
def test_a_part_that_does_not_fit_is_thrown_away(site, home, wrong):
    site.answers.extend([cut(PIECE), reply(206, CONTENT[PIECE:], **WRONG_PARTS[wrong])])
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range") == [None, f"bytes={PIECE}-", None]


def test_a_server_that_refuses_the_part_is_asked_for_the_whole(site, home):
    site.answers.extend([cut(PIECE), reply(416)])
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range") == [None, f"bytes={PIECE}-", None]


def test_a_kept_part_whose_note_is_lost_or_of_another_address_starts_anew(site, home):
    for note in ("", "[]", '{"url": "http://elsewhere/", "validator": "", "size": 9999999}'):
        home.mkdir(parents=True, exist_ok=True)
        (home / "tiny.pkl.part").write_bytes(b"\x80 something else")
        (home / "tiny.pkl.part.json").write_text(note)
        assert hub.fetch("tiny").read_bytes() == CONTENT
        hub.discard("tiny")
    assert site.asked("Range") == [None, None, None]


def test_an_interrupt_keeps_what_came(site, home):
    def stop(done: int, total: int) -> None:
        if done >= 3 * PIECE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.fetch("tiny", progress=stop)
    assert left(home) == {"tiny.pkl.part", "tiny.pkl.part.json"}
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range") == [None, f"bytes={3 * PIECE}-"]


def test_another_file_than_the_published_one_is_refused(site, home, pinned):
    site.content = OTHER
    assert refusal() == (
        f"{site.url} gives a file with sha256 {OTHER_SUM}; expected {SUM}, that of tiny.pkl as published; try again; "
        f"if the error returns, the publisher has replaced the file: update draggan-widget, {pinned.by_hand}"
    )
    assert left(home) == set()
    site.content = CONTENT
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert left(home) == {"tiny.pkl"}


def test_a_file_that_is_not_the_one_of_the_first_use_is_refused(site, home, tiny):
    hub.fetch("tiny")
    hub.discard("tiny")
    assert left(home) == {"tiny.pkl.json"}
    site.content = OTHER
    record = home / "tiny.pkl.json"
    assert refusal() == (
        f"{site.url} gives a file with sha256 {OTHER_SUM}; expected {SUM}, that of tiny.pkl when it was first used "
        f"(noted in {record}); try again; if the error returns, the publisher has replaced the file: delete "
        f"tiny.pkl.json to trust the new one, {tiny.by_hand}"
    )
    assert left(home) == {"tiny.pkl.json"}
    record.unlink()
    assert hub.fetch("tiny").read_bytes() == OTHER
    assert json.loads(record.read_text())["sha256"] == OTHER_SUM


def test_a_damaged_cached_file_is_fetched_again(site, home):
    hub.fetch("tiny").write_bytes(b"\x80damaged.")
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert len(site.requests) == 2


@pytest.mark.parametrize("text", ["", "{}", '{"url": 1, "sha256": 2, "size": "x", "first_used": ""}'])
def test_a_damaged_record_says_what_to_delete(site, home, text):
    hub.fetch("tiny")
    record = home / "tiny.pkl.json"
    record.write_text(text)
    message = refusal()
    assert message.startswith(f"record {record} cannot be understood (")
    assert message.endswith(
        "; expected url, sha256, size and day of the first use of tiny.pkl; delete it to trust the file anew"
    )


@pytest.mark.parametrize("status", [401, 403, 404, 410, 418])
def test_a_refusal_of_the_server_is_final_and_says_how_to_do_without_it(site, home, status):
    site.otherwise = reply(status, b"<html>no</html>")
    message = refusal()
    assert message.startswith(f"checkpoint 'tiny' ({site.url}) was not downloaded: the server answered {status} ")
    assert message.endswith(ending(site, "its publisher may have moved or withdrawn it; update draggan-widget"))
    assert len(site.requests) == 1
    assert left(home) == set()


def test_the_whole_message_of_a_missing_file(site, home):
    site.otherwise = reply(404)
    remedy = "its publisher may have moved or withdrawn it; update draggan-widget"
    assert refusal() == words(site, "the server answered 404 Not Found", remedy)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_overloaded_server_is_asked_again(site, home, status):
    site.answers.extend([reply(status)] * 3)
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert len(site.requests) == 4


def test_a_server_that_stays_overloaded_is_given_up(site, home):
    site.otherwise = reply(503)
    assert refusal() == words(site, "the server answered 503 Service Unavailable (attempt 4 of 4)", AGAIN)


def test_pauses_grow_and_heed_the_server(site, home, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(http, "PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(http.time, "sleep", pauses.append)
    site.answers.extend([reply(503), reply(503, Retry_After=7), reply(429, Retry_After=4000)])
    hub.fetch("tiny")
    assert pauses == [1.0, 7.0, 30.0]
    pauses.clear()
    hub.discard("tiny")
    site.answers.extend([reply(503, Retry_After="Tue, 05 Mar 2024 10:00:00 GMT")] * 3)
    hub.fetch("tiny")
    assert pauses == [1.0, 2.0, 4.0]


NO_PICKLES = {
    b"<!DOCTYPE html><html>Sign in</html>": "a web page",
    b"\n  <html>": "a web page",
    b"version https://git-lfs.github.com/spec/v1\noid": (
        "something that begins with b'version https://git-lfs.github.com/spec/'"
    ),
    b"PK\x03\x04": "something that begins with b'PK\\x03\\x04'",
}


@pytest.mark.parametrize("body", NO_PICKLES)
def test_what_is_no_pickle_is_refused_and_not_kept(site, home, body):
    site.otherwise = reply(200, body, Content_Type="text/html")
    found = f"the server sent {NO_PICKLES[body]} instead of a pickle"
    assert refusal() == words(site, found, "it may require a log-in or be blocked")
    assert (left(home), len(site.requests)) == (set(), 1)


@pytest.mark.parametrize("body", [b"", CONTENT[:-1]])
def test_a_pickle_without_its_end_is_refused_and_not_kept(site, home, body):
    site.otherwise = reply(200, body)
    assert refusal() == words(site, "the server sent a pickle without its end", "try again")
    assert left(home) == set()


def test_a_body_of_unknown_length_is_read_to_its_end(site, home):
    def chunked(handler):
        handler.head(200, Transfer_Encoding="chunked")
        for start in range(0, SIZE, 100_000):
            piece = CONTENT[start : start + 100_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    def cut_chunk(handler):
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n%s" % (SIZE, CONTENT[: 2 * PIECE]))
        handler.close_connection = True

    site.answers.extend([cut_chunk, chunked])
    seen: set[int] = set()
    assert hub.fetch("tiny", progress=lambda done, total: seen.add(total)).read_bytes() == CONTENT
    assert seen == {0}
    assert site.asked("Range") == [None, None]


def test_a_body_that_is_encoded_unasked_is_decoded(site, home):
    site.otherwise = reply(200, gzip.compress(CONTENT), Content_Encoding="gzip")
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Accept-Encoding") == ["identity"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_followed(site, home, status):
    site.answers.append(reply(status, Location="/elsewhere/file"))
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert [path for path, _ in site.requests] == ["/models/tiny.pkl", "/elsewhere/file"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[", "/models/tiny.pkl"])
def test_a_redirection_to_elsewhere_than_the_web_is_refused(site, home, target):
    site.otherwise = reply(302, Location=target)
    message = refusal()
    assert "was not downloaded: the request failed (" in message
    assert message.endswith(f"){ending(site, 'check the network and the proxy settings')}")
    assert left(home) == set()


def test_a_redirection_to_an_unencrypted_connection_is_refused(tiny, tmp_path):
    named = dataclasses.replace(tiny, url="https://weights.invalid/tiny.pkl")
    response = requests.Response()
    response.status_code, response.url = 200, "http://weights.invalid/tiny.pkl"
    message = r"the server redirects to http://weights\.invalid/tiny\.pkl, an unencrypted connection;"
    with pytest.raises(CheckpointError, match=message):
        http.Downloader(named, tmp_path, None).check_answer(response)


def test_a_server_that_is_not_there_is_reported(site, home, monkeypatch):
    monkeypatch.setitem(NAMED, "tiny", tiny_at("http://127.0.0.1:9/tiny.pkl"))
    message = refusal()
    assert "was not downloaded: the server was not reached (" in message
    assert message.endswith("pass load_generator(PATH)")
    assert left(home) == set()


@pytest.mark.parametrize("length", [None, PIECE])
def test_a_server_that_falls_silent_is_asked_again(site, home, monkeypatch, length):
    monkeypatch.setattr(http, "TIMEOUTS", (5.0, 0.2))
    site.answers.append(stall(length))
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range") == [None, None if length is None else f"bytes={PIECE}-"]
    hub.discard("tiny")
    site.otherwise = stall(None)
    assert "the server was not reached (" in refusal()


def test_too_little_room_is_found_before_the_download(site, home, tiny, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000))
    error = f"[Errno {errno.ENOSPC}] 1000 bytes free on this disk, {SIZE} needed"
    assert refusal() == (
        f"checkpoint 'tiny' cannot be kept in {home} ({error}); expected a writable folder with room for it; "
        f"set DRAGGAN_CACHE to another folder or free some space, {tiny.by_hand}"
    )
    assert left(home) == set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_fills_up_is_reported_and_left_clean(site, home, tiny, monkeypatch):
    ordinary = Path.open

    def full(path: Path, mode: str = "r", *more, **options):
        return ordinary(Path("/dev/full") if mode == "ab" else path, mode, *more, **options)

    monkeypatch.setattr(Path, "open", full)
    assert refusal().startswith(
        f"checkpoint 'tiny' cannot be kept in {home} ([Errno {errno.ENOSPC}] No space left on device); expected "
    )
    assert left(home) == set()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("stylegan3-t-ffhq-1024x1024", "a StyleGAN3 generator"), ("stylegan2-cat-config-f", "a TensorFlow pickle")],
)
def test_what_cannot_be_read_yet_is_refused_before_a_download(monkeypatch, name, kind):
    monkeypatch.setattr(http, "download", None)
    with pytest.raises(CheckpointError) as caught:
        hub.fetch(name)
    assert str(caught.value) == (
        f"checkpoint {name!r} is {kind}, which is not read yet by this version; expected one that "
        "available_generators() marks as readable; choose one of those, or update draggan-widget"
    )


def test_a_file_that_was_left_by_hand_is_taken_and_noted(site, home):
    home.mkdir(parents=True)
    (home / "tiny.pkl").write_bytes(OTHER)
    assert hub.fetch("tiny").read_bytes() == OTHER
    assert json.loads((home / "tiny.pkl.json").read_text())["sha256"] == OTHER_SUM
    assert site.requests == []


def test_a_copy_that_the_user_has_is_held_to_what_is_known(site, home, tmp_path):
    mine = tmp_path / "mine.pkl"
    mine.write_bytes(OTHER)
    assert hub.fetch("tiny", wheel=mine) == mine
    hub.fetch("tiny")
    with pytest.raises(CheckpointError) as caught:
        hub.fetch("tiny", wheel=mine)
    assert str(caught.value) == (
        f"file {mine} has sha256 {OTHER_SUM}; expected {SUM}, that of tiny.pkl; download it again"
    )


def test_a_checkpoint_is_recognised_by_its_sum(site, home, tiny):
    assert hub.recognise(SUM) is None
    hub.fetch("tiny")
    assert hub.recognise(SUM) == tiny


def test_leftovers_of_named_checkpoints_are_swept_and_nothing_else(site, home):
    other = home.parent / "stylegan2-lions-512"
    old, young, foreign = other / "x.pkl.part", home / "tmpyoung", home.parent / "mine" / "tmpold"
    for path in (old, young, foreign):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for path in (old, foreign):
        os.utime(path, (time.time() - 2 * hub.PARTIAL_SECONDS,) * 2)
    hub.fetch("tiny")
    assert [path.exists() for path in (old, young, foreign)] == [False, True, True]


def test_many_threads_fetch_one_file_once(site, home):
    start, found = threading.Barrier(8), []

    def fetch() -> None:
        start.wait()
        found.append(hub.fetch("tiny").read_bytes())

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 8
    assert len(site.requests) == 1


PROCESS = """
import dataclasses, sys
from draggan_widget.checkpoints.hub import cache as hub
from draggan_widget.checkpoints.hub.catalog import NAMED
lions = NAMED["stylegan2-lions-512"]
NAMED["tiny"] = dataclasses.replace(lions, name="tiny", url=sys.argv[1], filename="tiny.pkl", licence="L.")
print(hub.fetch("tiny"), flush=True)
"""


def process(site: Site) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROCESS, site.url], stdout=subprocess.PIPE, text=True)


def line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().rstrip()


@pytest.mark.slow
def test_a_second_process_waits_for_the_first(site, home):
    def held(handler):
        site.released.wait(30)
        serve(handler)

    site.answers.append(held)
    with process(site) as first:
        assert line(first) == f"tiny: downloading once, to {home.parent}. L."
        with process(site) as second:
            assert line(second) == "tiny: another process is downloading it; waiting for that"
            site.released.set()
            assert line(first) == line(second) == str(home / "tiny.pkl")
    assert (home / "tiny.pkl").read_bytes() == CONTENT
    assert len(site.requests) == 1


@pytest.mark.slow
def test_what_a_killed_process_had_is_resumed(site, home):
    site.answers.append(stall(PIECE))
    part = home / "tiny.pkl.part"
    with process(site) as first:
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size == PIECE):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    assert hub.fetch("tiny").read_bytes() == CONTENT
    assert site.asked("Range") == [None, f"bytes={PIECE}-"]
