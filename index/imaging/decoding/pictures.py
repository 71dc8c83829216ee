"""EDGE: decodes a file's bytes to a small grey picture and facts, previews, or a crop.

Runs in worker processes only: a decoder may crash, hang or exhaust memory. Whatever Pillow raises becomes a
PictureError with one of REASONS; none of Pillow's exceptions leave this module.
"""

import io
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from index.errors import FileError, PictureError
from index.imaging.candidates.perceptual_hash import Box
from index.imaging.decoding import (
    decoders,
    double_jpeg,
    heif_file,
    jpeg_decoding,
    jpeg_file,
    jxl_file,
    middle_blocks,
    other_files,
    raw_picture,
    tiff_damage,
    tiff_kinds,
    webp_file,
)
from index.imaging.decoding.attachments import attachments_of
from index.imaging.decoding.bit_depth import bit_depth
from index.imaging.decoding.colour_profile import from_lab, in_srgb
from index.imaging.decoding.damage import damage_in
from index.imaging.decoding.detail import detail_of
from index.imaging.decoding.embedded_description import read_description
from index.imaging.decoding.facts import facts_of, is_turned_by_pillow, orientation_of
from index.imaging.decoding.heif_items import Cut
from index.imaging.decoding.jxl_file import is_jxl
from index.imaging.decoding.raw_picture import raw_in, stored_size
from index.imaging.discovery import descent
from index.imaging.discovery.file_types import HEAD_BYTES, looks_like_image
from index.messages import Message, of_os_error
from index.model import Facts, Identity, Sent

Bytes = NDArray[np.uint8]

REASONS: Final = (
    "empty", "not_an_image", "truncated", "corrupt", "too_large",
    "unreadable", "changed", "out_of_memory", "timed_out", "crashed", "no_decoder",
)  # fmt: skip

# JPEG is decoded at the smallest of the scales 1/8, 1/4, 1/2 and 1 that leaves this many pixels on the shorter side.
# The hashes then differ from those of imagehash on the full picture by 0.1, 0.8 and 4 bits of 64, 256 and 1024 for
# photographs, and by 1, 4 and 18 for scanned pages (where imagehash clips values above white): no more than at full
# scale. With 64 pixels, it is 0.2, 2 and 16.
DRAFT_SIDE: Final = 128
# Pictures that must be decoded at full size are reduced by a whole factor, to no less than this on the shorter side.
GREY_SIDE: Final = 256
PREVIEW_SIDE: Final = 512
# The preview size of a drawing, a form or a screenshot, at which letters can be read.
LETTERS_SIDE: Final = 1024
PREVIEW_QUALITY: Final = 88
# The end of every complete JPEG that ComparImg writes.
JPEG_END: Final = b"\xff\xd9"
CROP_QUALITY: Final = 93

TURN_OF_ORIENTATION: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Transparent parts are shown on white, as in browsers and photo tools. White pixels show only on black.
BACKGROUND: Final = 255
BLACK: Final = 0
OPAQUE: Final = 255
# Data after the end of a picture may also end in zeros, but not in this many.
UNWRITTEN_ZEROS: Final = 256
MAX_BYTES: Final = 2**30


