"""`TrajectoryReplay` and `FeatureInspector` in a real JupyterLab: one notebook for both, since a page costs seconds."""

import base64
import io
import json

import numpy as np
import pytest
from browser.lab import Lab
from browser.test_widget import TIMEOUT
from PIL import Image
from playwright.sync_api import Page

pytestmark = pytest.mark.slow  # a kernel or a browser of its own

SETUP = """
import numpy as np, torch; torch.set_num_threads(1)
from draggan_widget import DragSession, Edit, FeatureInspector, TrajectoryReplay
from draggan_widget.inspection.feature_maps import FeatureColours, channels_by_variance, similarity
from draggan_widget.session.session import controller_of
from draggan_widget.widget.views import heat
s = DragSession("heads", seed=3)
s.edit = Edit(((63.0, 70.0),), ((75.0, 70.0),))
s.step(8)
block = s.config.block
def cells(pixels):
    "The middle row and the middle column of a picture or map, as a list."
    middle = pixels.shape[0] // 2
    print([pixels[middle].tolist(), pixels[:, middle].tolist()])
"""
BOARDS = ("replay", "picture", "map")  # in their order on the page
SIDE = 1024  # px of a board's canvas


def board(page: Page, name: str) -> np.ndarray:
    """What is painted on a board, (height, width, 4)."""
    url = page.locator("canvas.draggan-board").nth(BOARDS.index(name)).evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGBA"))


def wait_until_shown(lab: Lab, name: str, pixels: str, ready: str = "") -> None:
    """Wait until a board shows what an expression gives in the kernel, pixel by pixel where no mark lies."""
    expected = json.loads(lab.evaluate_in_kernel(f"{ready}\ncells({pixels})"))
    lab.page.wait_for_function(
        """([index, lines, side]) => {
            const canvas = document.querySelectorAll("canvas.draggan-board")[index];
            if (!canvas) return false;
            const context = canvas.getContext("2d", { willReadFrequently: true });
            const scale = side / lines[0].length;
            let same = 0;
            lines.forEach((line, down) => line.forEach((colour, i) => {
                const along = Math.floor((i + 0.5) * scale);
                const middle = Math.floor(((line.length / 2 | 0) + 0.5) * scale);
                const [x, y] = down ? [middle, along] : [along, middle];
                const drawn = context.getImageData(x, y, 1, 1).data;
                same += colour.every((part, c) => part === drawn[c]) && drawn[3] === 255 ? 1 : 0;
            }));
            window.drag_same = same / (2 * lines[0].length);
            return window.drag_same > 0.75;
        }""",
        arg=[BOARDS.index(name), expected, SIDE],
    )


def choose(page: Page, name: str, option: str) -> None:
    """Choose from one of the inspector's menus."""
    page.locator(".widget-dropdown", has_text=name).locator("select").select_option(label=option)


def over(page: Page, name: str, x: float, y: float) -> tuple[float, float]:
    """Where on the page a pixel of the 128-px picture is."""
    canvas = page.locator("canvas.draggan-board").nth(BOARDS.index(name))
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    return box["x"] + (x + 0.5) * box["width"] / 128, box["y"] + (y + 0.5) * box["height"] / 128


def words(page: Page, text: str) -> None:
    page.locator(".widget-html", has_text=text).first.wait_for()


def test_replay_and_inspector_show_play_and_come_back_after_a_reload(lab: Lab) -> None:
    page = lab.open([SETUP, "t = TrajectoryReplay(s.record)\nt", "f = FeatureInspector(s)\nf"], viewport=(1300, 1700))
    page.set_default_timeout(TIMEOUT)
    for cell in range(3):
        lab.run_cell(cell)
    see_the_replay(lab, page)
    look_into_the_maps(lab, page)
    load_the_page_again(lab, page)


def see_the_replay(lab: Lab, page: Page) -> None:
    """It opens at the start; the slider goes to a step; the play button goes to the end."""
    wait_until_shown(lab, "replay", "s.record[0].pixels()")
    words(page, "Step 0 of 8 · handle 1: 12.0 px left")
    page.locator(".noUi-handle, .ui-slider-handle").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    words(page, "Step 3 of 8")
    wait_until_shown(lab, "replay", "s.record[3].pixels()")
    page.locator(".jupyter-widget-play button, .widget-play button").first.click()
    words(page, "Step 8 of 8")
    wait_until_shown(lab, "replay", "s.record[8].pixels()")
    assert lab.evaluate_in_kernel("t.slider.value") == "8"


