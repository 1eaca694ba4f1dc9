"""The opcodes that push one plain value: numbers, text, and bytes as a place in the file."""

import pickle
import struct
from collections.abc import Callable

from draggan_widget.checkpoints.unpickling.machine import Machine

LONGEST_NUMBER = 16  # bytes; PyTorch's magic number takes 10
LONGEST_DIGITS = 40
LONGEST_FLOAT = 64  # characters


def _protocol(machine: Machine) -> None:
    version = machine.stream.byte()
    if version > pickle.HIGHEST_PROTOCOL:
        raise machine.refuse(f"asks for pickle protocol {version}", f"at most {pickle.HIGHEST_PROTOCOL}")


def _frame(machine: Machine) -> None:
    length = machine.stream.number(8)
    machine.stream.source.check(machine.stream.position, length)


def _long(machine: Machine, size: int) -> None:
    length = machine.stream.number(size)
    if length > LONGEST_NUMBER:
        raise machine.refuse(f"holds a number of {length} bytes", f"at most {LONGEST_NUMBER}")
    machine.stack.append(machine.stream.number(length, signed=True))


def _decimal(machine: Machine) -> None:
    digits = machine.stream.line()
    if len(digits) > LONGEST_DIGITS:
        raise machine.refuse(f"holds a number of {len(digits)} digits", f"at most {LONGEST_DIGITS}")
    # The two booleans of protocol 0.
    machine.stack.append(digits == b"01" if digits in (b"00", b"01") else int(digits.removesuffix(b"L")))


def _float_line(machine: Machine) -> None:
    machine.stack.append(float(machine.stream.line()[:LONGEST_FLOAT]))


def _double(machine: Machine) -> None:
    machine.stack.append(struct.unpack(">d", machine.stream.take(8))[0])


def _string_line(machine: Machine) -> None:
    text = machine.stream.line().strip()
    if len(text) < 2 or text[:1] not in (b"'", b'"') or text[:1] != text[-1:] or b"\\" in text:
        raise machine.refuse("holds a string of protocol 0 that is not plain", "quotes and no backslash")
    machine.stack.append(text[1:-1].decode("latin-1"))


def _unicode_line(machine: Machine) -> None:
    machine.stack.append(machine.stream.line().decode("raw-unicode-escape"))


def _text(machine: Machine, size: int, encoding: str) -> None:
    machine.stack.append(machine.stream.text(machine.stream.number(size), encoding))


def _bytes(machine: Machine, size: int) -> None:
    machine.stack.append(machine.stream.span(machine.stream.number(size)))


SCALARS: dict[int, Callable[[Machine], object]] = {
    pickle.PROTO[0]: _protocol,
    pickle.FRAME[0]: _frame,
    pickle.NONE[0]: lambda m: m.stack.append(None),
    pickle.NEWTRUE[0]: lambda m: m.stack.append(True),
    pickle.NEWFALSE[0]: lambda m: m.stack.append(False),
    pickle.INT[0]: _decimal,
    pickle.LONG[0]: _decimal,
    pickle.BININT[0]: lambda m: m.stack.append(m.stream.number(4, signed=True)),
    pickle.BININT1[0]: lambda m: m.stack.append(m.stream.byte()),
    pickle.BININT2[0]: lambda m: m.stack.append(m.stream.number(2)),
    pickle.LONG1[0]: lambda m: _long(m, 1),
    pickle.LONG4[0]: lambda m: _long(m, 4),
    pickle.FLOAT[0]: _float_line,
    pickle.BINFLOAT[0]: _double,
    pickle.STRING[0]: _string_line,
    pickle.BINSTRING[0]: lambda m: _text(m, 4, "latin-1"),
    pickle.SHORT_BINSTRING[0]: lambda m: _text(m, 1, "latin-1"),
    pickle.UNICODE[0]: _unicode_line,
    pickle.SHORT_BINUNICODE[0]: lambda m: _text(m, 1, "utf-8"),
    pickle.BINUNICODE[0]: lambda m: _text(m, 4, "utf-8"),
    pickle.BINUNICODE8[0]: lambda m: _text(m, 8, "utf-8"),
    pickle.SHORT_BINBYTES[0]: lambda m: _bytes(m, 1),
    pickle.BINBYTES[0]: lambda m: _bytes(m, 4),
    pickle.BINBYTES8[0]: lambda m: _bytes(m, 8),
}
