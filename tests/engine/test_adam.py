"""Our Adam makes torch's steps."""

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
