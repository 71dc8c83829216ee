"""PURE: the bytes of a JPEG file -> what its coding says of the program that wrote it.

Only the segments before the first scan are read (ITU-T T.81, annex B); what does not parse ends the reading.
"""

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

from index.imaging.decoding.jpeg_file import APP0, APP14, COMMENT, NoJpeg, segments

DQT, DHT, APP12, APP13 = 0xDB, 0xC4, 0xEC, 0xED
FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2))
PROGRESSIVE: Final = 0xC2
# Segments before the first scan; a file with more is not written by a camera, nor by an editor.
MOST_SEGMENTS: Final = 200

# The longest code lengths of the first table of ITU-T T.81, annex K.3: cameras and plain encoders use these tables.
STANDARD_DC_COUNTS: Final = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0))


@dataclass(frozen=True, slots=True)
class JpegStructure:
    """`luminance` is the quantisation table of the first component in zigzag order, () if the file is no JPEG;
    `subsampled` whether colours are stored at a lower resolution; `marks` names what programs leave: jfif, adobe,
    photoshop, ducky, facebook, comment."""

    luminance: tuple[int, ...] = ()
    subsampled: bool = False
    progressive: bool = False
    optimised: bool = False
    marks: tuple[str, ...] = ()


def jpeg_structure(data: bytes) -> JpegStructure:
    """What the segments of a JPEG say; an empty structure for anything else."""
    tables: dict[int, tuple[int, ...]] = {}
    sampling: list[tuple[int, int, int]] = []
    marks: list[str] = []
    progressive = optimised = False
    with suppress(NoJpeg):
        for segment in islice(segments(data), MOST_SEGMENTS):
            marker, body = segment.marker, segment.payload
            if marker == DQT:
                tables |= _tables(body)
            elif marker in FRAMES:
                progressive = marker == PROGRESSIVE
                sampling = [(body[at], body[at + 1] >> 4, body[at + 2]) for at in range(6, len(body) - 2, 3)]
            elif marker == DHT:
                optimised |= len(body) > 16 and body[0] == 0 and body[1:17] != STANDARD_DC_COUNTS
            marks += _marks(marker, body)
    first = sampling[0] if sampling else (1, 1, 0)
    subsampled = any(horizontal < first[1] for _, horizontal, _ in sampling[1:])
    return JpegStructure(
        tables.get(first[2], tables.get(0, ())), subsampled, progressive, optimised, tuple(dict.fromkeys(marks))
    )


def _tables(body: bytes) -> dict[int, tuple[int, ...]]:
    tables: dict[int, tuple[int, ...]] = {}
    place = 0
    while place < len(body):
        deep, name = body[place] >> 4, body[place] & 15
        size = 128 if deep else 64
        entries = body[place + 1 : place + 1 + size]
        if len(entries) < size:
            break
        tables[name] = (
            tuple(int.from_bytes(entries[n : n + 2], "big") for n in range(0, 128, 2)) if deep else tuple(entries)
        )
        place += 1 + size
    return tables


def _marks(marker: int, body: bytes) -> list[str]:
    if marker == APP0 and body.startswith(b"JFIF"):
        return ["jfif"]
    if marker == APP14 and body.startswith(b"Adobe"):
        return ["adobe"]
    if marker == APP12 and body.startswith(b"Ducky"):
        return ["ducky"]
    if marker == APP13 and body.startswith(b"Photoshop"):
        # Facebook writes nothing but an instruction field of its own into Photoshop's block.
        return ["facebook"] if b"FBMD" in body else ["photoshop"]
    return ["comment"] if marker == COMMENT else []
