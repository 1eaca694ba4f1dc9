"""From the tensors of a checkpoint to a generator."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from generators.tiny_stylegan2 import TINY, plain_config, random_tensors, tiny_checkpoint
from torch import Tensor

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2.check_tensors import REMEDY
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.errors import CheckpointError
from draggan_widget.generators.stylegan2.generator import StyleGAN2

CPU = torch.device("cpu")
TENSORS = "expected the tensors of a 'skip' StyleGAN2 of 32 x 32 px"
CONV = "synthesis.b8.conv0"


def made(tensors: dict[str, Tensor], config: StyleGAN2Config = TINY) -> StyleGAN2:
    return StyleGAN2.from_checkpoint(Checkpoint("stylegan2", config.to_dict(), tensors, {}), "it", CPU)


def picture(generator: StyleGAN2) -> Tensor:
    return generator.image(generator.ws_from_seed(2, 0.7))


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("classes", [0, 3])
def test_a_network_s_tensors_are_those_of_a_file_and_no_others(architecture: str, classes: int):
    config = plain_config(architecture=architecture, c_dim=classes)
    tensors = random_tensors(config)
    held = made(tensors, config).network.state_dict()
    assert {name: tensor.shape for name, tensor in held.items()} == {name: t.shape for name, t in tensors.items()}


def test_tensors_are_shared():
    tensors = random_tensors(TINY)
    held = made(tensors).network.state_dict()
    assert all(held[name].data_ptr() == tensor.data_ptr() for name, tensor in tensors.items())


def test_a_live_network_s_parameters_stay_as_they_are():
    tensors = {name: torch.nn.Parameter(tensor) for name, tensor in random_tensors(TINY).items()}
    generator = made(dict(tensors))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in tensors.values())
    assert not any(parameter.requires_grad for parameter in generator.network.parameters())
    before = picture(generator)
    with torch.no_grad():
        tensors["synthesis.b32.torgb.bias"].add_(1.0)
        tensors[f"{CONV}.weight"].mul_(-1.0)
    assert not torch.allclose(picture(generator), before)
    assert torch.equal(picture(generator), picture(made(dict(tensors))))


def test_filters_may_be_absent():
    tensors = random_tensors(TINY)
    without = {name: tensor for name, tensor in tensors.items() if not name.endswith("resample_filter")}
    assert len(without) < len(tensors)
    assert torch.equal(picture(made(without)), picture(made(tensors)))


def test_noise_that_is_not_used_may_be_there():
    config = plain_config(use_noise=False)
    assert torch.equal(
        picture(made(random_tensors(TINY), config)), picture(made(random_tensors(TINY)).with_noise("none"))
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype):
    halves = {name: tensor.to(dtype) for name, tensor in random_tensors(TINY).items()}
    generator = made(halves)
    assert generator.dtype == torch.float32
    assert all(tensor.dtype == torch.float32 for tensor in generator.network.state_dict().values())
    assert torch.equal(picture(generator), picture(made({name: half.float() for name, half in halves.items()})))


def test_double_precision_stays_unless_something_is_single():
    doubles = {name: tensor.double() for name, tensor in random_tensors(TINY).items()}
    filters = {name: tensor.float() for name, tensor in doubles.items() if name.endswith("resample_filter")}
    generator = made({**doubles, **filters})
    assert (generator.dtype, picture(generator).dtype) == (torch.float64, torch.float64)
    doubles["mapping.w_avg"] = doubles["mapping.w_avg"].float()
    assert picture(made(doubles)).dtype == torch.float32


def without(key: str) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.pop(key)


def given(**changes: Tensor) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.update({key.replace("__", "."): value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without("mapping.w_avg"), f"lacks 'mapping.w_avg'; {TENSORS}"),
        (without(f"{CONV}.noise_strength"), f"lacks '{CONV}.noise_strength'; {TENSORS}"),
        (
            lambda tensors: [tensors.pop(f"{CONV}.weight"), tensors.pop(f"{CONV}.bias")],
            f"lacks '{CONV}.weight' and 1 more; {TENSORS}",
        ),
        (given(synthesis__b64__const=torch.zeros(1)), f"has, beyond a StyleGAN2, 'synthesis.b64.const'; {TENSORS}"),
        (given(mapping__w_avg=torch.zeros(9)), "'mapping.w_avg' has shape (9,); expected (8,)"),
        (
            given(mapping__w_avg=torch.zeros(8, dtype=torch.int64)),
            "'mapping.w_avg' is torch.int64; expected real numbers",
        ),
        (given(mapping__w_avg=torch.zeros(8) * 1j), "'mapping.w_avg' is torch.complex64; expected real numbers"),
        (
            given(synthesis__b8__resample_filter=torch.ones(4, 4) / 16),
            "'synthesis.b8.resample_filter' is another filter; expected that of the taps [1, 3, 3, 1]",
        ),
        (
            given(synthesis__b8__resample_filter=torch.ones(3, 3) / 9),
            "'synthesis.b8.resample_filter' has shape (3, 3); expected (4, 4)",
        ),
        (
            given(synthesis__b8__noise_strength=torch.zeros(()), synthesis__b8__conv1__noise_strength=torch.zeros(1)),
            "'synthesis.b8.conv1.noise_strength' has shape (1,); expected ()",
        ),
        (
            given(synthesis__b8__conv1__resample_filter=torch.ones(33)),
            "'synthesis.b8.conv1.resample_filter' has shape (33,); expected (4, 4)",
        ),
        (
            given(synthesis__b8__conv1__resample_filter=torch.ones(4, dtype=torch.int64)),
            "'synthesis.b8.conv1.resample_filter' is torch.int64; expected real numbers",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(spoil: Callable[[dict[str, Tensor]], object], words: str):
    tensors = random_tensors(TINY)
    spoil(tensors)
    with pytest.raises(CheckpointError) as caught:
        made(tensors)
    assert str(caught.value) == f"it: {words}; {REMEDY}"


def test_another_architecture_s_tensors_are_refused():
    with pytest.raises(CheckpointError, match=r"lacks 'synthesis\.b8\.skip\.weight'"):
        made(random_tensors(TINY), plain_config(architecture="resnet"))


def test_numbers_that_cannot_be_are_refused():
    checkpoint = dataclasses.replace(tiny_checkpoint(), config=TINY.to_dict() | {"channels": [10**12]})
    with pytest.raises(CheckpointError) as caught:
        StyleGAN2.from_checkpoint(checkpoint, "it", CPU)
    assert str(caught.value) == (
        "it: channels[0] is 1000000000000; expected a whole number from 1 to 65536; convert the model again, or pass "
        "its config as it was trained"
    )


def test_the_largest_numbers_are_compared_before_anything_is_allocated():
    config = plain_config(channels=[512] * 7 + [32] * 4, w_dim=65536)
    with pytest.raises(CheckpointError, match=r"^it: lacks '[\w.]+' and 111 more; "):
        made(random_tensors(TINY), config)
