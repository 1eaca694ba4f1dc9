"""Keys typed in one of our views stay there: in JupyterLab, in Notebook 7 and in the classic notebook."""

from typing import Any

import pytest
from browser.hosts import Host
from browser.lab import Lab
from browser.server import OWN_KEYS
from browser.test_widget import TESTS, TIMEOUT, draw_arrow, wait_for, wait_for_picture
from playwright.sync_api import ElementHandle, Page

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

SETUP = f"""
import sys; sys.path.insert(0, {TESTS!r})
import torch; torch.set_num_threads(1)
from analytic import BlobGenerator
from draggan_widget import DragSession, DragWidget, Edit, FeatureInspector, TrajectoryReplay
G = BlobGenerator(side=128)
s = DragSession(G)
s.edit = Edit(((63.0, 63.0),), ((75.0, 63.0),))
s.step(8)
"""
CELLS = [SETUP, "w = DragWidget(G)\nw", "t = TrajectoryReplay(s.record)\nt", "f = FeatureInspector(s)\nf", "'last'"]
WIDGET, REPLAY, INSPECTOR = VIEWS = (1, 2, 3)  # the cells that show our views
VIEWPORT = (1300, 3000)  # css px: a cell out of sight is not on the page

LETTERS = tuple("xcvymabzdd00iijklosfhpur16")  # each is a command of one host or another; some need it twice
CHORDS = (
    *("Enter", "ArrowDown", "ArrowUp", "Shift+ArrowDown", "Control+Enter", "Alt+Enter", "Shift+M", "Shift+V", "Space"),
    *("Shift+Space", "Control+b", "Control+z", "Control+Shift+z", "Control+Shift+c", "Control+Shift+Minus"),
    *("Control+x", "Control+v", "Control+Backspace", "Escape"),
)
KEYS = (*OWN_KEYS, *LETTERS, *CHORDS)  # pressed at one element of each kind
FEW_KEYS = (*OWN_KEYS, "x", "d", "d", "a", "ArrowDown", "Control+Enter")  # pressed at every element
BROWSER_KEYS = ("Tab", "F5", "F12", "Control+r", "Control+t", "Control+f", "Control+c", "Control+p")

# The parts of a view that a person can press, and its words: a click on any of them must leave the keys in the view.
CLICKED = {
    WIDGET: (".draggan-overlay", ".draggan-handle", "[data-action=mask]", ".draggan-status", ".draggan-field-name"),
    REPLAY: ("canvas", ".widget-html"),
    INSPECTOR: ("canvas", ".widget-html", ".widget-label"),
}
SLIDER = ".noUi-handle, .ui-slider-handle"
# Where Shift+Enter is pressed.
RUN_FROM = {
    WIDGET: (
        ".draggan-handle",
        ".draggan-overlay",
        "[data-action=seed]",
        "[data-field=truncation]",
        "[data-field=seed]",
    ),
    REPLAY: (SLIDER, "button", "select"),
    INSPECTOR: (SLIDER, "select"),
}

PLACES = """view => [view, ...view.querySelectorAll("a, button, input, select, textarea, [tabindex]")]"""
NAME = """element => element.getAttribute("aria-label") || element.title || element.dataset.field
    || element.getAttribute("class") || element.tagName"""
KIND = "element => element.tagName + element.type"
# Gives an element the focus, and tells whether it took it. The brush's size shows while a brush is the tool.
FOCUS = """element => {
    const mask = element.closest(".draggan")?.querySelector("[data-action=mask][aria-pressed=false]");
    if (element.dataset.field === "brush" && mask) mask.click();
    element.focus();
    window.drag_place = element;
    return document.activeElement === element;
}"""
# After each key: keeps the key that has changed the notebook, and gives the place the focus again.
WATCH_NOTEBOOK = """() => {
    window.drag_leaks = [];
    let before = window.drag_notebook();
    const check = ({ key }) => {
        const after = window.drag_notebook();
        if (after !== before) window.drag_leaks.push(key);
        before = after;
        window.drag_place?.focus();
    };
    window.addEventListener("keyup", check, true);
}"""
WATCH_PREVENTED = """() => {
    window.drag_prevented = [];
    const prevent = Event.prototype.preventDefault;
    Event.prototype.preventDefault = function () {
        if (this.type === "keydown") window.drag_prevented.push(this.key);
        return prevent.call(this);
    };
}"""


def show_views(lab: Lab) -> Page:
    """A notebook with the widget, the replay and the inspector, each in a cell."""
    page = lab.open(CELLS, viewport=VIEWPORT)
    page.set_default_timeout(TIMEOUT)
    for cell in range(len(CELLS)):
        lab.run_cell(cell)
    for cell in VIEWS:
        wait_until_shown(page, cell)
    return page


def open_views(lab: Lab) -> Page:
    """The same with two arrows in the widget, and its settings open."""
    page = show_views(lab)
    draw_arrow(page, (40, 40), (60, 40))
    draw_arrow(page, (80, 80), (80, 60))
    wait_for(page, "document.querySelectorAll('g.draggan-point').length === 2 && root.dataset.revision === '2'")
    page.locator(".draggan [data-action=settings]").click()
    return page


def wait_until_shown(page: Page, cell: int) -> None:
    if cell == WIDGET:
        wait_for_picture(page)
    page.locator("canvas.draggan-board").nth(2).wait_for()  # the replay has one, the inspector two
    page.locator(SLIDER).nth(2).wait_for(state="attached")  # the replay has one, the inspector two


