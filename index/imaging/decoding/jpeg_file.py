"""PURE: the segments of a JPEG file (ITU-T T.81, annex B): its metadata, and the end of the picture.

Metadata is copied byte for byte. So nothing is lost that no reader here understands: maker notes, long XMP, IPTC,
comments.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

SOI: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"
SOS: Final = 0xDA
EOI: Final = 0xD9
COMMENT: Final = 0xFE
BASELINE: Final = 0xC0
APP0, APP1, APP2, APP14, APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF

EXIF: Final = b"Exif\0\0"
ICC: Final = b"ICC_PROFILE\0"
JFIF: Final = b"JFIF\0"
EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
ADOBE: Final = b"Adobe"
# The shortest payloads that libjpeg accepts as these segments.
LEAST_JFIF: Final = 14
LEAST_ADOBE: Final = 12
USUAL_BITS: Final = 8
# The index of further pictures in the file (CIPA DC-007). Its offsets are valid only in the original file.
SEVERAL_PICTURES: Final = b"MPF\0"
LONGEST_PAYLOAD: Final = 65_533

# Markers without a length and data: RST0 to RST7 and TEM.
_BARE: Final = frozenset({*range(0xD0, 0xD8), 0x01})
# Within coded data, 0xFF begins a marker unless a stuffed zero, a restart or another fill byte follows.
_MARKER: Final = re.compile(b"\xff[^\x00\xd0-\xd7\xff]")
# Frames with Huffman coding: baseline, extended, progressive. Then tables of codes, of quantisation, the restart
# interval.
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_TABLES: Final = frozenset({0xC4, 0xDB, 0xDD})
# Tables and extensions whose markers lie among those of frames.
_NO_FRAMES: Final = frozenset({0xC4, 0xC8, 0xCC})
# The frame of JPEG-LS (ITU-T T.87), which is another coding with the same structure.
SOF_LS: Final = 0xF7
_ALL_FRAMES: Final = frozenset({*range(0xC0, 0xD0), SOF_LS}) - _NO_FRAMES
# Segments that may be between two scans of one picture: tables, comments and application data.
_BETWEEN_SCANS: Final = frozenset({0xC4, SOS, 0xDB, 0xDC, 0xDD, COMMENT, *range(0xE0, 0xF0)})
# Coded data may end in this many zeros: flat blocks of colour, or a stuffed zero.
_ZEROS: Final = 2
# Data that may follow coded data without an end marker: a block of a Samsung trailer (kind, length of the name, name),
# or a video in MP4.
_FOLLOWING: Final = re.compile(rb"\0\0.\x0a[\x01-\x40]\0\0\0[A-Za-z0-9_]{4}|\0\0..ftyp", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and the data after its length."""

    marker: int
    payload: bytes

    @property
    def is_profile(self) -> bool:
        return self.marker == APP2 and self.payload.startswith(ICC)

    @property
    def is_exif(self) -> bool:
        return self.marker == APP1 and self.payload.startswith(EXIF)


class NoJpeg(ValueError):
    """The bytes do not have the structure of a JPEG file."""


def segments(data: bytes) -> Iterator[Segment]:
    """The segments before the coded data of the picture. Raises NoJpeg where the bytes are no segment."""
    for marker, start, end in markers(data):
        if marker in (SOS, EOI):
            return
        yield Segment(marker, data[start + 4 : end])


def metadata_of(data: bytes) -> list[Segment]:
    """The segments that describe the picture, in order: application data and comments, without those that describe the
    coding (JFIF, Adobe) or the position of other pictures in the file. Raises NoJpeg."""
    return [segment for segment in segments(data) if _is_metadata(segment)]


def is_baseline(data: bytes) -> bool:
    """Whether the picture has the sequential coding that any decoder reads, not a progressive one. Raises NoJpeg."""
    return any(segment.marker == BASELINE for segment in segments(data))


def end_of_picture(data: bytes) -> int:
    """The position where the first picture ends and other data begins. Raises NoJpeg."""
    for marker, start, _ in markers(data):
        if marker == EOI:
            return start + 2
    raise NoJpeg("has no end marker")


def end_without_marker(data: bytes) -> int | None:
    """The position where the coded data of the picture ends, if there is no end marker. None if there is one, or if
    there is no coded data."""
    last: tuple[int, int] | None = None
    try:
        for marker, _, behind in markers(data):
            if marker == EOI:
                return None
            if last is not None and marker not in _BETWEEN_SCANS:
                break
            if marker == SOS:
                last = behind, _end_of_scan(data, behind)
    except NoJpeg:
        pass
    if last is None:
        return None
    following = _FOLLOWING.search(data, *last)
    start, end = last[0], last[1] if following is None else following.start()
    # Zeros decode to grey without an error, so many zeros must not count as coded data.
    return min(end, start + len(data[start:end].rstrip(b"\0")) + _ZEROS)


