"""The widget as its user meets it: a real JupyterLab in Chromium, a real kernel, a generator that costs little."""

from pathlib import Path

import pytest
from browser.lab import Lab
from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

TESTS = str(Path(__file__).resolve().parents[1])
SETUP = f"""
import sys, threading; sys.path.insert(0, {TESTS!r})
import torch; torch.set_num_threads(1)
from analytic import BlobGenerator
from draggan_widget import DragConfig, DragWidget
G = BlobGenerator(side=128)
slow = DragConfig.for_generator(G).replace(learning_rate=1e-5, stall_steps=100_000, max_steps=100_000)
def workers():
    return sum(thread.name == "draggan-drag" and thread.is_alive() for thread in threading.enumerate())
"""
SHOW = "w = DragWidget(G)\nw"
SHOW_SLOW = "w = DragWidget(G, config=slow)\nw"
TIMEOUT = 30_000.0  # ms


def attribute(page: Page, name: str) -> str:
    return page.locator(".draggan").get_attribute(f"data-{name}") or ""


def wait_for(page: Page, condition: str) -> None:
    """Wait until a condition over `root`, the widget's element, holds."""
    page.wait_for_function(
        f"() => {{ const root = document.querySelector('.draggan'); return root && ({condition}); }}"
    )


def wait_for_picture(page: Page) -> None:
    wait_for(page, "['picture', 'final'].includes(root.dataset.frameKind)")


