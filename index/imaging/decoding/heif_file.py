"""PURE: checks whether a HEIC file is complete, and how it is coded. libheif silently decodes missing data to grey.

The boxes of a file (ISO/IEC 14496-12) must end within it, and so must the parts of its items (23008-12). Three zero
bytes in a row cannot occur in the coded data (ISO/IEC 23008-2, 7.4.2). If they do, a part of the file was never
written, or was lost by the disk.
"""

import struct
from typing import Final

from index.imaging.decoding.heif_items import Cut, read_items
from index.messages import Message

# HEVC, the only coding that is checked.
HEVC_ITEMS: Final = frozenset({b"hvc1"})
ZEROS: Final = b"\0\0\0"
# Other codings of pictures in HEIF, by the type of their items.
OTHER_CODINGS: Final = {
    b"jpeg": "JPEG", b"j2k1": "JPEG 2000", b"avc1": "H.264", b"vvc1": "H.266", b"evc1": "EVC", b"av01": "AV1",
    b"unci": "uncompressed",
}  # fmt: skip


class Damaged(Exception):
    """The file has its full length, but not its contents."""


def check(data: bytes) -> None:
    """Raises Cut or Damaged for an incomplete file. Unknown structures are not judged."""
    items = read_items(data)
    for item, places in items.places.items():
        if any(end > len(data) for _, end in places):
            raise Cut
        if items.types.get(item) in HEVC_ITEMS:
            _check_hevc(b"".join(data[start:end] for start, end in places))


def not_decoded(data: bytes) -> Message | None:
    """The coding of a file without any HEVC, which is not decoded although it may be intact; None if it is unknown."""
    try:
        types = set(read_items(data).types.values())
    except Cut:
        return None
    coding = next((name for kind, name in OTHER_CODINGS.items() if kind in types), None)
    return None if coding is None or types & HEVC_ITEMS else Message("picture.heif_coding", coding=coding)


def _check_hevc(coded: bytes) -> None:
    """Check the coded data of one item: units, each with its length in 4 bytes before it, as every known writer has
    it."""
    at = 0
    while at + 4 <= len(coded):
        (length,) = struct.unpack_from(">I", coded, at)
        at += 4
        # If the lengths have another size, which is allowed, this already fails at the first unit.
        if at + length > len(coded) or length < 2:
            if at == 4 and length:
                return
            raise Damaged
        if coded.find(ZEROS, at, at + length) >= 0:
            raise Damaged
        at += length
