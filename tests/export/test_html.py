"""The page as text; what a browser makes of it is in tests/browser/test_replay.py."""

import base64
import hashlib
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from analytic import BlobGenerator
from engine.test_record import changing, record
from export.records import step_at, walk
from PIL import Image

from draggan_widget.engine.edit import Edit
from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import ExportError, RecordError
from draggan_widget.export import stills
from draggan_widget.export.html import Replay, to_html
from draggan_widget.export.video import save_video

HOSTILE = "</script><img src=x onerror=alert(1)><!--"


class Parsed(HTMLParser):
    """Every element with its attributes, and the text inside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.inside.append((self.elements[-1][0] if self.elements else "", data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="record">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def picture_of(uri: str) -> Image.Image:
    assert uri.startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_the_page_holds_every_step_and_its_picture(tmp_path: Path):
    record = walk(4)
    path = to_html(record, tmp_path / "drag.html")
    assert path == tmp_path / "drag.html"
    page = path.read_text("utf-8")
    data = data_of(page)
    assert data["size"] == [64, 64]
    assert [step["handles"] for step in data["steps"]] == [[[20 + 3 * k, 24]] for k in range(4)]
    assert [step["targets"] for step in data["steps"]] == [[[44, 36]]] * 4
    assert [step["picture"] for step in data["steps"]] == [0, 1, 2, 3]
    assert data["steps"][0]["loss"] is None
    assert data["steps"][2]["distances"] == [round(record[2].distances[0], 2)]
    (shown,) = Parsed(page).of("img")
    pictures = [*data["pictures"], shown["src"]]  # the last stands in the page, for readers without scripts
    assert len(pictures) == 4
    for uri, step in zip(pictures, record, strict=True):
        assert picture_of(uri).convert("RGB").tobytes() == step.picture().tobytes()  # small: lossless


def test_the_page_asks_no_network_and_runs_only_its_own_script():
    page = str(to_html(walk(2)))
    parsed = Parsed(page)
    assert re.findall(r"https?://[^\s\"'<>]*", page) == ["http://www.w3.org/2000/svg"]  # a name, not an address
    assert not any(
        key in attributes for _, attributes in parsed.elements for key in ("href", "srcset", "data", "style")
    )
    assert [set(attributes) for attributes in parsed.of("script")] == [{"type", "id"}, set()]
    (policy,) = [meta["content"] for meta in parsed.of("meta") if "http-equiv" in meta]
    assert policy is not None
    script = [text for tag, text in parsed.inside if tag == "script" and text.strip()][-1]
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", "img-src data:"]
    assert f"script-src 'sha256-{own}'" in policy
    assert "unsafe" not in policy


def test_a_hostile_name_stays_text(unchecked: None):
    record = walk(2, label=HOSTILE, config={HOSTILE: HOSTILE}, **{HOSTILE: 1})
    object.__setattr__(record[1], "ended", HOSTILE)  # as a file of a record may say
    record.about["generator"] = HOSTILE
    page = str(to_html(record))
    parsed = Parsed(page)
    assert len(parsed.of("img")) == 1
    assert len(parsed.of("script")) == 2
    assert not any(key.startswith("on") for _, attributes in parsed.elements for key in attributes)
    assert any(HOSTILE in text for tag, text in parsed.inside if tag == "dd")


def test_without_a_path_it_is_text_that_shows_itself_in_a_closed_frame():
    page = to_html(walk(2))
    assert isinstance(page, Replay)
    (frame,) = Parsed(page._repr_html_()).of("iframe")
    assert frame["srcdoc"] == str(page)
    assert frame["sandbox"] == "allow-scripts"


def test_a_long_record_shares_pictures_and_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stills, "MOST", 4)
    page = str(to_html(walk(11)))
    data = data_of(page)
    assert len(data["steps"]) == 11
    assert [step["picture"] for step in data["steps"]] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4]
    assert "of every 3 steps and the last; points of every step" in page


def test_pictures_get_smaller_until_all_of_them_fit(monkeypatch: pytest.MonkeyPatch):
    record = walk(6, BlobGenerator(256))
    whole = stills.make_stills(record)
    monkeypatch.setattr(stills, "LIMIT", 5000)
    made = stills.make_stills(record)
    assert sum(map(len, whole.pictures)) > 5000 >= sum(map(len, made.pictures))
    assert whole.side == 256 >= made.side
    assert len(made.pictures) == 6


def test_a_guess_that_was_too_high_is_corrected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stills, "_first_candidate", lambda steps: 0)
    monkeypatch.setattr(stills, "LIMIT", 5000)
    assert sum(map(len, stills.make_stills(walk(6, BlobGenerator(256))).pictures)) <= 5000


def test_numbers_that_are_not_finite_are_none():
    import dataclasses

    record = walk(2)
    record.steps[1] = dataclasses.replace(record.steps[1], loss=float("nan"))
    assert data_of(str(to_html(record)))["steps"][1]["loss"] is None


def test_points_that_come_and_go_are_each_their_own():
    generator = BlobGenerator()
    one, two = Edit([(9, 9)], [(20, 9)]), Edit([(9, 9), (40, 40)], [(20, 9), (30, 40)])
    steps = [step_at(generator, 0, one, [(9, 9)]), step_at(generator, 1, two, [(11, 9), (40, 40)])]
    data = data_of(str(to_html(DragRecord({}, steps))))
    assert [step["since"] for step in data["steps"]] == [[0], [0, 1]]


@pytest.mark.parametrize(("grows", "steps"), [(True, 2), (False, 7)])
def test_pages_and_videos_made_while_the_drag_runs_end_where_it_was(tmp_path: Path, grows: bool, steps: int):
    due = record()
    assert data_of(to_html(changing(grows))) == data_of(to_html(DragRecord(due.about, due.steps[:steps])))
    with Image.open(save_video(changing(grows), tmp_path / "drag.gif", size=64)) as gif:
        assert gif.n_frames == steps  # pyright: ignore[reportAttributeAccessIssue]


def test_the_script_is_small():
    from draggan_widget.export.html import STATIC

    assert len((STATIC / "replay.js").read_bytes()) < 8192


def test_what_cannot_be_written_says_why_and_the_older_file_stays(tmp_path: Path):
    (tmp_path / "taken").write_bytes(b"older")
    with pytest.raises(
        ExportError,
        match=r"x\.html cannot be written \(.*\); '.*taken' is a file, not a folder; choose another folder$",
    ):
        to_html(walk(1), tmp_path / "taken" / "x.html")
    with pytest.raises(RecordError, match=r"^the record has 0 steps; expected at least one; start a drag first$"):
        to_html(DragRecord(), tmp_path / "x.html")
    walk(1).save(tmp_path / "r.npz")
    with pytest.raises(RecordError, match=r"without its generator; call DragRecord\.load\(path, generator\)$"):
        to_html(DragRecord.load(tmp_path / "r.npz"), tmp_path / "x.html")
    assert sorted(os.listdir(tmp_path)) == ["r.npz", "taken"]
