"""PURE: camera RAW files: the kind of a file, its largest embedded preview, its metadata, and whether it is complete.

Previews are found as JPEGs anywhere in the file, not through the pointers of a dozen formats: a JPEG of eight bits
begins with FF D8 FF, and has a frame header after a chain of segments. The coded sensor data of some formats is JPEG as
well, but lossless (SOF3), and is no picture to look at. Every search is bounded.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from index.imaging.decoding import jpeg_file
from index.imaging.decoding.heif_items import Cut, boxes_at_top

CANDIDATES_AT_MOST: Final = 4096
SEGMENTS_AT_MOST: Final = 400
DIRECTORIES_AT_MOST: Final = 64
ENTRIES_AT_MOST: Final = 1024
PARTS_AT_MOST: Final = 200_000
# A preview with fewer pixels on its shorter side shows too little for a comparison.
PREVIEW_SIDE_PX: Final = 100

START: Final = b"\xff\xd8\xff"
# Baseline, extended and progressive frames, with Huffman coding.
FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
OTHER_FRAMES: Final = frozenset(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}

# Tags of TIFF 6.0, TIFF/EP and DNG.
REDUCED = 254
WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, MAKE, STARTS, ORIENTATION = 256, 257, 259, 262, 271, 273, 274
LENGTHS, TILE_STARTS, TILE_LENGTHS, SUB_DIRECTORIES, JPEG_START, JPEG_LENGTH = 279, 324, 325, 330, 513, 514
EXIF, DNG_VERSION = 34665, 50706
# Tags of Panasonic.
WIDTH_OF_SENSOR, HEIGHT_OF_SENSOR = 2, 3
WANTED: Final = frozenset(
    {REDUCED, WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, MAKE, STARTS, LENGTHS, TILE_STARTS, TILE_LENGTHS,
     SUB_DIRECTORIES, JPEG_START, JPEG_LENGTH, EXIF, DNG_VERSION, WIDTH_OF_SENSOR, HEIGHT_OF_SENSOR}
)  # fmt: skip
# Samples behind a colour filter, and of sensors without one.
SENSOR: Final = frozenset({32803, 34892})
# Codings of sensor data by Nikon, Sony, Pentax and Samsung.
SENSOR_CODINGS: Final = frozenset({34713, 32767, 65535, 32770, 32772, 65000})
_SIZES: Final = {1: ("B", 1), 2: ("B", 1), 3: ("H", 2), 4: ("I", 4), 7: ("B", 1), 13: ("I", 4)}

FUJI: Final = b"FUJIFILMCCD-RAW"
CANON_OLD: Final = b"HEAPCCDR"
# How the makers begin whose files are all TIFF.
MAKERS: Final = {"NIKON": "NEF", "SONY": "ARW", "PENTAX": "PEF", "RICOH": "PEF", "SAMSUNG": "SRW"}
# What may be missing, as a decoder would say it.
CUT_OFF: Final = "the sensor data is cut off"
NO_SENSOR: Final = "no sensor data"
# Olympus and Panasonic write these words in place of the number 42 of TIFF.
OLYMPUS: Final = (b"IIRO", b"IIRS", b"MMOR")
PANASONIC: Final = b"IIU\0"
# The box in Canon's CR3 that has the first directory.
CANON_DIRECTORY: Final = b"CMT1"


@dataclass(frozen=True, slots=True)
class Raw:
    """`preview` is the start and end of the JPEG in the file, and `preview_size` its width and height as stored. `size`
    is the size of the sensor's picture, or of the preview if that is unknown. `exif` is the file's own metadata as
    TIFF, b"" if there is none. `damage` says what is missing of the sensor's picture, "" if nothing is."""

    format: str
    preview: tuple[int, int]
    preview_size: tuple[int, int]
    size: tuple[int, int]
    exif: bytes
    damage: str = ""


