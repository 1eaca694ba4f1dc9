"""Bytes that a pickle keeps as text, against Python's own codecs."""

import io
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draggan_widget.checkpoints.torch_file import plain_pickle_globals
from draggan_widget.checkpoints.unpickling import latin1
from draggan_widget.checkpoints.unpickling.byte_source import ByteSource
from draggan_widget.checkpoints.unpickling.stream import Budget, PickleStream
from draggan_widget.checkpoints.unpickling.unpickle import unpickle
from draggan_widget.errors import CheckpointError


def decoded(text: bytes, before: bytes = b"") -> ByteSource:
    whole = before + text + b"rest"
    return latin1.latin1_source(ByteSource(io.BytesIO(whole), "file", 0, len(whole)), len(before), len(text))


@given(data=st.binary(max_size=60), block=st.integers(1, 5), scan=st.integers(1, 4), before=st.binary(max_size=3))
@settings(deadline=None)
def test_any_part_of_any_bytes_is_read_as_it_was(data: bytes, block: int, scan: int, before: bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latin1, "BLOCK", block)
        patch.setattr(latin1, "SCAN", block * scan)
        found = decoded(data.decode("latin-1").encode("utf-8"), before)
        assert found.size == len(data)
        for start in range(0, len(data), 7):
            for length in (0, 1, 5, len(data) - start):
                assert found.read(start, min(length, len(data) - start)) == data[start : start + length]


@pytest.mark.parametrize("text", ["é" * 9 + "\u0100", "\U0001f600" * 9])
def test_text_beyond_latin_1_is_refused_when_it_is_read(text: str):
    found = decoded(text.encode())
    with pytest.raises(CheckpointError) as caught:
        found.read(0, found.size)
    assert str(caught.value) == (
        "file: holds bytes as text that is not Latin-1, after byte 0; expected each byte as one character of Latin-1; "
        "the file is damaged or was not written by PyTorch; download it or save it again"
    )


@pytest.mark.parametrize("text", [b"a\x80\x80b", b"\xc3", b"\xff\xff", b"\x80" * 5, b"\xc3a"])
def test_bytes_that_are_no_utf_8_are_refused_or_counted_as_nothing(text: bytes):
    found = decoded(text)
    if found.size:
        with pytest.raises(CheckpointError, match="^file: holds bytes as text that is not Latin-1"):
            found.read(0, found.size)


@pytest.mark.parametrize("size", [0, 10, 5000, 200_000])
def test_bytes_of_any_length_come_back_from_a_pickle_of_protocol_2(size: int):
    due = bytes(index * 37 % 256 for index in range(size))
    data, budget = pickle.dumps([due, due], 2), Budget()
    source = ByteSource(io.BytesIO(data), "file", 0, len(data))
    first, again = unpickle(PickleStream(source, budget), plain_pickle_globals(budget))  # type: ignore[misc]
    assert (first.length, first.read()) == (size, due)
    assert again is first
