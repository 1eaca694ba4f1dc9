import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.read import LARGEST_FILE, read_checkpoint
from draggan_widget.checkpoints.sniff import FORMATS
from draggan_widget.checkpoints.stylegan2.check_tensors import REMEDY
from draggan_widget.checkpoints.stylegan2.config import BOUNDS
from draggan_widget.checkpoints.stylegan2.infer_config import infer_config
from draggan_widget.errors import CheckpointError
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from tests.checkpoints import nvidia_writer, opcodes
from tests.generators.reference_stylegan2 import Reference
from tests.generators.tiny_stylegan2 import TINY, plain_config, random_tensors

DAMAGED = "the file is damaged or was not written by PyTorch; download it or save it again"
CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("unchecked")  # a hundred thousand checked calls a file; another module checks
VARIANTS = {
    "plain": {},
    "conditional": {"c_dim": 5, "embed_features": 3},
    "classes only": {"z_dim": 0, "c_dim": 5},
    "resnet": {"architecture": "resnet"},
    "orig": {"architecture": "orig"},
    "deep mapping": {"mapping_layers": 8, "mapping_features": 12, "mapping_lr_multiplier": 0.02},
    "upright": {"start_size": [4, 2]},
    "grey": {"img_channels": 1},
    "RGBA": {"img_channels": 4},
    "relu": {"activation": "relu"},
    "relu in the synthesis alone": {"activation": "relu", "mapping_activation": "lrelu"},
    "noiseless": {"use_noise": False},
    "half precision": {"num_fp16_res": 2, "conv_clamp": 256},
    "another filter": {"resample_filter": [1, 2, 1]},
    "one block": {"channels": [6]},
}


def settings(**changes) -> dict:
    config = plain_config(**changes).to_dict()
    # What shapes tell is told: `None` stands for `w_dim` in a config that a person writes.
    many = config["mapping_layers"] > 1
    config["mapping_features"] = (config["mapping_features"] or config["w_dim"]) if many else None
    config["embed_features"] = (config["embed_features"] or config["w_dim"]) if config["c_dim"] else None
    return config


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refusal(path: Path, network: str = "G_ema") -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path, network)
    return str(caught.value)


def check_equal(found: dict[str, torch.Tensor], due: dict[str, torch.Tensor]) -> None:
    assert found.keys() == due.keys()
    for name, tensor in due.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("flat", [False, True], ids=["StyleGAN2-ADA", "StyleGAN3's repository"])
def test_an_nvidia_pickle_gives_back_its_tensors_and_its_config(tmp_path, changes, flat):
    config, tensors = settings(**changes), random_tensors(plain_config(**changes), seed=3)
    data = nvidia_writer.dumps({"G_ema": nvidia_writer.generator(config, tensors, flat)})
    path = written(tmp_path / "model", data)
    found = read_checkpoint(path)
    assert found.family == "stylegan2"
    assert found.config == config
    assert [*found.config] == [*BOUNDS]
    assert json.loads(json.dumps(found.config)) == found.config
    check_equal(found.tensors, tensors)
    assert found.meta == {
        "licence": "not stated in the file; ask where it comes from",
        "provenance": "model, G_ema of a NVIDIA PyTorch pickle",
        "source_format": "NVIDIA PyTorch pickle",
        "source_sha256": hashlib.sha256(data).hexdigest(),
    }


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_a_state_dict_of_a_wrapped_module_is_read(tmp_path, prefix):
    tensors = random_tensors(TINY, seed=1)
    path = tmp_path / "x.pt"
    torch.save({"g_ema": {prefix + name: tensor for name, tensor in tensors.items()}}, path)
    check_equal(read_checkpoint(path).tensors, tensors)


