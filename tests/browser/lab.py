"""Real notebook hosts with a real Chromium on them, for the browser tests and for the picture of the README."""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import nbformat
from browser.hosts import LAB, PANEL, Host
from browser.server import Server
from jupyter_client.blocking.client import BlockingKernelClient
from nbformat import NotebookNode, v4
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGE_TIMEOUT = 60.0  # s, for the page and for a new kernel
CELL_TIMEOUT = 120.0  # s, for one cell: the first one imports torch
ANSI = re.compile(r"\x1b\[[0-9;]*m")

# The promise is not handed back: Playwright's evaluate() has no time limit of its own, wait_for_function() has.
RESTART = f"""() => {{
    window.drag_restarted = "no";
    {PANEL}.sessionContext.restartKernel().then(
        () => {{ window.drag_restarted = "yes"; }},
        error => {{ window.drag_restarted = String(error); }},
    );
}}"""

SAVE = "() => { window.drag_saved = false; (%s).then(() => { window.drag_saved = true; }); }"


class CellError(AssertionError):
    """A cell, or code sent to the kernel, raised an exception."""


def find_chromium() -> str:
    """Find a Chromium: `$CHROMIUM`, then the usual names on PATH, then the one that Playwright downloaded.

    Raises:
        RuntimeError: there is none.
    """
    if wanted := os.environ.get("CHROMIUM"):
        if found := shutil.which(wanted):
            return found
        raise RuntimeError(f"CHROMIUM is {wanted!r}, which is not a program; set it to the path of a Chromium")
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    if Path(downloaded).is_file():
        return downloaded
    raise RuntimeError(
        "the browser tests found no Chromium; install one (`apt-get install chromium`, or "
        f"`{sys.executable} -m playwright install chromium`) or set CHROMIUM to its path"
    )


