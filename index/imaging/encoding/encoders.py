"""EDGE: pixels -> the bytes of a file, as small as the encoders make them; and the same picture in fewer bytes.

Runs in worker processes only, as a decoder does. Metadata of JPEG and PNG is put in
afterwards: see index.encoding.dressing.
"""

import io
from collections.abc import Mapping
from typing import Any, Final

import mozjpeg_lossless_optimization as mozjpeg
from PIL import Image

try:
    import oxipng
except ImportError:  # no wheel for this Python or processor: Pillow's own packing has to do
    oxipng = None  # type: ignore[assignment]

# From here on, colours are kept at full resolution in what was no JPEG before.
FINE_QUALITY: Final = 90
# Level 2 is 1 % larger than level 4 and takes a third of its time.
OXIPNG_LEVEL: Final = 2
WEBP_METHOD: Final = 4
AVIF_SPEED: Final = 6
NOTHING: Final[Mapping[str, Any]] = {}
# Pillow's names of how many colour samples a JPEG keeps: all, one of two, one of four.
SUBSAMPLINGS: Final = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def encode(
    pixels: Image.Image,
    picture_format: str,
    quality: int,
    subsampling: str = "",
    blocks: Mapping[str, Any] = NOTHING,
) -> bytes:
    """The bytes of a picture (L, RGB or RGBA) in a format with loss (JPEG, WEBP, AVIF) at a quality of 1 to 100; JPEG
    is still to be repacked.

    `subsampling` is that of a JPEG before; by default colours are kept at full resolution where the quality is fine.
    `blocks` are what the encoder writes besides: exif, icc_profile and xmp for WEBP and AVIF, dpi for JPEG.
    """
    subsampling = subsampling or ("4:4:4" if quality >= FINE_QUALITY else "4:2:0")
    match picture_format:
        case "JPEG":
            # Neither optimised nor progressive: repacking sees to both, and Pillow has too little room for it on noise.
            return _saved(pixels, "JPEG", quality=quality, subsampling=subsampling, **blocks)
        case "WEBP":
            return _saved(pixels, "WEBP", quality=quality, method=WEBP_METHOD, **blocks)
        case "AVIF":
            grey = pixels.mode == "L"
            return _saved(pixels, "AVIF", quality=quality, speed=AVIF_SPEED, max_threads=1,
                          subsampling="4:0:0" if grey else subsampling, **blocks)  # fmt: skip
    raise ValueError(f"{picture_format} has no quality")


def encode_losslessly(pixels: Image.Image, picture_format: str, blocks: Mapping[str, Any] = NOTHING) -> bytes:
    """The bytes of a picture with every pixel kept, as PNG or WEBP, with such blocks."""
    if picture_format == "WEBP":
        return _saved(pixels, "WEBP", lossless=True, quality=100, method=WEBP_METHOD, exact=True, **blocks)
    return repacked_png(_saved(pixels, "PNG", optimize=oxipng is None, **blocks))


def repacked_jpeg(data: bytes) -> bytes:
    """The same coefficients, coded by mozjpeg in fewer bytes; metadata is kept. It mends a file that is cut off without
    a word, so that whoever calls has decoded it before."""
    return bytes(mozjpeg.optimize(data, mozjpeg.COPY_MARKERS.ALL))


def repacked_png(data: bytes) -> bytes:
    """The same pixels and chunks in fewer bytes."""
    if oxipng is None:
        return data
    return bytes(oxipng.optimize_from_memory(data, level=OXIPNG_LEVEL))


def can_repack_any_png() -> bool:
    """Whether PNG are repacked as files, whatever their depth; otherwise by way of pixels, which Pillow holds at 8
    bits where there is colour."""
    return oxipng is not None


def with_colours(pixels: Image.Image, colours: int) -> Image.Image:
    """At most so many colours, as a palette, dithered."""
    if pixels.mode in ("RGBA", "LA"):
        return pixels.convert("RGBA").quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG)
    return pixels.convert("RGB").quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)


def _saved(pixels: Image.Image, picture_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    pixels.save(target, picture_format, **options)
    return target.getvalue()
