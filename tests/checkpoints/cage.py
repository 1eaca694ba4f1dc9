"""Reads files one by one, each in a process of its own that is held to a memory and a time, and reports as JSON.

`python -m tests.checkpoints.cage FOLDER`: one line a file. Linux only, for its /proc.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from draggan_widget.checkpoints.read import read_checkpoint
from draggan_widget.errors import CheckpointError
from tests.checkpoints import nvidia_writer
from tests.generators.tiny_stylegan2 import TINY, random_tensors

ROOM = 3 << 30  # bytes of address space: only to keep a disaster small
LARGE = 20_000  # bytes
PATIENCE = 10  # seconds until a reading counts as a hang


def memory(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


def attempt(path: Path, network: str) -> dict[str, object]:
    """What reading the file gives, how long it takes, and how far the memory grows meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, start = memory("VmRSS"), time.process_time()
    try:
        outcome, message = read_checkpoint(path, network).family, ""
    except CheckpointError as error:
        outcome, message = "CheckpointError", str(error)
    except BaseException as error:  # noqa: BLE001
        outcome, message = type(error).__name__, str(error)
    seconds = time.process_time() - start  # of the processor: others may use it too
    return {
        "file": path.name,
        "outcome": outcome,
        "message": message[:2000],
        "seconds": seconds,
        "growth": memory("VmHWM") - before,
        "size": path.stat().st_size,
    }


def caged(path: Path, network: str = "G_ema") -> dict[str, object]:
    """The same in a process that may take only so much."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        limit = memory("VmSize") + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        signal.alarm(PATIENCE)
        os.write(into, json.dumps(attempt(path, network)).encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if text else {"file": path.name, "outcome": f"died ({status})", "message": ""}


def warm_up() -> None:
    """Read a good file, so that what the first reading imports counts for none."""
    made = nvidia_writer.generator(TINY.to_dict(), random_tensors(TINY))
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(nvidia_writer.dumps({"G_ema": made}))
        read_checkpoint(Path(file.name))


def main() -> None:
    """Read every file of a folder."""
    torch.set_num_threads(1)
    warm_up()
    folder = Path(sys.argv[1])
    os.chdir(folder)
    for path in sorted(folder.iterdir()):
        # A process of its own for the large ones only, so that what one leaves behind hides nothing of the next.
        found = caged(path) if path.stat().st_size > LARGE else attempt(path, "G_ema")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
