"""Loads a generator in a cell and prints how far its download is; the hub itself prints what will be downloaded."""

from pathlib import Path

from torch import nn

from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import DEFAULT_NAME, load_generator

BYTES_PER_LINE = 25 * 10**6  # bytes between two lines when the size is not known


def load_with_progress(generator: Generator | nn.Module | str | Path | None) -> Generator:
    """`load_generator`, printing the progress of a download; None loads the bundled generator."""
    printed = -1

    def progress(done: int, total: int) -> None:
        nonlocal printed
        line = done // (max(1, total // 10) if total else BYTES_PER_LINE)
        if line > printed:
            printed = line
            print(f"  {done // 10**6} of {total // 10**6} MB" if total else f"  {done // 10**6} MB", flush=True)

    loaded = load_generator(DEFAULT_NAME if generator is None else generator, progress=progress)
    if printed >= 0:
        print("Ready.", flush=True)
    return loaded
