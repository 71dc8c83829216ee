"""EDGE: lists the files below a folder that may be images, with their identities.

Symbolic links are not followed, neither to files nor to folders. Folders that cannot be listed are reported, and so are
folders where another file system begins, so that unreachable files do not count as deleted.
"""

import errno
import fnmatch
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter
from typing import Final

from index.errors import ComparImgError
from index.imaging.discovery import descent
from index.imaging.discovery.file_types import (
    HEAD_BYTES,
    claims_image,
    ending_of_skipped,
    looks_like_image,
    may_be_image,
)
from index.imaging.discovery.trash_places import NAME as TRASH
from index.messages import Message, of_os_error
from index.model import Identity

# Names, in lower case, of folders without a person's photographs. Hidden names (".*") are skipped as well, and with
# them .git, .Trash-1000, .thumbnails, .stversions (Syncthing), ._* (AppleDouble) and ComparImg's own .comparimg-trash.
EXCLUDED: Final = frozenset(
    {
        b"@eadir", b"@tmp", b"@sharebin", b"#recycle", b"#snapshot",  # Synology
        b"@recycle", b"@recently-snapshot", b"@__thumb",  # QNAP
        b"~snapshot",  # NetApp
        b"$recycle.bin", b"recycler", b"system volume information",  # Windows
        b"network trash folder", b"temporary items",  # netatalk
        b"__macosx",  # archives made on macOS
        b"lost+found",  # ext4
        b"node_modules",  # icons of programs
    }
)  # fmt: skip
# Endings of folders that belong to a program: the previews of Lightroom, which are small copies of pictures elsewhere,
# and the libraries of Photos, iPhoto and Aperture, databases in which no other program may move a file.
EXCLUDED_ENDINGS: Final = (
    b".lrdata", b".lrcat-data",
    b".photoslibrary", b".photolibrary", b".migratedphotolibrary", b".aplibrary",
)  # fmt: skip
# Temporary files and folders of ComparImg, which a crash may have left behind.
STRAY: Final = re.compile(rb"\.comparimg-.+\.(part|removing)")


_KEY: Final = itemgetter(0)


class RootUnavailable(ComparImgError):
    """The root cannot be walked now. Nothing may be concluded about its files."""


class Exclusions:
    """The names below a root that are skipped: by default, and by the root's own shell patterns.

    A pattern with a slash is matched against the path below the root, one without a slash against each name.
    """

    def __init__(self, root: bytes, patterns: Sequence[bytes] = ()) -> None:
        self._top = root.rstrip(b"/") + b"/"
        self._name = _any_of([pattern for pattern in patterns if b"/" not in pattern.rstrip(b"/")])
        self._path = _any_of([pattern for pattern in patterns if b"/" in pattern.rstrip(b"/")])

    def excludes(self, directory: bytes, name: bytes) -> bool:
        """Whether `name` in `directory` is skipped."""
        small = name.lower()
        if name.startswith(b".") or small in EXCLUDED or small.endswith(EXCLUDED_ENDINGS):
            return True
        if self._name is not None and self._name.match(name):
            return True
        if self._path is None:
            return False
        return self._path.match(os.path.join(directory, name)[len(self._top) :]) is not None

    def excludes_path(self, path: bytes) -> bool:
        """Whether a path below the root is skipped, because of its own name or a folder above it."""
        directory = self._top
        for name in path[len(self._top) :].split(b"/"):
            if name and self.excludes(directory, name):
                return True
            directory = os.path.join(directory, name)
        return False


def _any_of(patterns: Sequence[bytes]) -> re.Pattern[bytes] | None:
    if not patterns:
        return None
    # Latin-1 preserves every byte. fnmatch itself does the same with patterns in bytes.
    texts = (fnmatch.translate(pattern.strip(b"/").decode("latin-1")) for pattern in patterns)
    return re.compile("|".join(texts).encode("latin-1"))


