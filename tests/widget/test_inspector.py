"""The inspector without a browser: what it shows is what `inspection` computes; it follows, refuses and closes."""

import gc
import threading
import weakref

import numpy as np
import pytest
from session.helpers import EDIT, Gate, opened, until
from widget.helpers import open_models

from draggan_widget.engine.record import DragRecord
from draggan_widget.errors import RecordError
from draggan_widget.generators.feature_map import read_point
from draggan_widget.inspection.feature_maps import FeatureColours, channels_by_variance, difference, similarity
from draggan_widget.session.session import DragSession, controller_of
from draggan_widget.widget import inspector
from draggan_widget.widget.board import Board, Scene
from draggan_widget.widget.inspector import FeatureInspector
from draggan_widget.widget.lifecycle import _open
from draggan_widget.widget.views import heat


class Pair:
    """An inspector and the scenes of its two boards."""

    def __init__(self, source: DragSession | DragRecord, scenes: list[tuple[Board, Scene]]):
        self._scenes = scenes
        self.made = FeatureInspector(source)
        self.settled()

    def settled(self) -> None:
        """Wait until all that was asked for is done."""
        done = threading.Event()
        self.made._worker.submit("test", done.set)
        assert done.wait(60)

    def choose(self, **values: object) -> None:
        for name, value in values.items():
            getattr(self.made, name).value = value
        self.settled()

    @property
    def map(self) -> Scene:
        return [scene for board, scene in self._scenes if board.canvas is self.made.children[1].children[1]][-1]

    @property
    def picture(self) -> Scene:
        return [scene for board, scene in self._scenes if board.canvas is self.made.children[1].children[0]][-1]


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Board, Scene]]:
    kept: list[tuple[Board, Scene]] = []
    monkeypatch.setattr(Board, "show", lambda self, scene: kept.append((self, scene)))
    return kept


@pytest.fixture
def session():
    with opened() as made:
        made.step(6)
        yield made


@pytest.fixture
def pair(session, scenes):
    made = Pair(session, scenes)
    yield made
    made.made.close()


def test_it_opens_at_the_newest_step_with_its_picture_and_colours(pair, session):
    block = session.config.block
    assert np.array_equal(pair.picture.pixels, session.current.pixels())
    colours = FeatureColours.fit(session.record[0], block)
    assert np.array_equal(pair.map.pixels, colours.of(session.current.features(block)))
    assert pair.picture.points.handles == session.handles
    assert ">Step 6 of 6 · handle 1: " in pair.made.progress.value


def test_every_view_of_every_step_is_what_the_inspection_computes(pair, session):
    start, step, size = session.record[0], session.record[4], session.generator.image_size
    for block in (2, 4):
        features = step.features(block)
        pair.choose(step=4, block=block, view="channel", rank=2)
        channel = channels_by_variance(features)[1]
        assert np.array_equal(pair.map.pixels, heat(features.whole[channel].numpy()))
        assert f"Block {block}: channel {channel}, number 2 by variance" in pair.made.caption.value
        for view, measure in (("similarity", "cosine"), ("L2", "L2")):
            pair.choose(view=view)
            assert np.array_equal(pair.map.pixels, heat(similarity(features, (32.0, 32.0), size, measure)))
        pair.choose(view="difference")
        assert np.array_equal(pair.map.pixels, heat(difference(features, start.features(block))))
        assert pair.made.rank.max == len(features.whole)


def test_the_cost_lies_over_the_grey_picture_where_it_was_searched(pair, session):
    pair.choose(view="cost")
    step, reach = session.current, session.config.tracking_radius
    grey = (step.pixels().mean(axis=2) / 2 + 64).astype(np.uint8)
    coloured = np.abs(pair.map.pixels.astype(int) - grey[..., None]).max(axis=2) > 0
    rows, columns = np.nonzero(coloured)
    x, y = step.references.points[0].searched_from
    assert (columns.min(), columns.max()) == (x - reach, x + reach)
    assert (rows.min(), rows.max()) == (y - reach, y + reach)
    assert pair.map.points.pixel == step.handles[0]
    assert pair.map.points.handles == ()
    assert f"least at ({step.handles[0][0]:g}, {step.handles[0][1]:g})" in pair.made.caption.value


def test_the_cost_of_a_record_from_a_file_is_that_of_the_drag(pair, session, scenes, tmp_path):
    pair.choose(view="cost", step=4)
    read = Pair(DragRecord.load(session.record.save(tmp_path / "drag.npz"), session.generator), scenes)
    read.choose(view="cost", step=4)
    assert "cost around handle 1, least at" in read.made.caption.value
    assert read.made.caption.value == pair.made.caption.value
    assert np.array_equal(read.map.pixels, pair.map.pixels)
    read.made.close()


def test_the_cost_before_a_drag_says_that_there_was_none(scenes):
    with opened() as session:
        pair = Pair(session, scenes)
        pair.choose(view="cost")
        expected = "this state has not been dragged yet; expected a step of a drag; start one first"
        assert expected in pair.made.caption.value
        pair.made.close()


def test_the_cost_is_that_of_the_drag_s_own_settings_whatever_the_session_s_are_since(pair, session, monkeypatch):
    pair.choose(view="cost")
    words, about = pair.made.caption.value, session.record.about
    for changes in ({"tracking_radius": 9}, {"block": 2}):
        session.config = session.config.replace(**changes)
        monkeypatch.setattr(session.record, "about", about)  # what a record says stays that of its drag
        pair.choose(step=3)
        pair.choose(step=6)
        assert pair.made.caption.value == words


