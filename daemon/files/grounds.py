"""Where files may be changed: which configured folder a path belongs to, and whether anything protects it.

A folder is protected by whatever path it is reached: paths are compared without links, and by their place within their
file system, which is the same for every mount of it.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daemon.files.mounts import Mount, place_in_file_system, read_mounts, ways_into
from daemon.files.safe_files import Spot
from index.images.walk import is_at_or_below


@dataclass(frozen=True, slots=True)
class Ground:
    """A configured folder: a watched one, protected or not, or a destination."""

    path: bytes
    protected: bool = False
    is_destination: bool = False


class Grounds:
    """Every configured folder, and those of before, whose files may still be in a trash. Used by one thread."""

    def __init__(self, grounds: Iterable[Ground]) -> None:
        self._grounds = sorted(grounds, key=lambda ground: -len(ground.path))
        self._mounts: list[Mount] = []
        self._real: dict[bytes, bytes] = {}
        self._ways: dict[bytes, bytes] = {}
        self._places: dict[bytes, tuple[bytes, bytes]] = {}
        self.look_again()

    @classmethod
    def of(cls, roots: Mapping[bytes, bool], destinations: Iterable[bytes] = ()) -> "Grounds":
        """`roots` maps the folders to whether they are protected."""
        found = [Ground(path, protected) for path, protected in roots.items()]
        return cls([*found, *(Ground(path, is_destination=True) for path in destinations if path not in roots)])

    @property
    def paths(self) -> list[bytes]:
        return sorted(ground.path for ground in self._grounds)

    def look_again(self) -> None:
        """Forget what was looked up: mounts and links may have changed."""
        self._mounts = read_mounts()
        self._real, self._ways = {}, {}
        places = {ground.path: self._place(ground.path) for ground in self._grounds if not ground.is_destination}
        self._places = {path: place for path, place in places.items() if place is not None}
        for path in places.keys() - self._places.keys():
            self._ways |= ways_into(os.path.realpath(path), self._mounts)
        self._real = {}

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
        """The protected root that a path is in, by whatever way; None where it may be changed.

        A root that is configured inside a protected one, and is not protected itself, may be changed.
        """
        real = self._real_path(path)
        place = place_in_file_system(real, self._mounts)
        holding = [ground for ground in self._grounds if self._holds(ground, path, real, place)]
        for protector in holding:
            inner = protector.path.rstrip(b"/") + b"/"
            exempt = any(one.path.startswith(inner) and not one.protected for one in holding)
            if protector.protected and not exempt:
                return protector.path
        return None

    def _holds(self, ground: Ground, path: bytes, real: bytes, place: tuple[bytes, bytes] | None) -> bool:
        if ground.is_destination:
            return False
        if is_at_or_below(path, ground.path) or is_at_or_below(real, self._real_folder(ground.path)):
            return True
        top = self._places.get(ground.path)
        return top is not None and place is not None and top[0] == place[0] and is_at_or_below(place[1], top[1])

    def is_same_entry(self, first: bytes, second: bytes) -> bool:
        """Whether two paths are one name on disk, reached by two ways."""
        real = [self._real_path(path) for path in (first, second)]
        places = [place_in_file_system(path, self._mounts) for path in real]
        return real[0] == real[1] or (places[0] is not None and places[0] == places[1])

    def _place(self, path: bytes) -> tuple[bytes, bytes] | None:
        return place_in_file_system(os.path.realpath(path), self._mounts)

    def _real_path(self, path: bytes) -> bytes:
        """A path whose folders are no links; its last name may be one."""
        folder, name = os.path.split(path)
        return os.path.join(self._real_folder(folder), name)

    def _real_folder(self, folder: bytes) -> bytes:
        """Looked up once for each folder."""
        if folder not in self._real:
            real = os.path.realpath(folder)
            way = next((way for way in self._ways if is_at_or_below(real, way)), None)
            self._real[folder] = real if way is None else self._ways[way] + real[len(way) :]
        return self._real[folder]
