"""A name, a path or a generator -> a generator."""

from collections.abc import Callable
from pathlib import Path

import torch

from draggan_widget.checkpoints import hub, openvino, store
from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.errors import CheckpointError, ConfigError
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.mobilestylegan.generator import MobileStyleGAN
from draggan_widget.generators.mobilestylegan.prepare import prepare

DEFAULT_NAME = "mobilestylegan-ffhq"
PREPARED = 1  # counts up when `prepare` changes, so that an older stored file is made anew


def pick_device() -> torch.device:
    """CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def load_generator(
    source: str | Path | Generator,
    device: str | torch.device | None = None,
    wheel: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Generator:
    """Load a generator.

    Args:
        source: a name ("mobilestylegan-ffhq": downloaded once, then kept in the user's cache), a path to one of our
            .safetensors files, or a generator, which is returned as it is.
        device: where it computes; None picks CUDA, then MPS, then the CPU.
        wheel: for a named checkpoint, the downloaded file to read instead of downloading or taking the stored one.
        progress: called with (bytes so far, bytes in all) during a download.

    Raises:
        CheckpointError: unknown name, download failed, file damaged or of another kind.
        ConfigError: no such device.
    """
    if isinstance(source, Generator):
        return source
    target = _device(device)
    text = str(source)
    if text in hub.NAMED:
        path = stored_path(text)
        if wheel is not None or not path.exists():
            _make(text, path, None if wheel is None else Path(wheel), progress)
        return _build(_stored(path), text, target)
    path = Path(source).expanduser()
    if not path.exists():
        known = ", ".join(sorted(hub.NAMED))
        raise CheckpointError(
            f"{text!r} is neither a known generator nor a file; known are: {known}; "
            "or pass the path of a .safetensors file"
        )
    return _build(store.load(path), path.name, target)


def _stored(path: Path) -> Checkpoint:
    try:
        return store.load(path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}: delete {path} and load it again by its name") from error


def stored_path(name: str) -> Path:
    """Where a named checkpoint is kept once it was read."""
    return hub.cache_dir() / f"{name}-{PREPARED}.safetensors"


def _make(name: str, path: Path, wheel: Path | None, progress: Callable[[int, int], None] | None) -> None:
    download = hub.fetch(name, wheel, progress)
    store.save(prepare(openvino.read_mobilestylegan(download), name), path)
    if wheel is None:
        hub.discard(name)


def _build(checkpoint: Checkpoint, name: str, device: torch.device) -> Generator:
    if checkpoint.family != MobileStyleGAN.family:
        raise CheckpointError(
            f"{name} holds a {checkpoint.family!r} generator; this version reads {MobileStyleGAN.family!r}; "
            "update draggan-widget"
        )
    return MobileStyleGAN.from_checkpoint(checkpoint, name, device)


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return pick_device()
    try:
        wanted = torch.device(device)
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"device is {str(device)!r}, which this machine does not have ({error}); try 'cpu'"
        ) from error
    return wanted
