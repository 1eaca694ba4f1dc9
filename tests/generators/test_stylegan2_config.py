"""The numbers of a StyleGAN2 and their bounds."""

import json

import pytest
from generators.tiny_stylegan2 import TINY, plain_config

from draggan_widget.checkpoints.stylegan2.config import BOUNDS, StyleGAN2Config
from draggan_widget.errors import ConfigError

AT_MOST = "expected at most 4096 px along each side"
NOT_NEAR_0 = "expected taps whose sum is not near 0"
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
        *("z_dim", "c_dim", "w_dim", "start_size", "channels", "img_channels", "architecture", "mapping_layers"),
        *("mapping_features", "embed_features", "mapping_lr_multiplier", "activation", "mapping_activation"),
        *("resample_filter", "conv_clamp", "num_fp16_res", "use_noise"),
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


@pytest.mark.parametrize(("resolution", "base"), [(1024, 65536), (2048, 65536), (4096, 32768)])
def test_large_pictures_of_the_official_widths_are_within_the_bounds(resolution: int, base: int):
    assert StyleGAN2Config.of_size(resolution, base).image_size == (resolution, resolution)


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
        ({"channels": []}, "channels is a tuple of 0; expected a list of 1 to 11 numbers"),
        ({"channels": [8] * 12}, "channels is a tuple of 12; expected a list of 1 to 11 numbers"),
        ({"channels": 8}, "channels is 8; expected a list of 1 to 11 numbers"),
        ({"channels": [8, 10**12]}, "channels[1] is 1000000000000; expected a whole number from 1 to 65536"),
        ({"channels": [8, 2.0]}, "channels[1] is 2.0; expected a whole number from 1 to 65536"),
        ({"channels": [8, True]}, "channels[1] is True; expected a whole number from 1 to 65536"),
        ({"start_size": [4]}, "start_size is a tuple of 1; expected a list of 2 numbers"),
        ({"start_size": 4}, "start_size is 4; expected a list of 2 numbers"),
        ({"start_size": [4, 0]}, "start_size[1] is 0; expected a whole number from 1 to 64"),
        ({"start_size": [64, 64], "channels": [1] * 11}, "the picture has 65536 x 65536 px; " + AT_MOST),
        ({"start_size": [4, 64], "channels": [1] * 8}, "the picture has 8192 x 512 px; " + AT_MOST),
        (
            {"channels": [4] * 10 + [99]},
            "a picture of 4096 x 4096 px takes 1.5e+12 multiplications with these channels; expected at most 1e+12",
        ),
        ({"z_dim": -1}, "z_dim is -1; expected a whole number from 0 to 65536"),
        ({"z_dim": 0}, "z_dim and c_dim are both 0; expected one of them above 0"),
        ({"w_dim": None}, "w_dim is None; expected a whole number from 1 to 65536"),
        ({"mapping_features": 0}, "mapping_features is 0; expected a whole number from 1 to 65536"),
        ({"mapping_layers": 0}, "mapping_layers is 0; expected a whole number from 1 to 64"),
        ({"architecture": "plain"}, "architecture is 'plain'; expected 'skip' or 'resnet' or 'orig'"),
        ({"architecture": ["skip"]}, "architecture is a tuple of 1; expected 'skip' or 'resnet' or 'orig'"),
        ({"activation": "swish"}, "activation is 'swish'; expected 'lrelu' or 'relu'"),
        ({"activation": None}, "activation is None; expected 'lrelu' or 'relu'"),
        ({"mapping_activation": "tanh"}, "mapping_activation is 'tanh'; expected 'lrelu' or 'relu'"),
        ({"img_channels": 5}, "img_channels is 5; expected 3 or 1 or 4"),
        ({"img_channels": True}, "img_channels is True; expected 3 or 1 or 4"),
        ({"use_noise": 1}, "use_noise is 1; expected True or False"),
        ({"mapping_lr_multiplier": 0}, "mapping_lr_multiplier is 0; expected a number above 0"),
        ({"mapping_lr_multiplier": None}, "mapping_lr_multiplier is None; expected a number above 0"),
        ({"conv_clamp": float("nan")}, "conv_clamp is nan; expected a number above 0"),
        ({"conv_clamp": "256"}, "conv_clamp is '256'; expected a number above 0"),
        ({"conv_clamp": 1e30}, "conv_clamp is 1e+30; expected a number above 0"),
        ({"conv_clamp": 10**400}, "conv_clamp is a number of 1329 bits; expected a number above 0"),
        ({"resample_filter": []}, "resample_filter is a tuple of 0; expected a list of 1 to 32 numbers"),
        ({"resample_filter": [1] * 33}, "resample_filter is a tuple of 33; expected a list of 1 to 32 numbers"),
        ({"resample_filter": ["a"]}, "resample_filter[0] is 'a'; expected a number"),
        ({"resample_filter": [1, -1]}, f"resample_filter is [1, -1], whose sum is 0; {NOT_NEAR_0}"),
        ({"resample_filter": [1e-300]}, f"resample_filter is [1e-300], whose sum is 1e-300; {NOT_NEAR_0}"),
        ({"resample_filter": [0, 0]}, f"resample_filter is [0, 0], whose sum is 0; {NOT_NEAR_0}"),
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
    assert str(caught.value) == f"the config has the key 'depth'; expected only {', '.join(TINY.to_dict())}"


def test_a_config_of_an_older_file_has_one_activation_for_all_layers():
    older = {name: value for name, value in TINY.to_dict().items() if name != "mapping_activation"}
    assert StyleGAN2Config.from_dict(older) == TINY


@pytest.mark.parametrize("key", [name for name in TINY.to_dict() if name != "mapping_activation"])
def test_every_key_must_be_there(key: str):
    # A default in place of a number that the file does not state would draw a wrong picture without a word.
    without = {name: value for name, value in TINY.to_dict().items() if name != key}
    with pytest.raises(ConfigError) as caught:
        StyleGAN2Config.from_dict(without)
    assert str(caught.value) == f"the config lacks {key!r}; expected {', '.join(TINY.to_dict())}"


def test_every_number_has_its_bounds():
    assert [*BOUNDS] == [*TINY.to_dict()]


def test_filters_that_are_computed_with():
    def used(**changes: object) -> set[str]:
        return {name.removesuffix(".resample_filter") for name in plain_config(channels=[8, 8], **changes).used_filters}

    assert used() == {"synthesis.b8.conv0", "synthesis.b8"}
    assert used(architecture="resnet") == {"synthesis.b8.conv0", "synthesis.b8.skip"}
    assert used(architecture="orig") == {"synthesis.b8.conv0"}
    assert plain_config(channels=[8]).used_filters == set()