class Walk:
    """One walk of the folder `top`: iterating yields every file that may be an image, in ascending order of paths.

    `nested` are other roots inside it, which have their own walks. `root` is the watched folder that `top` is at or
    below, by default `top` itself. No link below it is followed, even if a folder is replaced by one during the walk.

    While it is iterated (once), the walk fills `unreadable` (path -> why: nothing is known about files at or below it),
    `mounts` (folder -> device number, for `top` and for each folder where another file system begins), `trashes`
    (ComparImg's own) and `strays` (temporary files that a crash may have left). The last two are skipped. `skipped`
    counts, by ending, the files that are left out because of their name (file_types.SKIPPED and others). `is_empty`:
    `top` has nothing but excluded names. Iterating raises RootUnavailable if `top` cannot be listed.

    The memory needed is that of the listings from `top` to the current folder.
    """

    def __init__(
        self,
        top: bytes,
        exclusions: Exclusions,
        recursive: bool = True,
        nested: Collection[bytes] = (),
        root: bytes | None = None,
    ) -> None:
        self.unreadable: dict[bytes, Message] = {}
        self.mounts: dict[bytes, int] = {}
        self.trashes: list[bytes] = []
        self.strays: list[bytes] = []
        self.skipped: Counter[str] = Counter()
        self.is_empty = True
        self._top = top
        self._root = top if root is None else root
        self._exclusions = exclusions
        self._recursive = recursive
        self._nested = frozenset(nested)

    def __iter__(self) -> Iterator[tuple[bytes, Identity]]:
        try:
            self.mounts[self._top] = descent.status(self._root, self._top).st_dev
            entries = self._list(self._top)
        except OSError as error:
            raise RootUnavailable("root.unlistable", error=of_os_error(error)) from error
        pending = [iter(entries)]
        devices = [self.mounts[self._top]]
        while pending:
            for _, path, status in pending[-1]:
                if not stat.S_ISDIR(status.st_mode):
                    yield path, Identity.of(status)
                    continue
                if status.st_dev != devices[-1]:
                    self.mounts[path] = status.st_dev
                pending.append(iter(self._list_below(path)))
                devices.append(status.st_dev)
                break
            else:
                pending.pop()
                devices.pop()

    def _list_below(self, directory: bytes) -> list[tuple[bytes, bytes, os.stat_result]]:
        try:
            return self._list(directory)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError | NotADirectoryError)
            if not gone or self._is_folder(directory):
                self.unreadable[directory] = Message("root.unlistable", error=of_os_error(error))
            return []

    def _is_folder(self, directory: bytes) -> bool:
        """Whether a folder exists that is said to be gone, as network file systems may claim of their folders once they
        are disconnected. Raises RootUnavailable if the root can no longer be opened."""
        try:
            return stat.S_ISDIR(descent.status(self._root, directory).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            try:
                os.close(descent.open_folder(self._root, self._root))
            except OSError as error:
                raise RootUnavailable("root.unlistable", error=of_os_error(error)) from error
            return False
        except OSError:
            return True

    def _list(self, directory: bytes) -> list[tuple[bytes, bytes, os.stat_result]]:
        """(sort key, path, status) of the possible images in a folder, and of the folders to enter."""
        listed = []
        # Names are relative to the open folder. So the kernel need not resolve each path from the root, and no link can
        # be inserted in between.
        descriptor = descent.open_folder(self._root, directory)
        try:
            with os.scandir(descriptor) as listing:
                # Sorted by inode, which is about their order on a disk whose cache is cold.
                by_inode = sorted(listing, key=os.DirEntry.inode)
            for entry in by_inode:
                name = os.fsencode(entry.name)
                if self._exclusions.excludes(directory, name):
                    if name == TRASH and entry.is_dir(follow_symlinks=False):
                        self.trashes.append(os.path.join(directory, name))
                    elif STRAY.fullmatch(name):
                        self.strays.append(os.path.join(directory, name))
                    continue
                if directory == self._top:
                    self.is_empty = False
                path = os.path.join(directory, name)
                try:
                    if entry.is_dir(follow_symlinks=False):
                        if self._recursive and path not in self._nested:
                            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                            # With the slash, folders sort where the paths below them do.
                            listed.append((path + b"/", path, status))
                    elif not entry.is_file(follow_symlinks=False):
                        continue
                    elif not may_be_image(name):
                        self.skipped[ending_of_skipped(name)] += 1
                    else:
                        listed.append((path, path, os.stat(name, dir_fd=descriptor, follow_symlinks=False)))
                except FileNotFoundError:
                    continue
                except OSError as error:
                    self.unreadable[path] = Message("root.unexaminable", error=of_os_error(error))
        finally:
            os.close(descriptor)
        listed.sort(key=_KEY)
        return listed


def is_at_or_below(path: bytes, top: bytes) -> bool:
    """Whether an absolute path is a folder or something in it; everything is below "/"."""
    return path == top or path.startswith(top.rstrip(b"/") + b"/")


def identity_of(path: bytes) -> Identity | None:
    """The identity of a regular file, None if there is none. Raises OSError if it cannot be determined.

    Links in its folders are followed. It is used only to wait until a file is stable, before it is opened safely.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Identity.of(status) if stat.S_ISREG(status.st_mode) else None


def holds_image(top: bytes, path: bytes) -> bool:
    """Whether a file below a watched folder is worth reading as an image, by its name or its first bytes.

    True for a file that cannot be opened, so that reading it reports the reason.
    """
    if claims_image(os.path.basename(path)):
        return True
    try:
        descriptor = descent.open_file(top, path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        return error.errno != errno.EINVAL  # anything but a file has no bytes
    try:
        return looks_like_image(os.read(descriptor, HEAD_BYTES))
    except OSError:
        return True
    finally:
        os.close(descriptor)
