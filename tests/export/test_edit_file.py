import base64
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analytic import BlobGenerator
from engine.helpers import run
from engine.helpers import settings as config_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from draggan_widget import DragConfig, DragRecord, DragSession, Edit
from draggan_widget.engine.replay import Segment
from draggan_widget.errors import ExportError, RecordError
from draggan_widget.export import edit_file, json_values
from draggan_widget.export.comparison import Result, compare, make_result
from draggan_widget.export.edit_file import SavedEdit, SavedGenerator, load_edit, make_saved_edit, save_edit

GOLDEN = Path(__file__).parents[1] / "golden"


def a_record(**changes: object) -> DragRecord:
    generator = BlobGenerator()
    config = config_of(generator, max_steps=4, **changes)
    about = {
        "generator": "blob",
        "family": "analytic",
        "sha256": "ab" * 32,
        "seed": None,
        "truncation_psi": 0.5,
        "label": None,
        "config": dict(vars(config)),
        "versions": {"draggan-widget": "0.1.0"},
    }
    return DragRecord(about, run(generator, max_steps=4))


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    """What a file holds."""
    return json.loads(save_edit(a_record(), tmp_path / "whole.json").read_text())


def refusal(path: Path) -> str:
    with pytest.raises(ExportError) as caught:
        load_edit(path)
    return str(caught.value)


def reason(path: Path) -> str:
    """Why a file of ours is refused."""
    found = re.fullmatch(
        rf"{re.escape(str(path))} is damaged or holds no edit \(((?s:.+))\); take another copy", refusal(path)
    )
    assert found is not None
    return found[1]


def same(a: SavedEdit, b: SavedEdit) -> bool:
    def parts(saved: SavedEdit) -> tuple:
        segments = [(segment.count, segment.ended, segment.edits, segment.config) for segment in saved.segments]
        rest = [
            getattr(saved, field.name) for field in dataclasses.fields(saved) if field.name not in ("segments", "ws")
        ]
        return segments, rest, None if saved.ws is None else (saved.ws.dtype, saved.ws.shape, saved.ws.tobytes())

    return parts(a) == parts(b)


finite = st.floats(allow_nan=False, allow_infinity=False)
points = st.tuples(finite, finite)
masks = st.none() | numbers.arrays(bool, numbers.array_shapes(min_dims=2, max_dims=2, max_side=40))


@st.composite
def edits(draw: st.DrawFn, least: int = 0) -> Edit:
    count = draw(st.integers(least, 5))
    some = st.lists(points, min_size=count, max_size=count)
    locks = st.just([]) | st.lists(st.booleans(), min_size=count, max_size=count)
    return Edit(draw(some), draw(some), draw(masks), draw(locks))


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    count = draw(st.integers(1, 1000))
    places = sorted({0, *draw(st.lists(st.integers(0, count - 1), max_size=3))})
    config = st.none() | st.builds(DragConfig, learning_rate=st.floats(0, 10))
    return Segment(count, draw(st.booleans()), tuple((place, draw(edits(1))) for place in places), draw(config))


latents = numbers.arrays(
    np.float32,
    st.tuples(st.just(1), st.integers(1, 4), st.integers(1, 8)),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)
results = st.builds(
    Result,
    st.integers(0, 1000),
    st.sampled_from(["arrived", "cap", "stalled", "lost", None]),
    st.lists(points, max_size=3).map(tuple),
    st.lists(st.text(), max_size=2).map(tuple),
)
sizes = st.none() | st.tuples(st.integers(0, 4096), st.integers(0, 4096))
words = st.none() | st.text()


@st.composite
def saved_edits(draw: st.DrawFn) -> SavedEdit:
    seed = draw(st.none() | st.integers(0, 2**32 - 1))
    return SavedEdit(
        generator=SavedGenerator(draw(words), draw(words), draw(words), draw(sizes), draw(sizes)),
        seed=seed,
        truncation_psi=draw(finite),
        label=draw(st.none() | st.integers(0, 1000)),
        ws=draw(latents) if seed is None else None,
        config=DragConfig(learning_rate=draw(st.floats(0, 10)), confidence_gate=draw(st.none() | st.floats(0, 1e6))),
        edit=draw(edits()),
        segments=tuple(draw(st.lists(segments(), max_size=3))),
        result=draw(st.none() | results),
        versions=draw(st.dictionaries(st.text(), st.text(), max_size=2)),
    )


@pytest.mark.slow
@given(saved=saved_edits())
@settings(deadline=None, max_examples=60)
def test_any_edit_comes_back_as_it_was_saved(tmp_path_factory, saved: SavedEdit):
    assert same(load_edit(save_edit(saved, tmp_path_factory.mktemp("any") / "edit.json")), saved)


