"""MobileStyleGAN as a `Generator`."""

import re
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.unpickling.byte_source import brief
from draggan_widget.errors import CheckpointError, ConfigError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.mobilestylegan.network import MobileStyleGANConfig, Network
from draggan_widget.generators.windows import Plan, check_inside, plan
from draggan_widget.geometry import Window
from draggan_widget.torch_modes import in_own_modes

# Chosen by dragging faces of the FFHQ checkpoint; lengths in px of its 1024 x 1024 picture (docs/accuracy.md).
DRAG_DEFAULTS: dict[str, float | int | str] = {
    "block": 4,
    "learning_rate": 8e-3,
    "supervision_radius": 6.0,
    "tracking_radius": 12,
    "step_length": 2.0,
    "stop_distance": 4.0,
    "confidence_gate": 0.55,
    "mean_removal": 0.4,
}
PREVIEW_BLOCK = 5  # 128 px: its head draws a face that a person can judge
BLOCK_TENSOR = re.compile(r"(preview|mean)\.(\d{1,2})\.\w+")  # name of a tensor that belongs to one block
MAX_BLOCKS = 10  # 4096 px
MAX_WIDTH = 2**16  # channels and latent entries
EXPECTED_SIZES = f"channels of at most {MAX_BLOCKS} blocks, z_dim and w_dim, each a whole number from 1 to {MAX_WIDTH}"
AGAIN = "convert or fetch it again"
DRAG_BLOCKS = 4  # a drag moves the styles of blocks 4 x 4 to 32 x 32; moving more of them fogs the picture


