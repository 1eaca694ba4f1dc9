"""What a step keeps, and what a record of many says."""

import copy
import gc
import itertools
import pickle
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine.helpers import EDIT, START, run, settings
from generators.tiny import random_ws, tiny_generator

from draggan_widget import DragConfig, DragRecord, DragSession, DragStep, Edit, Generator, drag
from draggan_widget.errors import Cancelled, ConfigError
from draggan_widget.inspection.latents import travelled


def pixels(step: DragStep) -> np.ndarray:
    return np.asarray(step.picture())


def tiny_drag(generator: Generator, seed: int = 0, steps: int = 6):
    """A drag on a network, which draws on from the features of its step."""
    config = DragConfig.for_generator(generator).replace(block=2, max_steps=steps, learning_rate=0.05, stop_distance=0)
    return drag(generator, random_ws(generator, seed), Edit(((30.0, 30.0),), ((50.0, 20.0),)), config)


def test_a_picture_is_the_same_before_and_after_the_drag_went_on():
    generator = tiny_generator()
    seen, steps = [], []
    for step in tiny_drag(generator):
        assert step.current.get() is not None
        seen.append(pixels(step))
        steps.append(step)
    assert len(steps) == 7
    assert all(step.current.get() is None for step in steps)
    assert all(np.array_equal(pixels(step), before) for step, before in zip(steps, seen, strict=True))
    assert not np.array_equal(seen[0], seen[-1])
    assert seen[0].shape == (64, 64, 3)
    assert seen[0].dtype == np.uint8


def test_the_current_step_draws_from_its_features_and_an_older_one_from_its_latent(monkeypatch: pytest.MonkeyPatch):
    generator = tiny_generator()
    given = []
    image = type(generator).image
    monkeypatch.setattr(
        type(generator), "image", lambda self, ws, f=None, c=None: (given.append(f), image(self, ws, f, c))[1]
    )
    steps = tiny_drag(generator)
    first = next(steps)
    first.picture()
    next(steps)
    first.picture()
    assert given[0] is not None
    assert given[0].block == 2
    assert given[1] is None


@pytest.mark.slow
def test_two_threads_draw_a_step_while_the_drag_goes_on():
    generator = tiny_generator()
    due = [pixels(step) for step in tiny_drag(generator, steps=12)]
    kept, stop, wrong = [], threading.Event(), []

    def draw(parity: int) -> int:
        drawn = 0
        while not (stop.is_set() and drawn > 0):
            for step in kept[parity::2] or kept[:1]:
                drawn += 1
                if not np.array_equal(pixels(step), due[step.index]):
                    wrong.append(step.index)
        return drawn

    with ThreadPoolExecutor(2) as pool:
        drawers = [pool.submit(draw, parity) for parity in (0, 1)]
        kept.extend(tiny_drag(generator, steps=12))
        stop.set()
        assert all(drawer.result() > 0 for drawer in drawers)
    assert wrong == []


