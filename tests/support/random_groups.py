"""Groups of made-up facts at random, for what decides about many of them."""

import random

from index.model import Kind, Turn
from support.weblibrary import Library

EVIDENCE = (
    {},
    {"frame": "first"},
    {"frame": "second"},
    {"noise": 0.5},
    {"sharpness": 1.4},
    {"tone": {"grey": "first"}},
)


def add_random_groups(library: Library, seed: int) -> None:
    """Groups of one to four contents of every kind, with one to three files each."""
    chance = random.Random(seed)
    number = 0
    for _ in range(40):
        contents, files = [], 0
        for _ in range(chance.randint(1, 4)):
            number += 1
            facts = {
                "format": chance.choice(["JPEG", "PNG"]), "jpeg_quality": chance.choice([0, 80, 90]),
                "width": chance.choice([1000, 2000]), "damage": chance.choice(["", "", "cut off"]),
                "metadata": chance.choice(["", "exif", "exif,xmp"]), "bit_depth": chance.choice([8, 8, 16]),
                "earlier_quality": chance.choice([0, 0, 70]),
            }  # fmt: skip
            contents.append(library.add_content(number, **facts))
            for copy in range(chance.randint(1, 3)):
                files += 1
                library.add_image(contents[-1], f"{chance.choice('abc')}/{number}-{copy}.jpg", mtime_ns=number * 10**9)
        kinds = sorted((chance.choice([Kind.PIXELS, Kind.NEAR]) for _ in contents[1:]), key=list(Kind).index)
        members = [(content, kind, 3, Turn.NONE) for content, kind in zip(contents[1:], kinds, strict=True)]
        library.add_group(contents[0], *members, evidence=chance.choice(EVIDENCE), images=files)
