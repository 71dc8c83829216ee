"""EDGE: what is on disk below a folder: the files that may be images, with their identities. Reads no file's bytes.

Symbolic links are not followed, neither to files nor to folders. What cannot be listed is told, so that nobody takes
it for deleted.
"""

import fnmatch
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from index.errors import ComparImgError
from index.model import Identity

# What a file is, its content decides; this only spares opening every text and film on the disk.
SUFFIXES: Final = frozenset(
    b".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .gif .webp .tif .tiff .avif .avifs .heic .heif .hif .mpo".split()
)

# Folders and files that are nobody's photographs.
EXCLUDED: Final = (
    b".*",  # hidden, our own trash among them
    b"@eaDir",  # Synology: thumbnails
    b"#recycle",  # Synology: deleted files
    b"#snapshot",  # Synology and NetApp: older states of the same files
    b"$RECYCLE.BIN",  # Windows
    b"System Volume Information",  # Windows
    b"lost+found",  # ext4
    b"__MACOSX",  # archives made on macOS
    b"Thumbs.db",  # Windows
)


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file that may be an image."""

    path: bytes
    identity: Identity


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder or file that could not be looked at: nothing is known of what is below it."""

    path: bytes
    message: str


class RootUnavailable(ComparImgError):
    """The root cannot be walked now. Nothing may be concluded about its files."""


class Exclusions:
    """Which names are passed over: the default ones and the root's own shell patterns.

    A pattern with a slash is matched against the path below the root, one without against each name.
    """

    def __init__(self, root: bytes, patterns: Sequence[bytes] = ()) -> None:
        self._root = root.rstrip(b"/")
        self._names = tuple(pattern for pattern in (*EXCLUDED, *patterns) if b"/" not in pattern)
        self._paths = tuple(pattern.strip(b"/") for pattern in patterns if b"/" in pattern)

    def excludes(self, directory: bytes, name: bytes) -> bool:
        """Whether `name` in `directory` is passed over."""
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._names):
            return True
        if not self._paths:
            return False
        below = (directory + b"/" + name)[len(self._root) + 1 :]
        return any(fnmatch.fnmatchcase(below, pattern) for pattern in self._paths)

    def excludes_path(self, path: bytes) -> bool:
        """Whether a path below the root is passed over, itself or with a folder above it."""
        directory = self._root
        for name in path[len(self._root) + 1 :].split(b"/"):
            if self.excludes(directory, name):
                return True
            directory += b"/" + name
        return False


def may_be_image(name: bytes) -> bool:
    """Whether a file of this name is looked at: an image suffix, or none at all."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES or not suffix


def walk(
    top: bytes, exclusions: Exclusions, recursive: bool = True, nested: Collection[bytes] = ()
) -> Iterator[SeenFile | Unreadable]:
    """Every file below `top` that may be an image. `nested` are other roots inside it, left to their own walk.

    Raises RootUnavailable where `top` itself is no folder that can be listed.
    """
    try:
        entries = list(os.scandir(top))
    except OSError as error:
        raise RootUnavailable(f"cannot be listed: {error.strerror}") from error
    pending = [(top, entries)]
    while pending:
        directory, entries = pending.pop()
        for entry in entries:
            if exclusions.excludes(directory, entry.name):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if recursive and entry.path not in nested:
                        pending.append((entry.path, list(os.scandir(entry.path))))
                elif may_be_image(entry.name) and entry.is_file(follow_symlinks=False):
                    yield SeenFile(entry.path, Identity.of(entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue
            except OSError as error:
                yield Unreadable(entry.path, f"cannot be looked at: {error.strerror}")


def look(path: bytes) -> Identity | None:
    """The identity of a regular file, None where there is none. Raises OSError where it cannot be told."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None
