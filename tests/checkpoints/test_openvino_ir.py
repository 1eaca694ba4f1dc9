import struct

import numpy as np
import pytest

from draggan_widget.checkpoints.mobilestylegan.openvino_ir import read_graph
from draggan_widget.errors import CheckpointError

REMEDY = "the file is damaged or no OpenVINO IR v10; fetch it again"
WEIGHTS = struct.pack("<2fq", 1.5, -2.0, 7)  # two float32, then an int64 at byte 8
CONST = (
    '<layer id="{id}" name="c" type="Const">'
    '<data element_type="{type}" shape="{shape}" offset="{offset}" size="{size}"/>'
    '<output><port id="0"><dim>2</dim></port></output></layer>'
)
FLOATS = CONST.format(id=1, type="f32", shape="2", offset=0, size=8)
PARAMETER = (
    '<layer id="0" name="x" type="Parameter"><data shape="2"/><output><port id="0"><dim>2</dim></port></output></layer>'
)
ADD = '<layer id="2" name="sum" type="Add"><output><port id="2"><dim>2</dim></port></output></layer>'
RESULT = '<layer id="3" name="end" type="Result"/>'


def edge(source: object, source_port: object, target: object, target_port: object) -> str:
    return f'<edge from-layer="{source}" from-port="{source_port}" to-layer="{target}" to-port="{target_port}"/>'


EDGES = edge(1, 0, 2, 1) + edge(0, 0, 2, 0) + edge(2, 2, 3, 0)


def net(
    layers: str = PARAMETER + FLOATS + ADD + RESULT, edges: str = EDGES, before: str = "", version: str = "10"
) -> bytes:
    inner = f"<layers>{layers}</layers><edges>{edges}</edges>"
    return f'<?xml version="1.0" ?>{before}<net name="tiny" version="{version}">{inner}</net>'.encode()


def refusal(xml: bytes, weights: bytes = WEIGHTS) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_graph(xml, weights, "tiny.xml")
    return str(caught.value)


def test_a_graph_of_four_layers_is_read_with_its_constant_and_its_edges_in_port_order():
    graph = read_graph(net(), WEIGHTS, "tiny.xml")
    assert [layer.kind for layer in graph.layers.values()] == ["Parameter", "Const", "Add", "Result"]
    assert graph.feeds["2"] == (("0", 0), ("1", 0))
    assert graph.feeds["3"] == (("2", 2),)
    assert graph.layers["2"].outputs == {2: (2,)}
    value = graph.layers["1"].value
    assert value is not None
    np.testing.assert_array_equal(value, np.float32([1.5, -2.0]))
    assert not value.flags.writeable


@pytest.mark.parametrize(
    ("element_type", "shape", "offset", "size", "expected"),
    [
        ("i64", "", 8, 8, np.array(7)),
        ("i64", "1, 1", 8, 8, np.array([[7]])),
        ("f32", "0", 16, 0, np.zeros(0, np.float32)),
        ("boolean", "1", 8, 1, np.array([7], np.uint8)),
        ("f16", "1", 2, 2, np.array([np.frombuffer(WEIGHTS[2:4], "<f2")[0]])),
    ],
)
def test_constants_of_many_types_and_shapes_are_read(element_type, shape, offset, size, expected):
    xml = net(CONST.format(id=1, type=element_type, shape=shape, offset=offset, size=size), "")
    value = read_graph(xml, WEIGHTS, "tiny.xml").layers["1"].value
    assert value is not None
    assert value.shape == expected.shape
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (("f32", "2", 12, 8), "ends at byte 20; expected at most 16, all there is"),
        (("f32", "2", 10**14, 8), "ends at byte 100000000000008; expected at most 16, all there is"),
        (("f32", "3", 0, 8), "takes 8 bytes; expected 12 for f32 (3,)"),
        (
            ("f32", "4294967296, 4294967296", 0, 0),
            "takes 0 bytes; expected 73786976294838206464 for f32 (4294967296, 4294967296)",
        ),
        (("f32", "2", -8, 8), "holds '-8'; expected a whole number from 0"),
        (("f32", "-2", 0, 8), "holds '-2'; expected a whole number from 0"),
        (("f32", "2", 0, "9" * 5000), f"holds '{'9' * 5000}'; expected a whole number from 0"),
        (("bf16", "2", 0, 4), "has element type 'bf16'; expected one of f32, f16, f64, i64, i32, u8, boolean"),
    ],
)
def test_a_constant_that_does_not_fit_is_refused(data, message):
    element_type, shape, offset, size = data
    xml = net(CONST.format(id=1, type=element_type, shape=shape, offset=offset, size=size), "")
    assert refusal(xml) == f"tiny.xml: layer '1' {message}; {REMEDY}"


