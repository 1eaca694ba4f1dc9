import json

import pytest
from generators.tiny_stylegan2 import TINY, plain_config

from draggan_widget.errors import ConfigError
from draggan_widget.generators.stylegan2.config import StyleGAN2Config

FULL = StyleGAN2Config(
    channels=(64, 32, 16),
    z_dim=0,
    c_dim=10,
    w_dim=128,
    start_size=(4, 2),
    img_channels=1,
    architecture="resnet",
    mapping_layers=2,
    mapping_features=96,
    embed_features=64,
    mapping_lr_multiplier=0.1,
    resample_filter=(1, 2, 1),
    conv_clamp=256,
    num_fp16_res=4,
    use_noise=False,
)


@pytest.mark.parametrize("config", [TINY, FULL, StyleGAN2Config.of_size(1024)])
def test_a_configuration_survives_json(config: StyleGAN2Config):
    assert StyleGAN2Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_keys_are_those_every_reader_writes():
    assert list(TINY.to_dict()) == [
        *("channels", "z_dim", "c_dim", "w_dim", "start_size", "img_channels", "architecture", "mapping_layers"),
        *("mapping_features", "embed_features", "mapping_lr_multiplier", "activation", "resample_filter"),
        *("conv_clamp", "num_fp16_res", "use_noise"),
    ]


@pytest.mark.parametrize(
    ("resolution", "base", "most", "channels"),
    [
        (1024, 32768, 512, (512, 512, 512, 512, 512, 256, 128, 64, 32)),
        (512, 32768, 512, (512, 512, 512, 512, 512, 256, 128, 64)),
        (256, 16384, 512, (512, 512, 512, 512, 256, 128, 64)),
        (32, 32768, 64, (64, 64, 64, 64)),
        (4, 32768, 512, (512,)),
    ],
)
def test_the_official_widths_follow_from_base_and_most(resolution: int, base: int, most: int, channels: tuple):
    config = StyleGAN2Config.of_size(resolution, base, most)
    assert config.channels == channels
    assert config.image_size == (resolution, resolution)
    assert config.num_ws == 2 * len(channels)


@pytest.mark.parametrize("resolution", [0, 2, 3, 6, 1000, 8192])
def test_other_resolutions_are_refused(resolution: int):
    with pytest.raises(ConfigError) as caught:
        StyleGAN2Config.of_size(resolution)
    assert str(caught.value) == f"resolution is {resolution}; expected a power of two from 4 to 4096"


def test_a_picture_need_not_be_square():
    config = StyleGAN2Config(channels=(8,) * 9, start_size=(4, 2))
    assert config.image_size == (1024, 512)
    assert [config.block_name(block) for block in (0, 1, 8)] == ["b4", "b8", "b1024"]


def test_widths_that_are_not_stated_are_those_of_w():
    assert plain_config(c_dim=3, w_dim=6, mapping_layers=3).mapping_sizes == (8 + 6, 6, 6, 6)
    assert plain_config(c_dim=3, embed_features=2, mapping_features=9, mapping_layers=3).mapping_sizes == (10, 9, 9, 8)
    assert plain_config(mapping_layers=1).mapping_sizes == (8, 8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": []}, "channels is (); expected 1 to 11 whole numbers, one a block"),
        ({"channels": [8] * 12}, f"channels is {(8,) * 12}; expected 1 to 11 whole numbers, one a block"),
        ({"channels": 8}, "channels is 8; expected 1 to 11 whole numbers, one a block"),
        ({"channels": [8, 10**12]}, "an entry of channels is 1000000000000; expected a whole number from 1 to 65536"),
        ({"channels": [8, 2.0]}, "an entry of channels is 2.0; expected a whole number from 1 to 65536"),
        ({"channels": [8, True]}, "an entry of channels is True; expected a whole number from 1 to 65536"),
        ({"start_size": [4]}, "start_size is (4,); expected (height, width)"),
        ({"start_size": 4}, "start_size is 4; expected (height, width)"),
        ({"start_size": [4, 0]}, "a side of start_size is 0; expected a whole number from 1 to 64"),
        ({"z_dim": -1}, "z_dim is -1; expected a whole number from 0 to 65536"),
        ({"z_dim": 0}, "z_dim and c_dim are both 0; expected one of them above 0"),
        ({"w_dim": None}, "w_dim is None; expected a whole number from 1 to 65536"),
        ({"mapping_features": 0}, "mapping_features is 0; expected a whole number from 1 to 65536"),
        ({"mapping_layers": 0}, "mapping_layers is 0; expected a whole number from 1 to 64"),
        ({"architecture": "plain"}, "architecture is 'plain'; only 'skip' or 'resnet' or 'orig' can be computed"),
        ({"architecture": ["skip"]}, "architecture is ('skip',); only 'skip' or 'resnet' or 'orig' can be computed"),
        ({"activation": "relu"}, "activation is 'relu'; only 'lrelu' can be computed"),
        ({"img_channels": 4}, "img_channels is 4; only 3 or 1 can be computed"),
        ({"img_channels": True}, "img_channels is True; only 3 or 1 can be computed"),
        ({"use_noise": 1}, "use_noise is 1; expected True or False"),
        ({"mapping_lr_multiplier": 0}, "mapping_lr_multiplier is 0; expected a number above 0"),
        ({"mapping_lr_multiplier": None}, "mapping_lr_multiplier is None; expected a number above 0"),
        ({"conv_clamp": float("nan")}, "conv_clamp is nan; expected a number above 0"),
        ({"conv_clamp": "256"}, "conv_clamp is '256'; expected a number above 0"),
        ({"resample_filter": []}, "resample_filter is (); expected 1 to 32 numbers whose sum is not 0"),
        ({"resample_filter": [1, -1]}, "resample_filter is (1, -1); expected 1 to 32 numbers whose sum is not 0"),
        ({"resample_filter": ["a"]}, "resample_filter is ('a',); expected 1 to 32 numbers whose sum is not 0"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_is_refused(changes: dict, words: str):
    with pytest.raises(ConfigError) as caught:
        plain_config(**changes)
    assert str(caught.value) == words


def test_an_unknown_key_is_refused():
    with pytest.raises(ConfigError) as caught:
        plain_config(depth=3)
    assert str(caught.value) == f"a StyleGAN2 has no setting 'depth'; known are {', '.join(TINY.to_dict())}"


def test_the_channels_must_be_there():
    with pytest.raises(ConfigError) as caught:
        StyleGAN2Config.from_dict({"z_dim": 8})
    assert str(caught.value) == "the configuration lacks 'channels'; expected the channels of every block"
