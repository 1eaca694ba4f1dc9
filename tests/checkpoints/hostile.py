"""Files built to harm a reader: name -> (bytes, part of the error they must be refused with)."""

import functools
from collections.abc import Callable

from tests.checkpoints import hostile_archives, hostile_calls, hostile_kinds, hostile_structures, hostile_tensors

Plant = Callable[[str, bytes, str], None]
MAKERS = (
    hostile_calls.globals,
    hostile_calls.states,
    hostile_structures.structures,
    hostile_structures.lengths,
    hostile_tensors.tensors,
    hostile_tensors.arrays,
    hostile_archives.archives,
    hostile_kinds.other_kinds,
)


Files = dict[str, tuple[bytes, str]]


@functools.cache
def planted() -> Files:
    """Every file."""
    files: Files = {}
    for group in groups().values():
        assert not files.keys() & group.keys()
        files |= group
    return files


@functools.cache
def groups() -> dict[str, Files]:
    """Group -> its files."""
    return {maker.__name__: _made(maker) for maker in MAKERS}


def _made(maker: Callable[[Plant], None]) -> Files:
    files: Files = {}

    def plant(key: str, data: bytes, message: str) -> None:
        assert key not in files, key
        files[key] = (data, message)

    maker(plant)
    return files
