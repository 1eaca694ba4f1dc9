"""One torch thread for every test, and the real generator for those that ask for it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch

from draggan_widget.checkpoints.hub import cache
from draggan_widget.errors import CheckpointError
from draggan_widget.generators import windows as planning
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.load import load_generator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")
    parser.addoption("--host", default="jupyterlab", help="notebook host of the browser tests, installed beside them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(pytest.mark.skip(reason="takes long: --long"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Windows whatever they cost."""
    monkeypatch.setattr(planning, "PAYS", 1e9)
    planning.plan.cache_clear()
    yield
    planning.plan.cache_clear()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As for a user: the annotations are checked in the tests only."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def real_source() -> Path:
    """The real weights, from the ordinary cache; downloaded once."""
    try:
        return cache.fetch("mobilestylegan-ffhq")
    except CheckpointError as error:
        if "was not reached" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def real_generator(real_source: Path) -> Generator:
    """The real generator on the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = load_generator("mobilestylegan-ffhq", "cpu", wheel=real_source if real_source.is_file() else None)
    torch.set_num_threads(before)
    cache.fetch("mobilestylegan-ffhq")  # loading from an unpacked folder discards it; other tests still read it
    return generator


def pytest_configure() -> None:
    """Take interrupts also where the run itself was begun in the background, which has them ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
