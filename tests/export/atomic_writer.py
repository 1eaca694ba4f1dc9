"""A program that writes every kind of file over an old one and is killed, or finds the disk full, in the middle.

Called with a folder; prints {"killed": {name: what the temporary file held}, "full": {name: the error}} as JSON.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Never

import torch
from analytic import BlobGenerator
from engine.helpers import EDIT, START

from draggan_widget import DragConfig, DragRecord, drag, files
from draggan_widget.engine.provenance import about_drag
from draggan_widget.export.edit_file import save_edit
from draggan_widget.export.features import save_features
from draggan_widget.export.latents import save_latents
from draggan_widget.export.pictures import save_picture
from draggan_widget.export.trajectories import save_trajectories

LIMIT = 400  # bytes that fit the disk


def made(steps: int) -> DragRecord:
    generator = BlobGenerator()
    config = DragConfig.for_generator(generator).replace(max_steps=steps)
    record = DragRecord(about_drag(generator, config))
    for step in drag(generator, generator.ws_at(*START), EDIT, config):
        record.append(step)
    return record


EXPORTS: dict[str, Callable[[DragRecord, Path], object]] = {
    **{f"w{ending}": save_latents for ending in (".npz", ".safetensors", ".pt", ".npy")},
    **{f"t{ending}": save_trajectories for ending in (".csv", ".parquet")},
    **{f"f{ending}": lambda record, path: save_features(record, 4, path) for ending in (".npz", ".zarr")},
    **{f"p{ending}": save_picture for ending in (".png", ".jpg")},
    "edit.json": save_edit,
    "record.npz": DragRecord.save,
}


def child(work: Callable[[int], object]) -> tuple[int, str]:
    """Run `work` with the end of a pipe in a process of its own; its id and what it said first."""
    ours, theirs = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(ours)
        try:
            work(theirs)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as said:
        return process, said.readline()


def killed(name: str, record: DragRecord, folder: Path) -> str:
    """Kill a process once its new file is written and not yet in its place; what of it there was."""

    def work(pipe: int) -> None:
        def stop_here(descriptor: int) -> Never:
            os.write(pipe, b"here\n")
            while True:
                signal.pause()

        files.os.fsync = stop_here
        EXPORTS[name](record, folder / name)

    before = set(folder.iterdir())
    process, said = child(work)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return f"{said.strip()} {len(set(folder.iterdir()) - before)}"


def full(name: str, record: DragRecord, folder: Path) -> str:
    """Write where files may have few bytes; the error."""

    def work(pipe: int) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
        try:
            EXPORTS[name](record, folder / name)
            text = "nothing"
        except Exception as error:  # noqa: BLE001 - told to the test
            text = f"{type(error).__name__}: {error}"
        os.write(pipe, json.dumps(text).encode() + b"\n")

    process, said = child(work)
    os.waitpid(process, 0)
    return json.loads(said or '"silence"')


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    old, new = made(3), made(20)
    found: dict[str, dict[str, str]] = {"killed": {}, "full": {}}
    for way, attack in (("killed", killed), ("full", full)):
        (folder / way).mkdir()
        for name, write in EXPORTS.items():
            if name.endswith(".zarr"):  # its library's thread would not survive a fork
                child(lambda pipe, write=write, name=name, way=way: write(old, folder / way / name))
            else:
                write(old, folder / way / name)
        for name in EXPORTS:
            found[way][name] = attack(name, new, folder / way)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
