"""A page that stands for Google Colab, on a real kernel.

Like Colab: each output is a frame of another origin with a widget manager of its own, made of the releases of Jupyter's
packages that Colab's manager is made of; other packages come from jsdelivr, at the version that Python names, and only
where `google.colab` has enabled that for the output; buffers arrive as Uint8Array; the binary parts of a widget's first
state are lost; what a thread of the kernel sends waits until the kernel works on a message; the colours are Colab's.

Unlike Colab: the page, `google.colab` and the manager are our own short versions, and jsdelivr is a folder of npm's.
"""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from browser.hosts import LAB
from browser.lab import CELL_TIMEOUT, CHROMIUM_FLAGS, PAGE_TIMEOUT, find_chromium, run_in_kernel
from browser.server import Server
from playwright.sync_api import Browser, Frame, Page, Route, sync_playwright

HOST = replace(LAB, name="colab", module="jupyter_server", options=())
FOLDER = Path(__file__).parent / "colab_page"
OUTPUTS = "https://outputs.colab.test/"
CDN = "https://cdn.jsdelivr.net/npm/"
HTML = """<!doctype html><meta charset="utf-8">
<link rel="stylesheet" href="output.css"><script type="module" src="{}"></script>"""
# A page that the test gives counts as one of the internet, and those may not call a server on 127.0.0.1.
LOCAL = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"

# What `google.colab` does as far as widgets need it: it marks the outputs that may load widgets from a CDN.
GOOGLE_COLAB = """
import sys, types
VIEW = "application/vnd.jupyter.widget-view+json"
def _mark(message):
    content = message.get("content", {})
    if VIEW in content.get("data", {}):
        content.setdefault("metadata", {}).setdefault(VIEW, {})["colab"] = {"custom_widget_manager": {"url": "u"}}
    return message
def _enable():
    global _enabled
    if not _enabled:
        get_ipython().display_pub.register_hook(_mark)
    google.colab.output._widgets._installed_url = "u"
    _enabled = True
_enabled = False
google = types.ModuleType("google")
google.colab = types.ModuleType("google.colab")
google.colab.output = types.ModuleType("google.colab.output")
google.colab.output._widgets = types.ModuleType("google.colab.output._widgets")
google.colab.output._widgets._installed_url = None
google.colab.output.enable_custom_widget_manager = _enable
for module in (google, google.colab, google.colab.output, google.colab.output._widgets):
    sys.modules[module.__name__] = module
"""

RUN = """([cell, code]) => {
    window.ran = undefined;
    notebook.run(cell, code).then(outputs => { window.ran = outputs; });
}"""


class ColabPage:
    """The page with one notebook; cells are run by their code, and each has a frame for its output."""

    def __init__(self, server: Server, browser: Browser, scripts: Path) -> None:
        """Take the server, the browser and the folder with the scripts that `build.mjs` wrote."""
        self._server, self._browser, self._scripts = server, browser, scripts
        self._opened = 0
        self.missing: list[str] = []  # what was asked of jsdelivr and is not there

    def open(self, theme: str = "light", viewport: tuple[int, int] = (1200, 1600)) -> Page:
        """Open a new notebook on a kernel of its own, in Colab's light or dark theme."""
        self.close()
        self._opened += 1
        self.missing.clear()
        self._context = self._browser.new_context(viewport={"width": viewport[0], "height": viewport[1]})
        self._context.route(f"{self._server.url}/colab/**", self._serve_script)
        self._context.route(f"{OUTPUTS}**", self._serve_script)
        self._context.route(f"{CDN}**", self._serve_package)
        self.page = self._context.new_page()
        self.errors: list[str] = []
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))
        name = f"notebook{self._opened}.ipynb"
        query = f"token={self._server.token}&path={name}&theme={theme}&outputs={quote(OUTPUTS + 'output.html')}"
        self.page.goto(f"{self._server.url}/colab/notebook.html?{query}")
        self._wait()
        self.run_cell(0, GOOGLE_COLAB)
        return self.page

    def _wait(self) -> None:
        self.page.wait_for_function("() => window.notebook !== undefined", timeout=PAGE_TIMEOUT * 1000)

    def reload(self) -> None:
        """Load the page again; the kernel lives on."""
        self.page.reload()
        self._wait()

    def run_cell(self, cell: int, code: str, *, wait: bool = True) -> Frame:
        """Run code in a cell and give the frame of its output.

        Raises:
            AssertionError: the code raised.
        """
        start = (
            "([cell, code]) => { window.ran = undefined; notebook.run(cell, code).then(out => { window.ran = out; }); }"
        )
        self.page.evaluate(start, [cell, code])
        if wait:
            self.page.wait_for_function("() => window.ran !== undefined", timeout=CELL_TIMEOUT * 1000)
            errors = [output for output in self.page.evaluate("() => window.ran") if output["kind"] == "error"]
            assert errors == []
        return self.frame(cell)

    def frame(self, cell: int) -> Frame:
        """The frame of a cell's output."""
        element = self.page.wait_for_selector(f"iframe[data-cell='{cell}']", state="attached")
        found = element and element.content_frame()
        assert found is not None
        return found

    def evaluate_in_kernel(self, code: str) -> str:
        """Run code in the kernel beside the page and return what it printed and the value of its last line."""
        kernel = self.page.evaluate("() => notebook.kernel")
        return run_in_kernel(self._server.runtime / f"kernel-{kernel}.json", code, CELL_TIMEOUT)

    def close(self) -> None:
        """Close the page and end its kernel."""
        if self._opened:
            self._context.close()
            self._server.close_sessions()

    def _serve_script(self, route: Route) -> None:
        name = Path(route.request.url.split("?")[0]).name
        if name.endswith(".html"):
            route.fulfill(body=HTML.format(f"{name.removesuffix('.html')}.js"), content_type="text/html")
        elif (self._scripts / name).is_file():
            route.fulfill(path=self._scripts / name)
        else:
            route.fulfill(status=404)

    def _serve_package(self, route: Route) -> None:
        """Give a package as jsdelivr does: the newest release that fits, which is the one that npm has installed."""
        package, _, version = route.request.url.removeprefix(CDN).removesuffix("/dist/index.js").rpartition("@")
        folder = FOLDER / "node_modules" / package
        installed = json.loads((folder / "package.json").read_text())["version"] if folder.is_dir() else ""
        headers = {"Access-Control-Allow-Origin": "*"}
        if f"{installed}.".startswith(f"{version.lstrip('~^').removesuffix('.*')}."):
            route.fulfill(path=folder / "dist" / "index.js", headers=headers)
        else:
            self.missing.append(route.request.url)
            route.fulfill(status=404, headers=headers)


@contextlib.contextmanager
def running_colab() -> Iterator[ColabPage]:
    """Build the page, then start a server and a browser.

    Raises:
        RuntimeError: node or the packages of the page are missing.
    """
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        raise RuntimeError(f"the packages of {FOLDER} are missing; run `npm ci` there")
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="draggan-colab-", ignore_cleanup_errors=True))
        )
        subprocess.run([node, FOLDER / "build.mjs", folder / "page"], check=True)
        server = Server(HOST, folder)
        stack.callback(server.stop)
        server.start()
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*CHROMIUM_FLAGS, LOCAL])
        stack.callback(browser.close)
        colab = ColabPage(server, browser, folder / "page")
        stack.callback(colab.close)
        yield colab