def test_a_record_s_edit_says_how_it_was_made_and_what_came_of_it(tmp_path: Path):
    record = a_record()
    saved = load_edit(save_edit(record, tmp_path / "new" / "edit.json"))
    assert saved.generator == SavedGenerator("blob", "analytic", "ab" * 32, (64, 64), (4, 8))
    assert (saved.seed, saved.truncation_psi, saved.label) == (None, 0.5, None)
    assert saved.config.max_steps == 4
    assert saved.edit == saved.first == record[0].edit
    assert [(segment.count, segment.ended) for segment in saved.segments] == [(5, False)]
    assert saved.result == Result(5, "cap", record[-1].handles)
    np.testing.assert_array_equal(saved.ws, record.ws[:1])


def test_the_file_is_plain_json_with_masks_that_any_program_opens(tmp_path: Path):
    mask = np.zeros((5, 7), bool)
    mask[:2] = True
    edit = Edit([(1, 2)], [(3, 4)], mask)
    saved = dataclasses.replace(
        make_saved_edit(a_record()),
        edit=edit,
        segments=(Segment(3, False, ((0, edit), (1, Edit([(1, 2)], [(3, 5)], mask)))),),
    )
    content = json.loads(save_edit(saved, tmp_path / "edit.json").read_text("ascii"))
    assert (content["schema"], content["version"]) == ("draggan-widget edit", 2)
    assert content["edit"] == {"handles": [[1.0, 2.0]], "targets": [[3.0, 4.0]], "locked": [False], "mask": 0}
    assert len(content["masks"]) == 1
    assert base64.b64decode(content["masks"][0]).startswith(b"\x89PNG")


def test_a_golden_file_of_version_1_opens_and_its_drag_is_made_again():
    saved = load_edit(GOLDEN / "edit_v1.json")
    assert saved.generator.name == "blob"
    assert saved.seed is None
    assert [[index for index, _ in segment.edits] for segment in saved.segments] == [[0, 2], [0]]
    assert saved.result is not None
    with DragSession.load(GOLDEN / "edit_v1.json", BlobGenerator()) as session:
        found = compare(saved.result, session.run())
    assert found.largest <= 1.0
    assert found.endings[0] == found.endings[1] == "arrived"


def test_settings_of_a_drag_that_are_none_are_named(tmp_path: Path, content: dict[str, Any]):
    path = tmp_path / "edit.json"
    for value, due in ((3, "config is 3; expected an object of settings"), ({"blok": 3}, "DragConfig has no setting")):
        content["drags"][0]["config"] = value
        path.write_text(json.dumps(content))
        assert due in reason(path)


def test_what_is_no_png_is_refused_without_an_address(tmp_path: Path, content: dict[str, Any]):
    path = tmp_path / "edit.json"
    path.write_text(json.dumps(content | {"masks": ["AAAA"]}))
    assert reason(path) == "the mask is not a PNG"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(content).encode())  # as some editors save it
    assert load_edit(path).seed is None


def test_a_record_that_does_not_say_its_settings_says_so():
    record = a_record()
    bare = [dataclasses.replace(step, config=None) for step in record]
    due = "the record does not hold the settings of each of its drags: a replay takes the same for all"
    assert make_result(DragRecord(record.about, bare)).not_reproduced == ()
    assert due in make_result(DragRecord(record.about, bare * 2)).not_reproduced
    assert due not in make_result(DragRecord(record.about, [*record, *record])).not_reproduced


def test_a_golden_record_of_version_1_opens():
    record = DragRecord.load(GOLDEN / "record_v1.npz", BlobGenerator())
    assert (len(record), record.starts, record.about["generator"]) == (5, [0], "blob")
    assert [len(step.edit) for step in record] == [1, 1, 2, 2, 2]
    mask = record[-1].edit.mask
    assert mask is not None
    assert (mask[:60].all(), mask[60:].any()) == (True, False)
    assert record[-1].handles == ((27.0, 33.0), (32.0, 32.0))
    assert record[-1].edit.locked == (False, True)
    assert record[2].pixels().shape == (64, 64, 3)


