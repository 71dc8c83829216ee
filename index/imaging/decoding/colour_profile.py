"""Colours by the ICC profile of a picture. A profile is judged by the colours it gives, not by its name."""

import io
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms

# A profile is like sRGB if no test colour moves by more levels than this. Profiles of sRGB that differ in rounding and
# black point move them by 2 at most; Adobe RGB, Display P3 and gamma 1.8 move them by 20 and more.
SAME_LEVELS: Final = 3
STEPS: Final = (0, 16, 32, 64, 96, 128, 160, 192, 224, 255)
ERRORS: Final = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
# Profiles have a few kilobytes, those of printers some hundred.
KEPT: Final = 16


def is_srgb(profile: Any) -> bool:
    """Whether values in this profile mean the same colours, or greys, as in sRGB. Something that is no profile, or
    cannot be used as one, counts as sRGB."""
    return not isinstance(profile, bytes) or not profile or _is_like_srgb(profile)


def in_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Convert a picture to RGB with the colours of its embedded profile. An unusable profile is ignored."""
    if is_srgb(profile):
        return image.convert("RGB")
    converted = _converted(image, profile)
    return image.convert("RGB") if converted is None else converted


def from_lab(image: Image.Image) -> Image.Image:
    """Convert a picture in CIELAB to RGB."""
    lab = ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(image, lab, _srgb(), outputMode="RGB") or image.convert("RGB")


@lru_cache(maxsize=KEPT)
def _is_like_srgb(profile: bytes) -> bool:
    for mode in ("RGB", "L", "CMYK"):
        before = _colours(mode)
        after = _converted(before, profile)
        if after is not None:
            if mode == "CMYK":
                return False
            moved = np.abs(np.asarray(after, np.int16) - np.asarray(before.convert("RGB"), np.int16))
            return int(moved.max()) <= SAME_LEVELS
    return True


def _colours(mode: str) -> Image.Image:
    """Test colours of all kinds, one pixel each."""
    steps = STEPS[::3] if mode == "CMYK" else STEPS
    grid = np.stack(np.meshgrid(*[steps] * len(mode), indexing="ij"), axis=-1).astype(np.uint8)
    return Image.frombytes(mode, (len(steps) ** len(mode), 1), grid.tobytes())


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture converted to sRGB. None if the profile is broken, or is for pictures of another mode."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
    except ERRORS:
        return None


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
