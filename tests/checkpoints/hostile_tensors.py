"""Tensors, storages and arrays that are not what they say."""

import struct
from collections.abc import Callable

from tests.checkpoints.opcodes import (
    COMMAND,
    archive,
    blob,
    call,
    legacy,
    name,
    number,
    persistent,
    snapshot,
    tensor,
    text,
    tuple_of,
    whole,
    with_tensor,
)

Plant = Callable[[str, bytes, str], None]  # (name, file, part of the error it is refused with)


def tensors(plant: Plant) -> None:
    ones = b"K\x01\x85"
    big = number(10**12)
    plant("a shape of 10^12", with_tensor(tensor(size=big + b"\x85")), "within the 4 elements")
    plant(
        "a shape of 10^12, stride 0",
        with_tensor(tensor(size=big + b"\x85", stride=b"K\0\x85")),
        "within the 4 elements",
    )
    plant(
        "a shape of 10^6 x 10^6",
        with_tensor(tensor(size=number(10**6) * 2 + b"\x86", stride=b"K\0K\0\x86")),
        "within the 4",
    )
    plant("a shape of 2^62", with_tensor(tensor(size=number(2**62) + b"\x85")), "a size, a stride or an offset")
    plant("a shape of 10^30", with_tensor(tensor(size=number(10**30) + b"\x85")), "a size, a stride or an offset")
    plant(
        "a shape with 0 x 2^39",
        with_tensor(tensor(size=b"K\0" + number(2**39) + b"\x86", stride=ones[:2] * 2 + b"\x86")),
        "blocks none",
    )
    plant("a negative size", with_tensor(tensor(size=number(-1) + b"\x85")), "a size, a stride or an offset is -1")
    plant("a negative stride", with_tensor(tensor(stride=number(-1) + b"\x85")), "a size, a stride or an offset is -1")
    plant("a negative offset", with_tensor(tensor(offset=number(-4))), "a size, a stride or an offset is -4")
    plant("an offset beyond", with_tensor(tensor(offset=b"K\x01")), "reaches element 4")
    plant("a stride beyond", with_tensor(tensor(size=b"K\x02\x85", stride=b"K\x09\x85")), "reaches element 9")
    plant("a NaN as size", with_tensor(tensor(size=b"G\x7f\xf8" + bytes(6) + b"\x85")), "is nan")
    plant("a float as size", with_tensor(tensor(size=b"G" + struct.pack(">d", 4.0) + b"\x85")), "is 4.0")
    plant("a boolean as size", with_tensor(tensor(size=b"\x88\x85")), "is True")
    plant("text as size", with_tensor(tensor(size=text("44"))), "shape or strides are '44'")
    plant(
        "nine axes",
        with_tensor(tensor(size=b"(" + b"K\x01" * 9 + b"t", stride=b"(" + b"K\x01" * 9 + b"t")),
        "a tuple of 9",
    )
    plant("two axes, one stride", with_tensor(tensor(size=b"K\x01K\x01\x86")), "2 axes and 1 strides")
    plant("a storage that is a dict", with_tensor(tensor(storage=b"}")), "storage is a dict")
    plant("a storage that is a tensor", with_tensor(tensor(storage=tensor())), "storage is a StoredTensor")
    plant("a tensor of nothing", with_tensor(call("torch._utils._rebuild_tensor_v2")), "_rebuild_tensor_v2 gets ()")
    plant(
        "a tensor of eight",
        with_tensor(call("torch._utils._rebuild_tensor_v2", *[b"N"] * 8)),
        "_rebuild_tensor_v2 gets",
    )
    plant(
        "a tensor of None", with_tensor(call("torch._utils._rebuild_tensor_v2", *[b"N"] * 6)), "_rebuild_tensor_v2 gets"
    )
    plant(
        "a parameter of a list",
        with_tensor(call("torch._utils._rebuild_parameter", b"]", b"\x88", b"}")),
        "_rebuild_parameter gets",
    )
    plant(
        "a parameter of one", with_tensor(call("torch._utils._rebuild_parameter", tensor())), "_rebuild_parameter gets"
    )
    plant("a tensor that no network has", with_tensor(tensor()), "blocks none")

    def inner(made: bytes) -> bytes:
        return with_tensor(tensor(call("torch.storage._load_from_bytes", blob(made))))

    run = call("os.system", text(COMMAND))
    plant("code in an inner storage", inner(legacy(value=run)), "the global os.system")
    plant("code in inner system info", inner(legacy(system=run)), "the global os.system")
    plant("code in inner keys", inner(legacy(keys=run)), "the global os.system")
    plant("code instead of the magic number", inner(whole(run)), "the global os.system")
    plant("code before the magic number", inner(whole(number(1)) + legacy()), "magic number")
    plant("code as an inner storage's type", inner(legacy(kind=name("os.system"))), "the global os.system")
    plant(
        "an inner file within an inner file",
        inner(legacy(value=call("torch.storage._load_from_bytes", blob(legacy())))),
        "_load_from_bytes",
    )
    plant("an inner tensor", inner(legacy(value=b"]")), "the 0 that")
    plant("an inner list of a storage", inner(legacy(value=b"](" + persistent(key="7") + b"e")), "hold a list")
    plant("inner protocol 7", inner(legacy(protocol=7)), "1001")
    plant("inner big-endian", inner(legacy(system=b"}" + text("little_endian") + b"\x89s")), "byte order")
    plant("inner storage of 10^12", inner(legacy(numel=10**12)), "refers to 4000000000000 bytes")
    plant("inner storage of 2^62", inner(legacy(numel=2**62)), "a size, a stride or an offset")
    plant("inner storage of -1", inner(legacy(numel=-1)), "is -1")
    plant("inner storage says 4, has 10^12", inner(legacy(stored=10**12)), "has 1000000000000 elements")
    plant("inner storage says 4, has -1", inner(legacy(stored=-1)), "has -1 elements")
    plant("inner storage cut short", inner(legacy(data=b"\0" * 15)), "refers to 16 bytes")
    plant("inner storage of doubles", inner(legacy(kind=name("torch.DoubleStorage"))), "refers to 32 bytes")
    plant("inner storage of text", inner(legacy(kind=text("FloatStorage"))), "a storage of type ''")
    plant("inner storage of a dtype", inner(legacy(kind=name("torch.float32"))), "a storage of type 'float32'")
    plant("inner keys that repeat", inner(legacy(keys=b"](" + text("7") * 2 + b"e")), "lists a list of 2")
    plant("inner keys that are lists", inner(legacy(keys=b"]]a")), "lists a list of 1")
    plant("inner keys of another", inner(legacy(keys=b"]" + text("8") + b"a")), "lists a list of 1")
    plant("an inner file of nothing", inner(b""), "ends at byte 0")
    plant("an inner file of noise", inner(bytes(range(256))), "opcode 0x0")
    view = tuple_of(
        text("storage"),
        name("torch.FloatStorage"),
        text("7"),
        text("cpu"),
        b"K\x04",
        tuple_of(text("8"), b"K\0", b"K\x04"),
    )
    plant("inner view of a storage", inner(legacy(value=view + b"Q")), "a view of another")
    plant("persistent id of text", inner(legacy(value=text("storage") + b"Q")), "persistent id 'storage'")
    plant(
        "persistent id of a module", inner(legacy(value=tuple_of(text("module"), *[b"N"] * 4) + b"Q")), "persistent id"
    )
    repeat = call("torch.storage._load_from_bytes", blob(legacy()) + b"q\x01") + b"0"
    repeat += (name("torch.storage._load_from_bytes") + b"h\x01\x85R0") * 50_000
    plant("one storage read 50,000 times", with_tensor(repeat + tensor()), "operations")
    zipped = archive({f"archive/data/{i}": b"" for i in range(2000)} | {"archive/data.pkl": whole(b"N")})
    repeat = blob(zipped) + b"q\x010" + (name("torch.storage._load_from_bytes") + b"h\x01\x85R0") * 1000
    plant("one inner archive read 1000 times", with_tensor(repeat + tensor()), "hold None")
    good = archive({f"archive/data/{i}": bytes(4) for i in range(5000)} | {"archive/data.pkl": whole(persistent(1))})
    repeat = blob(good) + b"q\x010" + (name("torch.storage._load_from_bytes") + b"h\x01\x85R0") * 1000
    plant("one good inner archive read 1000 times", with_tensor(repeat + tensor()), "operations")


