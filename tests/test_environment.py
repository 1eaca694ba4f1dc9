"""The lists of what to install agree with one another, and an installation adds one name to the path."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


def read_bounds(requirements: list[str]) -> dict[str, SpecifierSet]:
    """Give the bounds of each package, by its name on PyPI."""
    parsed = [Requirement(requirement) for requirement in requirements]
    named = {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}
    return {CONDA_NAMES.get(name, name): bounds for name, bounds in named.items()}


def read_pins() -> dict[str, str]:
    """Give the pinned version of each package in constraints-ci.txt."""
    lines = (ROOT / "constraints-ci.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(name): version.strip() for name, version in pairs}


EXTRAS = PROJECT["optional-dependencies"]
DIRECT = {
    name: bounds
    for name, bounds in read_bounds(
        PYPROJECT["build-system"]["requires"] + PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["dev"]
    ).items()
    if name != PROJECT["name"]
}


def test_environment_yml_asks_for_the_packages_and_bounds_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str) and entry != "pip"]
    expected = read_bounds(PROJECT["dependencies"] + EXTRAS["lab"])
    assert read_bounds(plain) == expected | {"python": SpecifierSet(PROJECT["requires-python"])}


def test_environment_yml_installs_this_checkout_with_pip():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert "pip" in environment["dependencies"]
    assert {"pip": ["-e ."]} in environment["dependencies"]


@pytest.mark.parametrize("name", sorted(DIRECT))
def test_constraints_pin_each_direct_dependency_within_its_bounds(name: str):
    pins = read_pins()
    assert name in pins, f"constraints-ci.txt does not pin {name}; add the version that the checks ran with"
    assert DIRECT[name].contains(pins[name], prereleases=True)


def test_constraints_pin_torch_2_13_0():
    assert read_pins()["torch"] == "2.13.0"


INSIDE_THE_REPOSITORY = ("training", "heads_training", "tests", "benchmarks", "tools")
FIND_AND_IMPORT = f"""
import importlib, importlib.util, json, sys
found = {{}}
for name in {INSIDE_THE_REPOSITORY!r}:
    spec = importlib.util.find_spec(name)
    if spec is not None:
        found[name] = [spec.origin, *(spec.submodule_search_locations or [])]
sys.path.append(sys.argv[1])  # the last place: anything that an installation adds comes before it
importlib.invalidate_caches()
networks = importlib.import_module("training.networks_stylegan2")
importlib.import_module("draggan_widget")
print(json.dumps([found, networks.Generator.origin]))
"""


def test_an_installation_adds_draggan_widget_alone_so_that_nvidia_s_training_package_is_found(tmp_path: Path):
    """It is the installed package that is tested, of whichever tree: PYTHONPATH and the current folder do not count."""
    elsewhere, nvidia = tmp_path / "elsewhere", tmp_path / "stylegan3"
    elsewhere.mkdir()
    (nvidia / "training").mkdir(parents=True)
    (nvidia / "training" / "__init__.py").touch()
    (nvidia / "training" / "networks_stylegan2.py").write_text("class Generator:\n    origin = 'foreign'\n")
    command = [sys.executable, "-E", "-P", "-c", FIND_AND_IMPORT, str(nvidia)]
    run = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [{}, "foreign"]
