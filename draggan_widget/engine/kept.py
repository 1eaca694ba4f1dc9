"""Feature maps and pictures that were kept of one step, in memory or in files."""

import threading
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, UInt8

from draggan_widget.errors import RecordError
from draggan_widget.files import read_remedy, write_atomically, write_remedy

Map = Float[np.ndarray, "_ _ _"]  # channels, height, width: each block has its own
Pixels = UInt8[np.ndarray, "_ _ 3"]  # height, width
PICTURE = "picture"
Part = int | str  # number of a block, for its feature map; or PICTURE
_ADDING = threading.Lock()


@dataclass(frozen=True)
class ArrayFile:
    """A feature map or a picture in an .npz file, read anew at each use.

    Attributes:
        file: path of the file.
        name: name of the array in it.
        folder: owner of a temporary folder, which lives as long as anything refers to it; None for other folders.
    """

    file: Path
    name: str
    folder: object

    def read(self) -> np.ndarray:
        """Read the array.

        Raises:
            RecordError: the file is gone or damaged.
        """
        try:
            with np.load(self.file, allow_pickle=False) as stored:
                return stored[self.name]
        except (FileNotFoundError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RecordError(f"{self.file} of this record is gone or damaged ({error}); drag again") from error
        except OSError as error:
            raise RecordError(
                f"{self.file} of this record cannot be read ({error}); {read_remedy(error, self.file)}"
            ) from error


class Kept:
    """The feature maps and the picture that were kept of one step, each in memory or in a file.

    Records that share a step share what was kept of it.
    """

    def __init__(self, parts: Mapping[Part, np.ndarray | ArrayFile] = MappingProxyType({})):
        self._parts = dict(parts)  # replaced, never changed: a reader on another thread sees all before or all after

    def __reduce__(self) -> tuple:
        return Kept, ({part: self._read(part) for part in self._parts},)

    def __contains__(self, part: Part) -> bool:
        return part in self._parts

    def features(self, block: int) -> Map | None:
        """The whole feature map of a block; None where it was not kept."""
        return self._read(block)

    def picture(self) -> Pixels | None:
        """The picture; None where it was not kept."""
        return self._read(PICTURE)

    def _read(self, part: Part) -> np.ndarray | None:
        found = self._parts.get(part)
        return found.read() if isinstance(found, ArrayFile) else found

    def add(self, parts: Mapping[Part, np.ndarray | ArrayFile]) -> None:
        """Add parts; a part that is already there is replaced."""
        with _ADDING:
            self._parts = {**self._parts, **parts}

    def move(self, parts: Collection[Part], file: Path, folder: object) -> None:
        """Write those of the parts that are in memory to a file, and free their memory.

        Args:
            parts: the parts to write.
            file: path of a new .npz file.
            folder: owner of the temporary folder of that file, or None.

        Raises:
            RecordError: the file cannot be written.
        """
        held = {
            part: value for part, value in self._parts.items() if part in parts and not isinstance(value, ArrayFile)
        }
        names = {part: PICTURE if part == PICTURE else f"block_{part}" for part in held}
        arrays = {names[part]: value for part, value in held.items()}
        try:
            write_atomically(file, lambda out: np.savez(out, allow_pickle=False, **arrays))  # pyright: ignore[reportArgumentType]
        except OSError as error:
            raise RecordError(
                f"{file} cannot be written ({error}); {write_remedy(error, file, 'choose another Keep.folder')}"
            ) from error
        self.add({part: ArrayFile(file, name, folder) for part, name in names.items()})
