"""PURE: the names inside a trash, and where a file in it may be restored to.

A manifest may have been copied with its folder from elsewhere, so it is not trusted to name a place to write to. A file
that only a manifest knows is restored to a visible place below the folder that holds its trash, and nowhere else.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from index.messages import Message

NAME: Final = b".comparimg-trash"
# All names that ComparImg creates begin with this.
OURS: Final = b".comparimg"
LONGEST_NAME: Final = 255
LONGEST_PATH: Final = 4096
STEP_NUMBER: Final = re.compile(rb"\d+-(?=.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """Where a file in a trash is restored to. If `asks`, only after a person has confirmed it."""

    path: bytes
    asks: bool = False


def home_of(place: bytes) -> bytes:
    """The trash folder that a place is in. Raises ValueError if it is in none."""
    return place[: place.index(b"/" + NAME + b"/") + len(NAME) + 1]


def holder_of(home: bytes) -> bytes:
    """The folder that holds a trash folder."""
    return posixpath.dirname(home)


def is_in_trash(path: bytes) -> bool:
    return NAME in path.split(b"/")


def is_trash_name(name: bytes) -> bool:
    """Whether a relative path in a trash folder is one that ComparImg creates: the folder of a batch, and a file
    name."""
    parts = name.split(b"/")
    return len(parts) == 2 and all(_is_name(part) and not part.startswith(OURS) for part in parts)


def is_absolute(path: bytes) -> bool:
    """Whether a path is absolute and normalised: without `..`, NUL or empty names."""
    return len(path) <= LONGEST_PATH and path.startswith(b"/") and all(map(_is_name, path[1:].split(b"/")))


def is_visible(relative: bytes) -> bool:
    """Whether a relative path has no hidden names. ComparImg scans no hidden names, and programs look for files to
    execute under them."""
    names = relative.split(b"/")
    return len(relative) <= LONGEST_PATH and all(_is_name(name) and not name.startswith(b".") for name in names)


def below(folder: bytes, path: bytes) -> bytes | None:
    """A path relative to a folder above it, None if it is not below that folder."""
    start = folder.rstrip(b"/") + b"/"
    return path[len(start) :] if path.startswith(start) and len(path) > len(start) else None


def own_name(place: bytes) -> bytes:
    """The name of a file in the trash without the number of its step; never a hidden name."""
    name = posixpath.basename(place)
    return STEP_NUMBER.sub(b"", name, count=1).lstrip(b".") or b"file"


def origin(place: bytes, path: bytes, relative: bytes, prefixes: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """The original path of the file at `place` according to a manifest, and where it may be restored to instead: b"" if
    it was below the folder that holds the trash.

    `path` is the absolute path in the manifest. `relative` is the path relative to the folder that holds the trash, b""
    in old manifests. `prefixes` maps folders to the part of that folder that they are identical to, b"" for all of it.
    """
    holder = holder_of(home_of(place))
    for prefix in sorted(prefixes, key=lambda folder: -len(folder)):
        rest = below(prefix, path)
        if rest is not None:
            inside = posixpath.join(prefixes[prefix], rest)
            if is_visible(inside):
                return posixpath.join(holder, inside), b""
            break
    return path, posixpath.join(holder, relative if is_visible(relative) else own_name(place))


def adopted_restore_target(place: bytes, path: bytes, elsewhere: bytes) -> RestoreTarget:
    """Where a file that only a manifest knows is restored to: see `origin`."""
    holder = holder_of(home_of(place))
    for candidate in (elsewhere, path):
        inside = below(holder, candidate)
        if inside is not None and is_visible(inside):
            return RestoreTarget(candidate, asks=bool(elsewhere))
    return RestoreTarget(posixpath.join(holder, own_name(place)), asks=True)


def restore_target(path: bytes, is_configured: bool) -> RestoreTarget:
    """Where a file that the index itself moved to the trash is restored to: its original path. If that is no longer in
    a configured folder, only after confirmation."""
    folder, name = posixpath.split(path)
    if name.startswith(OURS):
        path = posixpath.join(folder, name.lstrip(b"."))
    return RestoreTarget(path, asks=not is_configured)


def confirmation_text(adopted: bool, place: str) -> Message:
    """The question asked before a file is restored to a place, without a question mark."""
    if adopted:
        return Message("step.confirm_adopted", path=place)
    return Message("step.confirm_unconfigured", path=place)


def _is_name(name: bytes) -> bool:
    return name not in (b"", b".", b"..") and b"\0" not in name and len(name) <= LONGEST_NAME
