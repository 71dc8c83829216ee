"""What the header of an opened picture tells: size as shown, orientation, date, camera, quality, metadata.

Metadata is the part of a file that is most often broken; whatever is wrong with it, the picture is still a picture.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from PIL import ExifTags, Image

from index.model import Facts

# What quality 50 stands for: the luminance table of ITU-T T.81, annex K, in zigzag order. libjpeg scales it.
STANDARD_LUMINANCE: Final = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51,
    61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77,
    113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip

# A camera's model is a few words; more is an attack on whoever shows it.
CAMERA_LENGTH: Final = 80
DATE_LENGTH: Final = len("2024:05:17 12:34:56")

# Tags of a TIFF that say more than how to decode it.
TIFF_EXIF: Final = frozenset(
    {ExifTags.IFD.Exif, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.DateTime, ExifTags.Base.Artist}
)
# Photoshop's image resources (JPEG) and TIFF's tags that hold IPTC records.
PHOTOSHOP_IPTC: Final = 0x0404
TIFF_IPTC: Final = 33723
TIFF_PHOTOSHOP: Final = 34377


def facts_of(image: Image.Image) -> Facts:
    """The facts of an opened picture, `detail` apart; nothing is decoded, and nothing in metadata raises."""
    exif = _exif(image)
    orientation = orientation_of(image)
    width, height = image.size
    if orientation >= 5 and not is_turned_by_pillow(image):
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
        frames=frames_of(image),
        metadata=_metadata(image, exif),
    )


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it makes no sense."""
    value = _exif(image).get(ExifTags.Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def is_turned_by_pillow(image: Image.Image) -> bool:
    """Whether Pillow itself turns what it decodes: it does so for TIFF, whose header gives the size as shown."""
    return image.format == "TIFF"


def frames_of(image: Image.Image) -> int:
    """Frames of an animation or pages; the second picture in a camera's MPO is a preview, not a frame."""
    if image.format == "MPO":
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # noqa: BLE001 - a broken chain of frames; the first one is there
        return 1


def jpeg_quality(tables: Any) -> int:
    """libjpeg's quality 1 to 100 whose luminance table is nearest to this one, 0 where there is none.

    libjpeg scales each entry of the standard table by s/100, where s = 5000/q below 50 and 200 - 2q from there on, and
    keeps it between 1 and 255; the sum of the entries tells which it was.
    """
    try:
        return _quality_of_sum(sum(tables[0]))
    except (TypeError, KeyError, IndexError):
        return 0


@lru_cache(maxsize=256)
def _quality_of_sum(total: int) -> int:
    def distance(quality: int) -> int:
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        return abs(total - sum(max(1, min(255, (entry * scale + 50) // 100)) for entry in STANDARD_LUMINANCE))

    return min(range(1, 101), key=distance)


def _exif(image: Image.Image) -> Any:
    """The EXIF block, empty where it is broken. Pillow parses it once and keeps it."""
    try:
        return image.getexif()
    except Exception:  # noqa: BLE001 - struct.error, SyntaxError, KeyError...: a broken block is no block
        return Image.Exif()


def _sub_block(exif: Any, tag: int) -> Mapping[int, Any]:
    try:
        return dict(exif.get_ifd(tag))
    except Exception:  # noqa: BLE001 - see above
        return {}


def _taken(exif: Any) -> str:
    """The date the picture was taken, else the date in the main block, as ISO 8601 without a zone, or ""."""
    if not exif:
        return ""
    detail = _sub_block(exif, ExifTags.IFD.Exif)
    for value in (detail.get(ExifTags.Base.DateTimeOriginal), exif.get(ExifTags.Base.DateTime)):
        if isinstance(value, str):
            text = value[:DATE_LENGTH].replace("-", ":").replace("/", ":").replace("T", " ")
            try:
                return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").isoformat()  # noqa: DTZ007 - EXIF has no zone
            except ValueError:
                continue
    return ""


def _camera(exif: Any) -> str:
    value = exif.get(ExifTags.Base.Model)
    return "".join(filter(str.isprintable, value)).strip()[:CAMERA_LENGTH] if isinstance(value, str) else ""


def _metadata(image: Image.Image, exif: Any) -> tuple[str, ...]:
    """The names of the blocks that the file carries."""
    info = image.info
    blocks = {
        "exif": _has_exif(image, exif),
        "gps": bool(exif) and bool(_sub_block(exif, ExifTags.IFD.GPSInfo)),
        "xmp": "xmp" in info or "XML:com.adobe.xmp" in info,
        "icc": bool(info.get("icc_profile")),
        "iptc": _has_iptc(image),
    }
    return tuple(name for name, present in blocks.items() if present)


def _has_exif(image: Image.Image, exif: Any) -> bool:
    """An EXIF block of nothing but an orientation is none, nor are the tags without which TIFF is no picture."""
    if image.format == "TIFF":
        return not TIFF_EXIF.isdisjoint(exif)
    return bool(exif) and set(exif) != {ExifTags.Base.Orientation}


def _has_iptc(image: Image.Image) -> bool:
    photoshop = image.info.get("photoshop")
    if isinstance(photoshop, Mapping) and PHOTOSHOP_IPTC in photoshop:
        return True
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        return TIFF_IPTC in tags or TIFF_PHOTOSHOP in tags
    return "Raw profile type iptc" in image.info
