"""EDGE: keeps two services from each removing the copy that the other one keeps. Any thread.

Services with separate indexes may watch the same folder. If one trashes a copy and keeps another, and the second does
the reverse at the same moment, both find their keeper in place, and no copy stays. Therefore a file is locked
exclusively before it leaves its path, and the files that must stay are locked with it, shared, until the rename is
done. One of the two services then finds a lock and refuses its step.

The locks are those of flock(2), which end when the file is closed. Where a file system has no such locks, nothing is
refused. NFS is such a case: it grants an exclusive lock only on a file that is open for writing.

The copy to be kept may also be the same file, shown a second time by a file system that hides this: another number of
the device, another inode. Renaming one then renames both, which is found out only afterwards.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from daemon.files import safe_files
from daemon.files.safe_files import FileRef
from index import operating_system
from index.errors import StepRefused
from index.model import Identity
from index.paths import display


class MovedWithIt(StepRefused):
    """A file that must stay left its place, or was changed, when another one was renamed."""


class _KeptFile(NamedTuple):
    file_ref: FileRef
    identity: Identity
    descriptor: int
    changed_ns: int


def claim_to_move(descriptor: int) -> None:
    """Lock an open file that is about to leave its path, until it is closed. Raises StepRefused if another process has
    locked it."""
    _lock(descriptor, StepRefused("in_use", "step.in_use"), exclusively=True)


@contextmanager
def kept_in_place(files: Iterable[tuple[FileRef, Identity]]) -> Iterator[Callable[[], None]]:
    """Lock files that must stay, as long as the context lasts. Raises StepRefused if one of them has changed, or if
    another process has locked it to move it.

    After a rename, the function that is returned must be called: it raises MovedWithIt if one of the files was renamed
    as well.
    """
    kept: list[_KeptFile] = []
    with ExitStack() as opened:
        for file_ref, identity in files:
            path = display(file_ref.path)
            present = None
            with contextlib.suppress(OSError):
                descriptor = opened.enter_context(safe_files.opened_file(file_ref))
                _lock(descriptor, StepRefused("in_use", "step.keeper_in_use", path=path), exclusively=False)
                # Read by its path, and after it is locked: it may have been moved between opening and locking.
                present = safe_files.identity_at(file_ref)
                kept.append(_KeptFile(file_ref, identity, descriptor, operating_system.change_time_ns(descriptor)))
            if present != identity:
                raise StepRefused("keeper_changed", "step.keeper_changed", path=path)
        yield lambda: _check_unmoved(kept)


def _check_unmoved(kept: Iterable[_KeptFile]) -> None:
    for file in kept:
        with contextlib.suppress(OSError):
            # Opened again, since the name may be cached. The time of change shows a rename even if it is.
            with safe_files.opened_file(file.file_ref) as there:
                is_there = Identity.of(os.fstat(there)) == file.identity
            if is_there and operating_system.change_time_ns(file.descriptor) == file.changed_ns:
                continue
        raise MovedWithIt("same_file", "step.moved_with_it", path=display(file.file_ref.path))


def _lock(descriptor: int, refusal: StepRefused, exclusively: bool) -> None:
    try:
        operating_system.lock(descriptor, exclusively)
    except BlockingIOError as error:
        raise refusal from error
    except OSError:
        pass  # no locks here
