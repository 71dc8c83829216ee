"""PURE: names of our own, and file names made of other ones, no longer than a file system allows."""

from collections.abc import Iterator
from typing import Final

TRASH: Final = b".comparimg-trash"
LONGEST_NAME: Final = 255
# An ending longer than this is part of the name.
LONGEST_ENDING: Final = 20


def is_in_trash(path: bytes) -> bool:
    """Whether a path is a trash or something in one."""
    return TRASH in path.split(b"/")


def fitting(prefix: bytes, name: bytes, suffix: bytes = b"") -> bytes:
    """A file name with something before its stem and after it, the stem cut where it would be too long."""
    stem, dot, ending = name.rpartition(b".")
    if not stem or len(ending) > LONGEST_ENDING:
        stem, dot, ending = name, b"", b""
    room = LONGEST_NAME - len(prefix) - len(suffix) - len(dot) - len(ending)
    return prefix + _cut(stem, room) + suffix + dot + ending


def visible_names(name: bytes, most: int = 1000) -> Iterator[bytes]:
    """Names for a file that is kept beside another one: "a (kept).jpg", "a (kept 2).jpg". None of them is hidden."""
    shown = name.lstrip(b".") or b"file"
    for number in range(1, most + 1):
        yield fitting(b"", shown, b" (kept)" if number == 1 else b" (kept %d)" % number)


def _cut(stem: bytes, room: int) -> bytes:
    """At most so many bytes of a name, no letter of UTF-8 cut in the middle."""
    if len(stem) <= room:
        return stem
    cut = stem[: max(room, 1)]
    whole = cut.decode("utf-8", "ignore").encode()
    return whole if stem.startswith(whole) and whole else cut
