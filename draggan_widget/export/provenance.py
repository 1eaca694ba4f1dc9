"""What a picture says of itself: that a model made it, and how.

Source: IPTC digital source type (cv.iptc.org/newscodes/digitalsourcetype), XMP packets (ISO 16684-1; part 3 of Adobe's
specification says where PNG and JPEG hold them).

Our own words are one JSON text, under a name of ours in the packet. Packets are read by a parser that is given no
document type and no entities.
"""

import json
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from draggan_widget.export.json_values import brief

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


def packet(told: dict[str, Any] | None, tool: str) -> bytes:
    """An XMP packet with the source type, the program, and our own words where they are given."""
    body = "" if told is None else f"<draggan:metadata>{escape(words(told))}</draggan:metadata>"
    return _PACKET.format(
        rdf=RDF, iptc=IPTC, xmp=XMP, ours=OURS, source=SOURCE_TYPE, tool=quoteattr(tool), body=body
    ).encode()


def words(told: dict[str, Any]) -> str:
    """Our own words, as both kinds of picture hold them."""
    return json.dumps(told, allow_nan=False, separators=(",", ":"))


def read_packet(data: bytes) -> dict[str, str]:
    """What a packet says: "digital_source_type", "creator_tool" and our "metadata", each where it is there.

    Raises:
        ValueError: it is no packet, is too large, or brings a document type.
    """
    if len(data) > LARGEST_PACKET:
        raise ValueError(f"an XMP packet of {len(data)} bytes; expected at most {LARGEST_PACKET}")
    text = data.decode("utf-8")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("an XMP packet with a document type; expected none")
    try:
        root = ElementTree.fromstring(text.lstrip("\ufeff"))
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"an XMP packet that is no XML ({error})") from error
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


def read_words(text: str) -> dict[str, Any]:
    """Our own words again.

    Raises:
        ValueError: they are none.
    """
    try:
        told = json.loads(text)
    except RecursionError as error:
        raise ValueError("metadata nested too deep") from error
    if not isinstance(told, dict):
        raise ValueError(f"metadata {brief(told)}; expected an object")
    return told
