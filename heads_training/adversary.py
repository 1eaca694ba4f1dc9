"""A critic of small patches, for the last part of a training: it says whether a patch was rendered or drawn.

Errors of pixels leave a picture soft where a detail is a pixel off; the critic sees that it is soft. Every picture it
judges beside the render of the same vector (relativistic pairs, Jolicoeur-Martineau, arXiv:1807.00734), so that it
learns what the drawn one lacks. Renders are held to flat judgement (R1, Mescheder et al., arXiv:1801.04406).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE = 1e-3  # of its Adam
WIDTHS = (64, 128, 192)  # channels at a half of the side, a quarter, an eighth
DETAIL = 8  # px: what is coarser the critic does not see, so that colours are left to the errors
STRENGTH = 8.0  # of what it sees, so that it spreads about as much as a picture
R1_WEIGHT, R1_STEPS = 0.001, 8  # how much flatness counts, and every how many steps it is looked at
R1_PICTURES = 2  # on so many of a batch
SHARE = 1.0  # the adversary's pull on a picture beside that of the errors


class Critic(nn.Module):
    """Pictures (n, 3, side, side) -> (n, 1, side / 8, side / 8): a judgement of every patch of 40 px."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, fine, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(fine, middle, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(middle, coarse, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(coarse, 1, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The judgements, in float32."""
        coarse = F.interpolate(F.avg_pool2d(x, DETAIL), scale_factor=DETAIL, mode="bilinear")
        return self.layers((STRENGTH * (x - coarse)).contiguous(memory_format=torch.channels_last)).float()


class Adversary:
    """A critic in training.

    Attributes:
        critic: it.
        optimiser: of its weights.
        steps: made so far.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.critic = Critic().to(device, memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(self.critic.parameters(), RATE, betas=(0.5, 0.99), fused=True)
        self.steps = 0

    def pull(self, y: Tensor, x: Tensor) -> tuple[Tensor, float]:
        """Judge drawn pictures beside their renders, and learn from them.

        Returns:
            the gradient of the drawn ones' loss by their pixels, (n, 3, side, side), and how much likelier the critic
            holds the renders.
        """
        drawn = y.detach().requires_grad_()
        with torch.autocast(y.device.type, torch.bfloat16):
            of_drawn, of_rendered = self.critic(drawn), self.critic(x)
        apart = of_rendered - of_drawn
        (gradient,) = torch.autograd.grad(F.softplus(apart).mean(), drawn, retain_graph=True)
        loss = F.softplus(-apart).mean()
        if self.steps % R1_STEPS == 0:
            loss = loss + R1_WEIGHT * R1_STEPS * self._slope(x[:R1_PICTURES])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.steps += 1
        return gradient, apart.mean().item()

    def state_dict(self) -> dict[str, object]:
        """To go on from."""
        return {"critic": self.critic.state_dict(), "optimiser": self.optimiser.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]

    def _slope(self, x: Tensor) -> Tensor:
        rendered = x.detach().requires_grad_()
        judged = self.critic(rendered)
        (slope,) = torch.autograd.grad(judged.sum(), rendered, create_graph=True)
        return 0.5 * slope.square().sum() / judged.numel()


def joined(own: Tensor, other: Tensor) -> Tensor:
    """The gradient of the errors with that of the critic, which is brought to `SHARE` of its length."""
    return own + other * (SHARE * own.norm() / other.norm().clamp_min(1e-12))
