"""EDGE: opens the embedded preview of a RAW file as the picture of that file, with the file's own metadata."""

from typing import Final

from PIL import ExifTags, Image

from index.errors import PictureError
from index.imaging.decoding import raw_file
from index.imaging.decoding.heif_items import Cut
from index.imaging.decoding.raw_file import Raw

# The keys in the `info` of a picture: the size of the sensor's picture, and what is missing of it.
SIZE: Final = "raw_size"
DAMAGE: Final = "raw_damage"


def raw_in(data: bytes) -> Raw | None:
    """What is known of a RAW file, None for any other file. Raises PictureError: truncated, and no_decoder if it has no
    usable preview."""
    name = raw_file.kind_of(data)
    if not name:
        return None
    try:
        raw = raw_file.read(data)
    except Cut as error:
        raise PictureError("truncated", "picture.truncated", format=name) from error
    if raw is None:
        raise PictureError("no_decoder", "picture.raw_no_preview", format=name)
    return raw


def present(image: Image.Image, raw: Raw) -> None:
    """Make an opened preview report the format, size and metadata of its file, and nothing of its own coding."""
    image.format = raw.format
    image.info[SIZE] = raw.size
    image.info[DAMAGE] = raw.damage
    image.quantization = {}  # type: ignore[attr-defined]
    if raw.exif:
        exif = Image.Exif()
        try:
            exif.load(b"Exif\0\0" + raw.exif)
        except Exception:  # noqa: BLE001 - struct.error, SyntaxError, KeyError...: a broken block is no block
            return
        # The orientation is that of the file. A preview that is already upright has no other.
        if ExifTags.Base.Orientation in exif or ExifTags.Base.Model in exif:
            image.getexif().load(b"Exif\0\0" + raw.exif)


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of a picture as stored: those of the sensor's picture if only its preview is decoded."""
    size: tuple[int, int] = image.info.get(SIZE, image.size)
    return size
