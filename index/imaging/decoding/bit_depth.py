"""The number of bits per channel of a picture in its file. Pillow may hold fewer."""

from typing import Any, Final

from PIL import Image

from index.imaging.decoding import png_file

USUAL: Final = 8
BITS_PER_SAMPLE: Final = 258
# The configuration of an AV1 picture (AV1 in ISOBMFF, 2.3.3): after this name, one byte has these flags.
AV1_CONFIGURATION: Final = b"av1C"
AV1_FLAGS_AT: Final = 6
HIGH, TWELVE = 0x40, 0x20


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
    if image.mode in ("I", "F"):
        return 32
    return 16 if image.mode.startswith("I;16") else USUAL


def _av1(data: bytes) -> int:
    at = data.find(AV1_CONFIGURATION)
    flags = data[at + AV1_FLAGS_AT] if 0 <= at < len(data) - AV1_FLAGS_AT else 0
    if not flags & HIGH:
        return USUAL
    return 12 if flags & TWELVE else 10
