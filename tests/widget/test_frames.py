import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from analytic import BlobGenerator
from PIL import Image
from session.helpers import BOUND, EDIT, OTHER, Gate, edit_of, endless, opened, until
from widget.helpers import (
    CLIENT,
    GOLDEN,
    BlindBlob,
    BrokenPicture,
    Clock,
    HeldPicture,
    TimedBlob,
    WindowedBlob,
    Wire,
    settle,
)

from draggan_widget.engine.edit import Edit
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.widget import frames as frames_module
from draggan_widget.widget.frames import Frames


class Stage:
    """A session with frames on a wire."""

    def __init__(self, session: DragSession, clock: Clock | None = None):
        self.session, self.clock, self.wire = session, clock or Clock(), Wire()
        self.posters: list[bytes] = []
        self.blocked = False
        self.frames = Frames(session, self.wire, lambda: self.blocked, self.posters.append, self.clock)
        session.subscribe(self.frames.handle)

    def shown(self, seq: int | None = None) -> None:
        newest = self.wire.of("frame")[-1]["seq"]
        self.frames.shown(CLIENT, newest if seq is None else seq)

    def settle(self) -> None:
        settle(self.session)

    def rest(self) -> None:
        """Say hello, and confirm the picture and the lossless one."""
        self.wire.confirm = self.frames
        self.frames.hello(CLIENT, False)
        self.wire.wait_kind("final")
        self.wire.confirm = None
        self.wire.sent.clear()


@pytest.fixture(autouse=True)
def short_rest(monkeypatch):
    monkeypatch.setattr(frames_module, "REST_SECONDS", 0.02)


@contextmanager
def stage(session: DragSession | None = None, clock: Clock | None = None) -> Iterator[Stage]:
    with session or opened() as used:
        yield Stage(used, clock)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


# At rest


def test_nothing_is_drawn_before_somebody_says_hello():
    with stage() as s:
        s.session.run()
        s.settle()
        assert s.wire.sent == []
        assert s.session.generator.drawn == 0


def test_a_hello_at_rest_brings_the_picture_and_then_the_lossless_one():
    with stage() as s:
        s.frames.hello(CLIENT, False)
        final = s.wire.wait_kind("final")
        assert s.wire.kinds == ["picture", "final"]
        (picture, jpeg), (_, png) = s.wire.sent
        assert [frame["mime"] for frame in (picture, final)] == ["image/jpeg", "image/png"]
        assert [frame["seq"] for frame in (picture, final)] == [1, 2]
        exact = s.session.current.pixels()
        np.testing.assert_array_equal(decoded(png[0]), exact)
        assert np.abs(decoded(jpeg[0]).astype(int) - exact).mean() < 4
        assert s.session.generator.drawn == 2


def test_frames_hold_exactly_the_fields_of_the_golden_ones():
    with stage() as s:
        s.wire.confirm = s.frames
        s.frames.hello(CLIENT, False)
        s.wire.wait_kind("final")
        s.session.run()
        s.wire.wait_kind("final", 2)
        golden = {frame["kind"]: frame for frame in GOLDEN["to_browser"].values() if frame["type"] == "frame"}
        assert set(s.wire.kinds) == set(golden) == {"preview", "picture", "final"}
        for content, buffers in s.wire.sent:
            assert list(content) == list(golden[content["kind"]])
            assert content["mime"] == golden[content["kind"]]["mime"]
            assert len(buffers) == 1
            assert decoded(buffers[0]).shape == (content["height"], content["width"], 3)
            assert type(content["seq"]) is type(content["step"]) is type(content["revision"]) is int
            assert len(content["handles"]) == len(content["distances"])
            assert content["steps_per_second"] is None or type(content["steps_per_second"]) is float
        assert [frame["seq"] for frame in s.wire.of("frame")] == list(range(1, len(s.wire.sent) + 1))


def test_a_picture_that_is_owed_comes_when_the_credit_returns():
    with stage() as s:
        s.rest()
        s.clock.now += 0.1
        s.session.new_seed(1)
        s.wire.wait_frames(2)
        s.session.new_seed(2)
        s.settle()
        assert len(s.wire.of("frame")) == 2
        s.shown()
        assert s.wire.wait_frames(3)[2]["seed"] == 2


def test_a_picture_whose_credit_is_lost_comes_after_a_second():
    with stage() as s:
        s.rest()
        for seed in (1, 2, 3):
            s.session.new_seed(seed)
            s.settle()
        assert [frame["seed"] for frame in s.wire.wait_frames(2)] == [1, 2]
        s.clock.now += 1.0
        assert s.wire.wait_frames(3)[2]["seed"] == 3
        assert len(s.wire.of("frame")) == 3


