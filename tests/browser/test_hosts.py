"""The matrix of notebook hosts: what a person does first, in one host. `make test-hosts` runs it in each of them."""

import base64
import io

import pytest
from browser.lab import Lab
from browser.test_keys import (
    INSPECTOR,
    REPLAY,
    SLIDER,
    VIEWS,
    WIDGET,
    notebook,
    show_views,
    view,
)
from browser.test_widget import SHOW_SLOW, click, colours, draw_arrow, open_widget, wait_for, wait_for_words
from nbformat import NotebookNode
from PIL import Image

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

STOPPED = "root.dataset.status === 'idle' && root.dataset.frameKind === 'final'"
# Whether the middle of each board is painted.
PAINTED = """[...document.querySelectorAll("canvas.draggan-board")].every(
    canvas => canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[3] === 255)"""
RUNS = "root.dataset.status === 'running'"
TALL = (1200, 1900)  # css px of the page: both views of a widget are in sight


def pictures(outputs: list[NotebookNode]) -> list[bytes]:
    """The images among the outputs of a cell, as files."""
    found = [data[kind] for output in outputs for data in [output.get("data", {})] for kind in data if "image/" in kind]
    return [base64.b64decode(text) for text in found]


def test_an_arrow_is_dragged_stopped_and_undone_and_the_line_says_what_is_next(lab: Lab) -> None:
    page = open_widget(lab, TALL, SHOW_SLOW)
    wait_for(page, STOPPED)
    before = colours(page)
    draw_arrow(page, (63, 63), (110, 63))
    wait_for_words(page, "1 point: press Start.")
    click(page, "start")
    wait_for(page, f"{RUNS} && +root.dataset.step > 300")
    click(page, "start")  # the same button stops
    wait_for(page, STOPPED)
    wait_for_words(page, "Stopped. Start resumes the drag. · step ")
    assert colours(page) != before
    click(page, "undo")
    wait_for(page, f"root.dataset.step === '0' && {STOPPED}")
    wait_for_words(page, "1 point: press Start.")
    assert colours(page) == before
    assert page.locator(".draggan [data-action=reset]").get_attribute("aria-disabled") == "true"
    click(page, "redo")
    wait_for_words(page, "step ")


def test_a_painted_mask_reaches_the_kernel(lab: Lab) -> None:
    page = open_widget(lab, TALL, SHOW_SLOW)
    click(page, "mask")
    wait_for_words(page, "Paint what may move;")
    draw_arrow(page, (40, 63), (90, 63))
    wait_for(page, "root.dataset.mask === 'true' && root.dataset.revision === '1'")
    mask = "w.session.edit.mask"
    assert lab.evaluate_in_kernel(f"bool({mask}[63, 64]), bool({mask}[10, 10])") == "(True, False)"


def test_a_page_loaded_again_shows_the_same_also_while_a_drag_runs(lab: Lab) -> None:
    page = open_widget(lab, TALL, SHOW_SLOW)
    draw_arrow(page, (63, 63), (110, 63))
    wait_for(page, "root.dataset.revision === '1'")
    lab.save()
    lab.reload()
    wait_for(page, f"{STOPPED} && document.querySelectorAll('g.draggan-point').length === 1")
    wait_for_words(page, "1 point: press Start.")
    click(page, "start")
    wait_for(page, f"{RUNS} && +root.dataset.step > 3")
    lab.reload()
    wait_for(page, f"{RUNS} && +root.dataset.step > 3 && document.querySelectorAll('g.draggan-point').length === 1")
    click(page, "start")
    wait_for(page, STOPPED)
    assert page.locator(".draggan").count() == 1
    assert lab.evaluate_in_kernel("w.session.status, workers()") == "('idle', 1)"


def test_a_cell_run_again_ends_its_widget_and_a_second_view_says_where_the_new_one_is(lab: Lab) -> None:
    page = open_widget(lab, TALL, SHOW_SLOW)
    draw_arrow(page, (63, 63), (110, 63))
    click(page, "start")
    wait_for(page, RUNS)
    lab.run_cell(2)
    wait_for(page, "document.querySelectorAll('.draggan[data-status=running]').length === 2")
    lab.run_cell(1)
    words = "This widget was closed, because its cell ran again: the new widget is in the output of cell [4]."
    closed = page.locator(".draggan[data-link=closed]", has_text=words)
    closed.wait_for()
    assert closed.is_visible()
    drawn = "canvas => canvas.getContext('2d').getImageData(64, 64, 1, 1).data[3]"
    assert closed.locator("canvas.draggan-picture").evaluate(drawn) == 255
    assert lab.evaluate_in_kernel("workers(), w.session.status") == "(1, 'idle')"
    lab.run_cell(2)  # the second view shows the new widget
    wait_for(page, "document.querySelectorAll('.draggan[data-link=live]').length === 2")
    assert page.locator(".draggan").count() == 2


def test_no_key_typed_in_a_view_reaches_the_notebook_and_the_boards_answer_also_after_a_reload(lab: Lab) -> None:
    page = show_views(lab)
    before = notebook(page, lab.host)
    for cell, selector, words in (
        (WIDGET, "svg.draggan-overlay", "Start needs a point"),
        (REPLAY, SLIDER, "Step 1 of 8"),
        (INSPECTOR, SLIDER, "Step 7 of 8"),
    ):
        place = view(page, cell).query_selector(f":is({selector}) >> visible=true")
        assert place is not None
        place.focus()
        for key in ("x", "d", "d", "ArrowRight" if cell == REPLAY else "ArrowLeft"):
            page.keyboard.press(key)
        page.locator(".draggan-status, .widget-html", has_text=words).first.wait_for()
    assert notebook(page, lab.host) == before
    lab.save()
    lab.reload()
    page.wait_for_function(f"() => document.querySelectorAll('canvas.draggan-board').length === 3 && {PAINTED}")
    slider = view(page, REPLAY).query_selector(f":is({SLIDER}) >> visible=true")
    assert slider is not None
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".widget-html", has_text="Step 2 of 8").wait_for()


def test_the_file_of_a_saved_notebook_holds_a_picture_of_each_view(lab: Lab) -> None:
    show_views(lab)
    saved = lab.save().cells
    bare = [saved[cell].source for cell in VIEWS if not pictures(saved[cell].outputs)]
    assert bare == []
    for cell in VIEWS:
        (picture,) = pictures(saved[cell].outputs)
        assert min(Image.open(io.BytesIO(picture)).size) >= 128


def test_at_640_x_500_start_is_in_sight_below_the_picture(lab: Lab) -> None:
    page = open_widget(lab, (640, 500), SHOW_SLOW)
    page.locator(".draggan-picture").evaluate("picture => picture.scrollIntoView()")
    box = page.locator(".draggan [data-action=start]").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 500
    assert page.locator(".draggan").evaluate("root => root.scrollWidth - root.clientWidth") == 0
