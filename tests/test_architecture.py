"""`docs/architecture.md` and the tree: the map names every module once; the floors are those that are checked."""

import re
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under one heading of the page."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def modules() -> set[str]:
    """Every module of the package, from its folder, and every module of the front end, from the root."""
    package = ROOT / "draggan_widget"
    python = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if not path.stem.startswith("__")}
    return python | {path.relative_to(ROOT).as_posix() for path in (ROOT / "js" / "src").glob("*.ts")}


def test_the_map_names_every_module_once_and_no_other():
    named = Counter(re.findall(r"`([\w/]+\.(?:py|ts))`", section("Where is it?")))
    assert {path for path, count in named.items() if count > 1} == set()
    assert set(named) == modules()


def test_the_floors_on_the_page_are_those_that_are_checked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    drawn = section("Floors").split("```")[1].strip().splitlines()
    assert drawn == [layer for layer in layers if layer != "__main__"]