@dataclass(frozen=True, slots=True)
class Limits(Sent):
    """Limits that are checked before decoding: the bytes of a file, and the pixels of a picture according to its
    header."""

    max_pixels: int = 500_000_000
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Decoded:
    """The facts of a picture and its luma, uint8 of shape (height, width), upright, and scaled down if it is larger
    than needed. `box` is the part of `grey` that the picture covers: scaling leaves partial pixels at the edges."""

    facts: Facts
    grey: Bytes
    box: Box


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture at a reduced scale, with its header read and its pixels decoded, before these are measured.

    `grey` is luma as stored, uint8 of shape (height, width); the picture covers `width` x `height` of it, and must be
    turned by the EXIF orientation `turn`. `blocks` are the middle of the picture for double_jpeg (see middle_blocks),
    `own_entry` is the first entry of its luminance table."""

    facts: Facts
    grey: Bytes
    width: float
    height: float
    turn: int
    blocks: tuple[Bytes, int] | None
    own_entry: int


# Reading


def read(path: bytes, max_bytes: int = MAX_BYTES, top: bytes | None = None) -> tuple[bytes, Identity]:
    """The bytes of a regular file, and its identity when they were read. No link is followed below the watched folder
    `top`; by default, only a link as the last name is refused. Raises PictureError: unreadable, changed, too_large."""
    try:
        if top is None:
            path = os.path.join(os.getcwdb(), path)
            top = os.path.dirname(path)
        descriptor = descent.open_file(top, path)
        try:
            before = os.fstat(descriptor)
            if before.st_size > max_bytes:
                size, limit = round(before.st_size / 1e6), round(max_bytes / 1e6)
                raise PictureError("too_large", "picture.file_too_large", megabytes=size, limit=limit)
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                data = file.readall()
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        problem = of_os_error(error)
        if not isinstance(error, FileError):
            problem = Message("picture.unreadable", error=problem)
        raise PictureError("unreadable", problem) from error
    identity = Identity.of(after)
    if Identity.of(before) != identity or len(data) != identity.size_bytes:
        raise PictureError("changed", "picture.changed_while_read")
    return data, identity


def digest(data: bytes) -> bytes:
    """The content digest: BLAKE3, 32 bytes."""
    return bytes(blake3(data).digest())


# Decoding


def decode(data: bytes, limits: Limits) -> Decoded:
    """Decode a picture at a reduced scale. Raises PictureError."""
    return measured(decode_pixels(data, limits))


def decode_pixels(data: bytes, limits: Limits) -> Opened:
    """The part of `decode` that uses decoders. Raises PictureError."""
    data = with_end_marker(data)
    with opened(data, limits) as image:
        facts, bits, description = facts_of(image), bit_depth(data, image), read_description(image)
        attachments = attachments_of(data, image.format or "", getattr(image, "mpinfo", None))
        full_width, own_entry = image.width, middle_blocks.own_entry(image)
        drafted = _draft(image, "L", (DRAFT_SIDE, DRAFT_SIDE))
        reduction = round(full_width / image.width)
        turn = remaining_orientation(image)
        cut_off = tiff_damage.cut_off(image, len(data)) if image.format == "TIFF" else ""
        luma, damage = _luma(image, data, reduction)
        if luma is None:
            pixels, damage = _loaded(image, data)
            size = pixels.size
            transparent = _is_transparent(pixels)
            small, factor = _small(pixels, GREY_SIDE)
            stored = np.asarray(small if small.mode == "L" else small.convert("L"))
            blocks = middle_blocks.of_picture(pixels, reduction)
        else:
            size = luma.shape[1], luma.shape[0]
            transparent, factor = False, max(1, min(size) // GREY_SIDE)
            stored = luma if factor == 1 else np.asarray(Image.fromarray(luma).reduce(factor))
            blocks = middle_blocks.of_luma(luma, reduction)
        # Scaled sizes are rounded up. The draft has the exact ones.
        width, height = drafted[1][2:] if drafted else size
    found = replace(
        facts, bit_depth=bits, transparent=transparent, attachments=attachments, damage=damage or cut_off,
        description=description,
    )  # fmt: skip
    return Opened(found, stored, width / factor, height / factor, turn, blocks, own_entry)


def measured(picture: Opened) -> Decoded:
    """The part of `decode` that uses no decoder: a failure is our own error, not a corrupt picture."""
    matrix, box = _upright(picture.grey, picture.width, picture.height, picture.turn)
    earlier = 0 if picture.blocks is None else double_jpeg.earlier_quality(*picture.blocks, picture.own_entry)
    found = replace(picture.facts, detail=detail_of(picture.grey), earlier_quality=earlier)
    return Decoded(found, matrix, box)


def with_end_marker(data: bytes) -> bytes:
    """The bytes of a picture as its decoder needs them: with an end marker, if a JPEG lacks nothing else."""
    if data.startswith(jpeg_file.SOI) and not data.endswith(jpeg_file.END):
        return jpeg_decoding.completed(data) or data
    return data


def damage_of(data: bytes, image: Image.Image) -> str:
    """What is wrong with a picture that was opened and can be decoded; "" if nothing is."""
    if image.format in ("JPEG", "MPO"):
        return jpeg_decoding.luma(data, 8)[1]
    if image.format == "TIFF":
        return tiff_damage.cut_off(image, len(data)) or tiff_damage.complaints_of(image)
    return damage_in(data, image.format or "")


def _luma(image: Image.Image, data: bytes, reduction: int) -> tuple[Bytes | None, str]:
    """The luma of a JPEG that was opened at 1/`reduction` of its size, and the complaint of its decoder. None for other
    pictures, and where this decoder fails."""
    if image.format not in ("JPEG", "MPO") or image.mode not in ("L", "RGB"):
        return None, ""
    luma, damage = jpeg_decoding.luma(data, reduction)
    if luma is None or luma.shape != (image.height, image.width):
        return None, ""
    if damage:
        # What Pillow refuses could not be displayed, so it counts as not decoded.
        image.load()
    return luma, damage


def _loaded(image: Image.Image, data: bytes) -> tuple[Image.Image, str]:
    """The pixels of a picture that was opened, and the complaint of its decoder."""
    if image.format == "TIFF":
        return image, tiff_damage.complaints_of(image)
    image.load()
    return image, str(image.info.get(raw_picture.DAMAGE, "")) or damage_of(data, image)


def preview(data: bytes, limits: Limits, background: int = BACKGROUND) -> bytes:
    """The picture, upright and in sRGB, as a JPEG of at most PREVIEW_SIDE pixels, or LETTERS_SIDE if it is a graphic;
    never enlarged. Transparent parts show a background of this grey level. Raises PictureError."""
    return _previews(data, limits, lambda _: (background,))[0]


def previews(data: bytes, limits: Limits) -> list[bytes]:
    """The preview of a picture, and a second one on black if the picture has transparent parts. Raises PictureError."""
    return _previews(data, limits, lambda image: (BACKGROUND, BLACK) if _is_transparent(image) else (BACKGROUND,))


def _previews(data: bytes, limits: Limits, backgrounds: Callable[[Image.Image], Sequence[int]]) -> list[bytes]:
    """One preview for each background that the decoded picture needs. This takes one decode, or two for a graphic that
    was decoded at a reduced scale first."""
    with opened(data, limits) as image:
        profile, size = image.info.get("icc_profile"), image.size
        _draft(image, "RGB", (PREVIEW_SIDE, PREVIEW_SIDE))
        image.load()
        levels = backgrounds(image)
        found = [_preview(image, profile, level, PREVIEW_SIDE) for level in levels]
        graphics = [number for number, view in enumerate(found) if _may_show_letters(view)]
        if image.size == size:
            for number in graphics:
                found[number] = _preview(image, profile, levels[number], LETTERS_SIDE)
            return found
    if graphics:
        with opened(data, limits) as image:
            _draft(image, "RGB", (LETTERS_SIDE, LETTERS_SIDE))
            image.load()
            for number in graphics:
                found[number] = _preview(image, profile, levels[number], LETTERS_SIDE)
    return found


def _preview(image: Image.Image, profile: bytes | None, background: int, side: int) -> bytes:
    """A preview, of at most `side` pixels, of a decoded picture."""
    small, _ = _small(image, side, background)
    if small is image:
        # A thumbnail is made in place, and the decoded picture may be needed again.
        small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small = in_srgb(small, profile)
    turn = TURN_OF_ORIENTATION.get(remaining_orientation(image))
    if turn is not None:
        small = small.transpose(turn)
    target = io.BytesIO()
    small.save(target, "JPEG", quality=PREVIEW_QUALITY, comment=b"")
    return target.getvalue()


def _may_show_letters(view: bytes) -> bool:
    """Whether a preview of PREVIEW_SIDE may show a larger graphic."""
    # A process that only indexes does not need it, and each process that starts would import it.
    from index.imaging.verification.graphics import may_be_graphic  # noqa: PLC0415

    with Image.open(io.BytesIO(view)) as image:
        return max(image.size) >= PREVIEW_SIDE and may_be_graphic(np.asarray(image.convert("L")))


def preview_path(folder: Path, digest: bytes) -> Path:
    """The path of the preview of a content, below a folder."""
    name = digest.hex()
    return folder / name[:2] / f"{name}.jpg"


def preview_on_black(preview: Path) -> Path:
    """The path of the second preview of a picture with transparent parts, next to the first one."""
    return preview.with_suffix(f".black{preview.suffix}")


def crop(data: bytes, box: tuple[int, int, int, int], side: int, limits: Limits) -> bytes:
    """A part of the picture, upright and in sRGB, as a JPEG of at most `side` pixels; never enlarged.

    `box` is left, top, width and height in pixels of the upright picture. Its part outside the picture is cut off.
    Raises PictureError, also if nothing is left.
    """
    with opened(data, limits) as image:
        profile = image.info.get("icc_profile")
        orientation, (width, height) = remaining_orientation(image), stored_size(image)
        left, top, right, bottom = _stored_box(box, width, height, orientation)
        if left >= right or top >= bottom:
            raise PictureError("empty", "picture.crop_outside")
        reduction = max(1.0, max(right - left, bottom - top) / side)
        _draft(image, "RGB", (int(width / reduction), int(height / reduction)))
        image.load()
        # The depth is that of the whole picture. Otherwise each part would have another brightness.
        whole = _from_deep(image) if image.mode.startswith("I") or image.mode == "F" else image
        across, down = whole.width / width, whole.height / height
        target = (max(1, round((right - left) / reduction)), max(1, round((bottom - top) / reduction)))
        part = whole.crop((int(left * across), int(top * down), math.ceil(right * across), math.ceil(bottom * down)))
        small, _ = _small(part, min(target))
        part = in_srgb(small, profile).resize(target, Image.Resampling.LANCZOS)
        turn = TURN_OF_ORIENTATION.get(orientation)
        if turn is not None:
            part = part.transpose(turn)
        file = io.BytesIO()
        # Chroma is not subsampled, since crops are compared pixel by pixel.
        part.save(file, "JPEG", quality=CROP_QUALITY, subsampling=0, comment=b"")
        return file.getvalue()


def _stored_box(box: tuple[int, int, int, int], width: int, height: int, orientation: int) -> tuple[int, int, int, int]:
    """Convert a box in the upright picture to left, top, right and bottom in the stored picture of width x height."""
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if orientation >= 5:
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = width - right, width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = height - bottom, height - top
    return max(0, left), max(0, top), min(width, right), min(height, bottom)


# Opening


@contextmanager
def opened(data: bytes, limits: Limits) -> Iterator[Image.Image]:
    """Open a picture. Whatever Pillow raises on bad bytes, until the end of the block, becomes a PictureError."""
    if not data:
        raise PictureError("empty", "picture.empty")
    data = with_end_marker(data)
    what = "image"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if is_jxl(data[:HEAD_BYTES]) and (size := jxl_file.size_of(data)):
                _check_pixels("JPEG XL", *size, limits)
            raw = raw_in(data)
            source = data if raw is None else data[slice(*raw.preview)]
            with Image.open(io.BytesIO(source), formats=_formats_for(data, raw is not None)) as image:
                if raw is not None:
                    raw_picture.present(image, raw)
                what = image.format or what
                _check_pixels(what, image.width, image.height, limits)
                if image.format in ("JPEG", "MPO") and not data.endswith(jpeg_file.END):
                    _require_end(data, what)
                if image.format == "HEIF":
                    _check_whole(data)
                if image.format == "TIFF" and (kind := tiff_kinds.decoded_wrongly(data)):
                    raise PictureError("no_decoder", kind)
                if _goes_on_in_zeros(data, image):
                    raise PictureError("truncated", "picture.unwritten", format=what)
                if image.format == "PNG":
                    # Pillow decodes a PNG when its EXIF is requested. A failure at that point must not count as missing
                    # EXIF.
                    image.load()
                yield image
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        if missing := _not_decoded(data):
            raise PictureError("no_decoder", missing) from error
        _require_extent(data)
        if looks_like_image(data[:HEAD_BYTES]):
            raise PictureError("corrupt", "picture.damaged_header") from error
        raise PictureError("not_an_image", "picture.unknown_format") from error
    except MemoryError as error:
        raise PictureError("out_of_memory", "picture.too_much_memory", format=what) from error
    except EOFError as error:
        raise PictureError("truncated", "picture.truncated", format=what) from error
    except (OSError, ValueError, SyntaxError) as error:
        # Pillow raised this deliberately, so its message is worth reporting.
        if missing := _not_decoded(data):
            raise PictureError("no_decoder", missing) from error
        words = str(error)
        if any(word in words.lower() for word in ("truncated", "not enough", "incomplete", "unexpected end")):
            raise PictureError("truncated", "picture.truncated", format=what) from error
        _require_extent(data)
        raise PictureError("corrupt", "picture.corrupt_with_reason", format=what, problem=words[:200]) from error
    except Exception as error:  # struct.error, KeyError, ZeroDivisionError, zlib.error...
        raise PictureError("corrupt", "picture.corrupt", format=what) from error


def _require_end(data: bytes, what: str) -> None:
    """Raises PictureError for a JPEG that ends too early: the data after it would be decoded as pixels."""
    if jpeg_file.end_without_marker(data) is not None:
        raise PictureError("truncated", "picture.truncated", format=what)


def _formats_for(data: bytes, is_raw: bool) -> tuple[str, ...]:
    """The formats that Pillow may open a file as."""
    if is_raw:
        return ("JPEG",)
    if data.startswith(jpeg_file.SOI):
        return decoders.own_formats()
    is_other = not looks_like_image(data[:HEAD_BYTES]) and other_files.is_tga(data)
    return decoders.UNMARKED if is_other else decoders.formats()


def _not_decoded(data: bytes) -> Message | None:
    """Why a file could not be decoded although it may be intact; None if that is unknown."""
    head = data[:HEAD_BYTES]
    if tiff_kinds.is_tiff(head):
        return tiff_kinds.not_decoded(data)
    in_heif = heif_file.not_decoded(data) if decoders.is_heif(head) else None
    return decoders.missing_for(head) or in_heif or other_files.not_decoded(data)


def _check_pixels(what: str, width: int, height: int, limits: Limits) -> None:
    """Raises PictureError for a picture with more pixels than the limit, or with none."""
    pixels = width * height
    if pixels > limits.max_pixels:
        size, limit = round(pixels / 1e6), round(limits.max_pixels / 1e6)
        raise PictureError("too_large", "picture.too_many_pixels", format=what, megapixels=size, limit=limit)
    if not pixels:
        raise PictureError("corrupt", "picture.no_pixels", format=what)


def _require_extent(data: bytes) -> None:
    """Raises PictureError for a WebP, AVIF or HEIC that could not be decoded and is shorter than its header says."""
    try:
        if webp_file.is_cut(data):
            raise PictureError("truncated", "picture.truncated", format="WebP")
        if data[4:8] == b"ftyp":
            heif_file.check(data)
    except Cut as error:
        what = "AVIF" if data[8:12] in decoders.AVIF_BRANDS else "HEIC"
        raise PictureError("truncated", "picture.truncated", format=what) from error
    except heif_file.Damaged:
        return


def _check_whole(data: bytes) -> None:
    """Raises PictureError for an incomplete HEIC, which would decode without an error."""
    try:
        heif_file.check(data)
    except Cut as error:
        raise PictureError("truncated", "picture.truncated", format="HEIC") from error
    except heif_file.Damaged as error:
        raise PictureError("corrupt", "picture.corrupt", format="HEIC") from error


def _goes_on_in_zeros(data: bytes, image: Image.Image) -> bool:
    """Whether the last scan of a JPEG ends only in zeros, which decode to grey without an error.

    An interrupted copy leaves such a file if space was reserved for it first.
    """
    if image.format not in ("JPEG", "MPO") or not data.endswith(bytes(UNWRITTEN_ZEROS)):
        return False
    return data.rfind(b"\xff\xda") > data.rfind(b"\xff\xd9")


def _draft(image: Image.Image, mode: str, size: tuple[int, int]) -> tuple[str, tuple[int, int, float, float]] | None:
    """Have a JPEG decoded at the smallest scale of at least this size. For other decoders, a draft may be another
    picture, such as the thumbnail in a HEIC."""
    return image.draft(mode, size) if isinstance(image, JpegImagePlugin.JpegImageFile) else None


def remaining_orientation(image: Image.Image) -> int:
    """The EXIF orientation by which the decoded pixels must still be turned."""
    return 1 if is_turned_by_pillow(image) else orientation_of(image)


# Pixels


def _small(image: Image.Image, side: int, level: int = BACKGROUND) -> tuple[Image.Image, int]:
    """The picture as a viewer shows it (L, RGB or CMYK), reduced to at least `side` on the shorter side, and the factor
    of that reduction."""
    factor = max(1, min(image.size) // side)
    if image.mode.startswith("I") or image.mode == "F":
        image = _from_deep(image)
    elif image.has_transparency_data:
        # Reducing by boxes ignores the colour of transparent pixels, as viewers do.
        with_alpha = _reduced(in_mode(image, "RGBA"), factor)
        background = Image.new("RGBA", with_alpha.size, (level, level, level, OPAQUE))
        return Image.alpha_composite(background, with_alpha).convert("RGB"), factor
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "LAB":
        image = from_lab(image)
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    return _reduced(image, factor), factor


def _is_transparent(image: Image.Image) -> bool:
    """Whether a pixel is less than opaque."""
    if not image.has_transparency_data:
        return False
    alpha = in_mode(image, "RGBA") if "A" not in image.getbands() else image
    lowest: Any = alpha.getchannel("A").getextrema()[0]
    return bool(lowest < OPAQUE)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Convert to a mode, without the copy that Pillow makes even if there is nothing to convert: half a gigabyte for
    the largest pictures."""
    return image if image.mode == mode else image.convert(mode)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image.reduce(factor) if factor > 1 else image


