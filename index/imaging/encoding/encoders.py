"""EDGE: encodes pixels as a file, as small as the encoders can make it, and repacks files losslessly.

Runs in worker processes only, like a decoder. The metadata of JPEG and PNG is embedded afterwards: see
encoding.metadata.
"""

import io
from collections.abc import Mapping
from typing import Any, Final

import mozjpeg_lossless_optimization as mozjpeg
from PIL import Image

from index.imaging.decoding import jpeg_file
from index.imaging.encoding import baseline_jpeg, grey_jpeg

try:
    import oxipng
except ImportError:  # no wheel for this Python or processor: Pillow's own packing has to do
    oxipng = None  # type: ignore[assignment]

try:
    import pyjpegli
except ImportError:  # as above: Pillow's libjpeg-turbo encodes all
    pyjpegli = None

# From this quality on, colours are kept at full resolution, unless the source was a JPEG.
FINE_QUALITY: Final = 90
# Level 2 is 1 % larger than level 4 and takes a third of its time.
OXIPNG_LEVEL: Final = 2
# For small pictures a further search takes no time, and saves up to a third; those with a palette may grow by a
# seventh.
THOROUGH_LEVEL: Final = 4
SMALL_BYTES: Final = 2**16
# Above this size, progressive JPEGs are smaller than baseline.
SMALL_JPEG_BYTES: Final = 2**14
WEBP_METHOD: Final = 4
AVIF_SPEED: Final = 6
NOTHING: Final[Mapping[str, Any]] = {}
# Pillow's names of the chroma subsampling of a JPEG: none, one of two, one of four.
JPEGLI_SUBSAMPLING: Final = "4:2:0"
SUBSAMPLINGS: Final = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def encode(
    pixels: Image.Image,
    picture_format: str,
    quality: int,
    subsampling: str = "",
    blocks: Mapping[str, Any] = NOTHING,
    *,
    baseline: bool = False,
) -> bytes:
    """The bytes of a picture (L, RGB or RGBA) in a lossy format (JPEG, WEBP, AVIF) at a quality of 1 to 100. A JPEG
    must still be repacked, unless it stays `baseline`.

    `subsampling` is that of a source that was a JPEG; by default colours keep full resolution from FINE_QUALITY on.
    `blocks` are metadata that the encoder writes: exif, icc_profile and xmp for WEBP and AVIF, dpi for JPEG.
    """
    subsampling = subsampling or ("4:4:4" if quality >= FINE_QUALITY else "4:2:0")
    match picture_format:
        case "JPEG":
            if baseline:
                return _baseline(pixels, quality=quality, subsampling=subsampling, **blocks)
            # Neither optimised nor progressive: repacking does both, and Pillow's buffer is too small for it on noise.
            return _saved(pixels, "JPEG", quality=quality, subsampling=subsampling, **blocks)
        case "WEBP":
            return _saved(pixels, "WEBP", quality=quality, method=WEBP_METHOD, **blocks)
        case "AVIF":
            grey = pixels.mode == "L"
            return _saved(pixels, "AVIF", quality=quality, speed=AVIF_SPEED, max_threads=1,
                          subsampling="4:0:0" if grey else subsampling, **blocks)  # fmt: skip
    raise ValueError(f"{picture_format} has no quality")


def can_use_jpegli(pixels: Image.Image, subsampling: str, *, baseline: bool = False) -> bool:
    """Whether jpegli, with its present binding, can encode such a JPEG: with one of four colour samples, or in grey,
    from which repacking removes the chroma (see repacked_grey_jpeg)."""
    if pyjpegli is None:
        return False
    return (pixels.mode == "L" and not baseline) or (pixels.mode == "RGB" and subsampling == JPEGLI_SUBSAMPLING)


def encode_by_jpegli(pixels: Image.Image, quality: int, dpi: tuple[float, float] | None = None) -> bytes:
    """The bytes of a picture (L or RGB) as a baseline JPEG by jpegli, in colour even for a grey one, which repacking
    makes smaller still. At equal score it is smaller than Pillow's by a seventh or more in colour and a twentieth in
    grey, and only slightly smaller at the highest qualities. Its qualities are not comparable with others (see
    can_use_jpegli)."""
    data = bytes(pyjpegli.encode(pixels.convert("RGB").tobytes(), *pixels.size, quality=quality))
    return jpeg_file.with_density(data, dpi)


def repacked_grey_jpeg(data: bytes, dpi: tuple[float, float] | None = None) -> bytes:
    """The result of encode_by_jpegli for a grey picture, repacked, with the same luma and no chroma."""
    grey = grey_jpeg.without_chroma(bytes(mozjpeg.optimize(data, mozjpeg.COPY_MARKERS.NONE)))
    return repacked_jpeg(jpeg_file.with_density(grey, dpi))


def encode_losslessly(pixels: Image.Image, picture_format: str, blocks: Mapping[str, Any] = NOTHING) -> bytes:
    """The bytes of a picture with every pixel kept, as PNG or WEBP; `blocks` as for `encode`."""
    if picture_format == "WEBP":
        return _saved(pixels, "WEBP", lossless=True, quality=100, method=WEBP_METHOD, exact=True, **blocks)
    return repacked_png(_saved(pixels, "PNG", optimize=oxipng is None, **blocks))


def repacked_jpeg(data: bytes) -> bytes:
    """The same coefficients in fewer bytes, encoded progressively by mozjpeg, or as baseline if that is smaller;
    metadata is kept. mozjpeg silently repairs a truncated file, so the caller must have decoded it before."""
    packed = bytes(mozjpeg.optimize(data, mozjpeg.COPY_MARKERS.ALL))
    if len(packed) > SMALL_JPEG_BYTES:
        return packed
    try:
        return min(packed, baseline_jpeg.repacked(data), key=len)
    except jpeg_file.NoJpeg:
        # Progressive already, or with restart markers.
        return packed


def repacked_png(data: bytes) -> bytes:
    """The same pixels and chunks in fewer bytes."""
    if oxipng is None:
        return data
    levels = (OXIPNG_LEVEL, THOROUGH_LEVEL)[: 2 if len(data) <= SMALL_BYTES else 1]
    return min((bytes(oxipng.optimize_from_memory(data, level=level)) for level in levels), key=len)


def can_repack_any_png() -> bool:
    """Whether PNGs of any depth are repacked as files; otherwise they are decoded and encoded by Pillow, which stores
    colours in 8 bits."""
    return oxipng is not None


def _baseline(pixels: Image.Image, **options: Any) -> bytes:
    """With optimal codes, or the standard ones if Pillow's buffer is too small for noise."""
    try:
        return _saved(pixels, "JPEG", optimize=True, **options)
    except OSError:
        return _saved(pixels, "JPEG", **options)


def _saved(pixels: Image.Image, picture_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    pixels.save(target, picture_format, **options)
    return target.getvalue()