def test_a_constant_without_a_place_is_refused():
    xml = net('<layer id="1" type="Const"><data element_type="f32"/></layer>', "")
    assert refusal(xml) == f"tiny.xml: layer '1' holds None; expected a whole number from 0; {REMEDY}"


@pytest.mark.parametrize("mark", ["<!DOCTYPE", "<!ENTITY", "<!doctype"])
def test_declarations_are_refused_before_parsing(mark):
    xml = net(before=f'{mark} a [<!ENTITY b "c">]>')
    found = "<!ENTITY" if mark == "<!ENTITY" else "<!DOCTYPE"
    assert refusal(xml) == f"tiny.xml: holds {found!r}; expected plain XML without declarations; {REMEDY}"


def test_a_declaration_hidden_in_utf_16_is_refused():
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "c">]><net version="10"/>'
    for encoding in ("utf-16-le", "utf-16-be"):
        message = f"tiny.xml: holds '\\x00'; expected plain XML without declarations; {REMEDY}"
        assert refusal(text.encode(encoding)) == message
    assert refusal(text.encode("utf-16")).endswith(f"; expected well-formed XML in UTF-8; {REMEDY}")


@pytest.mark.parametrize("xml", [b"", b"<net", b"\xff\xfe", b"PK\x03\x04", net()[:-8]])
def test_broken_xml_is_refused(xml):
    message = refusal(xml)
    assert message.startswith("tiny.xml: ")
    assert message.endswith(f"; expected well-formed XML in UTF-8; {REMEDY}")


def test_another_version_or_root_is_refused():
    assert (
        refusal(net(version="11")) == f"tiny.xml: begins with <net version='11'>; expected <net version='10'>; {REMEDY}"
    )
    assert refusal(b"<html/>") == f"tiny.xml: begins with <html version=None>; expected <net version='10'>; {REMEDY}"


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (edge(9, 0, 3, 1), "from layer '9' to layer '3' names an unknown layer; expected ids of listed layers"),
        (edge(2, 2, 9, 0), "from layer '2' to layer '9' names an unknown layer; expected ids of listed layers"),
        (edge(2, 5, 3, 1), "from layer '2' to layer '3' leaves port 5; expected a listed output port"),
        (edge(0, 0, 2, 1), "from layer '0' to layer '2' enters port 1, taken already; expected one edge each"),
        (edge(0, "a", 2, 4), "from layer '0' to layer '2' holds 'a'; expected a whole number from 0"),
    ],
)
def test_an_edge_that_leads_nowhere_is_refused(added, message):
    assert refusal(net(edges=EDGES + added)) == f"tiny.xml: the edge {message}; {REMEDY}"


def test_layers_without_an_id_or_with_a_taken_one_are_refused():
    assert refusal(net(FLOATS + FLOATS, "")) == f"tiny.xml: layer id '1' occurs twice; expected each id once; {REMEDY}"
    assert refusal(net('<layer type="Add"/>', "")) == f"tiny.xml: a <layer> has id=None; expected some text; {REMEDY}"
