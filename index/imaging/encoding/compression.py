"""PURE: the options of a compression, and what follows from them for one picture.

Its new size, the name of the result, whether it is done already, and whether the gain is sufficient.
"""

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

SUFFIX: Final = b"_resize"
# Bytes in a name on nearly every file system.
LONGEST_NAME: Final = 255
# The formats compressed in folders. Other formats named by the user are reported as skipped.
TAKEN: Final = frozenset({"JPEG", "PNG", "BMP", "WEBP"})
EXTENSIONS: Final = {"JPEG": b".jpg", "PNG": b".png", "WEBP": b".webp", "AVIF": b".avif"}
# Extensions that are kept if the format stays the same.
KNOWN_ENDINGS: Final = {
    "JPEG": frozenset({b".jpg", b".jpeg", b".jpe", b".jfif"}),
    "PNG": frozenset({b".png"}),
    "WEBP": frozenset({b".webp"}),
    "AVIF": frozenset({b".avif"}),
}
LOSSLESS_QUALITY: Final = 100


class Target(StrEnum):
    """The visual quality of the result compared with its source, by published anchors of the scale of SSIMULACRA 2."""

    VISUALLY_LOSSLESS = "visually-lossless"
    HIGH = "high"
    MEDIUM = "medium"

    @property
    def score(self) -> float:
        return {"visually-lossless": 90.0, "high": 70.0, "medium": 50.0}[self.value]


class Format(StrEnum):
    """What a picture can be converted to."""

    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"


@dataclass(frozen=True, slots=True)
class CompressionOptions:
    """How pictures are made smaller.

    `quality` is that of JPEG, WebP and AVIF; 100 changes no pixel if the size stays. With a `target`, the lowest
    quality that reaches it is searched for. Pictures are scaled down to fit `width` x `height` pixels, as shown, and
    also up if `enlarge`; 0 x 0 is full size. `colours` above 0 reduces PNG to this number. JPEGs are progressive if
    that is smaller, unless `baseline`. `least_gain` is a share of the size in bytes.
    """

    quality: int = LOSSLESS_QUALITY
    target: Target | None = None
    width: int = 0
    height: int = 0
    keep_ratio: bool = True
    enlarge: bool = False
    format: Format | None = None
    strip: bool = False
    baseline: bool = False
    colours: int = 0
    least_gain: float = 0.03

    @property
    def key(self) -> str:
        """As JSON, without the values of UNWRITTEN: equal options have equal keys, and `from_key` reads them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        if not self.scales:
            values |= FULL_SIZE
        given = {name: value for name, value in values.items() if value != UNWRITTEN[name]}
        return json.dumps(given, sort_keys=True)

    @classmethod
    def from_key(cls, key: str) -> "CompressionOptions":
        """Raises ValueError if another version wrote it."""
        given = UNWRITTEN | json.loads(key)
        if FULL_SIZE.items() <= given.items():
            given |= {"width": 0, "height": 0}
        try:
            for name, kind in (("target", Target), ("format", Format)):
                if given.get(name) is not None:
                    given[name] = kind(given[name])
            return cls(**given)
        except TypeError as error:
            raise ValueError(key) from error

    @property
    def scales(self) -> bool:
        """Whether there is a maximum size."""
        return bool(self.width and self.height)

    @property
    def is_lossless(self) -> bool:
        """Whether no pixel may change as long as size and format stay."""
        return self.target is None and self.quality == LOSSLESS_QUALITY and not self.colours


# Values that are left out of a key. A limited size was once the default, so keys of full size name the largest size:
# keys in an index stay valid.
UNWRITTEN: Final = {item.name: item.default for item in fields(CompressionOptions)} | {"width": 1920, "height": 1080}
FULL_SIZE: Final = {"width": 65_535, "height": 65_535}


def fitted(width: int, height: int, options: CompressionOptions) -> tuple[int, int]:
    """The new size in pixels of a picture of width x height, as shown. No side is 0, and none grows unless
    requested."""
    if not options.scales:
        return width, height
    across, down = options.width / width, options.height / height
    if options.keep_ratio:
        across = down = min(across, down)
    if not options.enlarge:
        across, down = min(across, 1.0), min(down, 1.0)
    return max(1, round(width * across)), max(1, round(height * down))


def result_format(source: str, options: CompressionOptions) -> str:
    """Pillow's name of the format that a picture of this format is converted to. BMP is not compressed: it becomes
    PNG."""
    if options.format is not None:
        return options.format.name
    return "PNG" if source == "BMP" else source


def result_name(name: bytes, source: str, options: CompressionOptions, next_to_source: bool) -> bytes:
    """The file name of the result: with the suffix if `next_to_source`, and the extension of its format. If a name
    would be longer than a file system allows, its stem is shortened."""
    stem, dot, ending = name.rpartition(b".")
    if not stem:
        stem, ending = name, b""
    made = result_format(source, options)
    kept = dot + ending
    if kept.lower() not in KNOWN_ENDINGS[made]:
        kept = EXTENSIONS[made]
    added = (SUFFIX if next_to_source else b"") + kept
    return _shortened(stem, LONGEST_NAME - len(added)) + added


def _shortened(stem: bytes, length: int) -> bytes:
    """The first bytes of a stem, without a part of a letter at the end (UTF-8)."""
    if len(stem) <= length:
        return stem
    while length > 0 and stem[length] & 0xC0 == 0x80:
        length -= 1
    return stem[:length]


def is_worth_it(before_bytes: int, after_bytes: int, options: CompressionOptions) -> bool:
    """Whether the result is smaller by the minimum gain; an enlarged picture need not be."""
    return options.enlarge or after_bytes <= before_bytes * (1 - options.least_gain)


def is_done(made_for: Target | None, made_quality: int, options: CompressionOptions) -> bool:
    """Whether a result of lossy compression, for a target or at a quality, is at or below the requested quality: then
    compressing it again would only lose more. A `made_quality` of 0 is unknown."""
    if options.target is not None:
        return made_for is not None and made_for.score <= options.target.score
    return 0 < made_quality <= options.quality