def test_a_client_gone_without_a_goodbye_is_sent_nothing_more_and_the_worker_rests():
    with stage() as s:
        s.rest()
        for seed in range(1, 4):
            s.session.new_seed(seed)
            s.settle()
        for _ in range(60):
            s.clock.now += 0.1
            s.settle()
        s.clock.now += 6.0
        until(lambda: s.frames._credit.clients == 0, "the client to be given up")
        s.settle()
        sent, drawn = len(s.wire.sent), s.session.generator.drawn
        assert sent <= 8
        s.session.new_seed(9)
        s.settle()
        s.clock.now += 10.0
        s.settle()
        until(lambda: controller_of(s.session).worker._mailbox.rest is None, "the worker to rest")
        assert (len(s.wire.sent), s.session.generator.drawn) == (sent, drawn)
        s.frames.hello(CLIENT, False)
        assert s.wire.wait_frames(sent + 1)[sent]["seed"] == 9


def test_the_poster_is_made_once_a_rest_even_when_the_lossless_picture_waits():
    with stage() as s:
        s.frames.hello(CLIENT, True)
        s.wire.wait_frames(1)
        until(lambda: s.posters, "the poster")
        for _ in range(5):
            s.settle()
        until(lambda: controller_of(s.session).worker._mailbox.rest is not None)
        assert len(s.posters) == 1
        assert s.wire.kinds == ["picture"]
        s.shown()
        s.wire.wait_kind("final")
        assert len(s.posters) == 1
        assert len(s.posters[0]) <= 32 * 1024
        assert decoded(s.posters[0]).shape == (64, 64, 3)


def test_an_edit_at_rest_does_not_cost_the_lossless_picture():
    with stage() as s:
        s.frames.hello(CLIENT, False)
        s.wire.wait_frames(1)
        s.session.edit = OTHER
        final = s.wire.wait_kind("final")
        assert final["revision"] == controller_of(s.session).revision


def test_a_state_left_before_its_lossless_picture_gets_none():
    with stage() as s:
        s.wire.confirm = s.frames
        s.frames.hello(CLIENT, False)
        s.wire.wait_frames(1)
        s.session.new_seed(5)
        assert s.wire.wait_kind("final")["seed"] == 5


def test_a_picture_that_cannot_be_drawn_is_told_and_the_next_one_comes():
    generator = BrokenPicture()
    with stage(opened(generator)) as s:
        s.frames.hello(CLIENT, False)
        until(lambda: s.wire.of("failed"))
        assert s.wire.of("failed") == [{"type": "failed", "message": "out of ink", "rid": None, "client": None}]
        assert list(s.wire.of("failed")[0]) == list(GOLDEN["to_browser"]["failed"])
        generator.broken = False
        s.frames.hello(CLIENT, False)
        s.wire.wait_kind("final")


# While a drag runs


def test_every_step_with_credit_is_shown_as_a_preview():
    clock, gate = Clock(), Gate()
    with stage(opened(TimedBlob(clock, step=0.01, picture=1000.0)), clock) as s:
        s.rest()
        s.session.on_step(gate)
        s.wire.confirm = s.frames
        controller_of(s.session).begin(10)
        gate.open()
        s.session.wait(BOUND)
        s.wire.wait_kind("picture")
        previews = [frame for frame in s.wire.of("frame") if frame["kind"] == "preview"]
        assert [frame["step"] for frame in previews] == list(range(11))
        assert {(frame["width"], frame["height"]) for frame in previews} == {(32, 32)}
        assert previews[-1]["steps_per_second"] == pytest.approx(100.0, rel=0.2)


def test_steps_without_credit_are_not_drawn():
    clock, gate = Clock(), Gate()
    with stage(opened(TimedBlob(clock, step=0.01, picture=1000.0)), clock) as s:
        s.rest()
        s.session.on_step(gate)
        gate.open()
        s.session.step(10)
        assert [frame["step"] for frame in s.wire.of("frame")] == [0, 1]
        s.shown()
        s.settle()
        s.session.step(10)
        assert s.wire.kinds.count("preview") == 3


