"""PURE: recognises intact TIFFs that cannot be decoded here, from the first directory of the file (TIFF 6.0).

For some, Pillow reports "damaged header", for others "decoder error", and a few kinds it decodes to wrong pixels
without an error.
"""

import struct
from dataclasses import dataclass
from typing import Final

from index.messages import Message

ENTRIES_AT_MOST: Final = 4096
# The tags that are read.
BITS, COMPRESSION, MEANING, SAMPLES, PLANAR, FORMAT = 258, 259, 262, 277, 284, 339
_SIZES: Final = {3: ("H", 2), 4: ("I", 4), 16: ("Q", 8)}
UNCOMPRESSED: Final = 1
SEPARATE_PLANES: Final = 2
# IEEE floating point, and the two complex formats.
REAL: Final = frozenset({3, 5, 6})
UNSIGNED: Final = 1
SIGNED: Final = 2
# Values of PhotometricInterpretation: 0 is white, or 0 is black.
MIN_IS_WHITE: Final = 0
MIN_IS_BLACK: Final = 1
# Codings that Pillow's libtiff is built without, by their common names.
CODINGS: Final = {
    50001: "WebP", 50002: "JPEG XL", 34712: "JPEG 2000", 34887: "LERC", 34892: "lossy DNG", 33003: "JPEG 2000",
    33005: "JPEG 2000", 34676: "SGILog", 34677: "SGILog", 34661: "JBIG", 34713: "Nikon NEF", 22610: "JPEG XR",
    34934: "JPEG XR", 34933: "PNG",
}  # fmt: skip
# Codings that Pillow decodes (TiffImagePlugin.COMPRESSION_INFO, without those above). Any other is named by its number.
DECODED: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32_771, 32_773, 32_946, 34_925, 50_000})


@dataclass(frozen=True, slots=True)
class _Kind:
    bits: int = 1
    coding: int = UNCOMPRESSED
    samples: int = 1
    planes: int = 1
    sample_format: int = 1
    meaning: int = MIN_IS_BLACK


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as TIFF or BigTIFF."""
    return head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))


def decoded_wrongly(data: bytes) -> Message | None:
    """The kind of a TIFF that Pillow 13.0.0 decodes to wrong pixels without an error: 16 bits per channel in separate
    planes, uncompressed; grey in unsigned numbers of 32 bits, of which the upper half becomes negative; signed numbers
    of 8 bits, of which the negative ones become the brightest; and grey of 16 bits with 0 as white, which stays
    inverted."""
    kind = _kind_of(data)
    if kind is None:
        return None
    if kind.bits == 16 and kind.coding == UNCOMPRESSED and kind.planes == SEPARATE_PLANES and kind.samples > 1:
        return Message("picture.tiff_planar", bits=kind.bits)
    if kind.bits == 32 and kind.sample_format == UNSIGNED:
        return Message("picture.tiff_deep", bits=kind.bits)
    return _signed_or_inverted(kind)


def not_decoded(data: bytes) -> Message | None:
    """The kind of a TIFF that cannot be opened or decoded although it may be intact; None if that is unknown."""
    kind = _kind_of(data)
    if kind is None:
        return None
    if kind.coding not in DECODED:
        return Message("picture.tiff_coding", coding=CODINGS.get(kind.coding, str(kind.coding)))
    if kind.sample_format in REAL and (kind.samples > 1 or kind.bits != 32):
        return Message("picture.tiff_real", bits=kind.bits)
    if kind.bits > 16 and (kind.samples > 1 or kind.bits != 32):
        return Message("picture.tiff_deep", bits=kind.bits)
    return _signed_or_inverted(kind)


def _signed_or_inverted(kind: _Kind) -> Message | None:
    if kind.bits == 8 and kind.sample_format == SIGNED:
        return Message("picture.tiff_signed", bits=kind.bits)
    if kind.bits > 8 and kind.meaning == MIN_IS_WHITE:
        return Message("picture.tiff_white", bits=kind.bits)
    return None


def _kind_of(data: bytes) -> _Kind | None:
    try:
        return _read(data)
    except (struct.error, IndexError, OverflowError):
        return None


def _read(data: bytes) -> _Kind:
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    start: int = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)[0]
    count: int = struct.unpack_from(order + ("Q" if is_big else "H"), data, start)[0]
    first, step, inline = (start + 8, 20, 12) if is_big else (start + 2, 12, 8)
    found: dict[int, int] = {}
    for number in range(min(count, ENTRIES_AT_MOST)):
        at = first + step * number
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag not in (BITS, COMPRESSION, MEANING, SAMPLES, PLANAR, FORMAT) or kind not in _SIZES:
            continue
        values: int = struct.unpack_from(order + ("Q" if is_big else "I"), data, at + 4)[0]
        letter, size = _SIZES[kind]
        place = at + inline
        if values * size > (8 if is_big else 4):
            place = struct.unpack_from(order + ("Q" if is_big else "I"), data, place)[0]
        # Only the first of several values is read: no pictures have channels of different depths.
        found[tag] = struct.unpack_from(order + letter, data, place)[0]
    return _Kind(
        found.get(BITS, 1), found.get(COMPRESSION, UNCOMPRESSED), found.get(SAMPLES, 1), found.get(PLANAR, 1),
        found.get(FORMAT, 1), found.get(MEANING, MIN_IS_BLACK),
    )  # fmt: skip
