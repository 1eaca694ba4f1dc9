"""Feature maps and pictures that a record keeps of chosen steps, within a budget of memory, the rest in files."""

import os
import secrets
import tempfile
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from draggan_widget.engine.config import plain
from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.files import write_atomically
from draggan_widget.generators.generator import Generator

if TYPE_CHECKING:
    from draggan_widget.engine.step import DragStep

Map = Float[np.ndarray, "_ _ _"]  # channels, height, width: each block has its own
Pixels = UInt8[np.ndarray, "_ _ 3"]  # height, width
MEGABYTE = 2**20
PICTURE = "picture"
Part = int | str  # a block's map, or PICTURE
_ADDING = threading.Lock()


@dataclass(frozen=True)
class Keep:
    """What a record keeps beside latents and numbers, so that nobody computes it again.

    Attributes:
        blocks: whose whole feature maps.
        pictures: whether pictures too.
        steps: at which positions in the record, as `range(0, 300, 10)` or a set; None: at every one.
        memory: MB (2**20 bytes) of maps and pictures held in memory; what comes after them goes to .npz files.
        folder: where those go, into a folder of their own, which also keeps the files of branches that were left; None:
            a temporary one, gone with the record.

    Raises:
        ConfigError: a value of the wrong kind, or a folder that is a file.
    """

    blocks: tuple[int, ...] = ()
    pictures: bool = False
    steps: Container[int] | None = None
    memory: float = 512
    folder: str | Path | None = None

    def __post_init__(self) -> None:
        made = {"blocks": _blocks(self.blocks), "pictures": plain(self.pictures), "memory": plain(self.memory)}
        for name, value in made.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.pictures, bool):
            raise ConfigError(f"pictures is {self.pictures!r}; expected True or False")
        if not (self.steps is None or isinstance(self.steps, Container)) or isinstance(self.steps, str):
            raise ConfigError(f"steps is {self.steps!r}; expected positions, as range(0, 300, 10), or None")
        if isinstance(self.memory, bool) or not isinstance(self.memory, (int, float)) or not self.memory >= 0:
            raise ConfigError(f"memory is {self.memory!r}; expected MB of maps and pictures, 0 or more")
        _check_folder(self.folder)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is kept of a step."""
        return (*self.blocks, PICTURE) if self.pictures else self.blocks

    def wants(self, position: int) -> bool:
        """Whether anything of the step at this place in a record is to be kept."""
        return bool(self.parts) and (self.steps is None or position in self.steps)


def _blocks(wished: object) -> tuple[int, ...]:
    blocks = tuple(map(plain, wished)) if isinstance(wished, Iterable) else (plain(wished),)
    if not all(isinstance(block, int) and not isinstance(block, bool) and block >= 0 for block in blocks):
        raise ConfigError(f"blocks is {wished!r}; expected whole numbers, counted from 0, as (4, 5)")
    return blocks


def _check_folder(folder: object) -> None:
    if folder is None:
        return
    if not isinstance(folder, str | Path):
        raise ConfigError(f"folder is {folder!r}; expected the path of a folder, or None for a temporary one")
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ConfigError(f"folder is {str(folder)!r}, which is a file; expected a folder, or a name that is free")


def checked_keep(keep: Keep | None, generator: Generator) -> Keep:
    """What is to be kept of this generator's drags; nothing more where it is None.

    Raises:
        ConfigError: it is no `Keep`, or names a block that the generator lacks.
    """
    if not isinstance(keep, Keep | None):
        raise ConfigError(f"keep is a {type(keep).__name__}; expected a Keep, as Keep(blocks=(4,))")
    for block in () if keep is None else keep.blocks:
        generator.block_size(block)
    return keep or Keep()


@dataclass(frozen=True)
class Filed:
    """A map or a picture in a file, which is read whenever it is asked for."""

    file: Path
    name: str
    folder: object  # a temporary one lives as long as anything reads from it

    def read(self) -> np.ndarray:
        """The array; RecordError where the file is gone or damaged."""
        try:
            with np.load(self.file, allow_pickle=False) as stored:
                return stored[self.name]
        except (OSError, ValueError, KeyError) as error:
            raise RecordError(f"{self.file} of this record is gone or damaged ({error}); drag again") from error


class Kept:
    """What is kept of one step: maps by block, the picture as PICTURE; each in memory or in a file.

    Records that share a step share what is kept of it.
    """

    def __init__(self, parts: Mapping[Part, np.ndarray | Filed] = MappingProxyType({})):
        self._parts = dict(parts)  # replaced, never changed: a reader on another thread sees all before or all after

    def __reduce__(self) -> tuple:
        return Kept, ({part: self._read(part) for part in self._parts},)

    def __contains__(self, part: Part) -> bool:
        return part in self._parts

    def features(self, block: int) -> Map | None:
        """The whole map of a block; None where it was not kept."""
        return self._read(block)

    def picture(self) -> Pixels | None:
        """The picture; None where it was not kept."""
        return self._read(PICTURE)

    def _read(self, part: Part) -> np.ndarray | None:
        found = self._parts.get(part)
        return found.read() if isinstance(found, Filed) else found

    def add(self, parts: Mapping[Part, np.ndarray | Filed]) -> None:
        """Keep these, too, or these in the place of the same."""
        with _ADDING:
            self._parts = {**self._parts, **parts}

    def move(self, parts: Collection[Part], file: Path, folder: object) -> None:
        """Write what is in memory of these parts to a file, and keep of them only where they stand."""
        held = {part: value for part, value in self._parts.items() if part in parts and not isinstance(value, Filed)}
        names = {part: PICTURE if part == PICTURE else f"block_{part}" for part in held}
        arrays = {names[part]: value for part, value in held.items()}
        try:
            write_atomically(file, lambda out: np.savez(out, allow_pickle=False, **arrays))  # pyright: ignore[reportArgumentType]
        except OSError as error:
            raise RecordError(
                f"{file} cannot be written ({error}); free some space, choose another Keep.folder or keep fewer steps"
            ) from error
        self.add({part: Filed(file, name, folder) for part, name in names.items()})


class Keeper:
    """Takes maps and pictures off steps while they are current, as `Keep` asks.

    A copy asks for the same; it counts its bytes from 0 and makes a folder of its own.

    Attributes:
        keep: what was asked for.
        folder: where what is over the budget goes; None so far.
    """

    def __init__(self, keep: Keep):
        self.keep = keep
        self.folder: Path | None = None
        self._owner: object = None
        self._bytes = 0
        self._files = 0
        self._lock = threading.Lock()
        self._freed: deque[int] = deque()  # bytes of steps that went

    def __reduce__(self) -> tuple:
        return Keeper, (self.keep,)

    def take(self, step: "DragStep", position: int) -> None:
        """Keep what is asked for of the newest step and not kept yet; it stands at this place in the record.

        Raises:
            ConfigError: the generator has no such block.
            RecordError: a file is due and cannot be written.
        """
        if not self.keep.wants(position):
            return
        parts = {part: _made(step, part) for part in self.keep.parts if part not in step.kept}
        if not parts:
            return
        size = sum(values.nbytes for values in parts.values())
        step.kept.add(parts)
        if self._fits(size):
            # No lock there: a garbage collection may run it while this thread holds one.
            weakref.finalize(step.kept, self._freed.append, size).atexit = False
        else:
            step.kept.move(parts, self._next_file(position), self._owner)

    def _fits(self, size: int) -> bool:
        """Whether so many bytes more are within the budget; they are then counted."""
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
            self._owner = tempfile.TemporaryDirectory(prefix="draggan-", ignore_cleanup_errors=True)
            self.folder = Path(self._owner.name)
        else:
            self.folder = Path(self.keep.folder) / f"drag-{secrets.token_hex(4)}"
        life = "gone with the record" if self.keep.folder is None else "kept"
        warnings.warn(
            f"the maps and pictures of this record pass {self.keep.memory:g} MB; those that follow go to "
            f"{self.folder}, {life}",
            stacklevel=2,
        )


def _made(step: "DragStep", part: Part) -> np.ndarray:
    return step.features(part).whole.float().cpu().numpy() if isinstance(part, int) else step.pixels()
