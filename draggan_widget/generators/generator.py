"""The abstract generator that every family implements, and the sha256 of a generator's weights."""

import hashlib
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from draggan_widget.errors import ConfigError
from draggan_widget.generators.feature_map import FeatureMap
from draggan_widget.geometry import Window
from draggan_widget.torch_modes import in_own_modes

MEAN_SEEDS = range(100_000, 100_100)  # seeds of the pictures that `Generator.mean_features` averages
MEAN_PSI = 0.7
_means: "weakref.WeakKeyDictionary[Generator, dict[int, FeatureMap]]" = weakref.WeakKeyDictionary()
_mean_lock = threading.Lock()
_identities: "weakref.WeakKeyDictionary[Generator, str | None]" = weakref.WeakKeyDictionary()
_identity_lock = threading.Lock()
COMPUTING = ("mapping", "features", "image", "preview", "mean_features", "z_from_seed", "ws_from_seed")


class Generator(ABC):
    """A trained generator, read-only after construction, so that threads and sessions may share it.

    Attributes:
        name: its name in texts and records, as the user gave it.
        family: "stylegan2", "mobilestylegan".
        image_size: (height, width) of the picture, px.
        num_ws: rows of `ws`.
        w_dim: columns of `ws`.
        z_dim: length of `z`.
        c_dim: number of classes of a conditional generator, else 0.
        num_blocks: number of synthesis blocks; block 0 is the smallest.
        latent_spaces: the latent spaces a drag may optimise in, the preferred one first.
        drag_rows: the rows of `ws` that a drag may move.
        drag_defaults: this generator's own `DragConfig` values (lengths in px of its picture).
        device: device of the weights.
        dtype: dtype of weights and latents.
    """

    name: str
    family: str
    image_size: tuple[int, int]
    num_ws: int
    w_dim: int
    z_dim: int
    c_dim: int = 0
    num_blocks: int
    latent_spaces: tuple[str, ...]
    drag_rows: tuple[int, ...]
    drag_defaults: Mapping[str, float | int | str]
    device: torch.device
    dtype: torch.dtype

    def __init_subclass__(cls) -> None:
        """Let the methods that compute leave the caller's torch modes, in this package's families and in others."""
        super().__init_subclass__()
        for name in COMPUTING:
            if name in vars(cls):
                setattr(cls, name, in_own_modes(vars(cls)[name]))

    @property
    def resolution(self) -> int:
        """The longer side of the picture, px."""
        return max(self.image_size)

    @abstractmethod
    def block_size(self, block: int) -> tuple[int, int]:
        """(height, width) of a block's feature map; ConfigError when there is no such block."""

    @abstractmethod
    def mapping(
        self,
        z: Float[Tensor, "batch z_dim"],
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        c: Float[Tensor, "batch c_dim"] | None = None,
    ) -> Float[Tensor, "batch num_ws w_dim"]:
        """Map z to ws.

        Args:
            z: normally distributed.
            truncation_psi: factor of the distance to the mean latent; 1 leaves ws as they are.
            truncation_cutoff: number of rows, from the first, that are truncated; None for all.
            c: the class of a conditional generator, one-hot.
        """

    @abstractmethod
    def features(
        self, ws: Float[Tensor, "1 num_ws w_dim"], block: int, windows: Sequence[Window] | None = None
    ) -> FeatureMap:
        """Synthesise up to `block` and stop there; differentiable in `ws`.

        Args:
            ws: the latent.
            block: the block whose feature map is wanted.
            windows: the parts of the map that are wanted, feature px; None for the whole map.
        """

    def windows_pay(self, block: int, windows: Sequence[Window]) -> bool:
        """Whether computing these windows costs less than the whole map; False where windows are cut from it."""
        return False

    @abstractmethod
    def image(
        self,
        ws: Float[Tensor, "batch num_ws w_dim"],
        features: FeatureMap | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Float[Tensor, "batch 3 height width"]:
        """The picture in [-1, 1] (values may lie a little outside), without a graph.

        Args:
            ws: the latent.
            features: the whole map of some block at the same `ws`; the blocks up to it are not computed again.
            cancelled: called between blocks; when it returns True the picture is dropped.

        Raises:
            Cancelled: `cancelled` returned True.
        """

    @abstractmethod
    def preview(
        self, features: FeatureMap, ws: Float[Tensor, "1 num_ws w_dim"] | None = None
    ) -> Float[Tensor, "3 height width"]:
        """A cheap, smaller picture in [-1, 1] from the features of a drag's block, without a graph.

        Args:
            features: the whole map of some block.
            ws: the latent of these features; with it the generator may compute further blocks, which show more.

        Raises:
            ConfigError: this generator has no preview for that block.
        """

    @in_own_modes
    def mean_features(self, block: int) -> FeatureMap:
        """The mean feature map of a block over the pictures of `MEAN_SEEDS` at psi 0.7.

        It is read where the generator stores it; else it is computed on the first call (seconds) and kept.

        Raises:
            ConfigError: there is no such block.
        """
        self.block_size(block)
        with _mean_lock:
            kept = _means.setdefault(self, {})
            if block not in kept:
                kept[block] = FeatureMap.of(block, self._mean_features(block))
            return kept[block]

    def _mean_features(self, block: int) -> Float[Tensor, "channels height width"]:
        total = torch.zeros((), device=self.device, dtype=self.dtype)
        with torch.no_grad():
            for seed in MEAN_SEEDS:
                label = None if self.c_dim == 0 else seed % self.c_dim
                total = total + self.features(self.ws_from_seed(seed, MEAN_PSI, label), block).whole
        return total / len(MEAN_SEEDS)

    @in_own_modes
    def z_from_seed(self, seed: int) -> Float[Tensor, "1 z_dim"]:
        """The z of `seed`, drawn as the official tools draw it."""
        if not 0 <= seed < 2**32:
            raise ConfigError(f"seed is {seed}; expected a whole number from 0 to 2**32 - 1")
        z = np.random.RandomState(seed).randn(1, self.z_dim)
        return torch.from_numpy(z).to(self.device, self.dtype)

    @in_own_modes
    def ws_from_seed(
        self, seed: int, truncation_psi: float = 1.0, label: int | None = None
    ) -> Float[Tensor, "1 num_ws w_dim"]:
        """The latent of a seed.

        Args:
            seed: a whole number from 0 to 2**32 - 1.
            truncation_psi: factor of the distance to the mean latent (`mapping`).
            label: index of the class, for a conditional generator only.

        Raises:
            ConfigError: there is no such seed or class.

        Examples:
            >>> from draggan_widget import load_generator
            >>> ws = load_generator("heads", "cpu").ws_from_seed(0, truncation_psi=0.7)
        """
        with torch.no_grad():
            return self.mapping(self.z_from_seed(seed), truncation_psi, c=self._one_hot(label))

    def refreshed(self) -> "Generator":
        """This generator with its weights read again; itself where no other code can change them."""
        return self

    def weights(self) -> Mapping[str, Tensor]:
        """The weights by name, for `sha256`; empty where a generator does not tell them."""
        return {}

    @property
    def sha256(self) -> str | None:
        """sha256 of the names, dtypes, shapes and values of the weights; None where `weights` is empty.

        It does not depend on the file format. It is computed once: later changes in place show in `refreshed` only.
        """
        with _identity_lock:
            if self not in _identities:
                _identities[self] = weights_sha256(self.weights())
            return _identities[self]

    def free_memory(self) -> None:
        """Release PyTorch's cached device memory, after an allocation failed."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _one_hot(self, label: int | None) -> Float[Tensor, "1 c_dim"] | None:
        if label is None and self.c_dim == 0:
            return None
        if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < self.c_dim:
            expected = f"0 to {self.c_dim - 1}" if self.c_dim else "None, since it is not conditional"
            raise ConfigError(f"label is {label!r}; {self.name} expects {expected}")
        c = torch.zeros(1, self.c_dim, device=self.device, dtype=self.dtype)
        c[0, label] = 1.0
        return c


def weights_sha256(weights: Mapping[str, Tensor]) -> str | None:
    """sha256 over names, dtypes, shapes and values, in the order of the names; None without weights."""
    if not weights:
        return None
    digest = hashlib.sha256()
    for name in sorted(weights):
        values = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
