"""EDGE: what a folder holds around a name, and which pictures a companion still has, as the disk is at this moment."""

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from daemon.files import safe_files
from daemon.files.safe_files import Spot
from index.images.companions import Fold, belongs, case_blind, claims_picture, exact, owners_of, stem_of
from index.images.sniff import HEAD_BYTES, looks_like_image, may_be_image


@dataclass(frozen=True, slots=True)
class Folder:
    """The names in a folder at one moment, by their stems as the file system compares them."""

    by_stem: Mapping[bytes, Collection[bytes]]
    fold: Fold = exact

    @classmethod
    def of(cls, spot: Spot) -> "Folder":
        """The folder of a spot. Raises OSError."""
        names = names_around(spot)
        by_stem: dict[bytes, list[bytes]] = defaultdict(list)
        fold = fold_of(spot, names)
        for name in names:
            by_stem[fold(stem_of(name))].append(name)
        return cls(by_stem, fold)

    def around(self, *names: bytes) -> list[bytes]:
        """The names with the stem of one of these, with one of these as their stem, or that are such a stem."""
        found: set[bytes] = set()
        for name in map(self.fold, names):
            stem = stem_of(name)
            found |= {*self.by_stem.get(stem, ()), *self.by_stem.get(name, ())}
            found |= {other for other in self.by_stem.get(stem_of(stem), ()) if self.fold(other) == stem}
        return sorted(found)


def names_around(spot: Spot) -> list[bytes]:
    """Every name in the folder of a spot; no link is followed below its top. Raises OSError."""
    with safe_files.opened_folder(spot.top, spot.folder) as folder:
        return [os.fsencode(name) for name in os.listdir(folder)]


def fold_of(spot: Spot, names: Collection[bytes]) -> Fold:
    """How the folder of a spot compares names, which hold its own: tried with one of them in the other case."""
    present = set(names)
    for name in names:
        other = name.swapcase()
        if other != name:
            blind = other not in present and safe_files.identity_at(spot.beside(other)) is not None
            return case_blind if blind else exact
    return exact


def is_picture(spot: Spot) -> bool:
    """Whether a file is an image, a RAW or a film by its name, or an image by its first bytes where the name does not
    tell."""
    if claims_picture(spot.name) or not may_be_image(spot.name):
        return claims_picture(spot.name)
    try:
        with safe_files.opened_file(spot) as descriptor:
            return looks_like_image(os.pread(descriptor, HEAD_BYTES, 0))
    except OSError:
        return False


def owners_left(spot: Spot) -> list[bytes]:
    """The pictures in the folder of a companion that it belongs to, whether the index knows them or not. Raises
    OSError where the folder cannot be read."""
    names = names_around(spot)
    fold = fold_of(spot, names)
    stem = fold(stem_of(spot.name))
    near = [name for name in names if fold(name).startswith(stem) and belongs(spot.name, name, fold)]
    return owners_of(spot.name, (name for name in near if is_picture(spot.beside(name))), fold)
