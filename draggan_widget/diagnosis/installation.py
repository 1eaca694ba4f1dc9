"""Probes of draggan-widget itself and of the packages it uses. Versions come from metadata, not from imports."""

import contextlib
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import draggan_widget
from draggan_widget.diagnosis.asking import RESTART, ask_program, installed_version, pip_command, release_numbers
from draggan_widget.diagnosis.report import MODULES, Fact, brief, guarded, repair

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "draggan-widget"
# The packages in the order of the report.
REQUIRED = (
    *("torch", "numpy", "ipywidgets", "ipycanvas", "anywidget"),
    *("matplotlib", "pillow", "pandas", "safetensors"),
)
WHERE_INSTALLED = (
    *("traitlets", "ipykernel", "ipython", "jupyter_client", "jupyterlab", "notebook", "nbclassic", "marimo"),
    *("jupyterlab_widgets", "widgetsnbextension"),
)
EXTRAS = ("lab", "export", "study")  # the others are for those who develop draggan-widget
OPTIONAL = {  # package -> (extra that installs it, what needs it)
    "imageio-ffmpeg": ("export", "only .mp4 and .webm videos need it"),
    "pyarrow": ("export", "only .parquet files need it"),
    "zarr": ("export", "only .zarr folders need it"),
    "dlib-bin": ("study", "only the landmark study needs it"),
}


def probe_own() -> Iterator[Fact]:
    """The version of draggan-widget, the folder it is imported from, and how it was installed."""
    folder = Path(draggan_widget.__file__).resolve().parent
    yield Fact(NAME, f"{draggan_widget.__version__}, imported from {folder.parent}")
    yield from guarded("installation", partial(_installation, folder))


def _installation(folder: Path) -> Iterator[Fact]:
    version = draggan_widget.__version__
    try:
        installed = metadata.distribution(NAME)
    except metadata.PackageNotFoundError:
        advice = f"run {pip_command()} -e . in the clone: without an installation, no version below is checked"
        yield Fact("installation", "none", advice)
        return
    origin, place = _origin(installed)
    advice = ""
    if installed.version != version:
        advice = f"version {version} is imported, {installed.version} is installed: install it again, {RESTART}"
    elif place.resolve() != folder:
        advice = (
            f"the installed copy lies in {place.parent}: to use that one, leave the folder, or the PYTHONPATH, that "
            "holds the imported one"
        )
    yield Fact("installation", origin, advice)


def _origin(installed: metadata.Distribution) -> tuple[str, Path]:
    """How the package was installed, in words, and the folder of its modules."""
    place = Path(str(installed.locate_file("draggan_widget")))
    text = installed.read_text("direct_url.json")
    if text is None:
        return f"from a package index, by {(installed.read_text('INSTALLER') or 'an unknown program').strip()}", place
    told = json.loads(text)
    address = urlsplit(told["url"])
    if told.get("dir_info", {}).get("editable"):
        return "editable", Path(url2pathname(address.path)) / "draggan_widget"
    if address.scheme == "file":
        return f"from {url2pathname(address.path)}", place
    # An address may hold a password before its host or a token behind its path.
    commit = told.get("vcs_info", {}).get("commit_id", "")[:12]
    return f"from {address.hostname}{address.path}{commit and ' at ' + commit}", place


def probe_python() -> Iterator[Fact]:
    """The version and place of Python."""
    version = platform.python_version()
    advice = ""
    with contextlib.suppress(metadata.PackageNotFoundError, ImportError):
        from packaging.specifiers import SpecifierSet

        needed = metadata.metadata(NAME)["Requires-Python"]
        if needed and not SpecifierSet(needed).contains(version, prereleases=True):
            advice = f"draggan-widget needs Python {needed}: make an environment with such a Python"
    yield Fact("python", f"{version}, {platform.python_implementation()}, {sys.executable}", advice)


def probe_packages() -> Iterator[Fact]:
    """A line for each package that draggan-widget uses or that shows it, in a fixed order."""
    bounds: dict[str, Requirement] = {}
    try:
        bounds = _read_bounds()
    except metadata.PackageNotFoundError:  # the line of draggan-widget says so
        pass
    except Exception as error:  # noqa: BLE001 - the versions are told all the same
        yield Fact("version ranges", f"not checked: {brief(error)}", repair(error))
    listed = {*map(_canonical, (*REQUIRED, *WHERE_INSTALLED, *OPTIONAL))}
    required = {name for name, bound in bounds.items() if _applies(bound, "")}
    others = sorted(required - listed)
    for name in (*REQUIRED, *WHERE_INSTALLED, *others, *OPTIONAL):
        yield from guarded(name, partial(_package, name, bounds.get(_canonical(name))))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _read_bounds() -> "dict[str, Requirement]":
    """What the installed draggan-widget asks of each package, by its name, for itself and for the extras of users."""
    from packaging.requirements import Requirement

    bounds: dict[str, Requirement] = {}
    for line in metadata.requires(NAME) or ():
        bound = Requirement(line)
        for extra in ("", *EXTRAS):
            if _applies(bound, extra):
                bounds.setdefault(_canonical(bound.name), bound)
    return bounds


def _applies(bound: "Requirement", extra: str) -> bool:
    return bound.marker is None or bound.marker.evaluate({"extra": extra})


def _package(name: str, bound: "Requirement | None") -> Iterator[Fact]:
    asked = name if bound is None else f"{bound.name}{bound.specifier}"
    version = installed_version(name)
    if version is None:
        if name in OPTIONAL:
            extra, need = OPTIONAL[name]
            yield Fact(name, f'not installed; {need}: {pip_command()} "draggan-widget[{extra}]"')
        elif name not in WHERE_INSTALLED:
            yield Fact(name, "not installed", f'run {pip_command()} "{asked}", {RESTART}')
        return
    advice = ""
    if bound is not None and not bound.specifier.contains(version, prereleases=True):
        advice = f'draggan-widget needs {asked}: run {pip_command()} "{asked}", {RESTART}'
    else:
        loaded = getattr(sys.modules.get(MODULES.get(name, name.replace("-", "_"))), "__version__", version)
        if release_numbers(str(loaded)) != release_numbers(version):
            advice = f"version {loaded} is loaded and {version} is installed: restart the kernel or Python"
    yield Fact(name, version, advice)


def probe_ffmpeg() -> Iterator[Fact]:
    """Whether the ffmpeg of imageio-ffmpeg answers."""
    if installed_version("imageio-ffmpeg") is None:
        return
    from draggan_widget.export.ffmpeg import find_ffmpeg

    program = find_ffmpeg(Path("video.mp4"))
    advice = "without it, save_video writes .gif only: unset IMAGEIO_FFMPEG_EXE, or set it to an ffmpeg that runs"
    try:
        answer = ask_program(program, "-version")
    except (OSError, subprocess.SubprocessError) as error:
        yield Fact("ffmpeg", f"{program} does not answer: {brief(error)}", advice)
        return
    known = re.match(r"ffmpeg version (\S+)", answer)
    if known is None:
        yield Fact("ffmpeg", f"{program} answers, but not as ffmpeg does", advice)
    else:
        yield Fact("ffmpeg", f"{known[1]}, {program}")
