"""One server and one browser a run, a fresh notebook a test, a trace only of what failed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.hosts import HOSTS
from browser.lab import Lab

TRACES = Path(__file__).parent / "trace"
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def running_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    name = request.config.getoption("--host")
    if name not in HOSTS:
        pytest.exit(f"--host is {name}; expected {', '.join(HOSTS)}")
    with Lab(HOSTS[name]) as lab:
        yield lab


@pytest.fixture
def lab(running_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The host of `--host`, JupyterLab by itself, in a browser: `page = lab.open(["1 + 1"])`, `lab.run_cell(0)`."""
    trace = TRACES / (re.sub(r"[^\w-]+", "_", request.node.name) + ".zip")
    trace.unlink(missing_ok=True)
    yield running_lab
    running_lab.close_notebook(trace if request.node.stash.get(FAILED, False) else None)
