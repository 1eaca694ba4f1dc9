"""The widget in marimo, as an editor (`marimo edit`) and as an app (`marimo run`).

`make test-hosts` runs it in an environment that holds marimo.
"""

import contextlib
import importlib.util
import os
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.lab import CHROMIUM_FLAGS, find_chromium
from browser.server import cache_folder, free_port
from browser.test_widget import SETUP, TIMEOUT
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

pytestmark = [
    pytest.mark.slow,  # a kernel or a browser of its own
    pytest.mark.skipif(importlib.util.find_spec("marimo") is None, reason="marimo is not installed"),
]

MODES = ("edit", "run")
REPORT = Path("state.txt")  # what the notebook says of its widget; beside the notebook
WATCH = f"""
def report():
    while True:
        time.sleep(0.1)
        if "w" not in globals(): continue  # marimo removes a name while its cell runs again
        session = globals()["w"].session
        edit = session.edit
        mask = edit.mask is not None and (bool(edit.mask[63, 64]), bool(edit.mask[10, 10]))
        text = f"{{session.status}} {{workers()}} {{len(edit)}} {{mask}}"
        new = f"{{threading.get_ident()}}.new"
        with open(new, "w") as file: file.write(text)
        os.replace(new, "{REPORT}")
threading.Thread(target=report, daemon=True).start()
"""
IMPORTS = """
import os, time, marimo as mo
from draggan_widget import DragSession, Edit, FeatureInspector, TrajectoryReplay
"""
CELLS = (
    SETUP + IMPORTS,
    "w = DragWidget(G, config=slow)\nw",
    "mo.ui.anywidget(w)",
    WATCH,
    "s = DragSession(G)\ns.edit = Edit(((63.0, 63.0),), ((75.0, 63.0),))\ns.step(8)",
    "replay = TrajectoryReplay(s.record)\nreplay",
    "inspector = FeatureInspector(s)\ninspector",
)
STOPPED = "root.dataset.status === 'idle' && root.dataset.frameKind === 'final'"
RUNS = "root.dataset.status === 'running' && +root.dataset.step > 3"
LETTERS = ("x", "d", "d", "a", "b", "j", "k", "Control+Enter", "ArrowDown", "Enter", "Delete", "?")
EDITORS = "() => [...document.querySelectorAll('.cm-content')].map(each => each.textContent)"
TRACEBACKS = ".marimo-error, [data-testid=marimo-error], .text-error"


def notebook() -> str:
    """The file of a marimo notebook with the CELLS."""
    cells = (f"@app.cell\ndef _():\n{textwrap.indent(code.strip(), '    ')}\n    return\n" for code in CELLS)
    return "\n\n".join(("import marimo\n\napp = marimo.App()\n", *cells, 'if __name__ == "__main__":\n    app.run()\n'))


