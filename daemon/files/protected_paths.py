"""Where files may be changed: finds the managed folder of a path, and whether a path or a step is in a protected one.

A folder is protected if this configuration, or another one that can be found, says so, or if it or a folder above it
contains a marker file. The protection holds for every path to the folder: through links, through other mounts of its
file system, and through file systems that show it (see daemon.files.path_aliases).
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.files.mounts import Mount, bind_mounts_into, path_in_file_system, read_mounts
from daemon.files.path_aliases import MARKER, PathAliases, key_of
from daemon.files.safe_files import FileRef
from index.database.records.batches import Action, Step, StepState
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message
from index.paths import split_path


@dataclass(frozen=True, slots=True)
class ManagedFolder:
    """A folder of the configuration: a watch root, protected or not, or a destination."""

    path: bytes
    protected: bool = False
    is_destination: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What one configuration protects: maps its watch roots to whether they are protected. `source` is the file of the
    configuration, "" for the one in use."""

    source: str
    roots: Mapping[bytes, bool]


@dataclass(frozen=True, slots=True)
class Protection:
    """A protected folder, and the file that protects it ("" for the configuration in use)."""

    folder: bytes
    source: str = ""

    @property
    def message(self) -> Message:
        """The reason why nothing in the folder is changed, for a person."""
        folder = self.folder.decode("utf-8", "replace")
        if not self.source:
            return Message("step.protected", path=folder)
        return Message("step.protected_elsewhere", path=folder, source=self.source)


@dataclass(frozen=True, slots=True)
class _Reach:
    """The ways to a path: its aliases (first the path itself without links), the folders at or above any of them by
    device and inode, and whether any of them is on a stacked file system."""

    aliases: tuple[bytes, ...]
    folders_above: frozenset[tuple[int, int]]
    on_stack: bool