def test_full_pictures_take_under_a_quarter_of_the_time():
    clock = Clock()
    generator = TimedBlob(clock, step=0.125, picture=0.5)
    with stage(opened(generator, learning_rate=1e-7, stall_steps=10**6), clock) as s:
        s.rest()
        s.wire.confirm = s.frames
        spent, began = generator.spent, clock.now
        s.session.step(80)
        during = [frame for frame in s.wire.of("frame") if frame["step"] < 80]
        pictures = [frame for frame in during if frame["kind"] == "picture"]
        assert len(pictures) >= 5
        assert len(during) == 80
        share = (len(pictures) * 0.5) / (80 * 0.125 + len(pictures) * 0.5)
        assert 0.15 < share < 0.26
        assert generator.spent - spent <= (clock.now - began) * 0.26 + 0.6


def test_previews_for_which_the_map_must_be_computed_take_half_of_the_time():
    clock = Clock()
    with stage(opened(WindowedBlob(clock, step=1.0, picture=1e6), learning_rate=1e-7, stall_steps=10**6), clock) as s:
        s.rest()
        s.wire.confirm = s.frames
        s.session.step(200)
        previews = [frame["step"] for frame in s.wire.of("frame") if frame["kind"] == "preview"]
        assert previews[:2] == [0, 1]  # the start holds its map
        took = (len(previews) - 1) * 1.0
        assert 0.4 < took / (200 * 0.1 + took) < 0.51


@pytest.mark.slow
def test_maps_computed_for_a_preview_that_there_is_not_take_half_of_the_time_at_most():
    clock = Clock()

    class Blind(BlindBlob, WindowedBlob):
        def __init__(self) -> None:
            WindowedBlob.__init__(self, clock, 1.0, 1e6)
            self.maps = 0

        def features(self, ws, block, windows=None):
            self.maps += windows is None
            return super().features(ws, block, windows)

    generator = Blind()
    with stage(opened(generator, learning_rate=1e-7, stall_steps=10**6), clock) as s:
        s.rest()
        s.wire.confirm = s.frames
        before = generator.maps
        s.session.step(200)
        assert 10 < generator.maps - before < 25


def test_a_generator_without_a_preview_still_shows_pictures():
    clock = Clock()

    class Blind(BlindBlob, TimedBlob):
        def __init__(self) -> None:
            TimedBlob.__init__(self, clock, 0.05, 0.2)

    with stage(opened(Blind(), learning_rate=1e-7, stall_steps=10**6), clock) as s:
        s.rest()
        s.wire.confirm = s.frames
        s.session.step(100)
        during = [frame for frame in s.wire.of("frame") if frame["step"] < 100]
        assert {frame["kind"] for frame in during} == {"picture"}
        assert len(during) >= 5
        assert len(during) * 0.2 / (100 * 0.05 + len(during) * 0.2) < 0.27
        assert s.session.last_error is None


def test_the_last_step_is_shown_as_the_full_picture_and_then_without_loss():
    with stage() as s:
        s.rest()
        s.wire.confirm = s.frames
        record = s.session.run()
        final = s.wire.wait_kind("final")
        assert final["step"] == record[-1].index
        assert final["distances"] == pytest.approx(list(record[-1].distances))
        (data,) = s.wire.sent[-1][1]
        np.testing.assert_array_equal(decoded(data), record[-1].pixels())


def test_a_busy_kernel_still_gets_some_frames():
    clock = Clock()
    with stage(endless(TimedBlob(clock, step=0.05, picture=1000.0)), clock) as s:
        s.rest()
        s.blocked = True
        s.session.step(100)
        previews = s.wire.kinds.count("preview")
        assert 2 + 4 * 2 <= previews <= 2 + 5 * 4 + 1


def test_handles_and_revision_of_a_frame_belong_together_while_the_edit_changes():
    points: dict[int, Edit] = {}
    with stage(endless()) as s:
        s.wire.confirm = s.frames
        s.frames.hello(CLIENT, False)
        s.session.start()
        points[controller_of(s.session).revision] = EDIT
        for number in range(150):
            edit = edit_of([(31.0, 31.0)] * (number % 3 + 1), [(40.0 + number % 7, 31.0)] * (number % 3 + 1))
            points[controller_of(s.session).change_edit(edit)] = edit
            if number % 10 == 0:
                s.wire.wait_frames(len(s.wire.of("frame")) + 1)
        s.session.stop()
        s.session.wait(BOUND)
    frames = s.wire.of("frame")
    assert len({frame["revision"] for frame in frames}) > 5
    for frame in frames:
        edit = points[frame["revision"]]
        assert len(frame["handles"]) == len(frame["distances"]) == len(edit)
        assert frame["handles"] == [pytest.approx(handle, abs=0.5) for handle in edit.handles]
        expected = [abs(target[0] - 31.0) for target in edit.targets]
        assert frame["distances"] == [pytest.approx(distance, abs=0.5) for distance in expected]