def test_an_oversized_filter_is_refused_before_it_is_widened(monkeypatch):
    def widened(_: torch.Tensor) -> None:
        raise AssertionError("it was widened")

    monkeypatch.setattr(torch.Tensor, "double", widened)
    tensors = {**random_tensors(TINY), "synthesis.b4.resample_filter": torch.zeros(4_000_000, dtype=torch.uint8)}
    with pytest.raises(CheckpointError, match="resample_filter' has shape"):
        infer_config({key: t for key, t in tensors.items() if "resample" not in key or t.numel() > 99}, {})


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [False, True], ids=["older storages", "zipped storages"])
def test_a_snapshot_gives_each_of_its_networks(tmp_path, protocol, zipped):
    ema, raw = random_tensors(TINY, seed=1), random_tensors(TINY, seed=2)
    snapshot = nvidia_writer.snapshot(settings(), ema, raw)
    path = written(tmp_path / "snapshot.pkl", nvidia_writer.dumps(snapshot, protocol, zipped))
    check_equal(read_checkpoint(path).tensors, ema)
    check_equal(read_checkpoint(path, "G").tensors, raw)
    found = read_checkpoint(path, "D")
    assert found.family == "stylegan2-discriminator"
    assert found.config == {
        "class_name": "Discriminator",
        "init_kwargs": {"c_dim": 0, "img_resolution": 8, "epilogue_kwargs": {"mbstd_group_size": 4}},
    }
    check_equal(found.tensors, nvidia_writer.discriminator()[1])


def test_what_was_read_draws_the_same_picture(tmp_path):
    config, tensors = settings(), random_tensors(TINY)
    path = written(tmp_path / "x", nvidia_writer.dumps(nvidia_writer.snapshot(config, tensors)))
    due = StyleGAN2.from_checkpoint(Checkpoint("stylegan2", config, tensors, {}), "due", torch.device("cpu"))
    got = StyleGAN2.from_checkpoint(read_checkpoint(path), "got", torch.device("cpu"))
    assert torch.equal(got.image(got.ws_from_seed(4)), due.image(due.ws_from_seed(4)))


def test_tensors_keep_the_type_they_are_stored_in(tmp_path):
    tensors = {name: tensor.half() for name, tensor in random_tensors(TINY).items()}
    data = nvidia_writer.dumps({"G_ema": nvidia_writer.generator(settings(), tensors)})
    found = read_checkpoint(written(tmp_path / "x", data))
    check_equal(found.tensors, tensors)
    assert found.config == settings()


def test_views_and_other_orders_in_memory_come_back_as_they_were(tmp_path):
    tensors = random_tensors(TINY)
    name = "synthesis.b8.conv1.weight"
    tensors[name] = tensors[name].to(memory_format=torch.channels_last)
    both = torch.randn(2, 8)
    tensors["mapping.fc0.bias"], tensors["mapping.fc1.bias"] = both[0], both[1]
    data = nvidia_writer.dumps({"G_ema": nvidia_writer.generator(settings(), tensors)})
    found = read_checkpoint(written(tmp_path / "x", data)).tensors
    check_equal(found, tensors)
    assert found[name].stride() == tensors[name].stride()
    torch.save(tensors, tmp_path / "x")
    found = read_checkpoint(tmp_path / "x").tensors
    check_equal(found, tensors)
    assert found["mapping.fc0.bias"].data_ptr() + 32 == found["mapping.fc1.bias"].data_ptr()


@pytest.mark.parametrize("new", [True, False], ids=["archive", "older layout"])
@pytest.mark.parametrize("key", [None, "state_dict", "G_ema", "G"])
def test_a_state_dict_of_torch_save_is_read_by_its_shapes(tmp_path, new, key):
    tensors = random_tensors(TINY)
    torch.save(tensors if key is None else {key: tensors}, tmp_path / "x", _use_new_zipfile_serialization=new)
    found = read_checkpoint(tmp_path / "x")
    assert found.config == settings()
    assert found.meta["source_format"] == "PyTorch state dict"
    check_equal(found.tensors, tensors)


def test_a_config_beside_a_state_dict_tells_what_shapes_cannot(tmp_path):
    own = {"conv_clamp": 256, "num_fp16_res": 2, "mapping_lr_multiplier": 0.5, "start_size": (4, 4), "mine": 1}
    torch.save({"config": own, "state_dict": random_tensors(TINY)}, tmp_path / "x")
    due = settings(conv_clamp=256, num_fp16_res=2, mapping_lr_multiplier=0.5)
    assert read_checkpoint(tmp_path / "x").config == due
    save_file(random_tensors(TINY), tmp_path / "y", {"config": json.dumps(own)})
    assert read_checkpoint(tmp_path / "y").config == due


def test_a_config_that_contradicts_the_tensors_is_refused(tmp_path):
    torch.save({"config": {"z_dim": 9}, "G_ema": random_tensors(TINY)}, tmp_path / "x")
    assert refusal(tmp_path / "x") == (
        f"{tmp_path / 'x'}: its config says z_dim 9, its tensors 8; expected the same; save it again with the right one"
    )