def code_of_picture(data: bytes) -> Iterator[memoryview]:
    """The parts of a file that determine its pixels, in order: the tables, the frame, and each scan with its coded
    data, unchanged. The file must have an end marker and one frame of 8 bits that gives its own height, with one or
    three components. Raises NoJpeg for anything else."""
    view, frames = memoryview(data), 0
    scan: int | None = None
    for marker, start, end in markers(data):
        if scan is not None:
            yield view[scan:start]
            scan = None
        if marker == EOI:
            break
        if marker in _FRAMES:
            frames += 1
            precision, height, components = data[start + 4], data[start + 5 : start + 7], data[start + 9 : start + 10]
            if precision != USUAL_BITS or not any(height) or components not in (b"\1", b"\3"):
                raise NoJpeg("has a frame of another kind")
            yield view[start:end]
        elif marker == SOS:
            scan = start
        elif marker in _TABLES:
            yield view[start:end]
        elif marker != COMMENT and not APP0 <= marker <= APP15:
            raise NoJpeg(f"has a marker {marker:#x} of another kind")
    else:
        raise NoJpeg("has no end marker")
    if frames != 1:
        raise NoJpeg("has not one frame")


def is_coded_as_rgb(data: bytes) -> bool:
    """Whether a decoder interprets three components as red, green and blue rather than luma and chroma. This is
    libjpeg's rule (default_decompress_parms): JFIF means luma, else Adobe's marker decides, else the numbers of the
    components do. Raises NoJpeg."""
    jfif, adobe, names = False, -1, b""
    for segment in segments(data):
        if segment.marker == APP0 and segment.payload.startswith(JFIF) and len(segment.payload) >= LEAST_JFIF:
            jfif = True
        elif segment.marker == APP14 and segment.payload.startswith(ADOBE) and len(segment.payload) >= LEAST_ADOBE:
            adobe = segment.payload[LEAST_ADOBE - 1]
        elif segment.marker in _FRAMES:
            names = segment.payload[6:15:3]
    if jfif:
        return False
    return adobe == 0 if adobe >= 0 else names == b"RGB"


def start_of_index(data: bytes) -> int | None:
    """The position from which the offsets in the index of further pictures count, None if there is no index. Raises
    NoJpeg."""
    for marker, start, end in markers(data):
        if marker in (SOS, EOI):
            return None
        if _is_index(Segment(marker, data[start + 4 : end])):
            return start + 4 + len(SEVERAL_PICTURES)
    return None


def with_metadata(data: bytes, segments: Iterable[Segment]) -> bytes:
    """The file with its metadata replaced by these segments. Raises NoJpeg, and ValueError for a segment that is too
    long."""
    first: list[bytes] = []
    coding: list[bytes] = []
    for marker, start, end in markers(data):
        if marker == SOS:
            return b"".join([SOI, *first, *map(_written, segments), *coding, data[start:]])
        segment = Segment(marker, data[start + 4 : end])
        if marker in (APP0, APP14):
            first.append(data[start:end])
        elif not _is_metadata(segment) and not _is_index(segment):
            coding.append(data[start:end])
    raise NoJpeg("has no picture")


def with_density(data: bytes, dpi: tuple[float, float] | None) -> bytes:
    """A file without a JFIF segment (ITU-T T.871) at its start, with one added that gives this resolution, or says that
    pixels are square."""
    across, down = (min(65_535, max(1, round(value))) for value in dpi or (1, 1))
    payload = JFIF + b"\1\1" + bytes([dpi is not None]) + across.to_bytes(2, "big") + down.to_bytes(2, "big") + bytes(2)
    return SOI + _written(Segment(APP0, payload)) + data[len(SOI) :]


def kind_of_frame(data: bytes) -> tuple[int, int]:
    """The marker of the frame of a JPEG, from SOF0 to SOF15 or that of JPEG-LS, and its bits per channel. Raises
    NoJpeg."""
    for segment in segments(data):
        if segment.marker in _ALL_FRAMES and segment.payload:
            return segment.marker, segment.payload[0]
    raise NoJpeg("has no frame")


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


def markers(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker, with the positions where it begins and where its segment ends. Coded data is skipped."""
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
    marker = _MARKER.search(data, start)
    return len(data) if marker is None else marker.start()
