"""Train the bundled generator: `python -m heads_training.train RUN --data FOLDER`.

For every picture the vector it was rendered from is known. So the generator is trained with supervision: z is the
vector, and the generated picture is compared with the rendered one. Training begins with small pictures, whose side is
then doubled. The state is saved every two minutes, and an interrupted run resumes from it; `heads_training.export`
turns it, at any moment, into a checkpoint that the package reads.
"""

import argparse
import copy
import dataclasses
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.generator import Network
from heads_training.adversary import Adversary, add_critic_gradient
from heads_training.data import Pictures
from heads_training.network import initial_network, synthesise, zero_carried_gradients

SAVE_SECONDS = 120
LOG_STEPS = 50
VALIDATION = 64  # pictures at the front of the set, never trained on
FEATURES = {"nose": 2.5, "eye": 2.5, "pupil": 2.5, "brow": 2.5, "nostril": 2.5, "mouth": 6.0, "lip": 6.0}
"""First word of a landmark's name -> weight added to errors around it; the weight elsewhere is 1."""
EMA_PICTURES = 6000  # time constant of the weights' moving average, in pictures


@dataclass(frozen=True)
class Plan:
    """Everything that determines a run.

    Attributes:
        channels: channels of each block, from the first upward.
        start_size: side of the constant, px.
        w_dim: length of w.
        mapping_layers: number of layers from z to w.
        mapping_lr_multiplier: factor on the learning rate of those layers.
        stages: (side of the pictures in px, number of pictures), one after the other; every side equals the one before
            or doubles it.
        batch: pictures of a step.
        learning_rate: Adam's largest learning rate, for layers of unit variance.
        adversary_from: number of pictures after which the critic joins in (`heads_training.adversary`).
        seed: seed of weights and batches.
    """

    channels: tuple[int, ...] = (256, 192, 128, 64, 32)
    start_size: int = 8
    w_dim: int = 256
    mapping_layers: int = 3
    mapping_lr_multiplier: float = 1.0
    stages: tuple[tuple[int, int], ...] = ((64, 30_000), (128, 220_000))
    batch: int = 8
    learning_rate: float = 2e-2
    adversary_from: int = 200_000
    seed: int = 0

    def config(self, vector_size: int, side: int) -> StyleGAN2Config:
        """Configuration of the network for pictures of `side` px."""
        blocks = (side // self.start_size).bit_length()
        return StyleGAN2Config(
            channels=self.channels[:blocks],
            z_dim=vector_size,
            w_dim=self.w_dim,
            start_size=(self.start_size, self.start_size),
            mapping_layers=self.mapping_layers,
            mapping_lr_multiplier=self.mapping_lr_multiplier,
            use_noise=False,
        )


class Run:
    """A training run; it resumes from the state in `folder`."""

    def __init__(self, folder: Path, data: Pictures, plan: Plan, device: str = "cpu"):
        self.folder, self.data, self.plan, self.device = folder, data, plan, torch.device(device)
        self.seen, self.minutes, self.stage = 0, 0.0, -1
        self.gap = 0.0
        self.open_mouths = data.open_mouths(VALIDATION)
        torch.manual_seed(plan.seed)
        self.adversary = Adversary(self.device)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(dataclasses.asdict(plan), indent=1))
        state = folder / "state.pt"
        if state.exists():
            self._resume(torch.load(state, map_location=self.device, weights_only=True))
        else:
            self._grow(0)

    def train(self, minutes: float) -> None:
        """Train until the plan is done or the time is over."""
        started, saved, step = time.monotonic(), time.monotonic(), 0
        before = self.minutes
        while self.seen < self.total and time.monotonic() - started < 60 * minutes:
            loss = self.advance()
            step += 1
            self.minutes = before + (time.monotonic() - started) / 60
            if step % LOG_STEPS == 0:
                self._log(f"loss {loss:.4f} gap {self.gap:.3f} rate {self.rate():.1e}")
            if time.monotonic() - saved > SAVE_SECONDS:
                saved = time.monotonic()
                self.save()
        self.save()

    def advance(self, steps: int = 1) -> float:
        """Make `steps` steps; where a stage ends, grow the network.

        Returns:
            The loss of the last step.
        """
        ends = np.cumsum([count for _, count in self.plan.stages])
        for _ in range(steps):
            stage = int(np.searchsorted(ends, self.seen, side="right"))
            if stage != self.stage:
                self._grow(stage)
            loss = self._step()
        return loss

    @property
    def total(self) -> int:
        """Number of pictures of the whole plan."""
        return sum(count for _, count in self.plan.stages)

    @property
    def side(self) -> int:
        """Side of this stage's pictures, px."""
        return self.plan.stages[self.stage][0]

    def rate(self) -> float:
        """Adam's learning rate now: a short rise at each stage, then a cosine down to a hundredth."""
        done = self.seen / self.total
        fall = 0.5 + 0.5 * math.cos(math.pi * max(0.0, done - 0.2) / 0.8)
        ends = np.cumsum([0, *(count for _, count in self.plan.stages)])
        rise = min(1.0, (self.seen - ends[self.stage] + 1) / 1000)
        return float(self.plan.learning_rate * rise * max(0.01, fall))

    def _step(self) -> float:
        plan = self.plan
        rng = np.random.default_rng((plan.seed, self.seen))  # an interrupted run draws the same batches
        ready = self.data.ready()
        indices = ready[rng.integers(VALIDATION, len(ready), plan.batch)]
        half = plan.batch // 2  # open mouths are rare; without this they are learned last
        indices[:half] = self.open_mouths[rng.integers(0, len(self.open_mouths), half)]
        indices = np.sort(indices)
        taken = self.data.take(indices, self.side, rng.random(plan.batch) < 0.5)
        x, z, landmarks = (part.to(self.device) for part in taken)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        y = synthesise(self.network, self.network.mapping(z, None), torch.bfloat16)
        loss = difference(y, x, self.weights(landmarks))
        (gradient,) = torch.autograd.grad(loss, y)
        if self.seen >= plan.adversary_from:
            critic_gradient, self.gap = self.adversary.train_step(y, x)
            gradient = add_critic_gradient(gradient, critic_gradient)
        self.optimiser.zero_grad(set_to_none=True)
        y.backward(gradient)
        zero_carried_gradients(self.network)
        self.optimiser.step()
        self.seen += plan.batch
        with torch.no_grad():
            share = max(plan.batch / EMA_PICTURES, 1 / (1 + self.seen / plan.batch / 10))
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.network.parameters()), share)
        return loss.item()

    def weights(self, landmarks: Tensor) -> Tensor:
        """Weights of errors, (n, 1, side, side): 1, and more around eyes, brows, nose and mouth."""
        words = [name.split("_")[0] for name in self.data.landmark_names]
        chosen = [i for i, word in enumerate(words) if word in FEATURES]
        more = landmarks.new_tensor([FEATURES[words[i]] for i in chosen])[:, None, None]
        places = torch.arange(self.side).to(landmarks)
        spread = 2 * (0.035 * self.side) ** 2
        along = torch.exp(-((places - landmarks[:, chosen, 0, None]) ** 2) / spread)
        down = torch.exp(-((places - landmarks[:, chosen, 1, None]) ** 2) / spread)
        return 1 + (more * down[..., :, None] * along[..., None, :]).amax(1, keepdim=True)

    @torch.no_grad()
    def validate(self) -> tuple[float, float]:
        """PSNR in dB and mean error of the averaged weights, on pictures never trained on."""
        x, z, _ = (part.to(self.device) for part in self.data.take(np.arange(VALIDATION), self.side))
        y = torch.cat([synthesise(self.ema, self.ema.mapping(part, None)) for part in z.split(16)]).clamp(-1, 1)
        psnr = -10 * ((y - x) / 2).square().mean((1, 2, 3)).log10().mean()
        return psnr.item(), (y - x).abs().mean().item()

    def save(self) -> None:
        """Save the state to resume from, and write to the log how good the averaged weights are."""
        psnr, error = self.validate()
        self._log(f"validation PSNR {psnr:.2f} error {error:.4f}")
        state = {
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "adversary": self.adversary.state_dict(),
            "seen": self.seen,
            "minutes": self.minutes,
            "stage": self.stage,
        }
        part = self.folder / "state.part"
        torch.save(state, part)
        part.replace(self.folder / "state.pt")

    def _grow(self, stage: int) -> None:
        """Build the network of a stage; where they fit, it takes the averaged weights of the stage before."""
        grown = initial_network(self.plan.config(self.data.vector_size, self.plan.stages[stage][0]), self.plan.seed)
        if stage > 0:
            held = grown.state_dict() | self.ema.state_dict()
            for name, tensor in held.items():  # a new block adds little to the picture at first
                if name not in self.ema.state_dict() and name.endswith("torgb.weight"):
                    tensor.mul_(0.1)
            grown.load_state_dict(held)
        self.stage = stage
        self._adopt(grown, copy.deepcopy(grown))

    def _adopt(self, network: Network, ema: Network) -> None:
        self.network = network.to(self.device, memory_format=torch.channels_last).train()
        self.ema = ema.to(self.device).requires_grad_(False)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), self.plan.learning_rate, betas=(0.9, 0.99), fused=True
        )

    def _resume(self, state: dict) -> None:
        self.stage, self.seen, self.minutes = state["stage"], state["seen"], state["minutes"]
        network = initial_network(self.plan.config(self.data.vector_size, self.side), self.plan.seed)
        ema = copy.deepcopy(network)
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["ema"])
        self._adopt(network, ema)
        self.optimiser.load_state_dict(state["optimiser"])
        self.adversary.load_state_dict(state["adversary"])

    def _log(self, text: str) -> None:
        with (self.folder / "log.txt").open("a") as log:
            print(f"{self.minutes:.1f} min, {self.side} px, seen {self.seen}: {text}", file=log)


def difference(y: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean error of values, of slopes on three scales, and of colours on a coarse scale."""
    loss = (weights * (y - x).abs()).mean() + 2.0 * F.avg_pool2d(y - x, 4).square().mean()
    error = y - x
    for scale in range(3):
        if scale:
            error, weights = F.avg_pool2d(error, 2), F.avg_pool2d(weights, 2)
        along = weights[..., 1:] * (error[..., 1:] - error[..., :-1]).abs()
        down = weights[..., 1:, :] * (error[..., 1:, :] - error[..., :-1, :]).abs()
        loss = loss + 0.5 * (along.mean() + down.mean())
    return loss


def main() -> None:
    """Train, or resume."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, or cuda, which no real run has used yet")
    parser.add_argument("--plan", type=json.loads, default={}, help="JSON: fields of Plan and their values")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    plan = Plan(**{name: tuple(value) if isinstance(value, list) else value for name, value in chosen.plan.items()})
    Run(chosen.run, Pictures(chosen.data), plan, chosen.device).train(chosen.minutes)


if __name__ == "__main__":
    main()