class Marimo:
    """marimo with the notebook CELLS, and a browser."""

    def __init__(self, mode: str, folder: Path, browser: Browser) -> None:
        """Start the server; the page opens with `open`."""
        self.mode, self._folder, self._browser = mode, folder, browser
        (folder / "notebook.py").write_text(notebook())
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/"
        command = [
            sys.executable,
            "-m",
            "marimo",
            "-y",
            mode,
            "--headless",
            "--no-token",
            f"--port={port}",
            "notebook.py",
        ]
        home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "DRAGGAN_CACHE": cache_folder()}
        (folder / "log").touch()
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=folder, env=os.environ | home, stdout=log, stderr=log)
        for _ in range(600):
            with (
                contextlib.suppress(urllib.error.URLError, ConnectionError),
                urllib.request.urlopen(self._url, timeout=5),
            ):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
                raise RuntimeError((folder / "log").read_text())

    def open(self) -> Page:
        """Open the notebook on a kernel of its own, run all its cells, and wait for the widget's picture."""
        self.page = self._browser.new_page(viewport={"width": 1300, "height": 4200})
        self.page.set_default_timeout(TIMEOUT)
        self.page.goto(self._url)
        if self.mode == "edit":
            self.page.locator("[data-testid=cell-editor]").last.wait_for()
            self.page.locator("[data-testid=run-button]").last.click()
        self.wait_for(STOPPED, timeout=3 * TIMEOUT)
        return self.page

    def root(self, view: int = 0) -> Locator:
        """One of the widget's views."""
        return self.page.locator(".draggan").nth(view)

    def wait_for(self, condition: str, view: int = 0, timeout: float = TIMEOUT) -> None:
        """Wait until a condition over `root`, the element of a view, holds."""
        for _ in range(int(timeout / 100)):  # a cell that runs again replaces the element
            with contextlib.suppress(PlaywrightError):
                if self.root(view).evaluate(f"root => Boolean({condition})", timeout=1000):
                    return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"view {view} has not come to {condition}")

    def wait_for_words(self, start: str, view: int = 0) -> None:
        """Wait until the status line starts with some words."""
        self.wait_for(f"root.querySelector('.draggan-status').textContent.startsWith({start!r})", view)

    def report(self) -> str:
        """The newest report of the notebook about its widget: status, workers (that of `s` too), points, mask."""
        file = self._folder / REPORT
        return file.read_text() if file.is_file() else ""

    def wait_for_report(self, wanted: str) -> None:
        """Wait until the notebook reports something."""
        for _ in range(int(TIMEOUT / 100)):
            if self.report() == wanted:
                return
            self.page.wait_for_timeout(100)
        assert self.report() == wanted

    def click(self, action: str, view: int = 0) -> None:
        """Press one of the widget's buttons."""
        self.root(view).locator(f"[data-action={action}]").click()

    def colours(self, view: int = 0) -> str:
        """The picture, as a data URL."""
        return self.root(view).locator("canvas.draggan-picture").evaluate("canvas => canvas.toDataURL()")

    def draw_arrow(self, start: tuple[float, float], end: tuple[float, float], view: int = 0) -> None:
        """Draw an arrow between two pixels of the 128-px picture."""
        overlay = self.root(view).locator("svg.draggan-overlay")
        overlay.scroll_into_view_if_needed()
        box = overlay.bounding_box()
        assert box is not None
        scale = box["width"] / 128
        (x0, y0), (x1, y1) = (((x + 0.5) * scale + box["x"], (y + 0.5) * scale + box["y"]) for x, y in (start, end))
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        self.page.mouse.move(x1, y1, steps=4)
        self.page.mouse.up()

    def close(self) -> None:
        """Close the page and end the server with its kernel."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(params=MODES)
def marimo(request: pytest.FixtureRequest, tmp_path: Path, browser: Browser) -> Iterator[Marimo]:
    started = Marimo(request.param, tmp_path, browser)
    try:
        started.open()
        yield started
        assert started.page.locator(TRACEBACKS).all_text_contents() == []
        assert "Traceback" not in (tmp_path / "log").read_text()
        started.page.close()
    finally:
        started.close()


def test_both_views_of_the_widget_drag_stop_undo_and_paint(marimo: Marimo) -> None:
    before = marimo.colours()
    marimo.draw_arrow((63, 63), (110, 63))
    marimo.wait_for_words("1 point: press Start.")
    marimo.wait_for("root.querySelectorAll('g.draggan-point').length === 1", 1)
    marimo.click("start")
    marimo.wait_for("root.dataset.status === 'running' && +root.dataset.step > 100")
    marimo.click("start", 1)  # the other view shows Stop, too
    marimo.wait_for(STOPPED)
    marimo.wait_for_words("Stopped. Start resumes the drag. · step ")
    assert marimo.colours() != before
    marimo.click("undo")
    marimo.wait_for(f"root.dataset.step === '0' && {STOPPED}")
    marimo.wait_for_words("1 point: press Start.")
    assert marimo.colours() == before
    marimo.click("mask", 1)
    marimo.draw_arrow((40, 63), (90, 63), 1)
    marimo.wait_for("root.dataset.mask === 'true'", 1)
    marimo.wait_for_report("idle 2 1 (True, False)")


def test_no_key_typed_in_a_view_reaches_the_notebook(marimo: Marimo) -> None:
    marimo.draw_arrow((40, 40), (60, 40))
    marimo.wait_for_words("1 point: press Start.")
    before = marimo.page.evaluate(EDITORS)
    for selector in (".draggan-handle", "svg.draggan-overlay", "[data-action=start]", "[data-action=mask]"):
        for key in LETTERS:
            marimo.root().locator(selector).first.focus()
            marimo.page.keyboard.press(key)
            assert marimo.page.locator("[role=dialog]").count() == 0, f"{key} at {selector}"
            if marimo.root().locator(selector).count() == 0:  # Delete removes the handle
                break
    assert marimo.page.evaluate(EDITORS) == before
    assert marimo.page.locator(".draggan").count() == 2


def test_a_page_loaded_again_while_a_drag_runs_shows_it_and_stops_it(marimo: Marimo) -> None:
    marimo.draw_arrow((63, 63), (110, 63))
    marimo.click("start")
    marimo.wait_for(RUNS)
    marimo.page.reload()
    if marimo.mode == "run":  # an app starts anew for each page
        marimo.wait_for(STOPPED, timeout=3 * TIMEOUT)
        return
    marimo.wait_for(f"{RUNS} && root.querySelectorAll('g.draggan-point').length === 1")
    marimo.click("start")
    marimo.wait_for(STOPPED)
    marimo.wait_for_report("idle 2 1 False")


def test_a_cell_run_again_leaves_one_worker(marimo: Marimo) -> None:
    if marimo.mode == "run":
        pytest.skip("an app has no button that runs a cell")
    marimo.draw_arrow((63, 63), (110, 63))
    marimo.click("start")
    marimo.wait_for(RUNS)
    editor = marimo.page.locator(".cm-content", has_text="config=slow")
    editor.click()
    marimo.page.keyboard.press("Control+Enter")
    marimo.wait_for(f"{STOPPED} && root.dataset.revision === '0' && root.dataset.link === 'live'")
    marimo.wait_for(f"{STOPPED} && root.dataset.revision === '0' && root.dataset.link === 'live'", 1)
    marimo.wait_for_report("idle 2 0 False")


@pytest.mark.parametrize("name", ["TrajectoryReplay", "FeatureInspector"])
def test_a_board_is_shown_as_its_picture_with_a_sentence(marimo: Marimo, name: str) -> None:
    page = marimo.page
    page.get_by_text(f"marimo shows no classic widgets: this is a picture of the {name}").wait_for()
    picture = page.get_by_alt_text(f"Picture of the {name}")
    assert picture.evaluate("image => image.naturalWidth") >= 512
    assert page.locator(TRACEBACKS).count() == 0
