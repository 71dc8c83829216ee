"""EDGE: a file's bytes -> a small grey picture and facts, the view shown to people, the digest of its pixels.

Runs in worker processes only: a decoder may crash, hang or eat memory here. What Pillow raises becomes a
PictureError with one of REASONS; nothing of Pillow leaves this module.
"""

import io
import os
import stat
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from index.errors import PictureError
from index.facts import facts_of, orientation_of
from index.model import Facts, Identity

Bytes = NDArray[np.uint8]

REASONS: Final = (
    "empty", "not_an_image", "truncated", "corrupt", "too_large",
    "unreadable", "changed", "out_of_memory", "timed_out", "crashed",
)  # fmt: skip

# Named (JPEG opens MPO as well), so that a file called .jpg cannot reach the decoders that start other programs (EPS)
# or read other files.
FORMATS: Final = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "AVIF")

# Scaled decoding stops at this many pixels on the shorter side: below, the 1024-bit hash loses about 10 bits.
GREY_SIDE: Final = 256
VIEW_SIDE: Final = 512
VIEW_QUALITY: Final = 88

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


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_pixels` is checked in the header, before anything is decoded."""

    max_pixels: int = 500_000_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """The facts of a picture and its luma, uint8 of shape (height, width), upright, scaled down to about
    GREY_SIDE pixels on the shorter side where it is larger."""

    facts: Facts
    grey: Bytes


def read(path: bytes) -> tuple[bytes, Identity]:
    """The bytes of a regular file and the identity they had. Raises PictureError: unreadable, changed, empty."""
    try:
        # O_NONBLOCK: a named pipe put where a picture was must not hold the worker.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PictureError("unreadable", f"cannot be opened: {error.strerror}") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise PictureError("unreadable", "is no regular file")
        data = _read_all(descriptor, before.st_size)
        after = os.fstat(descriptor)
    except OSError as error:
        raise PictureError("unreadable", f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    identity = Identity.of(after)
    if Identity.of(before) != identity or len(data) != identity.size_bytes:
        raise PictureError("changed", "changed while it was read")
    return data, identity


def _read_all(descriptor: int, size_bytes: int) -> bytes:
    pieces = []
    while piece := os.read(descriptor, max(size_bytes + 1, 65536)):
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def digest(data: bytes) -> bytes:
    """The content digest: BLAKE3, 32 bytes."""
    return bytes(blake3(data).digest())


def decode(data: bytes, limits: Limits) -> Decoded:
    """Decode at reduced scale. Raises PictureError."""
    with _opened(data, limits) as image:
        facts = facts_of(image, data)
        image.draft("L", (GREY_SIDE, GREY_SIDE))
        image.load()
        grey = _grey(image)
        turn = TURN_OF_ORIENTATION.get(facts.orientation)
        upright = grey if turn is None else grey.transpose(turn)
        matrix = np.asarray(upright)
    return Decoded(_with_detail(facts, matrix), matrix)


def view(data: bytes, limits: Limits) -> bytes:
    """The picture upright and in sRGB as a JPEG of at most VIEW_SIDE pixels, never enlarged. Raises PictureError."""
    with _opened(data, limits) as image:
        turn = TURN_OF_ORIENTATION.get(orientation_of(image))
        profile = image.info.get("icc_profile")
        image.draft("RGB", (VIEW_SIDE, VIEW_SIDE))
        image.load()
        small = _displayed(image, VIEW_SIDE)
        small.thumbnail((VIEW_SIDE, VIEW_SIDE), Image.Resampling.LANCZOS)
        small = _to_srgb(small, profile)
        if turn is not None:
            small = small.transpose(turn)
        target = io.BytesIO()
        small.save(target, "JPEG", quality=VIEW_QUALITY)
        return target.getvalue()


def pixel_digest(data: bytes, limits: Limits) -> bytes:
    """BLAKE3 over the decoded, upright pixels: equal for pictures that show the same, pixel for pixel.

    Pixels are brought to RGB, to RGBA where some are transparent, and left as they are where neither holds them (16
    bits, CMYK). A colour profile other than sRGB counts, since the same numbers then show other colours. Raises
    PictureError; an animation has no such digest and gives b"".
    """
    with _opened(data, limits) as image:
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            return b""
        turn = TURN_OF_ORIENTATION.get(orientation_of(image))
        profile = image.info.get("icc_profile") or b""
        image.load()
        pixels: Image.Image = image
        if image.mode in ("1", "L", "P", "RGB", "YCbCr", "LA", "La", "PA", "RGBA", "RGBa", "RGBX"):
            pixels = image.convert("RGBA" if image.has_transparency_data else "RGB")
            if pixels.mode == "RGBA" and pixels.getchannel("A").getextrema() == (255, 255):
                pixels = pixels.convert("RGB")
        if turn is not None:
            pixels = pixels.transpose(turn)
        head = f"{pixels.mode} {pixels.width} {pixels.height} ".encode()
        return bytes(blake3(head + (b"" if _is_srgb(profile) else profile) + pixels.tobytes()).digest())


@contextmanager
def _opened(data: bytes, limits: Limits) -> Iterator[Image.Image]:
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
                    raise PictureError(
                        "too_large",
                        f"{what} of {pixels / 1e6:.0f} megapixels, more than the limit of "
                        f"{limits.max_pixels / 1e6:.0f}",
                    )
                if not pixels:
                    raise PictureError("corrupt", f"{what} of no pixels")
                yield image
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError("not_an_image", "not an image of a known format") from error
    except MemoryError as error:
        raise PictureError("out_of_memory", f"{what} that needs more memory than a worker may use") from error
    except Image.DecompressionBombError as error:
        raise PictureError("too_large", f"{what} that would be enormous") from error
    except EOFError as error:
        raise PictureError("truncated", f"truncated {what}") from error
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, ArithmeticError, AttributeError,
            RecursionError, NotImplementedError, RuntimeError, AssertionError, struct.error) as error:  # fmt: skip
        words = str(error).lower()
        if "truncated" in words or "not enough" in words or "incomplete" in words:
            raise PictureError("truncated", f"truncated {what}") from error
        raise PictureError("corrupt", f"corrupt {what}: {str(error)[:200] or type(error).__name__}") from error


@cache
def _formats() -> tuple[str, ...]:
    # Our own limit is checked instead; Pillow's would refuse the panoramas that ours lets through.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        import pillow_heif  # noqa: PLC0415 - optional: its wheels carry GPL libraries, the user installs it
    except ImportError:
        return FORMATS
    pillow_heif.register_heif_opener()
    return (*FORMATS, "HEIF")


def _grey(image: Image.Image) -> Image.Image:
    """Luma, at most about twice GREY_SIDE on the shorter side."""
    if image.mode == "L" and not image.has_transparency_data:
        return _reduced(image, GREY_SIDE)
    return _displayed(image, GREY_SIDE).convert("L")


def _displayed(image: Image.Image, side: int) -> Image.Image:
    """RGB as a viewer shows it, reduced by a whole factor to at least `side` on the shorter side."""
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image, side).convert("RGB")
    if image.has_transparency_data:
        # Box filtering takes the colour of transparent pixels for nothing, which is what a viewer does.
        with_alpha = _reduced(image.convert("RGBA"), side)
        ground = Image.new("RGBA", with_alpha.size, (BACKGROUND, BACKGROUND, BACKGROUND, 255))
        return Image.alpha_composite(ground, with_alpha).convert("RGB")
    if image.mode in ("RGB", "L", "CMYK", "YCbCr"):
        return _reduced(image, side).convert("RGB")
    return _reduced(image.convert("RGB"), side)


def _from_deep(image: Image.Image, side: int) -> Image.Image:
    """16 and 32 bits a pixel to 8. Pillow's own conversion cuts off everything above 255."""
    factor = max(1, min(image.size) // side)
    values = np.asarray(image)[::factor, ::factor].astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(values.min()), float(values.max()))
    spread = high - low or 1.0
    return Image.fromarray(np.clip((values - low) * (255.0 / spread), 0, 255).astype(np.uint8))


def _reduced(image: Image.Image, side: int) -> Image.Image:
    factor = min(image.size) // side
    return image.reduce(factor) if factor > 1 else image


def _is_srgb(profile: bytes) -> bool:
    return not profile or b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


def _to_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Colours as meant by an embedded profile; one that cannot be used is left out of account."""
    if not isinstance(profile, bytes) or _is_srgb(profile):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def _with_detail(facts: Facts, grey: Bytes) -> Facts:
    """PDQ's measure of quality: the sum of the luminance steps on a 64x64 reduction (Facebook, 2019, section 4)."""
    image = Image.fromarray(grey)
    # By whole factors first, which is ten times as fast as filtering from full size.
    coarse = image.reduce((max(1, image.width // 64), max(1, image.height // 64)))
    small = np.asarray(coarse.resize((64, 64), Image.Resampling.BOX), np.int16)
    steps = sum(int((np.abs(np.diff(small, axis=axis)) * 100 // 255).sum()) for axis in (0, 1))
    return replace(facts, detail=min(100, steps // 90))
