"""Where files may be changed: which configured folder a path belongs to, and whether anything protects it.

A folder is protected where this configuration or another one that can be found says so, and where a marker file lies
in it or in a folder above. It is protected by whatever path it is reached: through links, other mounts of its file
system, and file systems that show it (see daemon.files.ways).
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from daemon.files.mounts import Mount, place_in_file_system, read_mounts, ways_into
from daemon.files.safe_files import Spot
from daemon.files.ways import MARKER, Ways, key_of, upwards
from index.images.walk import is_at_or_below


@dataclass(frozen=True, slots=True)
class Ground:
    """A configured folder: a watched one, protected or not, or a destination."""

    path: bytes
    protected: bool = False
    is_destination: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What a configuration says of protection: its watched folders, and whether each is protected. `source` names
    the file that says so, "" for the configuration at work."""

    source: str
    roots: Mapping[bytes, bool]


@dataclass(frozen=True, slots=True)
class Protection:
    """A folder that protects what is in it, and the file that makes it do so ("": the configuration at work)."""

    folder: bytes
    source: str = ""

    @property
    def sentence(self) -> str:
        """Why what is in it is not changed."""
        folder = self.folder.decode("utf-8", "replace")
        if not self.source:
            return f"It is in the protected folder {folder}."
        return f"It is in the folder {folder}, which {self.source} protects."


@dataclass(frozen=True, slots=True)
class _Reached:
    """The ways to a path, and the folders at or above it by any of them, by device and inode."""

    ways: tuple[bytes, ...]
    above: frozenset[tuple[int, int]]


