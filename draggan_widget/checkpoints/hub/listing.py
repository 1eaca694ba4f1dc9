"""`available_generators`: the generators that can be loaded by name, as a tuple that is shown as a table."""

import html
from dataclasses import dataclass
from typing import final

from draggan_widget.checkpoints.hub import cache
from draggan_widget.checkpoints.hub.catalog import NAMED, BundledCheckpoint, NamedCheckpoint

HEADINGS = ("name", "family", "picture, px", "size", "licence", "on this disk", "readable")


@dataclass(frozen=True)
class AvailableGenerator:
    """One generator that `load_generator(name)` can load.

    Attributes:
        name: the name to pass to `load_generator`.
        family: its generator family, e.g. "stylegan2".
        image_size: (height, width) of its pictures, px.
        size: length of the downloaded or bundled file, in bytes; None when not known.
        licence: its licence, in words.
        citation: the work to cite.
        cached: whether it is on this disk already.
        bundled: whether it comes with the package, so that nothing is downloaded.
        readable: whether this version can read it; the others are refused before a download.
    """

    name: str
    family: str
    image_size: tuple[int, int]
    size: int | None
    licence: str
    citation: str
    cached: bool
    bundled: bool
    readable: bool


@final
class AvailableGenerators(tuple[AvailableGenerator, ...]):
    """The generators: the bundled one first, those that cannot be read last; shown as a table."""

    def __repr__(self) -> str:
        rows = [HEADINGS, *map(_cells, self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
        rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(entry)) for entry in self)
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def available_generators() -> AvailableGenerators:
    """List the generators that can be loaded by name: family, size, licence, and whether they are on this disk.

    Examples:
        >>> available_generators()[0].name
        'heads'
    """
    entries = map(_entry, NAMED.values())
    return AvailableGenerators(sorted(entries, key=lambda entry: not entry.readable))


def _entry(named: NamedCheckpoint) -> AvailableGenerator:
    return AvailableGenerator(
        name=named.name,
        family=named.family,
        image_size=named.image_size,
        size=named.size,
        licence=named.licence,
        citation=named.citation,
        cached=cache.is_kept(named),
        bundled=isinstance(named, BundledCheckpoint),
        readable=not named.unread,
    )


def _cells(entry: AvailableGenerator) -> tuple[str, ...]:
    size = "not known" if entry.size is None else f"{max(1, entry.size // 10**6)} MB"
    height, width = entry.image_size
    short = entry.licence.split(". ", 1)[0]
    kept = "bundled" if entry.bundled else "yes" if entry.cached else "no"
    readable = "yes" if entry.readable else "not yet"
    return (entry.name, entry.family, f"{width} x {height}", size, short, kept, readable)
