"""Run the notebooks and keep their outputs in the files, so that they read without running.

`make notebooks-run` calls this; so does `python tools/notebooks.py [NAME ...]`. Figures are kept smaller than they are
shown: at most 520 px wide, large ones in 256 colours.
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
WIDEST = 520  # px of a kept figure
LARGEST = 140_000  # bytes of one in full colours
SECONDS = 240  # a cell may take


def main() -> None:
    """Read the command line and run the notebooks."""
    parser = argparse.ArgumentParser(description="Run the notebooks and keep their outputs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="as 01_drag; none: all")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # draggan-widget
    names = parser.parse_args().names or sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    for name in names:
        path = FOLDER / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        run(notebook)
        nbformat.write(notebook, path)
        print(f"{name}: {path.stat().st_size // 1024} KiB", flush=True)


def run(notebook: NotebookNode) -> None:
    """Run every cell in a fresh kernel, in an empty folder, and keep of the outputs what a page can show."""
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=SECONDS, resources=resources, record_timing=False)
        client.store_widget_state = False
        client.execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
        for output in cell.get("outputs", []):
            keep(output)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}


def joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs with printed lines that follow each other as one: they come in pieces that differ from run to run."""
    found: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and found and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def keep(output: NotebookNode) -> None:
    """Take out what only a running kernel can show, and make pictures small."""
    data = output.get("data", {})
    data.pop(VIEW, None)
    output.get("metadata", {}).pop(VIEW, None)
    if "image/png" in data:
        data.pop("image/jpeg", None)  # of a PIL picture: the same once more
        data["image/png"] = smaller(data["image/png"])


def smaller(png: str) -> str:
    """The PNG not too wide, and in few colours where it is large."""
    image = Image.open(io.BytesIO(b64decode(png))).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    packed = encoded(image)
    if len(packed) > LARGEST:
        packed = encoded(image.quantize(256, Image.Quantize.MAXCOVERAGE))
    return b64encode(packed).decode()


def encoded(image: Image.Image) -> bytes:
    """As PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
