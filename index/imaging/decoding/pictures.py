"""EDGE: a file's bytes -> a small grey picture and facts, the view shown to people, the digest of its pixels.

Runs in worker processes only: a decoder may crash, hang or eat memory here. What Pillow raises becomes a
PictureError with one of REASONS; nothing of Pillow leaves this module.
"""

import errno
import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, PngImagePlugin, UnidentifiedImageError

from index.candidates.fingerprint import Box
from index.errors import PictureError
from index.images import descent, recompression
from index.images.facts import facts_of, frames_of, is_turned_by_pillow, orientation_of
from index.images.sniff import HEAD_BYTES, looks_like_image
from index.model import Facts, Identity

Bytes = NDArray[np.uint8]

REASONS: Final = (
    "empty", "not_an_image", "truncated", "corrupt", "too_large",
    "unreadable", "changed", "out_of_memory", "timed_out", "crashed",
)  # fmt: skip

# Named (JPEG opens MPO as well), so that a file called .jpg cannot reach the decoders that start other programs (EPS)
# or read other files.
FORMATS: Final = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF")

# JPEG is decoded at the least of 1/8, 1/4, 1/2 and 1 that leaves this many pixels on the shorter side. Against
# imagehash on the full picture, photographs then move by 0.1, 0.8 and 4 bits of 64, 256 and 1024, scanned pages by 1, 4
# and 18 (there imagehash cuts off what overshoots white): no more than at full scale. At 64 pixels it is 0.2, 2 and 16.
DRAFT_SIDE: Final = 128
# What has to be decoded whole is reduced by a whole factor to no less than this on the shorter side.
GREY_SIDE: Final = 256
VIEW_SIDE: Final = 512
VIEW_QUALITY: Final = 88
# What every whole JPEG of ours ends with.
JPEG_END: Final = b"\xff\xd9"
CROP_QUALITY: Final = 93
# PDQ measures the quality of a picture on this many luminance values a side.
DETAIL_SIDE: Final = 64

