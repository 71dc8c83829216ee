"""An opened picture and its bytes -> what cameras and programs wrote about it in its file.

Nothing in metadata raises: what is broken is not there.
"""

import io
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from index.imaging.decoding.camera_record import camera_record
from index.imaging.decoding.facts import orientation_of
from index.imaging.originality.trace import CAMERA, DATE_ONLY, FULL, NO_RECORD, FileMarks
from index.model import CameraRecord

# Programs that change pictures, as they sign in `Software` and in XMP. Cameras sign with their firmware.
EDITORS: Final = re.compile(
    r"photoshop|lightroom|adobe|gimp|snapseed|picasa|paint|irfan|acdsee|darktable|rawtherapee|capture one|captureone"
    r"|affinity|pixelmator|luminar|photoscape|xnview|fotor|vsco|instagram|facetune|polarr|canva|magick|aperture|iphoto"
    r"|dxo|topaz|gigapixel|remini|upscay|waifu|esrgan|on1|corel|krita|faststone|digikam|shotwell|gthumb|nik collection"
    r"|silkypix|capture nx|nx studio|view ?nx|photo professional|prisma|meitu|beauty|pixlr|photopea|windows photo"
    r"|microsoft|photos \d|google|facebook|whatsapp|telegram|editor|resiz|ffmpeg|libvips|sharp|enhanc|photofiltre"
    r"|skylum|picsart|lumapix|imageready|fireworks|retouch|photo ?lab|nero|photoimpact|zoner|inkscape|screenshot",
    re.IGNORECASE,
)
# XMP that only programs write that develop or edit.
HISTORY: Final = re.compile(
    rb"xmpMM:History|stEvt:action|crs:(Version|Exposure|Crop|Contrast)|DerivedFrom|photoshop:History"
)
XMP_CREATOR: Final = re.compile(rb"xmp:CreatorTool(?:=\"|>)([^\"<]{1,80})")
# What a camera records of one exposure: time, aperture, program, sensitivity, compensation, metering, flash, focal
# length, exposure mode, white balance.
EXPOSURE: Final = frozenset((33434, 33437, 34850, 34855, 37380, 37383, 37385, 37386, 41986, 41987, 37377, 37378))
LEAST_EXPOSURE: Final = 3
CUSTOM_RENDERED: Final = 0xA401
THUMBNAIL: Final = (0x0201, 0x0202)
THUMBNAIL_BYTES: Final = 65536


def file_marks(image: Image.Image, luminance: NDArray[np.uint8]) -> FileMarks:
    """The marks in the file of an opened picture, whose luminance as stored is (height, width)."""
    exif = _or_nothing(image.getexif, {})
    detail = _or_nothing(lambda: dict(exif.get_ifd(ExifTags.IFD.Exif)), {}) if exif else {}
    camera = camera_record(exif, detail, None)
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    packet = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else bytes(xmp)
    creator = XMP_CREATOR.search(packet)
    names = [camera.software, _text(exif.get(ExifTags.Base.ProcessingSoftware))]
    names += [creator[1].decode("utf-8", "replace")] if creator else []
    names += [_text(image.info.get(key)) for key in ("Software", "software")]
    recorded = min(camera.declared), max(camera.declared)
    return FileMarks(
        record=_record(camera, exif, detail),
        maker_note=bool(camera.maker_note),
        editor=next((name for name in names if EDITORS.search(name)), "")[:60],
        history=bool(HISTORY.search(packet)),
        rendered=_number(detail.get(CUSTOM_RENDERED)),
        modified=bool(camera.original and camera.modified > camera.original),
        recorded=recorded,
        resized=recorded[0] > 0 and any(abs(a - b) > 8 for a, b in zip(recorded, sorted(image.size), strict=True)),
        turned=orientation_of(image) != 1,
        thumbnail=_or_nothing(lambda: _thumbnail(image, exif, luminance), ""),
    )


def _record(camera: CameraRecord, exif: Any, detail: Mapping[int, Any]) -> int:
    if camera.make or exif.get(ExifTags.Base.Model):
        return FULL if len(EXPOSURE & detail.keys()) >= LEAST_EXPOSURE else CAMERA
    return DATE_ONLY if camera.original or camera.modified else NO_RECORD


def _thumbnail(image: Image.Image, exif: Any, luminance: NDArray[np.uint8]) -> str:
    """Whether the thumbnail in EXIF shows what the file does; editors often leave that of the picture before."""
    block = image.info.get("exif")
    first = dict(exif.get_ifd(ExifTags.IFD.IFD1)) if exif else {}
    start, length = (_number(first.get(tag)) for tag in THUMBNAIL)
    if not isinstance(block, bytes) or not start or not 0 < length <= THUMBNAIL_BYTES:
        return ""
    base = 6 if block.startswith(b"Exif\0\0") else 0
    with Image.open(io.BytesIO(block[base + start : base + start + length]), formats=["JPEG"]) as small:
        shown = np.asarray(small.convert("L").resize((32, 32), Image.Resampling.BOX), np.float32)
        aspect = small.width / small.height
    height, width = luminance.shape
    whole = np.asarray(Image.fromarray(luminance).resize((32, 32), Image.Resampling.BOX), np.float32)
    # Cameras fill thumbnails of 160 x 120 with black bars: rows and columns without any content count for neither.
    lit = shown > 8
    rows, columns = lit.mean(axis=1) > 0.1, lit.mean(axis=0) > 0.1
    if not rows.all() or not columns.all():
        return ""
    if abs(np.log(aspect / (width / height))) > 0.07:
        return "other"
    likeness = float(np.corrcoef(shown.ravel(), whole.ravel())[0, 1])
    return "other" if likeness < 0.9 or abs(float(shown.mean() - whole.mean())) > 12 else "same"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return "".join(filter(str.isprintable, value)).strip() if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _or_nothing(get: Any, nothing: Any) -> Any:
    try:
        return get()
    except Exception:  # noqa: BLE001 - struct.error, KeyError, OSError...: a broken block is no block
        return nothing
