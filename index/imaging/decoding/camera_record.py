"""The record that a camera leaves in its file: the exposure, the position in a series, and the software that wrote it.

It shows whether two files come from one exposure, and whether a file is as its camera wrote it. Metadata is untrusted:
broken values count as missing.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from PIL import ExifTags

from index.model import CameraRecord

# The tables of quality 50 (ITU-T T.81, annex K), which libjpeg scales. Luminance is in zigzag order, chrominance
# sorted.
STANDARD_LUMINANCE: Final = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51,
    61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77,
    113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
STANDARD_CHROMINANCE: Final = (17, 18, 18, 21, 24, 24, 26, 26, 47, 47, 56, 66, 66, *(99,) * 51)

TEXT_LENGTH: Final = 80
DIGEST_BYTES: Final = 8
# The most entries of a maker note that are read.
MOST_ENTRIES: Final = 500
ASCII: Final = 2
SHORT: Final = 3
LONG: Final = 4

# Where the directory of a maker note begins, by the first bytes of the note, and its byte order if it has its own.
# Numbers are read only if they are in the directory itself. No offset is followed, except in Apple's notes.
LAYOUTS: Final = (
    (b"Nikon\0\x02", 18, None),
    (b"SONY", 12, None),
    (b"Panasonic\0", 12, None),
    (b"FUJIFILM", 12, "<"),
    (b"Apple iOS\0", 14, ">"),
)
# Tags that number the exposures of a camera or of a burst (named as in ExifTool).
NUMBERS: Final[Mapping[str, frozenset[int]]] = {
    "Canon": frozenset({0x0008}),  # FileNumber
    "Nikon": frozenset({0x00A7}),  # ShutterCount
    "SONY": frozenset({0xB04A}),  # SequenceNumber
    "Panasonic": frozenset({0x002B}),  # SequenceNumber
    "FUJIFILM": frozenset({0x1101, 0x1438}),  # SequenceNumber, ImageCount
}
APPLE_BURST: Final = 0x000B


def camera_record(exif: Any, detail: Mapping[int, Any], tables: Any) -> CameraRecord:
    """The record in the main directory and the Exif directory of a file's EXIF, and its quantisation tables (None if
    the file is not a JPEG).

    Raises nothing: what cannot be read is left out.
    """
    note = detail.get(ExifTags.Base.MakerNote)
    note = bytes(note) if isinstance(note, bytes | bytearray) else b""
    make = _text(exif.get(ExifTags.Base.Make))
    numbers, burst = _series(note, make, ">" if getattr(exif, "endian", "<") == ">" else "<")
    coefficients = _tables(tables)
    if not exif and not detail:
        # Most small pictures have no metadata.
        return CameraRecord(tables=_digest_of(coefficients), standard_tables=_are_standard(coefficients))
    return CameraRecord(
        make=make,
        software=_text(exif.get(ExifTags.Base.Software)),
        modified=_text(exif.get(ExifTags.Base.DateTime)),
        original=_text(detail.get(ExifTags.Base.DateTimeOriginal)),
        subseconds=_text(detail.get(ExifTags.Base.SubsecTimeOriginal)).rstrip("0"),
        exposure_s=_number(detail.get(ExifTags.Base.ExposureTime)),
        aperture=_number(detail.get(ExifTags.Base.FNumber)),
        iso=_number(detail.get(ExifTags.Base.ISOSpeedRatings)),
        bias_ev=_number(detail.get(ExifTags.Base.ExposureBiasValue), least=-100.0),
        unique_id=_text(detail.get(ExifTags.Base.ImageUniqueID)),
        burst_id=burst,
        numbers=numbers,
        maker_note=_digest(note),
        tables=_digest_of(coefficients),
        standard_tables=_are_standard(coefficients),
        declared=(
            int(_number(detail.get(ExifTags.Base.ExifImageWidth)) or 0),
            int(_number(detail.get(ExifTags.Base.ExifImageHeight)) or 0),
        ),
    )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "ignore")
    if not isinstance(value, str):
        return ""
    return "".join(filter(str.isprintable, value)).strip()[:TEXT_LENGTH].strip()


def _number(value: Any, least: float = 0.0) -> float | None:
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    try:
        number = round(float(value), 6)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if least <= number < 1e9 else None


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest() if data else ""


def _tables(tables: Any) -> tuple[tuple[int, ...], ...]:
    try:
        return tuple(tuple(map(int, tables[index])) for index in sorted(tables))
    except (TypeError, KeyError, IndexError, ValueError):
        return ()


@lru_cache(maxsize=256)
def _digest_of(tables: tuple[tuple[int, ...], ...]) -> str:
    return _digest(repr(tables).encode()) if tables else ""


@lru_cache(maxsize=256)
def _are_standard(tables: tuple[tuple[int, ...], ...]) -> bool:
    """Whether libjpeg makes these tables from a quality. If so, any program may have written them."""
    return bool(tables) and any(
        all(sorted(table) in made for table in tables) for made in (_made(quality) for quality in range(1, 101))
    )


def _made(quality: int) -> list[list[int]]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [
        sorted(max(1, min(255, (entry * scale + 50) // 100)) for entry in table)
        for table in (STANDARD_LUMINANCE, STANDARD_CHROMINANCE)
    ]


def _series(note: bytes, make: str, order: str) -> tuple[tuple[str, ...], str]:
    """The numbers in a maker note, each as "tag:value", and the identifier of the burst, "" if there is none."""
    start, name = 0, "Canon" if make.upper().startswith("CANON") else ""
    for head, offset, own in LAYOUTS:
        if note.startswith(head):
            start, name, order = offset, head.decode("latin-1").split("\0")[0], own or order
    if name == "Nikon":
        order = ">" if note[10:12] == b"MM" else "<"
    if not name:
        return (), ""
    wanted, numbers, burst = NUMBERS.get(name, frozenset()), [], ""
    for tag, kind, count, field in _entries(note, start, order):
        if tag in wanted and count == 1 and kind in (SHORT, LONG):
            value = struct.unpack(order + ("H" if kind == SHORT else "I"), field[: 2 if kind == SHORT else 4])[0]
            numbers.append(f"{tag:#06x}:{value}")
        elif tag == APPLE_BURST and name.startswith("Apple") and kind == ASCII:
            (offset,) = struct.unpack(order + "I", field)
            burst = _text(note[offset : offset + min(count, TEXT_LENGTH)])
    return tuple(sorted(numbers)), burst


def _entries(note: bytes, start: int, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """The entries of a directory: tag, type, count and the field of four bytes. Stops at the first incomplete entry."""
    if len(note) < start + 2:
        return
    (count,) = struct.unpack_from(order + "H", note, start)
    for at in islice(range(start + 2, len(note) - 11, 12), min(count, MOST_ENTRIES)):
        tag, kind, values = struct.unpack_from(order + "HHI", note, at)
        yield tag, kind, values, note[at + 8 : at + 12]
