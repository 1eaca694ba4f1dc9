"""An inverse Haar of 8 channels to 2, as an IR graph written by hand."""

import numpy as np

from draggan_widget.checkpoints.mobilestylegan.openvino_ir import Graph, Layer

Feeds = tuple[tuple[str, int], ...]


class Builder:
    """Collects layers; each method returns where the new layer's output is."""

    def __init__(self) -> None:
        self.layers: dict[str, Layer] = {}
        self.feeds: dict[str, Feeds] = {}

    def add(
        self, kind: str, feeds: list[tuple[str, int]], shapes: list[tuple[int, ...]], name: str = "", **settings
    ) -> str:
        """A layer whose outputs have these shapes; `value` and attributes among the settings."""
        key, value = str(len(self.layers)), settings.pop("value", None)
        self.layers[key] = Layer(key, name or key, kind, settings, dict(enumerate(shapes)), value)
        self.feeds[key] = tuple(feeds)
        return key

    def const(self, value: np.ndarray) -> tuple[str, int]:
        return self.add("Const", [], [value.shape], value=value), 0

    def spread(self, source: tuple[str, int], size: tuple[int, int], axis: int, pair: np.ndarray) -> tuple[str, int]:
        """The transposed convolution by a pair of numbers along an axis; `size` is that of the result."""
        kernel = np.broadcast_to(
            pair.astype(np.float32).reshape((2, 1) if axis == 0 else (1, 2)), (2, 1, 1, 2 - axis, 1 + axis)
        )
        zero = "0, 0"
        layer = self.add(
            "GroupConvolutionBackpropData",
            [source, self.const(kernel)],
            [(1, 2, *size)],
            strides=("2, 1", "1, 2")[axis],
            dilations="1, 1",
            pads_begin=zero,
            pads_end=zero,
            output_padding=zero,
        )
        return layer, 0


def haar_graph(
    average_y: tuple[int, int] = (1, 1),
    detail_0_y: tuple[int, int] = (1, -1),
    low_x: tuple[int, int] = (1, 1),
    high_x: tuple[int, int] = (1, -1),
    scale: float = 0.5**0.5,
    order: tuple[int, int, int] = (0, 1, 2),
    split: tuple[int, int] = (2, 6),
) -> Graph:
    """The graph of a 3 x 5 map; each argument is a way to get it wrong."""
    graph, h, w = Builder(), 3, 5
    x = graph.add("Parameter", [], [(1, 8, h, w)], name="x")
    number = lambda *values: graph.const(np.array(values if len(values) > 1 else values[0]))  # noqa: E731
    cut = graph.add("VariadicSplit", [(x, 0), number(1), number(*split)], [(1, 2, h, w), (1, 6, h, w)])
    stack = graph.add("Reshape", [(cut, 1), number(-1, 2, 3, h, w)], [(1, 2, 3, h, w)])
    parts = graph.add("VariadicSplit", [(stack, 0), number(2), number(1, 1, 1)], [(1, 2, 1, h, w)] * 3)
    details = [(graph.add("Squeeze", [(parts, n), graph.const(np.array([2]))], [(1, 2, h, w)]), 0) for n in order]
    pairs = [average_y, detail_0_y, (1, 1), (1, -1)]
    rows = [
        graph.spread(leaf, (2 * h, w), 0, scale * np.array(pair))
        for leaf, pair in zip([(cut, 0), *details], pairs, strict=True)
    ]
    sums = [(graph.add("Add", rows[n : n + 2], [(1, 2, 2 * h, w)]), 0) for n in (0, 2)]
    columns = [
        graph.spread(part, (2 * h, 2 * w), 1, scale * np.array(pair))
        for part, pair in zip(sums, (low_x, high_x), strict=True)
    ]
    end = graph.add("Add", columns, [(1, 2, 2 * h, 2 * w)])
    graph.add("Result", [(end, 0)], [])
    return Graph("haar.xml", graph.layers, graph.feeds)
