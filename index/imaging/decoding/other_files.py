"""PURE: checks of TGA, PSD and JPEG files that Pillow does not open, or not safely.

TGA (Truevision, 1991) has no signature at its start: Pillow would accept nearly any bytes as one.
"""

import struct
from typing import Final

from index.imaging.decoding import jpeg_file
from index.messages import Message

TGA_MARK: Final = b"TRUEVISION-XFILE"
TGA_HEADER_BYTES: Final = 18
# Image type -> its possible depths in bits: with a palette, in colours, in grey; then the same, run-length encoded.
TGA_DEPTHS: Final = {1: (8,), 2: (16, 24, 32), 3: (8, 16), 9: (8,), 10: (16, 24, 32), 11: (8, 16)}
UNPACKED: Final = (1, 2, 3)
# Frames of a JPEG that Pillow does not decode (ITU-T T.81, table B.1): without loss, and hierarchical. Then the depths.
UNUSUAL_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
SOF0: Final = 0xC0
DEEP_BITS: Final = frozenset({12, 16})
PSD_MARK: Final = b"8BPS"
LARGE_PSD: Final = 2


def is_tga(data: bytes) -> bool:
    """Whether a file is a TGA: by its signature at the end, or by a header in which every field is valid."""
    if len(data) < TGA_HEADER_BYTES:
        return False
    identifier, has_map, kind, first, colours, map_bits = struct.unpack_from("<BBBHHB", data)
    width, height, depth, descriptor = struct.unpack_from("<HHBB", data, 12)
    if depth not in TGA_DEPTHS.get(kind, ()) or not width or not height or has_map > 1 or descriptor & 0xC0:
        return False
    if data.endswith((TGA_MARK + b".\0", TGA_MARK + b".")):
        return True
    if has_map != (kind in (1, 9)) or (has_map and map_bits not in (15, 16, 24, 32)):
        return False
    if not has_map and (first or colours or map_bits):
        return False
    used = TGA_HEADER_BYTES + identifier + (colours * ((map_bits + 7) // 8) if has_map else 0)
    pixels = width * height * depth // 8
    # With run-length encoding, one run covers at most 128 pixels.
    return bool(used + (pixels if kind in UNPACKED else pixels // 128) <= len(data))


def not_decoded(data: bytes) -> Message | None:
    """Why Pillow does not open a Photoshop file or a JPEG although it may be intact; None for any other file."""
    if data.startswith(jpeg_file.SOI):
        return _of_jpeg(data)
    if not data.startswith(PSD_MARK) or len(data) < 26:
        return None
    version, depth = struct.unpack_from(">H", data, 4)[0], struct.unpack_from(">H", data, 22)[0]
    if version == LARGE_PSD:
        return Message("picture.psd_large")
    return Message("picture.psd_deep", bits=depth) if depth not in (1, 8) else None


def _of_jpeg(data: bytes) -> Message | None:
    try:
        marker, bits = jpeg_file.kind_of_frame(data)
    except jpeg_file.NoJpeg:
        return None
    if marker == jpeg_file.SOF_LS:
        return Message("picture.jpeg_coding", coding="JPEG-LS")
    if marker in UNUSUAL_FRAMES:
        return Message("picture.jpeg_coding", coding=f"SOF{marker - SOF0}")
    return Message("picture.jpeg_deep", bits=bits) if bits in DEEP_BITS else None