class MobileStyleGAN(Generator):
    """A generator of the MobileStyleGAN family, such as `load_generator("mobilestylegan-ffhq")`."""

    family = "mobilestylegan"
    latent_spaces = ("W", "W+")
    drag_defaults = DRAG_DEFAULTS

    def __init__(self, network: Network, heads: dict[int, Tensor], means: dict[int, Tensor], name: str):
        """Wrap a network.

        Args:
            network: the network, its weights loaded.
            heads: block -> linear head of `preview`, (3 * factor ** 2, channels + 1), bias last; of some blocks.
            means: block -> mean feature map, (channels, height, width); of some blocks.
            name: its name in texts and records.
        """
        config = network.config
        self.network = network.eval()
        self._heads = heads
        self._means = {block: FeatureMap.of(block, mean) for block, mean in means.items()}
        self.name = name
        self.image_size = (config.resolution, config.resolution)
        self.num_ws, self.w_dim, self.z_dim = config.num_ws, config.w_dim, config.z_dim
        self.num_blocks = len(config.channels)
        self.drag_rows = tuple(range(3 * DRAG_BLOCKS - 2))
        self.device = network.input.device
        self.dtype = network.input.dtype

    @classmethod
    @in_own_modes
    def from_checkpoint(cls, checkpoint: Checkpoint, name: str, device: torch.device) -> "MobileStyleGAN":
        """Build it from a checkpoint.

        Raises:
            CheckpointError: a number or tensor is missing, a number is out of its bounds, or a tensor has another
                shape than the config tells.
        """
        config = _checked_config(checkpoint.config, name)
        with torch.device("meta"):
            network = Network(config)
        heads, means = (_tensors_by_block(checkpoint, kind) for kind in ("preview", "mean"))
        weights = {k: v for k, v in checkpoint.tensors.items() if not BLOCK_TENSOR.fullmatch(k)}
        try:
            network.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise CheckpointError(
                f"{name} is not a MobileStyleGAN of {config.resolution} px: {error}; convert or fetch it again"
            ) from error
        network.requires_grad_(False)
        heads, means = ({b: t.to(device, torch.float32) for b, t in kind.items()} for kind in (heads, means))
        return cls(network.to(device), heads, means, name)

    def weights(self) -> Mapping[str, Tensor]:
        """The network's tensors, by their names in a checkpoint."""
        return self.network.state_dict()

    def block_size(self, block: int) -> tuple[int, int]:
        """(height, width) of a block's feature map."""
        if not 0 <= block < self.num_blocks:
            raise ConfigError(f"block is {block}; {self.name} has blocks 0 to {self.num_blocks - 1}")
        return (4 * 2**block, 4 * 2**block)

    def mapping(
        self,
        z: Float[Tensor, "batch z_dim"],
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        c: Float[Tensor, "batch c_dim"] | None = None,
    ) -> Float[Tensor, "batch num_ws w_dim"]:
        """Map z to ws (`Generator.mapping`)."""
        w = self.network.map(z)
        ws = w[:, None].repeat(1, self.num_ws, 1)
        if truncation_psi != 1.0:
            cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
            ws[:, :cutoff] = self.network.w_avg.lerp(ws[:, :cutoff], truncation_psi)
        return ws

    def features(
        self, ws: Float[Tensor, "1 num_ws w_dim"], block: int, windows: Sequence[Window] | None = None
    ) -> FeatureMap:
        """Synthesise up to `block` (`Generator.features`).

        With `windows` only the parts of the upper blocks that the windows need are computed, where that costs less.

        Raises:
            ValueError: a window extends beyond the map.
        """
        self.block_size(block)
        steps = None if windows is None else self._plan(block, windows)
        if windows is not None and steps is not None:
            return self.network.windows(ws, steps, windows)
        whole = FeatureMap.of(block, self.network.run(ws, block)[0])
        return whole if windows is None else whole.cut(windows)

    def windows_pay(self, block: int, windows: Sequence[Window]) -> bool:
        """Whether the windows take fewer multiplications than the whole map (`Generator.windows_pay`)."""
        return self._plan(block, windows) is not None

    def _plan(self, block: int, windows: Sequence[Window]) -> Plan | None:
        check_inside(windows, self.block_size(block), f"block {block} of {self.name}")
        return plan(self.network.pyramid, block, tuple(windows)) if windows else None

    def mean_features(self, block: int) -> FeatureMap:
        """The mean map of a block (`Generator.mean_features`); the checkpoint stores that of the drag's block."""
        return self._means[block] if block in self._means else super().mean_features(block)

    @torch.no_grad()
    def image(
        self,
        ws: Float[Tensor, "batch num_ws w_dim"],
        features: FeatureMap | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Float[Tensor, "batch 3 height width"]:
        """The picture (`Generator.image`)."""
        start = None if features is None else (features.block, features.whole.detach()[None])
        return torch.cat([self.network.picture(ws[i : i + 1], start, cancelled) for i in range(len(ws))])

    @torch.no_grad()
    def preview(
        self, features: FeatureMap, ws: Float[Tensor, "1 num_ws w_dim"] | None = None
    ) -> Float[Tensor, "3 height width"]:
        """A small picture drawn by a linear head that was fitted when the checkpoint was made (`Generator.preview`).

        Raises:
            ConfigError: no head was fitted for this block.
        """
        block, x = features.block, features.whole.detach()[None]
        if ws is not None and block < PREVIEW_BLOCK and PREVIEW_BLOCK in self._heads:
            x = self.network.run(ws, PREVIEW_BLOCK, (block, x))
            block = PREVIEW_BLOCK
        if block not in self._heads:
            raise ConfigError(f"block {block} has no preview; blocks with one are {sorted(self._heads)}")
        head = self._heads[block]
        small = F.conv2d(x, head[:, :-1, None, None], head[:, -1])
        return F.pixel_shuffle(small, round((head.shape[0] // 3) ** 0.5))[0]


def _tensors_by_block(checkpoint: Checkpoint, kind: str) -> dict[int, Tensor]:
    """Block -> tensor, of the tensors named KIND.BLOCK.anything."""
    found = {BLOCK_TENSOR.fullmatch(key): tensor for key, tensor in checkpoint.tensors.items()}
    return {int(match[2]): tensor for match, tensor in found.items() if match is not None and match[1] == kind}


def _checked_config(config: Mapping[str, object], name: str) -> MobileStyleGANConfig:
    """The sizes that a checkpoint states, within bounds: a few bytes may claim a picture that never ends."""
    missing = [key for key in ("channels", "z_dim", "w_dim") if key not in config]
    if missing:
        raise CheckpointError(
            f"{name} has a configuration without {missing[0]!r}; expected channels, z_dim and w_dim; {AGAIN}"
        )
    channels, z_dim, w_dim = config["channels"], config["z_dim"], config["w_dim"]
    sizes = [z_dim, w_dim, *(channels if isinstance(channels, (list, tuple)) else [None])]
    if not 3 <= len(sizes) <= 2 + MAX_BLOCKS or not all(type(n) is int and 0 < n <= MAX_WIDTH for n in sizes):
        found = f"channels {brief(channels)}, z_dim {brief(z_dim)} and w_dim {brief(w_dim)}"
        raise CheckpointError(f"{name} has {found}; expected {EXPECTED_SIZES}; {AGAIN}")
    return MobileStyleGANConfig(tuple(sizes[2:]), sizes[0], sizes[1])  # type: ignore[arg-type]
