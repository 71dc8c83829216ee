"""PURE: which files beside an image belong to it: sidecars, the RAW it was developed from, the film of a Live Photo.

A file that has the name of the image with an ending more (`a.jpg.xmp`) is its own. One that has only its stem (`a.xmp`,
`a.cr2`, `a.mov`) belongs to every image of that stem in the folder, and goes with the last of them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from index.images.sniff import IMAGES, RAW

# Adobe's and darktable's, Apple's, RawTherapee's, DxO's.
SIDECARS: Final = frozenset(b"xmp aae pp3 dop".split())
# What cameras and telephones record beside a still.
FILMS: Final = frozenset(b"mov mp4 m4v".split())


class Bond(StrEnum):
    """`sidecar`: tells of the picture; `raw` and `film`: pictures of their own, which no sidecar can stand for."""

    SIDECAR = "sidecar"
    RAW = "raw"
    FILM = "film"


@dataclass(frozen=True, slots=True)
class Companion:
    name: bytes
    bond: Bond


def stem_of(name: bytes) -> bytes:
    """`a` of `a.jpg`, and `a.jpg` of `a.jpg.xmp`."""
    return name.rpartition(b".")[0] or name


def companions_of(name: bytes, names: Collection[bytes], going: Collection[bytes] = ()) -> list[Companion]:
    """The files among `names` (those of one folder with its stem or behind its whole name suffice) that go where the
    image `name` goes; by name.

    `going` are the images of the folder that go away as well: what several of them share goes with the last by name,
    and stays where one of them stays.
    """
    stem = stem_of(name)
    others = {other for other in names if other != name and stem_of(other) == stem and _ending(other) in IMAGES}
    shared_go = others <= set(going) and name == max({name, *others})
    found = []
    for other in sorted(names):
        bond = _bond(_ending(other))
        own = other[: len(name) + 1] == name + b"." and _ending(other) in SIDECARS and stem_of(other) == name
        if bond is not None and (own or (stem_of(other) == stem and shared_go)):
            found.append(Companion(other, bond))
    return found


def twin_of(companion: bytes, keeper: bytes, names: Collection[bytes]) -> bytes | None:
    """The file beside the image to keep that is to it what the companion is to the image that goes."""
    wanted = (stem_of(keeper), _ending(companion))
    return next((name for name in sorted(names) if (stem_of(name), _ending(name)) == wanted), None)


def renamed(companion: bytes, before: bytes, after: bytes) -> bytes:
    """The name of a companion whose image got another name: `a.xmp` beside `a (2).jpg` is `a (2).xmp`."""
    if companion.startswith(before + b"."):
        return after + companion[len(before) :]
    return stem_of(after) + companion[len(stem_of(before)) :]


def _ending(name: bytes) -> bytes:
    return name.rpartition(b".")[2].lower() if b"." in name else b""


def _bond(ending: bytes) -> Bond | None:
    if ending in SIDECARS:
        return Bond.SIDECAR
    if ending in RAW:
        return Bond.RAW
    return Bond.FILM if ending in FILMS else None
