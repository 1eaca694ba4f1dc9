"""Where a pointer meets the picture: exact pixels, clicks, brushes, keys; the wheel stays the page's."""

import pytest
from browser.lab import Lab
from browser.test_widget import SETUP, SHOW, TIMEOUT, click, css, draw_arrow, wait_for, wait_for_picture
from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a kernel or a browser of its own


def opened(lab: Lab, scale: float = 1.0) -> Page:
    page = lab.open([SETUP, SHOW], device_scale_factor=scale)
    page.set_default_timeout(TIMEOUT)
    lab.run_cell(0)
    lab.run_cell(1)
    wait_for_picture(page)
    return page


def widen(page: Page, width: int) -> None:
    """Give the widget's cell another width, css px."""
    page.evaluate("width => { document.querySelector('.draggan').style.width = width + 'px' }", width)
    page.wait_for_function(
        "width => Math.abs(document.querySelector('.draggan').getBoundingClientRect().width - width) < 1", arg=width
    )


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_click_in_the_middle_of_a_pixel_is_that_pixel_exactly(lab: Lab, scale: float) -> None:
    page = opened(lab, scale)
    for revision, width in zip((1, 3, 5), (300, 512, 777), strict=True):
        widen(page, width)
        draw_arrow(page, (40, 60), (100, 21))
        wait_for(page, f"root.dataset.revision === '{revision}'")
        assert lab.evaluate_in_kernel("w.session.edit.handles, w.session.edit.targets") == (
            "(((40.0, 60.0),), ((100.0, 21.0),))"
        ), f"{width} css px wide"
        click(page, "clear")
        wait_for(page, f"root.dataset.revision === '{revision + 1}'")


def test_click_and_click_again_make_a_point_and_keys_undo_and_redo_it(lab: Lab) -> None:
    page = opened(lab)
    page.locator("svg.draggan-overlay").scroll_into_view_if_needed()
    page.mouse.click(*css(page, 50, 50))
    page.mouse.click(*css(page, 70, 40))
    wait_for(page, "root.dataset.revision === '1'")
    assert (
        lab.evaluate_in_kernel("w.session.edit.handles, w.session.edit.targets") == "(((50.0, 50.0),), ((70.0, 40.0),))"
    )
    page.keyboard.press("Control+z")
    wait_for(page, "root.dataset.revision === '2'")
    assert lab.evaluate_in_kernel("len(w.session.edit)") == "0"
    page.keyboard.press("Control+Shift+z")
    wait_for(page, "root.dataset.revision === '3'")
    assert lab.evaluate_in_kernel("len(w.session.edit)") == "1"
    page.keyboard.press(" ")
    wait_for(page, "root.dataset.status === 'idle' && +root.dataset.step > 3")
    assert lab.evaluate_in_kernel("w.session.current.ended") == "'arrived'"


def test_a_brushed_mask_reaches_the_kernel_and_is_cleared(lab: Lab) -> None:
    page = opened(lab)
    click(page, "mask")
    draw_arrow(page, (30, 64), (90, 64))
    wait_for(page, "root.dataset.revision === '1'")
    told = "m = w.session.edit.mask; print(m.shape, bool(m[64, 60]), bool(m[5, 60]), bool(m[120, 5]))"
    assert lab.evaluate_in_kernel(told).strip() == "(128, 128) True False False"
    click(page, "clear-mask")
    wait_for(page, "root.dataset.revision === '2'")
    assert lab.evaluate_in_kernel("w.session.edit.mask is None") == "True"


def test_the_seed_box_the_truncation_and_the_preset_reach_the_kernel(lab: Lab) -> None:
    page = opened(lab)
    page.locator(".draggan [data-field=seed]").fill("41")
    page.locator(".draggan [data-field=seed]").press("Enter")
    wait_for(page, "root.querySelector('[data-field=seed]').value === '41' && root.dataset.revision === '1'")
    click(page, "next-seed")
    wait_for(page, "root.querySelector('[data-field=seed]').value === '42' && root.dataset.revision === '2'")
    assert lab.evaluate_in_kernel("w.session.seed") == "42"
    page.locator(".draggan [data-action=settings]").click()
    page.locator(".draggan [data-field=preset]").select_option("official")
    page.wait_for_function("() => document.querySelector('.draggan [data-field=max-steps]').value === '1000000'")
    assert lab.evaluate_in_kernel("w.session.config.preset") == "'official'"


def test_the_wheel_scrolls_the_page_over_the_picture(lab: Lab) -> None:
    page = opened(lab)
    page.locator("svg.draggan-overlay").scroll_into_view_if_needed()
    page.evaluate("() => addEventListener('wheel', event => { window.kept = event.defaultPrevented })")
    page.mouse.move(*css(page, 64, 64))
    page.mouse.wheel(0, 120)
    page.wait_for_function("() => window.kept !== undefined")
    assert page.evaluate("window.kept") is False
