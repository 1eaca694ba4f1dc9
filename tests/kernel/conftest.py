"""A real kernel without a browser: the tests read its comm traffic and answer as a front end would."""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any, Literal

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TIMEOUT = 60.0  # s; the first cell imports torch


@dataclass(frozen=True)
class CommMessage:
    """One comm_open, comm_msg or comm_close that the kernel sent."""

    kind: Literal["comm_open", "comm_msg", "comm_close"]
    comm_id: str
    data: Mapping[str, Any]
    buffers: tuple[bytes, ...]
    seconds: float  # time.monotonic() at which the test read it

    @property
    def custom(self) -> Mapping[str, Any] | None:
        """What the widget sent with `send()`; None for state and for opening and closing."""
        return self.data["content"] if self.data.get("method") == "custom" else None

    @property
    def state(self) -> Mapping[str, Any]:
        """The traits that it carries; empty for custom messages."""
        return self.data.get("state", {})


@dataclass
class Execution:
    """What one request has put out so far."""

    text: str = ""  # printed, and the value of the last line
    error: str | None = None
    displays: list[dict[str, Any]] = field(default_factory=list)  # mime bundles
    ended: bool = False


class Kernel:
    """A running kernel; `traffic` holds every comm message that it sent, oldest first."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.traffic: list[CommMessage] = []
        self._manager = manager
        self._client = client
        self._executions: dict[str, Execution] = {}

    def execute(self, code: str, *, timeout: float = TIMEOUT) -> Execution:
        """Run code to its end; an exception in it fails the test."""
        execution = self.finish(self.start(code), timeout=timeout)
        assert execution.error is None, execution.error
        return execution

    def start(self, code: str) -> str:
        """Send code and return at once with the request's id, for `finish`."""
        return self._client.execute(code, allow_stdin=False)

    def finish(self, request: str, *, timeout: float = TIMEOUT) -> Execution:
        """Wait until the kernel has done with a request: a `start`, a `send_custom` or a `send_state`."""
        self.read_until(lambda: self.execution(request).ended, timeout, f"the end of request {request}")
        return self.execution(request)

    def send_custom(
        self, comm_id: str, content: Mapping[str, Any], buffers: Sequence[bytes] = (), subshell: str | None = None
    ) -> str:
        """Send a widget what `model.send(content, callbacks, buffers)` would; return the request's id."""
        return self._send(comm_id, {"method": "custom", "content": dict(content)}, buffers, subshell)

    def subshell(self) -> str:
        """Open a subshell, as JupyterLab does for its widgets, and give its id; skip the test where there are none."""
        request = self._client.session.msg("create_subshell_request")
        self._client.control_channel.send(request)
        reply = self._client.get_control_msg(timeout=TIMEOUT)["content"]
        if "subshell_id" not in reply:
            pytest.skip("this ipykernel has no subshells")
        return reply["subshell_id"]

    def send_state(self, comm_id: str, state: Mapping[str, Any]) -> str:
        """Send a widget what `model.set(...); model.save_changes()` would; return the request's id."""
        return self._send(comm_id, {"method": "update", "state": dict(state), "buffer_paths": []}, ())

    def _send(self, comm_id: str, data: dict[str, Any], buffers: Sequence[bytes], subshell: str | None = None) -> str:
        message = self._client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        message["buffers"] = list(buffers)
        self._client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def wait_for(
        self, wanted: Callable[[CommMessage], bool], *, since: int = 0, timeout: float = TIMEOUT
    ) -> CommMessage:
        """Give the first message of `traffic[since:]` that is wanted, and wait for it where none is there yet.

        Take `since = len(kernel.traffic)` before the act whose answer is awaited.
        """
        self.read_until(lambda: any(map(wanted, self.traffic[since:])), timeout, "the comm message")
        return next(filter(wanted, self.traffic[since:]))

    def model_id(self, name: str) -> str:
        """Give the comm id of the widget that the variable `name` holds."""
        return self.execute(f"print({name}.model_id)").text.strip()

    def interrupt(self) -> None:
        """Press the interrupt button."""
        self._manager.interrupt_kernel()

    def execution(self, request: str) -> Execution:
        return self._executions.setdefault(request, Execution())

    def read_until(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            left = deadline - time.monotonic()
            assert left > 0, f"waited {timeout} s for {what}; the last comm messages: {self.traffic[-5:]}"
            assert self._manager.is_alive(), f"the kernel died before {what}"
            try:
                self._take(self._client.get_iopub_msg(timeout=min(left, 1.0)))
            except Empty:
                continue

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        execution = self.execution(message["parent_header"].get("msg_id", ""))
        match kind:
            case "comm_open" | "comm_msg" | "comm_close":
                buffers = tuple(bytes(buffer) for buffer in message["buffers"])
                data = content.get("data", {})
                self.traffic.append(CommMessage(kind, content["comm_id"], data, buffers, time.monotonic()))
            case "stream":
                execution.text += content["text"]
            case "execute_result" | "display_data":
                execution.displays.append(content["data"])
                execution.text += content["data"].get("text/plain", "")
            case "error":
                execution.error = ANSI.sub("", "\n".join(content["traceback"]))
            case "status" if content["execution_state"] == "idle":
                execution.ended = True


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A fresh kernel of the running interpreter, with no settings of the person's own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # No folder of kernels leaves ipykernel's own, which is this interpreter.
    specs = KernelSpecManager(kernel_dirs=[])
    manager = KernelManager(
        kernel_name="python3", kernel_spec_manager=specs, connection_file=str(tmp_path / "kernel.json")
    )
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=TIMEOUT)
        running = Kernel(manager, client)
        assert running.execute("import sys; print(sys.executable)").text.strip() == sys.executable
        yield running
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
