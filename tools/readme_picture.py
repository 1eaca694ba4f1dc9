"""Take the README's picture: the widget in JupyterLab after a real drag of the first notebook's face."""

import sys
from pathlib import Path

import nbformat
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser.lab import Lab  # noqa: E402  (found through the line above)

NOTEBOOK = ROOT / "notebooks" / "01_drag.ipynb"
PICTURE = ROOT / "docs" / "images" / "widget.png"
NOSE = (0.5, 0.6)  # share of the picture's width and height at which an aligned face has the tip of its nose
PULL = 60.0  # css px to the right
VIEW = "application/vnd.jupyter.widget-view+json"
PICTURE_TIMEOUT = 300_000.0  # ms; the first run downloads the weights
DRAG_TIMEOUT = 900_000.0  # ms; a drag without a GPU takes its time

WIDGET = ".draggan"
FULL_PICTURE = f"""() => ["picture", "final"].includes(
    document.querySelector("{WIDGET}")?.getAttribute("data-frame-kind"))"""
LAST_PICTURE = f"""() => document.querySelector("{WIDGET}").getAttribute("data-frame-kind") === "final" """
# Noted as they come: a short drag may end between two looks.
NOTE_STATUSES = f"""() => {{
    const root = document.querySelector("{WIDGET}");
    window.drag_statuses = [];
    new MutationObserver(() => window.drag_statuses.push(root.getAttribute("data-status")))
        .observe(root, {{ attributes: true, attributeFilter: ["data-status"] }});
}}"""
HAS_ENDED = """() => window.drag_statuses.includes("running") && window.drag_statuses.at(-1) === "idle" """


def main() -> None:
    """Open the notebook, drag the nose, save the picture."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with Lab() as lab:
        page = lab.open(notebook, viewport=(1200, 1180), device_scale_factor=1.0)
        show_widget(lab, [cell.cell_type for cell in notebook.cells])
        page.wait_for_function(FULL_PICTURE, timeout=PICTURE_TIMEOUT)
        drag_nose(page)
        page.wait_for_function(LAST_PICTURE, timeout=PICTURE_TIMEOUT)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        page.locator(WIDGET).screenshot(path=PICTURE, animations="disabled")
    print(f"Saved {PICTURE}")


def show_widget(lab: Lab, kinds: list[str]) -> None:
    """Run the cells up to the one that shows the widget `w`; later ones may drag by themselves.

    Raises:
        RuntimeError: no cell shows it.
    """
    for index, kind in enumerate(kinds):
        if kind != "code":
            continue
        outputs = lab.run_cell(index, timeout=PICTURE_TIMEOUT / 1000)
        shows_widget = any(VIEW in output.get("data", {}) for output in outputs)
        if shows_widget and lab.evaluate_in_kernel("'w' in globals()") == "True":
            return
    raise RuntimeError(f"no cell of {NOTEBOOK.name} shows a widget named w; expected one")


def drag_nose(page: Page) -> None:
    """Draw an arrow from the nose to the right, start the drag and wait for its end."""
    overlay = page.locator("svg.draggan-overlay")
    overlay.scroll_into_view_if_needed()
    box = overlay.bounding_box()
    assert box is not None, "svg.draggan-overlay is not on the page"
    x, y = box["x"] + NOSE[0] * box["width"], box["y"] + NOSE[1] * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + PULL, y, steps=6)
    page.mouse.up()
    page.evaluate(NOTE_STATUSES)
    page.locator(f"{WIDGET} [data-action=start]").click()
    page.wait_for_function(HAS_ENDED, timeout=DRAG_TIMEOUT)


if __name__ == "__main__":
    main()
