"""A notebook whose kernel is gone, reopened in JupyterLab."""

import nbformat
import pytest
from browser.lab import Lab, new_notebook
from browser.test_widget import SETUP, SHOW, TIMEOUT, wait_for
from nbclient import NotebookClient
from nbformat.sign import NotebookNotary

pytestmark = pytest.mark.slow  # a kernel or a browser of its own


@pytest.fixture(scope="module")
def saved() -> nbformat.NotebookNode:
    """With its widget state; the kernel that ran it has ended."""
    notebook = new_notebook([SETUP, SHOW])
    NotebookClient(notebook, timeout=240).execute()
    return nbformat.reads(nbformat.writes(notebook), as_version=4)


def test_a_notebook_saved_with_its_widgets_shows_the_poster_and_says_that_no_kernel_is_there(
    lab: Lab, saved: nbformat.NotebookNode
) -> None:
    NotebookNotary(data_dir=str(lab.server.root.parent / "data")).sign(saved)  # one's own notebook: trusted
    page = lab.open(saved)
    page.set_default_timeout(TIMEOUT)
    wait_for(page, "root.dataset.frameKind === 'poster'")
    wait_for(page, "['silent', 'gone'].includes(root.dataset.link)")
    drawn = "[...document.querySelector('canvas.draggan-picture').getContext('2d').getImageData(64, 64, 1, 1).data]"
    assert sum(page.evaluate(drawn)[:3]) > 300  # the blob's middle
    assert page.locator(".draggan [data-action=start]").is_disabled()
    assert "run the cell again to drag" in (page.locator(".draggan-status").text_content() or "")


def test_somebody_elses_notebook_shows_the_image_of_the_output(lab: Lab, saved: nbformat.NotebookNode) -> None:
    saved = nbformat.from_dict({**saved, "metadata": {**saved.metadata, "copied": True}})  # no signature fits it
    page = lab.open(saved)
    image = page.locator(".jp-OutputArea-output img")
    image.wait_for()
    assert image.evaluate("image => image.naturalWidth") == 128
    assert page.locator(".draggan").count() == 0
