"""PURE: XMP packets (Adobe, XMP Specification Part 1): changes values that depend on the pixels; makes new packets.

A packet is changed as text, number by number, and texts are added at its end, so that everything else stays as its
program wrote it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final
from xml.sax.saxutils import escape

# Sizes of the picture as stored, and positions and sizes in a panorama (Google, Photo Sphere XMP Metadata).
WIDTHS: Final = ("tiff:ImageWidth", "exif:PixelXDimension")
HEIGHTS: Final = ("tiff:ImageLength", "exif:PixelYDimension")
ACROSS: Final = ("GPano:FullPanoWidthPixels", "GPano:CroppedAreaImageWidthPixels", "GPano:CroppedAreaLeftPixels")
DOWN: Final = ("GPano:FullPanoHeightPixels", "GPano:CroppedAreaImageHeightPixels", "GPano:CroppedAreaTopPixels")
ORIENTATION: Final = "tiff:Orientation"

# Faces and other places, marked in the picture as stored (Metadata Working Group, Microsoft, ACDSee, IPTC), by their
# namespace or property.
REGIONS: Final = (
    b"http://www.metadataworkinggroup.com/schemas/regions/", b"http://ns.microsoft.com/photo/1.2/t/Region",
    b"http://ns.acdsee.com/regions/", b"Iptc4xmpExt:ImageRegion",
)  # fmt: skip

DUBLIN_CORE: Final = b"http://purl.org/dc/elements/1.1/"
RDF_END: Final = b"</rdf:RDF>"
_ABOUT: Final = re.compile(rb"rdf:about=([\"'])([^\"'<>]*)\1")
_USUAL_PREFIX: Final = re.compile(rb"xmlns:dc=[\"']" + re.escape(DUBLIN_CORE))

# Some programs write whole numbers as 640.0.
_NUMBER: Final = rb"((?:%s)\s*=\s*[\"']|<(?:%s)>\s*)(\d{1,9})(?:\.\d{0,9})?(?=\s*[\"'<])"


def for_pixels(packet: bytes, before: tuple[int, int], after: tuple[int, int], orientation: int | None) -> bytes:
    """The packet for a picture that was scaled from one size to another, both as stored and not rotated against each
    other, and now has this orientation; None if it has the previous one."""
    wanted = dict.fromkeys(WIDTHS, after[0]) | dict.fromkeys(HEIGHTS, after[1])
    if orientation is not None:
        wanted[ORIENTATION] = orientation
    for name, number in wanted.items():
        packet = _with(packet, name, lambda _, number=number: number)  # type: ignore[misc]
    for names, scale in ((ACROSS, after[0] / before[0]), (DOWN, after[1] / before[1])):
        for name in names:
            packet = _with(packet, name, lambda number, scale=scale: round(number * scale))  # type: ignore[misc]
    return packet


def has_regions(packet: bytes) -> bool:
    """Whether places in the picture are marked, which move when it is rotated."""
    return any(sign in packet for sign in REGIONS)


def of_texts(texts: Mapping[str, str], keywords: tuple[str, ...]) -> bytes:
    """A new packet: `texts` are dc:title, dc:description, dc:creator and dc:rights, if any."""
    return (
        '<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="ComparImg">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f'{_description(_properties(texts, keywords), "")} </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
    ).encode()


def with_texts(packet: bytes, texts: Mapping[str, str], keywords: tuple[str, ...]) -> bytes:
    """The packet with those of the texts and keywords whose properties it does not have."""
    end = packet.rfind(RDF_END)
    missing = {
        name: line
        for name, line in _properties(texts, keywords).items()
        if not re.search(rb"\b%s\b" % name.encode(), packet)
    }
    about = _ABOUT.search(packet)
    # The names may have another prefix: then it is not known what is there.
    is_usual = packet.count(DUBLIN_CORE) == len(_USUAL_PREFIX.findall(packet))
    if end < 0 or not missing or about is None or not is_usual:
        return packet
    return packet[:end] + _description(missing, about[2].decode("utf-8", "replace")).encode() + packet[end:]


def _properties(texts: Mapping[str, str], keywords: tuple[str, ...]) -> dict[str, str]:
    """Each property as an element, by its name."""
    lines = {}
    for name, text in texts.items():
        item = escape(_printable(text))
        if name == "dc:creator":
            lines[name] = f"   <{name}><rdf:Seq><rdf:li>{item}</rdf:li></rdf:Seq></{name}>\n"
        else:
            lines[name] = f'   <{name}><rdf:Alt><rdf:li xml:lang="x-default">{item}</rdf:li></rdf:Alt></{name}>\n'
    if keywords:
        items = "".join(f"<rdf:li>{escape(_printable(word))}</rdf:li>" for word in keywords)
        lines["dc:subject"] = f"   <dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject>\n"
    return lines


def _description(properties: Mapping[str, str], about: str) -> str:
    """`about` as written in the packet; it is the same in all descriptions."""
    namespace = DUBLIN_CORE.decode()
    start = f'  <rdf:Description rdf:about="{about}" xmlns:dc="{namespace}">\n'
    return start + "".join(properties.values()) + "  </rdf:Description>\n"


def holds(packet: bytes, text: str) -> bool:
    """Whether a packet contains this property."""
    return escape(_printable(text)).encode() in packet or _printable(text).encode() in packet


def _with(packet: bytes, name: str, change: Callable[[int], int]) -> bytes:
    """The packet with another number of this name, as an attribute or an element."""
    form = _NUMBER.replace(b"%s", re.escape(name.encode()))
    return re.sub(form, lambda match: match[1] + str(change(int(match[2]))).encode(), packet)


def _printable(text: str) -> str:
    """The text without characters that XML cannot contain."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text).strip()