def arrays(plant: Plant) -> None:
    def dtype(code: str, order: bytes = text("<")) -> bytes:
        state = tuple_of(b"K\x03", order, b"N", b"N", b"N", number(-1), number(-1), b"K\0")
        return call("numpy.dtype", text(code), b"\x89", b"\x88") + state + b"b"

    def array(kind: bytes, shape: bytes = b"K\x01\x85", data: bytes = blob(bytes(4))) -> bytes:
        made = call("numpy.core.multiarray._reconstruct", name("numpy.ndarray"), b"K\0\x85", blob(b"b"))
        return made + tuple_of(b"K\x01", shape, kind, b"\x89", data) + b"b"

    for code in ("O8", "O", "V8", "U9", "S5", "M8", "m8", "c16", "f16", "f4,O", "(1000000000,)f4", "object"):
        plant(f"array of {code}", with_tensor(array(dtype(code))), "a numpy array of type")
    plant("array, big-endian", with_tensor(array(dtype("f4", text(">")))), "numpy type")
    plant("array of 10^12", with_tensor(array(dtype("f4"), number(10**12) + b"\x85")), "has 4 bytes")
    plant("array of -1", with_tensor(array(dtype("f4"), number(-1) + b"\x85")), "is -1")
    plant("array of a list", with_tensor(array(dtype("f4"), data=b"]")), "has -1 bytes")
    plant(
        "array whose state is a dict",
        with_tensor(call("numpy.core.multiarray._reconstruct", name("numpy.ndarray"), b")", blob(b"b")) + b"}b"),
        "array's state",
    )
    plant(
        "array of another class",
        with_tensor(call("numpy.core.multiarray._reconstruct", name("torch.Size"), b")", blob(b"b"))),
        "_reconstruct gets",
    )
    plant("type whose state is a list", whole(call("numpy.dtype", text("f4"), b"\x89", b"\x88") + b"]b"), "numpy type")
    plant("scalar of an object", whole(call("numpy.core.multiarray.scalar", dtype("O8"), blob(b"x"))), "of type 'O8'")
    plant(
        "scalar of nine bytes", whole(call("numpy.core.multiarray.scalar", dtype("f8"), blob(bytes(9)))), "scalar gets"
    )
    plant("codec that is another", whole(call("_codecs.encode", text("x"), text("zlib"))), "_codecs.encode gets")
    plant("codec rot13", whole(call("_codecs.encode", text("x"), text("rot13"))), "_codecs.encode gets")
    long = text("a" * 5000 + "\u0100")
    plant(
        "long latin1 of more",
        snapshot(call("torch.storage._load_from_bytes", call("_codecs.encode", long, text("latin1")))),
        "expected",
    )
    plant("bytes of a number", whole(call("builtins.bytes", number(2**40))), "bytes gets (1099511627776)")
    plant("latin1 of more", whole(call("_codecs.encode", text("\u0100"), text("latin1"))), "Unicode")
    plant("torch.Size of 2^62", whole(call("torch.Size", number(2**62) + b"\x85")), "a size, a stride")
    plant("torch.device of a list", whole(call("torch.device", b"]")), "torch.device gets")
