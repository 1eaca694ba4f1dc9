"""A notebook whose kernel is gone, reopened in JupyterLab: the picture is still there where the widget state was saved."""

import nbformat
from browser.lab import Lab, new_notebook
from browser.test_widget import SETUP, SHOW, TIMEOUT, wait_for
from nbclient import NotebookClient


def executed() -> nbformat.NotebookNode:
    """As saved with its widget state; the kernel that ran it has ended."""
    notebook = new_notebook([SETUP, SHOW])
    NotebookClient(notebook, timeout=240).execute()
    return notebook


def test_a_notebook_saved_with_its_widgets_shows_the_poster_and_says_that_no_kernel_is_there(lab: Lab) -> None:
    page = lab.open(executed())
    page.set_default_timeout(TIMEOUT)
    wait_for(page, "root.dataset.frameKind === 'poster'")
    page.locator(".draggan-status", has_text="kernel").wait_for()
    wait_for(page, "root.dataset.link !== 'live' && root.dataset.link !== 'waiting'")
    drawn = "[...document.querySelector('canvas.draggan-picture').getContext('2d').getImageData(64, 64, 1, 1).data]"
    assert sum(page.evaluate(drawn)[:3]) > 300  # the blob's middle
    assert page.locator(".draggan [data-action=start]").is_disabled()
