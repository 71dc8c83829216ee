"""The number of bits per channel of a picture in its file. Pillow may hold fewer."""

from typing import Any, Final

from PIL import Image

from index.imaging.decoding import jxl_file, png_file

USUAL: Final = 8
BITS_PER_SAMPLE: Final = 258
# The configuration of an AV1 picture (AV1 in ISOBMFF, 2.3.3): after this name, one byte has these flags.
AV1_CONFIGURATION: Final = b"av1C"
AV1_FLAGS_AT: Final = 6
HIGH, TWELVE = 0x40, 0x20
# The start of a JPEG 2000 codestream (ITU-T T.800, A.5.1). The number of components is at this place behind it, and the
# depth of each of them in three bytes from there on.
JPEG_2000: Final = b"\xff\x4f\xff\x51"
COMPONENTS_AT, DEPTHS_AT, COMPONENT_BYTES = 40, 42, 3
COMPONENTS_AT_MOST: Final = 64


def bit_depth(data: bytes, image: Image.Image) -> int:
    """The bits per channel as stored, at least 8; a palette counts as 8. `data` are the bytes from which the picture
    was opened."""
    return max(USUAL, _stored(data, image))


def _stored(data: bytes, image: Image.Image) -> int:
    if image.format == "PNG":
        try:
            return png_file.bits_per_channel(data)
        except png_file.NoPng:
            return USUAL
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        bits = tags.get(BITS_PER_SAMPLE, USUAL)
        return max(map(int, bits)) if isinstance(bits, tuple) and bits else int(bits) if bits else USUAL
    if image.format in ("AVIF", "HEIF"):
        return max(_av1(data), int(image.info.get("bit_depth", USUAL) or USUAL))
    if image.format == "JPEG2000":
        return _jpeg_2000(data)
    if image.format == "JXL":
        return jxl_file.bits_per_channel(data) or USUAL
    if image.mode in ("I", "F"):
        return 32
    return 16 if image.mode.startswith("I;16") else USUAL


def _av1(data: bytes) -> int:
    at = data.find(AV1_CONFIGURATION)
    flags = data[at + AV1_FLAGS_AT] if 0 <= at < len(data) - AV1_FLAGS_AT else 0
    if not flags & HIGH:
        return USUAL
    return 12 if flags & TWELVE else 10


def _jpeg_2000(data: bytes) -> int:
    """The depth of the deepest component. The highest bit of each depth only says that its values have a sign."""
    at = data.find(JPEG_2000)
    if at < 0:
        return USUAL
    number = int.from_bytes(data[at + COMPONENTS_AT : at + DEPTHS_AT], "big")
    end = at + DEPTHS_AT + COMPONENT_BYTES * min(number, COMPONENTS_AT_MOST)
    return max(((depth & 0x7F) + 1 for depth in data[at + DEPTHS_AT : end : COMPONENT_BYTES]), default=USUAL)
