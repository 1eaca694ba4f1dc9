"""The generator that comes with the package: there without a network, held to its sha256, with its drag defaults."""

import dataclasses
import json
import re
import socket
import subprocess
from pathlib import Path

import pytest
import torch

from draggan_widget import DragConfig, Edit, available_generators, drag, load_generator
from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.hub import cache
from draggan_widget.checkpoints.hub.catalog import HEADS, NAMED
from draggan_widget.errors import CheckpointError
from draggan_widget.files import sha256
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import DEFAULT_NAME
from draggan_widget.widget.widget import DragWidget

LARGEST = 10_000_000  # bytes
REMEDY = "install draggan-widget again, or pass load_generator(PATH)"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, no program, and an empty cache, whose folder is given."""

    def refused(*arguments, **named):
        raise AssertionError(f"used without need: {arguments}")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refused)
    monkeypatch.setattr(subprocess, "Popen", refused)
    monkeypatch.setenv("DRAGGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def heads() -> Generator:
    return load_generator("heads", "cpu")


def altered(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """As if the package's file lay there."""
    monkeypatch.setitem(NAMED, HEADS.name, dataclasses.replace(HEADS, path=path))


def refusal(**arguments) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_generator("heads", "cpu", **arguments)
    return str(caught.value)


def test_it_is_loaded_without_a_network_and_nothing_is_kept(offline: Path, capsys: pytest.CaptureFixture[str]):
    for generator in (load_generator(device="cpu"), load_generator("heads", "cpu")):
        assert (generator.name, generator.family, generator.image_size) == ("heads", "stylegan2", HEADS.image_size)
        picture = generator.image(generator.ws_from_seed(0, 0.7))
        assert tuple(picture.shape) == (1, 3, *HEADS.image_size)
        assert picture.isfinite().all()
    assert not offline.exists()
    assert capsys.readouterr().out == ""


def test_a_widget_of_nothing_opens_on_it_without_a_network(offline: Path, capsys: pytest.CaptureFixture[str]):
    with DragWidget() as widget:
        assert widget.session.generator.name == DEFAULT_NAME == "heads"
        assert widget.image_size == list(reversed(HEADS.image_size))
    assert not offline.exists()
    assert capsys.readouterr().out == ""


def test_a_drag_on_it_takes_steps_without_a_network(offline: Path):
    generator = load_generator(device="cpu")
    config = DragConfig.for_generator(generator).replace(max_steps=2)
    steps = list(drag(generator, generator.ws_from_seed(0, 0.7), Edit([(64, 64)], [(80, 64)]), config))
    assert len(steps) == 3
    assert not torch.equal(steps[-1].ws, steps[0].ws)


def test_it_stands_first_in_the_list(offline: Path):
    first, second, *_ = available_generators()
    assert (first.name, first.family, first.image_size) == ("heads", "stylegan2", HEADS.image_size)
    assert (first.size, first.licence, first.citation) == (HEADS.size, HEADS.licence, HEADS.citation)
    assert (first.cached, first.bundled, first.readable) == (True, True, True)
    assert (second.name, second.cached, second.bundled) == ("mobilestylegan-ffhq", False, False)
    assert "bundled" in repr(available_generators()).splitlines()[1]


def test_the_file_is_the_pinned_one_and_says_where_it_comes_from():
    assert (HEADS.path.stat().st_size, sha256(HEADS.path)) == (HEADS.size, HEADS.sha256)
    assert HEADS.size <= LARGEST
    assert HEADS.licence.startswith("Apache-2.0")
    checkpoint = own_file.load(HEADS.path)
    assert {tensor.dtype for tensor in checkpoint.tensors.values()} == {torch.float16}
    for key in ("licence", "origin", "citation", "drag_defaults", "drag_rows"):
        assert checkpoint.meta[key].strip(), key
    assert (HEADS.path.parent / "MODEL_CARD.md").is_file()


def test_its_drag_defaults_are_those_of_its_file(heads: Generator):
    meta = own_file.load(HEADS.path).meta
    said = json.loads(meta["drag_defaults"])
    config = DragConfig.for_generator(heads)
    assert said
    assert heads.drag_defaults == said
    assert {key: getattr(config, key) for key in said} == said
    assert heads.drag_rows == tuple(range(int(meta["drag_rows"])))
    assert config.block < heads.num_blocks


def test_an_altered_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = bytearray(HEADS.path.read_bytes())
    data[-1] ^= 1
    path = tmp_path / "heads.safetensors"
    path.write_bytes(data)
    altered(monkeypatch, path)
    assert refusal() == (
        f"bundled checkpoint {path} has sha256 {sha256(path)}; expected {HEADS.sha256}, that of this version's "
        f"heads.safetensors; {REMEDY}"
    )


def test_a_missing_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    altered(monkeypatch, tmp_path / "none.safetensors")
    due = r"bundled checkpoint 'heads' cannot be read \(.+\); expected it among the files of the package; "
    assert re.fullmatch(due + re.escape(REMEDY), refusal())
    assert not available_generators()[0].cached


def test_a_copy_is_taken_and_another_file_is_not(tmp_path: Path, offline: Path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(HEADS.path.read_bytes())
    assert load_generator("heads", "cpu", wheel=path).name == "heads"
    path.write_bytes(b"another")
    assert refusal(wheel=path) == (
        f"file {path} has sha256 {sha256(path)}; expected {HEADS.sha256}, that of heads.safetensors; download it again"
    )


def test_it_is_never_discarded(offline: Path):
    cache.discard("heads")
    assert HEADS.path.is_file()
    assert cache.fetch("heads") == HEADS.path


def test_its_file_is_loaded_by_its_path_too(heads: Generator):
    by_path = load_generator(HEADS.path, "cpu")
    ws = heads.ws_from_seed(3)
    assert by_path.name == "heads.safetensors"
    assert torch.equal(by_path.image(ws), heads.image(ws))
    assert by_path.drag_defaults == heads.drag_defaults
