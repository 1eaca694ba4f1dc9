"""The map over the widget's picture, in a real JupyterLab."""

import json

import pytest
from browser.lab import Lab
from browser.test_widget import SETUP, SHOW_SLOW, TIMEOUT, click, draw_arrow, wait_for, wait_for_picture
from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

MAP = "root.querySelector('canvas.draggan-map')"
EXPECTED = """
from draggan_widget.inspection import similarity
from draggan_widget.widget.views import heat
step, block = w.session.current, w.session.config.block
print(heat(similarity(step.features(block), step.handles[-1], (128, 128))).tolist())
"""
FAR = """cells => {
    const context = document.querySelector("canvas.draggan-map").getContext("2d");
    const scale = 128 / cells.length;
    let far = 0;
    cells.forEach((row, y) => row.forEach((cell, x) => {
        const drawn = context.getImageData((x + 0.5) * scale, (y + 0.5) * scale, 1, 1).data;
        far += cell.reduce((sum, part, c) => sum + Math.abs(part - drawn[c]), 0) / 3;
    }));
    return far / cells.length ** 2;
}"""
COLOUR = f"""() => {{
    const root = document.querySelector(".draggan"), map = root && {MAP};
    if (!map || map.hidden) return "";
    return [...map.getContext("2d").getImageData(64, 64, 1, 1).data] + " " + map.style.opacity;
}}"""


def far_from_expected(lab: Lab, page: Page) -> float:
    """Mean distance in grey levels between the map on the page and that of the kernel, at the middles of its cells."""
    return page.evaluate(FAR, json.loads(lab.evaluate_in_kernel(EXPECTED)))


def test_a_map_lies_over_the_picture_at_rest_and_comes_back_after_a_reload(lab: Lab) -> None:
    page = lab.open([SETUP, SHOW_SLOW])
    page.set_default_timeout(TIMEOUT)
    lab.run_cell(0)
    lab.run_cell(1)
    wait_for_picture(page)
    draw_arrow(page, (40, 50), (90, 63))
    wait_for(page, "root.dataset.revision === '1'")
    click(page, "settings")
    page.locator(".draggan [data-field=overlay]").select_option("similarity")
    wait_for(page, f"!{MAP}.hidden")
    assert far_from_expected(lab, page) < 6  # smoothly enlarged four times
    click(page, "start")
    wait_for(page, f"+root.dataset.step > 3 && {MAP}.hidden")
    click(page, "start")
    wait_for(page, f"root.dataset.status === 'idle' && !{MAP}.hidden")
    assert far_from_expected(lab, page) < 6
    lab.evaluate_in_kernel("import numpy as np; w.show_overlay(np.full((4, 4, 3), [250, 20, 90], np.uint8), 0.25)")
    page.wait_for_function(f"() => ({COLOUR})() === '250,20,90,255 0.25'")
    assert page.locator(".draggan [data-field=overlay]").input_value() == "given"
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.locator(".lm-TabBar-tab.jp-mod-dirty, .jp-mod-dirty").first.wait_for(state="detached")
    lab.reload()
    page.wait_for_function(f"() => ({COLOUR})() === '250,20,90,255 0.25'")
    page.locator(".draggan [data-action=settings]").click()
    page.locator(".draggan [data-field=overlay]").select_option("none")
    wait_for(page, f"{MAP}.hidden")
