"""PURE: what a walk saw against what the index holds -> what to read, rename and forget, or why the root is offline.

The rule on deletions. They are believed where the root is a folder that can be listed, is not empty, and stands on the
file system it stood on (or on one that holds at least one of the known files). Then:
- what lies below a folder that could not be listed is neither seen nor gone;
- a file is gone only if the folder that stands above it is on the file system that the file was on: a disk mounted
  below the root and taken away loses nothing, whether its mount point is still there or not. A file to which a
  symbolic link leads is gone in any case.
There is no "too many at once": a deletion costs a row, never what is known of the content or was decided about it, and
someone who clears out nine tenths of a folder is right. A file that is gone from one path and turned up at another with
the same identity was moved, and is not read again.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from index.model import Identity

Files = Iterable[tuple[bytes, Identity]]


class Move(NamedTuple):
    """A file that kept its identity and changed its path."""

    old: bytes
    new: bytes
    identity: Identity


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, all by ascending path.

    `to_read` are new or changed files with the identity seen, `moved` those that have a new path, `missing` those to
    forget, with the identity they had. `renumbered` maps device numbers that the index holds to those the same file
    systems have now, which the identities in the plan have already. `away` counts rows that were not seen and are
    kept. `seen` and `known` count what was compared.
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
) -> Plan:
    """Compare one walk with the rows of the same root, both ascending by path (raises ValueError otherwise).

    `unreadable` and `mounts` are those of the walk (see Walk), and are looked at only when `seen` is exhausted.
    `admit` is asked of each file that would have to be read and says whether it is one for the index; otherwise it
    counts as not there. `is_behind_link` is asked of each row that would be kept as away: what a symbolic link leads to
    is gone, whatever it stands on. One pass over both: O(n) time, memory for what differs, about 300 bytes a file.
    """
    differing: dict[bytes, Identity] = {}
    before: dict[bytes, Identity] = {}
    gone: dict[bytes, Identity] = {}
    unchanged = seen_count = known_count = 0
    # On an overlay a file may have another device number than every folder.
    present = set((mounts or {}).values())
    rows = _ascending(known)
    row = next(rows, None)
    for path, identity in _ascending(seen):
        seen_count += 1
        if identity.device not in present:
            present.add(identity.device)
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

    devices = mounts or {}
    renumbered = _renumbered(before, differing, present)
    for path, identity in before.items():
        if _on(renumbered, identity) == differing[path]:
            del differing[path]
            unchanged += 1
    missing: dict[bytes, Identity] = {}
    for path, identity in gone.items():
        current = _on(renumbered, identity)
        if unreadable and _is_below(path, unreadable):
            continue
        if not devices or _nearest(path, devices) == current.device or is_behind_link(path):
            missing[path] = current
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
    return Plan(to_read, moved, missing, renumbered, unchanged, away, seen_count, known_count)


def offline_reason(plan: Plan, is_empty: bool, device: int, recorded_device: int | None) -> str | None:
    """Why nothing may be concluded from a walk of a whole root, None where the plan may be carried out.

    `is_empty` is what the walk says of the root, `device` the one it stands on, `recorded_device` the one it stood on
    when it was last online.
    """
    if not plan.known:
        return None
    if is_empty:
        return "is suddenly empty: its images stay in the index until files are back"
    if recorded_device not in (None, device) and not plan.unchanged and not plan.moved:
        return "has another file system mounted, with none of the files that were here"
    return None


def _ascending(files: Files) -> Iterator[tuple[bytes, Identity]]:
    """The same files; out of order, they would read as deletions."""
    last = b""
    for file in files:
        if file[0] <= last:
            raise ValueError(f"not ascending by path: {file[0]!r} after {last!r}")
        last = file[0]
        yield file


def _renumbered(
    before: Mapping[bytes, Identity], now: Mapping[bytes, Identity], present: Collection[int]
) -> dict[int, int]:
    """Device numbers that changed under files that are otherwise what they were (USB, NFS, btrfs after a restart).

    Only a number that no file system here has any more can have changed.
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
    """What is missing at one path and new at another; of several hard links, the first with the first by path."""
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
