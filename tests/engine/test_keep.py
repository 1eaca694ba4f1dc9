"""Maps and pictures that a record keeps, in memory and past its budget in files; loss terms, tables, identity."""

import copy
import gc
import itertools
import math
import pickle
import re
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import torch
from analytic import BlobGenerator
from engine.helpers import EDIT, START, run, settings
from generators.tiny import tiny_generator

from draggan_widget import DragRecord, DragSession, Edit, Keep, about_drag, drag
from draggan_widget.engine import kept as kept_module
from draggan_widget.engine.kept import PICTURE, Kept
from draggan_widget.engine.mask import fixed_part, mask_loss
from draggan_widget.engine.motion import motion_loss
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.geometry import unit_vector

MAP_BYTES = 9 * 32 * 32 * 4


def kept_drag(keep: Keep, generator: BlobGenerator | None = None) -> DragRecord:
    generator = generator or BlobGenerator()
    record = DragRecord(about_drag(generator, settings(generator)), keep=keep)
    for step in drag(generator, generator.ws_at(*START), EDIT, settings(generator)):
        record.append(step)
    return record


def test_chosen_maps_and_pictures_are_kept_and_the_others_computed_again():
    generator = BlobGenerator()
    record = kept_drag(Keep(blocks=(2, 3), pictures=True, steps=range(0, 100, 3)), generator)
    plain = kept_drag(Keep(), BlobGenerator())
    called, drawn = generator.calls, generator.drawn
    for position in range(len(record)):
        for block in (2, 3):
            np.testing.assert_array_equal(record.features(block)[position], plain.features(block)[position])
        np.testing.assert_array_equal(np.asarray(record.pictures[position]), np.asarray(plain.pictures[position]))
    missing = sum(position % 3 > 0 for position in range(len(record)))
    assert (generator.calls - called, generator.drawn - drawn) == (2 * missing, missing)


def test_what_is_kept_needs_no_generator():
    record = kept_drag(Keep(blocks=(3,), steps={1}))
    step = record[1]
    object.__setattr__(step, "generator", None)
    assert step.features(3).size == (32, 32)


def test_past_the_budget_maps_go_to_files_and_the_record_says_so(tmp_path: Path):
    budget = 3 * MAP_BYTES / 2**20
    with pytest.warns(UserWarning, match=r"^the maps and pictures of this record pass 0\.105469 MB; those that follow"):
        record = kept_drag(Keep(blocks=(3,), memory=budget, folder=tmp_path))
    folder = record.keeper.folder
    assert folder is not None
    assert folder.parent == tmp_path
    assert len(list(folder.glob("step-*.npz"))) == len(record) - 3
    plain = kept_drag(Keep())
    for position in range(len(record)):
        np.testing.assert_array_equal(record.features(3)[position], plain.features(3)[position])


def test_a_temporary_folder_lives_as_long_as_a_step_that_is_in_it():
    with pytest.warns(UserWarning, match="deleted with the record$"):
        record = kept_drag(Keep(blocks=(3,), pictures=True, memory=0))
    folder, last = record.keeper.folder, record[-1]
    del record
    gc.collect()
    assert folder is not None
    assert last.features(3).size == (32, 32)
    del last
    gc.collect()
    assert not folder.exists()


def test_a_file_that_is_gone_is_named(tmp_path: Path):
    with pytest.warns(UserWarning, match="pass 0 MB"):
        record = kept_drag(Keep(pictures=True, memory=0, folder=tmp_path))
    (gone,) = list(tmp_path.glob("*/step-00002-*.npz"))
    gone.unlink()
    with pytest.raises(
        RecordError, match=rf"^{re.escape(str(gone))} of this record is gone or damaged \(.*\); drag again$"
    ):
        record[2].picture()
    record[3].picture()


