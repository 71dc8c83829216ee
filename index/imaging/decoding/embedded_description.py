"""Reads the description of a picture from its file: EXIF, XMP and IPTC-IIM, as Pillow gives them."""

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

from index.imaging.decoding import capture_date
from index.imaging.decoding.description import best_dated, dated_like, merged_descriptions
from index.imaging.decoding.jpeg_file import EXTENDED_XMP
from index.imaging.decoding.xmp_properties import MOST_BYTES, lines, one_line, place_of, rating_of, read_xmp, words
from index.model import DateSource, Description

# Before each part of an extended packet: its digest in letters, the length of the whole, the start of the part.
EXTENDED_NAME: Final = 32
EXTENDED_HEAD: Final = EXTENDED_NAME + 8
RATING: Final = 0x4746
XP_TITLE: Final = 0x9C9B
XP_KEYWORDS: Final = 0x9C9E
# IPTC-IIM 4.2, application record.
IPTC_TITLE, IPTC_KEYWORDS, IPTC_DATE, IPTC_TIME, IPTC_CAPTION = (2, 5), (2, 25), (2, 55), (2, 60), (2, 120)
IPTC_LOCATION: Final = ((2, 92), (2, 90), (2, 95), (2, 101))
IPTC_CODING: Final = (1, 90)
IPTC_UTF_8: Final = b"\x1b%G"
# Texts that cameras write into every picture, which are no captions.
NO_CAPTION: Final = frozenset({"olympus digital camera", "sony dsc", "minolta digital camera", "samsung", "default",
                              "kodak digital still camera", "exif_jpeg_picture", "digital camera"})  # fmt: skip


def read_description(image: Image.Image) -> Description:
    """The description in the file of an opened picture. Broken blocks are ignored."""
    exif = _or_nothing(image.getexif, {})
    detail = _or_nothing(lambda: dict(exif.get_ifd(ExifTags.IFD.Exif)), {})
    gps = _or_nothing(lambda: dict(exif.get_ifd(ExifTags.IFD.GPSInfo)), {})
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    records = _iptc_records(image)
    if not exif and not packet and not records:
        # A quick exit: most small pictures have no metadata.
        return Description()
    xmp = read_xmp(packet) if isinstance(packet, bytes | str) else Description()
    if extended := _extended_packet(image, packet):
        xmp = merged_descriptions(xmp, read_xmp(extended))
    iptc = _of_iptc(records)
    dates = (
        (DateSource.EXIF, capture_date.of_exif(detail)),
        (DateSource.XMP, (xmp.taken, xmp.zone)),
        (DateSource.IPTC, (iptc.taken, iptc.zone)),
        (DateSource.GPS, capture_date.of_gps(gps)),
        (DateSource.EXIF, capture_date.of_exif_later(exif, detail)),
    )
    found = [Description(taken=taken, zone=zone, dated_by=by) for by, (taken, zone) in dates if taken]
    own = Description(
        place=_place(gps),
        rating=rating_of(exif.get(RATING)),
        title=one_line(_windows(exif.get(XP_TITLE))),
        caption=_caption(exif.get(ExifTags.Base.ImageDescription)),
        keywords=words(_windows(exif.get(XP_KEYWORDS)).split(";")),
    )
    return dated_like(merged_descriptions(xmp, own, iptc), best_dated(found))


def _extended_packet(image: Image.Image, packet: bytes | str) -> bytes:
    """The second packet of a JPEG, for what does not fit into one segment (XMP Specification Part 3, 1.1.3.1): put
    together from its parts, which have the digest that the first packet names. b"" if there is none, or a part is
    missing."""
    parts: dict[int, bytes] = {}
    length = 0
    for kind, payload in getattr(image, "applist", ()):
        if kind != "APP1" or not payload.startswith(EXTENDED_XMP):
            continue
        head, part = payload[len(EXTENDED_XMP) :][:EXTENDED_HEAD], payload[len(EXTENDED_XMP) + EXTENDED_HEAD :]
        name = head[:EXTENDED_NAME]
        if len(head) == EXTENDED_HEAD and name in (packet if isinstance(packet, bytes) else packet.encode()):
            length, start = struct.unpack(">II", head[EXTENDED_NAME:])
            parts[start] = part
    whole = b"".join(part for _, part in sorted(parts.items()))
    return whole if len(whole) == length and length <= MOST_BYTES else b""


def _or_nothing(read: Any, nothing: Any) -> Any:
    try:
        return read()
    except Exception:  # noqa: BLE001 - struct.error, SyntaxError, KeyError...: a broken block is no block
        return nothing


def _place(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    try:
        north = _decimal(gps[ExifTags.GPS.GPSLatitude]) * (-1 if gps[ExifTags.GPS.GPSLatitudeRef] == "S" else 1)
        east = _decimal(gps[ExifTags.GPS.GPSLongitude]) * (-1 if gps[ExifTags.GPS.GPSLongitudeRef] == "W" else 1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return place_of(north, east)


def _decimal(parts: Iterable[Any]) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    return degrees + minutes / 60 + seconds / 3600


def _iptc_records(image: Image.Image) -> Mapping[tuple[int, int], Any]:
    if not isinstance(image, ImageFile.ImageFile):
        return {}
    return _or_nothing(lambda: IptcImagePlugin.getiptcinfo(image), None) or {}


def _of_iptc(records: Mapping[tuple[int, int], Any]) -> Description:
    def texts(key: tuple[int, int]) -> list[str]:
        found = records.get(key, ())
        values = [found] if isinstance(found, bytes) else list(found)
        return [_decoded(value, records.get(IPTC_CODING)) for value in values if isinstance(value, bytes)]

    def text(key: tuple[int, int]) -> str:
        return next(iter(texts(key)), "")

    taken, zone = capture_date.of_iptc(text(IPTC_DATE), text(IPTC_TIME))
    where = [one_line(text(key)) for key in IPTC_LOCATION]
    return Description(
        taken=taken,
        zone=zone,
        dated_by=DateSource.IPTC if taken else "",
        location=(where[0], where[1], where[2], where[3]),
        title=one_line(text(IPTC_TITLE)),
        caption=lines(text(IPTC_CAPTION)),
        keywords=words(texts(IPTC_KEYWORDS)),
    )


def _decoded(value: bytes, coding: object) -> str:
    """Decode as UTF-8, which nearly all programs write whether they declare it or not, or else as Latin 1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace") if coding == IPTC_UTF_8 else value.decode("latin-1")


def _windows(value: object) -> str:
    if isinstance(value, tuple):
        value = _or_nothing(lambda: bytes(value), b"")
    return value.decode("utf-16-le", "replace").rstrip("\0") if isinstance(value, bytes) else ""


def _caption(value: object) -> str:
    if not isinstance(value, str):
        return ""
    # EXIF is ASCII. Programs write UTF-8, which Pillow reads as Latin 1.
    text = _or_nothing(lambda: value.encode("latin-1").decode("utf-8"), value)
    caption = lines(text)
    return "" if caption.lower() in NO_CAPTION or caption.startswith("DCIM\\") else caption