def test_a_step_left_by_an_undo_is_not_shown_as_the_new_state():
    with stage(endless()) as s:
        s.rest()
        s.wire.confirm = s.frames
        s.session.on_step(lambda step: step.index == 3 and s.session.undo())
        s.session.start()
        final = s.wire.wait_kind("final")
        frames = s.wire.of("frame")
        assert final["step"] == 0
        assert [frame["step"] for frame in frames if frame["revision"] == controller_of(s.session).revision] == [0, 0]
        assert max(frame["step"] for frame in frames) == 2


def test_a_preview_that_fails_ends_the_drag_in_words():
    class Failing(BlobGenerator):
        def preview(self, features, ws=None):
            raise RuntimeError("out of paint")

    with stage(opened(Failing())) as s:
        s.rest()
        s.wire.confirm = s.frames
        s.session.start()
        with pytest.raises(RuntimeError, match=r"^out of paint$"):
            s.session.wait(BOUND)


# Colab


def test_colab_is_handed_the_frames_of_a_running_drag_when_it_asks():
    clock, gate = Clock(), Gate()
    with stage(opened(TimedBlob(clock, step=0.01, picture=1000.0)), clock) as s:
        s.frames.hello(CLIENT, True)
        s.wire.wait_frames(1)
        s.shown()
        s.wire.wait_kind("final")
        s.shown()
        s.session.on_step(gate)
        s.session.start()
        for _ in range(2):
            gate.reached()
            gate.pass_one()
        gate.reached()
        assert len(s.wire.of("frame")) == 2
        s.frames.tick(CLIENT)
        frames = s.wire.wait_frames(3)
        assert (frames[2]["kind"], frames[2]["step"]) == ("preview", 0)
        s.frames.tick(CLIENT)
        assert len(s.wire.of("frame")) == 3
        s.shown()
        gate.pass_one()
        gate.reached()
        s.frames.tick(CLIENT)
        assert len(s.wire.of("frame")) == 4
        gate.open()


def test_a_frame_left_in_the_slot_does_not_come_after_the_picture_at_rest():
    clock = Clock()
    with stage(opened(TimedBlob(clock, step=0.5, picture=0.1)), clock) as s:
        s.frames.hello(CLIENT, True)
        s.wire.wait_frames(1)
        s.shown()
        s.wire.wait_kind("final")
        s.shown()
        s.session.step(4)
        s.settle()
        s.clock.now += 1.0
        s.wire.wait_kind("picture", 2)
        count = len(s.wire.of("frame"))
        s.frames.tick(CLIENT)
        assert len(s.wire.of("frame")) == count


def test_a_tick_with_nothing_left_sends_nothing():
    with stage() as s:
        s.frames.tick(CLIENT)
        assert s.wire.sent == []


# Closing


def test_nothing_is_sent_after_closing():
    generator = HeldPicture()
    with stage(opened(generator)) as s:
        s.frames.hello(CLIENT, False)
        assert generator.drawing.wait(BOUND)
        closing = threading.Thread(target=s.session.close)
        closing.start()
        until(lambda: controller_of(s.session).worker.closed)
        generator.go.set()
        closing.join(BOUND)
        s.frames.hello(CLIENT, False)
        s.frames.shown(CLIENT, 1)
        s.frames.tick(CLIENT)
        assert s.wire.sent == []


def test_a_picture_that_nobody_waits_for_is_dropped_while_it_is_drawn():
    dropped = []

    class Asking(BlobGenerator):
        def image(self, ws, features=None, cancelled=None):
            assert not cancelled()
            s.session.close()
            dropped.append(cancelled())
            return super().image(ws, features, cancelled)

    with stage(opened(Asking())) as s:
        s.frames.hello(CLIENT, False)
        until(lambda: dropped)
        assert dropped == [True]
        assert s.wire.sent == []


def test_a_client_dropped_for_silence_comes_back_with_its_next_word():
    with stage() as s:
        s.frames.hello(CLIENT, False)
        s.wire.wait_kind("final")
        s.clock.now += 60.0
        s.session.new_seed(1)
        s.settle()
        assert len(s.wire.of("frame")) == 2
        s.shown()
        assert s.wire.wait_frames(3)[2]["seed"] == 1
