import functools

import numpy as np
import pytest
import torch
from analytic import BlobGenerator, PairGenerator
from engine.helpers import EDIT, START, run, settings

from draggan_widget import DragConfig, DragRecord, DragSession, DragStep, Edit, drag, load_generator
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.inspection import as_tracked, similarity, tracking_cost

HEADS = Edit(((78.0, 78.0), (50.0, 96.5)), ((66.0, 79.0), (40.0, 96.0)))


@functools.cache
def heads_drag(share: float, norm: str) -> tuple[DragRecord, DragConfig]:
    generator = load_generator()
    config = DragConfig.for_generator(generator).replace(max_steps=6, mean_removal=share, tracking_norm=norm)
    steps = drag(generator, generator.ws_from_seed(3, 0.7), HEADS, config)
    return DragRecord(steps=list(steps)), config


def reread(record: DragRecord, path) -> DragRecord:
    return DragRecord.load(record.save(path / "record.npz"), record[0].generator)


@pytest.mark.parametrize(
    ("share", "norm"), [(0.0, "L2"), *(pytest.param(0.4, norm, marks=pytest.mark.slow) for norm in ("L2", "L1"))]
)
@pytest.mark.parametrize("from_file", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_smallest_cost_of_every_step_of_a_real_drag_is_where_its_tracker_went(share, norm, from_file, tmp_path):
    record, config = heads_drag(share, norm)
    if from_file:
        record = reread(record, tmp_path)
    assert len(record) == 7
    assert np.abs(np.diff(record.handles, axis=0)).sum() > 4
    for position, step in enumerate(record):
        for point in range(2):
            found = tracking_cost(step, point, config, record if from_file else None)
            assert found.chosen == step.handles[point]
            assert found.searched_from == (record[position - 1].handles[point] if position else HEADS.handles[point])
            row, column = np.unravel_index(found.cost.argmin(), found.cost.shape)
            assert (found.xs[column], found.ys[row]) == found.chosen
            assert found.cost.shape == (2 * config.tracking_radius + 1,) * 2


def test_cost_is_the_distance_of_what_is_tracked_from_the_start_at_the_handle():
    """At the cells' own middles the surface is the similarity map of the start's feature."""
    generator = BlobGenerator()
    config = settings(generator, mean_removal=0.3, tracking_radius=6)
    record = DragRecord(steps=list(drag(generator, generator.ws_at(*START), EDIT, config)))
    found = tracking_cost(record[5], 0, config)
    start, now = (as_tracked(record[k].features(3), generator, config) for k in (0, 5))
    seen = similarity(now, EDIT.handles[0], generator.image_size, "L2", start)
    # two image px a cell: the surface halfway between cells' middles is not in the map; compare where they nearly meet
    assert np.abs(found.cost).min() == pytest.approx(seen.min(), abs=0.2)
    y, x = np.unravel_index(seen.argmin(), seen.shape)
    assert abs(2 * x + 0.5 - found.chosen[0]) <= 1
    assert abs(2 * y + 0.5 - found.chosen[1]) <= 1


def test_the_square_is_cut_at_the_picture_s_border():
    generator = BlobGenerator()
    config = settings(generator, tracking_radius=6, max_steps=1)
    (step, *_) = drag(generator, generator.ws_at(*START), Edit([(2, 61)], [(9, 50)]), config)
    found = tracking_cost(step, 0, config)
    assert (found.xs[0], found.xs[-1], found.ys[0], found.ys[-1]) == (0, 8, 55, 63)
    assert found.cost.shape == (9, 9)


def continued(generator: PairGenerator) -> tuple[DragSession, list[Edit]]:
    """Three drags in one record: resumed once, then with a second point."""
    config = settings(generator, max_steps=5, stop_distance=0.1)
    session = DragSession(generator, ws=generator.ws_at(*START), config=config)
    first = Edit([START], [(34.0, 37.0)])
    second = Edit([START, (31.0, 47.0)], [(34.0, 37.0), (20.0, 47.0)])
    for edit in (first, first, second):
        session.edit = edit
        session.run()
    return session, [first, second]


def test_what_is_taken_anew_for_a_file_s_steps_is_what_a_continued_drag_had(tmp_path):
    with continued(PairGenerator())[0] as session:
        record, config = session.record, session.config
        assert len(record.starts) == 3
        read = reread(record, tmp_path)
        for step, other in zip(record, read, strict=True):
            for point in range(len(step.handles)):
                live, anew = tracking_cost(step, point, config), tracking_cost(other, point, config, read)
                assert live.chosen == step.handles[point]
                assert (live.chosen, live.searched_from) == (anew.chosen, anew.searched_from)
                np.testing.assert_array_equal(live.cost, anew.cost)


def test_a_point_added_under_way_is_taken_anew_from_the_map_it_was_added_on(tmp_path):
    generator = PairGenerator()
    config = settings(generator, max_steps=8, stop_distance=0.1)
    steps = drag(generator, generator.ws_at(*START), Edit([START], [(34.0, 37.0)]), config)
    kept = [next(steps) for _ in range(3)]
    kept.append(steps.send(Edit([START, (31.0, 47.0)], [(34.0, 37.0), (20.0, 47.0)])))
    kept += list(steps)
    record = DragRecord(steps=kept)
    read = reread(record, tmp_path)
    for step, other in zip(record, read, strict=True):
        live = tracking_cost(step, len(step.handles) - 1, config)
        anew = tracking_cost(other, len(step.handles) - 1, config, read)
        assert live.chosen == step.handles[-1]
        assert live.searched_from == anew.searched_from
        np.testing.assert_array_equal(live.cost, anew.cost)


def test_at_rest_a_handle_s_cost_is_its_own_whatever_points_came_or_went_since():
    generator = BlobGenerator()
    edit = Edit([START, (31.0, 47.0)], [(34.0, 37.0), (20.0, 47.0)])
    with DragSession(generator, ws=generator.ws_at(*START), config=settings(generator, max_steps=3)) as session:
        session.edit = edit
        session.run()
        dragged = [tracking_cost(session.current, point, session.config) for point in range(2)]
        assert dragged[0].chosen != dragged[1].chosen
        session.edit = Edit(edit.handles[::-1], edit.targets[::-1])
        swapped = [tracking_cost(session.current, point, session.config) for point in (1, 0)]
        session.edit = Edit(edit.handles[1:], edit.targets[1:])
        left = tracking_cost(session.current, 0, session.config)
        for found, expected in ((swapped[0], dragged[0]), (swapped[1], dragged[1]), (left, dragged[1])):
            assert (found.chosen, found.searched_from) == (expected.chosen, expected.searched_from)
            np.testing.assert_array_equal(found.cost, expected.cost)


def test_a_point_that_was_put_after_the_last_step_has_no_cost_yet():
    generator = BlobGenerator()
    with DragSession(generator, ws=generator.ws_at(*START), config=settings(generator, max_steps=3)) as session:
        session.edit = EDIT
        session.run()
        session.edit = Edit([*EDIT.handles, (31.0, 47.5)], [*EDIT.targets, (20.0, 47.0)])
        with pytest.raises(ConfigError) as caught:
            tracking_cost(session.current, 1, session.config)
    assert str(caught.value) == (
        "point is 1, at (31, 47.5); it has not been tracked yet: it was put there after step 3; drag on first"
    )


def test_a_session_that_was_not_dragged_yet_says_so():
    generator = BlobGenerator()
    with DragSession(generator, ws=generator.ws_at(*START)) as session:
        session.edit = EDIT
        for record in (None, session.record):
            with pytest.raises(RecordError) as caught:
                tracking_cost(session.current, 0, session.config, record)
            assert str(caught.value) == (
                "this state has not been dragged yet; expected a step of a drag; start one first"
            )


def test_where_a_drag_takes_every_reference_anew_a_file_s_steps_do_too(tmp_path):
    generator = PairGenerator()
    config = settings(generator, max_steps=8, stop_distance=0.1, retake_references=True)
    steps = drag(generator, generator.ws_at(*START), Edit([START], [(34.0, 37.0)]), config)
    kept = [next(steps) for _ in range(3)]
    kept.append(steps.send(Edit([START, (31.0, 47.0)], [(34.0, 37.0), (20.0, 47.0)])))
    kept += list(steps)
    record = DragRecord(steps=kept)
    read = reread(record, tmp_path)
    for step, other in zip(record, read, strict=True):
        live, anew = tracking_cost(step, 0, config), tracking_cost(other, 0, config, read)
        assert live.searched_from == anew.searched_from
        np.testing.assert_array_equal(live.cost, anew.cost)


def test_a_step_from_a_file_asks_for_its_record(tmp_path):
    generator = BlobGenerator()
    read = reread(DragRecord(steps=run(generator)), tmp_path)
    for record in (None, DragRecord()):
        with pytest.raises(RecordError) as caught:
            tracking_cost(read[2], 0, settings(generator), record)
        assert str(caught.value) == (
            "step 2 holds no references, because it was read from a file; expected its record; pass record=..."
        )


def test_a_step_without_its_generator_is_refused():
    step = DragStep(0, torch.zeros(1, 2, 3), EDIT, EDIT.handles, (0.0,), None, None, 0.0)
    with pytest.raises(RecordError) as caught:
        tracking_cost(step, 0, DragConfig(block=1))
    assert str(caught.value) == "this step was read without its generator; call DragRecord.load(path, generator)"


@pytest.mark.parametrize("point", [-1, 1])
def test_a_point_the_step_lacks_is_refused(point: int):
    generator = BlobGenerator()
    with pytest.raises(ConfigError) as caught:
        tracking_cost(run(generator)[2], point, settings(generator))
    assert str(caught.value) == f"point is {point}; step 2 has 1, counted from 0"


def test_settings_of_another_block_are_refused():
    generator = BlobGenerator()
    with pytest.raises(ConfigError) as caught:
        tracking_cost(run(generator)[2], 0, settings(generator, block=2))
    assert str(caught.value) == "config.block is 2; this drag tracked in block 3; pass its own settings"
