import dataclasses
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from analytic import BlobGenerator

from draggan_widget import DragConfig, DragSession, Edit, drag
from draggan_widget.engine import config as config_module
from draggan_widget.engine.config import checked_config, default_block
from draggan_widget.errors import ConfigError, DragganError

pytestmark = pytest.mark.usefixtures("unchecked")  # wrong types, as a user may give them


class PlainBlob(BlobGenerator):
    """Without drag defaults of its own."""

    drag_defaults = {}  # noqa: RUF012


def refusal(**changes: object) -> str:
    with pytest.raises(ConfigError) as caught:
        DragConfig().replace(**changes)
    assert isinstance(caught.value, DragganError)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


@pytest.mark.parametrize(
    ("side", "block", "r1", "r2", "stop"),
    [
        (64, 3, 2.0, 4, 1.0),
        (128, 4, 2.0, 4, 1.0),
        (256, 5, 2.0, 6, 1.0),
        (512, 5, 3.0, 12, 2.0),
        (1024, 5, 6.0, 24, 4.0),
    ],
)
def test_lengths_scale_with_the_picture_down_to_a_floor(side: int, block: int, r1: float, r2: int, stop: float):
    config = DragConfig.for_generator(PlainBlob(side=side))
    found = (config.block, config.supervision_radius, config.tracking_radius, config.stop_distance)
    assert found == (block, r1, r2, stop)
    assert default_block(PlainBlob(side=side)) == block
    assert dataclasses.replace(config, block=5, supervision_radius=3.0, tracking_radius=12, stop_distance=2.0) == (
        DragConfig()
    )


def test_the_published_values_hold_at_512():
    config = DragConfig()
    assert DragConfig.for_generator(PlainBlob(side=512)) == config
    assert (config.supervision_radius, config.tracking_radius, config.mask_weight) == (3.0, 12, 20.0)
    assert (config.learning_rate, config.stop_distance, config.max_steps) == (2e-3, 2.0, 300)
    assert (config.stall_distance, config.stall_steps) == (0.5, 30)
    assert (config.lost_factor, config.lost_baseline, config.lost_steps) == (3.0, 10, 5)
    assert (config.step_length, config.confidence_gate) == (1.0, None)


def test_the_longer_side_counts_for_a_picture_that_is_not_square():
    assert DragConfig.for_generator(PlainBlob(side=256, wide=2)).tracking_radius == 12


def test_a_generator_too_small_for_the_block_gives_its_last():
    class Shallow(PlainBlob):
        def __init__(self):
            super().__init__(side=512)
            self.num_blocks = 3

    assert default_block(Shallow()) == 2


def test_the_generator_s_own_values_come_last():
    config = DragConfig.for_generator(BlobGenerator(side=256))
    assert (config.block, config.learning_rate) == (3, 2e-2)
    assert config.tracking_radius == 6


def test_the_generator_s_first_space_is_taken():
    class Wide(BlobGenerator):
        latent_spaces = ("W+", "W")

    assert DragConfig.for_generator(Wide()).latent_space == "W+"


def test_an_unknown_preset_or_space_is_refused():
    assert refusal(preset="fast") == "preset is 'fast'; expected one of default, paper, official"
    assert refusal(latent_space="Z") == "latent_space is 'Z'; expected one of W, W+"
    with pytest.raises(ConfigError) as caught:
        DragConfig.for_generator(BlobGenerator(), "paper+")
    assert str(caught.value) == "preset is 'paper+'; expected one of default, paper, official"


def test_an_unknown_setting_is_refused_with_the_nearest_name():
    assert refusal(lerning_rate=1e-3) == "DragConfig has no setting 'lerning_rate'; did you mean 'learning_rate'?"
    assert refusal(radius_of_tracking=3) == (
        "DragConfig has no setting 'radius_of_tracking'; known are preset, latent_space, block, learning_rate, "
        "supervision_radius, tracking_radius, step_length, mask_weight, stop_distance, max_steps, confidence_gate, "
        "gate_rate, motion_norm, tracking_norm, mean_removal, disc, mask_norm, rest_distance, crowded_stop_distance, "
        "retake_references, stall_steps, stall_distance, lost_factor, lost_error, lost_baseline, lost_steps"
    )


