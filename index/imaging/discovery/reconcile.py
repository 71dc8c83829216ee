"""PURE: compares a walk with the rows of the index: what to read, rename and forget, or why the root is offline.

Deletions are accepted if the root can be listed, is not empty, and is on the same file system as before (or on one that
has at least one of the known files). Then:
- what is below a folder that could not be listed is neither seen nor deleted;
- a file counts as deleted only if the nearest existing folder above it is on the file system that the file was on. So
  removing a disk that was mounted below the root loses nothing, whether its mount point still exists or not. A file
  behind a symbolic link counts as deleted in any case.
The number of deletions is not limited. A deletion removes a row, but never the data of the content or decisions about
it, and clearing out nine tenths of a folder is legitimate. A file that disappeared at one path and appeared at another
with the same identity was moved, and is not read again.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from index.messages import Message
from index.model import Identity

Files = Iterable[tuple[bytes, Identity]]


class Move(NamedTuple):
    """A file whose path changed, but not its identity."""

    old: bytes
    new: bytes
    identity: Identity


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What to do, in ascending order of paths.

    `to_read` has new or changed files with the identity seen. `moved` has files with a new path. `missing` has files to
    forget, with their last identity. `renumbered` maps device numbers in the index to the present numbers of the same
    file systems; the identities in the plan already have the present ones. `away` counts rows that were not seen and
    are kept. `seen` and `known` count the compared files and rows.
    """

    to_read: dict[bytes, Identity] = field(default_factory=dict)
    moved: list[Move] = field(default_factory=list)
    missing: dict[bytes, Identity] = field(default_factory=dict)
    renumbered: dict[int, int] = field(default_factory=dict)
    unchanged: int = 0
    away: int = 0
    seen: int = 0
    known: int = 0


def reconcile(
    seen: Files,
    known: Files,
    unreadable: Collection[bytes] = (),
    mounts: Mapping[bytes, int] | None = None,
    admit: Callable[[bytes], bool] = lambda path: True,
    is_behind_link: Callable[[bytes], bool] = lambda path: False,
) -> ScanPlan:
    """Compare one walk with the rows of the same root, both in ascending order of paths (raises ValueError otherwise).

    `unreadable` and `mounts` are those of the walk (see Walk), and are read only when `seen` is exhausted. `admit` is
    called for each file that would have to be read, and says whether it belongs in the index; if not, it counts as
    absent. `is_behind_link` is called for each row that would be kept as away: a file behind a symbolic link no longer
    exists on any file system. One pass over both: O(n) time, and memory for the differences, some 300 bytes each.
    """
    difference = _difference(seen, known, mounts or {})
    differing, before = difference.differing, difference.before
    renumbered = _renumbered(before, differing, difference.present)
    unchanged = difference.unchanged
    for path, identity in before.items():
        if _on(renumbered, identity) == differing[path]:
            del differing[path]
            unchanged += 1
    gone = {path: _on(renumbered, identity) for path, identity in difference.gone.items()}
    missing = _missing(gone, unreadable, mounts or {}, is_behind_link)
    away = len(gone) - len(missing)
    moved = _moves(missing, differing)
    for move in moved:
        del missing[move.old], differing[move.new]
    to_read: dict[bytes, Identity] = {}
    for path, identity in differing.items():
        if admit(path):
            to_read[path] = identity
        elif path in before:
            missing[path] = _on(renumbered, before[path])
    missing = dict(sorted(missing.items()))
    return ScanPlan(to_read, moved, missing, renumbered, unchanged, away, difference.seen, difference.known)


@dataclass(slots=True)
class _Difference:
    """The result of one pass over walk and rows, by path: files without a row or with another identity, the rows of the
    latter, and rows without a file; the devices present, and counts."""

    present: set[int]
    differing: dict[bytes, Identity] = field(default_factory=dict)
    before: dict[bytes, Identity] = field(default_factory=dict)
    gone: dict[bytes, Identity] = field(default_factory=dict)
    unchanged: int = 0
    seen: int = 0
    known: int = 0


