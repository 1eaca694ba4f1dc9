"""Loading a generator in a cell: the hub says what will be downloaded, this says how far it is."""

from pathlib import Path

from torch import nn

from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import DEFAULT_NAME, load_generator

UNKNOWN_STEP = 25 * 10**6  # bytes between two lines when the size is not known


def load_with_words(generator: Generator | nn.Module | str | Path | None) -> Generator:
    """`load_generator`, telling the reader of the cell how far a download is."""
    told = -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        step = done // (max(1, total // 10) if total else UNKNOWN_STEP)
        if step > told:
            told = step
            print(f"  {done // 10**6} of {total // 10**6} MB" if total else f"  {done // 10**6} MB", flush=True)

    loaded = load_generator(DEFAULT_NAME if generator is None else generator, progress=progress)
    if told >= 0:
        print("Ready.", flush=True)
    return loaded
