"""A reader of pickles that has no way to run anything: a stack machine of our own over plain values.

`unpickle` runs the loop; then come the opcodes that push one plain value (number, text, bytes as a place in the file),
those that work on the stack, the memo and containers, and those that name or call a global; `OPERATIONS` lists all.

Source: the opcodes as the standard library's `pickletools` documents them.

Differs from `pickle.Unpickler`:
1. no import, no `getattr`, no `__setstate__`: a global is an entry of a short table (`allowed_globals.py`) that makes
   plain values, or the file is refused with the global's full name;
2. bytes, and text longer than a name, stay in the file as spans;
3. sets are lists and ordered dicts are dicts: only names and small numbers are ever hashed;
4. operations and text are counted (`stream.py`), so no file takes more than a second or two or about 60 MB;
5. opcodes that neither PyTorch nor NVIDIA's writer uses are refused: INST, OBJ, NEWOBJ_EX, PERSID, extension codes,
   out-of-band buffers, byte arrays.
"""

import pickle
import pickletools
import struct
from collections.abc import Callable

from draggan_widget.checkpoints.unpickling.byte_source import REMEDY, brief
from draggan_widget.checkpoints.unpickling.machine import (
    AllowedGlobal,
    AllowedGlobals,
    Buildable,
    Machine,
    PersistentLoad,
)
from draggan_widget.checkpoints.unpickling.stream import PickleStream

LARGEST_KEY = 2**31  # largest integer that may be a dict key
LONGEST_NUMBER = 16  # bytes; PyTorch's magic number takes 10
LONGEST_DIGITS = 40
LONGEST_FLOAT = 64  # characters
OPCODE_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
USED_OPCODES = "the opcodes that PyTorch and NVIDIA's writer use"
STOP = pickle.STOP[0]


def unpickle(stream: PickleStream, allowed: AllowedGlobals, persistent_load: PersistentLoad | None = None) -> object:
    """Read the pickle that begins at the stream's position, and return its value.

    Args:
        stream: the pickle's bytes.
        allowed: (module, name) -> the allowed global.
        persistent_load: makes the value of a persistent id; None refuses all of them.

    Raises:
        CheckpointError: the pickle is broken, takes more than the budget, or has a global or an opcode that is not
            allowed.
    """
    machine, budget, code = Machine(stream, allowed, persistent_load), stream.budget, -1
    try:
        while (code := stream.byte()) != STOP:
            budget.operations -= 1
            if budget.operations < 0:
                budget.spend(stream.source, 0)
            operation = OPERATIONS.get(code)
            if operation is None:
                raise machine.refuse(f"uses opcode {OPCODE_NAMES.get(code, hex(code))}", USED_OPCODES)
            operation(machine)
        return machine.stack.pop()
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, struct.error) as error:
        found = f"opcode {OPCODE_NAMES.get(code, hex(code))} fails ({type(error).__name__}: {brief(str(error))})"
        raise machine.refuse(found, "a whole pickle", REMEDY) from error


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


def _mark(machine: Machine) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _push(machine: Machine, value: object) -> None:
    # Not `machine.stack.append(machine.pop_mark())`: that would append to the stack that `pop_mark` replaces.
    machine.stack.append(value)


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _put(machine: Machine, index: int) -> None:
    if index < 0:
        raise ValueError("negative memo index")
    machine.memo[index] = machine.stack[-1]


def _get(machine: Machine, index: int) -> None:
    machine.stack.append(machine.memo[index])


def _line_index(machine: Machine) -> int:
    return int(machine.stream.line()[:20])


def _tuple(machine: Machine, length: int) -> None:
    if len(machine.stack) < length:
        raise IndexError("the stack is too short")
    machine.stack[-length:] = [tuple(machine.stack[-length:])]


def _append(machine: Machine, items: list) -> None:
    target = machine.stack[-1]
    if type(target) is not list:
        raise machine.refuse(f"appends to {brief(target)}", "a list")
    target.extend(items)


def _set_items(machine: Machine, items: list) -> None:
    target = machine.stack[-1]
    if type(target) is not dict or len(items) % 2:
        raise machine.refuse(f"sets {len(items)} keys and values in {brief(target)}", "pairs, and a dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not (type(key) in (str, bool) or key is None or (type(key) is int and abs(key) < LARGEST_KEY)):
            raise machine.refuse(f"has the dict key {brief(key)}", "a name or a small number")
        target[key] = value


def _set_item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine, [key, value])


