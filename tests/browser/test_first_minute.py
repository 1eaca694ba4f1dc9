"""What a person sees in the first minute, and once the cell of a widget ran again, in a real JupyterLab."""

import io

import numpy as np
import pytest
from browser.lab import Lab
from browser.test_widget import (
    SETUP,
    SHOW,
    TIMEOUT,
    click,
    draw_arrow,
    open_widget,
    wait_for,
    wait_for_picture,
    wait_for_words,
)
from PIL import Image

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

GUIDE = ".draggan-guide"
NO_POINTS = (
    "Start needs a point: drag from where a handle is to where it should go, or click the one and then the other."
)


def test_a_first_picture_shows_how_to_begin_and_the_line_follows_what_is_shown(lab: Lab) -> None:
    page = open_widget(lab)
    assert page.locator(GUIDE).is_visible()
    assert page.locator(GUIDE).inner_text() == "Press here, pull, let go, then Start"
    start = page.locator(".draggan [data-action=start]")
    assert (start.is_disabled(), start.get_attribute("title")) == (True, NO_POINTS)
    assert page.locator(".draggan [data-action=reset]").is_disabled()
    page.locator(".draggan [data-field=seed]").fill("-1")
    page.locator(".draggan [data-field=seed]").press("Enter")
    wait_for_words(page, "Seed is -1; expected a whole number from 0 to 4294967295. Nothing was changed.")
    draw_arrow(page, (63, 63), (90, 63))
    wait_for_words(page, "1 point: press Start.")
    assert page.locator(GUIDE).is_hidden()
    click(page, "start")
    wait_for_words(page, "Every point has reached its target. · step")
    click(page, "undo")
    wait_for_words(page, "1 point: press Start.")
    assert page.locator(".draggan [data-action=reset]").is_disabled()
    click(page, "redo")
    wait_for_words(page, "Every point has reached its target. · step")
    click(page, "seed")
    wait_for_words(page, NO_POINTS)
    lab.run_cell(1)  # a new widget in the same notebook
    wait_for(page, f"root.querySelector('.draggan-status').textContent === {NO_POINTS!r}")
    assert page.locator(GUIDE).is_hidden()


# The elements of a view that take the focus, by their classes.
FOCUSABLE = """root => [root, ...root.querySelectorAll("*")].filter(element => {
    element.focus?.();
    return document.activeElement === element;
}).map(element => element.getAttribute("class"))"""


def test_a_second_view_keeps_its_picture_and_says_where_the_new_widget_is(lab: Lab) -> None:
    page = open_widget(lab, (1200, 1900))
    lab.run_cell(2)
    second = page.locator(".draggan").nth(1)
    page.wait_for_function("document.querySelectorAll('.draggan[data-frame-kind=final]').length === 2")
    before = second.locator("canvas.draggan-picture").evaluate("canvas => canvas.toDataURL()")
    lab.run_cell(1)
    words = "This widget was closed, because its cell ran again: the new widget is in the output of cell [4]."
    closed = page.locator(".draggan[data-link=closed]", has_text=words)
    closed.wait_for()
    assert closed.is_visible()
    assert closed.locator("canvas.draggan-picture").evaluate("canvas => canvas.toDataURL()") == before
    assert closed.locator(".draggan-toolbar button:not([aria-disabled=true])").count() == 0
    assert closed.evaluate(FOCUSABLE) == []  # a key typed there would be the notebook's
    lab.run_cell(2)  # the second view shows the new widget
    page.wait_for_function("document.querySelectorAll('.draggan[data-link=live]').length === 2")
    assert page.locator(".draggan").count() == 2


@pytest.mark.parametrize(
    ("viewport", "named"), [((1100, 900), True), ((800, 900), True), ((640, 500), False), ((420, 700), False)]
)
def test_start_stays_in_sight_and_the_buttons_are_named_where_there_is_room(
    lab: Lab, viewport: tuple[int, int], named: bool
) -> None:
    page = lab.open([SETUP, SHOW], viewport=viewport)
    page.set_default_timeout(TIMEOUT)
    if viewport[0] < 1000:
        page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    lab.run_cell(0)
    lab.run_cell(1)
    wait_for_picture(page)
    page.locator(".draggan-picture").evaluate("picture => picture.scrollIntoView()")
    box = page.locator(".draggan [data-action=start]").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= viewport[1] - 30  # the bar at the bottom of JupyterLab
    assert page.locator(".draggan [data-action=undo] .draggan-label").is_visible() == named
    tops = page.locator(".draggan-toolbar .draggan-button").evaluate_all(
        "buttons => buttons.map(button => Math.round(button.getBoundingClientRect().top))"
    )
    assert tops[-2] == tops[-1]  # Settings is not alone in its row
    over = page.locator(".draggan").evaluate("root => root.scrollWidth - root.clientWidth")
    assert over == 0


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_track_of_the_truncation_follows_the_theme(lab: Lab, theme: str) -> None:
    page = open_widget(lab)
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.locator(f"body[data-jp-theme-name='{theme}']").wait_for(state="attached")
    slider = page.locator(".draggan [data-field=truncation]")
    page.mouse.move(0, 0)
    picture = np.asarray(Image.open(io.BytesIO(slider.screenshot())).convert("L")).astype(int)
    middle = picture[picture.shape[0] // 2]
    ground, track = picture[2, -8], middle[-8]  # at the right end: the thumb is farther left
    assert ground > 200 if theme == "JupyterLab Light" else ground < 60
    assert 30 <= abs(track - ground) <= 110  # to be seen, and nearer to the ground than the ink is