def test_names_of_a_parallel_module_lose_their_prefix(tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in random_tensors(TINY).items()}, tmp_path / "x")
    check_equal(read_checkpoint(tmp_path / "x").tensors, random_tensors(TINY))


def test_a_whole_module_in_a_torch_archive_is_read(tmp_path):
    # As inversion projects keep a tuned generator.
    with nvidia_writer.foreign_modules():
        torch.save(nvidia_writer.generator(settings(), random_tensors(TINY)), tmp_path / "x")
    check_equal(read_checkpoint(tmp_path / "x").tensors, random_tensors(TINY))


def test_safetensors_are_read_ours_and_others(tmp_path):
    tensors = random_tensors(TINY)
    save_file(tensors, tmp_path / "other")
    found = read_checkpoint(tmp_path / "other")
    assert found.config == settings()
    assert found.meta["source_sha256"] == hashlib.sha256((tmp_path / "other").read_bytes()).hexdigest()
    own_file.save(found, tmp_path / "ours")
    again = read_checkpoint(tmp_path / "ours")
    assert (again.family, again.config, again.meta) == (found.family, found.config, found.meta)
    check_equal(again.tensors, tensors)


def test_our_own_file_is_held_against_its_config(tmp_path):
    # A config alone would have a generator of any size built.
    config = settings() | {"channels": [65536, 8, 6, 4]}
    own_file.save(Checkpoint("stylegan2", config, random_tensors(TINY), {}), tmp_path / "x")
    assert refusal(tmp_path / "x") == (
        f"{tmp_path / 'x'}: 'synthesis.b4.const' has shape (8, 4, 4); expected (65536, 4, 4); {REMEDY}"
    )
    own_file.save(Checkpoint("stylegan2", settings() | {"w_dim": 10**12}, random_tensors(TINY), {}), tmp_path / "y")
    assert "w_dim is 1000000000000; expected a whole number from 1 to 65536" in refusal(tmp_path / "y")
    own_file.save(Checkpoint("another", {"any": 1}, {}, {}), tmp_path / "z")
    assert read_checkpoint(tmp_path / "z").family == "another"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.pop("mapping.w_avg"),
            "lacks 'mapping.w_avg'; expected the tensors of a 'skip' StyleGAN2 of 32 x 32 px",
        ),
        (lambda t: t.update({"mapping.new": torch.ones(1)}), "has, beyond a StyleGAN2, 'mapping.new'"),
        (lambda t: t.update({"mapping.fc0.bias": torch.ones(9)}), "'mapping.fc0.bias' has shape (9,); expected (8,)"),
        (lambda t: t.update({"mapping.w_avg": torch.ones(8).long()}), "'mapping.w_avg' is torch.int64; expected real"),
        (lambda t: t.pop("synthesis.b4.const"), "synthesis.b4.const is missing"),
        (lambda t: t.update({"synthesis.b12.x": torch.ones(1)}), "has blocks 4, 8, 12, 16, 32; expected 4, 8, 16"),
        (
            lambda t: t.update({"synthesis.b8.resample_filter": torch.rand(4, 4)}),
            "its filters, of shape (4, 4), are not one and the same up-sampling filter; expected the outer product",
        ),
    ],
)
def test_tensors_of_another_network_are_refused_by_name(tmp_path, change, message):
    tensors = random_tensors(TINY)
    change(tensors)
    torch.save(tensors, tmp_path / "x")
    assert message in refusal(tmp_path / "x")


def test_filters_may_be_missing_and_noise_may_be_left_over(tmp_path):
    tensors = {name: t for name, t in random_tensors(TINY).items() if not name.endswith("resample_filter")}
    torch.save({"config": {"use_noise": False}, "G_ema": tensors}, tmp_path / "x")
    assert read_checkpoint(tmp_path / "x").config == settings(use_noise=False)


def test_a_long_filter_is_recognised_stored_along_one_axis():
    taps = [1, 2, 3, 4, 4, 3, 2, 1]
    tensors = random_tensors(plain_config(resample_filter=taps))
    line = torch.tensor(taps) / sum(taps)
    flat = {name: line if name.endswith("resample_filter") else tensor for name, tensor in tensors.items()}
    assert infer_config(tensors, {})["resample_filter"] == taps
    assert infer_config(flat, {})["resample_filter"] == taps


