"""PURE: names inside a trash, and where a file in it may come back to.

A manifest may have come with a folder from elsewhere, so what it says is never trusted with a place to write. A file
that only a manifest knows comes back to a visible place below the folder that holds its trash, and nowhere else.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

NAME: Final = b".comparimg-trash"
# All names of ours begin like this.
OURS: Final = b".comparimg"
LONGEST_NAME: Final = 255
LONGEST_PATH: Final = 4096
STEP_NUMBER: Final = re.compile(rb"\d+-(?=.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where a file in a trash is restored to. `asks`: only after a person has confirmed that place."""

    path: bytes
    asks: bool = False


def home_of(place: bytes) -> bytes:
    """The trash folder that a place is in. Raises ValueError where it is in none."""
    return place[: place.index(b"/" + NAME + b"/") + len(NAME) + 1]


def holder_of(home: bytes) -> bytes:
    """The folder that holds a trash folder."""
    return posixpath.dirname(home)


def is_in_trash(path: bytes) -> bool:
    return NAME in path.split(b"/")


def is_trash_name(name: bytes) -> bool:
    """Whether a path from a trash folder is one that ComparImg gives to files: that of a batch, and a file name."""
    parts = name.split(b"/")
    return len(parts) == 2 and all(_is_name(part) and not part.startswith(OURS) for part in parts)


def is_absolute(path: bytes) -> bool:
    """Whether a path is absolute, and leads where it says: without `..`, NUL or empty names."""
    return len(path) <= LONGEST_PATH and path.startswith(b"/") and all(map(_is_name, path[1:].split(b"/")))


def is_visible(relative: bytes) -> bool:
    """Whether a relative path leads down through names that are not hidden. ComparImg scans no others, and programs
    look for what they run under hidden names."""
    names = relative.split(b"/")
    return len(relative) <= LONGEST_PATH and all(_is_name(name) and not name.startswith(b".") for name in names)


def below(folder: bytes, path: bytes) -> bytes | None:
    """A path relative to a folder that it is below, None where it is not."""
    start = folder.rstrip(b"/") + b"/"
    return path[len(start) :] if path.startswith(start) and len(path) > len(start) else None


def own_name(place: bytes) -> bytes:
    """The name of a file in the trash without the number of its step; never a hidden one."""
    name = posixpath.basename(place)
    return STEP_NUMBER.sub(b"", name, count=1).lstrip(b".") or b"file"


def origin(place: bytes, path: bytes, relative: bytes, prefixes: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """Where a manifest says that the file at `place` was, and where it may come back to instead: b"" where it was
    below the folder that holds the trash.

    `path` is the absolute path in the manifest, `relative` the one from the folder that holds the trash, b"" in old
    manifests. `prefixes` maps folders to the part of that folder that they are the same as, b"" for all of it.
    """
    holder = holder_of(home_of(place))
    for prefix in sorted(prefixes, key=lambda one: -len(one)):
        rest = below(prefix, path)
        if rest is not None:
            inside = posixpath.join(prefixes[prefix], rest)
            if is_visible(inside):
                return posixpath.join(holder, inside), b""
            break
    return path, posixpath.join(holder, relative if is_visible(relative) else own_name(place))


def way_back_adopted(place: bytes, path: bytes, elsewhere: bytes) -> WayBack:
    """Where a file comes back to that only a manifest knows: see `origin`."""
    holder = holder_of(home_of(place))
    for candidate in (elsewhere, path):
        inside = below(holder, candidate)
        if inside is not None and is_visible(inside):
            return WayBack(candidate, asks=bool(elsewhere))
    return WayBack(posixpath.join(holder, own_name(place)), asks=True)


def way_back(path: bytes, is_configured: bool) -> WayBack:
    """Where a file comes back to that the index itself put in the trash: its place. If none of the configured folders
    holds that any more, only after a question."""
    folder, name = posixpath.split(path)
    if name.startswith(OURS):
        path = posixpath.join(folder, name.lstrip(b"."))
    return WayBack(path, asks=not is_configured)


def confirmation_text(adopted: bool, place: str) -> str:
    """What is asked before a file is restored to a place, as a sentence without a question mark."""
    if adopted:
        return (
            "The manifest of the trash does not say that the file was in this folder. With your confirmation it is"
            f" restored to {place}."
        )
    return f"The folder of the file is not configured any more. With your confirmation it is restored to {place}."


def _is_name(name: bytes) -> bool:
    return name not in (b"", b".", b"..") and b"\0" not in name and len(name) <= LONGEST_NAME
