"""Our own parsers under random changes: sidecars, Takeout's JSON, XMP, IPTC, EXIF, RAW files and other containers.

Each may raise only the errors of its docstring, and must end soon: workers run them on whatever people have.
"""

import io
import json
import random
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Final

from PIL import Image

from index.errors import PictureError
from index.imaging.decoding import heif_file, jpeg_file, jxl_file, png_file, tiff_kinds, webp_file
from index.imaging.decoding.attachments import attachments_of
from index.imaging.decoding.camera_record import camera_record
from index.imaging.decoding.capture_date import of_name
from index.imaging.decoding.heif_items import Cut
from index.imaging.decoding.raw_picture import raw_in
from index.imaging.decoding.sidecar import Unreadable, with_more
from index.imaging.decoding.takeout import read_takeout
from index.imaging.decoding.xmp_properties import read_xmp
from index.imaging.encoding import bmp_file, exif_block, trailer, xmp_packet
from index.imaging.encoding.texts import texts_of
from index.model import Description
from support.file_kinds import RAW_KINDS, heif, jxl, raw
from support.mutations import mutate
from support.pictures import photograph
from support.xmp import packet

SLOW_S: Final = 2.0
FORESEEN: Final = (
    PictureError, Cut, heif_file.Damaged, jpeg_file.NoJpeg, png_file.NoPng, webp_file.NoWebp, bmp_file.NoBmp,
    Unreadable,
)  # fmt: skip
MORE: Final = Description(rating=4, label="Red", keywords=("sea",), place=(47.5, 8.25), title="a & b")

Parser = Callable[[bytes], object]
Keep = Callable[[str, bytes, str], None]


def saved(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    photograph(77, 96, 72).save(file, form, **options)
    return file.getvalue()


def exif() -> bytes:
    block = Image.Exif()
    block.update({0x0112: 6, 0x010F: "Canon", 0x0110: "a model", 0x0132: "2020:01:01 00:00:00"})
    block.get_ifd(0x8769).update({0x9003: "2020:01:01 00:00:00", 0x9011: "+01:00", 0x927C: bytes(range(200))})
    block.get_ifd(0x8825).update({1: "N", 2: (47.0, 30.0, 0.0), 3: "E", 4: (8.0, 15.0, 0.0)})
    return block.tobytes()


def of_exif(data: bytes) -> None:
    """What is read of an EXIF block, and what is changed in it."""
    block = Image.Exif()
    try:
        block.load(data)
        detail = dict(block.get_ifd(0x8769))
    except Exception:  # noqa: BLE001 - what Pillow raises for a broken block is caught where it is read
        detail = {}
    camera_record(block, detail, None)
    exif_block.with_numbers(data, {exif_block.ORIENTATION: 1})
    exif_block.has_resolution(data)


def of_packet(data: bytes) -> None:
    read_xmp(data)
    xmp_packet.with_texts(data, {"dc:title": "a"}, ("b",))
    xmp_packet.for_pixels(data, (400, 300), (200, 150), 1)
    with_more(data, MORE, Description())


def of_heif(data: bytes) -> None:
    heif_file.not_decoded(data)
    attachments_of(data, "HEIF")
    heif_file.check(data)


def of_jpeg(data: bytes) -> None:
    jpeg_file.end_without_marker(data)
    attachments_of(data, "JPEG")
    texts_of("JPEG", data)


def of_png(data: bytes) -> None:
    attachments_of(data, "PNG")
    png_file.bits_per_channel(data)
    texts_of("PNG", data)


def samples() -> list[tuple[str, Parser, bytes]]:
    """Each parser with something that it reads."""
    keywords = "<dc:subject><rdf:Bag><rdf:li>Tom</rdf:li></rdf:Bag></dc:subject>"
    preview = saved("JPEG", quality=60)
    resources = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\x12\x1c\2\x78\0\5hello\x1c\2\x19\0\3sea"
    takeout = {"photoTakenTime": {"timestamp": "1563093062"}, "geoData": {"latitude": 47.5, "longitude": 8.25}}
    return [
        ("XMP", of_packet, packet('xmp:Rating="4" exif:GPSLatitude="47,30.0N" exif:GPSLongitude="8,15.0E"', keywords)),
        ("Takeout", read_takeout, json.dumps(takeout | {"people": [{"name": "Ann"}]}).encode()),
        ("EXIF", of_exif, exif()),
        ("JPEG", of_jpeg, jpeg_file.with_metadata(preview, [jpeg_file.Segment(0xED, resources)])),
        ("PNG", of_png, saved("PNG", exif=exif())),
        ("WebP", webp_file.remainder, saved("WEBP", exif=exif())),
        ("BMP", bmp_file.remainder, saved("BMP")),
        ("TIFF", tiff_kinds.not_decoded, saved("TIFF")),
        ("JPEG XL", jxl_file.bits_per_channel, jxl(photograph(77, 96, 72))),
        ("HEIF", of_heif, heif({1: (b"hvc1", b"\1" * 99), 2: (b"hvc1", b"\2" * 9)}, {2: b"x:depth"}, {3: [1, 2]})),
        ("trailer", trailer.kind_of, b"\0\0\1\x0a\4\0\0\0nameSEFH" + bytes(range(24)) + b"SEFT"),
        ("name", of_name, b"PXL_20240407_152207242.jpg"),
        *(("RAW", raw_in, raw(kind, preview, (400, 300), sensor=bytes(400))) for kind in RAW_KINDS),
    ]


def fuzz_parsers(chance: random.Random, seconds: float, keep: Keep) -> Counter[str]:
    """Parse changed samples for so long. What was not foreseen is given to `keep`: kind, data, message."""
    parsers = samples()
    datas = [data for _, _, data in parsers]
    counts: Counter[str] = Counter()
    end_s = time.monotonic() + seconds
    warnings.simplefilter("ignore")
    while time.monotonic() < end_s:
        name, parse, data = chance.choice(parsers)
        changed = mutate(chance, data, datas)
        began_s = time.process_time()
        message = ""
        try:
            parse(changed)
        except FORESEEN:
            counts["refused"] += 1
        except Exception:  # noqa: BLE001 - whatever it is, it is what is searched for
            message = traceback.format_exc()
        took_s = time.process_time() - began_s
        if not message and took_s > SLOW_S:
            message = f"took {took_s:.1f} s"
        counts["parsed"] += 1
        if message:
            keep(f"parser-{name}", changed, message)
            counts["FOUND"] += 1
    return counts