WHOLE = {
    "preset": (3, "str"),
    "latent_space": (None, "str"),
    "block": (2.0, "int"),
    "tracking_radius": ("12", "int"),
    "max_steps": (True, "int"),
    "stall_steps": (None, "int"),
    "learning_rate": ("2e-3", "float"),
    "supervision_radius": (None, "float"),
    "mask_weight": (False, "float"),
    "stop_distance": ([2.0], "float"),
    "step_length": (float("nan"), "float"),
    "confidence_gate": ("0.4", "float | None"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_value_of_another_type_is_refused(name: str):
    value, kind = WHOLE[name]
    assert refusal(**{name: value}) == f"{name} is {value!r}; expected {kind}"


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        ("block", -1, 0, 16),
        ("learning_rate", -1e-3, 0.0, 10.0),
        ("learning_rate", float("inf"), 0.0, 10.0),
        ("supervision_radius", 0.4, 0.5, 256.0),
        ("tracking_radius", 513, 0, 512),
        ("step_length", 0.0, 0.01, 64.0),
        ("mask_weight", -1.0, 0.0, 1e6),
        ("stop_distance", -0.1, 0.0, 1e6),
        ("max_steps", -1, 0, 1_000_000),
        ("confidence_gate", -0.5, 0.0, 1e6),
        ("gate_rate", 1.5, 0.0, 1.0),
        ("stall_steps", 0, 1, 1_000_000),
        ("stall_distance", -1.0, 0.0, 1e6),
        ("lost_factor", -1.0, 0.0, 1e9),
        ("lost_error", -1.0, 0.0, 1e9),
        ("lost_baseline", 0, 1, 1_000_000),
        ("lost_steps", 0, 1, 1_000_000),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: float, low: float, high: float):
    assert refusal(**{name: value}) == f"{name} is {value}; expected {low} to {high}"


def test_every_number_has_a_range_and_its_default_lies_in_it():
    tried = {field.name for field in dataclasses.fields(DragConfig)} - {"preset", "latent_space"}
    for name in tried:
        low_and_high = refusal(**{name: -1e12 if "radius" not in name and name != "block" else -(10**12)})
        assert low_and_high.startswith(f"{name} is -1")


def test_whole_numbers_are_taken_where_fractions_are_meant():
    assert DragConfig(learning_rate=1, stop_distance=3, confidence_gate=1).learning_rate == 1
    assert DragConfig(confidence_gate=None).confidence_gate is None


def test_replacing_leaves_the_old_settings_as_they_were():
    old = DragConfig()
    new = old.replace(learning_rate=0.5, block=3)
    assert (new.learning_rate, new.block, old.learning_rate, old.block) == (0.5, 3, 2e-3, 5)
    assert old.replace() == old


def test_settings_are_never_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DragConfig().block = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_the_faithful_presets_have_the_published_values_and_leave_the_generators_own_aside():
    generator = BlobGenerator(side=512)
    paper, official = (DragConfig.for_generator(generator, preset) for preset in ("paper", "official"))
    for config in (paper, official):
        assert (config.block, config.supervision_radius, config.tracking_radius) == (5, 3.0, 12)
        assert (config.step_length, config.mask_weight, config.confidence_gate) == (1.0, 20.0, None)
    assert (paper.learning_rate, paper.motion_norm, paper.tracking_norm, paper.mask_norm) == (2e-3, "sum", "L1", "sum")
    assert [paper.stop_distance_for(points) for points in (1, 5, 6)] == [1.0, 1.0, 2.0]
    assert (official.learning_rate, official.motion_norm, official.tracking_norm) == (1e-3, "mean", "L2")
    assert (official.disc, official.mask_norm, official.retake_references) == ("official", "mean", True)
    assert [official.stop_distance_for(points) for points in (1, 6)] == [2.0, 2.0]
    assert (official.rests(0.99), official.rests(1.0)) == (True, False)


def test_a_block_that_the_generator_lacks_is_replaced_and_said():
    words = "^preset 'official' supervises block 5, which blob lacks; it takes block 3$"
    with pytest.warns(UserWarning, match=words):
        config = DragConfig.for_generator(BlobGenerator(side=64), "official")
    assert config.block == 3


def test_numpy_numbers_become_plain_ones():
    config = DragConfig(block=np.int64(4), learning_rate=np.float32(0.5), mask_weight=np.int16(3))
    assert (config.block, config.learning_rate, config.mask_weight) == (4, 0.5, 3)
    assert [type(value) for value in (config.block, config.learning_rate, config.mask_weight)] == [int, float, int]
    changed = config.replace(max_steps=np.uint8(9), retake_references=np.bool_(True), rest_distance=np.float16(1.5))
    assert (changed.max_steps, changed.retake_references, changed.rest_distance) == (9, True, 1.5)
    assert changed.retake_references is True


def test_numpy_numbers_of_the_wrong_kind_are_refused():
    assert refusal(block=np.float64(3.0)) == "block is 3.0; expected int"
    assert refusal(learning_rate=np.float32("nan")) == "learning_rate is nan; expected float"
    assert refusal(max_steps=np.bool_(True)) == "max_steps is True; expected int"


# Settings that were not made for the generator

BARE = (
    "supervision_radius is 3.0, tracking_radius is 12, stop_distance is 2.0; expected 6.0, 24, 4.0 for the "
    "1024 x 1024 px of blob; leave config out, or make it DragConfig.for_generator(generator).replace(...)"
)


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings come once in a process: each test begins without any."""
    monkeypatch.setattr(config_module, "_told", set())


def told(*configs: DragConfig, generator: BlobGenerator) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for config in configs:
            assert checked_config(config, generator) is config
    return [str(warning.message) for warning in caught]


def test_settings_for_another_size_of_picture_are_told_once():
    generator = PlainBlob(side=1024)
    bare, faster = DragConfig(), DragConfig(learning_rate=1e-2)
    assert told(bare, bare, faster, generator=generator) == [BARE]
    assert told(bare, generator=PlainBlob(side=1024)) == []
    (other,) = told(bare, generator=PlainBlob(side=256))
    assert "tracking_radius is 12, stop_distance is 2.0; expected 2.0, 6, 1.0 for the 256 x 256 px" in other


@pytest.mark.parametrize("own", [{}, {"block": 4}, {"learning_rate": 4e-3, "max_steps": 50}, {"tracking_radius": 20}])
def test_settings_that_keep_the_lengths_for_512_px_are_told(own: dict):
    (words,) = told(DragConfig(**own), generator=PlainBlob(side=1024))
    assert "supervision_radius is 3.0, " in words


@pytest.mark.parametrize("preset", ["default", "paper", "official"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tracking_radius": 20},
        {"tracking_radius": 12},
        {"supervision_radius": 3.0, "stop_distance": 2.0},
        {"block": 4, "learning_rate": 4e-3},
    ],
)
@pytest.mark.parametrize("side", [256, 512, 1024])
def test_settings_made_for_the_generator_and_then_changed_are_not(side: int, changes: dict, preset: str):
    generator = PlainBlob(side=side)
    assert told(DragConfig.for_generator(generator, preset).replace(**changes), generator=generator) == []


def test_settings_made_for_another_size_are_told_with_every_length():
    made = {side: DragConfig.for_generator(PlainBlob(side=side)) for side in (256, 512, 1024)}
    for side, config in made.items():
        for other in made.keys() - {side}:
            (words,) = told(config, generator=PlainBlob(side=other))
            assert all(f"{name} is {getattr(config, name)}" in words for name in config_module.LENGTHS)


def test_lengths_that_are_all_chosen_by_hand_are_told_once_and_other_presets_never():
    chosen = DragConfig(supervision_radius=5.0, tracking_radius=20, stop_distance=3.0)
    assert len(told(chosen, chosen, DragConfig(preset="paper"), generator=PlainBlob(side=1024))) == 1


def test_where_the_lengths_fit_a_block_that_does_not_is_told():
    class Coarse(PlainBlob):
        drag_defaults = {"block": 4, "learning_rate": 1e-2}  # noqa: RUF012

    generator = Coarse(side=512)
    (words,) = told(DragConfig(), generator=generator)
    assert words.startswith("block is 5; expected 4 for the 512 x 512 px of blob; ")
    made = DragConfig.for_generator(generator)
    others = made, made.replace(block=5), made.replace(block=5, learning_rate=1e-4), DragConfig(block=3)
    assert told(*others, generator=generator) == []


def test_every_door_tells_and_the_next_does_not_again():
    generator, edit = PlainBlob(side=128), Edit([(60.0, 60.0)], [(70.0, 60.0)])
    words = (
        "^block is 5, supervision_radius is 3.0, tracking_radius is 12, stop_distance is 2.0; expected 4, 2.0, 4, 1.0 "
    )
    with pytest.warns(UserWarning, match=words):
        next(drag(generator, generator.ws_at(60, 60), edit, DragConfig()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with DragSession(generator, config=DragConfig()) as session:
            session.edit = edit
            session.step()
            session.config = DragConfig(max_steps=3)
    config_module._told.clear()
    with pytest.warns(UserWarning, match=words):
        session = DragSession(generator, config=DragConfig())
    config_module._told.clear()
    with session, pytest.warns(UserWarning, match=words):
        session.config = DragConfig(max_steps=3)


@pytest.mark.slow
def test_the_warning_shows_the_line_of_the_caller():
    program = """
from draggan_widget import DragConfig, DragSession, load_generator
generator = load_generator("heads", device="cpu")
session = DragSession(generator)
session.config = DragConfig(block=4)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("<string>:5: UserWarning: block is 4, tracking_radius is 12, stop_distance is 2.0; ")
    assert done.stderr.count("Warning") == 1


def test_what_is_no_configuration_or_names_no_block_is_refused():
    remedy = re.escape(config_module.REMEDY)
    with pytest.raises(ConfigError, match=f"^config is of type dict; expected a DragConfig; {remedy}$"):
        checked_config({"block": 3}, PlainBlob())  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=f"^block is 9; blob has blocks 0 to 4; {remedy}$"):
        checked_config(DragConfig(block=9), PlainBlob())
