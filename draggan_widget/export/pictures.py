"""Pictures with their provenance: PNG, whose pixels are exact, and JPEG.

Both say by IPTC's digital source type that a trained model made them, and how: generator, seed, psi, settings,
versions, step, and the edit with its mask. A JPEG holds at most 64 KB of metadata: masks that do not fit are left out,
and the metadata say so.
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
from draggan_widget.export.json_values import EditPacker
from draggan_widget.export.provenance import make_packet, metadata_text, parse_metadata, parse_packet
from draggan_widget.export.writing import (
    check_ending,
    check_file,
    check_version,
    damaged,
    file_place,
    make_header,
    write_file,
)
from draggan_widget.inspection.records import require_steps

SCHEMA = "draggan-widget picture"
VERSION = 1
QUALITY = 95  # JPEG quality, with full colour resolution (4:4:4)
PNG_XMP, PNG_METADATA = "XML:com.adobe.xmp", "draggan-widget"  # keywords of a PNG's text chunks
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
SEGMENT = 65533 - len(JPEG_XMP)  # bytes: largest XMP packet in one JPEG segment
LEFT_OUT = "the masks take over 64 KB, more than a JPEG holds; a PNG holds them"


@runtime_checkable
class HasCurrentStep(Protocol):
    """An object with a newest step and a record, such as a `DragSession`."""

    @property
    def current(self) -> DragStep: ...  # noqa: D102

    @property
    def record(self) -> DragRecord: ...  # noqa: D102


def save_picture(
    source: DragStep | DragRecord | HasCurrentStep, path: str | Path, about: dict[str, object] | None = None
) -> Path:
    """Write the picture of a step, of a record's last step, or of a session's current step.

    Args:
        source: step, record or session.
        path: .png (exactly the pixels of `step.pixels()`), .jpg or .jpeg (quality 95, full colour resolution).
        about: `record.about` of the drag to which a single step belongs, since a step does not hold seed and settings;
            for a record or a session it is known.

    Raises:
        ExportError: the ending is unknown, or the file cannot be written; an older file stays unchanged.
        RecordError: the record is empty, or the step has no generator.

    Examples:
        >>> from draggan_widget import DragSession
        >>> from draggan_widget.export import read_provenance
        >>> path = save_picture(DragSession("heads", seed=3), "picture.png")
        >>> read_provenance(path)["about"]["seed"]
        3
    """
    path = file_place(path)
    ending = check_ending(path, "pictures", (".png", ".jpg", ".jpeg"))
    step, known = _find_step(source)
    metadata = _make_metadata(step, about or known or _about_generator(step))
    encoded = (_encode_png if ending == ".png" else _encode_jpeg)(step.pixels(), metadata)
    return write_file(path, lambda file: file.write(encoded))


def _find_step(source: DragStep | DragRecord | HasCurrentStep) -> tuple[DragStep, dict[str, object]]:
    if isinstance(source, DragStep):
        return source, {}
    if not isinstance(source, DragRecord):
        return source.current, source.record.about
    return require_steps(source)[-1], source.about


def _about_generator(step: DragStep) -> dict[str, object]:
    generator = step.generator
    if generator is None:
        return {}
    return {"generator": generator.name, "family": generator.family, "sha256": generator.sha256}


def _make_metadata(step: DragStep, about: dict[str, object]) -> dict[str, Any]:
    packer = EditPacker()
    edit = packer.edit(step.edit)
    return make_header(SCHEMA, VERSION, about) | {
        "step": step.index,
        "ending": step.ended,
        "handles": [list(handle) for handle in step.handles],
        "edit": edit,
        "masks": packer.masks,
    }


def _creator_tool() -> str:
    return f"draggan-widget {package_version()}"


def _encode_png(pixels: UInt8[np.ndarray, "height width 3"], metadata: dict[str, Any]) -> bytes:
    texts, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    texts.add_itxt(PNG_XMP, make_packet(None, _creator_tool()).decode("utf-8"))
    texts.add_itxt(PNG_METADATA, metadata_text(metadata), zip=True)
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def _encode_jpeg(pixels: UInt8[np.ndarray, "height width 3"], metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    data, packet = buffer.getvalue(), make_packet(metadata, _creator_tool())
    if len(packet) > SEGMENT:
        without_masks = {"masks": [], "edit": metadata["edit"] | {"mask": None}, "left_out": LEFT_OUT}
        packet = make_packet(metadata | without_masks, _creator_tool())
    if len(packet) > SEGMENT:
        raise ExportError(f"the metadata take {len(packet)} bytes; a JPEG holds {SEGMENT}; write a .png")
    after_jfif = 4 + int.from_bytes(data[4:6], "big")  # the JFIF segment comes first
    size = (2 + len(JPEG_XMP) + len(packet)).to_bytes(2, "big")
    return data[:after_jfif] + b"\xff\xe1" + size + JPEG_XMP + packet + data[after_jfif:]


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Read the metadata of a picture that `save_picture` wrote; its pixels are not read.

    Returns:
        "digital_source_type" and "creator_tool"; "about" with generator, family, sha256, seed, truncation_psi, config
        and versions, as far as they were known; "step", "ending", "handles", "edit" and "masks", in the form that
        `DragSession.save` writes; "left_out", a sentence, if the masks did not fit.

    Raises:
        ExportError: the file is missing or damaged, or is not a picture with our metadata.

    Examples:
        >>> from draggan_widget import DragSession, save_picture
        >>> path = save_picture(DragSession("heads", seed=3), "picture.png")
        >>> read_provenance(path)["about"]["generator"]
        'heads'
    """
    path = file_place(path)
    check_file(path)
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            xmp, text = _find_metadata(image)
        found = {} if xmp is None else parse_packet(xmp)
        text = found.pop("metadata", None) if text is None else text
        if text is None:
            raise ExportError(f"{path} has no metadata of draggan-widget; expected a picture of save_picture")
        metadata = parse_metadata(text)
    except UnidentifiedImageError as error:
        raise damaged(path, "picture", "it is neither PNG nor JPEG") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise damaged(path, "picture", error) from error
    if metadata.get("schema") != SCHEMA:
        raise damaged(path, "picture", "its metadata have another schema")
    check_version(path, metadata.get("version"), VERSION)
    return {**found, **metadata}


def _find_metadata(image: Image.Image) -> tuple[bytes | None, str | None]:
    """The XMP packet of a picture, and the text of our own metadata if it stands outside the packet, as in a PNG."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        texts = {name: str(text) for name, text in image.info.items() if name in (PNG_XMP, PNG_METADATA)}
        xmp = texts.get(PNG_XMP)
        return None if xmp is None else xmp.encode(), texts.get(PNG_METADATA)
    segments = image.applist  # pyright: ignore[reportAttributeAccessIssue]
    packets = [data[len(JPEG_XMP) :] for name, data in segments if name == "APP1" and data.startswith(JPEG_XMP)]
    return (packets[0] if packets else None), None
