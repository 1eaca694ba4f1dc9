"""A report is a list of facts; a probe finds facts, and a probe that fails becomes a fact.

A probe imports what may be broken inside its function, so that the report is made even where torch cannot be imported.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

from draggan_widget.counts import counted
from draggan_widget.diagnosis.asking import RESTART, pip_command

LONGEST = 240  # characters of an error or a warning that a line repeats
NEEDED_BYTES = 1e9  # a process that drags a 1024-px StyleGAN2 takes 0.7 to 0.9 GB (docs/benchmarks.md)
MODULES = {  # package -> module, where the two have different names
    "draggan-widget": "draggan_widget",
    "pillow": "PIL",
    "ipython": "IPython",
    "dlib-bin": "dlib",
}


@final
@dataclass(frozen=True)
class Fact:
    """One line of the report.

    Attributes:
        name: what the line is about.
        value: what was found, on one line.
        advice: what to do about it; empty where nothing is to do.
    """

    name: str
    value: str
    advice: str = ""


@final
@dataclass(frozen=True, repr=False)
class Report:
    """What `doctor()` found. Its text is plain and names neither the user nor the home folder.

    Attributes:
        facts: the lines, always in the same order.
    """

    facts: tuple[Fact, ...]

    def __str__(self) -> str:
        width = max((len(fact.name) for fact in self.facts), default=0)
        lines = []
        for fact in self.facts:
            lines.append(f"{fact.name:{width}}  {fact.value}".rstrip())
            if fact.advice:
                lines.append(f"{'':{width}}  -> {fact.advice}")
        todo = sum(bool(fact.advice) for fact in self.facts)
        lines.append(f"{'to do':{width}}  {counted(todo, 'line') + ' above with ->' if todo else 'nothing'}")
        return "\n".join(lines)

    __repr__ = __str__


def guarded(name: str, probe: Callable[[], Iterator[Fact]]) -> Iterator[Fact]:
    """The facts of a probe; if it fails, those until then and a line that says so."""
    try:
        yield from probe()
    except Exception as error:  # noqa: BLE001 - whatever is broken here, the other lines are needed all the more
        yield Fact(name, f"not known: {brief(error)}", repair(error))


def brief(error: object) -> str:
    """An error or the text of a warning on one line of at most `LONGEST` characters."""
    text = " ".join(str(error).split())
    kind = f"{type(error).__name__}: " if isinstance(error, Exception) else ""
    return kind + (text if len(text) <= LONGEST else f"{text[:LONGEST]} ...")


def repair(error: Exception) -> str:
    """What to do about the error of a probe; empty where only its own words can help."""
    if not isinstance(error, ImportError) or not error.name:
        return ""
    module = error.name.partition(".")[0]
    package = next((package for package, its in MODULES.items() if its == module), module)
    return f"run {pip_command()} --force-reinstall {package}, {RESTART}"


def in_bytes(size: float) -> str:
    """A number of bytes in MB or GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
