"""The facts in the header of an opened picture: displayed size, orientation, date, camera, quality, metadata.

Metadata is the part of a file that is most often broken. Broken metadata must not prevent the reading of a picture.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from PIL import ExifTags, Image

from index.imaging.decoding.camera_record import STANDARD_LUMINANCE, camera_record
from index.imaging.decoding.raw_picture import stored_size
from index.model import RAW_FORMATS, Facts

# The model of a camera has a few words. A longer text may be an attack on programs that show it.
CAMERA_LENGTH: Final = 80
DATE_LENGTH: Final = len("2024:05:17 12:34:56")

# Formats whose decoder applies the orientation, or has its own.
TURNED_BY_OTHERS: Final = frozenset({"TIFF", "HEIF", "AVIF", "JXL"})
# Tags of a TIFF that are more than instructions for decoding.
TIFF_EXIF: Final = frozenset(
    {ExifTags.IFD.Exif, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.DateTime, ExifTags.Base.Artist}
)
# Where IPTC records are: in Photoshop's image resources (JPEG), and in tags of TIFF.
PHOTOSHOP_IPTC: Final = 0x0404
TIFF_IPTC: Final = 33723
TIFF_PHOTOSHOP: Final = 34377


def facts_of(image: Image.Image) -> Facts:
    """The facts of an opened picture, except `detail`. Nothing is decoded, and no metadata makes this raise."""
    exif = _exif(image)
    orientation = orientation_of(image)
    width, height = stored_size(image)
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
        record=camera_record(exif, _sub_block(exif, ExifTags.IFD.Exif), getattr(image, "quantization", None)),
    )


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation; 1 if there is none or it is invalid. An orientation in XMP alone does not count: browsers
    and viewers ignore it, though Pillow reports it as EXIF."""
    exif = _exif(image)
    value = exif.get(ExifTags.Base.Orientation)
    if not isinstance(value, int) or not 1 <= value <= 8:
        return 1
    has_xmp = "xmp" in image.info or "XML:com.adobe.xmp" in image.info
    if has_xmp and value != 1 and image.format not in TURNED_BY_OTHERS | RAW_FORMATS:
        return _orientation_of_block(image.info.get("exif"))
    return value


def _orientation_of_block(block: Any) -> int:
    if not isinstance(block, bytes):
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        value = exif.get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - a broken block is no block
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def has_resolution(image: Image.Image) -> bool:
    """Whether the EXIF block states a resolution."""
    return ExifTags.Base.XResolution in _exif(image)


def is_turned_by_pillow(image: Image.Image) -> bool:
    """Whether the decoded picture is upright already. Pillow turns TIFF itself, whose header gives the displayed size.
    JPEG XL is turned by its decoder unless it contains a JPEG."""
    return image.format == "TIFF" or (image.format == "JXL" and not getattr(image, "jpeg", False))


def frames_of(image: Image.Image) -> int:
    """The number of frames of an animation, or of pages. The second picture in a camera's MPO does not count, since it
    is a preview, nor do the layers of a Photoshop file."""
    if image.format in ("MPO", "PSD"):
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # noqa: BLE001 - a broken chain of frames; the first one can be read
        return 1


def jpeg_quality(tables: Any) -> int:
    """The libjpeg quality, 1 to 100, whose luminance table is nearest to this one; 0 if there is no table.

    libjpeg scales each entry of the standard table by s/100, where s = 5000/q below 50 and 200 - 2q from there on, and
    clips it to between 1 and 255. The sum of the entries identifies q.
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
    """The EXIF block, empty if it is broken. Pillow parses it once and keeps it."""
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
    """The capture date, or else the date in the main block, as ISO 8601 without a zone; "" if there is none."""
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
    """The names of the metadata blocks in the file."""
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
    """Whether there is EXIF. An orientation alone does not count, nor do the tags that every TIFF needs."""
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
