"""One torch thread for these tests, and the real wheel for those that ask for it."""

from pathlib import Path

import pytest
import torch

from draggan_widget.checkpoints import hub
from draggan_widget.errors import CheckpointError


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def real_source() -> Path:
    """The real weights, from the ordinary cache; downloaded once."""
    try:
        return hub.fetch("mobilestylegan-ffhq")
    except CheckpointError as error:
        if "was not reached" in str(error):
            pytest.skip(str(error))
        raise
