"""StyleGAN2 as a `Generator`."""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.checkpoints.stylegan2.check_tensors import check_stylegan2
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.errors import ConfigError
from draggan_widget.generators.feature_map import FeatureMap, batch_of
from draggan_widget.generators.generator import Generator
from draggan_widget.generators.stylegan2.drag_metadata import NO_METADATA, DragMetadata
from draggan_widget.generators.stylegan2.load_tensors import network_tensors
from draggan_widget.generators.stylegan2.mapping import MappingNetwork
from draggan_widget.generators.stylegan2.synthesis import Noises, PartialSynthesis, Synthesis
from draggan_widget.generators.windows import Plan, check_inside, plan
from draggan_widget.geometry import Window
from draggan_widget.torch_modes import in_own_modes

NOISE_MODES = ("const", "random", "none")
PREVIEW_SIDE = 128  # px: a smaller picture cannot be judged


class Network(nn.Module):
    """The mapping and the synthesis network, with the tensor names of a checkpoint."""

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = Synthesis(config)
        self.requires_grad_(False)


class StyleGAN2(Generator):
    """A generator of the StyleGAN2 family.

    Attributes:
        config: the numbers of the generator.
        network: the weights, by the tensor names of the checkpoint.
        noise_mode: "const" (the noise that was trained), "random" (drawn once for this object, so that a step's picture
            stays the same) or "none".
        picture_dtype: dtype in which pictures are drawn above 128 px; None for that of the weights.
    """

    family = "stylegan2"
    latent_spaces = ("W+", "W")
    picture_dtype: torch.dtype | None = None

    def __init__(
        self,
        network: Network,
        name: str,
        noise_mode: str = "const",
        noise_seed: int = 0,
        metadata: DragMetadata = NO_METADATA,
    ):
        """Wrap a network.

        Args:
            network: the network, its weights loaded.
            name: its name in texts and records.
            noise_mode: one of `NOISE_MODES`.
            noise_seed: seed of the noise in mode "random".
            metadata: the checkpoint's settings for drags.

        Raises:
            ConfigError: there is no such noise mode.
        """
        if noise_mode not in NOISE_MODES:
            raise ConfigError(f"noise_mode is {noise_mode!r}; expected one of {', '.join(NOISE_MODES)}")
        config = network.config
        self.config, self.network, self.name = config, network.eval(), name
        self.image_size = config.image_size
        self.num_ws, self.w_dim = config.num_ws, config.w_dim
        self.z_dim, self.c_dim = config.z_dim, config.c_dim
        self.num_blocks = config.num_blocks
        self.drag_rows = tuple(range(min(metadata.drag_rows, self.num_ws)))
        self.drag_defaults = metadata.drag_defaults
        self.device, self.dtype = network.mapping.w_avg.device, network.mapping.w_avg.dtype
        self.noise_mode = noise_mode
        self._noises = _choose_noises(network, noise_mode, noise_seed)
        self._metadata = metadata

    @classmethod
    @in_own_modes
    def from_checkpoint(cls, checkpoint: Checkpoint, name: str, device: torch.device) -> "StyleGAN2":
        """Build it from a checkpoint; on the same device its tensors are shared, not copied.

        Half-precision weights are converted to float32. Filters may be absent; they follow from the config. The
        checkpoint's settings for drags are used, too (`drag_metadata`).

        Raises:
            CheckpointError: a number or tensor is missing, out of its bounds or of another shape (`check_stylegan2`),
                or a setting for drags has another form.
        """
        config = check_stylegan2(checkpoint.config, checkpoint.tensors, name)
        metadata = DragMetadata.from_checkpoint(checkpoint, config, name)
        with torch.device("meta"):
            network = Network(config)
        network.load_state_dict(network_tensors(config, checkpoint.tensors), assign=True)
        network.requires_grad_(False).to(device)
        return cls(network, name, metadata=metadata.to(network.mapping.w_avg))

    @in_own_modes
    def with_noise(self, noise_mode: str, noise_seed: int = 0) -> "StyleGAN2":
        """The same generator with other noise; the weights are shared.

        Raises:
            ConfigError: there is no such noise mode.
        """
        other = StyleGAN2(self.network, self.name, noise_mode, noise_seed, self._metadata)
        other.picture_dtype = self.picture_dtype
        return other

    def with_half_pictures(self, half: bool = True) -> "StyleGAN2":
        """The same generator; it draws the blocks above 128 px in bfloat16 on a CPU, in float16 elsewhere.

        Features, drags and previews stay in the dtype of the weights. It is faster only where the processor computes
        bfloat16 (`docs/benchmarks.md`); with `half` False, pictures are drawn in the dtype of the weights again.
        """
        other = copy.copy(self)
        kind = torch.bfloat16 if self.device.type == "cpu" else torch.float16
        other.picture_dtype = kind if half else None
        return other

    def weights(self) -> Mapping[str, Tensor]:
        """The network's tensors, by their names in a checkpoint."""
        return self.network.state_dict()

    def block_size(self, block: int) -> tuple[int, int]:
        """(height, width) of a block's feature map."""
        if not 0 <= block < self.num_blocks:
            raise ConfigError(f"block is {block}; {self.name} has blocks 0 to {self.num_blocks - 1}")
        return self.config.block_size(block)

    def mapping(
        self,
        z: Float[Tensor, "batch z_dim"],
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        c: Float[Tensor, "batch c_dim"] | None = None,
    ) -> Float[Tensor, "batch num_ws w_dim"]:
        """Map z to ws (`Generator.mapping`).

        Raises:
            ConfigError: a conditional generator was given no class.
        """
        if self.c_dim and c is None:
            raise ConfigError(f"c is None; {self.name} has {self.c_dim} classes: pass one, one-hot, or a label")
        ws = self.network.mapping(z, c)[:, None].repeat(1, self.num_ws, 1)
        if truncation_psi == 1.0:
            return ws
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([self.network.mapping.w_avg.lerp(ws[:, :cutoff], truncation_psi), ws[:, cutoff:]], dim=1)

    def features(
        self, ws: Float[Tensor, "1 num_ws w_dim"], block: int, windows: Sequence[Window] | None = None
    ) -> FeatureMap:
        """Synthesise up to `block` (`Generator.features`).

        With `windows` only the parts of the upper blocks that the windows need are computed, where that costs less. The
        windows equal those cut from the whole map up to rounding; the map then has no picture.

        Raises:
            ValueError: a window extends beyond the map.
        """
        self.block_size(block)
        steps = None if windows is None else self._plan(block, windows)
        if windows is not None and steps is not None:
            return self.network.synthesis.windows(ws, self._noises, steps, windows)
        whole = _feature_map(self._run(ws, block))
        return whole if windows is None else whole.cut(windows)

    def mean_features(self, block: int) -> FeatureMap:
        """The mean map of a block (`Generator.mean_features`), read from the checkpoint where it holds one."""
        means = self._metadata.means
        return FeatureMap.of(block, means[block]) if block in means else super().mean_features(block)

    def windows_pay(self, block: int, windows: Sequence[Window]) -> bool:
        """Whether the windows take fewer multiplications than the whole map (`Generator.windows_pay`)."""
        return self._plan(block, windows) is not None

    def _plan(self, block: int, windows: Sequence[Window]) -> Plan | None:
        check_inside(windows, self.block_size(block), f"block {block} of {self.name}")
        return plan(self.network.synthesis.pyramid, block, tuple(windows)) if windows else None

    @torch.no_grad()
    def image(
        self,
        ws: Float[Tensor, "batch num_ws w_dim"],
        features: FeatureMap | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Float[Tensor, "batch 3 height width"]:
        """The picture (`Generator.image`); drawn from `ws` alone when `features` lack the picture of their block."""
        start = None if features is None else self._resume_from(features)
        return torch.cat([_as_rgb(self._draw(ws[i : i + 1], start, cancelled)) for i in range(len(ws))])

    def _draw(self, ws: Tensor, start: PartialSynthesis | None, cancelled: Callable[[], bool] | None) -> Tensor:
        synthesis = self.network.synthesis
        if self.picture_dtype is not None:
            start = synthesis.halved(ws, self._noises, start, self.picture_dtype, cancelled)
        return synthesis.picture(ws, self._noises, start, cancelled)

    @torch.no_grad()
    def preview(
        self, features: FeatureMap, ws: Float[Tensor, "1 num_ws w_dim"] | None = None
    ) -> Float[Tensor, "3 height width"]:
        """The picture that the blocks up to the features' block have drawn (`Generator.preview`).

        With `ws`, further blocks are computed until the picture has at least 128 px.

        Raises:
            ConfigError: only the last block of this generator draws, or `features` have no picture.
        """
        start = self._resume_from(features)
        if start is None or start.picture is None:
            raise ConfigError(
                f"block {features.block} has no preview: {self.name} draws in its last block only, or the features "
                "were made without a picture; take image()"
            )
        last = start.block
        while ws is not None and last < self.num_blocks - 1 and max(self.block_size(last)) < PREVIEW_SIDE:
            last += 1
        drawn = start if ws is None else self._run(ws, last, start)
        return _as_rgb(drawn.picture)[0]

    def _run(
        self, ws: Tensor, last: int, start: PartialSynthesis | None = None, cancelled: Callable[[], bool] | None = None
    ) -> PartialSynthesis:
        return self.network.synthesis.run(ws, self._noises, last, start, cancelled)

    def _resume_from(self, features: FeatureMap) -> PartialSynthesis | None:
        """The start of a synthesis that resumes from features; None where they are not whole or lack their picture."""
        draws = self.config.architecture == "skip" or features.block == self.num_blocks - 1
        if not features.is_whole or (draws and features.picture is None):
            return None
        picture = None if features.picture is None else features.picture[None]
        return PartialSynthesis(features.block, batch_of(features.whole.detach()), picture)


def _feature_map(drawn: PartialSynthesis) -> FeatureMap:
    return FeatureMap.of(drawn.block, drawn.x.squeeze(0), None if drawn.picture is None else drawn.picture[0])


def _as_rgb(picture: Tensor | None) -> Float[Tensor, "1 3 height width"]:
    """The picture in three channels: a grey one is repeated in each, the opacity of an RGBA picture is left out."""
    assert picture is not None
    return picture[:, :3].expand(-1, 3, -1, -1)


def _choose_noises(network: Network, mode: str, seed: int) -> Noises:
    convs, config = network.synthesis.convs(), network.config
    if mode == "none" or not config.use_noise:
        return [None] * len(convs)
    if mode == "const":
        return [conv.noise_const for conv in convs]
    source = torch.Generator("cpu").manual_seed(seed)
    drawn = [torch.randn(conv.noise_const.shape, generator=source, dtype=torch.float32) for conv in convs]
    return [noise.to(network.mapping.w_avg) for noise in drawn]
