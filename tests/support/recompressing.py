"""Files with every kind of metadata, and what a compression makes of them or why it leaves them."""

import io
from functools import cache
from typing import Any

from PIL import Image, ImageCms

from index.imaging.decoding import jpeg_file
from index.imaging.decoding.pictures import Limits
from index.imaging.encoding import recompress
from index.imaging.encoding.compression import CompressionOptions
from index.imaging.encoding.recompress import Recompressed, Skipped
from support.pictures import ORIENTATION, photograph

LIMITS = Limits(max_pixels=50_000_000)
AS_IT_IS = {"width": 10_000, "height": 10_000, "least_gain": 0.0}
SAME = CompressionOptions(**AS_IT_IS)
HALF = CompressionOptions(width=200, height=200, quality=90)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
IPTC = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x0b\x1c\x02\x78\0\x06family\0"


@cache
def wide_gamut() -> bytes:
    """A profile that is not sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def exif_block(**tags: Any) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0132] = "2019:07:14 10:31:02"
    details = exif.get_ifd(0x8769)
    details[0x9003] = "2019:07:14 10:31:02"
    details[0xA002], details[0xA003] = 400, 300
    details[0x927C] = b"maker note \xff\0 with offsets of its own"
    for tag, value in tags.items():
        exif[int(tag.removeprefix("tag"))] = value
    return exif


def saved(picture: Image.Image, picture_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, picture_format, **options)
    return target.getvalue()


def camera_file(picture: Image.Image | None = None, orientation: int = 1, **options: Any) -> bytes:
    """A JPEG with every kind of metadata."""
    picture = picture or photograph(1, 400, 300)
    exif = exif_block(**{f"tag{ORIENTATION}": orientation})
    given = {"quality": 95, "exif": exif, "icc_profile": wide_gamut(), "xmp": XMP, "dpi": (300, 300),
             "comment": b"by hand", **options}  # fmt: skip
    data = saved(picture, "JPEG", **given)
    segments = jpeg_file.metadata_of(data)
    return jpeg_file.with_metadata(data, [*segments, jpeg_file.Segment(0xED, IPTC)])


def made(data: bytes, options: CompressionOptions) -> tuple[Recompressed, Image.Image]:
    result = recompress.recompress(data, options, LIMITS)
    assert isinstance(result, Recompressed), result
    image = Image.open(io.BytesIO(result.data))
    image.load()
    return result, image


def left(data: bytes, options: CompressionOptions) -> Skipped:
    result = recompress.recompress(data, options, LIMITS)
    assert isinstance(result, Skipped), result
    return result


def several_pictures() -> bytes:
    small = photograph(1, 400, 300).resize((80, 60))
    return saved(photograph(1, 400, 300), "MPO", save_all=True, append_images=[small], quality=95)
