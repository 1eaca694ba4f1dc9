"""Feature maps and pictures that a record keeps of chosen steps, within a budget of memory, the rest in files."""

import secrets
import tempfile
import threading
import warnings
import weakref
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from draggan_widget.errors import ConfigError, RecordError
from draggan_widget.files import write_atomically
from draggan_widget.generators.generator import Generator

if TYPE_CHECKING:
    from draggan_widget.engine.step import DragStep

Map = Float[np.ndarray, "_ _ _"]  # channels, height, width: each block has its own
Pixels = UInt8[np.ndarray, "_ _ 3"]  # height, width
MEGABYTE = 2**20


@dataclass(frozen=True)
class Keep:
    """What a record keeps beside latents and numbers, so that nobody computes it again.

    Attributes:
        blocks: whose whole feature maps.
        pictures: whether pictures too.
        steps: at which positions in the record, as `range(0, 300, 10)` or a set; None: at every one.
        memory: MB (2**20 bytes) of maps and pictures held in memory; what comes after them goes to .npz files.
        folder: where those go, into a folder of their own; None: a temporary one, gone with the record.

    Raises:
        ConfigError: a value of the wrong kind.
    """

    blocks: tuple[int, ...] = ()
    pictures: bool = False
    steps: Container[int] | None = None
    memory: float = 512
    folder: str | Path | None = None

    def __post_init__(self) -> None:
        blocks = (self.blocks,) if isinstance(self.blocks, int) else tuple(self.blocks)
        object.__setattr__(self, "blocks", blocks)
        if not all(isinstance(block, int) and not isinstance(block, bool) and block >= 0 for block in blocks):
            raise ConfigError(f"blocks is {self.blocks!r}; expected whole numbers, counted from 0, as (4, 5)")
        if not (self.steps is None or isinstance(self.steps, Container)) or isinstance(self.steps, str):
            raise ConfigError(f"steps is {self.steps!r}; expected positions, as range(0, 300, 10), or None")
        if isinstance(self.memory, bool) or not isinstance(self.memory, (int, float)) or not self.memory >= 0:
            raise ConfigError(f"memory is {self.memory!r}; expected MB of maps and pictures, 0 or more")

    def wants(self, position: int) -> bool:
        """Whether anything of the step at this place in a record is to be kept."""
        return bool(self.blocks or self.pictures) and (self.steps is None or position in self.steps)


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


class Kept:
    """What is kept of one step, in memory or in a file."""

    def __init__(self, maps: dict[int, Map] | None = None, picture: Pixels | None = None):
        self._maps, self._picture = maps or {}, picture
        self._file: Path | None = None
        self._folder: object = None  # a temporary one lives as long as anything reads from it

    def __reduce__(self) -> tuple:
        maps = {block: found for block in self.blocks if (found := self.features(block)) is not None}
        return Kept, (maps, self.picture())

    @property
    def blocks(self) -> tuple[int, ...]:
        """Whose maps are kept."""
        return tuple(self._maps)

    def features(self, block: int) -> Map | None:
        """The whole map of a block; None where it was not kept."""
        if block not in self._maps:
            return None
        return self._maps[block] if self._file is None else self._read(f"block_{block}")

    def picture(self) -> Pixels | None:
        """The picture; None where it was not kept."""
        if self._picture is None:
            return None
        return self._picture if self._file is None else self._read("picture")

    def move(self, file: Path, folder: object) -> None:
        """Go to a file, which is read whenever something is asked for; a step keeps only what there is of it."""
        arrays = {f"block_{block}": values for block, values in self._maps.items()}
        if self._picture is not None:
            arrays["picture"] = self._picture
        try:
            write_atomically(file, lambda out: np.savez(out, allow_pickle=False, **arrays))  # pyright: ignore[reportArgumentType]
        except OSError as error:
            raise RecordError(
                f"{file} cannot be written ({error}); free some space, choose another Keep.folder or keep fewer steps"
            ) from error
        nothing = np.zeros((0, 0, 0))
        self._file, self._folder = file, folder
        self._maps = dict.fromkeys(self._maps, nothing.astype(np.float32))
        self._picture = None if self._picture is None else nothing.astype(np.uint8)

    def _read(self, name: str) -> np.ndarray:
        assert self._file is not None
        try:
            with np.load(self._file, allow_pickle=False) as stored:
                return stored[name]
        except (OSError, ValueError, KeyError) as error:
            raise RecordError(f"{self._file} of this record is gone or damaged ({error}); drag again") from error

    def fill(self, maps: dict[int, Map], picture: Pixels | None) -> int:
        """Keep these; the bytes they take."""
        self._maps, self._picture = maps, picture
        return sum(values.nbytes for values in maps.values()) + (0 if picture is None else picture.nbytes)


class Keeper:
    """Takes maps and pictures off steps while they are current, as `Keep` asks.

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

    def take(self, step: "DragStep", position: int) -> None:
        """Keep what is asked for of the newest step; it stands at this place in the record.

        Raises:
            ConfigError: the generator has no such block.
            RecordError: a file is due and cannot be written.
        """
        if not self.keep.wants(position):
            return
        maps = {block: step.features(block).whole.float().cpu().numpy() for block in self.keep.blocks}
        size = step.kept.fill(maps, step.pixels() if self.keep.pictures else None)
        with self._lock:
            fits = self._bytes + size <= self.keep.memory * MEGABYTE
            self._bytes += size if fits else 0
        if fits:
            weakref.finalize(step.kept, self._release, size).atexit = False
        else:
            step.kept.move(self._next_file(position), self._owner)

    def _release(self, size: int) -> None:
        with self._lock:
            self._bytes -= size

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
