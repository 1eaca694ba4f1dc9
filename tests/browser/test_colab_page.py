"""The widget on a page that stands for Google Colab; `colab.py` says how far.

`make test-hosts` runs it on Colab's packages.
"""

from collections.abc import Iterator

import pytest
from browser.colab import FOLDER, ColabPage, running_colab
from browser.test_widget import SETUP, SHOW, SHOW_SLOW
from playwright.sync_api import Frame

pytestmark = [
    pytest.mark.slow,  # a kernel or a browser of its own
    pytest.mark.skipif(not (FOLDER / "node_modules").is_dir(), reason="the packages of the page are not installed"),
]

BOARDS = """
from draggan_widget import DragSession, Edit, FeatureInspector, TrajectoryReplay
s = DragSession(G)
s.edit = Edit(((63.0, 63.0),), ((75.0, 63.0),))
s.step(8)
"""
TIMEOUT = 30_000.0  # ms
# What this release of @jupyter-widgets/base raises when the kernel closes a widget: a view asks for the model's views.
FORGOTTEN = "Cannot convert undefined or null to object"
STOPPED = "root.dataset.status === 'idle' && root.dataset.frameKind === 'final'"
RUNS = "root.dataset.status === 'running' && +root.dataset.step > 3"


@pytest.fixture(scope="module")
def running() -> Iterator[ColabPage]:
    with running_colab() as colab:
        yield colab


@pytest.fixture
def colab(running: ColabPage) -> Iterator[ColabPage]:
    yield running
    assert running.missing == []
    assert [error for error in running.errors if FORGOTTEN not in error] == []


def wait_for(frame: Frame, condition: str) -> None:
    """Wait until a condition over `root`, the widget's element, holds."""
    script = f"() => {{ const root = document.querySelector('.draggan'); return root && ({condition}); }}"
    frame.wait_for_function(script, timeout=TIMEOUT)


def wait_for_words(frame: Frame, start: str) -> None:
    """Wait until the status line starts with some words."""
    wait_for(frame, f"root.querySelector('.draggan-status').textContent.startsWith({start!r})")


def click(frame: Frame, action: str) -> None:
    frame.locator(f".draggan [data-action={action}]").click(timeout=TIMEOUT)


def colours(frame: Frame) -> str:
    return frame.evaluate("document.querySelector('canvas.draggan-picture').toDataURL()")