def _difference(seen: Files, known: Files, mounts: Mapping[bytes, int]) -> _Difference:
    """Merge both, in ascending order of paths."""
    devices = set(mounts.values())
    result = _Difference(devices)
    differing, before, gone = result.differing, result.before, result.gone
    unchanged = seen_count = known_count = 0
    rows = _ascending(known)
    row = next(rows, None)
    for path, identity in _ascending(seen):
        seen_count += 1
        # On an overlay, a file may have another device number than all folders.
        if identity.device not in devices:
            devices.add(identity.device)
        while row is not None and row[0] < path:
            gone[row[0]] = row[1]
            known_count += 1
            row = next(rows, None)
        if row is None or row[0] > path:
            differing[path] = identity
            continue
        if row[1] == identity:
            unchanged += 1
        else:
            differing[path] = identity
            before[path] = row[1]
        known_count += 1
        row = next(rows, None)
    while row is not None:
        gone[row[0]] = row[1]
        known_count += 1
        row = next(rows, None)
    result.unchanged, result.seen, result.known = unchanged, seen_count, known_count
    return result


def _missing(
    gone: Mapping[bytes, Identity],
    unreadable: Collection[bytes],
    mounts: Mapping[bytes, int],
    is_behind_link: Callable[[bytes], bool],
) -> dict[bytes, Identity]:
    """The rows of files that were certainly deleted. Left out are those below an unreadable folder, and those on a
    device that is not mounted there now."""
    return {
        path: identity
        for path, identity in gone.items()
        if not (unreadable and _is_below(path, unreadable))
        and (not mounts or _nearest(path, mounts) == identity.device or is_behind_link(path))
    }


def offline_reason(plan: ScanPlan, is_empty: bool, device: int, recorded_device: int | None) -> Message | None:
    """Why nothing may be concluded from the walk of a whole root; None if the plan may be carried out.

    `is_empty` is that of the walk. `device` is the device of the root now, `recorded_device` the one when it was last
    online.
    """
    if not plan.known:
        return None
    if is_empty:
        return Message("root.empty_kept")
    if recorded_device not in (None, device) and not plan.unchanged and not plan.moved:
        return Message("root.other_disk")
    return None


def _ascending(files: Files) -> Iterator[tuple[bytes, Identity]]:
    """The same files, checked to be in order. If they were not, they would look like deletions."""
    last = b""
    for file in files:
        if file[0] <= last:
            raise ValueError(f"not ascending by path: {file[0]!r} after {last!r}")
        last = file[0]
        yield file


def _renumbered(
    before: Mapping[bytes, Identity], now: Mapping[bytes, Identity], present: Collection[int]
) -> dict[int, int]:
    """Device numbers that changed although the files are otherwise the same (USB, NFS, btrfs after a restart).

    Only a number that no present file system has can have changed.
    """
    renumbered: dict[int, int] = {}
    for path, identity in before.items():
        device = now[path].device
        if identity.device not in present and identity._replace(device=device) == now[path]:
            renumbered.setdefault(identity.device, device)
    return renumbered


def _on(renumbered: Mapping[int, int], identity: Identity) -> Identity:
    device = renumbered.get(identity.device)
    return identity if device is None else identity._replace(device=device)


def _moves(missing: dict[bytes, Identity], new: Mapping[bytes, Identity]) -> list[Move]:
    """Files that are missing at one path and new at another. Several hard links are paired in the order of their
    paths."""
    homeless: dict[Identity, list[bytes]] = defaultdict(list)
    for path in reversed(missing):
        homeless[missing[path]].append(path)
    return [Move(homeless[identity].pop(), path, identity) for path, identity in new.items() if homeless.get(identity)]


def _parents(path: bytes) -> Iterator[bytes]:
    """The path itself and every folder above it, the nearest first."""
    yield path
    while (cut := path.rfind(b"/")) > 0:
        path = path[:cut]
        yield path
    yield b"/"


def _is_below(path: bytes, folders: Collection[bytes]) -> bool:
    return any(parent in folders for parent in _parents(path))


def _nearest(path: bytes, devices: Mapping[bytes, int]) -> int | None:
    return next((devices[parent] for parent in _parents(path) if parent in devices), None)
