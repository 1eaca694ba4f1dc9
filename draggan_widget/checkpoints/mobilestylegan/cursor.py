"""A place in an IR graph from which one walks against the flow, refusing whatever was not expected."""

from dataclasses import dataclass

import numpy as np

from draggan_widget.checkpoints.mobilestylegan.openvino_ir import Graph, Layer
from draggan_widget.errors import CheckpointError

REMEDY = "this is another network than the MobileStyleGAN of random-face 2021.7.21.1; fetch that wheel"


@dataclass(frozen=True)
class Cursor:
    """One output port of one layer."""

    graph: Graph
    layer: Layer
    port: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape the file declares for this output."""
        return self.layer.outputs[self.port]

    @property
    def channels(self) -> int:
        """The length of axis 1."""
        if len(self.shape) < 2:
            raise self.refuse("a map with channels")
        return self.shape[1]

    @property
    def branch(self) -> int:
        """Which of the layer's outputs this is, counted from 0."""
        return sorted(self.layer.outputs).index(self.port)

    def refuse(self, expected: str) -> CheckpointError:
        """The error for a layer that is not what was expected."""
        found = f"{self.graph.name}: layer {self.layer.name!r} is {self.layer.kind} {self.shape}"
        return CheckpointError(f"{found}; expected {expected}; {REMEDY}")

    def inputs(self, kind: str, count: int) -> "list[Cursor]":
        """What feeds this layer, which must be of that kind and take that many inputs."""
        feeds = self.graph.feeds[self.layer.id]
        if self.layer.kind != kind or len(feeds) != count:
            raise self.refuse(f"{kind} with {count} inputs")
        return [Cursor(self.graph, self.graph.layers[source], port) for source, port in feeds]

    def constant(self) -> np.ndarray:
        """The array of this constant."""
        if self.layer.value is None:
            raise self.refuse("a constant")
        return self.layer.value

    def with_constant(self, kind: str) -> "tuple[Cursor, np.ndarray]":
        """The varying input and the constant one of a two-input layer."""
        first, second = self.inputs(kind, 2)
        if kind in ("Add", "Multiply") and second.layer.value is None:
            first, second = second, first
        return first, second.constant()

    def with_number(self, kind: str, number: float) -> "Cursor":
        """The varying input of a two-input layer whose other input is that number."""
        source, value = self.with_constant(kind)
        if value.size != 1 or not np.isclose(float(value.reshape(())), number, rtol=1e-6, atol=0):
            raise self.refuse(f"{kind} with the constant {number:.7g}, found {np.ravel(value)[:4].tolist()}")
        return source

    def check_attributes(self, expected: dict[str, str]) -> None:
        """Refuse the layer unless its attributes have these values."""
        for key, value in expected.items():
            found = self.layer.attributes.get(key)
            if found != value:
                raise self.refuse(f"{key}={value!r}, found {found!r}")


def result(graph: Graph) -> Cursor:
    """What feeds the graph's only result."""
    ends = [layer for layer in graph.layers.values() if layer.kind == "Result"]
    if len(ends) != 1 or len(graph.feeds[ends[0].id]) != 1:
        raise CheckpointError(f"{graph.name} has {len(ends)} results; expected one, fed once; {REMEDY}")
    source, port = graph.feeds[ends[0].id][0]
    return Cursor(graph, graph.layers[source], port)
