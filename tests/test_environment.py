"""The lists of what to install agree with one another."""

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