def look_into_the_maps(lab: Lab, page: Page) -> None:
    """Views, block and channel are chosen; a pointer shows the vector, a click the similarity; it follows the drag."""
    start = "features = s.current.features(block)"
    wait_until_shown(lab, "picture", "s.current.pixels()")
    wait_until_shown(lab, "map", "FeatureColours.fit(s.record[0], block).of(features)", start)
    choose(page, "Block", "2: 32 x 32")
    choose(page, "View", "One channel")
    lab.evaluate_in_kernel("f.rank.value = 2")
    channel = "features = s.current.features(2); k = channels_by_variance(features)[1]"
    wait_until_shown(lab, "map", "heat(features.whole[k].numpy())", channel)
    page.mouse.move(*over(page, "map", 20, 90))
    page.mouse.move(*over(page, "map", 30, 100))
    words(page, "(30, 100), block 2: length ")
    page.mouse.click(*over(page, "map", 90, 30))
    words(page, "cosine similarity to the pixel (90, 30)")
    wait_until_shown(lab, "map", "heat(similarity(s.current.features(2), (90.0, 30.0), (128, 128)))")
    lab.evaluate_in_kernel("s.step(2)")
    words(page, "Step 10 of 10")
    wait_until_shown(lab, "picture", "s.current.pixels()")
    lab.evaluate_in_kernel("f.step.value = 4")
    words(page, "Step 4 of 10")
    wait_until_shown(lab, "picture", "s.record[4].pixels()")


def load_the_page_again(lab: Lab, page: Page) -> None:
    """The same three pictures come back; after `close` they are gone, and nobody listens to the session."""
    before = [board(page, name) for name in BOARDS]
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.locator(".jp-Document .jp-mod-dirty, .lm-TabBar-tab.jp-mod-dirty").first.wait_for(state="detached")
    lab.reload()
    wait_until_shown(lab, "replay", "s.record[8].pixels()")
    wait_until_shown(lab, "picture", "s.record[4].pixels()")
    wait_until_shown(lab, "map", "heat(similarity(s.record[4].features(2), (90.0, 30.0), (128, 128)))")
    for name, drawn in zip(BOARDS, before, strict=True):
        assert np.array_equal(board(page, name), drawn), name
    assert lab.evaluate_in_kernel("t.close(); f.close(); len(controller_of(s).listeners)") == "0"


def test_the_inspector_is_readable_in_a_narrow_cell(lab: Lab) -> None:
    page = lab.open([SETUP, "f = FeatureInspector(s)\nf"], viewport=(420, 1300))
    page.set_default_timeout(TIMEOUT)
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    lab.run_cell(0)
    lab.run_cell(1)
    words(page, "Step 8 of 8")
    boxes = [page.locator("canvas.draggan-board").nth(number).bounding_box() for number in (0, 1)]
    cell = page.locator(".jp-OutputArea-output", has=page.locator("canvas.draggan-board")).bounding_box()
    slider = page.locator(".widget-slider", has_text="Step").bounding_box()
    assert cell is not None
    assert slider is not None
    assert slider["x"] + slider["width"] <= cell["x"] + cell["width"] + 1
    for box in boxes:
        assert box is not None
        assert box["width"] >= 260
        assert abs(box["width"] - box["height"]) <= 1
        assert box["x"] + box["width"] <= cell["x"] + cell["width"] + 1


@pytest.mark.parametrize("made", ["TrajectoryReplay(s.record)", "FeatureInspector(s)"])
def test_a_second_view_of_a_board_keeps_its_picture_and_says_where_the_new_one_is(lab: Lab, made: str) -> None:
    page = lab.open([SETUP, f"b = {made}\nb", "b"], viewport=(1300, 2400))
    page.set_default_timeout(TIMEOUT)
    for cell in range(3):
        lab.run_cell(cell)
    boards = 2 if "Replay" in made else 4
    page.wait_for_function(
        """count => {
            const all = [...document.querySelectorAll("canvas.draggan-board")];
            const middle = canvas => canvas.getContext("2d").getImageData(512, 512, 1, 1).data[3];
            return all.length === count && all.every(canvas => middle(canvas) === 255);
        }""",
        arg=boards,
    )
    second = page.locator("canvas.draggan-board").nth(boards - 1)
    before = second.evaluate("canvas => canvas.toDataURL()")
    lab.run_cell(1)
    last = page.locator(
        ".draggan-box-last",
        has_text="This widget was closed, because its cell ran again: the new widget is in the output of cell [4].",
    )
    last.wait_for()
    assert last.count() == 1
    kept = last.locator("img").last
    assert kept.is_visible()
    assert kept.get_attribute("src") == before
    lab.run_cell(2)  # the second view shows the new board
    page.wait_for_function("count => document.querySelectorAll('canvas.draggan-board').length === count", arg=boards)
    last.wait_for(state="detached")
