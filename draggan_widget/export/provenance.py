"""The provenance of a picture: an XMP packet that says that a trained model made it, and how.

Source: IPTC digital source type (cv.iptc.org/newscodes/digitalsourcetype), XMP packets (ISO 16684-1; part 3 of Adobe's
specification says where PNG and JPEG hold them).

Our own metadata are one JSON text in the packet, under a name of our own. Packets with a document type or entities are
refused before they are parsed.
"""

import json
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from draggan_widget.export.json_values import shorten

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OURS = "urn:draggan-widget:picture"
LARGEST_PACKET = 64 << 20  # bytes

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="{iptc}" xmlns:xmp="{xmp}" xmlns:draggan="{ours}"
 Iptc4xmpExt:DigitalSourceType="{source}" xmp:CreatorTool={tool}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def make_packet(metadata: dict[str, Any] | None, tool: str) -> bytes:
    """Make an XMP packet with the source type, the program and, if given, our own metadata."""
    body = "" if metadata is None else f"<draggan:metadata>{escape(metadata_text(metadata))}</draggan:metadata>"
    return _PACKET.format(
        rdf=RDF, iptc=IPTC, xmp=XMP, ours=OURS, source=SOURCE_TYPE, tool=quoteattr(tool), body=body
    ).encode()


def metadata_text(metadata: dict[str, Any]) -> str:
    """Our own metadata as the JSON text that PNG and JPEG hold."""
    return json.dumps(metadata, allow_nan=False, separators=(",", ":"))


def parse_packet(data: bytes) -> dict[str, str]:
    """Read a packet's "digital_source_type", "creator_tool" and "metadata" (ours), those that it holds.

    Raises:
        ValueError: the data are not a packet, are too large, or hold a document type.
    """
    if len(data) > LARGEST_PACKET:
        raise ValueError(f"an XMP packet of {len(data)} bytes; expected at most {LARGEST_PACKET}")
    text = data.decode("utf-8")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("an XMP packet with a document type; expected none")
    try:
        root = ElementTree.fromstring(text.lstrip("\ufeff"))
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"an XMP packet that is not XML ({error})") from error
    names = {
        "digital_source_type": f"{{{IPTC}}}DigitalSourceType",
        "creator_tool": f"{{{XMP}}}CreatorTool",
        "metadata": f"{{{OURS}}}metadata",
    }
    found = {}
    for part in root.iter():
        for key, name in names.items():
            value = part.attrib.get(name, (part.text or "") if part.tag == name else None)
            if value is not None:
                found[key] = value
    return found


def parse_metadata(text: str) -> dict[str, Any]:
    """Read the JSON text of our own metadata.

    Raises:
        ValueError: the text is not a JSON object.
    """
    try:
        metadata = json.loads(text)
    except RecursionError as error:
        raise ValueError("metadata nested too deep") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"metadata {shorten(metadata)}; expected an object")
    return metadata