def draw_arrow(frame: Frame, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow between two pixels of the 128-px picture."""
    overlay = frame.locator("svg.draggan-overlay")
    overlay.scroll_into_view_if_needed()
    box = overlay.bounding_box()
    assert box is not None
    mouse, scale = frame.page.mouse, box["width"] / 128
    (x0, y0), (x1, y1) = (((x + 0.5) * scale + box["x"], (y + 0.5) * scale + box["y"]) for x, y in (start, end))
    mouse.move(x0, y0)
    mouse.down()
    mouse.move(x1, y1, steps=4)
    mouse.up()


def show(colab: ColabPage, code: str = SHOW_SLOW) -> Frame:
    """The frame of a new widget, whose drag does not end by itself."""
    colab.run_cell(1, SETUP)
    frame = colab.run_cell(2, code)
    wait_for(frame, STOPPED)
    return frame


def test_an_arrow_is_dragged_stopped_and_undone_and_the_line_says_what_is_next(colab: ColabPage) -> None:
    colab.open()
    frame = show(colab)
    before = colours(frame)
    draw_arrow(frame, (63, 63), (110, 63))
    wait_for_words(frame, "1 point: press Start.")
    click(frame, "start")
    wait_for(frame, "root.dataset.status === 'running' && +root.dataset.step > 300")
    click(frame, "start")  # the same button stops
    wait_for(frame, STOPPED)
    wait_for_words(frame, "Stopped. Start resumes the drag. · step ")
    assert colours(frame) != before
    click(frame, "undo")
    wait_for(frame, f"root.dataset.step === '0' && {STOPPED}")
    wait_for_words(frame, "1 point: press Start.")
    assert colours(frame) == before


def test_a_painted_mask_reaches_the_kernel(colab: ColabPage) -> None:
    colab.open()
    frame = show(colab)
    click(frame, "mask")
    draw_arrow(frame, (40, 63), (90, 63))
    wait_for(frame, "root.dataset.mask === 'true' && root.dataset.revision === '1'")
    mask = "w.session.edit.mask"
    assert colab.evaluate_in_kernel(f"bool({mask}[63, 64]), bool({mask}[10, 10])") == "(True, False)"


def test_a_page_loaded_again_shows_the_same_also_while_a_drag_runs(colab: ColabPage) -> None:
    colab.open()
    frame = show(colab)
    draw_arrow(frame, (63, 63), (110, 63))
    wait_for(frame, "root.dataset.revision === '1'")
    colab.reload()
    frame = colab.frame(2)
    wait_for(frame, f"{STOPPED} && document.querySelectorAll('g.draggan-point').length === 1")
    click(frame, "start")
    wait_for(frame, RUNS)
    colab.reload()
    frame = colab.frame(2)
    wait_for(frame, f"{RUNS} && document.querySelectorAll('g.draggan-point').length === 1")
    click(frame, "start")
    wait_for(frame, STOPPED)
    assert colab.evaluate_in_kernel("w.session.status, workers()") == "('idle', 1)"


def test_a_cell_run_again_ends_its_widget_and_a_second_view_says_so(colab: ColabPage) -> None:
    colab.open()
    frame = show(colab)
    draw_arrow(frame, (63, 63), (110, 63))
    click(frame, "start")
    wait_for(frame, RUNS)
    second = colab.run_cell(3, "w")
    wait_for(second, RUNS)
    frame = colab.run_cell(2, SHOW_SLOW)
    wait_for(frame, STOPPED)
    wait_for(second, "root.dataset.link === 'closed' && root.textContent.includes('its cell ran again')")
    drawn = "document.querySelector('canvas.draggan-picture').getContext('2d').getImageData(64, 64, 1, 1).data[3]"
    assert second.evaluate(drawn) == 255
    assert colab.evaluate_in_kernel("workers(), w.session.status") == "(1, 'idle')"


@pytest.mark.parametrize("board", ["TrajectoryReplay(s.record)", "FeatureInspector(s)"])
def test_a_board_shows_in_a_cell_of_its_own(colab: ColabPage, board: str) -> None:
    colab.open()
    colab.run_cell(1, SETUP + BOARDS)
    frame = colab.run_cell(2, f"b = {board}\nb")
    frame.locator(".widget-html >> visible=true", has_text="of 8").first.wait_for(timeout=TIMEOUT)
    drawn = """() => [...document.querySelectorAll("canvas")].some(canvas => {
        const beside = canvas.width * 0.54; // the bright spot, beside the handle and its number
        const [red, green, blue, alpha] = canvas.getContext("2d").getImageData(beside, canvas.height / 2, 1, 1).data;
        return alpha === 255 && red + green + blue > 0;
    })"""
    frame.wait_for_function(drawn, timeout=TIMEOUT)


# Of each element with words: the smallest contrast (WCAG) between the colour of its words and the ground below it.
CONTRASTS = """() => {
    const numbers = colour => {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 1;
        const context = canvas.getContext("2d");
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const ground = element => {
        for (let at = element; at !== null; at = at.parentElement) {
            const colour = numbers(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255, 255];
    };
    const light = colour => colour.slice(0, 3).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
    const found = {};
    for (const element of document.querySelectorAll(
        ".draggan-button:not([aria-disabled=true]), .draggan-status, .draggan-field-name, .draggan-value,"
        + " .draggan-number-field, .draggan select, .widget-html, .widget-label, select")) {
        if (element.offsetParent === null) continue;
        const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))].sort((p, q) => q - p);
        found[element.dataset.action ?? element.className] = (a + 0.05) / (b + 0.05);
    }
    return found;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_their_ground_in_both_themes(colab: ColabPage, theme: str) -> None:
    colab.open(theme)
    frame = show(colab, SHOW)
    draw_arrow(frame, (63, 63), (90, 63))
    wait_for_words(frame, "1 point: press Start.")
    click(frame, "settings")
    frame.page.mouse.move(0, 0)
    frame.wait_for_function("() => document.getAnimations().every(each => each.playState === 'finished')")
    found = frame.evaluate(CONTRASTS)
    assert {name: contrast for name, contrast in found.items() if contrast < 4.5} == {}
    assert {"start", "seed", "mask", "draggan-status"} <= set(found)
