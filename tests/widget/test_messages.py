import contextlib
import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from widget.helpers import CLIENT, GOLDEN

from draggan_widget.engine.edit import Edit
from draggan_widget.widget.messages import (
    Command,
    EditWish,
    Hello,
    MessageError,
    OverlayWish,
    SeedWish,
    SettingsWish,
    Shown,
    StepWish,
    Tick,
    parse,
)

KINDS = {
    "hello": Hello, "edit": EditWish, "start": Command, "stop": Command, "undo": Command, "redo": Command,
    "reset": Command, "step": StepWish, "seed": SeedWish, "settings": SettingsWish, "overlay": OverlayWish,
    "shown": Shown, "tick": Tick,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MASK = bytes([1, 0]) * 8


def edit(**changes: object) -> dict[str, object]:
    return {"type": "edit", "client": CLIENT, "rid": 1, "revision": 0, "points": [], "mask": "keep"} | changes


def buffers_for(message: object) -> list[bytes]:
    return [MASK] if isinstance(message, dict) and message.get("mask") == "buffer" else []


@pytest.mark.parametrize("name", GOLDEN["to_kernel"])
def test_every_golden_wish_is_understood(name):
    message = GOLDEN["to_kernel"][name]
    before = copy.deepcopy(message)
    wish = parse(message, buffers_for(message))
    assert type(wish) is KINDS[message["type"]]
    assert wish.client == message["client"]
    for field in ("rid", "revision", "seq", "n", "seed", "colab", "view"):
        if field in message:
            assert getattr(wish, field) == message[field]
    if "points" in message:
        assert [list(handle) for handle in wish.handles] == [point["handle"] for point in message["points"]]
        assert [list(target) for target in wish.targets] == [point["target"] for point in message["points"]]
    if isinstance(wish, Command):
        assert wish.name == message["type"]
    assert message == before


@pytest.mark.parametrize("name", GOLDEN["malformed_to_kernel"])
def test_every_malformed_wish_is_refused(name):
    entry = GOLDEN["malformed_to_kernel"][name]
    with pytest.raises(MessageError):
        parse(entry["message"], [])


def test_no_fact_but_an_edit_can_be_taken_for_a_wish():
    facts = [fact for fact in GOLDEN["to_browser"].values() if fact["type"] != "edit"]
    for message in facts:
        with pytest.raises(MessageError):
            parse(message)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (["start"], "the message is of type list; expected an object"),
        ({"type": "start", "rid": 1}, "client is None; expected str"),
        (
            {"type": "jump", "client": "a"},
            "the message has type 'jump', which this version does not know; reload the page",
        ),
        ({"type": "undo", "client": "a", "rid": True}, "rid is True; expected int"),
        ({"type": "step", "client": "a", "rid": 1, "n": 1001}, "n is 1001; expected 1 to 1000"),
        ({"type": "seed", "client": "a", "rid": 1, "seed": -1}, "seed is -1; expected 0 to 4294967295"),
        (edit(mask="all"), "mask is 'all'; expected 'keep', 'none' or 'buffer'"),
        (edit(mask="buffer"), "the message has 0 buffers; expected 1 with the mask"),
        (edit(points=[{"handle": [1, 2]}]), "target is None; expected [x, y]"),
        (edit(points=[7]), "handle is None; expected [x, y]"),
        (
            edit(points=[{"handle": [1, float("nan")], "target": [1, 2]}]),
            "handle is [1, nan]; expected finite numbers in image px",
        ),
        (
            edit(points=[{"handle": [1, 2], "target": [-float("inf"), 2]}]),
            "target is [-inf, 2]; expected finite numbers in image px",
        ),
    ],
)
def test_a_refusal_says_what_was_expected(message, words):
    with pytest.raises(MessageError) as caught:
        parse(message)
    assert str(caught.value) == words


def test_a_mask_comes_as_one_byte_a_pixel():
    wish = parse(edit(mask="buffer"), [memoryview(MASK)])
    made = wish.edit(Edit(), (4, 4))
    np.testing.assert_array_equal(made.mask, np.frombuffer(MASK, np.uint8).reshape(4, 4).astype(bool))
    with pytest.raises(MessageError) as caught:
        wish.edit(Edit(), (4, 5))
    assert str(caught.value) == "the mask has 16 bytes; expected 5 x 4, one per pixel"


def test_a_mask_is_kept_or_removed_as_asked():
    current = Edit(mask=np.ones((4, 4), bool))
    assert parse(edit(mask="keep")).edit(current, (4, 4)).mask is not None
    assert parse(edit(mask="none")).edit(current, (4, 4)).mask is None


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(message=JSON, buffers=st.lists(st.binary(max_size=4), max_size=2))
def test_any_json_is_a_wish_or_refused(message, buffers):
    with contextlib.suppress(MessageError):
        parse(message, buffers)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_wish_with_any_field_spoilt_is_a_wish_or_refused(data):
    message = copy.deepcopy(GOLDEN["to_kernel"][data.draw(st.sampled_from(sorted(GOLDEN["to_kernel"])))])
    field = data.draw(st.sampled_from([*sorted(message), "seed", "points"]))
    message[field] = data.draw(JSON)
    if data.draw(st.booleans()) and message.get("points"):
        message["points"] = [{"handle": data.draw(JSON), "target": [1, 2]}]
    try:
        wish = parse(message, data.draw(st.lists(st.binary(max_size=4), max_size=2)))
    except MessageError:
        return
    if isinstance(wish, EditWish):
        numbers = [value for point in wish.handles + wish.targets for value in point]
        assert all(type(value) is float and np.isfinite(value) for value in numbers)
