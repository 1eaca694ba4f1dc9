"""A saved notebook without a kernel, as GitHub, nbviewer and nbconvert show it."""

import ast
import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert.exporters import HTMLExporter
from nbformat import v4
from PIL import Image

pytestmark = pytest.mark.slow
TESTS = str(Path(__file__).resolve().parents[1])
CELLS = (
    f"import sys; sys.path.insert(0, {TESTS!r})\n"
    "from analytic import BlobGenerator\nfrom draggan_widget import DragWidget, Edit\n"
    "from draggan_widget.export import to_html",
    "w = DragWidget(BlobGenerator())\nw",
    "w.session.edit = Edit([(31, 31)], [(40, 31)])\nw.session.run()\nw.snapshot()",
    "to_html(w.session.record)",
)
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def execute() -> nbformat.NotebookNode:
    """A notebook as `jupyter execute` and papermill save it: no browser has shown it."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in CELLS], metadata=metadata)
    NotebookClient(notebook, timeout=240).execute()
    return nbformat.reads(nbformat.writes(notebook), as_version=4)


@pytest.fixture(scope="module")
def saved() -> nbformat.NotebookNode:
    return execute()


def picture(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_the_widgets_output_holds_an_image_that_github_and_nbviewer_show(saved):
    (output,) = saved.cells[1].outputs
    assert set(output.data) == {VIEW, "text/plain", "image/jpeg"}
    assert picture(output.data["image/jpeg"]).size == (64, 64)


def test_a_snapshot_is_an_ordinary_image_output(saved):
    (output,) = saved.cells[2].outputs
    assert picture(output.data["image/png"]).size == (512, 512)


def test_the_saved_state_holds_the_poster(saved):
    models = saved.metadata.widgets[STATE]["state"]
    (state,) = [model for model in models.values() if "image_size" in model["state"]]
    (poster,) = [buffer for buffer in state["buffers"] if buffer["path"] == ["_poster"]]
    assert poster["encoding"] == "base64"
    assert picture(poster["data"]).size == (64, 64)


def html(notebook: nbformat.NotebookNode) -> str:
    return HTMLExporter(template_name="lab").from_notebook_node(notebook)[0]


def test_a_page_converted_without_widget_state_shows_the_image(saved):
    bare = nbformat.from_dict({**saved, "metadata": {"kernelspec": saved.metadata.kernelspec}})
    page = html(bare)
    assert VIEW not in page
    images = re.findall(r'src="data:image/(\w+);base64,', page)
    assert images.count("jpeg") == 1
    assert images.count("png") == 1


def test_a_page_converted_with_widget_state_carries_the_widget_its_state_and_the_snapshot(saved):
    page = html(saved)
    assert VIEW in page
    assert STATE in page
    assert re.findall(r'src="data:image/(\w+);base64,', page) == ["png"]


def test_a_converted_page_keeps_the_replay(saved):
    frames: list[dict[str, str | None]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: frames.append(dict(attrs)) if tag == "iframe" else None
    parser.feed(html(saved))
    (frame,) = frames
    (output,) = saved.cells[3].outputs
    page = ast.literal_eval(output.data["text/plain"])
    assert frame["srcdoc"] == page  # exactly: the page's content policy has hashes of its parts
    assert frame["sandbox"] == "allow-scripts"
