"""What the header of an opened picture tells: size as shown, orientation, date, camera, quality, metadata.

Metadata is the part of a file that is most often broken; whatever is wrong with it, the picture is still a picture.
"""

import re
from typing import Any, Final

from PIL import ExifTags, Image

from index.model import Facts

# The luminance table of ITU-T T.81, annex K, that libjpeg scales for a quality of 1 to 100, in zigzag order.
STANDARD_LUMINANCE: Final = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51,
    61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77,
    113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip

DATE = re.compile(r"(\d{4})[:\-/](\d{2})[:\-/](\d{2})[ T](\d{2}):(\d{2}):(\d{2})")


def facts_of(image: Image.Image, data: bytes) -> Facts:
    """The facts of an opened picture, `detail` apart; nothing is decoded, and nothing in metadata raises."""
    exif = _exif(image)
    orientation = orientation_of(image)
    width, height = image.size
    if orientation >= 5:
        width, height = height, width
    return Facts(
        format="JPEG" if image.format == "MPO" else image.format or "",
        width=width,
        height=height,
        mode=image.mode,
        orientation=orientation,
        taken=_taken(exif),
        camera=_camera(exif),
        jpeg_quality=jpeg_quality(getattr(image, "quantization", None)),
        frames=_frames(image),
        metadata=_metadata(image, exif, data),
    )


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it makes no sense."""
    value = _exif(image).get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def jpeg_quality(tables: Any) -> int:
    """libjpeg's quality 1 to 100 whose luminance table is nearest to this one, 0 where there is none.

    Each entry is the standard one scaled by s/100, where s = 5000/q below 50 and 200 - 2q from there on.
    """
    try:
        table = [int(value) for value in tables[0]]
    except (TypeError, KeyError, IndexError, ValueError):
        return 0
    if len(table) != len(STANDARD_LUMINANCE) or max(table) < 1:
        return 0
    scale = 100 * sum(table) / sum(STANDARD_LUMINANCE)
    if sum(table) <= len(table) + 2:
        return 100
    quality = 5000 / scale if scale > 100 else (200 - scale) / 2
    return max(1, min(100, round(quality)))


def _exif(image: Image.Image) -> Any:
    """The EXIF block, empty where it is broken. Pillow parses it once and keeps it."""
    try:
        return image.getexif()
    except Exception:  # noqa: BLE001 - struct.error, SyntaxError, KeyError...: a broken block is no block
        return Image.Exif()


def _sub_block(exif: Any, tag: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(tag))
    except Exception:  # noqa: BLE001 - see above
        return {}


def _taken(exif: Any) -> str:
    """The date the picture was taken, else the date in the main block, as ISO 8601 without a zone, or ""."""
    detail = _sub_block(exif, ExifTags.IFD.Exif)
    for value in (detail.get(ExifTags.Base.DateTimeOriginal), exif.get(ExifTags.Base.DateTime)):
        found = DATE.match(value) if isinstance(value, str) else None
        if found and "0001" <= found[1] and "01" <= found[2] <= "12" and "01" <= found[3] <= "31":
            return f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6]}"
    return ""


def _camera(exif: Any) -> str:
    value = exif.get(ExifTags.Base.Model)
    return "".join(filter(str.isprintable, value)).strip()[:80] if isinstance(value, str) else ""


def _frames(image: Image.Image) -> int:
    """Frames of an animation; the second picture in a camera's MPO is a preview, not a frame."""
    if image.format == "MPO":
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # noqa: BLE001 - a broken chain of frames; the first one is there
        return 1


def _metadata(image: Image.Image, exif: Any, data: bytes) -> tuple[str, ...]:
    """The names of the blocks that the file carries."""
    blocks = {
        "exif": bool(exif) and set(exif) != {ExifTags.Base.Orientation},
        "gps": bool(_sub_block(exif, ExifTags.IFD.GPSInfo)),
        "xmp": "xmp" in image.info or "XML:com.adobe.xmp" in image.info,
        "icc": bool(image.info.get("icc_profile")),
        "iptc": b"Photoshop 3.0\0" in data[:262144] and b"8BIM\x04\x04" in data[:262144],
    }
    return tuple(name for name, present in blocks.items() if present)