def kind_of(data: bytes) -> str:
    """The format of a camera RAW file, one of model.RAW_FORMATS; "" for any other file. A TIFF counts as RAW only if it
    contains sensor data, or nothing but previews of a known camera."""
    head = data[:32]
    if head.startswith(FUJI):
        return "RAF"
    if head[6:14] == CANON_OLD:
        return "CRW"
    if head[4:12] == b"ftypcrx ":
        return "CR3"
    if head.startswith(OLYMPUS):
        return "ORF"
    if head.startswith(PANASONIC):
        return "RW2"
    if not head.startswith((b"II*\0", b"MM\0*")):
        return ""
    if head[8:10] == b"CR":
        return "CR2"
    directories = list(_directories(data))
    if any(DNG_VERSION in tags for tags in directories):
        return "DNG"
    maker = _text(directories[0].get(MAKE)) if directories else ""
    name = next((name for word, name in MAKERS.items() if maker.startswith(word)), "RAW")
    if any(_is_sensor(tags) for tags in directories):
        return name
    return name if name != "RAW" and _has_only_previews(directories) else ""


def read(data: bytes) -> Raw | None:
    """What is known of a RAW file, None if it has no usable preview. Raises Cut if it has none and its structure
    continues after its end."""
    name = kind_of(data)
    directories = list(_directories(data)) if name not in ("RAF", "CRW", "CR3") else []
    damage = _damage(data, name, directories)
    # A lossy DNG codes its samples as JPEG, too, tile by tile.
    samples = {
        start
        for tags in filter(_is_sensor, directories)
        for start in (*tags.get(STARTS, ()), *tags.get(TILE_STARTS, ()))
    }
    candidates = (preview for preview in _previews(data) if preview[0][0] not in samples)
    ordered = sorted(candidates, key=lambda preview: (-preview[1][0] * preview[1][1], preview[0][0]))
    # In a file that is cut off, the largest preview may be, too.
    usable = (preview for preview in ordered if not damage or _is_complete(data, preview[0][0]))
    found = next(usable, None)
    if found is None or min(found[1]) < PREVIEW_SIDE_PX:
        if damage == CUT_OFF:
            raise Cut
        return None
    place, size = found
    sensor = [
        (tags[WIDTH][0], tags[HEIGHT][0])
        for tags in directories
        if _is_sensor(tags) and tags.get(WIDTH) and tags.get(HEIGHT)
    ]
    largest = max(sensor, key=lambda sides: sides[0] * sides[1], default=size)
    if name == "RW2" and directories and WIDTH_OF_SENSOR in directories[0] and HEIGHT_OF_SENSOR in directories[0]:
        largest = directories[0][WIDTH_OF_SENSOR][0], directories[0][HEIGHT_OF_SENSOR][0]
    # If the mosaic is turned relative to its preview, or its size is absurd, the preview's size is used.
    if largest[0] * largest[1] < size[0] * size[1] or (largest[0] < largest[1]) != (size[0] < size[1]):
        largest = size
    return Raw(name, place, size, largest, _exif(data, name), damage)


