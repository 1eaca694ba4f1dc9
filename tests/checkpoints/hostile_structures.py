"""Pickles that nest, repeat or count without measure."""

import struct
from collections.abc import Callable

from tests.checkpoints.opcodes import blob, mapping, module, name, number, pair, record, snapshot, tensor, text, whole

Plant = Callable[[str, bytes, str], None]  # (name, file, part of the error it is refused with)


def structures(plant: Plant) -> None:
    plant("100,000 nested tuples", whole(b")" + b"\x85" * 100_000), "holds a tuple")
    plant("100,000 nested lists", whole(b"]" * 100_000 + b"a" * 99_999), "holds a list")
    plant("100,000 nested dicts", whole(b"}N" * 50_000 + b"}" + b"s" * 50_000), "holds")
    plant("100,000 marks", whole(b"(" * 100_000), "fails")
    plant("an empty dict under G_ema", snapshot(b"}"), "holds nothing")
    laughs = b"]" + b"".join(b"q\x010](" + b"h\x01" * 10 + b"e" for _ in range(100))
    plant("billion laughs of lists", whole(laughs), "holds a list")
    plant(
        "billion laughs in the arguments",
        snapshot(module(b"}", b"}", b"}", pair("_init_kwargs", mapping(pair("z_dim", laughs))))),
        "blocks none",
    )
    tree = module() + b"".join(
        b"q\x05" + b"0" + module(modules=mapping(*[pair(f"m{i}", b"h\x05") for i in range(9)])) for _ in range(40)
    )
    plant("billion laughs of modules", snapshot(tree), "modules")
    state = b"}q\x07" + b"(" + pair("_parameters", b"}") + pair("_buffers", b"}") + pair("_modules", b"}q\x08") + b"u"
    itself = record(wrap=state) + b"q\x09" + b"h\x08" + text("a") + b"h\x09s0"
    plant("a module within itself", snapshot(itself), "modules 9 deep")
    wide = mapping(*[pair(f"n{i}", b"h\x01") for i in range(2000)])
    many = (
        tensor()
        + b"q\x010"
        + module(wide)
        + b"q\x020"
        + module(modules=mapping(*[pair(f"m{i}", b"h\x02") for i in range(3000)]))
    )
    plant("wide modules, shared", snapshot(many), "modules and tensors")
    first = name("torch_utils.persistence._reconstruct_persistent_obj") + b"q\x010"
    first += b"".join(
        text(t) + b"q" + bytes([2 + i]) + b"0" for i, t in enumerate(("type", "class", "class_name", "state"))
    )
    level = b"q\x060h\x01}(h\x02h\x03h\x04h\x03h\x05}h\x02h\x06su\x85R"
    plant("10,000 nested records", whole(first + b"}" + level * 10_000), "_modules that are None")
    plant("a list within itself", whole(b"]q\x00h\x00a"), "holds a list")
    plant("a dict within itself", whole(b"}q\x00" + pair("G_ema", b"h\x00") + b"s"), "holds 'G_ema'")
    plant("a tuple of itself by memo", whole(b"h\x00"), "KeyError")
    plant("memo bomb, MEMOIZE", whole(b"}" + b"\x94" * 500_000), "operations")
    plant("memo bomb, dicts", whole(b"}\x94" * 1_000_000), "operations")
    plant(
        "memo bomb, LONG_BINPUT",
        whole(b"}" + b"".join(b"r" + struct.pack("<I", i * 4099 % 2**32) for i in range(300_000))),
        "operations",
    )
    plant(
        "memo bomb, colliding places",
        whole(b"}" + b"".join(b"r" + struct.pack("<I", i << 19) for i in range(8192)) * 20),
        "holds",
    )
    plant("PUT with a huge place", whole(b"]p" + b"9" * 30 + b"\n"), "holds a list")
    plant("PUT with a negative place", whole(b"]p-1\n"), "ValueError")
    plant("PUT with no number", whole(b"]pabc\n"), "ValueError")
    plant("list bomb", whole(b"(" + b"]" * 2_000_000 + b"l"), "operations")
    plant("set bomb", whole(b"(" + b"\x8f" * 2_000_000 + b"l"), "operations")
    plant("dict bomb", whole(b"(" + b"}NNs" * 1_000_000 + b"l"), "operations")
    plant("dup bomb", whole(b"]" + b"2" * 5_000_000), "operations")
    plant("append to itself", whole(b"]q\x00" + b"h\x00a" * 200_000), "operations")
    key = b"".join(text(f"k{i}") + b"N" for i in range(100_000))
    plant("a dict of many", whole(b"}(" + key + b"u"), "holds 'k0'")
    clash = b"".join(number(i * (2**61 - 1)) + b"N" for i in range(20_000))
    plant("keys of one hash", whole(b"}(" + clash + b"u"), "dict key")
    plant("float keys", whole(b"}G" + struct.pack(">d", float("nan")) + b"Ns"), "dict key nan")
    for kind, value in {
        "list": b"]",
        "dict": b"}",
        "tuple": b")",
        "bytes": blob(b"x"),
        "global": name("torch.Size"),
    }.items():
        plant(f"a {kind} as a key", whole(b"}" + value + b"Ns"), "dict key")
    plant("APPEND to a dict", whole(b"}Na"), "appends to a dict")
    plant("APPENDS to a tuple", whole(b")(NNe"), "appends to a tuple")
    plant("APPENDS to a number", whole(b"K\x01(NNe"), "appends to 1")
    plant("ADDITEMS to a dict", whole(b"}(NN\x90"), "appends to a dict")
    plant("SETITEMS in a list", whole(b"](NNu"), "in a list")
    plant("SETITEMS of three", whole(b"}(NNNu"), "sets 3 keys")
    plant("SETITEM on nothing", whole(b"NNs"), "IndexError")
    plant("STOP on nothing", whole(), "fails")
    plant("POP on nothing", whole(b"0"), "IndexError")
    plant("TUPLE3 of two", whole(b"NN\x87"), "IndexError")
    plant("TUPLE without a mark", whole(b"Nt"), "IndexError")
    plant("nothing after PROTO", b"\x80\x04", "ends at byte 2")
    plant("protocol 200", b"\x80\xc8.", "looks like")


