"""Build the wheel and the sdist, check what they contain, and import the installed wheel."""

import email
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable
from email.message import Message
from functools import partial
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "draggan_widget"
BUNDLE = tuple(f"draggan_widget/widget/static/{name}" for name in ("widget.js", "widget.css", "box.js", "box.css"))
REPLAY = tuple(f"draggan_widget/export/static/replay.{ending}" for ending in ("html", "css", "js"))
HEADS = "draggan_widget/generators/bundled/heads.safetensors"
FOREIGN_FOLDERS = {"tests", "js", "node_modules", "notebooks", "heads_training", "benchmarks", "tools", "docs"}
MAIN_PACKAGES = {"torch", "ipywidgets", "ipycanvas", "anywidget", "numpy", "matplotlib"}
LARGEST_WHEEL = 12_000_000  # bytes
LARGEST_CHECKPOINT = 10_000_000  # bytes
SDIST_FILES = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "draggan_widget/__init__.py",
    "draggan_widget/__init__.pyi",
    HEADS,
    *BUNDLE,
    *REPLAY,
)

BARE_IMPORT = """
import sys
import draggan_widget
assert draggan_widget.__file__.startswith(sys.prefix), f"imported {draggan_widget.__file__}, expected {sys.prefix}"
heavy = {"torch", "anywidget"} & set(sys.modules)
assert not heavy, f"import draggan_widget already imported {heavy}"
"""
PUBLIC_NAMES = """
import draggan_widget
for module in (draggan_widget, draggan_widget.inspection, draggan_widget.export):
    for name in module.__all__:
        getattr(module, name)
"""
BUNDLED_PICTURE = """
import socket
def refused(*arguments, **named):
    raise AssertionError("the network was used")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
from draggan_widget import load_generator
G = load_generator(device="cpu")
picture = G.image(G.ws_from_seed(0, 0.7))
assert tuple(picture.shape[2:]) == G.image_size and picture.isfinite().all()
"""


def main() -> int:
    """Build, check and count; return the process's exit status."""
    with tempfile.TemporaryDirectory(prefix="draggan-wheel-") as name:
        folder = Path(name)
        run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)])
        [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
        python = make_venv(folder / "venv", wheel)
        checks: dict[str, Callable[[], None]] = {
            "the wheel has every file of the package and no other": partial(check_files, wheel),
            "the wheel has the built bundle and the replay page": partial(check_bundle, wheel),
            "the wheel has no tests, no source of the front end and no notebooks": partial(check_foreign, wheel),
            "the wheel has the bundled checkpoint, of at most 10 MB, and its card": partial(check_checkpoint, wheel),
            "the wheel is under 12 MB": partial(check_size, wheel),
            "the wheel requires the six main packages": partial(check_requirements, wheel),
            "the wheel is under Apache-2.0 and contains the text": partial(check_licence, wheel),
            "the sdist has what a build needs": partial(check_sdist, sdist),
            "importing the installed wheel imports neither torch nor anywidget": partial(run_in, python, BARE_IMPORT),
            "every public name of the installed wheel can be loaded": partial(run_in, python, PUBLIC_NAMES),
            "the installed wheel draws a picture without a network": partial(run_in, python, BUNDLED_PICTURE),
        }
        failed = sum(not passes(what, check) for what, check in checks.items())
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


def passes(what: str, check: Callable[[], None]) -> bool:
    """Run one check and print its result in one line."""
    try:
        check()
    except AssertionError as error:
        print(f"FAILED  {what}: {error}")
        return False
    print(f"ok      {what}")
    return True


def run(command: list[str], cwd: Path = ROOT) -> None:
    """Run a command silently.

    Raises:
        AssertionError: it failed; the message has its output.
    """
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"`{' '.join(command[:4])} ...` ended with {done.returncode}:\n{done.stdout}"


def make_venv(folder: Path, wheel: Path) -> Path:
    """Install the wheel into a fresh environment beside the development packages; return its Python.

    A .pth file adds the folder of the development packages to the path, but Python does not read the .pth files inside
    that folder. So the development packages can be imported, and their editable install of this checkout cannot.
    """
    venv.create(folder, with_pip=False)
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    python = Path(sysconfig.get_path("scripts", "venv", scheme)) / Path(sys.executable).name
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--no-index", str(wheel)])
    (packages / "development.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def run_in(python: Path, code: str) -> None:
    """Run code in the fresh environment, away from the checkout."""
    run([str(python), "-I", "-c", code], cwd=python.parent)


def wheel_files(wheel: Path) -> set[str]:
    """Names of all files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def read_metadata(wheel: Path) -> Message:
    """Read the wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def check_files(wheel: Path) -> None:
    """Compare the wheel with the package's folder, file by file."""
    tree = {path.relative_to(ROOT) for path in PACKAGE.rglob("*") if path.is_file()}
    expected = {path.as_posix() for path in tree if "__pycache__" not in path.parts}
    found = {name for name in wheel_files(wheel) if not name.split("/")[0].endswith(".dist-info")}
    assert found == expected, f"missing {sorted(expected - found)}, too many {sorted(found - expected)}"


def check_bundle(wheel: Path) -> None:
    """Check that the front end's two files and the replay page's three are there and not empty."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    missing = [name for name in (*BUNDLE, *REPLAY) if not sizes.get(name)]
    assert not missing, f"{missing} missing or empty; `make bundle` builds the front end's"


def check_foreign(wheel: Path) -> None:
    """Check that no folder of the repository alone is in the wheel."""
    foreign = [name for name in wheel_files(wheel) if FOREIGN_FOLDERS & set(PurePosixPath(name).parts[:-1])]
    assert not foreign, f"found {sorted(foreign)}"


def check_checkpoint(wheel: Path) -> None:
    """Check the size of the bundled checkpoint, and that its model card is beside it."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert 0 < sizes.get(HEADS, 0) <= LARGEST_CHECKPOINT, f"{HEADS} has {sizes.get(HEADS, 0)} bytes"
    card = HEADS.rsplit("/", 1)[0] + "/MODEL_CARD.md"
    assert sizes.get(card), f"{card} is missing or empty"


def check_size(wheel: Path) -> None:
    """Check the size of the wheel."""
    size = wheel.stat().st_size
    assert size < LARGEST_WHEEL, f"{size} bytes; expected under {LARGEST_WHEEL}"


def check_requirements(wheel: Path) -> None:
    """Check that every installation requires the six packages."""
    lines = read_metadata(wheel).get_all("Requires-Dist") or []
    always = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines if "extra ==" not in line}
    assert always >= MAIN_PACKAGES, f"missing {sorted(MAIN_PACKAGES - always)}"


def check_licence(wheel: Path) -> None:
    """Check the licence's name, and that its text is in the wheel."""
    named = read_metadata(wheel)["License-Expression"]
    assert named == "Apache-2.0", f"License-Expression is {named}"
    assert any(name.endswith("/licenses/LICENSE") for name in wheel_files(wheel)), "LICENSE is not in the wheel"


def check_sdist(sdist: Path) -> None:
    """Check that the sdist has what a build needs, and no installed packages."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= set(SDIST_FILES), f"missing {sorted(set(SDIST_FILES) - names)}"
    built = [name for name in names if {".venv", "node_modules"} & set(PurePosixPath(name).parts)]
    assert not built, f"found {sorted(built)[:5]}"


if __name__ == "__main__":
    sys.exit(main())
