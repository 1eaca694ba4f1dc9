"""The slow oracle of MobileStyleGAN: runs an IR graph operator by operator in plain torch, with autograd.

Written from the operators' definitions in OpenVINO's opset1 to opset7, for the 20 kinds the two graphs use.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from draggan_widget.checkpoints.mobilestylegan.openvino_ir import Graph, Layer

Values = dict[tuple[str, int], Tensor]


def run(graph: Graph, x: Tensor, wanted: list[str] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """Run the graph.

    Args:
        graph: what `read_graph` returned.
        x: the input, (N, 512); or, for a network of styles, one row for each affine in execution order, (N, 23, 512).
        wanted: ids of layers whose first output to return too; by default `block_ends(graph)`.

    Returns:
        The output, and layer id -> value of the wanted layers, in execution order.
    """
    wanted = block_ends(graph) if wanted is None else wanted
    rows = {layer: row for row, layer in enumerate(affines(graph))} if x.ndim == 3 else {}
    ids = order(graph)
    last_use = {source: layer_id for layer_id in ids for source, _ in graph.feeds[layer_id]}
    values: Values = {}
    found: dict[str, Tensor] = {}
    for layer_id in ids:
        layer = graph.layers[layer_id]
        inputs = [values[feed] for feed in graph.feeds[layer_id]]
        if layer.kind == "Result":
            return inputs[0], found
        if layer_id in rows:
            inputs[0] = x[:, rows[layer_id]]
        outputs = [x] if layer.kind == "Parameter" else _outputs(layer, inputs)
        if layer_id in wanted:
            found[layer_id] = outputs[0]
        values |= {(layer_id, port): output for port, output in zip(sorted(layer.outputs), outputs, strict=True)}
        # The maps of the last layers take 64 MB each: keep only those still to be used.
        values = {(source, port): value for (source, port), value in values.items() if last_use[source] != layer_id}
    raise ValueError(f"{graph.name} has no result")


def order(graph: Graph) -> list[str]:
    """Layer ids so that every layer follows what feeds it; the result is last."""
    done: dict[str, None] = {}
    stack = [layer.id for layer in graph.layers.values() if layer.kind == "Result"]
    while stack:
        waiting = [source for source, _ in graph.feeds[stack[-1]] if source not in done]
        if waiting:
            stack.append(waiting[0])
        else:
            done[stack.pop()] = None
    return list(done)


def block_ends(graph: Graph) -> list[str]:
    """The activations that end each block, 4 x 4 first: those of the first convolution and of each second one."""
    return [key for key in order(graph) if graph.layers[key].kind == "PReLU"][0::2]


def affines(graph: Graph) -> list[str]:
    """The style affines' MatMul layers, in the order in which the data path meets their styles."""
    position = {key: n for n, key in enumerate(order(graph))}
    users: dict[str, list[str]] = {key: [] for key in position}
    for key in position:
        for source, _ in graph.feeds[key]:
            users[source].append(key)

    def meeting(key: str) -> int:
        while graph.layers[key].kind in ("MatMul", "Add", "Reshape") or min(_shape(graph, key)[2:]) == 1:
            (key,) = users[key]
        return position[key]

    return sorted((key for key in position if graph.layers[key].kind == "MatMul"), key=meeting)


def _shape(graph: Graph, key: str) -> tuple[int, ...]:
    return next(iter(graph.layers[key].outputs.values()))


def _outputs(layer: Layer, inputs: list[Tensor]) -> list[Tensor]:
    if layer.kind == "Const":
        assert layer.value is not None
        return [torch.from_numpy(np.array(layer.value))]
    if layer.kind == "VariadicSplit":
        return list(torch.split(inputs[0], inputs[2].tolist(), int(inputs[1])))
    return [OPERATORS[layer.kind](layer, *inputs)]


def _pair(layer: Layer, key: str) -> list[int]:
    return [int(part) for part in layer.attributes[key].split(",")]


def _matmul(layer: Layer, a: Tensor, b: Tensor) -> Tensor:
    transposed = [layer.attributes[key] == "true" for key in ("transpose_a", "transpose_b")]
    return (a.mT if transposed[0] else a) @ (b.mT if transposed[1] else b)


def _unsqueeze(layer: Layer, x: Tensor, axes: Tensor) -> Tensor:
    for axis in sorted(axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _reshape(layer: Layer, x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[n] if size == 0 else size for n, size in enumerate(shape.tolist())])


def _broadcast(layer: Layer, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, shape.tolist()))


def _tile(layer: Layer, x: Tensor, repeats: Tensor) -> Tensor:
    # The exported graph both expands and tiles the constant when there is more than one sample; once is meant.
    return x if x.shape[0] == int(repeats[0]) else x.repeat(*repeats.tolist())


def _convolution(layer: Layer, x: Tensor, weight: Tensor) -> Tensor:
    assert layer.attributes["pads_begin"] == layer.attributes["pads_end"]
    return F.conv2d(x, weight, None, _pair(layer, "strides"), _pair(layer, "pads_begin"), _pair(layer, "dilations"))


def _group_convolution(layer: Layer, x: Tensor, weight: Tensor) -> Tensor:
    settings = _pair(layer, "strides"), _pair(layer, "pads_begin"), _pair(layer, "dilations")
    return F.conv2d(x, weight.flatten(0, 1), None, *settings, groups=weight.shape[0])


def _group_transposed(layer: Layer, x: Tensor, weight: Tensor) -> Tensor:
    assert _pair(layer, "pads_begin") == _pair(layer, "pads_end") == _pair(layer, "output_padding") == [0, 0]
    return F.conv_transpose2d(x, weight.flatten(0, 1), stride=_pair(layer, "strides"), groups=weight.shape[0])


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda layer, a, b: a + b,
    "Multiply": lambda layer, a, b: a * b,
    "Power": lambda layer, a, b: a**b,
    "ReduceMean": lambda layer, x, axes: x.mean(axes.tolist(), keepdim=layer.attributes["keep_dims"] == "true"),
    "MatMul": _matmul,
    "PReLU": lambda layer, x, slope: F.prelu(x, slope),
    "ShapeOf": lambda layer, x: torch.tensor(x.shape),
    "Gather": lambda layer, x, index, axis: x.index_select(int(axis), index.reshape(1).long()).reshape(()),
    "Unsqueeze": _unsqueeze,
    "Squeeze": lambda layer, x, axes: x.squeeze(axes.tolist()),
    "Concat": lambda layer, *parts: torch.cat(parts, int(layer.attributes["axis"])),
    "Reshape": _reshape,
    "Broadcast": _broadcast,
    "Tile": _tile,
    "Convolution": _convolution,
    "GroupConvolution": _group_convolution,
    "GroupConvolutionBackpropData": _group_transposed,
}
