"""Recognises the kind of a file that is not a checkpoint by its first bytes, so that the error can name it."""

from draggan_widget.checkpoints.unpickling.byte_source import ByteSource
from draggan_widget.errors import CheckpointError

FORMATS = (
    "our own .safetensors, NVIDIA's PyTorch .pkl of a StyleGAN2, a .pt of torch.save or a .safetensors with a "
    "StyleGAN2's tensors"
)
HEAD = 1024  # bytes at the start of a file that are looked at

MAGICS = (  # (first bytes, kind, remedy or "")
    (b"version https://git-lfs.", "a Git LFS pointer, not the file it stands for", "run `git lfs pull`"),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"BZh", "a bzip2 archive", "unpack it"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"PK\x05\x06", "an empty zip archive", "download it again"),
    (b"PK\x03\x04", "a zip archive, but none of torch.save", "unpack it"),
    (b"\x89PNG\r\n", "a PNG picture", ""),
    (b"\xff\xd8\xff", "a JPEG picture", ""),
    (b"GIF8", "a GIF picture", ""),
    (b"RIFF", "a WebP picture or a sound", ""),
    (b"%PDF", "a PDF document", ""),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras, h5py)", ""),
    (b"\x93NUMPY", "a NumPy array (.npy)", ""),
    (b"GGUF", "a GGUF language model", ""),
    (b"SQLite format 3", "an SQLite database", ""),
    (b"\x7fELF", "a program", ""),
    (b"MZ", "a Windows program", ""),
)
OFFSET_MAGICS = (  # (offset, bytes there, kind, remedy or "")
    (257, b"ustar", "a tar archive", "unpack it"),
    (4, b"TFL3", "a TensorFlow Lite model", ""),
    (4, b"ftyp", "a video", ""),
)
USE_CHECKPOINT = "give the checkpoint's file instead"


def looks_like(head: bytes, size: int) -> tuple[str, str]:
    """The kind of a file of `size` bytes that begins with `head`, and the remedy."""
    if size == 0:
        return "an empty file", "download it again"
    for magic, kind, remedy in MAGICS:
        if head.startswith(magic):
            return kind, remedy or USE_CHECKPOINT
    for offset, magic, kind, remedy in OFFSET_MAGICS:
        if head[offset:].startswith(magic):
            return kind, remedy or USE_CHECKPOINT
    if not head.strip(b"\0"):
        return "a file that begins with zero bytes only, as a broken download does", "download it again"
    # ONNX is a protobuf: a small version number, then the producer's name.
    if head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x3a", b"\x42"):
        return "an ONNX model", USE_CHECKPOINT
    return _describe_text(head) or (f"unknown data that begins with the bytes {head[:8].hex(' ')}", USE_CHECKPOINT)


def _describe_text(head: bytes) -> tuple[str, str] | None:
    text = head.decode("utf-8-sig", errors="replace").strip().lower()
    # The last character may be cut in two: no sign of binary data.
    if "\0" in text or text[:-4].count("\ufffd") or any(ord(letter) < 9 for letter in text):
        return None
    if text.startswith(("<!doctype html", "<html")) or "<head" in text or "<body" in text:
        return "an HTML page, as a failed download leaves", "download the file itself, not the page about it"
    if text.startswith("<"):
        return "an XML document, as a failed download leaves", "download it again"
    if text.startswith(("{", "[")):
        return "JSON text", USE_CHECKPOINT
    return f"a text file that begins {text[:40]!a}", USE_CHECKPOINT


def refusal(source: ByteSource, head: bytes) -> CheckpointError:
    """The error that names the kind of the file."""
    kind, remedy = looks_like(head, source.size)
    return source.refuse(f"looks like {kind}", FORMATS, remedy)