def test_a_file_that_is_damaged_is_named(tmp_path: Path):
    with pytest.warns(UserWarning, match="pass 0 MB"):
        record = kept_drag(Keep(pictures=True, memory=0, folder=tmp_path))
    (damaged,) = list(tmp_path.glob("*/step-00002-*.npz"))
    data = damaged.read_bytes()
    for place in (len(data) // 8, len(data) // 2, len(data) - 30):
        damaged.write_bytes(data[:place] + bytes(20) + data[place + 20 :])
        with pytest.raises(RecordError, match="is gone or damaged"):
            record[2].picture()


def test_a_folder_that_cannot_be_written_stops_the_drag_and_loses_nothing(tmp_path: Path):
    generator = BlobGenerator()
    session = DragSession(
        generator, ws=generator.ws_at(*START), keep=Keep(pictures=True, memory=0, folder=tmp_path / "file")
    )
    (tmp_path / "file").write_text("no folder")
    session.edit = EDIT
    says = r"cannot be written \(.*\); '.*file' is a file, not a folder; choose another Keep\.folder$"
    with session, pytest.warns(UserWarning, match="pass 0 MB"), pytest.raises(RecordError, match=says):
        session.run()
    assert len(session.record) == 1
    assert session.record[0].pixels().shape == (64, 64, 3)


def test_memory_of_steps_that_went_is_free_again():
    generator = BlobGenerator()
    record = DragRecord(keep=Keep(blocks=(3,), memory=2.5 * MAP_BYTES / 2**20))
    for step in drag(generator, generator.ws_at(*START), EDIT, settings(generator)):
        record.append(step)
        record.steps.clear()
        del step
    assert record.keeper.folder is None


def test_a_kept_step_can_be_copied_and_pickled():
    with pytest.warns(UserWarning, match="pass"):
        record = kept_drag(Keep(blocks=(3,), pictures=True, steps=(0, 1), memory=0.06))
    for step in record[:2]:
        for other in (copy.copy(step), pickle.loads(pickle.dumps(step))):  # noqa: S301 - our own
            np.testing.assert_array_equal(other.pixels(), step.pixels())
            assert torch.equal(other.features(3).whole, step.features(3).whole)


@pytest.mark.parametrize("memory", [(0, 0), (0, 512), (512, 0)])
def test_records_that_share_steps_keep_what_either_asks_for(memory: tuple[float, float], recwarn):
    first = kept_drag(Keep(blocks=(3,), memory=memory[0]))
    second = DragRecord(keep=Keep(blocks=(2, 3), pictures=True, memory=memory[1]))
    for step in first:
        second.append(step)
    plain = kept_drag(Keep())
    for position, step in enumerate(plain):
        object.__setattr__(second[position], "generator", None)  # nothing is computed again
        np.testing.assert_array_equal(first.features(3)[position], step.features(3).whole)
        np.testing.assert_array_equal(second.features(2)[position], step.features(2).whole)
        np.testing.assert_array_equal(second[position].pixels(), step.pixels())


def test_maps_of_a_session_and_of_a_record_of_its_steps_are_all_there():
    generator = BlobGenerator()
    session = DragSession(generator, ws=generator.ws_at(*START), keep=Keep(blocks=(3,), memory=0))
    session.edit = EDIT
    other = DragRecord(keep=Keep(blocks=(2,)))
    with session:
        with pytest.warns(UserWarning, match="pass 0 MB"):
            session.run()
        for step in session.record:
            other.append(step)
    called = generator.calls
    assert other.features(2)[4].shape == (9, 16, 16)
    assert session.record.features(3)[4].shape == other.features(3)[4].shape == (9, 32, 32)
    assert generator.calls == called


def interrupted(read: Callable[[], object], by: Callable[[], None], at: int) -> tuple[object, bool]:
    """What is read when something happens right before an operation of `kept`; whether it came to that."""
    left, before = at, sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal left
        frame.f_trace_opcodes = frame.f_code.co_filename == kept_module.__file__
        if event == "opcode":
            left -= 1
            if left == -1:
                sys.settrace(None)
                by()
                return None
        return trace

    sys.settrace(trace)
    try:
        return read(), left < 0
    finally:
        sys.settrace(before)


def test_a_map_read_while_it_goes_to_a_file_is_whole(tmp_path: Path):
    picture, due = np.ones((4, 4, 3), np.uint8), np.ones((2, 2, 2), np.float32)
    for at in itertools.count():
        kept = Kept({3: due, PICTURE: picture})
        move = partial(kept.move, (3, PICTURE), tmp_path / f"{at}.npz", None)
        (values, drawn), came = interrupted(lambda kept=kept: (kept.features(3), kept.picture()), move, at)
        np.testing.assert_array_equal(values, due)
        np.testing.assert_array_equal(drawn, picture)
        if not came:
            break
    assert at > 10


@pytest.mark.slow
def test_a_garbage_collection_while_bytes_are_counted_holds_nobody_up():
    steps = list(kept_drag(Keep()))

    class Collecting(float):
        def __mul__(self, other: float) -> float:
            del record.steps[:-1]
            gc.collect()
            return float(self) * other

    record = DragRecord(keep=Keep(blocks=(3,), memory=Collecting(1)))

    def fill() -> None:
        record.append(steps.pop())
        record.append(steps.pop())  # the one before goes while this one is counted

    filling = threading.Thread(target=fill, daemon=True)
    filling.start()
    filling.join(20)
    assert not filling.is_alive()


def test_a_record_can_be_copied_and_pickled():
    with pytest.warns(UserWarning, match="pass"):
        record = kept_drag(Keep(blocks=(3,), pictures=True, steps=range(4), memory=0.06))
    for other in (copy.deepcopy(record), pickle.loads(pickle.dumps(record))):  # noqa: S301 - our own
        assert (other.about, other.keeper.keep, other.keeper.folder) == (record.about, record.keeper.keep, None)
        np.testing.assert_array_equal(other.ws, record.ws)
        for step, due in zip(other[:4], record[:4], strict=True):
            object.__setattr__(step, "generator", None)  # nothing is computed again
            np.testing.assert_array_equal(step.pixels(), due.pixels())
            assert torch.equal(step.features(3).whole, due.features(3).whole)
        other.steps.clear()
        other.append(record[0])
        assert other.features(3)[0].shape == (9, 32, 32)


def test_a_session_keeps_them_across_undo():
    generator = BlobGenerator()
    session = DragSession(generator, ws=generator.ws_at(*START), keep=Keep(blocks=(3,), pictures=True))
    session.edit = EDIT
    with session:
        session.step(3)
        called = generator.calls
        session.go_to(1)
        session.redo()
        session.undo()
        assert session.record.features(3)[1].shape == (9, 32, 32)
        assert session.record.pictures[1].size == (64, 64)
        assert generator.calls == called


def test_other_weights_forget_what_was_kept():
    class Changing(BlobGenerator):
        def refreshed(self):
            return Changing()

    generator = Changing()
    session = DragSession(generator, ws=generator.ws_at(*START), keep=Keep(blocks=(3,)))
    session.edit = EDIT
    with session:
        session.step(2)
        session.refresh()
        session.undo()
        called = session.generator.calls
        session.current.features(3)
        assert session.generator.calls == called + 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"blocks": (1.5,)}, "blocks is (1.5,); expected whole numbers, counted from 0, as (4, 5)"),
        ({"blocks": None}, "blocks is None; expected whole numbers, counted from 0, as (4, 5)"),
        ({"blocks": (3, True)}, "blocks is (3, True); expected whole numbers, counted from 0, as (4, 5)"),
        ({"blocks": np.float32(3)}, "blocks is np.float32(3.0); expected whole numbers, counted from 0, as (4, 5)"),
        ({"pictures": 2}, "pictures is 2; expected True or False"),
        ({"pictures": None}, "pictures is None; expected True or False"),
        ({"folder": 3}, "folder is 3; expected a path, as text or pathlib.Path; give such a path"),
        ({"steps": 3}, "steps is 3; expected positions, as range(0, 300, 10), or None"),
        ({"memory": -1}, "memory is -1; expected MB of maps and pictures, 0 or more"),
        ({"memory": math.nan}, "memory is nan; expected MB of maps and pictures, 0 or more"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(wrong: dict, says: str, unchecked):
    with pytest.raises(ConfigError, match=f"^{re.escape(says)}"):
        Keep(**wrong)


def test_numbers_of_numpy_are_taken(unchecked):
    for blocks in (np.int64(3), (np.int64(3),), np.array([3])):
        keep = Keep(blocks=blocks, pictures=np.bool_(True), memory=np.float32(0.5))
        assert repr(keep) == "Keep(blocks=(3,), pictures=True, steps=None, memory=0.5, folder=None)"


def test_a_file_for_a_folder_is_refused_before_any_drag(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "file", str(tmp_path / "file")):
        says = f"folder is {str(folder)!r}, which is a file; expected a folder, or a name that is free"
        with pytest.raises(ConfigError, match=f"^{re.escape(says)}$"):
            Keep(folder=folder)
    Keep(folder=tmp_path)
    assert not Path(Keep(folder=tmp_path / "new").folder or tmp_path).exists()


def test_a_block_that_is_not_there_is_refused_before_any_drag():
    with pytest.raises(ConfigError, match=r"^block is 9; blob has blocks 0 to 4$"):
        DragSession(BlobGenerator(), keep=Keep(blocks=(9,)))


# Loss terms and gradients


def test_loss_terms_add_up_and_rows_have_the_norm_of_their_gradient():
    generator = BlobGenerator()
    mask = np.zeros((64, 64), bool)
    mask[10:50, 10:60] = True
    edit = Edit([(24.0, 30.0), (24.0, 30.0)], [(42.0, 37.0), (24.0, 30.0)], mask)
    config = settings(generator, latent_space="W+", max_steps=1)
    steps = list(drag(generator, generator.ws_at(*START), edit, config))
    first = steps[0]
    assert (first.loss, first.motion_losses, first.mask_loss, first.gradient_norms) == (None, (), None, ())
    assert math.isnan(steps[1].motion_losses[1])
    for before, step in itertools.pairwise(steps):
        ws = before.ws.clone().requires_grad_()
        features = generator.features(ws, config.block)
        point = before.references.points[0]
        shift = unit_vector(point.position, edit.targets[0])
        motion = motion_loss(features, point, shift, config, generator.image_size, False)
        held = config.mask_weight * mask_loss(features, before.references.start, fixed_part(edit, generator, config))
        (gradient,) = torch.autograd.grad(motion + held, ws)
        assert step.motion_losses[0] == pytest.approx(float(motion.detach()), rel=1e-6)
        assert step.mask_loss == pytest.approx(float(held.detach()), rel=1e-6, abs=1e-12)
        assert step.loss == pytest.approx(step.motion_losses[0] + step.mask_loss, rel=1e-6)
        assert step.gradient_norms == pytest.approx(gradient[0].norm(dim=1).tolist(), rel=1e-5)


def test_a_record_gives_the_terms_as_arrays():
    record = kept_drag(Keep())
    steps = len(record)
    assert record.motion_losses.shape == (steps, 1)
    assert record.gradient_norms.shape == (steps, 4)
    assert np.isnan(record.motion_losses[0]).all()
    np.testing.assert_allclose(record.motion_losses[1:, 0], record.loss[1:])
    assert np.isnan(record.mask_loss).all()
    assert (record.gradient_norms[1:, 2:] == 0).all()


def test_steps_without_a_loss_have_the_same_shapes(tmp_path: Path):
    record = DragRecord(steps=kept_drag(Keep())[:1])
    for each in (record, DragRecord.load(record.save(tmp_path / "one.npz"))):
        assert (each.motion_losses.shape, each.gradient_norms.shape) == ((1, 1), (1, 4))
        assert np.isnan(each.motion_losses).all()
        assert np.isnan(each.gradient_norms).all()


def test_trajectories_are_a_tidy_table():
    record = DragRecord(steps=run(BlobGenerator(), Edit([START, (40.0, 20.0)], [(42.0, 37.0), (40.0, 20.0)])))
    record.steps[2:] = run(BlobGenerator())[:2]
    table = record.trajectories
    columns = ["step", "point", "x", "y", "target_x", "target_y", "distance", "tracking_error"]
    assert list(table.columns) == columns
    assert table[["step", "point"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [2, 1], [3, 1]]
    last = table.iloc[-1]
    assert (last.x, last.y) == record[3].handles[0]
    assert (last.target_x, last.target_y) == record[3].targets[0]
    assert last.distance == record[3].distances[0]
    assert last.tracking_error == record[3].tracking_error[0]


# Who made it


def test_the_same_weights_have_one_sha256_and_others_another():
    one, same, other = tiny_generator(), tiny_generator(), tiny_generator(channels=(16, 16, 8, 4))
    assert one.sha256 == same.sha256 != other.sha256
    assert re.fullmatch("[0-9a-f]{64}", one.sha256 or "")
    assert BlobGenerator().sha256 is None


def test_about_names_generator_settings_and_versions():
    generator = tiny_generator()
    about = DragSession(generator, seed=5, truncation_psi=0.6).record.about
    assert about["sha256"] == generator.sha256
    assert (about["family"], about["seed"], about["truncation_psi"]) == ("mobilestylegan", 5, 0.6)
    assert about["config"] == vars(DragSession(generator).config)
    assert about["versions"] == {
        "draggan-widget": "0.1.0",
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
