"""What is on disk in a watched root, all of it or at some paths, for the first stage of a scan (scan_comparing)."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from daemon.jobs.disks import DiskContext
from daemon.jobs.progress import Progress
from index.imaging.discovery import descent
from index.imaging.discovery.file_types import may_be_image
from index.imaging.discovery.walk import RootUnavailable, Walk
from index.messages import Message, of_os_error
from index.model import Identity

# Reported one by one, the files of an unchanged tree would cost a tenth more.
REPORTED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Listing:
    """The files that may be images, ascending by path.

    What could not be examined, with the reason, and the folders where a file system begins, with its device, are
    complete once the files have been iterated.
    """

    files: Iterable[tuple[bytes, Identity]]
    unreadable: dict[bytes, Message]
    mounts: Mapping[bytes, int]


def list_walk(progress: Progress, walk: Walk) -> Listing:
    """Everything that a walk finds, as it proceeds."""
    return Listing(_with_progress(progress, walk), walk.unreadable, walk.mounts)


def list_paths(progress: Progress, context: DiskContext, paths: Sequence[bytes]) -> Listing:
    """The files at these paths or, if a path is a folder, below it. Raises RootUnavailable and OSError if the root
    itself cannot be examined."""
    with os.scandir(context.path) as entries:
        if next(entries, None) is None:
            # A disk that is not mounted is not a deletion of everything.
            raise RootUnavailable("root.empty_kept")
    files: dict[bytes, Identity] = {}
    unreadable: dict[bytes, Message] = {}
    mounts: dict[bytes, int] = {}
    for path in paths:
        try:
            folder, device = descent.nearest_existing_folder(context.path, path)
            mounts[folder] = device
            if context.exclusions.excludes_path(path) or (not context.recursive and folder != context.path):
                continue
            try:
                status = descent.status(context.path, path)
            except (FileNotFoundError, NotADirectoryError):
                # Nothing is there, or there is a link on the way.
                continue
            if stat.S_ISREG(status.st_mode) and may_be_image(os.path.basename(path)):
                files[path] = Identity.of(status)
            elif stat.S_ISDIR(status.st_mode):
                walk = context.walk(path)
                files.update(_with_progress(progress, walk))
                unreadable |= walk.unreadable
                mounts |= walk.mounts
        except RootUnavailable as error:
            unreadable[path] = error.message
        except OSError as error:
            unreadable[path] = Message("root.unexaminable", error=of_os_error(error))
    return Listing(sorted(files.items()), unreadable, mounts)


def _with_progress(progress: Progress, walk: Walk) -> Iterator[tuple[bytes, Identity]]:
    progress.begin("walking", None)
    for number, file in enumerate(walk, start=1):
        if number % REPORTED_AT_ONCE == 0:
            progress.advance(REPORTED_AT_ONCE)
        yield file
