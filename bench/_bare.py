"""The limit that reading pictures is measured against: decode at reduced scale, and nothing else."""

from collections.abc import Sequence

from PIL import Image

from index.pictures import DRAFT_SIDE


def decode_all(paths: Sequence[bytes]) -> None:
    """Open each file and decode it at the scale that indexing takes."""
    for path in paths:
        with Image.open(path) as image:
            image.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
            image.load()
