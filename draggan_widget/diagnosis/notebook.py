"""A probe of the notebook host. It goes by what this process has loaded already, and imports no notebook package."""

import sys
from collections.abc import Iterator
from typing import Any

from draggan_widget.diagnosis.asking import RESTART, find_shell, installed_version, pip_command, release_numbers
from draggan_widget.diagnosis.report import Fact


def probe_host() -> Iterator[Fact]:
    """The program that shows the notebook, as far as this process can know."""
    shell = find_shell()
    in_marimo = getattr(sys.modules.get("marimo"), "running_in_notebook", lambda: False)()
    if in_marimo:
        yield Fact("host", "marimo")
    elif shell is None:
        other = "for trouble in a notebook, call draggan_widget.doctor() in a cell: it may use another Python"
        yield Fact("host", f"Python without a notebook; {other}")
    elif getattr(shell, "kernel", None) is None:
        yield Fact("host", "IPython in a terminal, where no widget is shown")
    else:
        yield Fact("host", _name_page(shell), _stop_advice())


def in_colab() -> bool:
    """Whether this is a kernel of Google Colab."""
    return "google.colab" in sys.modules


def _name_page(shell: Any) -> str:
    """The program that shows the notebook, as far as its kernel can know."""
    if in_colab():
        return "Google Colab"
    if "__vsc_ipynb_file__" in shell.user_ns:
        return "VS Code"
    if "spyder_kernels" in sys.modules:
        return "Spyder, which shows no widgets"
    if "cellId" in (getattr(shell, "get_parent", dict)().get("metadata") or {}):
        return "JupyterLab or Notebook 7"
    return "a Jupyter kernel; its page does not name itself (nbclassic, nbconvert and others)"


def _stop_advice() -> str:
    """What to do where a kernel reads no message from the browser while a cell runs: before ipykernel 7."""
    version = installed_version("ipykernel")
    if version is None or release_numbers(version)[:1] >= [7]:
        return ""
    advice = (
        f"with ipykernel {version}, Stop waits until the running cell has ended: begin a drag with the Start button, "
        "session.start() or await session.run_async(); the kernel's interrupt button ends session.run()"
    )
    # Colab's own packages need its ipykernel.
    return advice if in_colab() else f'{advice}. Or run {pip_command()} "ipykernel>=7", {RESTART}'
