"""Loading a generator in a cell: what will be downloaded is said first, then how far it is."""

from pathlib import Path

from draggan_widget.checkpoints.hub import NAMED, cache_dir
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import DEFAULT_NAME, load_generator, stored_path


def load_with_words(generator: Generator | str | Path | None) -> Generator:
    """`load_generator`, telling the reader of the cell about a download."""
    source = DEFAULT_NAME if generator is None else generator
    named = NAMED.get(str(source)) if isinstance(source, str | Path) else None
    if named is None or stored_path(named.name).exists():
        return load_generator(source)
    megabytes = max(1, named.size // 10**6)
    print(f"{named.name}: downloading {megabytes} MB once, to {cache_dir()}. {named.licence}", flush=True)
    told = -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // max(total, 1)
        if tenth > told:
            told = tenth
            print(f"  {done // 10**6} of {total // 10**6} MB", flush=True)

    loaded = load_generator(source, progress=progress)
    print("Ready.", flush=True)
    return loaded
