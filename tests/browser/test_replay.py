"""The replay page as its reader meets it: opened from a folder in Chromium, without a server and without a network."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser.lab import Lab
from export.records import walk
from playwright.sync_api import Page, Request

from draggan_widget.engine.record import DragRecord
from draggan_widget.export.html import to_html

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

HOSTILE = "</script><img src=x onerror=window.harmed=1><script>window.harmed=1</script>"
Opener = Callable[[DragRecord], Page]


@pytest.fixture
def asked() -> list[str]:
    """Every address that the page asked for."""
    return []


@pytest.fixture
def opened(running_lab: Lab, tmp_path: Path, asked: list[str]):
    context = running_lab.new_context(viewport=(800, 1000))
    page = context.new_page()
    page.set_default_timeout(30_000)

    def note(request: Request) -> None:
        if not request.url.startswith("data:"):
            asked.append(request.url)

    page.on("request", note)

    def open_page(record: DragRecord) -> Page:
        page.goto(to_html(record, tmp_path / "drag.html").as_uri())
        wait_for_step(page, len(record) - 1)
        return page

    yield open_page
    context.close()


def wait_for_step(page: Page, step: int) -> None:
    page.locator(f"html[data-step='{step}']").wait_for()  # wait_for_function wants eval, which the page forbids


def shown(page: Page) -> str:
    return page.locator("#picture").get_attribute("src") or ""


def test_it_opens_from_a_folder_at_the_last_step_and_asks_for_nothing_else(opened: Opener, asked: list[str]) -> None:
    page = opened(walk(5))
    assert page.locator("#position").text_content() == "step 4 of 4"
    assert page.evaluate("document.querySelector('#picture').naturalWidth") == 64
    assert [url.partition(":")[0] for url in asked] == ["file"]


def test_slider_arrows_home_and_end_scrub_picture_points_and_plot(opened: Opener) -> None:
    page = opened(walk(5))
    pictures = {4: shown(page)}
    cursor = page.locator("#plot .now")
    for key, step in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 4)):
        page.keyboard.press(key)
        wait_for_step(page, step)
        assert pictures.setdefault(step, shown(page)) == shown(page)
        assert cursor.get_attribute("x1") == str(250 * step)
        handle = page.locator("#points .handle").last.get_attribute("d")
        assert handle == f"M{20 + 3 * step} 24L{20 + 3 * step} 24"
    assert len(set(pictures.values())) == len(pictures) == 4
    page.locator("#slider").fill("3")
    wait_for_step(page, 3)
    assert "px left" in (page.locator("#slider").get_attribute("aria-valuetext") or "")


def test_a_handle_lies_on_its_pixel_at_any_width(opened: Opener) -> None:
    page = opened(walk(1))
    for width in (400, 800, 1300):
        page.set_viewport_size({"width": width, "height": 1000})
        box, handle = page.locator("#picture").bounding_box(), page.locator("#points .handle").last.bounding_box()
        assert box is not None
        assert handle is not None
        assert abs(handle["x"] + handle["width"] / 2 - box["x"] - 20.5 * box["width"] / 64) < 1
        assert abs(handle["y"] + handle["height"] / 2 - box["y"] - 24.5 * box["height"] / 64) < 1
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_space_and_the_button_play_to_the_end_and_pause(opened: Opener) -> None:
    page = opened(walk(6))
    play = page.locator("#play")
    page.keyboard.press(" ")  # from the end: from the start on
    page.locator("html:is([data-step='1'], [data-step='2'], [data-step='3'], [data-step='4'])").wait_for()
    wait_for_step(page, 5)
    page.locator("#play[aria-label='Play']").wait_for()
    page.keyboard.press("Home")
    play.click()
    assert play.get_attribute("aria-label") == "Pause"
    play.press(" ")  # the button's own key, once and not twice
    assert play.get_attribute("aria-label") == "Play"


def test_the_plot_is_a_slider_too(opened: Opener) -> None:
    page = opened(walk(5))
    box = page.locator("#plot svg").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_for_step(page, 2)


def test_hostile_names_are_inert(opened: Opener) -> None:
    record = walk(2, label=HOSTILE, config={HOSTILE: HOSTILE})
    record.about["generator"] = HOSTILE
    page = opened(record)
    assert page.evaluate("window.harmed") is None
    assert page.locator("img").count() == 1
    assert HOSTILE in (page.locator("h1").text_content() or "")


def test_smuggled_markup_is_held_by_the_policy(opened: Opener, tmp_path: Path) -> None:
    page = opened(walk(2))
    refused: list[tuple[str, str | None]] = []
    page.on("requestfailed", lambda request: refused.append((request.url, request.failure)))
    text = (tmp_path / "drag.html").read_text("utf-8")
    smuggled = "<img src=x onerror='window.harmed=1'><script>window.harmed=1</script><img src=http://127.0.0.1:9/x>"
    (tmp_path / "bad.html").write_text(text.replace("<main>", f"<main>{smuggled}"), "utf-8")
    page.goto((tmp_path / "bad.html").as_uri())
    wait_for_step(page, 1)  # our own script runs all the same
    assert page.evaluate("window.harmed") is None
    assert ("http://127.0.0.1:9/x", "csp") in refused


def test_it_works_inside_a_closed_frame_as_in_a_notebook(running_lab: Lab) -> None:
    context = running_lab.new_context(viewport=(800, 1000))
    page = context.new_page()
    page.set_content(to_html(walk(3))._repr_html_())
    frame = page.frame_locator("iframe")
    frame.locator("html[data-step='2']").wait_for()
    frame.locator("#slider").fill("1")
    frame.locator("html[data-step='1']").wait_for()
    context.close()


def test_a_reader_without_scripts_sees_the_last_picture(running_lab: Lab, tmp_path: Path) -> None:
    context = running_lab.new_context(viewport=(800, 1000), javascript=False)
    page = context.new_page()
    page.goto(to_html(walk(3), tmp_path / "drag.html").as_uri())
    assert page.evaluate("document.querySelector('#picture').naturalWidth") == 64
    assert re.search("needs JavaScript", page.locator("body").inner_text())
    context.close()
