"""Take the screenshots of docs/widget.md, docs/inspector.md and the README, in JupyterLab's light and dark themes."""

import io
import re
import sys
from pathlib import Path

from PIL import Image, ImageColor
from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser.lab import Lab  # noqa: E402  (found through the line above)

FOLDER = ROOT / "docs" / "images"
LIMIT = 200_000  # bytes: largest screenshot
CELL = 'from draggan_widget import DragWidget\n\nw = DragWidget("mobilestylegan-ffhq", seed=35)\nw'
HEADS = """\
from draggan_widget import DragWidget, Edit, FeatureInspector, TrajectoryReplay

w = DragWidget(seed=3)
s = w.session
s.edit = Edit([(63, 70)], [(75, 70)])
record = s.run()
w"""
BOARDS = ("TrajectoryReplay(record)", "f = FeatureInspector(s)\nf.view.value = 'cosine'\nf")
WIDTH = 520  # css px: width of the widget
SIDE = 1024  # px: side of the generated picture
PICTURE_TIMEOUT = 600_000.0  # ms; the first run downloads the weights

# (x, y) in px of the generated picture.
NOSE, MOUTH, CHIN = ((512, 622), (600, 622)), ((414, 765), (370, 735)), ((540, 905), (540, 960))
STROKES = (((330, 560), (690, 560)), ((340, 690), (680, 690)), ((380, 810), (640, 810)))
BRUSH_AT = (640, 810)

MARKS = ("#e69f00", "#56b4e9", "#009e73", "#1976d2", "#2196f3", "#ffffff", "#000000")  # points, accents, ink

ROOT_IS = "() => {{ const root = document.querySelector('.draggan'); return root && ({}); }}"
NARROW = f"() => {{ document.querySelector('.draggan').style.width = '{WIDTH}px'; }}"
THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"


def main() -> None:
    """Use the widget step by step, and take screenshots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Lab() as lab:
        page = lab.open([CELL], viewport=(1200, 1000))
        page.set_default_timeout(PICTURE_TIMEOUT)
        lab.run_cell(0, timeout=PICTURE_TIMEOUT / 1000)
        page.evaluate(NARROW)
        wait(page, "root.dataset.frameKind === 'final'")
        set_points(page)
        in_both_themes(page, "points", ".draggan")
        page.locator(".draggan [data-action=settings]").click()
        take(page, "settings", ".draggan-panel")
        page.locator(".draggan [data-action=settings]").click()
        run(page)
        paint_mask(page)
        in_both_themes(page, "mask", ".draggan")
        take_boards(lab)


def take_boards(lab: Lab) -> None:
    """Take screenshots of the widget's overlay, the replay and the inspector, with the bundled heads."""
    page = lab.open([HEADS, *BOARDS], viewport=(1200, 2000))
    page.set_default_timeout(PICTURE_TIMEOUT)
    for cell in range(1 + len(BOARDS)):
        lab.run_cell(cell)
    page.evaluate(NARROW)
    page.locator(".draggan [data-action=settings]").click()
    page.locator(".draggan [data-field=overlay]").select_option("colours")
    wait(page, "!root.querySelector('.draggan-map').hidden && root.dataset.frameKind === 'final'")
    take(page, "overlay", ".draggan")
    boards = page.locator(".jp-OutputArea-output:has(.draggan-board)")
    page.locator(".noUi-handle").first.focus()
    page.keyboard.press("End")
    page.locator(".widget-html", has_text=re.compile(r"Step (\d+) of \1 ")).first.wait_for()
    boards.nth(0).evaluate(f"output => {{ output.style.flex = '0 0 {WIDTH}px'; }}")
    save_screenshot(boards.nth(0), "inspector-replay")
    boards.nth(1).scroll_into_view_if_needed()
    cheek = boards.nth(1).locator("canvas").first.bounding_box()
    assert cheek is not None, "the inspector is not on the page"
    page.mouse.click(cheek["x"] + cheek["width"] * 0.42, cheek["y"] + cheek["height"] * 0.6)
    page.locator(".draggan-vector").wait_for()
    page.locator(".widget-html", has_text="cosine similarity").wait_for()
    for theme, light, name in (("Light", "true", ""), ("Dark", "false", "-dark")):
        change_theme(page, f"JupyterLab {theme}", light)
        save_screenshot(boards.nth(1), f"inspector-features{name}")


