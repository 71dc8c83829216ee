"""PURE: which files beside an image belong to it: sidecars, the RAW it was developed from, the film of a Live Photo.

A sidecar that has the whole name of a picture and an ending more (`a.jpg.xmp`) is its own. A file that has only the
stem (`a.xmp`, `a.cr2`, `a.mov`) belongs to every image of that stem in the folder, and a sidecar also to a RAW or film
of that stem; it stays as long as any of them does.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from index.images.sniff import IMAGES, RAW

# Adobe's and darktable's, Apple's, RawTherapee's, DxO's.
SIDECARS: Final = frozenset(b"xmp aae pp3 dop".split())
# What cameras and telephones record beside a still.
FILMS: Final = frozenset(b"mov mp4 m4v".split())

# How a file system compares names: two names with the same result are one name to it.
Fold = Callable[[bytes], bytes]


class Bond(StrEnum):
    """`sidecar`: tells of the picture; `raw` and `film`: pictures of their own, which no sidecar can stand for."""

    SIDECAR = "sidecar"
    RAW = "raw"
    FILM = "film"


@dataclass(frozen=True, slots=True)
class Companion:
    name: bytes
    bond: Bond


def exact(name: bytes) -> bytes:
    """Names are compared byte by byte."""
    return name


def case_blind(name: bytes) -> bytes:
    """Names are compared without regard to case, as on FAT, exFAT and many network shares."""
    return name.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def stem_of(name: bytes) -> bytes:
    """`a` of `a.jpg`, and `a.jpg` of `a.jpg.xmp`."""
    return name.rpartition(b".")[0] or name


def bond_of(name: bytes) -> Bond | None:
    """What a file may be to an image beside it, by its ending; None where it is no companion."""
    ending = _ending(name)
    if ending in SIDECARS:
        return Bond.SIDECAR
    if ending in RAW:
        return Bond.RAW
    return Bond.FILM if ending in FILMS else None


def claims_picture(name: bytes) -> bool:
    """Whether a name ends as those of images, RAW files and films do."""
    return _ending(name) in IMAGES or bond_of(name) in (Bond.RAW, Bond.FILM)


def belongs(companion: bytes, picture: bytes, fold: Fold = exact) -> bool:
    """Whether one file is a companion of another in the same folder. Unless its ending is that of a companion,
    `picture` is taken for an image."""
    bond, kind = bond_of(companion), bond_of(picture)
    if bond is None or kind is Bond.SIDECAR:
        return False
    companion, picture = fold(companion), fold(picture)
    if bond is not Bond.SIDECAR:
        return kind is None and stem_of(companion) == stem_of(picture)
    return stem_of(companion) in (picture, stem_of(picture))


def companions_of(image: bytes, names: Collection[bytes], fold: Fold = exact) -> list[Companion]:
    """The files among `names` (those of one folder) that belong to an image, and the sidecars of its RAW files and
    films (`a.cr2.xmp`); by name."""
    found = {name for name in names if belongs(name, image, fold)}
    pictures = [name for name in found if bond_of(name) is not Bond.SIDECAR]
    found |= {name for name in names if any(belongs(name, picture, fold) for picture in pictures)}
    return [Companion(name, bond) for name in sorted(found) if (bond := bond_of(name)) is not None]


def owners_of(companion: bytes, pictures: Iterable[bytes], fold: Fold = exact) -> list[bytes]:
    """The pictures of a folder that a file belongs to: it stays as long as one of them does. By name."""
    return sorted(picture for picture in pictures if picture != companion and belongs(companion, picture, fold))


def images_behind(companion: bytes, pictures: Collection[bytes], fold: Fold = exact) -> list[bytes]:
    """The images that a file belongs to, those of a RAW or film that it belongs to included; by name."""
    found: set[bytes] = set()
    for owner in owners_of(companion, pictures, fold):
        if bond_of(owner) is None:
            found.add(owner)
        else:
            found |= set(owners_of(owner, pictures, fold))
    return sorted(found)


def mixes(arriving: Collection[bytes], there: Iterable[bytes], fold: Fold = exact) -> bool:
    """Whether images and companions that come into a folder would be bound to some that are there: a companion among
    the ones to a picture among the others. Of those that arrive, what is no companion by its ending is an image."""
    present = [name for name in there if claims_picture(name) or bond_of(name) is Bond.SIDECAR]
    return any(belongs(one, other, fold) or belongs(other, one, fold) for one in arriving for other in present)


def twin_of(companion: bytes, keeper: bytes, names: Collection[bytes]) -> bytes | None:
    """The file beside the image to keep that is to it what the companion is to the image that goes."""
    wanted = (stem_of(keeper), _ending(companion))
    return next((name for name in sorted(names) if (stem_of(name), _ending(name)) == wanted), None)


def renamed(companion: bytes, before: bytes, after: bytes) -> bytes:
    """The name of a companion whose image got another name: `a.xmp` beside `a (2).jpg` is `a (2).xmp`. A name that is
    not that of a companion of `before` stays as it is."""
    if before == after:
        return companion
    if companion[len(before) :].startswith(b".") and belongs(companion, before, case_blind):
        return after + companion[len(before) :]
    rest = companion[len(stem_of(before)) :]
    shares_stem = case_blind(companion).startswith(case_blind(stem_of(before)) + b".")
    return stem_of(after) + rest if shares_stem and rest.startswith(b".") else companion


def _ending(name: bytes) -> bytes:
    return name.rpartition(b".")[2].lower() if b"." in name else b""