TAPS = {
    "the default": [1, 3, 3, 1],
    "two taps": [1, 1],
    "three taps": [1, 2, 1],
    "four other taps": [1, 4, 2, -1],
    "eight taps": [1, 2, 3, 4, 4, 3, 2, 1],
}


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("taps", TAPS.values(), ids=TAPS.keys())
@pytest.mark.parametrize("stored", ["two axes", "NVIDIA", "one axis"])
def test_filters_as_files_hold_them_draw_the_picture_of_the_network_written_plainly(
    tmp_path, architecture, taps, stored
):
    config = plain_config(channels=[8, 6, 4], architecture=architecture, resample_filter=taps)
    tensors = random_tensors(config)
    if stored != "two axes":
        tensors = nvidia_writer.with_nvidia_filters(tensors, taps)
    if stored == "one axis":
        flat = {name: tensor for name, tensor in tensors.items() if name.endswith("resample_filter")}
        tensors |= {name: tensor if tensor.ndim == 1 else tensor.sum(0) for name, tensor in flat.items()}
    made = nvidia_writer.generator(config.to_dict(), tensors)
    found = read_checkpoint(written(tmp_path / "x", nvidia_writer.dumps({"G_ema": made})))
    check_equal(found.tensors, tensors)
    assert found.config["resample_filter"] == taps
    torch.save(tensors, tmp_path / "bare")
    own_file.save(found, tmp_path / "ours")
    ws = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(1))
    due = Reference(config, tensors).draw(ws[0].double().numpy())[1][-1]
    for path in (tmp_path / "x", tmp_path / "bare", tmp_path / "ours"):
        generator = StyleGAN2.from_checkpoint(read_checkpoint(path), "got", torch.device("cpu"))
        np.testing.assert_allclose(generator.image(ws)[0], due, atol=1e-4)


def test_a_filter_that_nothing_reads_may_be_any(tmp_path):
    due = random_tensors(TINY)
    odd = {name: t for name, t in due.items() if not name.endswith("conv1.resample_filter")}
    odd |= {"synthesis.b8.conv1.resample_filter": torch.full((4, 4), torch.nan)}
    odd |= {"synthesis.b16.conv1.resample_filter": torch.zeros(7)}
    odd |= {"synthesis.b4.resample_filter": torch.ones(2, 2)}
    assert infer_config(odd, {}) == settings()
    made = [StyleGAN2.from_checkpoint(Checkpoint("stylegan2", settings(), t, {}), "it", CPU) for t in (odd, due)]
    ws = made[0].ws_from_seed(0)
    assert torch.equal(made[0].image(ws), made[1].image(ws))
    assert made[0].sha256 == made[1].sha256


def test_a_filter_stored_in_half_precision_is_recognised():
    for taps in TAPS.values():
        for dtype in (torch.float16, torch.bfloat16):
            tensors = random_tensors(plain_config(resample_filter=taps))
            for given in (tensors, nvidia_writer.with_nvidia_filters(tensors, taps)):
                halves = {name: tensor.to(dtype) for name, tensor in given.items()}
                assert infer_config(halves, {})["resample_filter"] == taps


WRONG_FILTERS = {
    "zeros": torch.zeros(4, 4),
    "not a number": torch.full((4,), torch.nan),
    "of another sum": torch.ones(4, 4),
    "of sum 0": torch.tensor([1.0, -1.0, 1.0, -1.0]),
    "tiny": torch.full((4, 4), 1e-30),
    "no outer product": torch.eye(4) / 4,
}


@pytest.mark.parametrize("wrong", WRONG_FILTERS.values(), ids=WRONG_FILTERS.keys())
def test_a_filter_that_is_none_is_refused(tmp_path, wrong):
    filters = {name: wrong for name in random_tensors(TINY) if name.endswith("resample_filter")}
    torch.save({**random_tensors(TINY), **filters}, tmp_path / "x")
    assert refusal(tmp_path / "x") == (
        f"{tmp_path / 'x'}: its filters, of shape {tuple(wrong.shape)}, are not one and the same up-sampling filter; "
        f"expected the outer product of at most 32 taps, of sum 1; {REMEDY}"
    )


