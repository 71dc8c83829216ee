"""PURE: what a walk saw against what the index holds -> what to add, read again, rename and forget.

A file that is gone from one path and turned up at another with the same identity was moved, and is not read again.
What lies below a folder that could not be listed is neither seen nor gone, and neither is what lay on a file system
that is no longer there (a disk mounted below the root).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from index.model import Identity


@dataclass(frozen=True, slots=True)
class Plan:
    """`to_read` are new or changed files with the identity seen, `moved` pairs of old and new path. By path."""

    to_read: dict[bytes, Identity] = field(default_factory=dict)
    moved: list[tuple[bytes, bytes]] = field(default_factory=list)
    missing: list[bytes] = field(default_factory=list)
    unchanged: int = 0


def reconcile(
    seen: Iterable[tuple[bytes, Identity]],
    known: Mapping[bytes, Identity],
    unreadable: Collection[bytes] = (),
    root_device: int | None = None,
) -> Plan:
    """Compare one walk with the rows of the same root, by path. O(n) time, about 300 bytes a file that differs."""
    gone = dict(known)
    differing: dict[bytes, Identity] = {}
    unchanged = 0
    devices = {root_device}
    for path, identity in seen:
        devices.add(identity.device)
        before = gone.pop(path, None)
        if before == identity:
            unchanged += 1
        else:
            differing[path] = identity
    missing = {
        path
        for path, identity in gone.items()
        if (root_device is None or identity.device in devices) and not _below_any(path, unreadable)
    }
    homeless: dict[Identity, list[bytes]] = defaultdict(list)
    for path in sorted(missing, reverse=True):
        homeless[gone[path]].append(path)
    to_read: dict[bytes, Identity] = {}
    moved: list[tuple[bytes, bytes]] = []
    for path in sorted(differing):
        identity = differing[path]
        if homeless.get(identity):
            moved.append((homeless[identity].pop(), path))
        else:
            to_read[path] = identity
    missing.difference_update(old for old, _ in moved)
    return Plan(to_read, moved, sorted(missing), unchanged)


def _below_any(path: bytes, folders: Collection[bytes]) -> bool:
    if not folders:
        return False
    if path in folders:
        return True
    parent = path
    while (cut := parent.rfind(b"/")) > 0:
        parent = parent[:cut]
        if parent in folders:
            return True
    return False
