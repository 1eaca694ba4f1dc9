"""Extracts the weights of MobileStyleGAN's two graphs by walking from the result back to the input.

Source: S. Belousov, MobileStyleGAN, arXiv:2104.04767, as exported in the wheel random-face 2021.7.21.1.

Mapping: pixel norm `x * (mean(x ** 2) + 1e-8) ** -0.5`, then eight times linear, leaky relu 0.2, times sqrt 2 (the
last one too). Synthesis: a constant, a 3 x 3 convolution, seven layers [style, inverse Haar, two separable convs],
a 12-channel picture convolution with a bias, inverse Haar. A convolution is: style, kernel, + noise, + bias, leaky relu
0.2 without gain; the picture's has neither noise nor relu; the demodulation is a constant folded into the kernels.

The inverse Haar takes 4 C channels to C at twice the size. Input channel c is the average of output c; input channel
`C + 3 * c + k` (k = 0, 1, 2) is its k-th detail. A band adds `value * y[row] * x[column] / 2` to its 2 x 2 pixels:

    average   y (+, +)  x (+, +)
    detail 0  y (+, -)  x (+, +)
    detail 1  y (+, +)  x (+, -)
    detail 2  y (+, -)  x (+, -)
"""

import math

import numpy as np

from draggan_widget.checkpoints.mobilestylegan.openvino_ir import Cursor, Graph, result_cursor

LAYERS = 7
MAPPING_LAYERS = 8
LEAK = 0.2
HAAR = {  # band -> signs over (y, x)
    0: ((1, 1), (1, 1)),
    1: ((1, -1), (1, 1)),
    2: ((1, 1), (1, -1)),
    3: ((1, -1), (1, -1)),
}

Parts = list[tuple[str, np.ndarray]]  # (role, values), in execution order


def mapping_parts(graph: Graph) -> Parts:
    """Weights of the mapping network by role, in execution order."""
    at, parts = result_cursor(graph), Parts()
    for _ in range(MAPPING_LAYERS):
        at = at.with_number("Multiply", math.sqrt(2)).with_number("PReLU", LEAK)
        product, bias = at.inputs("Add", 2)
        at, weight = _linear(product)
        parts = [("mapping weight", weight), ("mapping bias", bias.inputs("Reshape", 2)[0].constant()), *parts]
    _check_pixel_norm(at)
    return parts


def synthesis_parts(graph: Graph) -> Parts:
    """Weights of the synthesis network by role, in execution order."""
    at, parts = _picture_convolution(inverse_haar_input(result_cursor(graph)))
    for _ in range(LAYERS):
        for step in (_separable, _separable, _upsampling):
            at, earlier = step(at)
            parts = earlier + parts
    return _first_convolution(at) + parts


def _check_pixel_norm(at: Cursor) -> None:
    variable, inverse = at.inputs("Multiply", 2)
    root = inverse.with_number("Multiply", 1.0).with_number("Power", -1.0)
    mean = root.with_number("Power", 0.5).with_number("Add", 1e-8)
    square = mean.with_number("ReduceMean", 1)
    base = square.with_number("Power", 2.0)
    if variable.layer.kind != "Parameter" or base.layer.id != variable.layer.id:
        raise at.refuse("pixel norm of the network's input")


def _linear(at: Cursor) -> tuple[Cursor, np.ndarray]:
    at.check_attributes({"transpose_a": "false", "transpose_b": "true"})
    return at.with_constant("MatMul")


def _modulated(at: Cursor) -> tuple[Cursor, Parts]:
    style, data = at.inputs("Multiply", 2)
    if data.shape[2:] == (1, 1):
        style, data = data, style
    scale = np.float32(1)
    if style.layer.kind == "Multiply":
        style, factor = style.with_constant("Multiply")
        if factor.size != 1:
            raise style.refuse(f"a style times one number, found {factor.size}")
        scale = np.float32(factor.reshape(()))
    product, bias = style.inputs("Reshape", 2)[0].with_constant("Add")
    source, weight = _linear(product)
    if source.layer.kind != "Parameter":
        raise source.refuse("the network's input")
    return data, [("style weight", weight * scale), ("style bias", bias * scale)]


def _activated(at: Cursor) -> tuple[Cursor, Parts]:
    noisy, bias = at.with_number("PReLU", LEAK).with_constant("Add")
    source, noise = noisy.with_constant("Add")
    return source, [("noise", noise), ("bias", bias)]