def css(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where on the page the centre of image pixel (x, y) of the 128-px picture is."""
    box = page.locator("svg.draggan-overlay").bounding_box()
    assert box is not None
    return box["x"] + (x + 0.5) * box["width"] / 128, box["y"] + (y + 0.5) * box["height"] / 128


def draw_arrow(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.locator("svg.draggan-overlay").scroll_into_view_if_needed()
    page.mouse.move(*css(page, *start))
    page.mouse.down()
    page.mouse.move(*css(page, *end), steps=4)
    page.mouse.up()


def click(page: Page, action: str) -> None:
    page.locator(f".draggan [data-action={action}]").click()


def colours(page: Page) -> str:
    return page.evaluate("document.querySelector('canvas.draggan-picture').toDataURL()")


@pytest.fixture
def opened(lab: Lab):
    def open_widget(show: str) -> Page:
        page = lab.open([SETUP, show])
        page.set_default_timeout(TIMEOUT)
        lab.run_cell(0)
        lab.run_cell(1)
        wait_for_picture(page)
        return page

    return open_widget


def open_widget(lab: Lab, viewport: tuple[int, int] = (1200, 900), show: str = SHOW) -> Page:
    """A notebook whose second cell shows a widget, and whose third cell shows it once more."""
    page = lab.open([SETUP, show, "w"], viewport=viewport)
    page.set_default_timeout(TIMEOUT)
    lab.run_cell(0)
    lab.run_cell(1)
    wait_for_picture(page)
    return page


def wait_for_words(page: Page, start: str) -> None:
    """Wait until the status line starts with some words."""
    wait_for(page, f"root.querySelector('.draggan-status').textContent.startsWith({start!r})")


def test_an_arrow_drawn_on_the_picture_drags_it(lab: Lab, opened) -> None:
    page = opened(SHOW)
    before = colours(page)
    draw_arrow(page, (63, 63), (90, 63))
    page.locator("g.draggan-point").wait_for()
    click(page, "start")
    wait_for(page, "root.dataset.status === 'idle' && +root.dataset.step > 5 && root.dataset.frameKind === 'final'")
    assert colours(page) != before
    state = lab.evaluate_in_kernel(
        "print(w.session.edit.handles, w.session.edit.targets, w.session.current.ended, len(w.session.record) > 5,"
        " [round(v) for v in (G.centre(w.session.ws) - G.centre(w.session.record[0].ws)).tolist()])"
    )
    assert state.startswith("((63.0, 63.0),) ((90.0, 63.0),) arrived True [")
    x, y = (int(v) for v in state.split("[")[1].split("]")[0].split(","))
    assert abs(x - 27) <= 4  # the blob went as far as the arrow is long
    assert abs(y) <= 4
    handle = page.locator(".draggan-handle").bounding_box()
    assert handle is not None
    x, y = css(page, 90, 63)
    assert abs(handle["x"] + handle["width"] / 2 - x) < 20
    assert abs(handle["y"] + handle["height"] / 2 - y) < 20


def test_the_bundled_heads_are_shown_enlarged_and_dragged(lab: Lab) -> None:
    page = lab.open(
        ["import torch; torch.set_num_threads(1)\nfrom draggan_widget import DragWidget\nw = DragWidget()\nw"]
    )
    page.set_default_timeout(TIMEOUT)
    (shown,) = lab.run_cell(0)  # the widget alone: no word of a download
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]
    wait_for(page, "root.dataset.frameKind === 'final'")
    box = page.locator("canvas.draggan-picture").bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (512, 512)
    draw_arrow(page, (63, 70), (69, 70))
    wait_for(page, "root.dataset.revision === '1'")
    assert (
        lab.evaluate_in_kernel("w.session.edit.handles, w.session.edit.targets") == "(((63.0, 70.0),), ((69.0, 70.0),))"
    )
    ring = page.locator(".draggan-ring .draggan-line").bounding_box()
    assert ring is not None
    assert 20 < ring["width"] < 30  # css px, as on a picture of any size
    click(page, "start")
    wait_for(page, "root.dataset.status === 'idle' && +root.dataset.step > 0 && root.dataset.frameKind === 'final'")
    assert lab.evaluate_in_kernel("w.session.current.ended") == "'arrived'"


def test_no_step_begins_after_stop_was_seen_and_undo_goes_back(lab: Lab, opened) -> None:
    page = opened(SHOW_SLOW)
    wait_for(page, "root.dataset.frameKind === 'final'")
    start = colours(page)
    draw_arrow(page, (63, 63), (110, 63))
    click(page, "start")
    wait_for(page, "root.dataset.status === 'running' && +root.dataset.step > 300")
    click(page, "start")  # the same button stops
    wait_for(page, "root.dataset.status === 'idle'")
    steps = lab.evaluate_in_kernel("len(w.session.record)")
    wait_for(page, "root.dataset.frameKind === 'final'")
    assert lab.evaluate_in_kernel("len(w.session.record)") == steps
    assert lab.evaluate_in_kernel("w.session.status") == "'idle'"
    assert colours(page) != start
    click(page, "undo")
    wait_for(page, "root.dataset.step === '0' && root.dataset.frameKind === 'final'")
    assert colours(page) == start
    assert page.locator("g.draggan-point").count() == 1
    assert lab.evaluate_in_kernel("w.session.ws.equal(G.ws_from_seed(0, 0.7))") == "True"


def test_a_target_moved_while_it_runs_is_followed(lab: Lab, opened) -> None:
    page = opened(SHOW_SLOW)
    draw_arrow(page, (63, 63), (110, 63))
    click(page, "start")
    wait_for(page, "root.dataset.status === 'running' && +root.dataset.step > 3")
    draw_arrow(page, (110, 63), (63, 110))
    wait_for(page, "+root.dataset.revision >= 2")
    assert lab.evaluate_in_kernel("[round(v) for v in w.session.edit.targets[0]]") == "[63, 110]"
    assert lab.evaluate_in_kernel("w.session.status") == "'running'"
    click(page, "start")
    wait_for(page, "root.dataset.status === 'idle'")


def test_buttons_delete_reset_step_and_seed(lab: Lab, opened) -> None:
    page = opened(SHOW)
    draw_arrow(page, (40, 40), (60, 40))
    draw_arrow(page, (80, 80), (80, 60))
    wait_for(page, "document.querySelectorAll('g.draggan-point').length === 2 && root.dataset.revision === '2'")
    click(page, "delete")
    wait_for(page, "document.querySelectorAll('g.draggan-point').length === 1 && root.dataset.revision === '3'")
    assert lab.evaluate_in_kernel("[round(v) for v in w.session.edit.handles[0]]") == "[40, 40]"
    click(page, "step")
    wait_for(page, "root.dataset.step === '1' && root.dataset.status === 'idle'")
    assert lab.evaluate_in_kernel("len(w.session.record)") == "2"
    click(page, "reset")
    wait_for(page, "root.dataset.step === '0'")
    assert lab.evaluate_in_kernel("len(w.session.record), len(w.session.edit)") == "(0, 1)"
    click(page, "clear")
    wait_for(page, "document.querySelectorAll('g.draggan-point').length === 0")
    seed = int(lab.evaluate_in_kernel("w.session.seed"))
    frame = attribute(page, "frame-seq")
    click(page, "seed")
    wait_for(page, f"+root.dataset.frameSeq > {frame} && root.dataset.frameKind === 'final'")
    assert int(lab.evaluate_in_kernel("w.session.seed")) != seed


def test_what_goes_wrong_is_said_in_the_widget(lab: Lab, opened) -> None:
    page = opened(SHOW)
    lab.evaluate_in_kernel("w.session.on_step(lambda step: 1 / 0)")
    draw_arrow(page, (63, 63), (90, 63))
    click(page, "start")
    page.locator(".draggan-error", has_text="division by zero").wait_for()
    wait_for(page, "root.dataset.status === 'idle'")
    assert lab.evaluate_in_kernel("type(w.last_error).__name__") == "'ZeroDivisionError'"


def test_running_the_cell_again_leaves_one_worker_and_close_none(lab: Lab, opened) -> None:
    page = opened(SHOW_SLOW)
    draw_arrow(page, (63, 63), (110, 63))
    click(page, "start")
    wait_for(page, "root.dataset.status === 'running' && +root.dataset.step > 3")
    lab.run_cell(1)
    wait_for_picture(page)
    assert lab.evaluate_in_kernel("workers(), w.session.status") == "(1, 'idle')"
    assert lab.evaluate_in_kernel("w.close() or workers()") == "0"


def test_a_lost_kernel_is_said(lab: Lab, opened) -> None:
    page = opened(SHOW)
    lab.restart_kernel()
    page.locator(".draggan", has_text="kernel").wait_for()
