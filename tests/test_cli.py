import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from checkpoints.nvidia_writer import dumps, snapshot
from generators.tiny import tiny_checkpoint as tiny_mobilestylegan
from generators.tiny_stylegan2 import plain_config, random_tensors

import draggan_widget
from draggan_widget import cli
from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.hub.catalog import HEADS, NAMED, NVIDIA_LICENCE, UNKNOWN_LICENCE

LIONS = NAMED["stylegan2-lions-512"]
TINY = plain_config(channels=[4, 4], mapping_features=8)  # 8 px: the reader is slow under the type checks
CONFIG = TINY.to_dict()
PROVENANCE = "tiny.pkl, G_ema of a NVIDIA PyTorch pickle"


@pytest.fixture
def pickle(tmp_path: Path) -> Path:
    """A tiny StyleGAN2 as NVIDIA's code would write it, its G unlike its G_ema."""
    path = tmp_path / "tiny.pkl"
    path.write_bytes(dumps(snapshot(TINY.to_dict(), random_tensors(TINY, 0), random_tensors(TINY, 1))))
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRAGGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.rstrip("\n")


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `info` said."""
    return dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())


def trust(cache: Path, file: Path) -> None:
    """As if the file had been downloaded as the lions."""
    home = cache / LIONS.name
    home.mkdir(parents=True)
    size, digest = file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()
    record = {"url": "x", "sha256": digest, "size": size, "first_used": "2024-03-05"}
    (home / f"{LIONS.filename}.json").write_text(json.dumps(record))


@pytest.mark.parametrize(("network", "seed"), [("G_ema", 0), ("G", 1)])
def test_a_pickle_becomes_a_file_of_ours(pickle: Path, tmp_path: Path, capsys, network: str, seed: int):
    out = tmp_path / "new folder" / "tiny.safetensors"
    assert run("convert", pickle, out, "--network", network) == 0
    found, due = own_file.load(out), random_tensors(TINY, seed)
    assert found.family == "stylegan2"
    assert found.config == CONFIG
    assert set(due) <= set(found.tensors)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in due.items())
    assert found.meta["source_sha256"] == hashlib.sha256(pickle.read_bytes()).hexdigest()
    assert found.meta["source_format"] == "NVIDIA PyTorch pickle"
    size = sum(tensor.nbytes for tensor in found.tensors.values())
    assert capsys.readouterr().out == (
        f"{out}: stylegan2, {len(found.tensors)} tensors, {size} bytes\nlicence: {UNKNOWN_LICENCE}\n"
    )


def test_the_discriminator_can_be_converted_too(pickle: Path, tmp_path: Path):
    assert run("convert", pickle, tmp_path / "d.safetensors", "--network", "D") == 0
    assert own_file.load(tmp_path / "d.safetensors").family == "stylegan2-discriminator"


def test_a_known_file_keeps_the_licence_it_was_published_under(pickle: Path, tmp_path: Path, cache: Path):
    trust(cache, pickle)
    out, again = tmp_path / "tiny.safetensors", tmp_path / "again.safetensors"
    assert run("convert", pickle, out) == 0
    meta = own_file.load(out).meta
    assert (meta["licence"], meta["citation"], meta["origin"]) == (LIONS.licence, LIONS.citation, LIONS.origin)
    assert meta["provenance"] == PROVENANCE
    assert run("convert", out, again) == 0
    assert own_file.load(again).meta == meta


def test_an_existing_file_is_overwritten_only_by_force(pickle: Path, tmp_path: Path, capsys):
    out = tmp_path / "tiny.safetensors"
    out.write_bytes(b"mine")
    due = f"draggan-widget: OUT {str(out)!r} exists; expected a new file; choose another name or pass --force"
    assert refusal(capsys, "convert", pickle, out) == due
    assert out.read_bytes() == b"mine"
    assert run("convert", pickle, out, "--force") == 0
    assert own_file.load(out).family == "stylegan2"


def test_a_file_is_never_converted_into_itself(tmp_path: Path, capsys):
    path = tmp_path / "tiny.safetensors"
    own_file.save(tiny_mobilestylegan(), path)
    before = path.read_bytes()
    message = refusal(capsys, "convert", path, path, "--force")
    assert message == f"draggan-widget: OUT {str(path)!r} is IN; expected another file; choose another name"
    assert path.read_bytes() == before


def test_the_written_file_must_be_called_what_it_is(pickle: Path, tmp_path: Path, capsys):
    out = tmp_path / "tiny.pt"
    message = refusal(capsys, "convert", pickle, out)
    assert message == f"draggan-widget: OUT is {str(out)!r}; expected a name that ends in .safetensors; add it"


def test_a_folder_that_cannot_be_written_is_reported(pickle: Path, tmp_path: Path, capsys):
    (tmp_path / "file").write_bytes(b"")
    message = refusal(capsys, "convert", pickle, tmp_path / "file" / "x.safetensors")
    assert " cannot be written (" in message


@pytest.mark.parametrize("command", ["convert", "info"])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, capsys, command: str):
    page, missing = tmp_path / "page.pkl", tmp_path / "missing.pkl"
    page.write_bytes(b"<!DOCTYPE html>\n<html>")
    out = [tmp_path / "out.safetensors"] if command == "convert" else []
    for path in (page, missing, tmp_path):
        assert refusal(capsys, command, path, *out).startswith(f"draggan-widget: {path}")
    assert not (tmp_path / "out.safetensors").exists()


def test_info_tells_family_sizes_config_licence_and_sums(pickle: Path, cache: Path, capsys):
    trust(cache, pickle)
    assert run("info", pickle) == 0
    found = told(capsys)
    digest = hashlib.sha256(pickle.read_bytes()).hexdigest()
    assert {key: found[key] for key in ("file", "sha256", "family", "picture", "num_ws")} == {
        "file": str(pickle),
        "sha256": digest,
        "family": "stylegan2",
        "picture": "8 x 8 px",
        "num_ws": "4",
    }
    assert (found["config.channels"], found["config.z_dim"]) == ("[4, 4]", "8")
    assert (found["source_sha256"], found["provenance"]) == (digest, PROVENANCE)
    assert found["licence"] == LIONS.licence


def test_info_reads_a_file_of_ours(tmp_path: Path, capsys):
    checkpoint = tiny_mobilestylegan()
    path = tmp_path / "faces.safetensors"
    own_file.save(checkpoint, path)
    assert run("info", path) == 0
    found = told(capsys)
    size = sum(tensor.nbytes for tensor in checkpoint.tensors.values())
    assert (found["family"], found["licence"]) == ("mobilestylegan", "none")
    assert found["tensors"] == f"{len(checkpoint.tensors)} tensors, {size} bytes"


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"draggan-widget {draggan_widget.__version__}\n")


@pytest.mark.parametrize("arguments", [[], ["burn"], ["convert", "a"], ["info"], ["info", "a", "--network", "H"]])
def test_a_wrong_command_line_shows_its_use(capsys, arguments: list[str]):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: draggan-widget")


def test_an_interrupt_ends_without_a_traceback(pickle: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_read", interrupt)
    assert run("info", pickle) == 130
    assert capsys.readouterr() == ("", "draggan-widget: interrupted\n")


@pytest.mark.slow
def test_the_module_runs_as_a_program(pickle: Path, tmp_path: Path):
    def program(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "draggan_widget", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    wrong = program("convert", pickle, "x.pt")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    right = program("convert", pickle, tmp_path / "tiny.safetensors")
    assert (right.returncode, right.stderr) == (0, "")
    assert own_file.load(tmp_path / "tiny.safetensors").config == CONFIG


def test_a_named_checkpoint_of_nvidia_is_for_non_commercial_use():
    ngc = [named for named in NAMED.values() if "api.ngc.nvidia.com" in named.origin]
    assert len(ngc) == 27
    assert {named.licence for named in ngc} == {NVIDIA_LICENCE}


def test_the_bundled_checkpoint_says_its_licence_and_its_drag_defaults(capsys: pytest.CaptureFixture[str]):
    assert run("info", HEADS.path) == 0
    said = told(capsys)
    assert said["family"] == "stylegan2"
    assert said["sha256"] == HEADS.sha256
    assert said["licence"].startswith("Apache-2.0")
    assert said["drag_defaults"].startswith("{")


def test_what_a_file_says_about_drags_survives_convert(tmp_path: Path):
    out = tmp_path / "copy.safetensors"
    assert run("convert", HEADS.path, out) == 0
    before, after = own_file.load(HEADS.path), own_file.load(out)
    assert after.meta == before.meta
    assert set(after.tensors) == set(before.tensors)
