"""Files of other kinds: safetensors that lie, other families, pages, pictures and noise."""

import gzip
import json
import struct
from collections.abc import Callable

from draggan_widget.checkpoints import gzipped
from tests.checkpoints.opcodes import mapping, module, name, pair, record, snapshot, tensor, whole

Plant = Callable[[str, bytes, str], None]  # (name, file, part of the error it is refused with)


def other_kinds(plant: Plant) -> None:
    header = b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    plant("safetensors of 10^12", struct.pack("<Q", len(header)) + header + bytes(8), "safetensors")
    plant("safetensors header of 2^40", struct.pack("<Q", 2**39) + b'{"' + bytes(100), "header")
    plant("safetensors header past the end", struct.pack("<Q", 10_000) + b'{"a":1}', "safetensors")
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    plant("safetensors header nested", struct.pack("<Q", len(deep)) + deep, "safetensors")
    for config in ("[" * 100_000, '{"z_dim":' * 100_000, "NaN", '"x"', '{"channels":[1e999]}'):
        for own in ("draggan-widget checkpoint", "pt"):
            meta = {"format": own, "format_version": "1", "family": "stylegan2", "config": config}
            meta["content_sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            plant(f"safetensors, {own}, config {config[:10]}", _safetensors(meta), "")
    plant(
        "a TensorFlow pickle",
        whole(name("dnnlib.tflib.network.Network") + b")\x81" + b"}b"),
        "TensorFlow pickle of StyleGAN",
    )
    names = mapping(pair("style.1.weight", b"N"), pair("convs.0.conv.weight", b"N"))
    plant("rosinality", whole(mapping(pair("g_ema", names))), "rosinality's StyleGAN2")
    layers = mapping(pair("L0_36_512", module(mapping(pair("weight", tensor())))))
    plant(
        "StyleGAN3",
        snapshot(module(modules=mapping(pair("synthesis", module(modules=layers))))),
        "StyleGAN3, which is not read yet",
    )
    sizes = b"".join(pair(f"_{k}", v) for k, v in {"parameters": mapping(pair("w", tensor())), "buffers": b"}"}.items())
    many = record(sizes, pair("_modules", b"}"), pair("up", b"}"), kind="SynthesisLayer")
    plant(
        "StyleGAN3 by its input",
        snapshot(module(modules=mapping(pair("synthesis", module(modules=mapping(pair("input", many))))))),
        "StyleGAN3, which",
    )
    plant("only D", whole(mapping(pair("D", module()))), "holds 'D'; expected a network 'G_ema'")
    for key, (data, message) in OTHER_KINDS.items():
        plant(key, data, message)


def _safetensors(meta: dict[str, str]) -> bytes:
    header = json.dumps({"__metadata__": meta}).encode()
    return struct.pack("<Q", len(header)) + header


OTHER_KINDS = {
    "empty": (b"", "an empty file"),
    "HTML": (b"\n<!DOCTYPE html><html><head><title>404</title></head></html>", "an HTML page"),
    "XML": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 381673535\n", "a Git LFS pointer"),
    "gzip": (b"\x1f\x8b\x08" + bytes(30), "a damaged gzip file"),
    "gzip without an end": (gzip.compress(bytes(999))[:-1], "a gzip file that is cut off"),
    "gzip bomb": (gzip.compress(bytes(gzipped.SMALL + 1), 1), "unpacks to more than 67108864 bytes"),
    "gzip of gzip": (gzip.compress(gzip.compress(b"x")), "a gzip archive"),
    "tar": (b"x" * 257 + b"ustar\x0000" + bytes(300), "a tar archive"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(30), "a PNG picture"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(30), "a JPEG picture"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(30), "an HDF5 file"),
    "ONNX": (b"\x08\x07\x12\x07pytorch\x1a\x051.9" + bytes(9), "an ONNX model"),
    "JSON": (b'{"resolution": 1024}', "JSON text"),
    "words": (b"hello, this is not a model", "a text file"),
    "zeros": (bytes(5000), "zero bytes"),
    "noise": (bytes(range(200, 256)), "unknown data that begins with the bytes c8 c9"),
}
