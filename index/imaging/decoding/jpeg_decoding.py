"""EDGE: decodes a JPEG to luma at a reduced scale, with the warnings of libjpeg.

libjpeg fills damaged parts with grey or shifted blocks, and reports this in a warning, which Pillow drops. OpenCV
decodes the same pixels with the same library, and writes the warning to standard error, from where it is read.
"""

import re
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.decoding import decoder_messages, jpeg_file

Bytes = NDArray[np.uint8]

REDUCED: Final = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
# libjpeg writes one warning for each picture, with at most this many characters.
WORDS: Final = 200
# Harmless: a newer JFIF version than the library knows, and padding before the end marker, which some cameras leave.
UNKNOWN_JFIF: Final = "unknown JFIF revision"
JFIF: Final = b"JFIF\0"
KNOWN_JFIF: Final = b"\x01\x01"
EXTRANEOUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
FILLING: Final = b"\0\xff"


def luma(data: bytes, reduction: int) -> tuple[Bytes | None, str]:
    """The luma of a JPEG at 1/`reduction` (1, 2, 4 or 8) of its size, uint8 of shape (height, width), as stored; and
    the decoder's own warning, "" if there is none. The luma is None if OpenCV decodes nothing; the warning is valid
    then, too."""
    pixels, words = _decoded(data, reduction)
    if UNKNOWN_JFIF in words:
        # libjpeg writes only its first warning, so a harmless one would hide others.
        version = data.index(JFIF) + len(JFIF)
        _, words = _decoded(data[:version] + KNOWN_JFIF + data[version + len(KNOWN_JFIF) :], 8)
    return pixels, _damage(words, data)


def completed(data: bytes) -> bytes | None:
    """A JPEG that lacks only its end marker, with the marker inserted after the coded data, before whatever follows.
    None if it has a marker, or if more is missing: the last pixel must be there."""
    end = jpeg_file.end_without_marker(data)
    if end is None:
        return None
    whole = data[:end] + jpeg_file.END + data[end:]
    pixels, damage = luma(whole[: end + len(jpeg_file.END)], 8)
    return whole if pixels is not None and not damage else None


def _decoded(data: bytes, reduction: int) -> tuple[Bytes | None, str]:
    with decoder_messages.captured() as words:
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:
            pixels = None
    return (None if pixels is None else np.asarray(pixels, np.uint8)), "".join(words)


def _damage(words: str, data: bytes) -> str:
    for line in words.splitlines():
        extraneous = EXTRANEOUS.search(line)
        if extraneous and int(extraneous[2], 16) == jpeg_file.EOI and _is_filled(data, int(extraneous[1])):
            continue
        if line and UNKNOWN_JFIF not in line:
            return line.strip()[:WORDS]
    return ""


def _is_filled(data: bytes, length: int) -> bool:
    """Whether the last `length` bytes before the end of the picture are only padding."""
    try:
        end = jpeg_file.end_of_picture(data) - len(jpeg_file.END)
    except jpeg_file.NoJpeg:
        return False
    return not data[max(0, end - length) : end].strip(FILLING)
