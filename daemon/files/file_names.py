"""PURE: derives file names from others, no longer than a file system allows."""

import itertools
from collections.abc import Iterator
from typing import Final

LONGEST_NAME: Final = 255
# A longer ending counts as part of the stem.
LONGEST_ENDING: Final = 20
# The number of similar names that are tried before giving up.
NAMES_TRIED: Final = 1000


def fitting(prefix: bytes, name: bytes, suffix: bytes = b"") -> bytes:
    """A file name with a prefix and a suffix around its stem. The stem is cut if the name would be too long."""
    stem, dot, ending = name.rpartition(b".")
    if not stem or len(ending) > LONGEST_ENDING:
        stem, dot, ending = name, b"", b""
    room = LONGEST_NAME - len(prefix) - len(suffix) - len(dot) - len(ending)
    return prefix + _cut(stem, room) + suffix + dot + ending


def visible_names(name: bytes) -> Iterator[bytes]:
    """Names for a file that is kept next to another: "a (kept).jpg", "a (kept 2).jpg". None of them is hidden."""
    shown = name.lstrip(b".") or b"file"
    for number in range(1, NAMES_TRIED + 1):
        yield fitting(b"", shown, b" (kept)" if number == 1 else b" (kept %d)" % number)


def names_like(name: bytes, word: bytes, reserve: int = 0) -> Iterator[bytes]:
    """A name, then similar ones: "a (2).jpg", or with a word "a (restored).jpg", "a (restored 2).jpg". Each is at least
    `reserve` bytes shorter than the longest name allowed."""
    yield name
    room = b"x" * reserve
    if word:
        yield fitting(room, name, b" (%s)" % word)[reserve:]
    for number in itertools.islice(itertools.count(2), NAMES_TRIED):
        yield fitting(room, name, b" (%s)" % b" ".join(filter(None, [word, b"%d" % number])))[reserve:]


def _cut(stem: bytes, room: int) -> bytes:
    """At most `room` bytes of a name, without cutting a UTF-8 character in two."""
    if len(stem) <= room:
        return stem
    cut = stem[: max(room, 1)]
    whole = cut.decode("utf-8", "ignore").encode()
    return whole if stem.startswith(whole) and whole else cut