def _convolved(at: Cursor, kind: str, padding: int) -> tuple[Cursor, np.ndarray]:
    pads = f"{padding}, {padding}"
    at.check_attributes({"strides": "1, 1", "dilations": "1, 1", "pads_begin": pads, "pads_end": pads})
    return at.with_constant(kind)


def _separable(at: Cursor) -> tuple[Cursor, Parts]:
    at, ending = _activated(at)
    at, pointwise = _convolved(at, "Convolution", 0)
    at, depthwise = _convolved(at, "GroupConvolution", 1)
    at, style = _modulated(at)
    return at, [*style, ("depthwise", depthwise), ("pointwise", pointwise), *ending]


def _upsampling(at: Cursor) -> tuple[Cursor, Parts]:
    return _modulated(inverse_haar_input(at))


def _first_convolution(at: Cursor) -> Parts:
    at, ending = _activated(at)
    at, kernel = _convolved(at, "Convolution", 1)
    at, style = _modulated(at)
    constant = at.inputs("Tile", 2)[0].inputs("Broadcast", 2)[0].constant()
    return [("input", constant), *style, ("full kernel", kernel), *ending]


def _picture_convolution(at: Cursor) -> tuple[Cursor, Parts]:
    at, bias = at.with_constant("Add")
    at, kernel = _convolved(at, "Convolution", 0)
    at, style = _modulated(at)
    return at, [*style, ("rgb kernel", kernel), ("rgb bias", bias)]


def inverse_haar_input(at: Cursor) -> Cursor:
    """The input of the upsampling that ends here, after a check that its constants are the inverse Haar's."""
    bands: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    origins: list[Cursor] = []
    for column_part in at.inputs("Add", 2):
        rows, x = _upsample_axis(column_part, axis=1)
        for row_part in rows.inputs("Add", 2):
            leaf, y = _upsample_axis(row_part, axis=0)
            origin, band = _band(leaf)
            bands[band] = (y, x)
            origins.append(origin)
    if bands != HAAR or len({(origin.layer.id, origin.port) for origin in origins}) != 1:
        raise at.refuse(f"the inverse Haar of one map with signs (y, x) {HAAR}, found {bands}")
    return origins[0]


def _upsample_axis(at: Cursor, axis: int) -> tuple[Cursor, tuple[int, ...]]:
    source, kernel = at.with_constant("GroupConvolutionBackpropData")
    at.check_attributes(
        {"strides": ("2, 1", "1, 2")[axis], "dilations": "1, 1", "pads_begin": "0, 0", "pads_end": "0, 0"}
    )
    size = ((2, 1), (1, 2))[axis]
    expected = f"one Haar pair +-1/sqrt(2) for each of {source.channels} channels along axis {axis}"
    if kernel.shape != (source.channels, 1, 1, *size):
        raise at.refuse(f"{expected}, found an array of shape {kernel.shape}")
    signs = np.where(kernel[:1] < 0, -1, 1)
    if not np.allclose(kernel, signs / math.sqrt(2), rtol=0, atol=1e-6):
        raise at.refuse(f"{expected}, found {np.unique(kernel)[:4].tolist()}")
    return source, tuple(signs.ravel().tolist())


def _band(leaf: Cursor) -> tuple[Cursor, int]:
    """The map that a Haar band was split from, and the band's number: 0 for the average, 1 to 3 for the details."""
    if leaf.layer.kind == "VariadicSplit":
        return _split_from(leaf, branch=0), 0
    detail = leaf.with_number("Squeeze", 2)
    stacked, axis, lengths = detail.inputs("VariadicSplit", 3)
    channels = leaf.channels
    if axis.constant().tolist() != 2 or lengths.constant().tolist() != [1, 1, 1] or stacked.shape[1:3] != (channels, 3):
        raise detail.refuse(f"three details of each of {channels} channels")
    return _split_from(stacked.inputs("Reshape", 2)[0], branch=1), detail.branch + 1


def _split_from(at: Cursor, branch: int) -> Cursor:
    """The map of 4 C channels that was split into its first C (branch 0) and last 3 C channels (branch 1)."""
    origin, axis, lengths = at.inputs("VariadicSplit", 3)
    quarter = origin.channels // 4
    if at.branch != branch or axis.constant().tolist() != 1 or lengths.constant().tolist() != [quarter, 3 * quarter]:
        raise at.refuse(f"channels split into {quarter} and {3 * quarter}")
    return origin
