import threading

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from session.helpers import BOUND, EDIT, OTHER, endless, opened, until
from torch.utils._python_dispatch import TorchDispatchMode
from widget.helpers import CLIENT, GOLDEN, Wire, settle

from draggan_widget.engine.edit import Edit
from draggan_widget.session.session import controller_of
from draggan_widget.widget.dispatch import Dispatch
from draggan_widget.widget.frames import Frames


class NoTorch(TorchDispatchMode):
    """Any torch operation on this thread fails."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func} was called in a handler")


class Desk:
    """A session behind a dispatch; every message comes in under `NoTorch`."""

    def __init__(self, session):
        self.session, self.wire, self._rid = session, Wire(), 0
        self.frames = Frames(session, self.wire, lambda: False, lambda jpeg: None)
        self.dispatch = Dispatch(session, self.frames, self.wire)
        session.subscribe(self.dispatch.handle)
        session.subscribe(self.frames.handle)

    def receive(self, content, buffers=()) -> None:
        with NoTorch():
            self.dispatch.receive(content, list(buffers))

    def wish(self, kind: str, buffers=(), **fields: object) -> int:
        self._rid += 1
        self.receive({"type": kind, "client": CLIENT, "rid": self._rid} | fields, buffers)
        return self._rid

    def edit(self, revision: int, target=(20.0, 40.0), mask: str = "keep", buffers=()) -> dict:
        points = [{"handle": [31, 31], "target": list(target)}]
        rid = self.wish("edit", buffers, revision=revision, points=points, mask=mask)
        (answer,) = [fact for fact in self.wire.of("edit") if fact["rid"] == rid]
        return answer


@pytest.fixture
def desk():
    with opened() as session:
        yield Desk(session)


def test_the_guard_against_torch_in_handlers_works():
    with pytest.raises(AssertionError, match="was called in a handler"), NoTorch():
        torch.zeros(3)


def test_an_edit_is_answered_with_its_rid_its_client_and_the_new_revision(desk):
    answer = desk.edit(revision=1)
    assert answer == {
        "type": "edit", "revision": 2, "rid": 1, "client": CLIENT, "accepted": True, "error": None,
        "points": [{"handle": [31.0, 31.0], "target": [20.0, 40.0], "locked": False}], "handles": [[31.0, 31.0]],
        "mask": "none",
    }  # fmt: skip
    assert list(answer) == list(GOLDEN["to_browser"]["edit_accepted"])
    assert desk.session.edit == OTHER
    assert len(desk.wire.of("edit")) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"revision": 0}, "the points changed meanwhile (revision 1, not 0); draw it again"),
        (
            {"revision": 1, "target": (64.0, 3.0)},
            "target 1 at (64, 3) is outside the 64 x 64 image; move it inside",
        ),
        (
            {"revision": 1, "mask": "buffer", "buffers": [b"\0" * 9]},
            "the mask has 9 bytes; expected 64 x 64, one per pixel",
        ),
        (
            {"revision": 1, "mask": "buffer", "buffers": [b"\1\7" * 2048]},
            "mask is 64 x 64 px and holds 2 values (1, 7); expected (height, width) of two values, 0 (stays) and one "
            "other (may move); give mask > 4",
        ),
    ],
)
def test_a_refused_edit_is_answered_with_the_words_and_what_still_holds(desk, fields, words):
    answer = desk.edit(**fields)
    assert (answer["accepted"], answer["error"], answer["revision"]) == (False, words, 1)
    assert answer["points"] == [{"handle": [31.0, 31.0], "target": [44.0, 36.0], "locked": False}]
    assert (answer["rid"], answer["client"]) == (1, CLIENT)
    assert desk.session.edit == EDIT


def test_a_mask_goes_in_and_comes_back_as_one_byte_a_pixel(desk):
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :20] = 1
    assert desk.edit(1, mask="buffer", buffers=[memoryview(mask.tobytes())])["mask"] == "buffer"
    (buffer,) = desk.wire.sent[-2][1]  # the answer; what the session can do follows
    assert buffer == mask.tobytes()
    assert desk.edit(2, mask="keep")["mask"] == "keep"
    assert desk.session.edit.mask is not None
    assert desk.edit(3, mask="none")["mask"] == "none"
    assert desk.wire.sent[-2][1] == []


def test_hello_tells_the_points_and_brings_the_picture(desk):
    desk.receive({"type": "hello", "client": CLIENT, "colab": False})
    first = desk.wire.sent[0][0]
    assert (first["type"], first["rid"], first["client"], first["revision"]) == ("edit", None, None, 1)
    assert desk.wire.wait_kind("final")["revision"] == 1


def test_hello_during_a_drag_says_that_it_runs():
    with endless() as session:
        session.start()
        until(lambda: len(session.record) > 2)
        desk = Desk(session)
        desk.receive({"type": "hello", "client": CLIENT, "colab": False})
        (told,) = desk.wire.of("run")
        assert (told["running"], told["ended"], told["can_reset"]) == (True, None, True)
        desk.wire.wait_kind("preview")


def test_start_stop_step_undo_reset_and_seed_reach_the_session(desk):
    desk.wish("step", n=2)
    desk.session.wait(BOUND)
    assert len(desk.session.record) == 3
    desk.wish("start")
    desk.wish("stop")
    desk.session.wait(BOUND)
    desk.wish("reset")
    assert len(desk.session.record) == 0
    desk.wish("undo")
    assert len(desk.session.record) >= 3
    desk.wish("seed", seed=5)
    settle(desk.session)
    assert desk.session.seed == 5
    desk.wish("seed", seed=None)
    settle(desk.session)
    assert desk.session.seed == 6
    assert desk.wire.of("failed") == []


def test_facts_of_a_drag_have_the_fields_of_the_golden_ones(desk):
    desk.wish("start")
    until(lambda: len(desk.wire.of("run")) == 2)
    golden = GOLDEN["to_browser"]
    started, ended = desk.wire.of("run")
    assert list(started) == list(ended) == list(golden["run_arrived"])
    assert started == golden["run_running"]
    assert ended == golden["run_arrived"]


def test_hello_says_that_no_drag_runs_and_why_the_last_one_is_over(desk):
    desk.session.run()
    desk.receive({"type": "hello", "client": CLIENT, "colab": False})
    assert desk.wire.of("run")[-1] == GOLDEN["to_browser"]["run_arrived"]


def test_every_change_tells_what_holds_then(desk):
    def told() -> tuple:
        last = desk.wire.of("run")[-1]
        return (last["running"], last["ended"], last["can_undo"], last["can_redo"], last["can_reset"])

    arrived = {"reason": "arrived", "message": "Every point has reached its target."}
    desk.session.run()
    assert told() == (False, arrived, True, False, True)
    desk.wish("undo")
    assert told() == (False, None, True, True, False)
    desk.wish("reset")  # it changes nothing
    assert told() == (False, None, True, True, False)
    desk.wish("redo")
    assert told() == (False, arrived, True, False, True)
    desk.edit(controller_of(desk.session).revision)
    assert told() == (False, None, True, False, True)
    desk.session.step()
    stopped = {"reason": "stopped", "message": "Stopped. Start resumes the drag."}
    assert told() == (False, stopped, True, False, True)
    desk.wish("settings", preset=None, max_steps=12, latent_space=None)  # the next Start begins a new drag
    assert told() == (False, None, True, False, True)
    desk.wish("seed", seed=5)
    settle(desk.session)
    assert told() == (False, None, True, False, False)


def test_undo_from_python_tells_everybody_the_points(desk):
    desk.session.undo()
    (told,) = desk.wire.of("edit")
    assert (told["rid"], told["client"], told["points"], told["revision"]) == (None, None, [], 2)
    (told,) = desk.wire.of("run")
    assert (told["can_undo"], told["can_redo"], told["revision"]) == (False, True, 2)


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("start", {}, "there are no points to drag; "),
        ("step", {"n": 1}, "there are no points to drag; "),
        (
            "settings",
            {"preset": "papper", "max_steps": None, "latent_space": None},
            "preset is 'papper'; expected one of ",
        ),
    ],
)
def test_a_wish_that_cannot_be_carried_out_is_told_to_the_client_that_asked(desk, kind, fields, words):
    desk.session.edit = Edit()
    rid = desk.wish(kind, **fields)
    (failed,) = desk.wire.of("failed")
    assert failed["message"].startswith(words)
    assert (failed["rid"], failed["client"]) == (rid, CLIENT)
    assert list(failed) == list(GOLDEN["to_browser"]["failed_wish"])


@pytest.mark.parametrize("name", GOLDEN["malformed_to_kernel"])
def test_a_malformed_message_is_told_and_changes_nothing(desk, name):
    before = controller_of(desk.session).revision
    desk.receive(GOLDEN["malformed_to_kernel"][name]["message"])
    (failed,) = desk.wire.of("failed")
    assert (failed["rid"], failed["client"]) == (None, None)
    assert controller_of(desk.session).revision == before
    assert desk.session.status == "idle"


def test_a_drag_that_fails_is_told_in_words(desk):
    def refuse(step) -> None:
        raise ValueError

    desk.session.on_step(refuse)
    desk.wish("start")
    until(lambda: desk.wire.of("failed"))
    says = "ValueError; session.last_error has the traceback"
    assert desk.wire.of("failed") == [{"type": "failed", "message": says, "rid": None, "client": None}]


def test_wishes_to_a_closed_session_are_answered_without_an_exception(desk):
    desk.session.close()
    assert desk.edit(1)["error"] == "this session is closed; expected an open one; make a new DragSession"
    for kind in ("start", "undo", "reset"):
        desk.wish(kind)
    assert len(desk.wire.of("failed")) == 3
    desk.wish("stop")
    desk.wish("seed", seed=1)


def test_messages_from_many_threads_at_once_are_all_answered():
    with endless() as session:
        session.start()
        desk = Desk(session)

        def talk(number: int) -> None:
            for turn in range(30):
                content = {
                    "type": "edit",
                    "client": f"c{number}",
                    "rid": turn,
                    "revision": controller_of(session).revision,
                    "mask": "keep",
                }
                points = [{"handle": [31, 31], "target": [40, 30 + number]}]
                desk.receive(content | {"points": points})

        threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        answers = desk.wire.of("edit")
        assert sorted((a["client"], a["rid"]) for a in answers) == [(f"c{n}", t) for n in range(4) for t in range(30)]
        assert sum(a["accepted"] for a in answers) == controller_of(session).revision - 1
        assert session.status == "running"


def test_a_generator_is_not_called_by_handlers():
    generator = BlobGenerator()
    with opened(generator) as session:
        desk = Desk(session)
        desk.edit(1)
        desk.wish("undo")
        desk.wish("reset")
        assert (generator.calls, generator.drawn) == (0, 0)


def test_settings_are_told_and_changed(desk):
    desk.receive({"type": "hello", "client": CLIENT, "colab": False})
    (told,) = desk.wire.of("settings")
    assert list(told) == list(GOLDEN["to_browser"]["settings"])
    assert (told["preset"], told["max_steps"], told["latent_spaces"]) == ("default", 300, ["W", "W+"])
    desk.wish("settings", preset=None, max_steps=12, latent_space="W+")
    assert (desk.session.config.max_steps, desk.session.config.latent_space) == (12, "W+")
    answer = desk.wire.of("settings")[-1]
    assert (answer["max_steps"], answer["latent_space"], answer["client"]) == (12, "W+", CLIENT)


def test_a_lock_comes_back_with_its_point(desk):
    points = [{"handle": [31, 31], "target": [31, 31], "locked": True}]
    desk.wish("edit", revision=1, points=points, mask="none")
    assert desk.session.edit.locked == (True,)
    assert desk.wire.of("edit")[-1]["points"] == [{"handle": [31.0, 31.0], "target": [31.0, 31.0], "locked": True}]


def test_truncation_alone_keeps_the_seed(desk):
    desk.session.new_seed(5)
    desk.wish("seed", seed=None, truncation_psi=0.4)
    until(lambda: desk.session.truncation_psi == 0.4)
    assert desk.session.seed == 5


def test_redo_reaches_the_session(desk):
    desk.session.undo()
    assert len(desk.session.edit) == 0
    assert desk.wire.of("run")[-1]["can_redo"]
    desk.wish("redo")
    assert desk.session.edit == EDIT


def test_moving_an_end_in_a_running_drag_is_one_step_of_undo():
    with endless() as session:
        desk = Desk(session)
        session.start()
        before = session.edit
        for x in range(20, 30):
            desk.edit(controller_of(session).revision, target=(float(x), 40.0))
        session.stop()
        session.wait(BOUND)
        session.undo()
        assert session.edit == before
        assert session.edit.targets == EDIT.targets