@pytest.mark.slow
def test_two_drags_that_share_a_generator_give_the_serial_results():
    generator = tiny_generator()

    def results(seed: int) -> list:
        return [(step.ws, step.handles, step.loss, pixels(step)) for step in tiny_drag(generator, seed, steps=12)]

    serial = [results(seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(results, (0, 1)))
    for due, found in zip(serial, together, strict=True):
        for (ws, handles, loss, picture), (other_ws, *others, other_picture) in zip(due, found, strict=True):
            assert torch.equal(ws, other_ws)
            assert [handles, loss] == others
            assert np.array_equal(picture, other_picture)
    assert not torch.equal(serial[0][-1][0], serial[1][-1][0])


def test_a_kept_step_holds_no_graph_and_no_map_of_its_own():
    steps = run(BlobGenerator())
    for step in steps:
        assert not step.ws.requires_grad
        assert step.ws.grad_fn is None
        assert step.current.get() is None
        assert step.references is not None
        assert step.references.start is steps[0].references.start
        for tensor in (step.references.start.whole, step.references.points[0].feature, step.references.points[0].patch):
            assert tensor.grad_fn is None
            assert not tensor.requires_grad
    assert len({step.ws.data_ptr() for step in steps}) == len(steps)


def owned_bytes(steps: list[DragStep]) -> int:
    """Bytes of everything that can be reached from the steps, but for the generator, classes and code."""
    seen, storages, total, left = set(), set(), 0, list(steps)
    foreign = (Generator, type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, foreign):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        if isinstance(thing, torch.Tensor):
            storage = thing.untyped_storage()
            if storage.data_ptr() not in storages:
                storages.add(storage.data_ptr())
                total += storage.nbytes()
            continue
        left += gc.get_referents(thing)
    return total


class RowsGenerator(BlobGenerator):
    """16 rows of 512 numbers, as a 512-px StyleGAN2 has."""

    def __init__(self):
        super().__init__(side=512)
        self.num_ws, self.w_dim = 16, 512


@pytest.mark.slow
def test_three_hundred_kept_steps_at_512_px_cost_under_40_mb():
    generator = RowsGenerator()
    config = DragConfig.for_generator(generator).replace(
        block=5, max_steps=299, stall_steps=1000, learning_rate=1e-4, tracking_radius=2
    )
    mask = np.ones((512, 512), bool)
    mask[:, 400:] = False
    start = generator.ws_at(200.0, 200.0)
    steps = list(drag(generator, start, Edit(((200.0, 200.0),), ((450.0, 200.0),), mask), config))
    latents = 300 * 16 * 512 * 4
    first_map = steps[0].references.start.whole.nbytes
    assert len(steps) == 300
    assert latents < owned_bytes(steps) < 40e6
    assert owned_bytes(steps) < latents + first_map + mask.nbytes + 300 * 8000


def test_the_measure_sees_a_map_that_a_step_still_holds():
    generator = BlobGenerator(side=256)
    steps = drag(generator, generator.ws_at(*START), EDIT, settings(generator, block=5))
    step = next(steps)
    before = owned_bytes([step])
    next(steps)
    assert step.current.get() is None
    held = generator.features(step.ws, 5)
    step.current._features = held
    assert owned_bytes([step]) - before > 0.99 * held.whole.nbytes


def test_a_preview_belongs_to_the_current_step():
    generator = tiny_generator()
    steps = tiny_drag(generator)
    first = next(steps)
    assert torch.equal(first.preview(), generator.preview(generator.features(first.ws, 2)))
    next(steps)
    with pytest.raises(ConfigError) as caught:
        first.preview()
    assert str(caught.value) == "step 0 is no longer the current one; expected the newest step; take picture() instead"


def test_the_current_step_can_be_copied_and_pickled():
    for step in itertools.islice(tiny_drag(tiny_generator()), 2):
        pickled = pickle.dumps(step)
        for again in (copy.deepcopy(step), pickle.loads(pickled)):  # noqa: S301 - our own
            assert torch.equal(again.ws, step.ws)
            assert again.handles == step.handles
            assert np.array_equal(again.pixels(), step.pixels())


def test_features_of_any_block_can_be_read_at_any_time():
    generator = tiny_generator()
    steps = list(tiny_drag(generator))
    features = steps[3].features(1)
    assert (features.block, features.size) == (1, (8, 8))
    assert not features.whole.requires_grad
    assert torch.equal(features.whole, generator.features(steps[3].ws, 1).whole)


def test_a_picture_nobody_waits_for_is_dropped():
    step = next(tiny_drag(tiny_generator()))
    with pytest.raises(Cancelled, match=r"^the picture was dropped at row 0 of 16: nobody waits for it$"):
        step.pixels(lambda: True)


def record(generator: Generator | None = None) -> DragRecord:
    """Two drags in a row: one point for 3 steps, then a second point for 2 more, then a drag of two steps."""
    generator = generator or BlobGenerator()
    mask = np.ones((64, 64), bool)
    mask[60:] = False
    two = Edit((*EDIT.handles, (30.0, 26.0)), (*EDIT.targets, (50.0, 40.0)), mask)
    steps = drag(generator, generator.ws_at(*START), EDIT, settings(generator))
    kept = DragRecord({"seed": 7})
    for _ in range(3):
        kept.append(next(steps))
    kept.append(steps.send(two))
    kept.append(next(steps))
    last = kept[-1]
    for step in drag(generator, last.ws, two, settings(generator, max_steps=1), resume=last.references):
        kept.append(step)
    return kept


def test_a_record_gives_arrays_of_all_its_steps():
    kept = record()
    assert len(kept) == 7
    assert kept.ws.shape == (7, 4, 8)
    assert kept.handles.shape == kept.targets.shape == (7, 2, 2)
    assert kept.distances.shape == kept.tracking_error.shape == (7, 2)
    assert kept.loss.shape == kept.seconds.shape == (7,)
    for row, step in enumerate(kept):
        n = len(step.handles)
        assert torch.equal(torch.from_numpy(kept.ws[row]), step.ws[0])
        assert kept.handles[row, :n].tolist() == [list(p) for p in step.handles]
        assert kept.targets[row, :n].tolist() == [list(p) for p in step.targets]
        assert kept.distances[row, :n].tolist() == list(step.distances)
        assert kept.tracking_error[row, :n].tolist() == list(step.tracking_error)
        assert kept.seconds[row] == step.seconds


def test_missing_points_and_losses_are_nan():
    kept = record()
    for array in (kept.handles, kept.targets, kept.distances, kept.tracking_error):
        assert np.isnan(array[:3, 1]).all()
        assert not np.isnan(array[3:]).any()
        assert not np.isnan(array[:3, 0]).any()
    assert np.isnan(kept.loss).tolist() == [True, False, False, False, False, True, False]


def test_a_record_knows_where_each_drag_began():
    assert record().starts == [0, 5]
    assert [step.index for step in record()] == [0, 1, 2, 3, 4, 0, 1]


def test_a_record_is_read_like_a_list():
    kept = record()
    assert kept[0].index == 0
    assert [step.index for step in kept[-2:]] == [0, 1]
    assert list(kept) == kept.steps
    assert repr(kept) == "DragRecord(7 steps, cap)"
    assert repr(DragRecord(steps=kept.steps[:2])) == "DragRecord(2 steps)"


def test_a_record_may_grow_while_it_is_walked():
    kept = record()
    seen = []
    for step in kept:
        kept.append(step)
        seen.append(step)
    assert (len(seen), len(kept)) == (7, 14)


class Changing(list):
    """The steps of a running drag: whenever they were read, one more is there, or one less after it stepped back."""

    def __init__(self, steps: list[DragStep], grows: bool):
        super().__init__(steps[:2] if grows else steps)
        self._coming = steps[2:] if grows else None

    def __iter__(self) -> Iterator[DragStep]:
        now = list(super().__iter__())
        if self._coming is None:
            self.pop()
        elif self._coming:
            self.append(self._coming.pop(0))
        return iter(now)


def changing(grows: bool) -> DragRecord:
    """`record` as it is while its drag runs."""
    kept = record()
    kept.steps = Changing(kept.steps, grows)
    return kept


@pytest.mark.parametrize(("grows", "steps"), [(True, 2), (False, 7)])
def test_a_table_of_a_running_drag_belongs_to_one_moment(grows: bool, steps: int):
    table, due = changing(grows).trajectories, record().trajectories
    assert table.equals(due[due["step"] < steps])


TABLES = {
    "ws": (0, 4, 8),
    "handles": (0, 0, 2),
    "targets": (0, 0, 2),
    "distances": (0, 0),
    "tracking_error": (0, 0),
    "loss": (0,),
    "motion_losses": (0, 0),
    "mask_loss": (0,),
    "gradient_norms": (0, 4),
    "seconds": (0,),
}


def test_an_empty_record_has_empty_tables_of_the_types_of_a_full_one():
    generator, full = BlobGenerator(), record()
    for empty in (DragRecord(start=generator.ws_at(*START)), DragSession(generator).record):
        assert (len(empty), empty.starts, repr(empty)) == (0, [], "DragRecord(0 steps)")
        assert {name: getattr(empty, name).shape for name in TABLES} == TABLES
        assert {name: getattr(empty, name).dtype for name in TABLES} == {
            name: getattr(full, name).dtype for name in TABLES
        }
        assert len(empty.trajectories) == 0
        assert empty.trajectories.dtypes.equals(full.trajectories.dtypes)
        assert (list(empty.features(3)), list(empty.pictures)) == ([], [])
    assert (DragRecord().ws.shape, DragRecord().gradient_norms.shape) == ((0, 0, 0), (0, 0))


def test_a_session_that_went_back_to_its_start_has_an_empty_record():
    with DragSession(BlobGenerator(), seed=1) as session:
        session.edit = EDIT
        session.step(2)
        session.reset()
        assert session.record.ws.shape == (0, 4, 8)
        assert travelled(session.record).shape == (0, 4)


def test_a_record_does_not_share_the_lists_it_was_made_from():
    about, steps = {"seed": 7}, record().steps
    kept = DragRecord(about, steps)
    about["seed"] = 8
    steps.clear()
    assert (kept.about, len(kept)) == ({"seed": 7}, 7)