def run_in_kernel(connection_file: Path, code: str, timeout: float) -> str:
    """Run code in a kernel that others use too, and return what it printed and the value of its last line.

    The client lives for this one request: an idle one would pile up every frame that the widget sends.

    Raises:
        CellError: the code raised.
    """
    client = BlockingKernelClient(connection_file=str(connection_file))
    client.load_connection_file()
    client.start_channels()
    texts: list[str] = []

    def keep_text(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            texts.append(content["text"])
        elif message["msg_type"] in ("execute_result", "display_data"):
            texts.append(content["data"].get("text/plain", ""))

    try:
        client.wait_for_ready(timeout=timeout)
        reply = client.execute_interactive(
            code, store_history=False, allow_stdin=False, timeout=timeout, output_hook=keep_text
        )
    finally:
        client.stop_channels()
    if reply["content"]["status"] != "ok":
        raise CellError(ANSI.sub("", "\n".join(reply["content"].get("traceback", ["aborted"]))))
    return "".join(texts).removesuffix("\n")


class Lab:
    """One browser and one server; one notebook at a time, each on a kernel and in a profile of its own.

    >>> with Lab() as lab:
    ...     page = lab.open(["1 + 1"])
    ...     lab.run_cell(0)
    """

    def __init__(self, host: Host = LAB) -> None:
        """Choose the program that shows the notebooks; `with` starts it."""
        self.host = host

    def __enter__(self) -> Self:
        """Start the browser and the server."""
        chromium = find_chromium()
        with contextlib.ExitStack() as stack:
            self._playwright: Playwright = stack.enter_context(sync_playwright())
            self._browser: Browser = self._playwright.chromium.launch(
                executable_path=chromium, args=list(CHROMIUM_FLAGS)
            )
            stack.callback(self._browser.close)
            prefix = f"draggan-{self.host.name}-"
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True))
            self.server = Server(self.host, Path(folder))
            stack.callback(self.server.stop)
            self.server.start()
            self._stack = stack.pop_all()
        self._opened = 0
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the notebook, the server and the browser."""
        with self._stack:
            self.close_notebook()

    @property
    def page(self) -> Page:
        """The page of the open notebook."""
        assert self._page is not None, "no notebook is open; call open() first"
        return self._page

    def open(
        self,
        cells: Sequence[str] | NotebookNode,
        *,
        viewport: tuple[int, int] = (1200, 900),
        device_scale_factor: float = 1.0,
        touch: bool = False,
    ) -> Page:
        """Open a new notebook and wait until its kernel is connected and idle.

        Args:
            cells: the sources of its code cells, or a whole notebook.
            viewport: (width, height) of the page in css px.
            device_scale_factor: device px per css px.
            touch: whether the page has a touch screen.
        """
        self.close_notebook()
        self._opened += 1
        self._file = self.server.root / f"notebook{self._opened}.ipynb"
        notebook = cells if isinstance(cells, NotebookNode) else new_notebook(cells)
        nbformat.write(notebook, self._file)
        self._context = self.new_context(viewport, device_scale_factor, touch)
        self._context.tracing.start(screenshots=True, snapshots=True)
        self._page = self._context.new_page()
        path = self.host.address.format(number=self._opened, name=self._file.name, token=self.server.token)
        self._page.goto(self.server.url + path, timeout=PAGE_TIMEOUT * 1000)
        self._wait_for_notebook()
        return self._page

    def new_context(
        self,
        viewport: tuple[int, int],
        device_scale_factor: float = 1.0,
        touch: bool = False,
        javascript: bool = True,
    ) -> BrowserContext:
        """Give a browser profile of its own, for pages that are not a notebook; close it after use."""
        return self._browser.new_context(
            viewport={"width": viewport[0], "height": viewport[1]},
            device_scale_factor=device_scale_factor,
            has_touch=touch,
            java_script_enabled=javascript,
        )

    def _wait_for_notebook(self) -> None:
        self.page.wait_for_selector(self.host.cell, timeout=PAGE_TIMEOUT * 1000)
        self.wait_idle(PAGE_TIMEOUT)

    def save(self) -> NotebookNode:
        """Save the notebook as its host does, and read its file."""
        self.page.evaluate(SAVE % self.host.save)
        self.page.wait_for_function("() => window.drag_saved", timeout=PAGE_TIMEOUT * 1000)
        return nbformat.read(self._file, as_version=4)

    def reload(self) -> None:
        """Reload the page, as a person would: the kernel lives on. The saved notebook is what comes back."""
        self.page.reload(timeout=PAGE_TIMEOUT * 1000)
        self._wait_for_notebook()

    def close_notebook(self, trace: Path | None = None) -> None:
        """Close the page and end its kernel; keep Playwright's trace in the file `trace` where one is named."""
        if self._context is None:
            return
        context, self._context, self._page = self._context, None, None
        if trace is not None:
            trace.parent.mkdir(parents=True, exist_ok=True)
        context.tracing.stop(path=trace)
        context.close()
        self.server.close_sessions()

    def run_cell(self, index: int, *, wait: bool = True, timeout: float = CELL_TIMEOUT) -> list[dict[str, Any]]:
        """Run one cell (markdown cells count too) and return its outputs in nbformat's form.

        Args:
            index: place of the cell, from 0.
            wait: False returns at once, with the outputs left out; `wait_idle` waits later.
            timeout: seconds until a running cell is an error.

        Raises:
            CellError: the cell raised.
        """
        self.page.evaluate(self.host.run_cell, index)
        if not wait:
            return []
        self.wait_idle(timeout)
        outputs = self.outputs(index)
        for output in outputs:
            if output["output_type"] == "error":
                raise CellError(ANSI.sub("", "\n".join(output["traceback"])))
        return outputs

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Give the outputs of a code cell as they stand now."""
        return self.page.evaluate(self.host.outputs, index)

    def wait_idle(self, timeout: float = CELL_TIMEOUT) -> None:
        """Wait until every cell that was started has ended and the kernel is connected and idle."""
        self.page.wait_for_function(f"() => {self.host.idle}", timeout=timeout * 1000)

    def evaluate_in_kernel(self, code: str, timeout: float = CELL_TIMEOUT) -> str:
        """Run code in the notebook's kernel beside the page, which shows nothing of it.

        Returns:
            What it printed and the value of its last line.

        Raises:
            CellError: the code raised.
        """
        connection_file = self.server.runtime / f"kernel-{self.kernel_id()}.json"
        # Playwright's event loop counts as running in this thread; the kernel client wants one of its own.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(run_in_kernel, connection_file, code, timeout).result()

    def kernel_id(self) -> str:
        """Give the server's id of the notebook's kernel; a restart keeps it."""
        return self.page.evaluate(f"() => {self.host.kernel_id}")

    def restart_kernel(self) -> None:
        """Restart the kernel the way JupyterLab's own menu does, and wait until the new one is idle."""
        self.page.evaluate(RESTART)
        self.page.wait_for_function("() => window.drag_restarted !== 'no'", timeout=PAGE_TIMEOUT * 1000)
        answer = self.page.evaluate("() => window.drag_restarted")
        assert answer == "yes", f"the kernel did not restart: {answer}"
        self.wait_idle(PAGE_TIMEOUT)


def new_notebook(cells: Sequence[str]) -> NotebookNode:
    """Make a notebook of code cells."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return v4.new_notebook(cells=[v4.new_code_cell(source) for source in cells], metadata=metadata)
