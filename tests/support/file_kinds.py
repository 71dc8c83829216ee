"""Files of the kinds that Pillow alone does not read, or not all of them: HEIC, JPEG XL, odd TIFF.

from support.file_kinds import RAW_KINDS, heic, heif, jxl, raw, tiff
"""

import io
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pillow_heif
import pillow_jxl  # noqa: F401 - registers its format
from PIL import Image


def heic(picture: Image.Image, quality: int = 80, **options: Any) -> bytes:
    """A HEIC with a thumbnail, as telephones write it."""
    file = io.BytesIO()
    made = pillow_heif.from_pillow(picture)
    made.info["thumbnails"] = [64]
    made.save(file, quality=quality, **options)
    return file.getvalue()


def heif(
    items: Mapping[int, tuple[bytes, bytes]],
    auxiliary: Mapping[int, bytes] = MappingProxyType({}),
    derived: Mapping[int, Sequence[int]] = MappingProxyType({}),
) -> bytes:
    """The boxes of a HEIF whose first item is the picture: items by id, with type and data; the names of auxiliary
    ones; and what others are made of. Nothing in it can be decoded."""

    def box(kind: bytes, *parts: bytes) -> bytes:
        return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)

    def entry(number: int, kind: bytes) -> bytes:
        return box(b"infe", b"\2\0\0\0" + struct.pack(">HH4sB", number, 0, kind, 0))

    def meta(start: int) -> bytes:
        places = b""
        for number, (_, data) in items.items():
            places += struct.pack(">HHHII", number, 0, 1, start, len(data))
            start += len(data)
        kinds = [box(b"auxC", bytes(4), name, b"\0") for name in auxiliary.values()]
        each = b"".join(struct.pack(">HBB", item, 1, number) for number, item in enumerate(auxiliary, 1))
        references = [
            box(b"dimg", struct.pack(f">HH{len(sources)}H", item, len(sources), *sources))
            for item, sources in derived.items()
        ]
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", struct.pack(">IH", 0, min(items))),
            box(b"iloc", b"\0\0\0\0\x44\0", struct.pack(">H", len(items)), places),
            box(b"iinf", struct.pack(">IH", 0, len(items)), *(entry(item, kind) for item, (kind, _) in items.items())),
            box(b"iref", bytes(4), *references),
            box(b"iprp", box(b"ipco", *kinds), box(b"ipma", struct.pack(">II", 0, len(auxiliary)), each)),
        )

    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", *(data for _, data in items.values()))


def jxl(picture: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JXL", **options)
    return file.getvalue()


def tiff(
    planes: Sequence[bytes],
    size: tuple[int, int],
    bits: int,
    *,
    separate: bool = False,
    coding: int = 1,
    sample_format: int = 1,
    order: str = "<",
) -> bytes:
    """A TIFF of three channels: one strip of all, or one for each of them where they are separate."""
    starts, at = [], 8
    for plane in planes:
        starts.append(at)
        at += len(plane)
    tables = b""

    def kept(letter: str, values: Sequence[int]) -> int:
        nonlocal tables
        place = at + len(tables)
        tables += struct.pack(order + letter * len(values), *values)
        return place

    def one_or_kept(values: Sequence[int]) -> int:
        return values[0] if len(values) == 1 else kept("I", values)

    entries = [
        (256, 4, 1, size[0]), (257, 4, 1, size[1]), (258, 3, 3, kept("H", [bits] * 3)), (259, 3, 1, coding),
        (262, 3, 1, 2), (273, 4, len(starts), one_or_kept(starts)), (277, 3, 1, 3), (278, 4, 1, size[1]),
        (279, 4, len(planes), one_or_kept([len(plane) for plane in planes])), (284, 3, 1, 2 if separate else 1),
        (339, 3, 3, kept("H", [sample_format] * 3)),
    ]  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at + len(tables))
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, count)
        is_short = kind == 3 and count == 1
        directory += struct.pack(order + "HH", value, 0) if is_short else struct.pack(order + "I", value)
    return head + b"".join(planes) + tables + directory + bytes(4)