def set_points(page: Page) -> None:
    """Set three points: two by dragging, of which one is locked, and one by two clicks."""
    drag_mouse(page, *MOUTH)
    drag_mouse(page, *CHIN)
    page.keyboard.press("l")
    page.keyboard.press("Escape")
    for place in NOSE:
        page.mouse.click(*to_page(page, place))
    wait(page, "root.dataset.revision === '4'")


def run(page: Page) -> None:
    """Start a drag, take a screenshot, and go back to the start."""
    page.locator(".draggan [data-action=start]").click()
    wait(page, "root.dataset.status === 'running' && +root.dataset.step >= 5")
    take(page, "running", ".draggan")
    page.keyboard.press(" ")
    wait(page, "root.dataset.status === 'idle'")
    page.keyboard.press("r")
    wait(page, "root.dataset.step === '0' && root.dataset.frameKind === 'final'")


def paint_mask(page: Page) -> None:
    """Paint a mask over the lower half of the face, and leave the brush over it."""
    page.locator(".draggan [data-action=mask]").click()
    for _ in range(2):
        page.keyboard.press("]")
    for stroke in STROKES:
        drag_mouse(page, *stroke)
    wait(page, "root.dataset.mask === 'true'")
    page.mouse.move(*to_page(page, BRUSH_AT))


def in_both_themes(page: Page, name: str, selector: str) -> None:
    """Take a screenshot in JupyterLab's light theme and one in its dark theme."""
    take(page, name, selector)
    change_theme(page, "JupyterLab Dark", "false")
    take(page, f"{name}-dark", selector)
    change_theme(page, "JupyterLab Light", "true")


def change_theme(page: Page, theme: str, light: str) -> None:
    """Change JupyterLab's theme, and wait until it has changed."""
    page.evaluate(THEME, theme)
    page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=light)


def take(page: Page, name: str, selector: str) -> None:
    """Save a screenshot of the widget or of a part of it."""
    save_screenshot(page.locator(selector), f"widget-{name}")


def save_screenshot(element: Locator, name: str) -> None:
    """Save a screenshot of an element as a PNG of 256 colours.

    Raises:
        RuntimeError: the file is larger than `LIMIT`.
    """
    picture = Image.open(io.BytesIO(element.screenshot(animations="disabled"))).convert("RGB")
    path = FOLDER / f"{name}.png"
    quantize(picture).save(path, optimize=True)
    size = path.stat().st_size
    if size > LIMIT:
        raise RuntimeError(f"{path.name} has {size} bytes; expected at most {LIMIT}; take a smaller screenshot")
    print(f"Saved {path}: {size / 1000:.0f} kB", flush=True)


def quantize(picture: Image.Image) -> Image.Image:
    """Reduce a picture to 256 colours, among them those of the marks, which are too small to get any otherwise."""
    own = picture.quantize(256 - len(MARKS), Image.Quantize.MEDIANCUT)
    palette = Image.new("P", (1, 1))
    palette.putpalette((own.getpalette() or []) + [part for mark in MARKS for part in ImageColor.getrgb(mark)])
    return picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def wait(page: Page, condition: str) -> None:
    """Wait for a condition over `root`, the widget's element."""
    page.wait_for_function(ROOT_IS.format(condition))


def to_page(page: Page, place: tuple[float, float]) -> tuple[float, float]:
    """Convert (x, y) in px of the generated picture to css px of the page."""
    box = page.locator("svg.draggan-overlay").bounding_box()
    assert box is not None, "svg.draggan-overlay is not on the page"
    x, y = ((value + 0.5) / SIDE for value in place)
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag_mouse(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press the mouse at one point of the picture and release it at another."""
    page.mouse.move(*to_page(page, start))
    page.mouse.down()
    page.mouse.move(*to_page(page, end), steps=6)
    page.mouse.up()


if __name__ == "__main__":
    main()
