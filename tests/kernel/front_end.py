"""A front end without a browser: says hello, confirms frames, sends wishes, on a subshell where asked."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
CLIENT = "a1b2c3d4e5f60718"
SETUP = f"""
import sys, threading, time, asyncio
sys.path.insert(0, {str(TESTS)!r})
import torch
torch.set_num_threads(1)
from analytic import BlobGenerator
from draggan_widget import DragConfig, DragWidget, Edit

class Slow(BlobGenerator):
    def features(self, ws, block, windows=None):
        time.sleep(0.02)
        return super().features(ws, block, windows)

def make(generator=None, **changes):
    generator = generator or BlobGenerator()
    config = DragConfig.for_generator(generator).replace(**changes)
    return DragWidget(generator, ws=generator.ws_at(31.0, 31.0), config=config)

ENDLESS = dict(learning_rate=1e-7, max_steps=10**6, stall_steps=10**6)
EDIT = Edit(((31.0, 31.0),), ((44.0, 36.0),))

def workers():
    return [t for t in threading.enumerate() if t.name == "draggan-drag"]
"""


class FrontEnd:
    """One view of the widget that the kernel's variable `w` holds."""

    def __init__(self, kernel: Any, subshell: str | None = None, name: str = "w"):
        self.kernel, self.subshell = kernel, subshell
        self.comm = kernel.model_id(name)
        self.confirming = True
        self._confirmed: set[int] = set()
        self._rid = 0

    def wish(self, kind: str, **fields: object) -> int:
        """Send a wish; its rid."""
        self._rid += 1
        self._send({"type": kind, "client": CLIENT, "rid": self._rid, **fields})
        return self._rid

    def hello(self) -> None:
        self._send({"type": "hello", "client": CLIENT, "colab": False})

    def edit(self, revision: int, target: tuple[float, float] = (44.0, 36.0)) -> int:
        points = [{"handle": [31.0, 31.0], "target": list(target)}]
        return self.wish("edit", revision=revision, points=points, mask="keep")

    def facts(self, kind: str, since: int = 0) -> list[Mapping[str, Any]]:
        customs = [message.custom for message in self.kernel.traffic[since:] if message.comm_id == self.comm]
        return [custom for custom in customs if custom is not None and custom["type"] == kind]

    def wait_for(
        self, kind: str, wanted: Callable[[Mapping[str, Any]], bool] = lambda fact: True, since: int = 0
    ) -> Mapping[str, Any]:
        """Wait for a fact, confirming frames meanwhile."""

        def fits(message: Any) -> bool:
            if message.comm_id != self.comm or message.custom is None:
                return False
            fact = message.custom
            if fact["type"] == "frame" and self.confirming and fact["seq"] not in self._confirmed:
                self._confirmed.add(fact["seq"])
                self._send({"type": "shown", "client": CLIENT, "seq": fact["seq"]})
            return fact["type"] == kind and wanted(fact)

        return self.kernel.wait_for(fits, since=since).custom

    def wait_for_end(self, since: int) -> str:
        """Wait for the end of a drag, confirming frames meanwhile; the reason why it ended."""
        fact = self.wait_for("run", lambda fact: not fact["running"] and fact["ended"] is not None, since)
        return fact["ended"]["reason"]

    def answer(self, rid: int) -> tuple[Mapping[str, Any], float]:
        """The kernel's answer to an edit, and the seconds it took."""
        began = time.monotonic()
        return self.wait_for("edit", lambda fact: fact["rid"] == rid), time.monotonic() - began

    def state(self, since: int = 0) -> dict[str, Any]:
        """The traits as they are now, or those changed since."""
        merged: dict[str, Any] = {}
        for message in self.kernel.traffic[since:]:
            if message.comm_id == self.comm:
                merged.update(message.state)
        return merged

    def updates(self, since: int) -> int:
        """How many messages carried traits."""
        return sum(bool(m.state) for m in self.kernel.traffic[since:] if m.comm_id == self.comm)

    def _send(self, content: dict[str, Any]) -> None:
        self.kernel.send_custom(self.comm, content, subshell=self.subshell)
