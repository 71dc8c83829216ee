"""EDGE: computes the digest of a picture's pixels, in all their bits and all frames.

Runs in worker processes only, like `pictures`.
"""

from typing import Any, Final

import cv2
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image

from index.imaging.decoding import jpeg_file
from index.imaging.decoding.bit_depth import USUAL, bit_depth
from index.imaging.decoding.colour_profile import is_srgb
from index.imaging.decoding.facts import frames_of, orientation_of
from index.imaging.decoding.pictures import (
    TURN_OF_ORIENTATION,
    Limits,
    in_mode,
    opened,
    remaining_orientation,
    with_end_marker,
)
from index.model import RAW_FORMATS

# Pixels are digested in bands of about this many, so that they are not all copied at once.
BAND_PIXELS: Final = 2**22
# Modes in which Pillow holds all bits.
DEEP_MODES: Final = ("I", "F")
# The gamma that a PNG of sRGB declares, which may be rounded.
SRGB_GAMMA: Final = 1 / 2.2
GAMMA_ROUNDING: Final = 0.005
PHOTOMETRIC: Final = 262
TIFF_RGB: Final = 2


def pixel_digest(data: bytes, limits: Limits) -> bytes:
    """BLAKE3 over the decoded, upright pixels. It is equal for pictures that show the same, pixel for pixel, in all
    frames.

    Pixels of 8 bits or fewer are converted to RGB, or to RGBA if some are transparent, and deep grey to 32 bits, in
    whatever form they were stored. CMYK and LAB, which RGB cannot hold, are not converted, and neither are pixels of
    more than 8 bits. The colour of fully transparent pixels does not count. A profile of other colours than sRGB's does
    count, since the same values then show something else. Raises PictureError.

    Returns b"", which equals nothing, if not all bits can be decoded, if the frames together have more pixels than the
    limits allow, or if only the preview is decoded, as for RAW files.
    """
    data = with_end_marker(data)
    with opened(data, limits) as image:
        frames, profile = frames_of(image), image.info.get("icc_profile")
        if frames * image.width * image.height > limits.max_pixels or image.format in RAW_FORMATS:
            return b""
        hasher = blake3()
        hasher.update(_meaning(image, profile))
        if bit_depth(data, image) > USUAL and not image.mode.startswith(DEEP_MODES):
            deep = _deep_pixels(data, image) if frames == 1 else None
            if deep is None:
                return b""
            _update(hasher, f"{deep.dtype}", deep)
            return bytes(hasher.digest())
        turn = TURN_OF_ORIENTATION.get(remaining_orientation(image))
        for frame in range(frames):
            if frames > 1:
                image.seek(frame)
            image.load()
            pixels = _canonical(image)
            if turn is not None:
                pixels = pixels.transpose(turn)
            _update(hasher, pixels.mode, np.asarray(pixels))
        return bytes(hasher.digest())


def code_digest(data: bytes, limits: Limits) -> bytes:
    """BLAKE3 over everything that determines the pixels of a JPEG, without decoding them: tables, frame and coded data,
    how its components make colours, its orientation, and a profile of other colours than sRGB's. Other metadata does
    not count. Two files with equal digests have equal pixel digests; two with different ones may have equal pixel
    digests, too.

    Returns b"", which equals nothing, for other formats, other frames (see jpeg_file.code_of_picture), and files with
    an invalid structure. Raises PictureError.
    """
    data = with_end_marker(data)
    if not data.startswith(jpeg_file.SOI):
        return b""
    with opened(data, limits) as image:
        if image.format not in ("JPEG", "MPO") or image.mode not in ("L", "RGB"):
            return b""
        profile = image.info.get("icc_profile")
        try:
            hasher = blake3(f"{remaining_orientation(image)} {image.mode} {jpeg_file.is_coded_as_rgb(data)} ".encode())
            meaning = _meaning(image, profile)
            hasher.update(len(meaning).to_bytes(8, "big") + meaning)
            for part in jpeg_file.code_of_picture(data):
                hasher.update(part)
        except jpeg_file.NoJpeg:
            return b""
        return bytes(hasher.digest())


def _meaning(image: Image.Image, profile: Any) -> bytes:
    """What makes the same values mean other colours than in sRGB."""
    if not is_srgb(profile):
        return bytes(profile)
    gamma = image.info.get("gamma")
    if not isinstance(gamma, float) or profile or "srgb" in image.info or abs(gamma - SRGB_GAMMA) <= GAMMA_ROUNDING:
        return b""
    return f"gamma {gamma:.3f} ".encode()


def _update(hasher: Any, mode: str, pixels: NDArray[Any]) -> None:
    height, width = pixels.shape[:2]
    hasher.update(f"{mode} {pixels.shape} ".encode())
    rows = max(1, BAND_PIXELS // width)
    has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4 and mode != "CMYK"
    for top in range(0, height, rows):
        band = pixels[top : top + rows]
        if has_alpha:
            band = np.where(band[..., 3:] == 0, 0, band).astype(band.dtype)
        hasher.update(np.ascontiguousarray(band).tobytes())


def _canonical(image: Image.Image) -> Image.Image:
    """The pixels in one of the modes that are digested: RGB, RGBA, I, F, CMYK, LAB."""
    if image.mode.startswith("I"):
        return Image.fromarray(np.asarray(image).astype(np.int32))
    if image.mode in ("F", "CMYK", "LAB"):
        return image
    pixels = in_mode(image, "RGBA" if image.has_transparency_data else "RGB")
    if pixels.mode == "RGBA" and pixels.getchannel("A").getextrema() == (255, 255):
        pixels = pixels.convert("RGB")
    return pixels


def _deep_pixels(data: bytes, image: Image.Image) -> NDArray[Any] | None:
    """The pixels with all their bits, for colours and transparent greys, of which Pillow holds only 8 bits. Shape
    (height, width, 3), or 4 channels if some pixels are transparent. None if they cannot be read reliably."""
    tags: Any = getattr(image, "tag_v2", {})
    is_plain = image.format == "PNG" or (image.format == "TIFF" and tags.get(PHOTOMETRIC) == TIFF_RGB)
    if not is_plain or orientation_of(image) != 1:
        return None
    try:
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if pixels is None or pixels.dtype == np.uint8 or pixels.shape[:2] != (image.height, image.width):
        return None
    if pixels.ndim == 3 and pixels.shape[2] == 4 and (pixels[..., 3] == np.iinfo(pixels.dtype).max).all():
        pixels = pixels[..., :3]
    return np.asarray(pixels)
