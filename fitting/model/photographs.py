"""The photographs of a folder by their content: which are trained on, which are held out, where they are from."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
# One photograph in so many is never trained on.
HELD_OUT_OF: Final = 10
# Sides of photographs in memory. Training sees them at 224 pixels, the smallest crops at a third of this.
LONGEST: Final = 360


@dataclass(frozen=True)
class Photograph:
    """A file and the SHA-256 of its bytes, in hexadecimal."""

    path: Path
    digest: str

    @property
    def held_out(self) -> bool:
        return is_held_out(self.digest)


def is_held_out(digest: str) -> bool:
    """Whether the photograph with that SHA-256 only measures. By content: a name or a new order changes nothing."""
    return int(digest[:8], 16) % HELD_OUT_OF == 0


def photographs(folder: Path) -> list[Photograph]:
    """The photographs of a folder and its folders, one for each content, in the order of their digests."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    return [Photograph(path, digest) for digest, path in sorted(found.items())]


def opened(path: Path) -> Image.Image:
    """The upright picture in RGB, at most LONGEST pixels long."""
    with Image.open(path) as file:
        file.draft("RGB", (LONGEST, LONGEST))
        picture = ImageOps.exif_transpose(file).convert("RGB")
    picture.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return picture


def listing(chosen: Iterable[Photograph], sources: Sequence[dict[str, str]]) -> str:
    """What ships of the photographs, as JSON: the sources, and the digests of what was trained on and held out.

    `sources` gives each `prefix` of names a `name`, an `address` and a `licence`; a file of no source is an error.
    """
    table: list[dict[str, object]] = []
    left = list(chosen)
    for source in sources:
        here = [one for one in left if one.path.name.startswith(source["prefix"])]
        left = [one for one in left if not one.path.name.startswith(source["prefix"])]
        table.append(
            {key: source[key] for key in ("name", "address", "licence")}
            | {
                "trained": [one.digest for one in here if not one.held_out],
                "held_out": [one.digest for one in here if one.held_out],
            }
        )
    if left:
        raise ValueError(f"no source is given for {left[0].path.name} and {len(left) - 1} more")
    return json.dumps(table, indent=1) + "\n"