def view(page: Page, cell: int) -> ElementHandle:
    """The element of the widget, the replay or the inspector."""
    if cell == WIDGET:
        return page.locator(".draggan").element_handle()
    canvas = page.locator("canvas.draggan-board").nth(0 if cell == REPLAY else 1)
    return canvas.locator("xpath=ancestor::*[contains(@class, 'widget-vbox')]").last.element_handle()


def places(root: ElementHandle) -> list[tuple[str, ElementHandle]]:
    """The elements of a view that may take the focus, each with its name."""
    found = root.evaluate_handle(PLACES).get_properties().values()
    elements = [element for value in found if (element := value.as_element()) is not None]
    return [(element.evaluate(NAME), element) for element in elements]


def state(host: Host) -> str:
    """What no key may change, as JavaScript: the cells, how often each ran, the dialogs that are open, the kernel."""
    return f"[{host.cells}, document.querySelectorAll({host.dialogs!r}).length, {host.kernel_id}]"


def notebook(page: Page, host: Host) -> Any:
    return page.evaluate(f"() => {state(host)}")


def test_no_key_typed_in_a_view_changes_cells_or_kernel(lab: Lab) -> None:
    page, host = open_views(lab), lab.host
    before, process = notebook(page, host), lab.evaluate_in_kernel("import os; os.getpid()")
    page.evaluate(f"() => {{ window.drag_notebook = () => JSON.stringify({state(host)}); }}")
    page.evaluate(WATCH_NOTEBOOK)
    for cell in VIEWS:
        met: set[str] = set()
        for name, element in places(view(page, cell)):
            if element.evaluate(FOCUS):  # else it is hidden, or an earlier key has removed it
                kind = element.evaluate(KIND)
                for key in FEW_KEYS if kind in met else KEYS:
                    page.keyboard.press(key)
                met.add(kind)
                assert page.evaluate("() => window.drag_leaks") == [], name
    lab.wait_idle()
    assert lab.evaluate_in_kernel("import os; os.getpid()") == process
    assert notebook(page, host) == before
    page.evaluate("() => { window.drag_place = null; }")
    page.evaluate(host.focus_cell, len(CELLS) - 1)
    for key, count in zip(OWN_KEYS, (len(CELLS) - 1, len(CELLS)), strict=True):  # they do work outside our views
        page.keyboard.press(key)
        page.wait_for_function(f"count => {host.cells}.length === count", arg=count)


def test_after_a_click_in_a_view_or_a_key_that_disables_a_button_keys_stay_in_it(lab: Lab) -> None:
    page, host = open_views(lab), lab.host
    before = notebook(page, host)
    for cell, selectors in CLICKED.items():
        for selector in selectors:
            part = view(page, cell).query_selector(f"{selector} >> visible=true")
            assert part is not None, selector
            part.click(position={"x": 5, "y": 5})
            for key in ("x", *OWN_KEYS):
                page.keyboard.press(key)
                assert notebook(page, host) == before, f"{key} after a click on {selector}"
            page.keyboard.press("Escape")  # gives up the arrow that a click on the picture has begun
    page.locator("[data-action=clear]").focus()
    page.keyboard.press("Space")  # deletes every point; then there is nothing left to delete
    page.locator("[data-action=clear][aria-disabled=true]").wait_for()
    for key in ("x", *OWN_KEYS):
        page.keyboard.press(key)
        assert notebook(page, host) == before, f"{key} after the button was disabled"


def test_the_keys_of_the_browser_are_left_to_it_and_arrows_move_a_slider(lab: Lab) -> None:
    page = open_views(lab)
    page.evaluate(WATCH_PREVENTED)
    for cell in VIEWS:
        for name, element in places(view(page, cell)):
            for key in BROWSER_KEYS:
                if element.evaluate(FOCUS):
                    page.keyboard.press(key)
                    assert page.evaluate("() => window.drag_prevented.splice(0)") == [], f"{key} at {name}"
    page.locator(SLIDER).first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator(".widget-html", has_text="Step 3 of 8").wait_for()


def test_ctrl_s_saves_from_every_place_and_shift_enter_runs_the_cell(lab: Lab) -> None:
    page, host = open_views(lab), lab.host
    page.evaluate(host.make_dirty)
    page.locator(".draggan-handle").first.focus()
    page.keyboard.press("Control+s")
    page.wait_for_function(f"() => !({host.dirty})")
    page.evaluate(WATCH_PREVENTED)
    for cell in VIEWS:
        for name, element in places(view(page, cell)):
            if element.evaluate(FOCUS):  # the host takes the key; it would save no second time while it still saves
                page.keyboard.press("Control+s")
                assert "s" in page.evaluate("() => window.drag_prevented.splice(0)"), name
    for cell, selectors in RUN_FROM.items():
        for selector in selectors:
            root, before = view(page, cell), notebook(page, host)
            place = root.query_selector(f":is({selector}) >> visible=true")
            words = root.query_selector(f"{CLICKED[cell][-1]} >> visible=true")
            assert place is not None, selector
            assert words is not None
            words.click()  # the classic notebook runs the cell that was clicked last
            place.focus()
            page.keyboard.press("Shift+Enter")
            root.wait_for_element_state("hidden")
            lab.wait_idle()
            wait_until_shown(page, cell)
            after = notebook(page, host)
            assert after[0][cell][2] > before[0][cell][2], selector
            after[0][cell][2] = before[0][cell][2]
            assert after == before, selector
