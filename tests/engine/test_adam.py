"""Our Adam makes torch's steps, and the first drag need not wait for torch's compiler."""

import subprocess
import sys

import pytest
import torch

from draggan_widget.engine.adam import Adam


def test_its_steps_are_those_of_torch():
    rng = torch.Generator().manual_seed(0)
    ours = torch.randn(4, 6, generator=rng)
    theirs = ours.clone().requires_grad_()
    adam, other = Adam(ours), torch.optim.Adam([theirs])
    for rate in (1e-3, 1e-3, 2e-2, 5e-4):
        gradient = torch.randn(4, 6, generator=rng)
        adam.step(gradient, rate)
        other.param_groups[0]["lr"], theirs.grad = rate, gradient.clone()
        other.step()
        assert torch.equal(ours, theirs.detach())


@pytest.mark.slow
def test_a_first_drag_imports_no_compiler():
    """That would be 2 s of every process's first drag."""
    program = """
import sys
from draggan_widget import DragConfig, DragSession, Edit, load_generator
session = DragSession(load_generator("heads", device="cpu"))
session.edit = Edit([(64.0, 64.0)], [(60.0, 64.0)])
session.step(2)
assert session.current.index == 2 or session.current.ended
assert "torch._dynamo" not in sys.modules, "torch's compiler was imported"
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
