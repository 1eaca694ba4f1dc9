"""The widget's frames per second while a drag runs: `python -m benchmarks.frames --json FILE`.

This is the real widget without a kernel; a stand-in for the browser confirms each frame after a delay. Random weights
of the official widths, preset "official", a drag that does not end. Times are wall-clock times of one thread; the table
also gives the share of a processor that the process got.
"""

import argparse
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import PlainConvolution, markdown, save_rows
from benchmarks.step import Case
from draggan_widget.widget.widget import DragWidget

CLIENT = "benchmark"
WARM_UP = 2  # steps not counted: they take references and plan windows
TIMEOUT = 300.0  # seconds for these, and for the first pictures


class Browser(DragWidget):
    """A widget that confirms its own frames.

    Attributes:
        frames: time of sending in seconds, kind, and width in px of each frame.
        final_sent: set once the lossless picture was sent.
    """

    def __init__(self, delay: float, *given: Any, **named: Any):
        self.frames: list[tuple[float, str, int]] = []
        self.final_sent, self._delay = threading.Event(), delay
        super().__init__(*given, **named)

    def send(self, content: dict[str, Any], buffers: Sequence[bytes] | None = None) -> None:
        """Record a message that the kernel would send; confirm it after the delay if it is a frame."""
        if content["type"] == "frame":
            self.frames.append((time.perf_counter(), content["kind"], content["width"]))
            if content["kind"] == "final":
                self.final_sent.set()
            shown = {"type": "shown", "client": CLIENT, "seq": content["seq"]}
            threading.Timer(self._delay, self.receive, [shown]).start()

    def receive(self, content: dict[str, Any]) -> None:
        """Handle a message from the browser."""
        self._handle_custom_msg(content, [])


def measure(case: Case, seconds: float, delay: float) -> dict[str, Any]:
    """Run one drag for some seconds; return a row of the table."""
    generator, ws, edit, config = case.build()
    steps: list[float] = []
    with closing(Browser(delay, generator, ws=ws, config=config)) as widget:
        widget.session.edit = edit
        widget.receive({"type": "hello", "client": CLIENT, "colab": False})
        _wait(widget.final_sent)
        warm = threading.Event()
        widget.session.on_step(lambda _: (steps.append(time.perf_counter()), len(steps) > WARM_UP and warm.set()))
        widget.session.start()
        _wait(warm)
        began, own = time.perf_counter(), time.process_time()
        time.sleep(seconds)
        ended, own = time.perf_counter(), time.process_time() - own
        running = widget.session.status
        widget.session.stop()
    shown = [(kind, width) for at, kind, width in widget.frames if began <= at < ended]
    kinds = {kind: sum(found == kind for found, _ in shown) for kind in ("preview", "picture")}
    return {
        "resolution": case.resolution,
        "points": case.points,
        "mask": case.mask,
        "delay_ms": 1000 * delay,
        "status": running,
        "steps_a_second": sum(began <= at < ended for at in steps) / (ended - began),
        "frames_a_second": len(shown) / (ended - began),
        "previews_a_second": kinds["preview"] / (ended - began),
        "pictures_a_second": kinds["picture"] / (ended - began),
        "preview_px": max((width for kind, width in shown if kind == "preview"), default=None),
        "processor_share": own / (ended - began),
        "plain_gflops": PlainConvolution(generator.device).gflops(),
    }


def _wait(event: threading.Event) -> None:
    if not event.wait(TIMEOUT):
        raise SystemExit(f"the widget did nothing for {TIMEOUT:.0f} s; expected steps within one minute")


COLUMNS = {
    "px": "{resolution}",
    "points": "{points}",
    "mask": "{mask}",
    "steps a second": "{steps_a_second:.2f}",
    "frames a second": "{frames_a_second:.2f}",
    "previews (px)": "{previews_a_second:.2f} ({preview_px})",
    "full pictures": "{pictures_a_second:.2f}",
    "of a processor": "{processor_share:.2f}",
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table for docs/benchmarks.md."""
    return markdown(COLUMNS, [{**row, "mask": "yes" if row["mask"] else "no"} for row in rows]) + "\n"


def main() -> None:
    """Print the table; with --json also save the rows, and the table beside them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--cases", nargs="+", default=["1", "5", "1m"], help="points, with an m for a mask")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--delay", type=float, default=0.03, help="seconds until the browser confirms a frame")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for resolution in chosen.resolution:
        for which in chosen.cases:
            case = Case(resolution, int(which.rstrip("m")), which.endswith("m"))
            rows.append(measure(case, chosen.seconds, chosen.delay))
            print(table(rows[-1:]), flush=True)
            save_rows(chosen.json, rows, table(rows))


if __name__ == "__main__":
    main()
