"""OpenVINO's intermediate representation (IR v10), read as data: layers, their constants, and the edges between them.

`read_graph` reads a file into a `Graph`; a `Cursor` then walks the graph from its result back to its input, and refuses
every layer that is not the expected one.

Source: OpenVINO documentation, "Intermediate Representation" and "opset1".

Differs from OpenVINO's own reader:
1. it keeps only the parts that a reader of weights needs, and runs nothing;
2. a document type or an entity is refused before the parser sees it, since entities can grow without bound;
3. every constant's place is checked against the length of the weights.
"""

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np

from draggan_widget.errors import CheckpointError

ELEMENT_TYPES = {"f32": "<f4", "f16": "<f2", "f64": "<f8", "i64": "<i8", "i32": "<i4", "u8": "u1", "boolean": "u1"}
REMEDY = "the file is damaged or no OpenVINO IR v10; fetch it again"
OTHER_NETWORK = "this is another network than the MobileStyleGAN of random-face 2021.7.21.1; fetch that wheel"


@dataclass(frozen=True)
class Layer:
    """One operation of the network.

    Attributes:
        id: its id in the file.
        name: its name in the file.
        kind: type of the operation, e.g. "MatMul".
        attributes: its attributes, as text.
        outputs: output port -> shape.
        value: the read-only array of a constant; None for any other kind.
    """

    id: str
    name: str
    kind: str
    attributes: dict[str, str]
    outputs: dict[int, tuple[int, ...]]
    value: np.ndarray | None


@dataclass(frozen=True)
class Graph:
    """A network.

    Attributes:
        name: the file's name in errors.
        layers: layer id -> layer.
        feeds: layer id -> the (source id, source port) that feeds each input port, in the order of the ports.
    """

    name: str
    layers: dict[str, Layer]
    feeds: dict[str, tuple[tuple[str, int], ...]]


def read_graph(xml: bytes, weights: bytes, name: str) -> Graph:
    """Read the graph that `xml` describes; its constants are views of `weights`.

    Args:
        xml: the text of the .xml file.
        weights: the contents of the .bin file.
        name: the file's name in errors.

    Raises:
        CheckpointError: the text is not IR v10, is hostile, or does not fit the weights.
    """
    root = _parse(xml, name)
    layers: dict[str, Layer] = {}
    for element in root.iterfind("layers/layer"):
        layer = _layer(element, weights, name)
        if layer.id in layers:
            raise CheckpointError(f"{name}: layer id {layer.id!r} occurs twice; expected each id once; {REMEDY}")
        layers[layer.id] = layer
    return Graph(name, layers, _feeds(root, layers, name))


def _parse(xml: bytes, name: str) -> ET.Element:
    try:
        text = xml.decode("utf-8")
        # UTF-16 would hide "<!" from this search; but its every "<" comes with a NUL, which no XML may hold.
        for mark in ("\0", "<!DOCTYPE", "<!ENTITY"):
            if mark in text.upper():
                raise CheckpointError(f"{name}: holds {mark!r}; expected plain XML without declarations; {REMEDY}")
        root = ET.fromstring(text, ET.XMLParser(encoding="utf-8"))
    except (UnicodeDecodeError, ET.ParseError, ValueError) as error:
        raise CheckpointError(f"{name}: {error}; expected well-formed XML in UTF-8; {REMEDY}") from error
    if root.tag != "net" or root.get("version") != "10":
        found = f"<{root.tag} version={root.get('version')!r}>"
        raise CheckpointError(f"{name}: begins with {found}; expected <net version='10'>; {REMEDY}")
    return root


def _layer(element: ET.Element, weights: bytes, name: str) -> Layer:
    data = element.find("data")
    attributes = {} if data is None else dict(data.attrib)
    layer_id, kind = _text(element, "id", name), _text(element, "type", name)
    where = f"{name}: layer {layer_id!r}"
    outputs = {
        _integer(port.get("id"), where): tuple(_integer(dim.text, where) for dim in port.iterfind("dim"))
        for port in element.iterfind("output/port")
    }
    value = _constant(attributes, weights, where) if kind == "Const" else None
    return Layer(layer_id, element.get("name", ""), kind, attributes, outputs, value)


