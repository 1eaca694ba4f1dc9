"""A critic (patch discriminator) for the last part of a training: it tells rendered patches from generated ones.

A pixel loss leaves a picture soft where a detail is a pixel off; the critic sees that the picture is soft. It judges
each generated picture beside the render of the same vector (relativistic pairs, Jolicoeur-Martineau, arXiv:1807.00734),
so that it learns what the generated one lacks. An R1 penalty keeps its gradient at renders small (Mescheder et al.,
arXiv:1801.04406).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE = 1e-3  # learning rate of the critic's Adam
WIDTHS = (64, 128, 192)  # channels at a half, a quarter and an eighth of the picture's side
DETAIL = 8  # px: the critic does not see coarser structure, so that the pixel loss alone decides colours
GAIN = 8.0  # factor on the detail, so that its values spread about as much as those of a picture
R1_WEIGHT, R1_STEPS = 0.001, 8  # weight of the R1 penalty, and the number of steps from one penalty to the next
R1_PICTURES = 2  # pictures of a batch in the R1 penalty
SHARE = 1.0  # length of the critic's gradient, relative to that of the pixel loss


class Critic(nn.Module):
    """Pictures (n, 3, side, side) -> (n, 1, side / 8, side / 8): one score for each patch of 40 px."""

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
        """Compute the scores, in float32."""
        coarse = F.interpolate(F.avg_pool2d(x, DETAIL), scale_factor=DETAIL, mode="bilinear")
        return self.layers((GAIN * (x - coarse)).contiguous(memory_format=torch.channels_last)).float()


class Adversary:
    """A critic in training.

    Attributes:
        critic: the network.
        optimiser: optimiser of its weights.
        steps: number of training steps made so far.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.critic = Critic().to(device, memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(self.critic.parameters(), RATE, betas=(0.5, 0.99), fused=True)
        self.steps = 0

    def train_step(self, y: Tensor, x: Tensor) -> tuple[Tensor, float]:
        """Score generated pictures beside their renders, and train the critic on them once.

        Args:
            y: generated pictures, (n, 3, side, side).
            x: renders of the same vectors, of the same shape.

        Returns:
            The gradient of the generator's loss with respect to `y`, and the mean score of the renders minus that of
            the generated pictures.
        """
        generated = y.detach().requires_grad_()
        with torch.autocast(y.device.type, torch.bfloat16):
            generated_score, rendered_score = self.critic(generated), self.critic(x)
        gap = rendered_score - generated_score
        (gradient,) = torch.autograd.grad(F.softplus(gap).mean(), generated, retain_graph=True)
        loss = F.softplus(-gap).mean()
        if self.steps % R1_STEPS == 0:
            loss = loss + R1_WEIGHT * R1_STEPS * self._r1_penalty(x[:R1_PICTURES])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.steps += 1
        return gradient, gap.mean().item()

    def state_dict(self) -> dict[str, object]:
        """State to resume from."""
        return {"critic": self.critic.state_dict(), "optimiser": self.optimiser.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict) -> None:
        """Resume from a state of `state_dict`."""
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]

    def _r1_penalty(self, x: Tensor) -> Tensor:
        rendered = x.detach().requires_grad_()
        scores = self.critic(rendered)
        (gradient,) = torch.autograd.grad(scores.sum(), rendered, create_graph=True)
        return 0.5 * gradient.square().sum() / scores.numel()


def add_critic_gradient(pixel: Tensor, critic: Tensor) -> Tensor:
    """Add the critic's gradient to that of the pixel loss, scaled to `SHARE` times the latter's length."""
    return pixel + critic * (SHARE * pixel.norm() / critic.norm().clamp_min(1e-12))
