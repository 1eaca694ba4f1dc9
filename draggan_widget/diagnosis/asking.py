"""What probes ask: the metadata of packages, the IPython of this process, and other programs."""

import contextlib
import re
import subprocess
import sys
from importlib import metadata
from typing import Any

RESTART = "then restart the kernel or Python"  # an advice to install a package ends so
OTHER_NAMES = {"dlib-bin": "dlib"}  # another package with the same contents
ANSWER_SECONDS = 1.0  # how long another program may take to answer


def find_shell() -> Any:
    """IPython's shell in this process; None in plain Python. A process that runs in IPython has loaded it."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if ask is None else ask()


def pip_command() -> str:
    """The command that installs a package for the Python that runs here."""
    with contextlib.suppress(Exception):  # the advice stands even where IPython is broken
        if find_shell() is not None:
            return "%pip install"
    return "python -m pip install"


def installed_version(package: str) -> str | None:
    """The version of a package, or of another package with the same contents; None where neither is installed."""
    for name in (package, OTHER_NAMES.get(package, package)):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return None


def release_numbers(version: str) -> list[int]:
    """The numbers of a version, without zeros at its end and without its local part ("+cpu")."""
    numbers = [int(number) for number in re.findall(r"\d+", version.partition("+")[0])]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def ask_program(*command: str) -> str:
    """What another program prints.

    Raises:
        OSError: the program cannot be started.
        subprocess.SubprocessError: the program fails, or takes longer than `ANSWER_SECONDS`.
    """
    run = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=ANSWER_SECONDS,
        check=True,
    )
    return run.stdout.decode(errors="replace")
