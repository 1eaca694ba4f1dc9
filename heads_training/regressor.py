"""A landmark regressor, trained on renders: `python -m heads_training.regressor FOLDER --data DATA [--minutes M]`.

It computes a heat map for every landmark, at a quarter of the picture's side; a landmark is the mean position of its
map (Nibali et al. 2018, arXiv:1801.07372), so positions lie between pixels. The state is saved every minute, and an
interrupted run resumes from it; `heads_training.judge` reads `regressor.safetensors` beside it.

Pictures are shifted, rotated, scaled, blurred and recoloured at random: the regressor must find where a landmark is,
not where heads usually have it.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from heads_training.data import Pictures

SAVE_SECONDS = 60
LOG_STEPS = 100
VALIDATION = 500  # pictures at the front of the set, never trained on
SIDE = 128  # px: largest side of the pictures it is trained on
WIDTHS = (64, 128, 192, 192)  # channels at a quarter of the picture's side, an eighth, ...
CELL = 4  # px: side of a heat map's cell in the picture
BATCH = 32
PICTURES = 30_000  # pictures of a whole run: about 8 minutes of one core at 128 px
RATE = 2e-3  # Adam's largest learning rate
DOUBT_WEIGHT = 0.05  # weight of the predicted errors ("doubts") in the loss; the landmarks' own weight is 1
# largest random changes: share of the side, radians, natural logarithm of the factor
SHIFT, TURN, SCALE = 0.08, math.radians(12), 0.14


class Regressor(nn.Module):
    """A network that finds landmarks in pictures.

    Attributes:
        names: names of the landmarks, in order.
        side: side of the pictures it was trained on, px.
        widths: channels at a quarter of the picture's side, an eighth, ...
    """

    def __init__(self, names: list[str], side: int, widths: Sequence[int] = WIDTHS):
        super().__init__()
        self.names, self.side, self.widths = names, side, tuple(widths)
        fine, *coarse = widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(CELL), _conv(3 * CELL**2, fine, 1), Residual(fine))
        inputs = (fine, *coarse[:-1])
        self.down = nn.ModuleList(
            nn.Sequential(_conv(i, o, 2), Residual(o)) for i, o in zip(inputs, coarse, strict=True)
        )
        self.up = nn.ModuleList(_conv(o, i, 1) for i, o in zip(inputs, coarse, strict=True))
        self.head = nn.Sequential(Residual(fine), nn.Conv2d(fine, len(names), 1))
        self.doubts = nn.Linear(coarse[-1], len(names))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (n, k, height, width) before the softmax; landmarks (n, k, 2) and doubts (n, k), in px."""
        levels = [self.stem(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        doubts = F.softplus(self.doubts(levels[-1].mean((2, 3))).float())
        y = levels.pop()
        for up in reversed(self.up):
            y = levels.pop() + F.interpolate(up(y), scale_factor=2.0)
        maps = self.head(y).float()
        return maps, soft_argmax(maps, self.side), doubts

    @torch.no_grad()
    def landmarks(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Find the landmarks of pictures (n, 3, size, size) in [-1, 1].

        Returns:
            Landmarks (n, k, 2) and their predicted errors ("doubts"), (n, k), both in px of `size`.
        """
        size = pictures.shape[-1]
        found = []
        for part in pictures.clamp(-1, 1).split(BATCH):
            if size != self.side:
                part = F.interpolate(part, size=(self.side, self.side), mode="bilinear", antialias=size > self.side)
            _, places, doubts = self(part)
            found.append(((places + 0.5) * (size / self.side) - 0.5, doubts * (size / self.side)))
        return torch.cat([places for places, _ in found]), torch.cat([doubts for _, doubts in found])

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        part = path.with_suffix(".part")
        plain = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        meta = {"landmark_names": json.dumps(self.names), "side": str(self.side), "widths": json.dumps(self.widths)}
        safetensors.torch.save_file(plain, part, meta)
        part.replace(path)


def load(path: Path) -> Regressor:
    """Load a file of `Regressor.save`, for inference."""
    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
    network = Regressor(json.loads(meta["landmark_names"]), int(meta["side"]), json.loads(meta["widths"]))
    network.load_state_dict(safetensors.torch.load_file(path))
    return network.requires_grad_(False).eval()


class Residual(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(_conv(width, width, 1), _conv(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return x + self.layers(x)


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def soft_argmax(maps: Tensor, side: int) -> Tensor:
    """Mean (x, y) of each map, (n, k, 2) in px of a picture of `side`; maps (n, k, h, w) before the softmax."""
    height, width = maps.shape[-2:]
    shares = maps.flatten(2).softmax(2).unflatten(2, (height, width))
    scale = side / width
    x = (torch.arange(width) + 0.5) * scale - 0.5
    y = (torch.arange(height) + 0.5) * scale - 0.5
    return torch.stack([shares.sum(2) @ x, shares.sum(3) @ y], dim=2)


def loss_of(network: Regressor, x: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, and the mean error in px; landmarks outside the picture do not count."""
    with torch.autocast("cpu", torch.bfloat16):
        maps, places, doubts = network(x)
    inside = ((landmarks > -0.5) & (landmarks < x.shape[-1] - 0.5)).all(2).float()
    count = inside.sum().clamp_min(1)
    errors = ((places - landmarks).square().sum(2) + 1e-4).sqrt()
    error = (errors * inside).sum() / count
    width = maps.shape[-1]
    cells = (landmarks + 0.5) * (width / x.shape[-1]) - 0.5
    place = torch.arange(width)
    along = torch.exp(-0.5 * (place - cells[..., 0, None]) ** 2)  # a spread of one cell
    down = torch.exp(-0.5 * (place - cells[..., 1, None]) ** 2)
    expected = (down[..., :, None] * along[..., None, :]).flatten(2)
    shapes = -(expected / expected.sum(2, keepdim=True).clamp_min(1e-6) * maps.flatten(2).log_softmax(2)).sum(2)
    doubt = ((doubts - errors.detach()).abs() * inside).sum() / count
    return error + 0.1 * (shapes * inside).sum() / count + DOUBT_WEIGHT * doubt, error.detach()


def augment(x: Tensor, landmarks: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Shift, rotate, scale, blur and recolour pictures at random; return them and their new landmarks."""
    count, side = len(x), x.shape[-1]
    draw = torch.from_numpy(rng.uniform(-1, 1, (count, 12))).float()
    turn, scale, shift = draw[:, 0] * TURN, torch.exp(draw[:, 1] * SCALE), draw[:, 2:4] * 2 * SHIFT
    c, s = turn.cos() * scale, turn.sin() * scale  # a place p of the new picture shows M p + t of the old one
    matrix = torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)
    grid = F.affine_grid(torch.cat([matrix, shift[:, :, None]], 2), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    old = (landmarks + 0.5) * (2 / side) - 1
    new = torch.linalg.solve(matrix, (old - shift[:, None]).transpose(1, 2)).transpose(1, 2)
    landmarks = (new + 1) * (side / 2) - 0.5
    x = x.lerp(blur(x), draw[:, 4].clamp_min(0)[:, None, None, None])  # half of them stay sharp
    gain = 1 + 0.2 * draw[:, 5, None] + 0.08 * draw[:, 6:9]
    lift = 0.15 * draw[:, 9, None] + 0.06 * draw[:, [10, 11, 6]]
    return x * gain[:, :, None, None] + lift[:, :, None, None], landmarks


def blur(x: Tensor) -> Tensor:
    """Mean over 3 x 3 px; by slices, which is faster than pooling."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = x[..., :-2] + x[..., 1:-1] + x[..., 2:]
    return (x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]) / 9


class Run:
    """A training run of a regressor; it resumes from the state in `folder`."""

    def __init__(self, folder: Path, data: Pictures, pictures: int, seed: int = 0):
        torch.manual_seed(seed)
        self.folder, self.data, self.total, self.seed = folder, data, pictures, seed
        folder.mkdir(parents=True, exist_ok=True)
        network = Regressor(data.landmark_names, min(SIDE, data.size), WIDTHS)
        self.network = network.to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), RATE, weight_decay=1e-3)
        self.seen, self.minutes = 0, 0.0
        if (folder / "state.pt").exists():
            state = torch.load(folder / "state.pt", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.seen, self.minutes = state["seen"], state["minutes"]
        self.rng = np.random.default_rng((seed, self.seen))

    def train(self, minutes: float) -> None:
        """Train until all pictures were seen or the time is over."""
        started, saved, before, errors = time.monotonic(), time.monotonic(), self.minutes, []
        while self.seen < self.total and time.monotonic() - started < 60 * minutes:
            errors.append(self._step())
            self.minutes = before + (time.monotonic() - started) / 60
            if len(errors) == LOG_STEPS:
                self._log(f"mean error {np.mean(errors):.3f} px, rate {self.rate():.1e}")
                errors = []
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        self.save()

    def rate(self) -> float:
        """Adam's learning rate now: a short rise, then a cosine down to 0.005 of the largest."""
        done = self.seen / self.total
        return RATE * min(1.0, (self.seen + BATCH) / 3200) * max(0.005, 0.5 + 0.5 * math.cos(math.pi * done))

    def _step(self) -> float:
        ready = self.data.ready()
        chosen = np.sort(ready[self.rng.integers(VALIDATION, len(ready), BATCH)])
        x, _, landmarks = self.data.take(chosen, self.network.side, self.rng.random(BATCH) < 0.5)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        loss, error = loss_of(self.network.train(), *augment(x, landmarks, self.rng))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.seen += BATCH
        return float(error)

    def validate(self) -> tuple[Tensor, Tensor]:
        """Errors and predicted errors, (pictures, k) in px, on pictures never trained on."""
        x, _, landmarks = self.data.take(np.arange(VALIDATION), self.network.side)
        places, doubts = self.network.eval().landmarks(x)
        return (places - landmarks).norm(dim=2), doubts

    def save(self) -> None:
        """Save the state to resume from, and the regressor."""
        errors, _ = self.validate()
        self._log(f"held-out mean error {errors.mean():.3f} px")
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        part = self.folder / "state.part"
        torch.save(state | {"seen": self.seen, "minutes": self.minutes}, part)
        part.replace(self.folder / "state.pt")
        self.network.save(self.folder / "regressor.safetensors")

    def _log(self, text: str) -> None:
        with (self.folder / "log.txt").open("a") as log:
            print(f"{self.minutes:.1f} min, seen {self.seen}: {text}", file=log)

    def report(self) -> str:
        """A table of the error of every landmark on held-out renders, also over the half with the smaller doubts."""
        errors, doubts = self.validate()
        lines = [f"| landmark | mean error, px at {self.network.side} | of the half less in doubt |", "|---|---|---|"]
        sure = doubts <= doubts.median(dim=0).values
        for index, name in enumerate(self.network.names):
            lines.append(f"| {name} | {errors[:, index].mean():.2f} | {errors[sure[:, index], index].mean():.2f} |")
        lines.append(f"| all | {errors.mean():.2f} | {errors[sure].mean():.2f} |")
        return "\n".join(lines)


def main() -> None:
    """Train it, or resume, and print its errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    run = Run(chosen.folder, Pictures(chosen.data), chosen.pictures)
    run.train(chosen.minutes)
    print(run.report())


if __name__ == "__main__":
    main()
