"""Generators whose drags have a known answer: soft blobs whose centres are linear in w."""

import math
from collections.abc import Callable, Sequence
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.errors import Cancelled, ConfigError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.geometry import Window

GAIN = 40.0  # image px the centre moves when w moves by 1
SPREADS = (4.0, 7.0, 11.0)  # image px of the blob's rings, three channels each


class BlobGenerator(Generator):
    """One blob, centred at middle + GAIN * mean over the drag rows of w[:2]; features encode the way to the centre."""

    name = "blob"
    family = "analytic"
    latent_spaces = ("W", "W+")
    drag_defaults = MappingProxyType({"block": 3, "learning_rate": 2e-2})

    def __init__(self, side: int = 64, wide: int = 1, dtype: torch.dtype = torch.float32, device: str = "cpu"):
        self.image_size = (side, side * wide)
        self.num_ws, self.w_dim, self.z_dim, self.num_blocks = 4, 8, 8, int(math.log2(side)) - 1
        self.drag_rows = (0, 1)
        self.device, self.dtype = torch.device(device), dtype
        self.drawn = 0
        self.calls = 0

    def block_size(self, block: int) -> tuple[int, int]:
        if not 0 <= block < self.num_blocks:
            raise ConfigError(f"block is {block}; blob has blocks 0 to {self.num_blocks - 1}")
        side = 4 * 2**block
        return (side, side * self.image_size[1] // self.image_size[0])

    def mapping(
        self,
        z: Float[Tensor, "batch z_dim"],
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        c: Float[Tensor, "batch c_dim"] | None = None,
    ) -> Float[Tensor, "batch num_ws w_dim"]:
        return (0.1 * truncation_psi * z)[:, None].repeat(1, self.num_ws, 1)

    def centre(self, ws: Float[Tensor, "1 num_ws w_dim"]) -> Float[Tensor, " 2"]:
        """(x, y) in image px: the known answer."""
        height, width = self.image_size
        middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=ws.dtype, device=ws.device)
        return middle + GAIN * ws[0, list(self.drag_rows), :2].mean(dim=0)

    def ws_at(self, x: float, y: float) -> Float[Tensor, "1 num_ws w_dim"]:
        """A latent whose blob is centred at (x, y), image px."""
        height, width = self.image_size
        ws = torch.zeros(1, self.num_ws, self.w_dim, dtype=self.dtype, device=self.device)
        ws[..., 0], ws[..., 1] = (x - (width - 1) / 2) / GAIN, (y - (height - 1) / 2) / GAIN
        return ws

    def features(
        self, ws: Float[Tensor, "1 num_ws w_dim"], block: int, windows: Sequence[Window] | None = None
    ) -> FeatureMap:
        self.calls += 1
        whole = FeatureMap.of(block, self._maps(ws, *self.block_size(block)))
        return whole if windows is None else whole.cut(windows)

    @torch.no_grad()
    def image(
        self,
        ws: Float[Tensor, "batch num_ws w_dim"],
        features: FeatureMap | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Float[Tensor, "batch 3 height width"]:
        if cancelled is not None and cancelled():
            raise Cancelled("the picture was dropped")
        self.drawn += 1
        maps = [self._maps(row[None], *self.image_size) for row in ws]
        return torch.stack([2 * m[[0, 3, 6]] - 1 for m in maps])

    @torch.no_grad()
    def preview(
        self, features: FeatureMap, ws: Float[Tensor, "1 num_ws w_dim"] | None = None
    ) -> Float[Tensor, "3 height width"]:
        return 2 * features.whole[[0, 3, 6]] - 1

    def _maps(self, ws: Tensor, height: int, width: int) -> Float[Tensor, "channels height width"]:
        scale = self.image_size[0] / height
        xs = (torch.arange(width, dtype=ws.dtype, device=ws.device) + 0.5) * scale - 0.5
        ys = (torch.arange(height, dtype=ws.dtype, device=ws.device) + 0.5) * scale - 0.5
        centre = self.centre(ws)
        dx, dy = (xs - centre[0])[None, :], (ys - centre[1])[:, None]
        channels = []
        for spread in SPREADS:
            bump = torch.exp(-(dx**2 + dy**2) / (2 * spread**2))
            channels += [bump, bump * dx / spread, bump * dy / spread]
        return torch.stack(channels)


class PairGenerator(BlobGenerator):
    """Two blobs, each in its own channels; the second moves along with the first unless w[2:4] holds it back."""

    name = "pair"
    SECOND = (0.0, 16.0)  # image px from the middle, at w = 0
    CARRIED = 0.5  # share of the first blob's movement that the second follows

    def second_centre(self, ws: Float[Tensor, "1 num_ws w_dim"]) -> Float[Tensor, " 2"]:
        """(x, y) of the second blob in image px."""
        w = ws[0, list(self.drag_rows)].mean(dim=0)
        height, width = self.image_size
        home = [(width - 1) / 2 + self.SECOND[0], (height - 1) / 2 + self.SECOND[1]]
        return torch.tensor(home, dtype=ws.dtype, device=ws.device) + GAIN * (self.CARRIED * w[:2] + w[2:4])

    def _maps(self, ws: Tensor, height: int, width: int) -> Float[Tensor, "channels height width"]:
        middle = torch.tensor(
            [(self.image_size[1] - 1) / 2, (self.image_size[0] - 1) / 2], dtype=ws.dtype, device=ws.device
        )
        moved = torch.cat([((self.second_centre(ws) - middle) / GAIN).expand(1, ws.shape[1], 2), ws[..., 2:]], dim=2)
        return torch.cat([super()._maps(ws, height, width), super()._maps(moved, height, width)])
