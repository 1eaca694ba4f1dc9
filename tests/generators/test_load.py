import dataclasses
import inspect
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
import torch
from analytic import BlobGenerator
from generators.tiny import random_ws, tiny_checkpoint, tiny_generator

from draggan_widget import load_generator
from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.hub import cache
from draggan_widget.errors import CheckpointError, ConfigError, DragganError
from draggan_widget.generators.load import PREPARED, pick_device, stored_path


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    own_file.save(tiny_checkpoint(), path)
    return path


def refusal(source, **arguments) -> str:
    with pytest.raises(DragganError) as caught:
        load_generator(source, **arguments)
    return str(caught.value)


def change(path: Path, **tensors) -> None:
    """The same file with some of its tensors changed; None leaves one out."""
    checkpoint = own_file.load(path)
    kept = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()} | tensors
    own_file.save(dataclasses.replace(checkpoint, tensors={name: t for name, t in kept.items() if t is not None}), path)


def test_a_generator_is_returned_as_it_is():
    generator = BlobGenerator()
    assert load_generator(generator) is generator


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_of_ours_is_loaded(stored: Path, kind):
    generator = load_generator(kind(stored), "cpu")
    due = tiny_generator()
    ws = random_ws(due)
    assert (generator.name, generator.family, generator.image_size) == ("tiny.safetensors", "mobilestylegan", (64, 64))
    assert generator.sha256 == due.sha256
    # Up to rounding: tensors mapped from a file lie at other addresses, for which PyTorch may compute otherwise.
    for found, expected in (
        (generator.image(ws), due.image(ws)),
        (generator.preview(generator.features(ws, 2)), due.preview(due.features(ws, 2))),
    ):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_path_in_the_home_folder_is_found(stored: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(stored.parent))
    monkeypatch.setenv("USERPROFILE", str(stored.parent))
    assert load_generator("~/tiny.safetensors", "cpu").name == "tiny.safetensors"


@pytest.mark.parametrize(
    ("source", "hint"),
    [("mobilestylegan-fhq", "did you mean 'mobilestylegan-ffhq'? "), ("nowhere/x.safetensors", "")],
)
def test_an_unknown_name_or_a_missing_file_is_refused(source: str, hint: str):
    message = refusal(source, device="cpu")
    assert message == (
        f"{source!r} is neither a known generator nor a file; {hint}available_generators() lists the names; "
        "or pass the path of a checkpoint"
    )


@pytest.mark.parametrize("source", [None, 5, b"x", [1]])
def test_what_is_no_source_is_refused(source):
    expected = (
        f"source is of type {type(source).__name__}; expected the name of a generator, a path, a live StyleGAN2 or a "
    )
    with pytest.raises(ConfigError) as caught:
        inspect.unwrap(load_generator)(source)  # beneath the tests' own check of types
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(stored: Path, device: str):
    with pytest.raises(ConfigError) as caught:
        load_generator(stored, device)
    due = rf"device is '{device}', which this machine does not have \(.+\); try 'cpu'"
    assert re.fullmatch(due, str(caught.value), re.DOTALL)


def test_without_a_wish_the_best_device_is_taken(stored: Path):
    assert load_generator(stored).device.type == pick_device().type
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else pick_device().type)


def test_a_generator_of_another_family_is_refused(tmp_path: Path):
    path = tmp_path / "other.safetensors"
    own_file.save(dataclasses.replace(tiny_checkpoint(), family="stylegan9"), path)
    assert refusal(path) == (
        "other.safetensors holds a 'stylegan9' network; this version makes generators of 'mobilestylegan' and "
        "'stylegan2'; pass a generator's file, or update draggan-widget"
    )


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match=f"^{re.escape(str(path))}: looks like a text file .*; expected "):
        load_generator(path, "cpu")


def test_a_folder_is_refused(tmp_path: Path):
    assert refusal(tmp_path, device="cpu").startswith(f"{tmp_path} is not a file; expected ")


WRONG = {
    "a missing tensor": ({"conv.1.pointwise": None}, r'\tMissing key\(s\) in state_dict: "conv.1.pointwise". '),
    "no mean latent": ({"w_avg": None}, r'\tMissing key\(s\) in state_dict: "w_avg". '),
    "an extra tensor": ({"conv.9.extra": torch.zeros(1)}, r'\tUnexpected key\(s\) in state_dict: "conv.9.extra". '),
    "a tensor of another shape": (
        {"input": torch.zeros(16, 4, 5)},
        r"\tsize mismatch for input: copying a param with shape torch.Size\(\[16, 4, 5\]\) from checkpoint, "
        r"the shape in current model is torch.Size\(\[16, 4, 4\]\).",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_tensors_that_do_not_fit_the_configuration_are_refused(stored: Path, wrong: str):
    tensors, reason = WRONG[wrong]
    change(stored, **tensors)
    due = (
        r"tiny\.safetensors is not a MobileStyleGAN of 64 px: Error\(s\) in loading state_dict for Network:\n"
        + reason
        + "; convert or fetch it again"
    )
    with pytest.raises(CheckpointError) as caught:
        load_generator(stored, "cpu")
    assert re.fullmatch(due, str(caught.value))


@pytest.mark.parametrize("missing", ["channels", "z_dim", "w_dim"])
def test_a_configuration_without_its_numbers_is_refused(stored: Path, missing: str):
    checkpoint = tiny_checkpoint()
    config = {key: value for key, value in checkpoint.config.items() if key != missing}
    own_file.save(dataclasses.replace(checkpoint, config=config), stored)
    assert refusal(stored, device="cpu") == (
        f"tiny.safetensors has a configuration without {missing!r}; expected channels, z_dim and w_dim; "
        "convert or fetch it again"
    )


@pytest.mark.real
def test_the_second_load_uses_no_network_and_no_program(
    real_generator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refused(*arguments, **named):
        raise AssertionError(f"used while loading from the cache: {arguments}")

    assert stored_path("mobilestylegan-ffhq").is_file()
    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(subprocess, "Popen", refused)
    monkeypatch.setattr(cache, "fetch", refused)
    started = time.perf_counter()
    again = load_generator("mobilestylegan-ffhq", "cpu")
    seconds = time.perf_counter() - started
    with capsys.disabled():
        print(f"\nsecond load of mobilestylegan-ffhq: {seconds:.2f} s")
    assert (again.name, again.image_size, again.num_ws) == ("mobilestylegan-ffhq", (1024, 1024), 23)
    assert torch.equal(again.ws_from_seed(3), real_generator.ws_from_seed(3))
    assert seconds < 10


def test_a_damaged_stored_file_says_what_to_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRAGGAN_CACHE", str(tmp_path))
    path = tmp_path / f"mobilestylegan-ffhq-{PREPARED}.safetensors"
    path.write_bytes(b"broken")
    with pytest.raises(CheckpointError, match=f": delete {re.escape(str(path))} and load it again by its name$"):
        load_generator("mobilestylegan-ffhq")


def test_a_given_wheel_is_read_even_where_a_stored_file_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRAGGAN_CACHE", str(tmp_path))
    (tmp_path / "mobilestylegan-ffhq-1.safetensors").write_bytes(b"broken")
    with pytest.raises(CheckpointError, match="^wheel "):
        load_generator("mobilestylegan-ffhq", wheel=tmp_path / "none.whl")