@pytest.mark.parametrize("part", [0.0, 0.2, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, part: float):
    path = save_edit(a_record(), tmp_path / "edit.json")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert reason(path).startswith("JSONDecodeError: ")


@pytest.mark.parametrize(
    ("data", "due"),
    [
        (b"\x80\x04.", "UnicodeDecodeError: .*"),
        (b"[" * 200_000, "RecursionError: .*"),
        (b'{"a":' * 200_000, "RecursionError: .*"),
        (b'{"schema": NaN}', "ValueError: NaN is not a finite number"),
        (b"1" * 5000, "ValueError: Exceeds the limit .*"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, data: bytes, due: str):
    path = tmp_path / "edit.json"
    path.write_bytes(data)
    assert re.fullmatch(due, reason(path))


@pytest.mark.parametrize("data", [b"{}", b"[]", b"3", b'{"schema": "another"}', b'{"schema": ["draggan-widget edit"]}'])
def test_a_foreign_file_is_refused(tmp_path: Path, data: bytes):
    path = tmp_path / "edit.json"
    path.write_bytes(data)
    assert refusal(path) == f"{path} is not a saved edit; expected a file written by DragSession.save or save_edit"


def test_what_is_not_there_or_no_file_is_named(tmp_path: Path):
    path = tmp_path / "edit.json"
    assert refusal(path) == f"{path} does not exist; expected a file to read; check the path"
    says = rf"{tmp_path} cannot be read \(.*\); expected a file to read; give the name of a file, not of a folder"
    assert re.fullmatch(says, refusal(tmp_path))


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(edit_file, "LARGEST_FILE", 100)
    assert reason(save_edit(a_record(), tmp_path / "edit.json")) == "ValueError: over 100 bytes"


@pytest.mark.parametrize("version", [3, 0, -1, "1", None, 1.5, True])
def test_another_version_is_refused(tmp_path: Path, content: dict[str, Any], version: object):
    path = tmp_path / "edit.json"
    path.write_text(json.dumps(content | {"version": version}))
    if version == 3:
        due = f"{path} has schema version 3; this version of draggan-widget reads up to 2; update it"
    else:
        due = f"{path} has schema version {version!r}; expected a whole number from 1 to 2"
    assert refusal(path) == due


def bomb(side: int) -> str:
    return json_values.pack_mask(np.zeros((side, side), bool))


POINT = {"handles": [[1, 2]], "targets": [[3, 4]], "locked": [], "mask": None}
HOSTILE: list[tuple[str, Any, str]] = [
    ("seeds", 3, r"the file has an unknown 'seeds'; known are schema, version, .*"),
    ("drag", [], r"the file has an unknown 'drag'; did you mean 'drags'\?"),
    ("start.seed", 3, "start has both seed and ws"),
    ("start.ws", None, "start has neither seed nor ws"),
    ("start.label", -1, "label is -1; expected a whole number from 0"),
    ("start.truncation_psi", "much", "truncation_psi holds 'much'; expected finite numbers"),
    ("start.ws.shape", [1, 4], r"shape holds \[1, 4\]; expected a list of 3"),
    ("start.ws.shape", [1, 10**9, 10**9], r"ws has shape \[1, 1000000000, 1000000000\]; expected \[1, num_ws, w_dim\]"),
    ("start.ws.shape", [1, 2**20, 2**20], r"ws has 128 bytes; expected 4398046511104 for shape .*"),
    ("start.ws.float32", "!", r"ws is not base64 \(.*\)"),
    ("start.ws.float32", 3, "ws is 3; expected base64"),
    (
        "start.ws.float32",
        base64.b64encode(b"\0\0\xc0\x7f" * 32).decode(),
        "ws holds NaN or infinity; expected finite numbers",
    ),
    ("config", [], r"config is \[\]; expected an object of settings"),
    ("config.learning_rat", 1, r"DragConfig has no setting 'learning_rat'; did you mean 'learning_rate'\?"),
    ("config.block", "5", "block is '5'; expected int"),
    ("config.max_steps", 10**400, "max_steps is 1000.*; expected 0 to 1000000"),
    ("edit", None, "the edit is None; expected an object with handles, targets, locked, mask"),
    ("edit.handles", [[1e308, 10**400]], "handles holds 1000.*; expected finite numbers"),
    ("edit.handles", [["1", "2"]], "handles holds '1'; expected finite numbers"),
    ("edit.handles", [[1, 2, 3]], r"handles holds \[1, 2, 3\]; expected a list of 2"),
    ("edit.handles", {}, r"handles is \{\}; expected a list of pairs"),
    ("edit.handles", [], "the edit has 0 handles and 1 targets; give each handle one target"),
    ("edit.locked", [1], r"locked is \[1\]; expected true or false for each point"),
    ("edit.mask", 0, "the edit has mask 0 of 0"),
    ("edit.mask", True, "mask is True; expected a whole number from 0"),
    ("masks", ["iVBORw0KGgo="], r"the mask is not a PNG"),
    pytest.param(
        *("masks", [bomb(1 << 13)] * 9, "a mask has 8192 x 8192 px; expected 536870912 px in all"),
        marks=pytest.mark.slow,
    ),
    ("masks", {}, r"masks holds \{\}; expected a list"),
    (
        "drags",
        [{"config": None, "steps": 2, "ended": False, "edits": []}],
        r"a drag of 2 steps has edits at steps \[\]; expected rising from 0",
    ),
    (
        "drags",
        [{"config": None, "steps": 2, "ended": False, "edits": [{"step": 2, "edit": POINT}]}],
        r"a drag of 2 steps has edits at .*",
    ),
    (
        "drags",
        [{"config": None, "steps": 0, "ended": False, "edits": [{"step": 0, "edit": POINT}]}],
        r"a drag of 0 steps has edits at .*",
    ),
    ("drags", [{"config": None, "steps": 2, "ended": 1, "edits": []}], "ended is 1; expected true or false"),
    ("start.seed", 10**15, "start has both seed and ws"),
    ("start.label", 2**32, "label is 4294967296; expected at most 4294967295"),
    ("result.steps", 10**15, "steps is 1000000000000000; expected at most 4294967295"),
    ("edit.handles", [[1, 2]] * 65, "handles has 65 pairs; expected at most 64"),
    ("result.handles", [[1, 2]] * 65, "handles has 65 pairs; expected at most 64"),
    (
        "drags",
        [{"config": None, "steps": 10**15, "ended": False, "edits": [{"step": 0, "edit": POINT}]}],
        "steps is 1000000000000000; expected at most 1000001",
    ),
    ("drags", [3] * 100_000, "there are 100000 drags; expected at most 10000"),
    ("drags", [{"edits": [3] * 10_001}] * 2, "there are 20002 changes of the edit; expected at most 20000"),
    ("masks", [3] * 20_002, "there are 20002 masks; expected at most 20001"),
    ("drags", [3], "a drag is 3; expected an object with steps, ended, edits, config"),
    ("result.ending", "won", "ending is 'won'; expected one of .*"),
    ("result.handles", [[1]], r"handles holds \[1\]; expected a list of 2"),
    ("result.steps", -1, "steps is -1; expected a whole number from 0"),
    ("result.not_reproduced", [1], r"not_reproduced is \[1\]; expected texts"),
    ("generator.image_size", [64], r"image_size holds \[64\]; expected a list of 2"),
    ("generator.name", 3, "name is 3; expected a text"),
    ("versions", {"torch": 2}, r"versions is \{'torch': 2\}; expected an object of texts"),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("place", "value", "due"), HOSTILE)
def test_a_value_that_is_wrong_is_named(tmp_path: Path, content: dict[str, Any], place: str, value: Any, due: str):
    *way, last = place.split(".")
    part = content
    for name in way:
        part = part[name]
    part[last] = value
    path = tmp_path / "edit.json"
    path.write_text(json.dumps(content))
    assert re.fullmatch(due, reason(path), re.DOTALL)


def test_every_part_of_the_file_is_needed(tmp_path: Path, content: dict[str, Any]):
    path = tmp_path / "edit.json"
    for name in set(content) - {"schema", "version"}:
        path.write_text(json.dumps({key: value for key, value in content.items() if key != name}))
        assert reason(path) == f"the file has no {name!r}"


def test_a_mask_that_is_a_coloured_picture_is_refused():
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    with pytest.raises(ValueError, match=r"^the mask is a PNG of mode 'RGB'; expected 1 bit a px$"):
        json_values.unpack_mask(base64.b64encode(buffer.getvalue()).decode())


def test_more_drags_than_a_file_may_hold_are_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(edit_file, "MOST_DRAGS", 1)
    record, path = a_record(), tmp_path / "edit.json"
    save_edit(record, path)
    with pytest.raises(ExportError) as caught:
        save_edit(DragRecord(record.about, [*record, *record]), path)
    assert str(caught.value) == (
        "the edit cannot be saved: there are 2 drags; expected at most 1; save a shorter record"
    )
    assert len(load_edit(path).segments) == 1


def test_what_cannot_be_saved_says_so(tmp_path: Path):
    path = tmp_path / "edit.json"
    with pytest.raises(RecordError, match=r"^the record has 0 steps; expected at least one; start a drag first$"):
        save_edit(DragRecord(), path)
    with pytest.raises(ExportError, match=r"^the record's about has no config; expected all settings; make it "):
        save_edit(DragRecord({}, a_record().steps), path)
    with pytest.raises(ExportError) as caught:
        save_edit(a_record(), tmp_path / "edit.txt")
    assert str(caught.value) == (
        f"edits go to a file that ends in .json; {str(tmp_path / 'edit.txt')!r} does not; rename it"
    )
    assert not path.exists()
