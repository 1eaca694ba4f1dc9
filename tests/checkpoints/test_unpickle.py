import collections
import io
import pickle

import numpy as np
import pytest
import torch

from draggan_widget.checkpoints.torch_file import plain_pickle_globals
from draggan_widget.checkpoints.unpickling.allowed_globals import StoredArray
from draggan_widget.checkpoints.unpickling.byte_source import ByteSource, brief
from draggan_widget.checkpoints.unpickling.lazy_tensors import PersistentObject, Span, StoredTensor, read_tensors
from draggan_widget.checkpoints.unpickling.stream import Budget, PickleStream
from draggan_widget.checkpoints.unpickling.unpickle import unpickle
from draggan_widget.errors import CheckpointError
from tests.checkpoints import nvidia_writer


def read(data: bytes) -> object:
    budget = Budget()
    return unpickle(
        PickleStream(ByteSource(io.BytesIO(data), "file", 0, len(data)), budget), plain_pickle_globals(budget)
    )


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [False, 0, 1, 255, 256, 65535, 65536, -1, 2**31 - 1, -(2**31), 2**63, -(2**100)],
        [0.0, -1.5, 1e300, float("inf")],
        ["", "a", "é", "\U0001f600", "x" * 300],
        ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        {"a": {"b": [1, (2, {"c": None})]}, 3: [[], {}]},
        [["shared"] * 3] * 2,
    ],
    ids=str,
)
def test_plain_values_come_back_equal_in_every_protocol(value, protocol):
    found = read(pickle.dumps(value, protocol))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_containers_come_back_as_plain_ones(protocol):
    ordered = collections.OrderedDict(a=1, b=2)
    assert read(pickle.dumps(ordered, protocol)) == {"a": 1, "b": 2}
    assert read(pickle.dumps({5}, protocol)) == [5]
    assert read(pickle.dumps(torch.Size([2, 3]), protocol)) == (2, 3)
    assert read(nvidia_writer.dumps(nvidia_writer.EasyDict(a=1), protocol)) == {"a": 1}


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("code", ["f2", "f4", "f8", "i1", "i4", "i8", "u1", "?"])
def test_numpy_numbers_come_back_equal(code, protocol):
    number = np.dtype(code).type(1)
    found = read(pickle.dumps(number, protocol))
    assert found == number.item()
    assert type(found) is type(number.item())
    found = read(pickle.dumps(np.arange(6).reshape(2, 3).astype(code), 3))
    assert isinstance(found, StoredArray)
    assert (found.shape, found.dtype) == ((2, 3), np.dtype(code))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64])
def test_tensors_are_places_until_they_are_read(dtype):
    tensor = torch.arange(24).reshape(4, 6).to(dtype)[1:, ::2].T
    found = read(nvidia_writer.dumps(torch.nn.Parameter(tensor, requires_grad=False)))
    assert isinstance(found, StoredTensor)
    assert found.shape == (3, 3)
    back = read_tensors({"x": found})["x"]
    assert back.dtype == dtype
    assert torch.equal(back, tensor)


def test_a_tensor_of_nothing_is_read():
    found = read(nvidia_writer.dumps(torch.zeros(0, 3)))
    assert isinstance(found, StoredTensor)
    assert read_tensors({"x": found})["x"].shape == (0, 3)


def test_a_persistent_object_keeps_its_class_name_and_state_alone():
    found = read(nvidia_writer.dumps(nvidia_writer.Persistent("Generator", {"z_dim": 3})))
    assert isinstance(found, PersistentObject)
    assert (found.class_name, found.state) == ("Generator", {"z_dim": 3})


def test_long_bytes_and_texts_stay_in_the_file():
    found = read(pickle.dumps([b"x" * 5000, "y" * 5000], 4))
    assert isinstance(found, list)
    assert [type(item) for item in found] == [Span, Span]
    assert found[1].read() == b"y" * 5000


def test_the_shortest_words_for_a_value():
    assert brief("x" * 100) == f"'{'x' * 80}'... (100 characters)"
    assert brief([[]] * 3) == "a list of 3"
    assert brief(2**90) == "a number of 91 bits"
    assert brief(b"x") == "a bytes"


def test_an_error_says_where_and_what(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        read(b"\x80\x04N\x92.")
    assert str(caught.value) == (
        "file: uses opcode NEWOBJ_EX before byte 4; expected the opcodes that PyTorch and NVIDIA's writer use; it may "
        "run code in tools that unpickle it; take the file from a source you trust, or a .safetensors of it"
    )
