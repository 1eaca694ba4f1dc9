"""What a person needs who uses the keyboard, a screen reader or an unsteady hand, in JupyterLab."""

from pathlib import Path

import pytest
from browser.lab import Lab
from browser.test_keys import VIEWS, WIDGET, open_views, view

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

AXE = Path(__file__).resolve().parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
RUN_AXE = """async view => {
    const found = await axe.run(view, { rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] });
    return found.violations.flatMap(({ id, impact, nodes }) =>
        nodes.map(({ html, failureSummary }) => [impact, id, html.slice(0, 200), failureSummary].join(": ")));
}"""
HIT = 24  # css px, the least width and height of what is pressed (WCAG 2.2, 2.5.8)
# The visible elements on which a press of the pointer less than `hit` css px wide or high in all would act.
SMALL = """(view, hit) => {
    const near = (element, x, y) => {
        const found = document.elementFromPoint(x, y);
        return found !== null && (element.contains(found) || found.contains(element) && found.tagName === "LABEL");
    };
    const pressed = "button, input, select, .draggan-handle, .draggan-target, .noUi-handle";
    const shown = [...view.querySelectorAll(pressed)].filter(element => element.getClientRects().length > 0);
    const cross = [...view.querySelectorAll(".draggan-cross[data-shown=true]")];
    return [...shown, ...cross].flatMap(element => {
        const box = element.getBoundingClientRect();
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        const reach = hit / 2 - 0.5;
        const edges = [[-reach, 0], [reach, 0], [0, -reach], [0, reach]];
        const all = edges.every(([dx, dy]) => near(element, x + dx, y + dy));
        return all ? [] : [`${element.outerHTML.slice(0, 120)} is ${box.width} x ${box.height}`];
    });
}"""


def test_axe_finds_nothing_and_what_is_pressed_is_large_enough(lab: Lab) -> None:
    if not AXE.is_file():
        pytest.fail(f"{AXE} is missing; run `npm ci` in js/")
    page = open_views(lab)
    page.add_script_tag(path=AXE)
    found = [(cell, words) for cell in VIEWS for words in view(page, cell).evaluate(RUN_AXE)]
    assert found == [], "\n".join(words for _, words in found)
    small = [(cell, words) for cell in VIEWS for words in view(page, cell).evaluate(SMALL, HIT)]
    assert small == [], "\n".join(words for _, words in small)


def test_tab_goes_from_each_handle_to_its_target(lab: Lab) -> None:
    page = open_views(lab)
    view(page, WIDGET).query_selector_all(".draggan-handle")[0].focus()
    names = []
    for _ in range(4):
        names.append(page.evaluate("() => document.activeElement.getAttribute('aria-label').split(' at ')[0]"))
        page.keyboard.press("Tab")
    assert names == ["Handle 1", "Target 1", "Handle 2", "Target 2"]
    assert page.evaluate("() => document.activeElement.tagName") == "BUTTON"
