"""PURE: a JPEG of a grey picture that was encoded in colour -> the same luma as a JPEG with one component.

jpegli, with its present binding, encodes only colour. Its luma is that of a grey file: the scans of luma alone are
copied, and the scan of block averages, which it shares with chroma, is encoded without chroma.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.decoding import jpeg_file
from index.imaging.decoding.jpeg_file import NoJpeg
from index.imaging.encoding.jpeg_codes import CODES, Code, best_code, bits_of, coded_of, codes_in

PROGRESSIVE: Final = 0xC2
QUANTISATION: Final = 0xDB
# The sampling of a picture with one of four colour samples: four blocks of luma, then one of each chroma.
SAMPLINGS: Final = (0x22, 0x11, 0x11)
OF_UNIT: Final = (0, 0, 0, 0, 1, 2)
BLOCK: Final = 8


def without_chroma(data: bytes) -> bytes:
    """The luma of a progressive JPEG with one of four colour samples, as a progressive JPEG of one component, without
    metadata. Raises NoJpeg for any other."""
    parts, frame = [jpeg_file.SOI], b""
    tables: dict[int, Code] = {}
    for view in jpeg_file.code_of_picture(data):
        part = bytes(view)
        marker = part[1]
        if marker == PROGRESSIVE:
            frame = part
            if len(part) != 19 or tuple(part[11:18:3]) != SAMPLINGS:
                raise NoJpeg("is not sampled so")
            parts.append(
                b"\xff\xc2" + (11).to_bytes(2, "big") + part[4:9] + b"\1" + part[10:11] + b"\x11" + part[12:13]
            )
        elif marker == jpeg_file.SOS:
            parts.append(_luma_of(part, frame, tables))
        elif marker in (CODES, QUANTISATION):
            parts.append(part)
            if marker == CODES:
                tables.update(codes_in(part[4:]))
        else:
            raise NoJpeg("has other parts")
    return b"".join([*parts, jpeg_file.END])


def _luma_of(scan: bytes, frame: bytes, tables: dict[int, Code]) -> bytes:
    """The luma of a scan, as a separate scan."""
    if not frame:
        raise NoJpeg("has no progressive frame")
    components = scan[4]
    names, spectrum = scan[5 : 5 + 2 * components : 2], scan[5 + 2 * components : 8 + 2 * components]
    if components == 1:
        return scan if names[0] == frame[10] else b""
    if names != frame[10:19:3] or spectrum != bytes(3):
        raise NoJpeg("has a scan of another kind")
    height, width = (int.from_bytes(frame[start : start + 2], "big") for start in (5, 7))
    try:
        places = [tables[selector >> 4].places() for selector in scan[6:11:2]]
    except KeyError as error:
        raise NoJpeg("lacks a table of codes") from error
    differences = np.diff(_averages(bits_of(scan[14:]), places, width, height).ravel(), prepend=0)
    sizes = [int(value).bit_length() for value in np.abs(differences)]
    code = best_code(dict(zip(*np.unique(sizes, return_counts=True), strict=True)))
    words = code.words()
    bits = [
        words[size] + (format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") if size else "")
        for size, value in zip(sizes, differences.tolist(), strict=True)
    ]
    header = b"\xff\xda" + (8).to_bytes(2, "big") + b"\1" + names[:1] + bytes(4)
    return code.segment(0) + header + coded_of("".join(bits))


def _averages(bits: str, places: Sequence[list[tuple[int, int]]], width: int, height: int) -> NDArray[np.int64]:
    """The averages of the luma blocks, by row and column, from a scan that interleaves them with chroma."""
    down, across = -(-height // (2 * BLOCK)), -(-width // (2 * BLOCK))
    luma, last, position = [], 0, 0
    for _ in range(down * across):
        for component in OF_UNIT:
            length, size = places[component][int(bits[position : position + 16] or "0", 2)]
            if length == 0:
                raise NoJpeg("has coded data of no meaning")
            position += length
            if component == 0:
                value = int(bits[position : position + size] or "0", 2)
                last += value if not size or value >> (size - 1) else value - (1 << size) + 1
                luma.append(last)
            position += size
    units = np.array(luma, np.int64).reshape(down, across, 2, 2)
    return units.transpose(0, 2, 1, 3).reshape(2 * down, 2 * across)[: -(-height // BLOCK), : -(-width // BLOCK)]