@pytest.mark.parametrize("taps", [[1e-300] * 4, [1, -1], [0.0], [], [1] * 33, "1331", [True], [10**31], None, [1e31]])
def test_taps_that_are_no_filter_are_refused_in_every_kind_of_file(tmp_path, taps):
    tensors = {name: t for name, t in random_tensors(TINY).items() if not name.endswith("resample_filter")}
    torch.save({"config": {"resample_filter": taps}, "G_ema": tensors}, tmp_path / "theirs")
    config = settings() | {"resample_filter": taps}
    own_file.save(Checkpoint("stylegan2", config, tensors, {}), tmp_path / "ours")
    data = nvidia_writer.dumps({"G_ema": nvidia_writer.generator(config | {"resample_filter": taps or []}, tensors)})
    files = (tmp_path / "theirs", tmp_path / "ours", written(tmp_path / "NVIDIA's", data))
    for path in files[: 3 if isinstance(taps, list) else 2]:
        assert "resample_filter" in refusal(path)


OUT_OF_BOUNDS = {
    "five colours": ({"img_channels": 5}, "img_channels is 5; expected 3 or 1 or 4"),
    "two colours": ({"img_channels": 2}, "img_channels is 2; expected 3 or 1 or 4"),
    "neither z nor classes": ({"z_dim": 0}, "z_dim and c_dim are both 0; expected one of them above 0"),
}


@pytest.mark.parametrize(("changes", "words"), OUT_OF_BOUNDS.values(), ids=OUT_OF_BOUNDS.keys())
def test_what_no_generator_can_draw_is_refused_by_every_reader(tmp_path, changes, words):
    tensors = random_tensors(TINY)
    if "img_channels" in changes:
        for name in [name for name in tensors if name.endswith(("torgb.weight", "torgb.bias"))]:
            tensors[name] = torch.ones(changes["img_channels"], *tensors[name].shape[1:])
    else:
        tensors["mapping.fc0.weight"] = torch.ones(8, 0)
    config = settings() | changes
    data = nvidia_writer.dumps({"G_ema": nvidia_writer.generator(config, tensors)})
    torch.save(tensors, tmp_path / "bare")
    own_file.save(Checkpoint("stylegan2", config, tensors, {}), tmp_path / "ours")
    remedy = "convert the model again, or pass its config as it was trained"
    for path in (written(tmp_path / "x", data), tmp_path / "bare", tmp_path / "ours"):
        assert refusal(path) == f"{path}: {words}; {remedy}"


@pytest.mark.parametrize(
    ("arguments", "due"),
    [
        ({"activation": "relu"}, ("relu", "lrelu")),
        ({"synthesis_kwargs": {"activation": "relu"}}, ("relu", "lrelu")),
        ({"mapping_kwargs": {"activation": "relu"}}, ("lrelu", "relu")),
        ({"activation": "relu", "mapping_kwargs": {"activation": "relu"}}, ("relu", None)),
        ({}, ("lrelu", None)),
    ],
)
def test_the_activation_of_nvidia_s_arguments_is_that_of_the_part_they_go_to(arguments, due):
    found = infer_config(random_tensors(TINY), arguments)
    assert (found["activation"], found["mapping_activation"]) == due


@pytest.mark.parametrize("mapping", [{}, {"mapping_activation": None}, {"mapping_activation": "lrelu"}])
def test_a_config_beside_a_state_dict_states_the_activation_of_all_layers(tmp_path, mapping):
    torch.save({"config": {"activation": "relu", **mapping}, "G_ema": random_tensors(TINY)}, tmp_path / "x")
    found = read_checkpoint(tmp_path / "x").config
    assert (found["activation"], found["mapping_activation"]) == ("relu", mapping.get("mapping_activation"))


def test_layers_that_differ_are_refused():
    attributes = {"synthesis.b4.conv1.conv_clamp": 256, "synthesis.b8.conv1.conv_clamp": None}
    with pytest.raises(CheckpointError, match=r"^G: its layers differ in conv_clamp; expected one for all; "):
        infer_config(random_tensors(TINY), {}, attributes, "G")


def test_the_shapes_are_those_the_generator_has():
    for changes in VARIANTS.values():
        shapes = {name: tuple(tensor.shape) for name, tensor in random_tensors(plain_config(**changes)).items()}
        assert plain_config(**changes).tensor_shapes == shapes