# The formats of camera RAW files, with the maker by which those differ that are all TIFF.
RAW_KINDS = {
    "ARW": "SONY", "CR2": "Canon", "CR3": "Canon", "CRW": "", "DNG": "Google", "NEF": "NIKON CORPORATION",
    "ORF": "OLYMPUS", "PEF": "PENTAX", "RAF": "", "RW2": "Panasonic", "SRW": "SAMSUNG",
}  # fmt: skip


def raw(
    kind: str, preview: bytes, size: tuple[int, int], orientation: int = 1, sensor: bytes = b"\x5a" * 4000
) -> bytes:
    """A RAW file of a format, with a thumbnail, a preview (JPEG) and something for the data of its sensor."""
    thumbnail = io.BytesIO()
    with Image.open(io.BytesIO(preview)) as picture:
        picture.resize((48, 32)).save(thumbnail, "JPEG")
    small = thumbnail.getvalue()
    if kind == "RAF":
        head = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0")
        start = 84 + 24
        places = (start, len(preview), start + len(preview), 16, start + len(preview) + 16, len(sensor))
        return head + struct.pack(">6I", *places) + preview + bytes(16) + sensor
    if kind == "CRW":
        return b"II\x1a\0\0\0HEAPCCDR" + bytes(12) + sensor + preview + small + bytes(40)
    if kind == "CR3":
        block = _raw_directories(b"MM\0*", RAW_KINDS[kind], size, orientation, [])
        return b"".join(
            struct.pack(">I4s", 8 + len(part), name) + part
            for name, part in ((b"ftyp", b"crx \0\0\0\1crx isom"), (b"CMT1", block), (b"mdat", preview + sensor))
        )
    magic = {"ORF": b"IIRO", "RW2": b"IIU\0"}.get(kind, b"II*\0")
    return _raw_directories(magic, RAW_KINDS[kind], size, orientation, [small, preview, sensor], kind)


def _raw_directories(
    magic: bytes, make: str, size: tuple[int, int], orientation: int, parts: list[bytes], kind: str = ""
) -> bytes:
    """A TIFF with a main directory (make, orientation, thumbnail), and one for preview and for sensor data each."""
    order = "<" if magic[:2] == b"II" else ">"
    gap = b"CR\2\0" + bytes(4) if kind == "CR2" else b""
    body, starts = b"", []
    first = 8 + len(gap)
    name = make.encode() + b"\0"
    date = b"2021:05:06 07:08:09\0"
    for part in (name, date, *parts):
        starts.append(first + len(body))
        body += part + bytes(len(part) % 2)

    def directory(entries: list[tuple[int, int, int, int]]) -> bytes:
        made = struct.pack(order + "H", len(entries))
        for tag, form, count, value in sorted(entries):
            made += struct.pack(order + "HHI", tag, form, count)
            made += struct.pack(order + "HH", value, 0) if form == 3 else struct.pack(order + "I", value)
        return made + bytes(4)

    main = [(271, 2, len(name), starts[0]), (274, 3, 1, orientation), (306, 2, len(date), starts[1])]
    after = b""
    if parts:
        coding = {"NEF": 34713, "ARW": 32767, "PEF": 65535, "SRW": 32772}.get(kind, 1)
        of_preview = [(259, 3, 1, 6), (513, 4, 1, starts[3]), (514, 4, 1, len(parts[1]))]
        of_sensor = [
            (256, 4, 1, size[0]), (257, 4, 1, size[1]), (259, 3, 1, coding), (262, 3, 1, 32803),
            (273, 4, 1, starts[4]), (279, 4, 1, len(parts[2])),
        ]  # fmt: skip
        places = (first + len(body), first + len(body) + len(directory(of_preview)))
        after = directory(of_preview) + directory(of_sensor)
        pointers = first + len(body) + len(after)
        after += struct.pack(order + "II", *places)
        main += [(330, 4, 2, pointers), (513, 4, 1, starts[2]), (514, 4, 1, len(parts[0]))]
        if kind == "DNG":
            main.append((50706, 4, 1, 0x01040000))
        if kind == "RW2":
            main += [(2, 3, 1, size[0]), (3, 3, 1, size[1])]
    place = first + len(body) + len(after)
    return magic + struct.pack(order + "I", place) + gap + body + after + directory(main)
