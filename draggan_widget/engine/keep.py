"""Which feature maps and pictures a record keeps, and the budget of memory past which they go to files."""

import os
import secrets
import tempfile
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from draggan_widget.engine.config import python_scalar
from draggan_widget.engine.kept import PICTURE, Part
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.files import as_path, write_remedy
from draggan_widget.generators.generator import Generator

MEGABYTE = 2**20  # bytes


@dataclass(frozen=True)
class Keep:
    """What a record keeps of its steps besides latents and numbers, so that it need not be computed again.

    Attributes:
        blocks: blocks whose whole feature maps are kept, counted from 0, the smallest.
        pictures: whether pictures are kept, too.
        steps: positions in the record of the steps that are kept, as `range(0, 300, 10)` or a set; None: every step.
        memory: budget of memory in MB (2**20 bytes); maps and pictures past it go to .npz files.
        folder: parent of the new folder for those files, which stays on disk and also keeps the files of steps that
            undo left; None: a temporary folder, deleted with the record.

    Raises:
        ConfigError: a value is of the wrong kind, or the folder is a file.

    Examples:
        >>> from draggan_widget import Keep
        >>> Keep(blocks=(3,), pictures=True, steps=range(0, 300, 10)).includes(20)
        True
    """

    blocks: tuple[int, ...] = ()
    pictures: bool = False
    steps: Container[int] | None = None
    memory: float = 512
    folder: str | Path | None = None

    def __post_init__(self) -> None:
        values = {
            "blocks": _block_numbers(self.blocks),
            "pictures": python_scalar(self.pictures),
            "memory": python_scalar(self.memory),
            "folder": _checked_folder(self.folder),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.pictures, bool):
            raise ConfigError(f"pictures is {self.pictures!r}; expected True or False")
        if not (self.steps is None or isinstance(self.steps, Container)) or isinstance(self.steps, str):
            raise ConfigError(f"steps is {self.steps!r}; expected positions, as range(0, 300, 10), or None")
        if isinstance(self.memory, bool) or not isinstance(self.memory, (int, float)) or not self.memory >= 0:
            raise ConfigError(f"memory is {self.memory!r}; expected MB of maps and pictures, 0 or more")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of a step that are kept."""
        return (*self.blocks, PICTURE) if self.pictures else self.blocks

    def includes(self, position: int) -> bool:
        """Whether anything is kept of the step at this position in the record."""
        return bool(self.parts) and (self.steps is None or position in self.steps)


def _block_numbers(blocks: object) -> tuple[int, ...]:
    numbers = tuple(map(python_scalar, blocks)) if isinstance(blocks, Iterable) else (python_scalar(blocks),)
    if not all(isinstance(block, int) and not isinstance(block, bool) and block >= 0 for block in numbers):
        raise ConfigError(f"blocks is {blocks!r}; expected whole numbers, counted from 0, as (4, 5)")
    return numbers


def _checked_folder(given: object) -> Path | None:
    folder = None if given is None else as_path(given, "folder", ConfigError)
    if folder is None:
        return None
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ConfigError(f"folder is {str(folder)!r}, which is a file; expected a folder, or a name that is free")
    return folder


def checked_keep(keep: Keep | None, generator: Generator) -> Keep:
    """A `Keep` whose blocks this generator has; None becomes `Keep()`, which keeps nothing.

    Raises:
        ConfigError: it is not a `Keep`, or names a block that the generator lacks.
    """
    if not isinstance(keep, Keep | None):
        raise ConfigError(f"keep is of type {type(keep).__name__}; expected a Keep, as Keep(blocks=(4,))")
    for block in () if keep is None else keep.blocks:
        generator.block_size(block)
    return keep or Keep()


class Keeper:
    """Keeps feature maps and pictures of steps while these are current, as a `Keep` says.

    A copy has the same `Keep`, counts its bytes from 0 and makes a folder of its own.

    Attributes:
        keep: what to keep.
        folder: folder of the files; None as long as everything fits into memory.
    """

    def __init__(self, keep: Keep):
        self.keep = keep
        self.folder: Path | None = None
        self._owner: object = None
        self._bytes = 0
        self._files = 0
        self._lock = threading.Lock()
        self._freed: deque[int] = deque()  # bytes of steps that were deleted

    def __reduce__(self) -> tuple:
        return Keeper, (self.keep,)

    def take(self, step: DragStep, position: int) -> None:
        """Keep of the newest step what `keep` names and was not kept yet.

        Args:
            step: the newest step.
            position: its position in the record.

        Raises:
            ConfigError: the generator has no such block.
            RecordError: the budget is used up and a file cannot be written.
        """
        if not self.keep.includes(position):
            return
        parts = {part: _compute_part(step, part) for part in self.keep.parts if part not in step.kept}
        if not parts:
            return
        size = sum(values.nbytes for values in parts.values())
        step.kept.add(parts)
        if self._reserve(size):
            # No lock there: a garbage collection may run it while this thread holds one.
            weakref.finalize(step.kept, self._freed.append, size).atexit = False
        else:
            step.kept.move(parts, self._next_file(position), self._owner)

    def _reserve(self, size: int) -> bool:
        """Whether so many more bytes fit into the budget; they are then counted."""
        with self._lock:
            while self._freed:
                self._bytes -= self._freed.popleft()
            fits = self._bytes + size <= self.keep.memory * MEGABYTE
            self._bytes += size if fits else 0
        return fits

    def _next_file(self, position: int) -> Path:
        if self.folder is None:
            self._make_folder()
        assert self.folder is not None
        self._files += 1
        return self.folder / f"step-{position:05}-{self._files:05}.npz"

    def _make_folder(self) -> None:
        if self.keep.folder is None:
            self._owner = _make_temporary_folder()
            self.folder = Path(self._owner.name)
        else:
            # Absolute: the files must be found again when the process works in another folder.
            self.folder = Path(self.keep.folder).absolute() / f"drag-{secrets.token_hex(4)}"
        life = "deleted with the record" if self.keep.folder is None else "which stays on disk"
        warnings.warn(
            f"the maps and pictures of this record pass {self.keep.memory:g} MB; those that follow go to "
            f"{self.folder}, {life}",
            stacklevel=2,
        )


def _make_temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="draggan-", ignore_cleanup_errors=True)
    except OSError as error:
        raise RecordError(
            "the temporary folder for the maps and pictures of this record cannot be made "
            f"({error}); {write_remedy(error, Path(), 'set Keep.folder to a folder')}"
        ) from error


def _compute_part(step: DragStep, part: Part) -> np.ndarray:
    return step.features(part).whole.float().cpu().numpy() if isinstance(part, int) else step.pixels()
