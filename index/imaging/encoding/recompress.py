"""EDGE: a picture's bytes -> fewer bytes that look the same, checked against the first, with its metadata.

Runs in worker processes only. What must not be done to a picture, or is not worth it, is left with a reason: nothing
is lost to make a file smaller that a person has not asked to lose.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from index.encoding import (
    bmp_file,
    compression,
    encoders,
    jpeg_file,
    png_file,
    quality_search,
    ssimulacra2,
    webp_file,
)
from index.encoding.compression import Wish
from index.encoding.dressing import Clothes, clothes_of
from index.errors import PictureError
from index.images import pictures
from index.images.facts import facts_of, orientation_of
from index.images.pictures import Limits, opened
from index.model import Facts

Bytes = NDArray[np.uint8]

# Behind a picture's end some programs fill up with these; anything else is something: a film, a second picture, a file.
FILLING: Final = b"\0\n\r "
# Previews that a camera puts behind the picture (CIPA DC-007); other kinds are pictures in their own right.
PREVIEW: Final = "Large Thumbnail"
# Pixels that can be scaled and coded with loss; others are only repacked.
PLAIN_MODES: Final = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})
# A JPEG's quality is told by its tables to a few points; there is nothing to be searched above it.
SOURCE_MARGIN: Final = 2
# Levels of 255 by which a result may differ from what it was made of, on average and in the worst of its 64 x 64 parts
# but one in a hundred: JPEG at quality 1 differs by 14 and 48.
CHECK_SIDE: Final = 64
MEAN_OFF: Final = 20.0
MOST_OFF: Final = 72.0
# From this quality on a result scores more than this, even of pure noise, and one of which a quarter is missing less.
TOLD_QUALITY: Final = 50
TOLD_SCORE: Final = 0.0
OPAQUE: Final = 255
EQUAL: Final = 100.0


@dataclass(frozen=True, slots=True)
class Smaller:
    """A result. Sizes are as stored. `score` is SSIMULACRA 2 against the source at the result's size, 100 where every
    pixel is equal; `quality` is 0 where none was chosen. `notes` tell what else changed."""

    data: bytes
    format: str
    width: int
    height: int
    lossless: bool
    quality: int = 0
    score: float = 100.0
    notes: tuple[str, ...] = ()
    source_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Left:
    """Why a picture is left as it is. `refused` where it could not be done without losing something; otherwise there
    was nothing to gain. `best_bytes` is the smallest that was made, 0 where nothing was."""

    reason: str
    message: str
    refused: bool = False
    best_bytes: int = 0


class _Refused(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.left = Left(reason, message, refused=True)


def recompress(data: bytes, wish: Wish, limits: Limits) -> Smaller | Left:
    """Make a picture smaller as wished, and check the result by decoding it. Raises PictureError for what is no
    picture, and where a result is not the picture that it was made of."""
    cv2.setNumThreads(1)
    with opened(data, limits) as image:
        image.load()
        try:
            source = _source(data, image, wish)
        except _Refused as refusal:
            return refusal.left
    made: list[Smaller] = []
    left: Left | None = None
    try:
        made.extend(_Maker(source, wish, limits).results())
    except _Refused as refusal:
        left = refusal.left
    smallest = min(made, key=lambda one: len(one.data), default=None)
    if smallest is not None and compression.is_worth_it(len(data), len(smallest.data), wish):
        return replace(smallest, source_size=source.pixels.size)
    if left is not None:
        return left
    if smallest is None:
        return Left("nothing_to_do", "It is at or below the wanted quality already.")
    size = len(smallest.data)
    gain = f"only {1 - size / len(data):.1%}" if size < len(data) else "not"
    return Left("small_gain", f"It would be {gain} smaller.", best_bytes=size)


@dataclass(frozen=True, slots=True)
class _Source:
    """A picture that may be made smaller. `pixels` are as stored, to be turned by `orientation`."""

    data: bytes
    facts: Facts
    pixels: Image.Image
    orientation: int
    clothes: Clothes
    dpi: tuple[float, float] | None
    subsampling: str
    notes: tuple[str, ...]

    @property
    def is_deep(self) -> bool:
        return self.facts.format == "PNG" and png_file.bits_per_channel(self.data) > 8


def _source(data: bytes, image: Image.Image, wish: Wish) -> _Source:
    """Raises _Refused for what has more than one picture, or a format that is not taken."""
    facts = facts_of(image)
    if facts.format not in compression.TAKEN:
        raise _Refused("format", f"{facts.format} is not made smaller: only JPEG, PNG, BMP and WebP are.")
    if facts.frames > 1:
        raise _Refused("animation", "It moves, and one picture would be left of it.")
    data, notes = _picture_alone(data, image, facts.format)
    pixels = image.copy()
    pixels.info = {"transparency": image.info["transparency"]} if "transparency" in image.info else {}
    sampling = JpegImagePlugin.get_sampling(image) if facts.format == "JPEG" else -1
    return _Source(
        data=data,
        facts=facts,
        pixels=pixels,
        orientation=orientation_of(image),
        clothes=clothes_of(facts.format, data, image.info, wish.strip),
        dpi=image.info.get("dpi"),
        subsampling=encoders.SUBSAMPLINGS.get(sampling, "4:4:4"),
        notes=notes,
    )


def _picture_alone(data: bytes, image: Image.Image, picture_format: str) -> tuple[bytes, tuple[str, ...]]:
    """The file without what is behind its picture, and notes of that. Raises _Refused where it is more than filling and
    a camera's preview, PictureError where the file is not built as its format says."""
    alone, notes = data, []
    try:
        match picture_format:
            case "JPEG":
                end = jpeg_file.end_of_picture(data)
                rest, preview = _besides_previews(data, end, image)
                alone = data[:end]
                if preview:
                    notes.append("the camera's preview behind the picture is left out")
            case "PNG":
                end = png_file.end_of_picture(data)
                alone, rest = data[:end], data[end:]
            case "WEBP":
                rest = webp_file.remainder(data)
            case _:
                rest = bmp_file.remainder(data)
    except (jpeg_file.NoJpeg, png_file.NoPng, webp_file.NoWebp, bmp_file.NoBmp) as error:
        raise PictureError("corrupt", f"corrupt {picture_format}: {error}") from error
    if rest.strip(FILLING):
        words = f"{len(rest)} bytes behind the picture (a film, a depth map, more brightness) would be lost."
        raise _Refused("more_in_file", words)
    if rest:
        notes.append(f"{len(rest)} bytes of filling behind the picture are left out")
    return alone, tuple(notes)


