"""Pictures with their provenance: PNG, whose pixels are exact, and JPEG.

Both say by IPTC's digital source type that a trained model made them, and hold how: generator, seed, psi, settings,
versions, step, and the edit with its mask. A JPEG holds at most 64 KB of it: a mask that does not fit is left out, and
it says so.
"""

import io
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from draggan_widget.engine.provenance import package_version
from draggan_widget.engine.record import DragRecord
from draggan_widget.engine.step import DragStep
from draggan_widget.errors import ExportError
from draggan_widget.export.json_values import Packer
from draggan_widget.export.provenance import packet, read_packet, read_words, words
from draggan_widget.export.writing import check_version, damaged, ending_of, header, missing, put

SCHEMA = "draggan-widget picture"
VERSION = 1
QUALITY = 95  # of JPEG, with 4:4:4 colours
PNG_XMP, PNG_WORDS = "XML:com.adobe.xmp", "draggan-widget"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
SEGMENT = 65533 - len(JPEG_XMP)  # bytes of a packet that fit one segment
LEFT_OUT = "the masks take over 64 KB, more than a JPEG holds; a PNG holds them"


@runtime_checkable
class Shown(Protocol):
    """What has a newest step and a record: a `DragSession`."""

    @property
    def current(self) -> DragStep: ...  # noqa: D102

    @property
    def record(self) -> DragRecord: ...  # noqa: D102


def save_picture(
    source: DragStep | DragRecord | Shown, path: str | Path, about: dict[str, object] | None = None
) -> Path:
    """Write the picture of a step, of a record's last step, or of a session as it is now.

    Args:
        source: what to draw.
        path: .png (the very pixels of `step.pixels()`), .jpg or .jpeg (quality 95, full colours).
        about: `record.about` of the drag a single step belongs to, whose seed and settings a step does not know; a
            record and a session bring their own.

    Raises:
        ExportError: another ending, an empty record, or the file cannot be written; an older one stays as it was.
        RecordError: the step has no generator.
    """
    path = Path(path)
    ending = ending_of(path, "pictures", (".png", ".jpg", ".jpeg"))
    step, known = _step_of(source)
    told = _told(step, about or known or _about_generator(step))
    encoded = (_png if ending == ".png" else _jpeg)(step.pixels(), told)
    return put(path, lambda file: file.write(encoded))


def _step_of(source: DragStep | DragRecord | Shown) -> tuple[DragStep, dict[str, object]]:
    if isinstance(source, DragStep):
        return source, {}
    if not isinstance(source, DragRecord):
        return source.current, source.record.about
    if not len(source):
        raise ExportError("the record has 0 steps; expected at least one; start a drag first")
    return source[-1], source.about


def _about_generator(step: DragStep) -> dict[str, object]:
    made = step.generator
    return {} if made is None else {"generator": made.name, "family": made.family, "sha256": made.sha256}


def _told(step: DragStep, about: dict[str, object]) -> dict[str, Any]:
    packer = Packer()
    edit = packer.edit(step.edit)
    return header(SCHEMA, VERSION, about) | {
        "step": step.index,
        "ending": step.ended,
        "handles": [list(handle) for handle in step.handles],
        "edit": edit,
        "masks": packer.masks,
    }


def _tool() -> str:
    return f"draggan-widget {package_version()}"


def _png(pixels: UInt8[np.ndarray, "height width 3"], told: dict[str, Any]) -> bytes:
    texts, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    texts.add_itxt(PNG_XMP, packet(None, _tool()).decode("utf-8"))
    texts.add_itxt(PNG_WORDS, words(told), zip=True)
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def _jpeg(pixels: UInt8[np.ndarray, "height width 3"], told: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    data, held = buffer.getvalue(), packet(told, _tool())
    if len(held) > SEGMENT:
        held = packet(told | {"masks": [], "edit": told["edit"] | {"mask": None}, "left_out": LEFT_OUT}, _tool())
    if len(held) > SEGMENT:
        raise ExportError(f"the metadata take {len(held)} bytes; a JPEG holds {SEGMENT}; write a .png")
    after = 4 + int.from_bytes(data[4:6], "big")  # of JFIF's own segment, which comes first
    size = (2 + len(JPEG_XMP) + len(held)).to_bytes(2, "big")
    return data[:after] + b"\xff\xe1" + size + JPEG_XMP + held + data[after:]


def read_provenance(path: str | Path) -> dict[str, Any]:
    """What a picture of ours says of itself; its pixels are not read.

    Returns:
        "digital_source_type" and "creator_tool"; "about" with generator, family, sha256, seed, truncation_psi, config
        and versions, as far as they were known; "step", "ending", "handles", "edit" and "masks", as
        `DragSession.save` has them; "left_out", a sentence, where a mask did not fit.

    Raises:
        ExportError: the file is missing or damaged, or no picture with our metadata.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            xmp, told = _held_by(image)
        found = {} if xmp is None else read_packet(xmp)
        told = found.pop("metadata", None) if told is None else told
        if told is None:
            raise ExportError(f"{path} has no metadata of draggan-widget; expected a picture of save_picture")
        content = read_words(told)
    except FileNotFoundError as error:
        raise missing(path) from error
    except UnidentifiedImageError as error:
        raise damaged(path, "picture", "it is neither PNG nor JPEG") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise damaged(path, "picture", error) from error
    if content.get("schema") != SCHEMA:
        raise damaged(path, "picture", "its metadata have another schema")
    check_version(path, content.get("version"), VERSION)
    return {**found, **content}


def _held_by(image: Image.Image) -> tuple[bytes | None, str | None]:
    """The XMP packet of a picture, and our own words where they stand beside it."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        texts = {name: str(text) for name, text in image.info.items() if name in (PNG_XMP, PNG_WORDS)}
        xmp = texts.get(PNG_XMP)
        return None if xmp is None else xmp.encode(), texts.get(PNG_WORDS)
    segments = image.applist  # pyright: ignore[reportAttributeAccessIssue]
    packets = [data[len(JPEG_XMP) :] for name, data in segments if name == "APP1" and data.startswith(JPEG_XMP)]
    return (packets[0] if packets else None), None