def _constant(attributes: dict[str, str], weights: bytes, where: str) -> np.ndarray:
    element_type = attributes.get("element_type")
    if element_type not in ELEMENT_TYPES:
        known = ", ".join(ELEMENT_TYPES)
        raise CheckpointError(f"{where} has element type {element_type!r}; expected one of {known}; {REMEDY}")
    dtype = np.dtype(ELEMENT_TYPES[element_type])
    shape = tuple(_integer(part, where) for part in attributes.get("shape", "").split(",") if part.strip())
    offset, size = (_integer(attributes.get(key), where) for key in ("offset", "size"))
    expected = math.prod(shape) * dtype.itemsize
    if size != expected:
        raise CheckpointError(f"{where} takes {size} bytes; expected {expected} for {element_type} {shape}; {REMEDY}")
    if offset + size > len(weights):
        end = offset + size
        raise CheckpointError(f"{where} ends at byte {end}; expected at most {len(weights)}, all there is; {REMEDY}")
    return np.frombuffer(weights, dtype, count=math.prod(shape), offset=offset if size else 0).reshape(shape)


def _feeds(root: ET.Element, layers: dict[str, Layer], name: str) -> dict[str, tuple[tuple[str, int], ...]]:
    found: dict[str, dict[int, tuple[str, int]]] = {layer_id: {} for layer_id in layers}
    for edge in root.iterfind("edges/edge"):
        source, target = _text(edge, "from-layer", name), _text(edge, "to-layer", name)
        where = f"{name}: the edge from layer {source!r} to layer {target!r}"
        source_port, target_port = (_integer(edge.get(key), where) for key in ("from-port", "to-port"))
        if source not in layers or target not in layers:
            raise CheckpointError(f"{where} names an unknown layer; expected ids of listed layers; {REMEDY}")
        if source_port not in layers[source].outputs:
            raise CheckpointError(f"{where} leaves port {source_port}; expected a listed output port; {REMEDY}")
        if target_port in found[target]:
            raise CheckpointError(f"{where} enters port {target_port}, taken already; expected one edge each; {REMEDY}")
        found[target][target_port] = (source, source_port)
    return {layer_id: tuple(ports[port] for port in sorted(ports)) for layer_id, ports in found.items()}


def _text(element: ET.Element, key: str, name: str) -> str:
    value = element.get(key)
    if not value:
        raise CheckpointError(f"{name}: a <{element.tag}> has {key}={value!r}; expected some text; {REMEDY}")
    return value


def _integer(text: str | None, where: str) -> int:
    stripped = (text or "").strip()
    # isdecimal refuses signs, and the length keeps int() from its own limit on digits.
    if not (stripped.isascii() and stripped.isdecimal() and len(stripped) <= 15):
        raise CheckpointError(f"{where} holds {text!r}; expected a whole number from 0; {REMEDY}")
    return int(stripped)


@dataclass(frozen=True)
class Cursor:
    """One output port of one layer, from which to walk to the layers that feed it.

    Attributes:
        graph: the graph it lies in.
        layer: the layer.
        port: the output port.
    """

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
        """Index of this output among the layer's outputs, from 0."""
        return sorted(self.layer.outputs).index(self.port)

    def refuse(self, expected: str) -> CheckpointError:
        """The error for another layer than the expected one."""
        found = f"{self.graph.name}: layer {self.layer.name!r} is {self.layer.kind} {self.shape}"
        return CheckpointError(f"{found}; expected {expected}; {OTHER_NETWORK}")

    def inputs(self, kind: str, count: int) -> "list[Cursor]":
        """The outputs that feed this layer, which must be of that kind and have `count` inputs."""
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
        """The variable input and the constant array of a layer with one of each."""
        first, second = self.inputs(kind, 2)
        if kind in ("Add", "Multiply") and second.layer.value is None:
            first, second = second, first
        return first, second.constant()

    def with_number(self, kind: str, number: float) -> "Cursor":
        """The variable input of a two-input layer whose other input is the constant `number`."""
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


def result_cursor(graph: Graph) -> Cursor:
    """The output that feeds the graph's only result."""
    ends = [layer for layer in graph.layers.values() if layer.kind == "Result"]
    if len(ends) != 1 or len(graph.feeds[ends[0].id]) != 1:
        raise CheckpointError(f"{graph.name} has {len(ends)} results; expected one, fed once; {OTHER_NETWORK}")
    source, port = graph.feeds[ends[0].id][0]
    return Cursor(graph, graph.layers[source], port)