def test_moving_the_pointer_shows_the_feature_vector_there(pair, session):
    pair.made._on_hover((20.0, 31.0))
    pair.settled()
    block = session.config.block
    vector = read_point(session.current.features(block), (20.0, 31.0), session.generator.image_size).numpy()
    channel = int(np.abs(vector).argmax())
    length = f"(20, 31), block {block}: length {np.linalg.norm(vector):.3g}; "
    assert f"{length}largest channels {channel}: {vector[channel]:+.2f}, " in pair.made.vector.value
    assert pair.made.vector.value.count("<svg") == 1


def test_a_click_asks_for_the_similarity_to_that_pixel(pair, session):
    features, size = session.current.features(session.config.block), session.generator.image_size
    for pixel in ((12.0, 40.0), (50.0, 9.0)):
        pair.made._on_press(pixel)
        pair.settled()
        assert pair.made.view.value == "similarity"
        assert np.array_equal(pair.map.pixels, heat(similarity(features, pixel, size)))
        assert pair.map.points.pixel == pixel
        assert pair.picture.points.pixel == pixel


def test_it_follows_the_newest_step_and_stays_at_one_that_was_chosen(pair, session, monkeypatch):
    monkeypatch.setattr(inspector, "FOLLOW_SECONDS", 0.0)
    session.step(2)
    until(lambda: (pair.made.step.value, pair.made.step.max) == (8, 8), "the newest step")
    pair.choose(step=3)
    session.step(1)
    until(lambda: pair.made.step.max == 9, "the new step")
    assert pair.made.step.value == 3
    pair.choose(step=9)
    session.undo()
    until(lambda: pair.made.step.max == 8, "the undo")
    pair.settled()
    assert np.array_equal(pair.picture.pixels, session.current.pixels())
    session.reset()
    until(lambda: pair.made.step.layout.display == "none", "the start")  # nothing is to choose
    pair.settled()
    before = pair.picture.pixels
    assert np.array_equal(before, session.current.pixels())
    session.new_seed(5)  # the same number of steps, another picture
    pair.settled()
    assert np.array_equal(pair.picture.pixels, session.current.pixels())
    assert not np.array_equal(pair.picture.pixels, before)


def test_while_a_drag_runs_it_is_shown_a_few_times_a_second(pair, session, monkeypatch):
    monkeypatch.setattr(inspector, "FOLLOW_SECONDS", 1e9)
    told: list[int] = []
    monkeypatch.setattr(pair.made, "_follow", lambda: told.append(1))
    pair.made._followed = float("-inf")
    session.step(5)
    until(lambda: len(told) >= 2, "started and ended")
    assert len(told) == 2  # not once a step


def test_nothing_is_computed_on_the_thread_that_tells_or_asks(pair, session):
    gate, began = Gate(), threading.Event()
    session.on_step(gate)
    held = threading.Event()
    pair.made._worker.submit("held", lambda: (began.set(), held.wait(60)))
    assert began.wait(60)
    session.start()
    for _ in range(3):  # the drag continues while the inspector's worker is held
        gate.reached()
        gate.pass_one()
    pair.made.view.value = "difference"
    gate.open()
    session.stop()
    session.wait()
    held.set()
    pair.settled()
    assert "distance to the start" in pair.made.caption.value


def test_a_view_that_cannot_be_computed_says_so_in_words(scenes):
    with DragSession(opened().generator) as session:
        pair = Pair(session, scenes)
        pair.choose(view="cost")
        assert "the tracker&#x27;s cost needs a handle; set one" in pair.made.caption.value
        assert 'role="alert"' in pair.made.caption.value
        session.edit = EDIT
        pair.choose(view="similarity")
        assert "cosine similarity to the pixel (32, 32)" in pair.made.caption.value
        pair.made.close()


def test_a_record_is_looked_into_without_a_session(session, scenes, tmp_path):
    path = session.record.save(tmp_path / "drag.npz")
    record = DragRecord.load(path, session.generator)
    pair = Pair(record, scenes)
    pair.choose(step=2, view="difference")
    block = session.config.block
    expected = heat(difference(record[2].features(block), record[0].features(block)))
    assert np.array_equal(pair.map.pixels, expected)
    pair.made.close()
    for refused, message in (
        (DragRecord(), "the record has 0 steps; expected at least one; start a drag first"),
        (DragRecord.load(path), "this record was read without its generator; call DragRecord.load(path, generator)"),
    ):
        with pytest.raises(RecordError) as caught:
            FeatureInspector(refused)
        assert str(caught.value) == message


def test_closing_lets_the_session_and_the_worker_go(session, scenes):
    listeners = len(controller_of(session).listeners)
    pair = Pair(session, scenes)
    assert len(controller_of(session).listeners) == listeners + 1
    pair.made.close()
    pair.made.close()
    assert len(controller_of(session).listeners) == listeners
    assert not [thread for thread in threading.enumerate() if thread.name == "draggan-inspector"]
    assert pair.made.comm is None
    assert pair.made.view.comm is None
    assert pair.made not in _open
    session.step(1)


def test_the_same_cell_run_again_leaves_one(session, monkeypatch):
    listeners, made = len(controller_of(session).listeners), []
    for execution in ("first", "second"):
        monkeypatch.setattr("draggan_widget.widget.box.cell_identity", lambda execution=execution: ("c", execution))
        made.append(FeatureInspector(session))
    assert [one.comm is None for one in made] == [True, False]
    assert len(controller_of(session).listeners) == listeners + 1
    made[1].close()


def test_once_closed_neither_it_nor_a_model_of_it_is_left(session):
    before = set(open_models())
    made = FeatureInspector(session)
    looked = threading.Event()
    made._worker.submit("test", looked.set)
    assert looked.wait(60)
    assert len(set(open_models()) - before) > 20
    made.close()
    assert [open_models()[left] for left in set(open_models()) - before] == []
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
