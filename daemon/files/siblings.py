"""EDGE: finds the files next to a file, and the pictures that a companion belongs to, as they are on disk now."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from daemon.files import safe_files
from daemon.files.open_folders import OpenFolders
from daemon.files.safe_files import FileRef
from index.imaging.discovery.companions import (
    Companion,
    Fold,
    belongs,
    bond_of,
    case_blind,
    claims_picture,
    exact,
    is_described_by,
    keys_of,
    owners_of,
)
from index.imaging.discovery.file_types import HEAD_BYTES, looks_like_image, may_be_image
from index.model import Identity


@dataclass(frozen=True)
class Folder:
    """The names in a folder at one moment, and how its file system compares names."""

    names: Collection[bytes] = ()
    fold: Fold = exact

    @classmethod
    def of(cls, file_ref: FileRef, folders: OpenFolders | None = None) -> "Folder":
        """Read the folder of a file, through the open folders if any are given. Raises OSError."""
        if folders is None:
            names = names_beside(file_ref)
            return cls(names, case_fold_of(file_ref, names))
        names = folders.names_in(file_ref.top, file_ref.folder)
        return cls(names, case_fold_of(file_ref, names, folders.identity_at))

    @cached_property
    def _by_key(self) -> Mapping[bytes, Collection[bytes]]:
        by_key: dict[bytes, list[bytes]] = defaultdict(list)
        for name in self.names:
            for key in set(map(self.fold, keys_of(name))):
                by_key[key].append(name)
        return by_key

    @cached_property
    def _keys_of_companions(self) -> frozenset[bytes]:
        return frozenset(self.fold(key) for name in self.names if bond_of(name) is not None for key in keys_of(name))

    def may_have_companion_of(self, name: bytes) -> bool:
        """Whether a file in the folder may belong to one with this name. A quick check: most folders have no
        companions, and then the keys of all their names are not needed."""
        keys = self._keys_of_companions
        return bool(keys) and not keys.isdisjoint(map(self.fold, keys_of(name)))

    def related(self, *names: bytes) -> list[bytes]:
        """The names in the folder that may belong to one of `names`, or to which one of `names` may belong."""
        keys = {self.fold(key) for name in names for key in keys_of(name)}
        return sorted({other for key in keys for other in self._by_key.get(key, ())})


def names_beside(file_ref: FileRef) -> list[bytes]:
    """Every name in the folder of a file. No link is followed below its top. Raises OSError."""
    with safe_files.opened_folder(file_ref.top, file_ref.folder) as folder:
        return [os.fsencode(name) for name in os.listdir(folder)]


def case_fold_of(
    file_ref: FileRef,
    names: Collection[bytes],
    identity_at: Callable[[FileRef], Identity | None] = safe_files.identity_at,
) -> Fold:
    """How the folder of a file compares names. This is tested with one of its names in the other case."""
    present = set(names)
    for name in names:
        other = name.swapcase()
        if other != name:
            blind = other not in present and identity_at(file_ref.sibling(other)) is not None
            return case_blind if blind else exact
    return exact


def describing(image: bytes, companions: Iterable[Companion], fold: Fold) -> list[bytes]:
    """The sidecars that describe the image itself, not its RAW file or video; sorted by name."""
    return sorted(each.name for each in companions if is_described_by(each.name) and belongs(each.name, image, fold))


def is_picture(file_ref: FileRef) -> bool:
    """Whether a file is an image, a RAW file or a video. Its name decides; if the name leaves it open, its first bytes
    do."""
    if claims_picture(file_ref.name) or not may_be_image(file_ref.name):
        return claims_picture(file_ref.name)
    try:
        with safe_files.opened_file(file_ref) as descriptor:
            return looks_like_image(os.pread(descriptor, HEAD_BYTES, 0))
    except OSError:
        return False


def remaining_owners(file_ref: FileRef) -> list[bytes]:
    """The pictures that a companion belongs to, of those in its folder, whether the index has them or not. Raises
    OSError if the folder cannot be read."""
    names = names_beside(file_ref)
    fold = case_fold_of(file_ref, names)
    return [name for name in owners_of(file_ref.name, names, fold) if is_picture(file_ref.sibling(name))]
