"""Open the first notebook in JupyterLab, or run it without a screen and save its first and last picture.

`make demo` calls this; so does `python tools/demo.py [--headless]`.
"""

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Never

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode, v4

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = Path("notebooks") / "01_drag.ipynb"
PICTURES = ROOT / "demo"
USUAL_PORT = 8888

# Runs in the notebook's kernel after its last cell; `w` is the notebook's widget.
SAVE_PICTURES = """
record = w.session.record
if len(record) < 2:
    raise RuntimeError(f"the drag recorded {{len(record)}} steps; expected 2 or more; let the notebook run a drag")
record[0].picture().save({before!r})
record[len(record) - 1].picture().save({after!r})
"""


def main() -> int:
    """Read the command line and run the demo; return the process's exit status."""
    parser = argparse.ArgumentParser(description="Open the first notebook, or run it without a screen.")
    parser.add_argument("--headless", action="store_true", help="run the notebook, save demo/before.png and after.png")
    headless = parser.parse_args().headless
    for name in {"SIGTERM", "SIGHUP"} & signal.Signals.__members__.keys():  # Windows has no SIGHUP
        signal.signal(signal.Signals[name], exit_on_signal)
    if not (ROOT / NOTEBOOK).is_file():
        print(f"{NOTEBOOK} is missing in {ROOT}; run this from a full clone", file=sys.stderr)
        return 1
    print("Uses the drawn heads that come with the package; nothing is downloaded", flush=True)
    try:
        return run_headless() if headless else open_jupyterlab()
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130


def exit_on_signal(number: int, frame: object) -> Never:
    """Leave through `finally` blocks, as Ctrl-C does."""
    raise SystemExit(128 + number)


class PrintingClient(NotebookClient):
    """Executes a notebook and prints the output of its cells while they run."""

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Handle one output message of a cell."""
        if msg["msg_type"] == "stream":
            stream = sys.stderr if msg["content"]["name"] == "stderr" else sys.stdout
            print(msg["content"]["text"], end="", file=stream, flush=True)
        return super().output(outs, msg, display_id, cell_index)


def run_headless() -> int:
    """Execute the notebook and save its first and last picture; return the exit status."""
    PICTURES.mkdir(exist_ok=True)
    before, after = PICTURES / "before.png", PICTURES / "after.png"
    for picture in (before, after):
        picture.unlink(missing_ok=True)
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)
    notebook.cells.append(v4.new_code_cell(SAVE_PICTURES.format(before=str(before), after=str(after))))
    count = len(notebook.cells)

    def print_cell(cell: NotebookNode, cell_index: int) -> None:
        print(f"cell {cell_index + 1} of {count}", flush=True)

    resources = {"metadata": {"path": str(ROOT / NOTEBOOK.parent)}}
    # No time limit: the first import of torch and a drag on a busy machine can be slow.
    client = PrintingClient(notebook, timeout=None, resources=resources, on_cell_execute=print_cell)
    try:
        asyncio.run(execute(client))
    except (CellExecutionError, DeadKernelError) as error:
        print(error, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    print(f"Saved {before} and {after}")
    return 0


async def execute(client: NotebookClient) -> None:
    """Execute a notebook so that Ctrl-C cancels it and ends its kernel.

    nbclient's own signal handler stops the kernel under the running cell, which then fails on an assertion.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def set_signal_handlers(notebook: NotebookNode) -> None:
        with contextlib.suppress(NotImplementedError):  # Windows
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, task.cancel)

    client.on_notebook_start = set_signal_handlers  # nbclient has set its own handlers by then
    try:
        await client.async_execute()
    except DeadKernelError:  # nbclient raises it for a cancelled cell
        if task.cancelling():
            raise asyncio.CancelledError from None
        raise


def open_jupyterlab() -> int:
    """Run JupyterLab on the notebook until Ctrl-C; return its exit status."""
    port, token = find_port(), secrets.token_hex(16)
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyterlab", str(ROOT / NOTEBOOK), f"--ServerApp.root_dir={ROOT}"]
    command += ["--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    if not has_display():
        command.append("--no-browser")
    if sys.platform == "linux" and os.geteuid() == 0:
        command.append("--allow-root")
    # The token is in the environment, since other users of the machine can read arguments.
    # A session of its own: otherwise one Ctrl-C reaches the server twice, and the second makes it drop its kernels.
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"JUPYTER_TOKEN": token}, start_new_session=True)
    try:
        if wait_until_up(process, address):
            print(f"\nOpen {address}/lab/tree/{NOTEBOOK.as_posix()}?token={token}\nCtrl-C stops it.\n", flush=True)
        return process.wait()
    finally:
        stop(process)


def has_display() -> bool:
    """True if a browser can open on this machine."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def find_port() -> int:
    """Jupyter's usual port, or a free one if that is taken."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise RuntimeError("no port of 127.0.0.1 is free; expected one for JupyterLab; close a program that uses one")


def wait_until_up(process: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until the server answers; return False if it ended instead."""
    # A proxy set in the environment must not be used for 127.0.0.1.
    http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            return False
        try:
            http.open(f"{address}/api", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            continue
        return True


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server and its kernels."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