TURN_OF_ORIENTATION: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Transparent parts are shown on white, as browsers and photo tools do.
BACKGROUND: Final = 255
# Of text in a PNG, unpacked. Pillow's own limit of 1 MB fails on pictures whose maker wrote down how it was made.
PNG_TEXT_BYTES: Final = 16 * 2**20
# What follows a picture's end in its file may end in some zeros as well, but not in so many.
UNWRITTEN_ZEROS: Final = 256
MAX_BYTES: Final = 2**30
# Pixels are digested in bands of about this many, so that they are not all copied at once.
BAND_PIXELS: Final = 2**22


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it costs anything: files of more bytes, and pictures of more pixels by their header."""

    max_pixels: int = 500_000_000
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Decoded:
    """The facts of a picture and its luma, uint8 of shape (height, width), upright, scaled down where it is larger
    than needed. `box` is the part of `grey` that the picture takes: scaling leaves parts of a pixel at the edges."""

    facts: Facts
    grey: Bytes
    box: Box


# Reading


def read(path: bytes, max_bytes: int = MAX_BYTES, top: bytes | None = None) -> tuple[bytes, Identity]:
    """The bytes of a regular file and the identity they had; no link below the watched folder `top` is followed, by
    default none in the last name. Raises PictureError: unreadable, changed, too_large."""
    try:
        if top is None:
            path = os.path.join(os.getcwdb(), path)
            top = os.path.dirname(path)
        descriptor = descent.open_file(top, path)
        try:
            before = os.fstat(descriptor)
            if before.st_size > max_bytes:
                size = f"{before.st_size / 1e6:.0f} MB"
                raise PictureError("too_large", f"{size}, more than the limit of {max_bytes / 1e6:.0f}")
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                data = file.readall()
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        ours = error.errno == errno.EINVAL and error.strerror
        raise PictureError("unreadable", ours or f"cannot be read: {error.strerror}") from error
    identity = Identity.of(after)
    if Identity.of(before) != identity or len(data) != identity.size_bytes:
        raise PictureError("changed", "changed while it was read")
    return data, identity


def digest(data: bytes) -> bytes:
    """The content digest: BLAKE3, 32 bytes."""
    return bytes(blake3(data).digest())


# Decoding


def decode(data: bytes, limits: Limits) -> Decoded:
    """Decode at reduced scale. Raises PictureError."""
    with opened(data, limits) as image:
        facts = facts_of(image)
        full_width = image.width
        drafted = image.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
        image.load()
        # Scaled sizes are rounded up; the draft tells what they would have been.
        width, height = drafted[1][2:] if drafted else image.size
        small, factor = _small(image, GREY_SIDE)
        grey = small if small.mode == "L" else small.convert("L")
        stored, turn, detail = np.asarray(grey), _turn_left(image), _detail(grey)
        blocks = _middle_blocks(image, round(full_width / image.width))
    # From here on it is our own work that may fail, and no picture is told to be corrupt for that.
    matrix, box = _upright(stored, width / factor, height / factor, turn)
    earlier = recompression.earlier_quality(*blocks) if blocks is not None else 0
    return Decoded(replace(facts, detail=detail, earlier_quality=earlier), matrix, box)


def view(data: bytes, limits: Limits) -> bytes:
    """The picture upright and in sRGB as a JPEG of at most VIEW_SIDE pixels, never enlarged. Raises PictureError."""
    with opened(data, limits) as image:
        profile = image.info.get("icc_profile")
        image.draft("RGB", (VIEW_SIDE, VIEW_SIDE))
        image.load()
        small, _ = _small(image, VIEW_SIDE)
        small.thumbnail((VIEW_SIDE, VIEW_SIDE), Image.Resampling.LANCZOS)
        small = _in_srgb(small, profile)
        turn = TURN_OF_ORIENTATION.get(_turn_left(image))
        if turn is not None:
            small = small.transpose(turn)
        target = io.BytesIO()
        small.save(target, "JPEG", quality=VIEW_QUALITY, comment=b"")
        return target.getvalue()


def crop(data: bytes, box: tuple[int, int, int, int], side: int, limits: Limits) -> bytes:
    """A part of the picture upright and in sRGB as a JPEG of at most `side` pixels, never enlarged.

    `box` is left, top, width and height in pixels of the upright picture; what of it lies beyond the picture is cut
    off. Raises PictureError, also where nothing is left.
    """
    with opened(data, limits) as image:
        profile = image.info.get("icc_profile")
        orientation, (width, height) = _turn_left(image), image.size
        left, top, right, bottom = _stored_box(box, width, height, orientation)
        if left >= right or top >= bottom:
            raise PictureError("empty", "that part lies beside the picture")
        reduction = max(1.0, max(right - left, bottom - top) / side)
        image.draft("RGB", (int(width / reduction), int(height / reduction)))
        image.load()
        # Depth is judged by the whole picture, or every part would be of another brightness.
        whole = _from_deep(image) if image.mode.startswith("I") or image.mode == "F" else image
        across, down = whole.width / width, whole.height / height
        target = (max(1, round((right - left) / reduction)), max(1, round((bottom - top) / reduction)))
        part = whole.crop(
            (int(left * across), int(top * down), math.ceil(right * across), math.ceil(bottom * down))
        )
        small, _ = _small(part, min(target))
        part = _in_srgb(small, profile).resize(target, Image.Resampling.LANCZOS)
        turn = TURN_OF_ORIENTATION.get(orientation)
        if turn is not None:
            part = part.transpose(turn)
        told = io.BytesIO()
        # Colours at full resolution: what is compared pixel by pixel must not be smeared on the way.
        part.save(told, "JPEG", quality=CROP_QUALITY, subsampling=0, comment=b"")
        return told.getvalue()


def _stored_box(
    box: tuple[int, int, int, int], width: int, height: int, orientation: int
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, in a picture stored at width x height, of a box in it as it is shown upright."""
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if orientation >= 5:
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return max(0, left), max(0, top), min(width, right), min(height, bottom)


