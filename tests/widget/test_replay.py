"""The replay without a browser: what is drawn for a step, in words and pixels; closing and refusing."""

import asyncio
import gc
import threading
import weakref

import numpy as np
import pytest
from analytic import BlobGenerator
from session.helpers import EDIT, edit_of, opened, until
from widget.helpers import open_models

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import RecordError
from draggan_widget.widget import replay
from draggan_widget.widget.board import Board, Scene
from draggan_widget.widget.lifecycle import _open, close_all
from draggan_widget.widget.replay import TrajectoryReplay


def threads() -> int:
    return sum(thread.name == "draggan-replay" for thread in threading.enumerate())


@pytest.fixture(scope="module")
def record() -> DragRecord:
    with opened() as session:
        return session.run()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Scene]:
    scenes: list[Scene] = []
    monkeypatch.setattr(Board, "show", lambda self, scene: scenes.append(scene))
    return scenes


@pytest.fixture
def player(record: DragRecord, shown: list[Scene]):
    made = TrajectoryReplay(record)
    yield made
    made.close()


def test_it_opens_at_the_start_and_says_where_it_is(player, shown, record):
    assert np.array_equal(shown[-1].pixels, record[0].pixels())
    away = record[0].distances[0]
    assert f">Step 0 of {len(record) - 1} · handle 1: {away:.1f} px left<" in player.progress.value


def test_where_it_is_stands_in_its_first_state_before_any_message_of_the_main_loop(record):
    async def made_in_a_cell() -> str:
        replay = TrajectoryReplay(record)
        words = replay.progress.value
        replay.close()
        return words

    assert f">Step 0 of {len(record) - 1} " in asyncio.run(made_in_a_cell())


def test_a_step_shows_its_picture_handles_targets_and_the_path_so_far(player, shown, record):
    player.slider.value = 5
    until(lambda: len(shown) == 2, "the step")
    assert np.array_equal(shown[-1].pixels, record[5].pixels())
    assert shown[-1].smooth  # as in the drag widget
    points = shown[-1].points
    assert (points.handles, points.targets) == (record[5].handles, record[5].targets)
    assert points.paths == (tuple(step.handles[0] for step in record[:6]),)
    until(lambda: f">Step 5 of {len(record) - 1} " in player.progress.value, "the words")


def test_a_path_begins_where_the_points_were_changed(shown):
    with opened() as session:
        session.step(3)
        session.edit = edit_of([*EDIT.handles, (10.0, 12.0)], [*EDIT.targets, (12.0, 12.0)])
        session.step(2)
        record = session.record
    player = TrajectoryReplay(record)
    player.slider.value = len(record) - 1
    until(lambda: len(shown) == 2, "the step")
    player.close()
    paths = shown[-1].points.paths
    lengths = {len(path) for path in paths}
    assert len(paths) == 2
    assert lengths == {sum(len(step.handles) == 2 for step in record)}


def test_of_many_wishes_the_newest_is_drawn(record, shown):
    player = TrajectoryReplay(record)
    began, go = threading.Event(), threading.Event()
    player._worker.submit("other", lambda: (began.set(), go.wait(60)))
    assert began.wait(60)
    for position in range(1, 9):
        player.slider.value = position
    go.set()
    until(lambda: "Step 8 of" in player.progress.value, "the last step")
    player.close()
    assert len(shown) == 2  # the start and step 8


def test_pictures_are_drawn_when_asked_for_and_the_latest_are_kept(monkeypatch):
    with opened() as session:
        record = session.run()
    drawn = session.generator.drawn
    monkeypatch.setattr(replay, "CACHE_BYTES", 2 * 64 * 64 * 3)
    pictures = replay._Pictures(list(record))
    assert session.generator.drawn == drawn
    for position in (0, 1, 1, 0, 2, 2):
        assert np.array_equal(pictures[position], pictures[position])
    assert session.generator.drawn == drawn + 3
    for kept in (0, 2):
        _ = pictures[kept]
    assert session.generator.drawn == drawn + 3
    _ = pictures[1]
    assert session.generator.drawn == drawn + 4


def test_the_pace_is_that_of_the_play_button(player):
    player.pace.value = "4 ×"
    assert player.play.interval == 25


def test_a_step_that_cannot_be_drawn_says_so(player, monkeypatch):
    def broken(self, *_: object) -> None:
        raise RuntimeError("out of <ink>")

    monkeypatch.setattr(BlobGenerator, "image", broken)
    player.slider.value = 7
    until(lambda: "RuntimeError: out of &lt;ink&gt;" in player.progress.value, "the error")


def test_closing_ends_its_worker_and_its_parts_and_twice_is_once(record):
    before = threads()
    made = TrajectoryReplay(record)
    made.slider.value = 3
    until(lambda: threads() == before + 1, "the worker")
    made.close()
    made.close()
    assert threads() == before
    assert made.comm is None
    assert made.slider.comm is None
    assert made._board.canvas.comm is None
    assert made._board.canvas[0].comm is None
    assert made not in _open


def test_the_same_cell_run_again_leaves_one_and_close_all_none(record, monkeypatch):
    made = []
    for execution in ("first", "second"):
        monkeypatch.setattr("draggan_widget.widget.box.cell_identity", lambda execution=execution: ("c", execution))
        made.append(TrajectoryReplay(record))
    assert [player.comm is None for player in made] == [True, False]
    assert close_all() >= 1
    assert made[1].comm is None


def test_an_empty_record_and_one_without_its_generator_are_refused(record, tmp_path):
    with pytest.raises(RecordError) as caught:
        TrajectoryReplay(DragRecord())
    assert str(caught.value) == "the record has 0 steps; expected at least one; start a drag first"
    path = record.save(tmp_path / "drag.npz")
    with pytest.raises(RecordError) as caught:
        TrajectoryReplay(DragRecord.load(path))
    assert str(caught.value).startswith(
        "this step was read without its generator; call DragRecord.load(path, generator)"
    )


def test_once_closed_neither_it_nor_a_model_of_it_is_left(record):
    before = set(open_models())
    made = TrajectoryReplay(record)
    assert len(set(open_models()) - before) > 10
    made.close()
    assert [open_models()[left] for left in set(open_models()) - before] == []
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None


def test_a_session_is_played_as_its_record_is(shown):
    with opened() as session:
        session.step(3)
        made = TrajectoryReplay(session)
        assert made.slider.max == len(session.record) - 1 == 3
        made.close()
