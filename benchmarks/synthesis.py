"""Our StyleGAN2 synthesis against the grouped-convolution form: `python -m benchmarks.synthesis`.

The grouped form modulates and demodulates the weights for every sample, and convolves a batch at once with one group
per sample. Both use the same random weights and latents, config-f widths and one thread; they take turns in one
process, and the table shows the median CPU time of each and the median ratio of neighbouring runs.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from draggan_widget.checkpoints.checkpoint import Checkpoint
from draggan_widget.generators.stylegan2.config import StyleGAN2Config
from draggan_widget.generators.stylegan2.generator import Network, StyleGAN2
from draggan_widget.generators.stylegan2.layers import StyledConv, ToRGB
from draggan_widget.generators.stylegan2.synthesis import Block


def random_generator(resolution: int, channel_base: int = 32768, device: str = "cpu") -> StyleGAN2:
    config = StyleGAN2Config.of_size(resolution, channel_base)
    source = torch.Generator().manual_seed(0)
    tensors = {}
    for name, empty in Network(config).state_dict().items():
        if not name.endswith("resample_filter"):
            tensors[name] = torch.randn(empty.shape, generator=source)
    return StyleGAN2.from_checkpoint(
        Checkpoint("stylegan2", config.to_dict(), tensors, {}), "random", torch.device(device)
    )


def fir(x: Tensor, taps: Tensor, pads: list[int]) -> Tensor:
    """Filter every channel with the up-sampling filter."""
    channels = x.shape[1]
    return F.conv2d(F.pad(x, pads), (4 * taps).expand(channels, 1, -1, -1), groups=channels)


def grouped_conv(layer: StyledConv, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
    batch, channels_in = x.shape[:2]
    weight = layer.weight[None] * layer.affine(w)[:, None, :, None, None]
    weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, -1, *x.shape[2:])
    if layer.up:
        weight = weight.transpose(1, 2).reshape(batch * channels_in, -1, 3, 3)
        x = fir(F.conv_transpose2d(x, weight, stride=2, groups=batch), layer.resample_filter, [1, 1, 1, 1])
    else:
        x = F.conv2d(x, weight.reshape(-1, channels_in, 3, 3), padding=1, groups=batch)
    x = x.reshape(batch, -1, *x.shape[2:])
    if noise is not None:
        x = x.add_(noise * layer.noise_strength)
    return F.leaky_relu(x + layer.bias[:, None, None], 0.2) * 2**0.5


def grouped_rgb(layer: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    batch, channels = x.shape[:2]
    style = layer.affine(w)[:, None, :, None, None] * channels**-0.5
    weight = (layer.weight[None] * style).reshape(-1, channels, 1, 1)
    y = F.conv2d(x.reshape(1, -1, *x.shape[2:]), weight, groups=batch)
    return y.reshape(batch, -1, *x.shape[2:]) + layer.bias[:, None, None]


@torch.no_grad()
def grouped(generator: StyleGAN2, ws: Tensor) -> Tensor:
    """The picture of the "skip" architecture."""
    x, picture, row, noises = torch.empty(0), torch.empty(0), 0, generator._noises
    for block in generator.network.synthesis.children():
        assert isinstance(block, Block)
        assert isinstance(block.torgb, ToRGB)
        if block.conv0 is None:
            assert isinstance(block.const, nn.Parameter)
            x = block.const.expand(len(ws), -1, -1, -1)
        else:
            x = grouped_conv(block.conv0, x, ws[:, row], noises[row])
            row += 1
        x = grouped_conv(block.conv1, x, ws[:, row], noises[row])
        row += 1
        own = grouped_rgb(block.torgb, x, ws[:, row])
        picture = own if block.conv0 is None else own + spread(picture, block.resample_filter)
    return picture


def spread(picture: Tensor, taps: Tensor) -> Tensor:
    """Double the size: zeros between the values, then the filter."""
    batch, colours, height, width = picture.shape
    zeros = picture.new_zeros(batch, colours, height, 2, width, 2)
    zeros[:, :, :, 0, :, 0] = picture
    return fir(zeros.reshape(batch, colours, 2 * height, 2 * width), taps, [2, 1, 2, 1])


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def row(resolution: int, batch: int, rounds: int) -> str:
    generator = random_generator(resolution)
    ws = torch.randn(batch, generator.num_ws, generator.w_dim, generator=torch.Generator().manual_seed(1))
    ours, other = generator.image(ws), grouped(generator, ws)
    error = ((ours - other).abs().max() / other.abs().max()).item()
    assert error < 1e-4, f"the two pictures differ by {error:.1e} of the largest value"
    pairs = [(seconds(lambda: generator.image(ws)), seconds(lambda: grouped(generator, ws))) for _ in range(rounds)]
    ratio = statistics.median(b / a for a, b in pairs)
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    return f"| {resolution} | {batch} | {b:.3f} | {a:.3f} | {ratio:.2f} | {error:.0e} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[32, 64, 128, 256, 512, 1024])
    parser.add_argument("--batches", nargs="+", type=int, default=[1])
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print("| px | batch | grouped, s | ours, s | grouped / ours | difference |\n|---|---|---|---|---|---|")
    for resolution in chosen.sizes:
        for batch in chosen.batches:
            print(row(resolution, batch, chosen.rounds), flush=True)


if __name__ == "__main__":
    main()
