"""Run the notebooks and save their outputs in the files, so that they can be read without running them.

`make notebooks-run` calls this; so does `python tools/notebooks.py [NAME ...]`. Figures are saved smaller than
they were drawn: at most 520 px wide, large ones in 256 colours.
"""

import argparse
import io
import os
import sys
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
VIEW = "application/vnd.jupyter.widget-view+json"
WIDEST = 520  # px: largest width of a saved figure
LARGEST = 140_000  # bytes: largest figure in full colours
TIMEOUT = 240  # seconds: time limit of a cell


def main() -> None:
    """Read the command line and run the notebooks."""
    parser = argparse.ArgumentParser(description="Run the notebooks and save their outputs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="e.g. 01_drag; default: all")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # finds draggan-widget
    names = parser.parse_args().names or sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    for name in names:
        path = FOLDER / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        run(notebook)
        nbformat.write(notebook, path)
        print(f"{name}: {path.stat().st_size // 1024} KiB", flush=True)


def run(notebook: NotebookNode) -> None:
    """Run every cell in a fresh kernel, in an empty folder; keep the outputs that a page without a kernel can show."""
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=TIMEOUT, resources=resources, record_timing=False)
        client.store_widget_state = False
        client.execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = join_streams(cell.outputs)
        for output in cell.get("outputs", []):
            make_static(output)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring outputs of printed text, whose division differs from run to run."""
    found: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and found and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def make_static(output: NotebookNode) -> None:
    """Remove what only a running kernel can show, and shrink pictures."""
    data = output.get("data", {})
    data.pop(VIEW, None)
    output.get("metadata", {}).pop(VIEW, None)
    if "image/png" in data:
        data.pop("image/jpeg", None)  # a PIL picture brings both
        data["image/png"] = shrink_png(data["image/png"])


def shrink_png(png: str) -> str:
    """Shrink a PNG to at most `WIDEST` px, and to 256 colours if it is over `LARGEST` bytes; both in base64."""
    image = Image.open(io.BytesIO(b64decode(png))).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    packed = encode_png(image)
    if len(packed) > LARGEST:
        packed = encode_png(image.quantize(256, Image.Quantize.MAXCOVERAGE))
    return b64encode(packed).decode()


def encode_png(image: Image.Image) -> bytes:
    """Encode a picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
