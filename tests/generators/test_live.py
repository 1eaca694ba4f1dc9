import dataclasses

import pytest
import torch
from generators.live import Part, live_module, photograph, same
from generators.tiny_stylegan2 import random_tensors, tiny_checkpoint
from torch import nn

from draggan_widget import DragSession, Edit, load_generator
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.errors import CheckpointError, ConfigError
from draggan_widget.generators.live import LiveStyleGAN2
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from tests.checkpoints import nvidia_writer

CONFIG = StyleGAN2Config.of_size(32, channel_base=256, channel_max=16)


def test_a_live_generator_draws_what_its_checkpoint_draws():
    module = live_module(CONFIG)
    generator = load_generator(module)
    due = StyleGAN2.from_checkpoint(tiny_checkpoint(CONFIG), "due", torch.device("cpu"))
    ws = generator.ws_from_seed(3, 0.7)
    assert torch.equal(ws, due.ws_from_seed(3, 0.7))
    assert torch.equal(generator.image(ws), due.image(ws))
    assert generator.family == "stylegan2"


def test_half_pictures_stay_half_when_a_live_module_is_read_again():
    live = load_generator(live_module(CONFIG), "cpu")
    assert isinstance(live, LiveStyleGAN2)
    again = live.with_half_pictures().refreshed()
    assert isinstance(again, LiveStyleGAN2)
    assert again.picture_dtype == torch.bfloat16
    assert live.picture_dtype is None


@pytest.mark.parametrize("training", [False, True])
def test_a_whole_drag_leaves_the_module_and_torch_as_they_were(training: bool):
    module = live_module(CONFIG).train(training)
    for index, parameter in enumerate(module.parameters()):
        parameter.requires_grad_(index % 2 == 0)
        if index % 4 == 0:
            parameter.grad = torch.ones_like(parameter)
    before = photograph(module)
    with DragSession(module, seed=1) as session:
        session.edit = Edit([(8, 8)], [(20, 20)])
        session.step(3)
        session.picture()
    assert same(photograph(module), before)


def test_the_tensors_are_shared():
    module = live_module(CONFIG)
    generator = load_generator(module)
    own = dict(generator.network.named_parameters()) | dict(generator.network.named_buffers())
    theirs = dict(module.named_parameters()) | dict(module.named_buffers())
    assert all(own[name].data_ptr() == theirs[name].data_ptr() for name in theirs)


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda module: torch.compile(module, backend="eager")])
def test_a_wrapped_module_is_read_through(wrap):
    generator = load_generator(wrap(live_module(CONFIG)))
    due = load_generator(live_module(CONFIG))
    ws = due.ws_from_seed(0)
    assert torch.equal(generator.image(ws), due.image(ws))


def test_half_precision_is_computed_in_float32_and_stays_half_in_the_module():
    module = live_module(CONFIG).half()
    generator = load_generator(module)
    assert generator.dtype == torch.float32
    assert {tensor.dtype for tensor in module.parameters()} == {torch.float16}
    due = load_generator(live_module(CONFIG))
    ws = due.ws_from_seed(0)
    torch.testing.assert_close(generator.image(ws), due.image(ws), atol=0.05, rtol=0.05)


def test_what_only_the_construction_tells_is_taken_from_it():
    module = live_module(CONFIG, synthesis_kwargs={"conv_clamp": 256, "num_fp16_res": 2})
    assert (load_generator(module).config.conv_clamp, load_generator(module).config.num_fp16_res) == (256, 2)


def test_an_attribute_of_the_layers_goes_before_the_construction():
    module = live_module(CONFIG)
    for name, part in module.named_modules():
        if name.endswith(("conv0", "conv1", "torgb")):
            part.conv_clamp = 64.0
    assert load_generator(module).config.conv_clamp == 64


class Discriminator(Part):
    pass


def test_another_module_is_refused_with_what_to_pass():
    module = Discriminator()
    module.add_module("b32", Part())
    with pytest.raises(CheckpointError) as caught:
        load_generator(module)
    assert str(caught.value) == (
        "the Discriminator module has the parts b32; expected NVIDIA's StyleGAN2 Generator with mapping and synthesis; "
        "pass G itself (not the discriminator or one part of it) or a checkpoint file"
    )


def test_a_module_without_values_is_refused():
    with pytest.raises(CheckpointError, match="^the Generator module has tensors on 'meta', without values; load "):
        load_generator(live_module(CONFIG).to("meta"))


def test_a_stylegan3_is_named():
    module = live_module(CONFIG)
    module.synthesis.add_module("input", Part())
    module.synthesis.input.register_buffer("transform", torch.eye(3))
    with pytest.raises(CheckpointError, match="^the Generator module is a StyleGAN3; expected a StyleGAN2; "):
        load_generator(module)


@pytest.mark.parametrize("half", [False, True])
def test_refresh_draws_with_the_weights_of_now_and_undo_goes_back(half: bool):
    module = live_module(CONFIG)
    module = module.half() if half else module
    with DragSession(module, seed=2) as session:
        session.edit = Edit([(8, 8)], [(20, 20)])
        session.step(2)
        fresh = {name: tensor.to(module.mapping.w_avg.dtype) for name, tensor in random_tensors(CONFIG, 7).items()}
        module.load_state_dict(fresh)
        session.refresh()
        with DragSession(module, seed=2) as due:
            assert session.picture().tobytes() == due.picture().tobytes()
            assert torch.equal(session.ws, due.ws)
        assert session.edit == Edit([(8, 8)], [(20, 20)])
        assert len(session.record) == 0
        assert session.undo()
        assert len(session.record) == 3
        assert torch.equal(session.generator.image(session.ws), load_generator(module).image(session.ws))
        with DragSession(module, ws=session.ws) as due:
            assert session.picture().tobytes() == due.picture().tobytes()
        session.step(2)


def test_refresh_keeps_a_given_latent():
    module = live_module(CONFIG)
    ws = load_generator(module).ws_from_seed(5)
    with DragSession(module, ws=ws) as session:
        session.refresh()
        assert torch.equal(session.ws, ws)
        assert session.seed is None


def test_a_module_made_in_inference_mode_is_copied_and_dragged():
    with torch.inference_mode():
        module = live_module(CONFIG)
    with DragSession(module, seed=1) as session:
        session.edit = Edit([(8, 8)], [(20, 20)])
        assert session.step(2).index == 2


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("label", [1.0, "1", True, -1, 3, None])
def test_a_label_that_is_no_class_is_refused(label):
    generator = load_generator(live_module(dataclasses.replace(CONFIG, c_dim=3)))
    with pytest.raises(ConfigError) as caught:
        generator.ws_from_seed(0, label=label)
    assert str(caught.value) == f"label is {label!r}; {generator.name} expects 0 to 2"


def test_the_raw_network_of_a_file_is_loaded_on_request(tmp_path):
    ema, raw = random_tensors(CONFIG, 1), random_tensors(CONFIG, 2)
    path = tmp_path / "x.pkl"
    path.write_bytes(nvidia_writer.dumps(nvidia_writer.snapshot(CONFIG.to_dict(), ema, raw)))
    taken = load_generator(path, network="G").network.state_dict()
    assert torch.equal(taken["mapping.fc0.weight"], raw["mapping.fc0.weight"])
    assert not torch.equal(taken["mapping.fc0.weight"], ema["mapping.fc0.weight"])