class ManagedFolders:
    """Every folder of the configuration, and earlier ones whose files may still be in a trash. Used by one thread.

    `claims` returns what other configurations protect. It is called when this is first needed, and may raise
    ConfigError if one of them cannot be read.
    """

    def __init__(self, folders: Iterable[ManagedFolder], claims: Callable[[], Sequence[Claim]] = tuple) -> None:
        self._folders = sorted(folders, key=lambda folder: -len(folder.path))
        self._tops = [(folder.path.rstrip(b"/") + b"/", folder.path) for folder in self._folders]
        self._find_claims = claims
        self._claims: list[Claim] | None = None
        self.refresh()

    @classmethod
    def of(
        cls,
        roots: Mapping[bytes, bool],
        destinations: Iterable[bytes] = (),
        claims: Callable[[], Sequence[Claim]] = tuple,
    ) -> "ManagedFolders":
        """`roots` maps each folder to whether it is protected."""
        watched = [ManagedFolder(path, protected) for path, protected in roots.items()]
        return cls(
            [*watched, *(ManagedFolder(path, is_destination=True) for path in destinations if path not in roots)],
            claims,
        )

    @property
    def paths(self) -> list[bytes]:
        return sorted(folder.path for folder in self._folders)

    def refresh(self) -> None:
        """Drop the cached lookups: mounts, links and marker files may have changed."""
        self._mounts: list[Mount] = read_mounts()
        self._aliases = PathAliases(self._mounts)
        self._hidden: dict[bytes, bytes] | None = None
        self._real: dict[bytes, bytes] = {}
        self._without_links: dict[bytes, bytes] = {}
        self._keys: dict[bytes, frozenset[tuple[int, int]]] = {}
        self._reached: dict[bytes, _Reach] = {}
        self._root_aliases: dict[bytes, tuple[frozenset[bytes], tuple[int, int] | None]] = {}
        self._protections: dict[bytes, Protection | None] = {}
        self._of_files_in: dict[bytes, Protection | None] = {}
        self._all_tops: frozenset[bytes] | None = None

    def file_ref(self, path: bytes) -> FileRef:
        """A path with the innermost managed folder above it, or with its own folder if there is none."""
        for start, folder in self._tops:
            if path.startswith(start):
                return FileRef(folder, path)
        return FileRef(os.path.dirname(path), path)

    def is_below_any(self, path: bytes) -> bool:
        """Whether a path is a managed folder or below one."""
        return any(path == folder.path or path.startswith(folder.path.rstrip(b"/") + b"/") for folder in self._folders)

    def protector_of(self, path: bytes) -> bytes | None:
        """The protected folder that contains a path or one of its aliases; None if the path may be changed."""
        protection = self.protection_of(path)
        return None if protection is None else protection.folder

    def protection_of(self, path: bytes, is_file: bool = False) -> Protection | None:
        """What protects a path, None if it may be changed. `is_file`: the path was just seen to be a regular file.
        Raises ConfigError.

        An unprotected root inside a protected one may be changed, unless a marker file or another configuration
        protects it.
        """
        folder, name = split_path(path)
        reach = self._reach_of(folder)
        if not self._is_plain(path, name, reach, is_file):
            if path not in self._protections:
                self._protections[path] = self._find_protection(path, self._reach(path))
            return self._protections[path]
        if folder not in self._of_files_in:
            self._of_files_in[folder] = self._find_protection(folder, reach)
        return self._of_files_in[folder]

    def _is_plain(self, path: bytes, name: bytes, reach: _Reach, is_file: bool) -> bool:
        """Whether a path has the same protection as any other file in its folder, whose reach is given. False for a
        folder, which may contain a marker; for the place of a root, which may be absent at the moment; and on a stacked
        file system, where each file can come from another layer."""
        if reach.on_stack or not name:
            return False
        if self._all_tops is None:
            roots = {root for claim in self._all_claims() for root in claim.roots}
            self._all_tops = frozenset(roots.union(*(self._aliases_of_root(root)[0] for root in roots)))
        aliases = [os.path.join(alias, name) for alias in reach.aliases]
        return (is_file or key_of(aliases[0]) is None) and self._all_tops.isdisjoint((path, *aliases))

    def _find_protection(self, path: bytes, reached: _Reach) -> Protection | None:
        for claim in self._all_claims():
            holding = {root for root in claim.roots if self._contains(root, path, reached)}
            for root in holding:
                inner = root.rstrip(b"/") + b"/"
                exempt = any(other.startswith(inner) and not claim.roots[other] for other in holding)
                if claim.roots[root] and not exempt:
                    return Protection(root, claim.source)
        for alias in (path, *reached.aliases):
            folder = self._aliases.nearest_marked_folder(alias)
            if folder is not None:
                return Protection(folder, os.path.join(folder, MARKER).decode("utf-8", "replace"))
        return None

    def _all_claims(self) -> list[Claim]:
        if self._claims is None:
            own = {folder.path: folder.protected for folder in self._folders if not folder.is_destination}
            self._claims = [Claim("", own), *self._find_claims()]
        return self._claims

    def _contains(self, root: bytes, path: bytes, reached: _Reach) -> bool:
        if is_at_or_below(path, root):
            return True
        aliases, key = self._aliases_of_root(root)
        if key is not None and key in reached.folders_above:
            return True
        if any(is_at_or_below(alias, top) for alias in reached.aliases for top in aliases):
            return True
        return any(self._aliases.is_shown_from(alias, top) for alias in reached.aliases for top in aliases)

    def _aliases_of_root(self, root: bytes) -> tuple[frozenset[bytes], tuple[int, int] | None]:
        """The aliases of a root, and its key."""
        if root not in self._root_aliases:
            real = self._real_folder(root)
            self._root_aliases[root] = frozenset(self._aliases.of(real)), key_of(real)
        return self._root_aliases[root]

    def _reach(self, path: bytes) -> _Reach:
        folder, name = split_path(path)
        reach = self._reach_of(folder)
        aliases = tuple(os.path.join(alias, name) for alias in reach.aliases)
        own = key_of(aliases[0])
        keys = reach.folders_above if own is None else reach.folders_above | {own}
        return _Reach(aliases, keys, reach.on_stack)

    def _reach_of(self, folder: bytes) -> _Reach:
        """The reach of a folder, looked up once."""
        if folder not in self._reached:
            aliases = self._aliases.of(self._real_folder(folder))
            keys = self._keys_above(aliases[0]).union(*map(self._keys_above, aliases[1:]))
            self._reached[folder] = _Reach(aliases, keys, any(map(self._aliases.is_on_stack, aliases)))
        return self._reached[folder]

    def _keys_above(self, folder: bytes) -> frozenset[tuple[int, int]]:
        """The keys of a folder and of all folders above it, each looked up once."""
        for path in _not_in(self._keys, folder):
            keys = self._keys.get(split_path(path)[0], frozenset())
            own = key_of(path)
            self._keys[path] = keys if own is None else keys | {own}
        return self._keys[folder]

    def is_same_entry(self, first: bytes, second: bytes) -> bool:
        """Whether two paths are, or may be, aliases of one name on disk. It is unknown on a stacked file system: of
        several files with one name it shows one, and does not say which."""
        (folder, name), (other, its_name) = split_path(first), split_path(second)
        if name != its_name:
            return False
        return not set(self._reach_of(folder).aliases).isdisjoint(self._reach_of(other).aliases)

    def _real_folder(self, folder: bytes) -> bytes:
        """A folder with all links resolved, looked up once."""
        if folder not in self._real:
            real = self._resolved(folder)
            hidden = self._hidden_aliases()
            alias = next((alias for alias in hidden if is_at_or_below(real, alias)), None)
            self._real[folder] = real if alias is None else hidden[alias] + real[len(alias) :]
        return self._real[folder]

    def _resolved(self, folder: bytes) -> bytes:
        """The result of os.path.realpath; each folder is read once."""
        for path in _not_in(self._without_links, folder):
            above, name = split_path(path)
            real = os.path.join(self._without_links.get(above, b""), name)
            if name in (b"", b".", b"..") or os.path.islink(real):
                real = os.path.realpath(path)
            self._without_links[path] = real
        return self._without_links[folder]

    def _hidden_aliases(self) -> dict[bytes, bytes]:
        """Aliases of the roots whose mount is not listed."""
        if self._hidden is None:
            self._hidden = {}
            for folder in self._folders:
                real = os.path.realpath(folder.path)
                if not folder.is_destination and path_in_file_system(real, self._mounts) is None:
                    self._hidden |= bind_mounts_into(real, self._mounts)
        return self._hidden


def _not_in(known: Mapping[bytes, object], folder: bytes) -> list[bytes]:
    """The unknown folders from this one upwards, as far as the first known one; the topmost first."""
    missing: list[bytes] = []
    while folder not in known:
        missing.append(folder)
        above, _ = split_path(folder)
        if above == folder:
            break
        folder = above
    return missing[::-1]


def unless_protected(step: Step, folders: ManagedFolders) -> Step:
    """A planned step, refused if it would change a protected folder. Raises ConfigError."""
    if step.state is not StepState.PLANNED:
        return step
    for path in changed_paths(step):
        if (protection := folders.protection_of(path)) is not None:
            return replace(step, state=StepState.REFUSED, reason="protected", message=protection.message)
    return step


def changed_paths(step: Step) -> Sequence[bytes]:
    """The paths that a step adds, removes or replaces. Their folders change."""
    match step.action:
        case Action.CREATE | Action.RESTORE:
            paths = [step.target]
        case Action.DELETE:
            paths = []
        case Action.LINK:
            # A later write to the new name would change the file to keep.
            paths = [step.path, step.keeper]
        case _:
            paths = [step.path, step.target]
    return [path for path in (*paths, step.trash) if path]