def lengths(plant: Plant) -> None:
    huge = struct.pack("<Q", 2**62)
    for key, code in {"BINBYTES8": b"\x8e", "BINUNICODE8": b"\x8d", "FRAME": b"\x95"}.items():
        plant(f"{key} of 2^62", whole(code + huge + b"N"), "refers to 4611686018427387904 bytes")
        plant(f"{key} of 2^64 - 1", whole(code + b"\xff" * 8 + b"N"), "refers to 18446744073709551615 bytes")
    for key, code in {"BINBYTES": b"B", "BINUNICODE": b"X", "BINSTRING": b"T"}.items():
        plant(f"{key} of 2^32 - 1", whole(code + b"\xff" * 4 + b"N"), "refers to 4294967295 bytes")
    plant("SHORT_BINBYTES past the end", b"\x80\x04C\xff.", "refers to 255 bytes")
    plant("LONG4 of 2^31", whole(b"\x8b" + struct.pack("<I", 2**31) + b"N"), "a number of 2147483648 bytes")
    plant("LONG4 of 1 MB", whole(b"\x8b" + struct.pack("<I", 2**20) + bytes(2**20)), "a number of 1048576 bytes")
    plant("LONG1 of 255", whole(b"\x8a\xff" + b"\x7f" * 255), "a number of 255 bytes")
    plant("INT of 3000 digits", whole(b"I" + b"9" * 3000 + b"\n"), "a number of 3000 digits")
    plant("LONG of 4000 digits", whole(b"L" + b"9" * 4000 + b"L\n"), "digits")
    plant("LONG of a million digits", whole(b"L" + b"9" * 1_000_000 + b"L\n"), "no end of line")
    plant("INT of no digits", whole(b"Iabc\n"), "ValueError")
    plant("FLOAT of text", whole(b"Fabc\n"), "ValueError")
    plant("a global without an end", whole(b"c" + b"a" * 100_000), "no end of line")
    plant("a string without quotes", whole(b"Stouch\n"), "not plain")
    plant("a string with escapes", whole(b"S'\\x41'\n"), "not plain")
    plant("text that is not UTF-8", whole(b"X\x02\0\0\0\xff\xfe"), "UnicodeDecodeError")
    plant("a lone surrogate", whole(text("\ud800")), "UnicodeDecodeError")
    plant("text bomb", whole(b"(" + text("\U0001f600" * 1000) * 2000 + b"l"), "bytes of names")
    plant("a long text as a key", whole(b"}" + text("k" * 5000) + b"Ns"), "dict key a Span")
    plant("a frame past the end", b"\x80\x04\x95" + struct.pack("<Q", 100) + b"N.", "refers to 100 bytes")
