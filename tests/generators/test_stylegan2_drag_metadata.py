"""Drag settings, rows and mean feature maps in our checkpoint files of a StyleGAN2."""

import dataclasses
from pathlib import Path

import pytest
import torch
from generators.tiny_stylegan2 import plain_config, tiny_checkpoint
from torch import Tensor

from draggan_widget import DragConfig, load_generator
from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2.check_tensors import REMEDY
from draggan_widget.errors import CheckpointError
from draggan_widget.generators.stylegan2.generator import StyleGAN2

CPU = torch.device("cpu")
OBJECT = "expected an object of numbers and text; convert or fetch it again"


def checkpoint(tensors: dict[str, Tensor] | None = None, **meta: str) -> Checkpoint:
    """The tiny generator of 32 px with more in its metadata and among its tensors."""
    plain = tiny_checkpoint()
    return dataclasses.replace(plain, tensors=plain.tensors | (tensors or {}), meta=plain.meta | meta)


def made(tensors: dict[str, Tensor] | None = None, **meta: str) -> StyleGAN2:
    return StyleGAN2.from_checkpoint(checkpoint(tensors, **meta), "it", CPU)


def refusal(tensors: dict[str, Tensor] | None = None, **meta: str) -> str:
    with pytest.raises(CheckpointError) as caught:
        made(tensors, **meta)
    return str(caught.value)


def test_what_is_not_said_takes_the_family_s_default():
    generator = made()
    assert (generator.drag_defaults, generator.drag_rows) == ({}, (0, 1, 2, 3, 4, 5))
    small = StyleGAN2.from_checkpoint(tiny_checkpoint(plain_config(channels=[8, 8])), "it", CPU)
    assert small.drag_rows == (0, 1, 2, 3)


def test_settings_and_rows_survive_a_file_and_reach_a_drag(tmp_path: Path):
    path = tmp_path / "tiny.safetensors"
    said = '{"block": 2, "learning_rate": 0.01, "latent_space": "W", "supervision_radius": 2}'
    own_file.save(checkpoint(drag_defaults=said, drag_rows="3"), path)
    generator = load_generator(path, "cpu")
    config = DragConfig.for_generator(generator)
    assert generator.drag_rows == (0, 1, 2)
    assert (config.block, config.learning_rate, config.latent_space, config.supervision_radius) == (2, 0.01, "W", 2)
    assert config.tracking_radius == DragConfig.for_generator(made()).tracking_radius  # not said
    with pytest.warns(UserWarning, match="supervises block 5"):
        faithful = DragConfig.for_generator(generator, "official")
    assert (faithful.learning_rate, faithful.latent_space) == (1e-3, "W+")


def test_another_noise_keeps_them():
    generator = made(drag_defaults='{"block": 1}', drag_rows="2").with_noise("none")
    assert (generator.drag_defaults, generator.drag_rows) == ({"block": 1}, (0, 1))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{'block': 3}", "are not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("", "are not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("[1, 2]", "are a list of 2"),
        ("null", "are None"),
    ],
)
def test_drag_defaults_of_another_form_are_refused(said: str, words: str):
    assert refusal(drag_defaults=said) == f"it: its drag_defaults {words}; {OBJECT}"


def test_drag_defaults_nested_without_end_are_refused():
    assert refusal(drag_defaults="[" * 100_000).startswith("it: its drag_defaults are not JSON (maximum recursion")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("true", "True"),
        ("null", "None"),
        ("NaN", "nan"),
        ("1e999", "inf"),
        ("[3]", "a list of 1"),
        ("{}", "a dict of 0"),
    ],
)
def test_a_drag_default_that_is_neither_number_nor_text_is_refused(value: str, words: str):
    assert refusal(drag_defaults=f'{{"block": {value}}}') == (
        f"it: 'block' of its drag_defaults is {words}; expected a number or text; convert or fetch it again"
    )


@pytest.mark.parametrize("rows", ["0", "9", "-1", "2.0", "six", "", "9" * 5000])
def test_rows_that_it_has_not_are_refused(rows: str):
    said = f"{'9' * 80!a}... (5000 characters)" if len(rows) > 80 else repr(rows)
    assert refusal(drag_rows=rows) == (
        f"it: its drag_rows are {said}; expected a whole number from 1 to 8; convert or fetch it again"
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('{"blok": 3}', "DragConfig has no setting 'blok'; did you mean 'block'?"),
        ('{"block": "3"}', "block is '3'; expected int"),
        ('{"learning_rate": -1}', "learning_rate is -1; expected 0.0 to 10.0"),
        ('{"latent_space": "Z"}', "latent_space is 'Z'; expected one of W, W+"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_drag_defaults_that_are_no_settings_are_refused_by_the_drag(said: str, words: str):
    generator = made(drag_defaults=said)
    with pytest.raises(CheckpointError) as caught:
        DragConfig.for_generator(generator)
    assert str(caught.value) == (
        f"the drag defaults of it do not fit: {words}; expected settings of DragConfig; convert or fetch the "
        "checkpoint again, or update draggan-widget"
    )


@pytest.mark.slow
def test_a_mean_map_that_the_file_lacks_is_computed():
    given = made({"mean.1.features": torch.zeros(8, 8, 8)})
    assert torch.equal(given.mean_features(0).whole, made().mean_features(0).whole)


def test_a_mean_map_is_taken_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mean = torch.randn(8, 8, 8)
    path = tmp_path / "tiny.safetensors"
    own_file.save(checkpoint({"mean.1.features": mean.half()}), path)
    generator = load_generator(path, "cpu")
    monkeypatch.setattr(StyleGAN2, "features", lambda *arguments: pytest.fail("it was computed again"))
    found = generator.mean_features(1)
    assert (found.block, found.size, found.whole.dtype) == (1, (8, 8), torch.float32)
    assert torch.equal(found.whole, mean.half().float())


MEANS = {
    "another shape": (
        {"mean.1.features": torch.zeros(8, 8, 4)},
        "'mean.1.features' has shape (8, 8, 4); expected (8, 8, 8)",
    ),
    "whole numbers": (
        {"mean.1.features": torch.zeros(8, 8, 8, dtype=torch.int64)},
        "'mean.1.features' is torch.int64; expected real numbers",
    ),
    "no such block": (
        {"mean.4.features": torch.zeros(1)},
        "has, beyond a StyleGAN2, 'mean.4.features'; expected the tensors of a 'skip' StyleGAN2 of 32 x 32 px",
    ),
}


@pytest.mark.parametrize("wrong", MEANS)
def test_a_mean_map_that_does_not_fit_is_refused_of_a_checkpoint_and_of_a_file(tmp_path: Path, wrong: str):
    tensors, words = MEANS[wrong]
    assert refusal(tensors) == f"it: {words}; {REMEDY}"
    path = tmp_path / "tiny.safetensors"
    own_file.save(checkpoint(tensors), path)
    with pytest.raises(CheckpointError) as caught:
        load_generator(path, "cpu")
    assert str(caught.value) == f"{path}: {words}; {REMEDY}"