def _besides_previews(data: bytes, end: int, image: Image.Image) -> tuple[bytes, bool]:
    """What is behind the picture of a JPEG besides a camera's previews, and whether there are such."""
    kinds = _kinds_behind(image)
    base = jpeg_file.start_of_index(data)
    if base is None or not kinds or not all(kind.startswith(PREVIEW) for kind in kinds):
        return data[end:], False
    rest, position = [], end
    for entry in sorted(getattr(image, "mpinfo", {})[0xB002][1:], key=lambda one: int(one["DataOffset"])):
        start = base + int(entry["DataOffset"])
        preview = data[start : start + int(entry["Size"])]
        try:
            behind = start + jpeg_file.end_of_picture(preview)
        except jpeg_file.NoJpeg:
            return data[end:], False
        if start < position:
            return data[end:], False
        rest.append(data[position:start])
        position = behind
    return b"".join([*rest, data[position:]]), True


def _kinds_behind(image: Image.Image) -> list[str]:
    """What the pictures behind the first are for, as the file's own index tells."""
    try:
        entries = getattr(image, "mpinfo", {})[0xB002][1:]
        return [str(entry["Attribute"]["MPType"]) for entry in entries]
    except (KeyError, TypeError):
        return []


class _Maker:
    """Makes what may be made of one picture as wished, every result checked."""

    def __init__(self, source: _Source, wish: Wish, limits: Limits) -> None:
        self._source = source
        self._wish = wish
        self._limits = limits
        self._format = compression.result_format(source.facts.format, wish)

    def results(self) -> Iterator[Smaller]:
        """Raises _Refused where something cannot be done without loss of what nobody asked to lose."""
        facts, wish = self._source.facts, self._wish
        shown = compression.fitted(facts.width, facts.height, wish)
        if shown != (facts.width, facts.height):
            yield self._scaled(shown)
        elif self._format == facts.format or (facts.format == "BMP" and self._format == "PNG"):
            yield from self._repacked()
            if self._format == "PNG" and wish.colours:
                yield self._in_few_colours(self._source)
            elif self._format != "PNG" and self._has_quality_to_lose():
                yield from self._as_wished(self._source, self._highest())
        else:
            yield from self._converted()

    def _has_quality_to_lose(self) -> bool:
        """A JPEG at or below the wanted quality is not coded again."""
        facts, wish = self._source.facts, self._wish
        if wish.is_lossless or facts.mode not in PLAIN_MODES:
            return False
        return wish.target is not None or not facts.jpeg_quality or facts.jpeg_quality > wish.quality

    def _highest(self) -> int:
        quality = self._source.facts.jpeg_quality
        return min(quality_search.HIGHEST, quality + SOURCE_MARGIN) if quality else quality_search.HIGHEST

    # Without loss

    def _repacked(self) -> Iterator[Smaller]:
        """The same pixels in fewer bytes."""
        source = self._source
        clothes = self._clothes(source)
        if self._format == "WEBP":
            if b"VP8L" not in source.data[:64]:
                return
            data = encoders.encode_losslessly(source.pixels, "WEBP", clothes.blocks("WEBP"))
        elif self._format == "JPEG":
            data = encoders.repacked_jpeg(clothes.put_on(source.data, "JPEG"))
        elif source.facts.format == "PNG" and encoders.can_repack_any_png():
            data = clothes.put_on(encoders.repacked_png(source.data), "PNG")
        elif source.is_deep:
            raise _Refused("deep", "It has 16 bits a channel, which only oxipng would keep.")
        else:
            data = clothes.put_on(self._as_png(source), "PNG")
        yield self._same(Smaller(data, self._format, *source.pixels.size, lossless=True, notes=source.notes))

    def _same(self, result: Smaller) -> Smaller:
        """The result, if it holds the very pixels, colours and orientation. Raises PictureError."""
        source = self._source
        with opened(result.data, self._limits) as image:
            image.load()
            profile = image.info.get("icc_profile") or b""
            is_same = orientation_of(image) == source.orientation and profile == source.clothes.profile
            if not is_same or not self._holds_same_pixels(image, result.data):
                raise PictureError("corrupt", "the result does not hold the same pixels")
        return result

    def _holds_same_pixels(self, image: Image.Image, data: bytes) -> bool:
        source = self._source
        if image.size != source.pixels.size:
            return False
        if source.is_deep:
            # All 16 bits, which Pillow does not hold.
            return np.array_equal(_deep_pixels(source.data), _deep_pixels(data))
        if source.facts.mode not in PLAIN_MODES:
            return image.mode == source.pixels.mode and np.array_equal(np.asarray(image), np.asarray(source.pixels))
        return np.array_equal(_array(source.pixels, "RGBA"), _array(image, "RGBA"))

    # With loss

    def _scaled(self, shown: tuple[int, int]) -> Smaller:
        source = replace(self._source, pixels=self._plain_pixels(self._source))
        size = (shown[1], shown[0]) if source.orientation >= 5 else shown
        scaled = replace(source, pixels=source.pixels.resize(size, Image.Resampling.LANCZOS))
        if self._format == "PNG":
            if self._wish.colours:
                return self._in_few_colours(scaled)
            data = self._clothes(scaled).put_on(self._as_png(scaled), "PNG")
            return self._checked(Smaller(data, "PNG", *size, lossless=False, notes=source.notes), scaled.pixels)
        if self._format != source.facts.format:
            scaled = _upright(scaled)
        found = next(self._as_wished(scaled, quality_search.HIGHEST), None)
        # Where no quality reaches the target: the best there is.
        return found or self._at(scaled, quality_search.HIGHEST)

    def _converted(self) -> Iterator[Smaller]:
        source = _upright(replace(self._source, pixels=self._plain_pixels(self._source)))
        if self._wish.is_lossless and self._format == "WEBP" and source.facts.format != "JPEG":
            blocks = self._clothes(source).blocks("WEBP")
            data = encoders.encode_losslessly(source.pixels, "WEBP", blocks)
            result = Smaller(data, "WEBP", *source.pixels.size, lossless=True, notes=source.notes)
            yield self._checked(result, source.pixels)
        else:
            yield from self._as_wished(source, quality_search.HIGHEST)

    def _as_wished(self, source: _Source, highest: int) -> Iterator[Smaller]:
        """At the quality wished; or at the least that reaches the target, where one does."""
        target = self._wish.target
        if target is None:
            yield self._at(source, self._wish.quality)
            return
        pixels = self._coded_pixels(source)
        part = Image.fromarray(quality_search.mosaic(np.asarray(pixels)))
        quality = quality_search.least_quality(
            lambda quality: self._score_at(source, part, quality),
            lambda quality: self._score_at(source, pixels, quality),
            target.score,
            highest,
        )
        if quality is not None:
            yield self._at(source, quality)

    def _score_at(self, source: _Source, pixels: Image.Image, quality: int) -> float:
        coded = encoders.encode(pixels, self._format, quality, self._subsampling(source))
        return ssimulacra2.score(np.asarray(pixels), self._decoded(coded, pixels.mode))

    def _at(self, source: _Source, quality: int) -> Smaller:
        pixels, clothes = self._coded_pixels(source), self._clothes(source)
        blocks = clothes.blocks(self._format, source.dpi)
        data = encoders.encode(pixels, self._format, quality, self._subsampling(source), blocks)
        if self._format == "JPEG":
            data = clothes.put_on(encoders.repacked_jpeg(data), "JPEG")
        result = Smaller(data, self._format, *pixels.size, lossless=False, quality=quality, notes=source.notes)
        return self._checked(result, pixels)

    def _in_few_colours(self, source: _Source) -> Smaller:
        pixels = self._plain_pixels(source)
        reduced = encoders.with_colours(pixels, self._wish.colours)
        data = self._clothes(source).put_on(self._as_png(replace(source, pixels=reduced)), "PNG")
        decoded = self._decoded(data, pixels.mode)
        if not np.array_equal(decoded, _array(reduced, pixels.mode)):
            raise PictureError("corrupt", "the result does not hold the colours that were chosen")
        score = round(ssimulacra2.score(np.asarray(pixels), decoded), 2)
        target = self._wish.target
        if target is not None and score < target.score:
            raise _Refused("few_colours", f"In {self._wish.colours} colours it would not look as wished.")
        return Smaller(data, "PNG", *pixels.size, lossless=score == EQUAL, score=score, notes=source.notes)

    # Helpers

    def _as_png(self, source: _Source) -> bytes:
        return encoders.encode_losslessly(source.pixels, "PNG", source.clothes.blocks("PNG", source.dpi))

    def _clothes(self, source: _Source) -> Clothes:
        before = self._source
        if source.pixels.size == before.pixels.size and source.orientation == before.orientation:
            return source.clothes.as_asked(source.orientation)
        return source.clothes.fitting(*source.pixels.size, source.orientation)

    def _subsampling(self, source: _Source) -> str:
        """Colours keep the resolution that they had; a search finds out by itself what is fine enough."""
        if source.facts.format == "JPEG":
            return source.subsampling
        return "4:4:4" if self._wish.target else ""

    def _coded_pixels(self, source: _Source) -> Image.Image:
        """As the format's encoder takes them: WebP has no grey."""
        pixels = self._plain_pixels(source)
        return pixels.convert("RGB") if self._format == "WEBP" and pixels.mode == "L" else pixels

    def _plain_pixels(self, source: _Source) -> Image.Image:
        """L, RGB, or RGBA where some are transparent. Raises _Refused for pixels that hold more than those."""
        pixels = source.pixels
        if pixels.mode == "CMYK":
            raise _Refused("cmyk", "Its colours are for print (CMYK): it is only repacked, not scaled or coded anew.")
        if pixels.mode not in PLAIN_MODES or (source.is_deep and pixels.size == self._source.pixels.size):
            raise _Refused("deep", "Its pixels have more than 8 bits a channel, and half of them would be lost.")
        if pixels.has_transparency_data:
            clear = pixels.convert("RGBA")
            if clear.getchannel("A").getextrema()[0] != OPAQUE:
                if self._format == "JPEG":
                    raise _Refused("transparency", "Parts of it are transparent, which JPEG cannot hold.")
                return clear
            pixels = clear.convert("RGB")
        if pixels.mode in ("1", "L", "LA"):
            return pixels if pixels.mode == "L" else pixels.convert("L")
        return pixels if pixels.mode == "RGB" else pixels.convert("RGB")

    def _checked(self, result: Smaller, pixels: Image.Image) -> Smaller:
        """The result with its score, decoded anew. Raises PictureError where it shows something else."""
        decoded = self._decoded(result.data, pixels.mode)
        wanted = np.asarray(pixels)
        if decoded.shape != wanted.shape:
            raise PictureError("corrupt", f"the result has {decoded.shape} pixels instead of {wanted.shape}")
        score = ssimulacra2.score(wanted, decoded)
        off = _parts_off(wanted, decoded)
        is_off = float(off.mean()) > MEAN_OFF or float(np.percentile(off, 99)) > MOST_OFF
        if is_off or (result.quality >= TOLD_QUALITY and score < TOLD_SCORE):
            raise PictureError("corrupt", "the result does not show what it was made of")
        return replace(result, score=round(score, 2))

    def _decoded(self, data: bytes, mode: str) -> Bytes:
        with opened(data, self._limits) as image:
            image.load()
            return _array(image, mode)


def _upright(source: _Source) -> _Source:
    """Turned as it is shown, for a format in which viewers do not agree on who turns it."""
    turn = pictures.TURN_OF_ORIENTATION.get(source.orientation)
    if turn is None:
        return source
    return replace(source, pixels=source.pixels.transpose(turn), orientation=1)


def _array(pixels: Image.Image, mode: str) -> Bytes:
    return np.asarray(pixels if pixels.mode == mode else pixels.convert(mode))


def _deep_pixels(data: bytes) -> NDArray[Any]:
    """Of a PNG, with all its bits, in the one form that tells colour, transparency and 16 bits."""
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)
    if pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * 257
    if pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 65_535, np.uint16)])
    return np.asarray(pixels)


def _parts_off(first: Bytes, second: Bytes) -> NDArray[np.float32]:
    side = (min(CHECK_SIDE, first.shape[1]), min(CHECK_SIDE, first.shape[0]))
    small = [cv2.resize(one, side, interpolation=cv2.INTER_AREA).astype(np.float32) for one in (first, second)]
    return np.asarray(np.abs(small[0] - small[1]))
