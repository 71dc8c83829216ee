"""PURE: the data after the picture in a file, and whether it can be appended to another one."""

import struct
from enum import StrEnum
from typing import Final

# Padding that some programs write after a picture.
FILLING: Final = b"\0\n\r "
# Stray bytes that cameras and cards leave: no video, picture or other file is as short.
STRAY_BYTES: Final = 64
# How files begin that people append to a picture.
FILES: Final = (b"PK", b"Rar!", b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"%PDF", b"<")
# Samsung's trailer: entries, a directory of them (SEFH) with offsets counted back from it, its length, and SEFT.
SAMSUNG_START, SAMSUNG_END = b"SEFH", b"SEFT"
SAMSUNG_FILM: Final = b"MotionPhoto_Data"


class Trailer(StrEnum):
    """`stray` and `samsung` contain no offset in the file before them: they mean the same after another picture.
    `samsung_film` contains a video as well."""

    NONE = "none"
    FILLING = "filling"
    STRAY = "stray"
    SAMSUNG = "samsung"
    SAMSUNG_FILM = "samsung_film"
    OTHER = "other"


def kind_of(rest: bytes) -> Trailer:
    """The kind of the bytes after a picture."""
    if not rest:
        return Trailer.NONE
    if not rest.strip(FILLING):
        return Trailer.FILLING
    if _is_samsung(rest):
        return Trailer.SAMSUNG_FILM if SAMSUNG_FILM in rest else Trailer.SAMSUNG
    is_file = rest.startswith(FILES) or rest[4:8] == b"ftyp"
    return Trailer.STRAY if len(rest) <= STRAY_BYTES and not is_file else Trailer.OTHER


def _is_samsung(rest: bytes) -> bool:
    """Whether the directory at the end accounts for every byte: its entries begin where the picture ends."""
    if not rest.endswith(SAMSUNG_END) or len(rest) < 20:
        return False
    (length,) = struct.unpack_from("<I", rest, len(rest) - 8)
    start = len(rest) - 8 - length
    if start < 0 or rest[start : start + 4] != SAMSUNG_START or length < 12:
        return False
    (count,) = struct.unpack_from("<I", rest, start + 8)
    if 12 * (count + 1) > length:
        return False
    back = [struct.unpack_from("<I", rest, start + 12 + 12 * number + 4)[0] for number in range(count)]
    return bool(max(back, default=0) == start)