def pixel_digest(data: bytes, limits: Limits) -> bytes:
    """BLAKE3 over the decoded, upright pixels: equal for pictures that show the same, pixel for pixel.

    Pixels of 8 bits or fewer are brought to RGB, or to RGBA where some are transparent, and deep grey to 32 bits,
    whatever form they were stored in; those of CMYK and LAB, which RGB cannot hold, are taken as they are. A colour
    profile other than sRGB counts, since the same numbers then show other colours. Raises PictureError; an animation
    has no such digest and gives b"".
    """
    with opened(data, limits) as image:
        if frames_of(image) > 1:
            return b""
        profile = image.info.get("icc_profile")
        image.load()
        pixels = _canonical(image)
        turn = TURN_OF_ORIENTATION.get(_turn_left(image))
        if turn is not None:
            pixels = pixels.transpose(turn)
        hasher = blake3(f"{pixels.mode} {pixels.width} {pixels.height} ".encode())
        if isinstance(profile, bytes) and not _is_srgb(profile):
            hasher.update(profile)
        rows = max(1, BAND_PIXELS // pixels.width)
        for top in range(0, pixels.height, rows):
            hasher.update(pixels.crop((0, top, pixels.width, min(top + rows, pixels.height))).tobytes())
        return bytes(hasher.digest())


# Opening


@contextmanager
def opened(data: bytes, limits: Limits) -> Iterator[Image.Image]:
    """Open and translate: every way in which Pillow fails on bad bytes, from here to the end of the block."""
    if not data:
        raise PictureError("empty", "an empty file")
    what = "image"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_formats()) as image:
                what = image.format or what
                pixels = image.width * image.height
                if pixels > limits.max_pixels:
                    size = f"{what} of {pixels / 1e6:.0f} megapixels"
                    raise PictureError("too_large", f"{size}, more than the limit of {limits.max_pixels / 1e6:.0f}")
                if not pixels:
                    raise PictureError("corrupt", f"{what} of no pixels")
                if _goes_on_in_zeros(data, image):
                    raise PictureError("truncated", f"{what} of which the rest was never written")
                if image.format == "PNG":
                    # Pillow decodes a PNG when asked for EXIF; a failure then must not be taken for a lack of EXIF.
                    image.load()
                yield image
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        if looks_like_image(data[:HEAD_BYTES]):
            raise PictureError("corrupt", "begins as an image, but its header is damaged") from error
        raise PictureError("not_an_image", "not an image of a known format") from error
    except MemoryError as error:
        raise PictureError("out_of_memory", f"{what} that needs more memory than a worker may use") from error
    except EOFError as error:
        raise PictureError("truncated", f"truncated {what}") from error
    except (OSError, ValueError, SyntaxError) as error:
        # What Pillow raises on purpose; its words are worth telling.
        words = str(error)
        if any(word in words.lower() for word in ("truncated", "not enough", "incomplete", "unexpected end")):
            raise PictureError("truncated", f"truncated {what}") from error
        raise PictureError("corrupt", f"corrupt {what}: {words[:200]}") from error
    except Exception as error:  # struct.error, KeyError, ZeroDivisionError, zlib.error...
        raise PictureError("corrupt", f"corrupt {what}") from error


def _goes_on_in_zeros(data: bytes, image: Image.Image) -> bool:
    """Whether a JPEG's last scan has no end but zeros, which decode to grey without an error.

    A copy that was broken off leaves such a file where the room for it was reserved first.
    """
    if image.format not in ("JPEG", "MPO") or not data.endswith(bytes(UNWRITTEN_ZEROS)):
        return False
    return data.rfind(b"\xff\xda") > data.rfind(b"\xff\xd9")


@cache
def _formats() -> tuple[str, ...]:
    # Our own limit is checked instead; Pillow's would refuse the panoramas that ours lets through.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = PNG_TEXT_BYTES
    try:
        import pillow_heif  # noqa: PLC0415 - optional: its wheels carry GPL libraries, the user installs it
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _turn_left(image: Image.Image) -> int:
    """The EXIF orientation that the decoded pixels are still to be turned by."""
    return 1 if is_turned_by_pillow(image) else orientation_of(image)


# Pixels


