"""Archives of torch.save, and zips that pretend to be one."""

import struct
import zipfile
from collections.abc import Callable

from tests.checkpoints.opcodes import (
    COMMAND,
    archive,
    blob,
    call,
    legacy,
    mapping,
    name,
    pair,
    persistent,
    text,
    torch_zip,
    tuple_of,
    whole,
)

Plant = Callable[[str, bytes, str], None]  # (name, file, part of the error it is refused with)


def archives(plant: Plant) -> None:
    run = whole(call("os.system", text(COMMAND)))
    valid = whole(
        mapping(
            pair(
                "x",
                call(
                    "torch._utils._rebuild_tensor_v2", persistent(), b"K\0", b"K\x04\x85", b"K\x01\x85", b"\x89", b"}"
                ),
            )
        )
    )
    plant("torch archive with code", torch_zip(run), "the global os.system")
    plant("torch archive of something else", torch_zip(valid), "blocks none")
    plant("torch file, older, with code", legacy(value=call("os.system", text(COMMAND))), "the global os.system")
    plant("torch file of a storage", legacy(), "holds a StoredStorage")
    plant("a plain zip", archive({"readme.txt": b"hello"}), "zip archive, but none of torch.save")
    plant("deflated bomb", archive({"archive/data.pkl": b"." * 50_000_000}, zipfile.ZIP_DEFLATED), "is compressed")
    plant(
        "deflated storage",
        archive({"archive/data.pkl": valid, "archive/data/0": bytes(16)}, zipfile.ZIP_DEFLATED),
        "is compressed",
    )
    plant("bzip2 bomb", archive({"archive/data.pkl": b"." * 900_000}, zipfile.ZIP_BZIP2), "is compressed")
    plant("lzma bomb", archive({"archive/data.pkl": b"." * 900_000}, zipfile.ZIP_LZMA), "is compressed")
    for odd in (
        "../../evil",
        "/etc/passwd",
        "archive/../../evil",
        "C:evil",
        "archive\\evil",
        "archive//evil",
        "archive/./x",
    ):
        plant(f"name {odd}", _renamed(torch_zip(valid, {"n" * len(odd): b"x"}), "n" * len(odd), odd), "an entry named")
    double = torch_zip(valid, {"archive/data/1": bytes(16)})
    plant("a name twice", _renamed(double, "archive/data/1", "archive/data/0"), "twice")
    plant("two pickles", archive({"a/data.pkl": valid, "b/data.pkl": run}), "without data.pkl")
    plant("a deep pickle", archive({"a/b/data.pkl": run}), "without data.pkl")
    plant(
        "TorchScript",
        torch_zip(valid, {"archive/code/__torch__.py": b"x", "archive/constants.pkl": b"."}),
        "TorchScript",
    )
    plant("big-endian archive", torch_zip(valid, {"archive/byteorder": b"big"}), "byte order")
    plant("a storage that is not there", torch_zip(valid.replace(text("0"), text("9"))), "storage '9' is not there")
    plant("a storage by path", torch_zip(valid.replace(text("0"), text("../data.pkl"))), "is not there")
    plant("a storage too short", torch_zip(whole(persistent(5))), "has 16 bytes")
    plant("a storage too long", torch_zip(whole(persistent(3))), "has 16 bytes")
    plant("a storage of 10^12", torch_zip(whole(persistent(10**12))), "has 16 bytes")
    halves = tuple_of(persistent(), persistent(8, kind=name("torch.HalfStorage")))
    plant("a storage of two types", torch_zip(whole(halves)), "two storages of key")
    plant(
        "inner file in an archive",
        torch_zip(whole(call("torch.storage._load_from_bytes", blob(legacy())))),
        "_load_from_bytes",
    )
    good = torch_zip(valid)
    at = good.index(bytes(16))
    plant("a storage altered", good[:at] + b"\x01" + good[at + 1 :], "checksum")
    plant("a pickle altered", good.replace(text("x"), text("y"), 1), "checksum")
    plant(
        "many entries",
        archive({f"archive/{i}": b"" for i in range(9000)} | {"archive/data.pkl": valid}),
        "lists 9001 entries",
    )
    end = good.rindex(b"PK\x05\x06")
    plant("an archive cut before its end", good[:end], "without an end")
    plant("an archive with a tail", good + b"x" * 10, "goes on for 10 bytes")
    plant("an archive with 10^5 zeros after", good + bytes(100_000), "without an end")
    wide = bytearray(good)
    wide[end + 12 : end + 20] = b"\xff" * 8
    plant("zip64 without its record", bytes(wide), "without its locator")
    moved = bytearray(good)
    moved[end + 16 : end + 20] = struct.pack("<I", 2**31)
    plant("a list far away", bytes(moved), "does not fit")
    listing = bytearray(good)
    first = good.index(b"PK\x01\x02")
    listing[first + 42 : first + 46] = struct.pack("<I", 2**31 - 1)
    plant("an entry far away", bytes(listing), "refers to 30 bytes")
    over = bytearray(good)
    second = good.index(b"PK\x01\x02", first + 4)
    over[second + 42 : second + 46] = over[first + 42 : first + 46]
    plant("entries over each other", bytes(over), "entry")
    sized = bytearray(good)
    sized[first + 20 : first + 28] = struct.pack("<II", 2**30, 2**30)
    plant("an entry of 2^30", bytes(sized), "overlaps another")
    secret = bytearray(good)
    secret[first + 8] |= 1
    plant("an encrypted entry", bytes(secret), "compressed or encrypted")
    plant("a zip within a zip", archive({"archive/data.pkl": good}), "opcode")


def _renamed(data: bytes, before: str, after: str) -> bytes:
    assert len(before) == len(after)
    return data.replace(before.encode(), after.encode())