def _dict(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.stack.append({})
    _set_items(machine, items)


def _global(machine: Machine) -> None:
    module, name = machine.stream.line().decode("utf-8"), machine.stream.line().decode("utf-8")
    machine.stack.append(machine.find_global(module, name))


def _stack_global(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.find_global(module, name))


def _instance(machine: Machine) -> None:
    _global(machine)  # a global that is not allowed is refused by its name
    raise machine.refuse("uses opcode INST", USED_OPCODES)


def _reduce(machine: Machine) -> None:
    arguments, function = machine.stack.pop(), machine.stack[-1]
    if type(function) is not AllowedGlobal or type(arguments) is not tuple:
        raise machine.refuse(f"calls {brief(function)} with {brief(arguments)}", "an allowed global and a tuple")
    if function.call is None:
        raise machine.refuse(f"calls {function.name}", "its name alone")
    machine.stack[-1] = function.call(machine.stream.source, arguments)


def _new_object(machine: Machine) -> None:
    arguments, kind = machine.stack.pop(), machine.stack[-1]
    if type(kind) is not AllowedGlobal or kind.new is None:
        raise machine.refuse(f"makes an object of {brief(kind)}", "a plain container")
    if type(arguments) is not tuple or arguments:
        raise machine.refuse(f"makes a {kind.name} of {brief(arguments)}", "no arguments")
    machine.stack[-1] = kind.new()


def _build(machine: Machine) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if isinstance(target, Buildable):
        target.build(machine.stream.source, state)
    elif type(target) is not dict or type(state) is not dict:
        raise machine.refuse(f"sets the state of {brief(target)} to {brief(state)}", "the attributes of a dict")
    # A dict's attributes, such as a state dict's `_metadata`, are left out: nothing here needs them.


def _persistent_id(machine: Machine) -> None:
    if machine.persistent_load is None:
        raise machine.refuse("uses opcode BINPERSID", USED_OPCODES)
    machine.stack.append(machine.persistent_load(machine.stream.source, machine.stack.pop()))


OPERATIONS: dict[int, Callable[[Machine], object]] = {
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
    pickle.MARK[0]: _mark,
    pickle.POP[0]: _pop,
    pickle.POP_MARK[0]: Machine.pop_mark,
    pickle.DUP[0]: lambda m: m.stack.append(m.stack[-1]),
    pickle.PUT[0]: lambda m: _put(m, _line_index(m)),
    pickle.BINPUT[0]: lambda m: _put(m, m.stream.byte()),
    pickle.LONG_BINPUT[0]: lambda m: _put(m, m.stream.number(4)),
    pickle.MEMOIZE[0]: lambda m: _put(m, len(m.memo)),
    pickle.GET[0]: lambda m: _get(m, _line_index(m)),
    pickle.BINGET[0]: lambda m: _get(m, m.stream.byte()),
    pickle.LONG_BINGET[0]: lambda m: _get(m, m.stream.number(4)),
    pickle.EMPTY_TUPLE[0]: lambda m: m.stack.append(()),
    pickle.TUPLE1[0]: lambda m: _tuple(m, 1),
    pickle.TUPLE2[0]: lambda m: _tuple(m, 2),
    pickle.TUPLE3[0]: lambda m: _tuple(m, 3),
    pickle.TUPLE[0]: lambda m: _push(m, tuple(m.pop_mark())),
    pickle.EMPTY_LIST[0]: lambda m: m.stack.append([]),
    pickle.LIST[0]: lambda m: _push(m, m.pop_mark()),
    pickle.APPEND[0]: lambda m: _append(m, [m.stack.pop()]),
    pickle.APPENDS[0]: lambda m: _append(m, m.pop_mark()),
    pickle.EMPTY_SET[0]: lambda m: m.stack.append([]),
    pickle.ADDITEMS[0]: lambda m: _append(m, m.pop_mark()),
    pickle.FROZENSET[0]: lambda m: _push(m, tuple(m.pop_mark())),
    pickle.EMPTY_DICT[0]: lambda m: m.stack.append({}),
    pickle.DICT[0]: _dict,
    pickle.SETITEM[0]: _set_item,
    pickle.SETITEMS[0]: lambda m: _set_items(m, m.pop_mark()),
    pickle.GLOBAL[0]: _global,
    pickle.STACK_GLOBAL[0]: _stack_global,
    pickle.INST[0]: _instance,
    pickle.REDUCE[0]: _reduce,
    pickle.NEWOBJ[0]: _new_object,
    pickle.BUILD[0]: _build,
    pickle.BINPERSID[0]: _persistent_id,
}
