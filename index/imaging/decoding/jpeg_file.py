"""PURE: the segments of a JPEG file (ITU-T T.81, annex B): its metadata, and where the picture ends.

Metadata is carried as the bytes it is, so that nothing is lost that a reader of ours does not know of: maker notes,
long XMP, IPTC, comments.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

SOI: Final = b"\xff\xd8"
SOS: Final = 0xDA
EOI: Final = 0xD9
COMMENT: Final = 0xFE
APP0, APP1, APP2, APP14, APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF

EXIF: Final = b"Exif\0\0"
ICC: Final = b"ICC_PROFILE\0"
# The index of further pictures in the same file (CIPA DC-007): its offsets hold for the file it was made for only.
SEVERAL_PICTURES: Final = b"MPF\0"
LONGEST_PAYLOAD: Final = 65_533

# Stand alone, without a length: RST0 to RST7 and TEM.
_BARE: Final = frozenset({*range(0xD0, 0xD8), 0x01})
# In the coded data a marker is 0xFF and neither a stuffed zero, a restart nor more fill.
_MARKER: Final = re.compile(b"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and what follows its length."""

    marker: int
    payload: bytes

    @property
    def is_profile(self) -> bool:
        return self.marker == APP2 and self.payload.startswith(ICC)

    @property
    def is_exif(self) -> bool:
        return self.marker == APP1 and self.payload.startswith(EXIF)


class NoJpeg(ValueError):
    """The bytes are not built as a JPEG file."""


def metadata_of(data: bytes) -> list[Segment]:
    """The segments that say something of the picture, in their order: application data and comments, without those
    that say how it is coded (JFIF, Adobe) or where in the file other pictures are. Raises NoJpeg."""
    return [segment for segment in _segments(data) if _is_metadata(segment)]


def end_of_picture(data: bytes) -> int:
    """Where the first picture ends: what comes behind is something else. Raises NoJpeg."""
    for marker, start, _ in _markers(data):
        if marker == EOI:
            return start + 2
    raise NoJpeg("has no end marker")


def start_of_index(data: bytes) -> int | None:
    """Where the index of further pictures begins, from which its offsets count; None without one. Raises NoJpeg."""
    for marker, start, end in _markers(data):
        if marker in (SOS, EOI):
            return None
        if _is_index(Segment(marker, data[start + 4 : end])):
            return start + 4 + len(SEVERAL_PICTURES)
    return None


def with_metadata(data: bytes, segments: Iterable[Segment]) -> bytes:
    """The file with these segments in place of its metadata. Raises NoJpeg, and ValueError for one too long."""
    first: list[bytes] = []
    coding: list[bytes] = []
    for marker, start, end in _markers(data):
        if marker == SOS:
            return b"".join([SOI, *first, *map(_written, segments), *coding, data[start:]])
        segment = Segment(marker, data[start + 4 : end])
        if marker in (APP0, APP14):
            first.append(data[start:end])
        elif not _is_metadata(segment) and not _is_index(segment):
            coding.append(data[start:end])
    raise NoJpeg("has no picture")


def _is_index(segment: Segment) -> bool:
    return segment.marker == APP2 and segment.payload.startswith(SEVERAL_PICTURES)


def _is_metadata(segment: Segment) -> bool:
    if segment.marker == COMMENT:
        return True
    return APP0 < segment.marker <= APP15 and segment.marker != APP14 and not _is_index(segment)


def _written(segment: Segment) -> bytes:
    if len(segment.payload) > LONGEST_PAYLOAD:
        raise ValueError("a segment of a JPEG holds at most 64 KB")
    return bytes([0xFF, segment.marker]) + (len(segment.payload) + 2).to_bytes(2, "big") + segment.payload


def _segments(data: bytes) -> Iterator[Segment]:
    """Those before the picture's coded data."""
    for marker, start, end in _markers(data):
        if marker in (SOS, EOI):
            return
        yield Segment(marker, data[start + 4 : end])


def _markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker with where it begins and where its segment ends, coded data passed over."""
    if not data.startswith(SOI):
        raise NoJpeg("does not begin as one")
    position = len(SOI)
    while position + 1 < len(data):
        if data[position] != 0xFF:
            raise NoJpeg(f"has no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _BARE or marker == EOI:
            yield marker, position, position + 2
            if marker == EOI:
                return
            position += 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if end > len(data) or end < position + 4:
            raise NoJpeg(f"has a segment at byte {position} that does not end")
        yield marker, position, end
        position = _end_of_scan(data, end) if marker == SOS else end


def _end_of_scan(data: bytes, start: int) -> int:
    found = _MARKER.search(data, start)
    return len(data) if found is None else found.start()