def test_a_network_that_is_not_there_is_named_with_those_that_are(tmp_path):
    made = nvidia_writer.generator(settings(), random_tensors(TINY))
    path = written(tmp_path / "x", nvidia_writer.dumps({"G": made, "step": 3}))
    assert refusal(path) == f"{path}: holds 'G', 'step'; expected a network 'G_ema'; ask for one that is there"
    assert refusal(path, "E") == "network is 'E'; expected one of G_ema, G, D; ask for one of these"
    torch.save(random_tensors(TINY), path)
    assert "expected a pickled discriminator 'D'; read it from NVIDIA's .pkl" in refusal(path, "D")


def test_a_global_is_refused_by_its_full_name(tmp_path):
    path = written(tmp_path / "x", opcodes.snapshot(opcodes.call("os.system", opcodes.text("touch RAN"))))
    assert refusal(path) == (
        f"{path}: names the global os.system before byte 25; expected only those that a network's weights need; it may "
        "run code in tools that unpickle it; take the file from a source you trust, or a .safetensors of it"
    )


def test_a_file_of_another_kind_is_told_what_it_looks_like(tmp_path):
    path = written(tmp_path / "model.pkl", b"<!DOCTYPE html><html><title>Quota exceeded</title>")
    assert refusal(path) == (
        f"{path}: looks like an HTML page, as a failed download leaves; expected {FORMATS}; "
        "download the file itself, not the page about it"
    )


def test_what_is_no_file_is_refused_at_once(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path} is not a file; expected {FORMATS}; give the path of a file"
    assert refusal(tmp_path / "missing").endswith("); expected a file; check the path")
    assert refusal(Path("a\0b")) == (
        r"path is 'a\x00b', which holds a character that no path can hold; expected a path without it"
    )
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "is not a file" in refusal(tmp_path / "pipe")
    with (tmp_path / "vast").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assert f"has {LARGEST_FILE + 1} bytes; expected at most {LARGEST_FILE}" in refusal(tmp_path / "vast")


def kinds(folder: Path) -> list[bytes]:
    tensors = random_tensors(TINY)
    snapshot = {"G_ema": nvidia_writer.generator(settings(), tensors)}
    made = [nvidia_writer.dumps(snapshot, zipped=zipped) for zipped in (False, True)]
    for new in (True, False):
        torch.save(tensors, folder / "x", _use_new_zipfile_serialization=new)
        made.append((folder / "x").read_bytes())
    save_file(tensors, folder / "x")
    made.append((folder / "x").read_bytes())
    own_file.save(Checkpoint("stylegan2", settings(), tensors, {}), folder / "x")
    return [*made, (folder / "x").read_bytes()]


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    for data in kinds(tmp_path):
        for cut in [*np.linspace(0, len(data) - 1, 12).astype(int), len(data) - 1]:
            refusal(written(tmp_path / "cut", data[:cut]))


def test_no_source_in_a_file_is_run_or_kept(tmp_path):
    data = nvidia_writer.dumps(nvidia_writer.snapshot(settings(), random_tensors(TINY)))
    assert b"raise SystemExit" in data
    found = read_checkpoint(written(tmp_path / "x", data))
    assert not re.search("SystemExit", repr((found.config, found.meta)))


@pytest.mark.parametrize(("start", "blocks", "side"), [((16, 16), 11, 16384), ((64, 64), 11, 65536)])
def test_a_few_bytes_that_claim_a_picture_that_never_ends_are_refused_by_every_reader(tmp_path, start, blocks, side):
    claimed = settings(channels=[1] * 9, use_noise=False) | {"start_size": [*start]}
    claimed |= {"channels": [1] * blocks}
    small = random_tensors(plain_config(channels=[1] * blocks, use_noise=False))
    tensors = small | {"synthesis.b4.const": torch.ones(1, *start)}
    own_file.save(Checkpoint("stylegan2", claimed, tensors, {}), tmp_path / "ours")
    torch.save({"G_ema": tensors, "config": {"use_noise": False}}, tmp_path / "state dict")
    save_file(tensors, tmp_path / "safetensors")
    data = nvidia_writer.dumps({"G_ema": nvidia_writer.generator(claimed, tensors)})
    written(tmp_path / "NVIDIA's", data)
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 100_000
        assert refusal(path) == (
            f"{path}: the picture has {side} x {side} px; expected at most 4096 px along each side; convert the model "
            "again, or pass its config as it was trained"
        )