def _previews(data: bytes) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The position and the size of each JPEG in a file that shows a picture."""
    at = 0
    for _ in range(CANDIDATES_AT_MOST):
        at = data.find(START, at)
        if at < 0:
            return
        if size := _frame_size(data, at):
            yield (at, len(data)), size
        at += len(START)


def _frame_size(data: bytes, start: int) -> tuple[int, int] | None:
    """Width and height of the JPEG that begins at `start`, None if there is none or it is lossless."""
    at = start + 2
    for _ in range(SEGMENTS_AT_MOST):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in OTHER_FRAMES or marker in (0xD8, 0xD9, 0xDA) or marker < 0xC0:
            return None
        length, precision, height, width = struct.unpack_from(">HBHH", data, at + 2)
        if marker in FRAMES:
            return (width, height) if precision == 8 and width and height else None
        if length < 2:
            return None
        at += 2 + length
    return None


Tags = dict[int, tuple[int, ...]]


def _is_sensor(tags: Tags) -> bool:
    return tags.get(PHOTOMETRIC, (0,))[0] in SENSOR or tags.get(COMPRESSION, (0,))[0] in SENSOR_CODINGS


def _directories(data: bytes) -> Iterator[Tags]:
    """The tags of each directory of a TIFF, with their whole numbers. Each directory is read once."""
    order = "<" if data[:2] == b"II" else ">"
    pending = [_number(data, order, "I", 4)]
    seen: set[int] = set()
    while pending and len(seen) < DIRECTORIES_AT_MOST:
        start = pending.pop(0)
        if not start or start in seen:
            continue
        seen.add(start)
        count = _number(data, order, "H", start)
        if count is None:
            continue
        tags: Tags = {}
        for number in range(min(count, ENTRIES_AT_MOST)):
            try:
                tag, kind, values = struct.unpack_from(order + "HHI", data, start + 2 + 12 * number)
                if tag in WANTED and kind in _SIZES and 0 < values <= PARTS_AT_MOST:
                    tags[tag] = _values(data, order, kind, values, start + 10 + 12 * number)
            except struct.error:
                break
        yield tags
        pending += [*tags.get(SUB_DIRECTORIES, ()), *tags.get(EXIF, ())]
        pending.append(_number(data, order, "I", start + 2 + 12 * count) or 0)


def _values(data: bytes, order: str, kind: int, count: int, place: int) -> tuple[int, ...]:
    letter, size = _SIZES[kind]
    if count * size > 4:
        (place,) = struct.unpack_from(order + "I", data, place)
    return struct.unpack_from(f"{order}{count}{letter}", data, place)


def _number(data: bytes, order: str, letter: str, place: int) -> int | None:
    try:
        return int(struct.unpack_from(order + letter, data, place)[0])
    except struct.error:
        return None


def _text(value: tuple[int, ...] | None) -> str:
    # In a broken file, they may be larger numbers than bytes.
    return bytes(number & 0xFF for number in value or ()).decode("ascii", "replace").strip("\0 ").upper()


def _damage(data: bytes, name: str, directories: list[Tags]) -> str:
    """What is missing of the data that the file refers to: it continues after its end, or the sensor's is not there."""
    if name == "CR3":
        try:
            for _ in boxes_at_top(data):
                pass
        except Cut:
            return CUT_OFF
        return ""
    if name == "RAF":
        # After the name of the camera: start and length of the preview, of the description, and of the sensor data.
        parts = [tuple(_number(data, ">", "I", at) or 0 for at in (place, place + 4)) for place in (84, 92, 100)]
        if any(start + length > len(data) for start, length in parts):
            return CUT_OFF
        return "" if parts[2][1] else NO_SENSOR
    for tags in directories:
        pairs = ((STARTS, LENGTHS), (TILE_STARTS, TILE_LENGTHS), (JPEG_START, JPEG_LENGTH))
        for starts, lengths in pairs:
            parts = list(zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False))
            if any(start + length > len(data) for start, length in parts):
                return CUT_OFF
    is_known = name in {"DNG", *MAKERS.values()}
    return NO_SENSOR if is_known and not any(map(_has_samples, filter(_is_sensor, directories))) else ""


def _has_samples(tags: Tags) -> bool:
    return any(tags.get(LENGTHS, ())) or any(tags.get(TILE_LENGTHS, ())) or JPEG_START in tags


def _has_only_previews(directories: list[Tags]) -> bool:
    """Whether no directory of a TIFF is that of a picture in full size, and one has a preview as JPEG."""
    full = [
        tags for tags in directories if not tags.get(REDUCED, (0,))[0] & 1 and (STARTS in tags or TILE_STARTS in tags)
    ]
    return not full and any(JPEG_START in tags for tags in directories)


def _is_complete(data: bytes, start: int) -> bool:
    try:
        return jpeg_file.end_of_picture(data[start:]) > 0
    except jpeg_file.NoJpeg:
        return False


def _exif(data: bytes, name: str) -> bytes:
    """The metadata of the file itself as TIFF. Offsets in it count from the start of the file, so it is the whole
    file."""
    if name == "CR3":
        at = data.find(CANON_DIRECTORY, 0, 2**20)
        return data[at + 4 : at + 2**16] if at >= 0 else b""
    if name in ("RAF", "CRW"):
        return b""
    return (b"II*\0" if data[:2] == b"II" else b"MM\0*") + data[4:]
