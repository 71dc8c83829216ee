"""Which watched root a path belongs to, and which roots and paths a scan job is for."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from index.database.records.images import WatchRoot
from index.database.records.jobs import ScanParameters
from index.errors import UsageError
from index.imaging.discovery.walk import is_at_or_below
from index.paths import display


@dataclass(frozen=True, slots=True)
class ScanRoot:
    """A watched root, with what to skip in it."""

    root: WatchRoot
    recursive: bool = True
    exclude: tuple[bytes, ...] = ()

    @property
    def path(self) -> bytes:
        return self.root.path


class ScanRoots:
    """The watched roots. A path belongs to the innermost root that contains it."""

    def __init__(self, roots: Iterable[ScanRoot], temporary: Sequence[ScanRoot] = ()) -> None:
        """`temporary` are those of limited searches, which are scanned only if they are named."""
        self._temporary = {root.path for root in temporary}
        # The innermost root of a path has the longest path, so the longest comes first.
        self._roots = sorted([*roots, *temporary], key=lambda root: (-len(root.path), root.path))

    def with_temporary(self, temporary: Iterable[ScanRoot]) -> "ScanRoots":
        return ScanRoots(self._roots, list(temporary))

    def is_temporary(self, root: ScanRoot) -> bool:
        return root.path in self._temporary

    def has(self, root: ScanRoot) -> bool:
        """Whether a root is one of these, with the same files. Its priority and protection do not matter."""
        files = (root.path, root.recursive, root.exclude)
        return any((other.path, other.recursive, other.exclude) == files for other in self._roots)

    def requested(self, parameters: ScanParameters) -> list[tuple[ScanRoot, list[bytes] | None]]:
        """The roots that a job is for, each with the paths to scan, None for all of it. Raises UsageError for a folder
        that is not a root."""
        if parameters.paths:
            return list(self._by_root(map(_normal, parameters.paths)).items())
        return [(root, None) for root in self._chosen(parameters.roots)]

    def nested_in(self, root: ScanRoot) -> tuple[bytes, ...]:
        """The roots inside a root: they are walked on their own."""
        return tuple(other.path for other in self._roots if is_at_or_below(other.path, root.path) and other is not root)

    def _chosen(self, names: Collection[str]) -> list[ScanRoot]:
        wanted = {os.fsencode(name) for name in names}
        unknown = wanted - {root.path for root in self._roots}
        if unknown:
            raise UsageError("root.unknown", path=display(min(unknown)), field="parameters.roots")
        if wanted:
            return [root for root in reversed(self._roots) if root.path in wanted]
        return [root for root in reversed(self._roots) if not self.is_temporary(root)]

    def _by_root(self, paths: Iterable[bytes]) -> dict[ScanRoot, list[bytes] | None]:
        by_root: dict[ScanRoot, list[bytes]] = defaultdict(list)
        for path in paths:
            root = next((root for root in self._roots if is_at_or_below(path, root.path)), None)
            if root is not None:
                by_root[root].append(path)
        return dict(by_root)


def _normal(path: str) -> bytes:
    """A path as it is in the index, without `..` and double slashes, so that each file has one name."""
    normal = os.path.normpath(os.fsencode(path))
    # A drive or a server is possible only on Windows.
    return normal if os.path.splitdrive(normal)[0] else b"/" + normal.lstrip(b"/")