class Grounds:
    """Every configured folder, and those of before, whose files may still be in a trash. Used by one thread.

    `claims` gives what other configurations protect; it is asked when that is first needed, and may raise ConfigError
    where one of them cannot be read.
    """

    def __init__(self, grounds: Iterable[Ground], claims: Callable[[], Sequence[Claim]] = tuple) -> None:
        self._grounds = sorted(grounds, key=lambda ground: -len(ground.path))
        self._find_claims = claims
        self._claims: list[Claim] | None = None
        self.look_again()

    @classmethod
    def of(
        cls,
        roots: Mapping[bytes, bool],
        destinations: Iterable[bytes] = (),
        claims: Callable[[], Sequence[Claim]] = tuple,
    ) -> "Grounds":
        """`roots` maps the folders to whether they are protected."""
        found = [Ground(path, protected) for path, protected in roots.items()]
        return cls([*found, *(Ground(path, is_destination=True) for path in destinations if path not in roots)], claims)

    @property
    def paths(self) -> list[bytes]:
        return sorted(ground.path for ground in self._grounds)

    def look_again(self) -> None:
        """Forget what was looked up: mounts, links and marker files may have changed."""
        self._mounts: list[Mount] = read_mounts()
        self._ways = Ways(self._mounts)
        self._hidden: dict[bytes, bytes] | None = None
        self._real: dict[bytes, bytes] = {}
        self._reached: dict[bytes, _Reached] = {}
        self._tops: dict[bytes, tuple[frozenset[bytes], tuple[int, int] | None]] = {}
        self._protections: dict[bytes, Protection | None] = {}

    def spot(self, path: bytes) -> Spot:
        """A path with the configured folder it is below: the innermost; its own folder where it is below none."""
        for ground in self._grounds:
            if path.startswith(ground.path.rstrip(b"/") + b"/"):
                return Spot(ground.path, path)
        return Spot(os.path.dirname(path), path)

    def is_below_any(self, path: bytes) -> bool:
        """Whether a path is one of the configured folders or below one."""
        return any(
            path == ground.path or path.startswith(ground.path.rstrip(b"/") + b"/") for ground in self._grounds
        )

    def protector_of(self, path: bytes) -> bytes | None:
        """The protected folder that a path is in, by whatever way; None where it may be changed."""
        found = self.protection_of(path)
        return None if found is None else found.folder

    def protection_of(self, path: bytes) -> Protection | None:
        """What protects a path, None where it may be changed. Raises ConfigError.

        A root that is configured inside a protected one, and is not protected itself, may be changed: as far as that
        configuration is concerned, and where no marker file says otherwise.
        """
        if path not in self._protections:
            self._protections[path] = self._look_up(path)
        return self._protections[path]

    def _look_up(self, path: bytes) -> Protection | None:
        reached = self._reach(path)
        for claim in self._every_claim():
            holding = {root for root in claim.roots if self._holds(root, path, reached)}
            for root in holding:
                inner = root.rstrip(b"/") + b"/"
                exempt = any(one.startswith(inner) and not claim.roots[one] for one in holding)
                if claim.roots[root] and not exempt:
                    return Protection(root, claim.source)
        for way in (path, *reached.ways):
            folder = self._ways.marked_above(way)
            if folder is not None:
                return Protection(folder, os.path.join(folder, MARKER).decode("utf-8", "replace"))
        return None

    def _every_claim(self) -> list[Claim]:
        if self._claims is None:
            ours = {ground.path: ground.protected for ground in self._grounds if not ground.is_destination}
            self._claims = [Claim("", ours), *self._find_claims()]
        return self._claims

    def _holds(self, root: bytes, path: bytes, reached: _Reached) -> bool:
        if is_at_or_below(path, root):
            return True
        ways, key = self._top(root)
        if key is not None and key in reached.above:
            return True
        if any(is_at_or_below(way, top) for way in reached.ways for top in ways):
            return True
        return any(self._ways.is_shown_from(way, top) for way in reached.ways for top in ways)

    def _top(self, root: bytes) -> tuple[frozenset[bytes], tuple[int, int] | None]:
        """The ways to a root, and its key."""
        if root not in self._tops:
            real = self._real_folder(root)
            self._tops[root] = frozenset(self._ways.to(real)), key_of(real)
        return self._tops[root]

    def _reach(self, path: bytes) -> _Reached:
        """Looked up once for each folder."""
        folder, name = os.path.split(path)
        if folder not in self._reached:
            real = self._real_folder(folder)
            ways = self._ways.to(real)
            keys = {key for way in ways for one in upwards(way) if (key := key_of(one)) is not None}
            self._reached[folder] = _Reached(ways, frozenset(keys))
        found = self._reached[folder]
        ways = tuple(os.path.join(way, name) for way in found.ways)
        own = key_of(ways[0])
        return _Reached(ways, found.above if own is None else found.above | {own})

    def is_same_entry(self, first: bytes, second: bytes) -> bool:
        """Whether two paths are one name on disk, reached by two ways, or may be: a stacked file system shows of
        several files of one name one, and which is not known."""
        real = [self._real_path(path) for path in (first, second)]
        return real[0] == real[1] or not set(self._reach(first).ways).isdisjoint(self._reach(second).ways)

    def _real_path(self, path: bytes) -> bytes:
        """A path whose folders are no links; its last name may be one."""
        folder, name = os.path.split(path)
        return os.path.join(self._real_folder(folder), name)

    def _real_folder(self, folder: bytes) -> bytes:
        """Looked up once for each folder."""
        if folder not in self._real:
            real = os.path.realpath(folder)
            hidden = self._hidden_ways()
            way = next((way for way in hidden if is_at_or_below(real, way)), None)
            self._real[folder] = real if way is None else hidden[way] + real[len(way) :]
        return self._real[folder]

    def _hidden_ways(self) -> dict[bytes, bytes]:
        """Other ways into the roots that stand on a mount which is not listed."""
        if self._hidden is None:
            self._hidden = {}
            for ground in self._grounds:
                real = os.path.realpath(ground.path)
                if not ground.is_destination and place_in_file_system(real, self._mounts) is None:
                    self._hidden |= ways_into(real, self._mounts)
        return self._hidden