def _small(image: Image.Image, side: int) -> tuple[Image.Image, int]:
    """What a viewer shows, as L, RGB or CMYK, reduced to at least `side` on the shorter side, and by which factor."""
    factor = max(1, min(image.size) // side)
    if image.mode.startswith("I") or image.mode == "F":
        image = _from_deep(image)
    elif image.has_transparency_data:
        # Box filtering takes the colour of transparent pixels for nothing, which is what a viewer does.
        with_alpha = _reduced(_in_mode(image, "RGBA"), factor)
        ground = Image.new("RGBA", with_alpha.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        return Image.alpha_composite(ground, with_alpha).convert("RGB"), factor
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "LAB":
        image = _from_lab(image)
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    return _reduced(image, factor), factor


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Without the copy that Pillow makes where there is nothing to convert: half a gigabyte for the largest."""
    return image if image.mode == mode else image.convert(mode)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image


def _from_deep(image: Image.Image) -> Image.Image:
    """16 and 32 bits a pixel to 8. Pillow's own conversion cuts off everything above 255.

    Black is 0 and white the largest number of the least usual depth that holds the brightest pixel, as cameras and
    scanners write 12 bits into 16; in real numbers, black is the darkest pixel and white the brightest.
    """
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
    else:
        low, most = min(0, int(values.min())), int(values.max())
        high = next((2**bits - 1 for bits in (8, 10, 12, 14, 16) if most < 2**bits), most)
    # By rows: in one piece, the real numbers would take eight times the room of the picture.
    levels = np.empty(values.shape, np.uint8)
    for row, target in zip(values, levels, strict=True):
        target[:] = (row - np.float64(low)) * (255.0 / (high - low or 1))
    return Image.fromarray(levels)


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), _srgb()
    return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image.convert("RGB")


def _canonical(image: Image.Image) -> Image.Image:
    """The pixels in one of the forms that are digested: RGB, RGBA, I, F, CMYK, LAB."""
    if image.mode.startswith("I"):
        return Image.fromarray(np.asarray(image).astype(np.int32))
    if image.mode in ("F", "CMYK", "LAB"):
        return image
    pixels = _in_mode(image, "RGBA" if image.has_transparency_data else "RGB")
    if pixels.mode == "RGBA" and pixels.getchannel("A").getextrema() == (255, 255):
        pixels = pixels.convert("RGB")
    return pixels


def _upright(grey: Bytes, width: float, height: float, orientation: int) -> tuple[Bytes, Box]:
    """Turn a matrix as an EXIF orientation says, and with it the box (0, 0, width, height) that the picture takes."""
    if orientation >= 5:
        grey, width, height = grey.T, height, width
    left = top = 0.0
    if orientation in (3, 4, 7, 8):
        grey, top = grey[::-1], grey.shape[0] - height
    if orientation in (2, 3, 6, 7):
        grey, left = grey[:, ::-1], grey.shape[1] - width
    return np.ascontiguousarray(grey), (left, top, left + width, top + height)


def _detail(grey: Image.Image) -> int:
    """PDQ's measure of quality: the sum of the luminance steps on a 64x64 reduction (Facebook, 2019, section 4)."""
    # By whole factors first, which is ten times as fast as filtering from full size.
    coarse = grey.resize((DETAIL_SIDE, DETAIL_SIDE), Image.Resampling.BOX, reducing_gap=1.0)
    levels = np.asarray(coarse, np.int16)
    down, across = levels[1:] - levels[:-1], levels[:, 1:] - levels[:, :-1]
    steps = sum(int((np.abs(step) * 100 // 255).sum()) for step in (down, across))
    return min(100, steps // 90)


def _middle_blocks(image: Image.Image, reduction: int) -> tuple[NDArray[np.uint8], int, int] | None:
    """The luminance of a picture's middle, decoded at 1/reduction, as recompression.earlier_quality asks for it; None
    where it was stored as no JPEG's pixels are."""
    if image.mode not in ("L", "RGB", "RGBA", "P"):
        return None
    block = recompression.BLOCK_PX // reduction
    most = recompression.MOST_BLOCKS * block
    width, height = (min(side, most) for side in image.size)
    left, top = (image.width - width) // 2 // block * block, (image.height - height) // 2 // block * block
    middle = image.crop((left, top, left + width, top + height))
    # By way of RGB, as palettes and what is transparent have no luminance of their own.
    grey = middle if middle.mode == "L" else middle.convert("RGB").convert("L")
    tables = getattr(image, "quantization", None)
    own_entry = tables[0][0] if tables and 0 in tables else 0
    return np.asarray(grey), block, own_entry


# Colour


def _is_srgb(profile: bytes) -> bool:
    return not profile or b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _in_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """RGB with the colours that an embedded profile means; one that cannot be used is left out of account."""
    if not isinstance(profile, bytes) or _is_srgb(profile):
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB")
    return converted or image.convert("RGB")