def _from_deep(image: Image.Image) -> Image.Image:
    """Convert 16 and 32 bits per pixel to 8. Pillow's own conversion clips everything above 255.

    Black is 0. White is the largest number of the smallest usual depth that holds the brightest pixel, since cameras
    and scanners write 12 bits into 16. For floating point, and if there are negative numbers, black is the darkest
    pixel and white the brightest.
    """
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
    else:
        low, most = min(0, int(values.min())), int(values.max())
        high = next((2**bits - 1 for bits in (8, 10, 12, 14, 16) if low == 0 and most < 2**bits), most)
    # By rows: in one piece, the floating-point values would take eight times the memory of the picture.
    levels = np.empty(values.shape, np.uint8)
    for row, target in zip(values, levels, strict=True):
        target[:] = (row - np.float64(low)) * (255.0 / (high - low or 1))
    return Image.fromarray(levels)


def _upright(grey: Bytes, width: float, height: float, orientation: int) -> tuple[Bytes, Box]:
    """Turn a matrix by an EXIF orientation, and with it the box (0, 0, width, height) that the picture covers."""
    if orientation >= 5:
        grey, width, height = grey.T, height, width
    left = top = 0.0
    if orientation in (3, 4, 7, 8):
        grey, top = grey[::-1], grey.shape[0] - height
    if orientation in (2, 3, 6, 7):
        grey, left = grey[:, ::-1], grey.shape[1] - width
    return np.ascontiguousarray(grey), (left, top, left + width, top + height)
