"""PURE: what a compression is asked to do, and what follows from it for one picture.

Its new size, the name of the result, whether it is done already, whether the gain is worth it.
"""

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from index.encoding.ssimulacra2 import HIGH, MEDIUM, VISUALLY_LOSSLESS

SUFFIX: Final = b"_resize"
# What is found in folders. Others are told why not when they are named.
TAKEN: Final = frozenset({"JPEG", "PNG", "BMP", "WEBP"})
EXTENSIONS: Final = {"JPEG": b".jpg", "PNG": b".png", "WEBP": b".webp", "AVIF": b".avif"}
# Endings that are kept as they are, where the format stays.
KNOWN_ENDINGS: Final = {
    "JPEG": frozenset({b".jpg", b".jpeg", b".jpe", b".jfif"}),
    "PNG": frozenset({b".png"}),
    "WEBP": frozenset({b".webp"}),
    "AVIF": frozenset({b".avif"}),
}
LOSSLESS_QUALITY: Final = 100


class Target(StrEnum):
    """How the result may look beside what it is made from, on SSIMULACRA 2's published scale."""

    VISUALLY_LOSSLESS = "visually-lossless"
    HIGH = "high"
    MEDIUM = "medium"

    @property
    def score(self) -> float:
        return {"visually-lossless": VISUALLY_LOSSLESS, "high": HIGH, "medium": MEDIUM}[self.value]


class Format(StrEnum):
    """What a picture can be converted to."""

    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"


@dataclass(frozen=True, slots=True)
class Wish:
    """How pictures shall be made smaller.

    `quality` is that of JPEG, WebP and AVIF; 100 changes no pixel where the size stays. With a `target` the least
    quality is searched that reaches it. Pictures are scaled down to fit `width` x `height` pixels, as shown, and up
    too if `enlarge`. `colours` above 0 reduces PNG to so many. `least_gain` is a share of the size in bytes.
    """

    quality: int = LOSSLESS_QUALITY
    target: Target | None = None
    width: int = 1920
    height: int = 1080
    keep_ratio: bool = True
    enlarge: bool = False
    format: Format | None = None
    strip: bool = False
    colours: int = 0
    least_gain: float = 0.03

    @property
    def key(self) -> str:
        """As JSON, without what is as it is by default: equal wishes have equal keys, and `from_key` reads them."""
        given = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        return json.dumps(given, sort_keys=True)

    @classmethod
    def from_key(cls, key: str) -> "Wish":
        """Raises ValueError where another version wrote it."""
        given = json.loads(key)
        try:
            for name, kind in (("target", Target), ("format", Format)):
                if given.get(name) is not None:
                    given[name] = kind(given[name])
            return cls(**given)
        except TypeError as error:
            raise ValueError(key) from error

    @property
    def is_lossless(self) -> bool:
        """Whether no pixel may change where neither size nor format does."""
        return self.target is None and self.quality == LOSSLESS_QUALITY and not self.colours


def fitted(width: int, height: int, wish: Wish) -> tuple[int, int]:
    """The size in pixels that a picture of width x height, as shown, gets. No side is 0, and none grows unasked."""
    across, down = wish.width / width, wish.height / height
    if wish.keep_ratio:
        across = down = min(across, down)
    if not wish.enlarge:
        across, down = min(across, 1.0), min(down, 1.0)
    return max(1, round(width * across)), max(1, round(height * down))


def result_format(source: str, wish: Wish) -> str:
    """Pillow's name of the format that a picture of this one becomes. BMP holds nothing smaller: it becomes PNG."""
    if wish.format is not None:
        return wish.format.name
    return "PNG" if source == "BMP" else source


def result_name(name: bytes, source: str, wish: Wish, beside: bool) -> bytes:
    """The file name of the result: with the suffix where it stands beside its source; the ending says the format."""
    stem, dot, ending = name.rpartition(b".")
    if not stem:
        stem, ending = name, b""
    made = result_format(source, wish)
    kept = dot + ending
    if kept.lower() not in KNOWN_ENDINGS[made]:
        kept = EXTENSIONS[made]
    return stem + (SUFFIX if beside else b"") + kept


def is_worth_it(before_bytes: int, after_bytes: int, wish: Wish) -> bool:
    """Whether the result is smaller by the least gain; an enlarged picture need not be."""
    return wish.enlarge or after_bytes <= before_bytes * (1 - wish.least_gain)


def is_done(made_for: Target | None, made_quality: int, wish: Wish) -> bool:
    """Whether a result that was compressed with loss, for a target or at a quality, is at or below what is wished
    now: doing it again would only lose more. A `made_quality` of 0 is not known."""
    if wish.target is not None:
        return made_for is not None and made_for.score <= wish.target.score
    return 0 < made_quality <= wish.quality
