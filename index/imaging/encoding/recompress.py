"""EDGE: compresses a picture into fewer bytes that look the same, checked against the source, with its metadata.

Runs in worker processes only. A picture that cannot be compressed without losing more than was requested, or for which
it is not worth it, is skipped with a reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from index.errors import PictureError
from index.imaging.decoding import jpeg_file, pictures, png_file, webp_file
from index.imaging.decoding.facts import facts_of, has_resolution, orientation_of
from index.imaging.decoding.pictures import Limits, opened
from index.imaging.encoding import (
    bmp_file,
    compression,
    encoders,
    palette,
    quality_search,
    ssimulacra2,
    trailer,
)
from index.imaging.encoding.compression import CompressionOptions
from index.imaging.encoding.metadata import Metadata, read_metadata
from index.imaging.encoding.trailer import Trailer
from index.imaging.encoding.xmp_packet import has_regions
from index.messages import Message
from index.model import Facts

Bytes = NDArray[np.uint8]

# Previews that a camera appends to the picture (CIPA DC-007); other kinds are separate pictures.
PREVIEW: Final = "Large Thumbnail"
# Modes that can be scaled and encoded lossily; others are only repacked.
PLAIN_MODES: Final = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})
# A JPEG's quality is known from its tables to a few points; the search need not go higher.
SOURCE_MARGIN: Final = 2
# Levels of 255 by which a result may differ from its source, reduced to 64 x 64: on average, and in all but one of a
# hundred of these parts. JPEG at quality 1 differs by 14 and 48.
CHECK_SIDE: Final = 64
MEAN_OFF: Final = 20.0
MOST_OFF: Final = 72.0
# From this quality on, a result scores more than this even if it is pure noise, and less if a quarter is missing.
REPORTED_QUALITY: Final = 50
REPORTED_SCORE: Final = 0.0
OPAQUE: Final = 255
EQUAL: Final = 100.0


@dataclass(frozen=True, slots=True)
class Recompressed:
    """A result. Sizes are as stored. `score` is SSIMULACRA 2 against the source at the result's size, 100 if every
    pixel is equal; `quality` is 0 if none was chosen. `notes` list what else changed."""

    data: bytes
    format: str
    width: int
    height: int
    lossless: bool
    quality: int = 0
    score: float = 100.0
    notes: tuple[Message, ...] = ()
    source_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a picture is skipped. `refused` if it could not be compressed without losing something; otherwise nothing
    could be saved. `best_bytes` is the size of the smallest result, 0 if there was none."""

    reason: str
    message: Message
    refused: bool = False
    best_bytes: int = 0


class _Refused(Exception):
    def __init__(self, reason: str, code: str, /, **params: object) -> None:
        message = Message(code, **params)
        super().__init__(message)
        self.skipped = Skipped(reason, message, refused=True)


def recompress(data: bytes, options: CompressionOptions, limits: Limits) -> Recompressed | Skipped:
    """Make a picture smaller with these options, and check the result by decoding it. Raises PictureError if the bytes
    are no picture, or if a result does not show its source."""
    cv2.setNumThreads(1)
    data = pictures.with_end_marker(data)
    with opened(data, limits) as image:
        image.load()
        try:
            _require_sound(data, image)
            source = _source(data, image, options)
        except _Refused as refusal:
            return refusal.skipped
    made: list[Recompressed] = []
    skipped: Skipped | None = None
    try:
        results = _Encoder(source, options, limits).results()
        made.extend(replace(result, data=result.data + source.behind) for result in results)
    except _Refused as refusal:
        skipped = refusal.skipped
    smallest = min(made, key=lambda result: len(result.data), default=None)
    if smallest is not None and compression.is_worth_it(len(data), len(smallest.data), options):
        return replace(smallest, source_size=source.pixels.size)
    if skipped is not None:
        return skipped
    if smallest is None:
        stays = options.baseline and source.facts.format == "JPEG" and options.is_lossless
        return Skipped("nothing_to_do", Message("compress.baseline_stays" if stays else "compress.at_quality"))
    size = len(smallest.data)
    gain = Message("compress.no_gain")
    if size < len(data):
        gain = Message("compress.small_gain", percent=round(100 * (1 - size / len(data)), 1))
    return Skipped("small_gain", gain, best_bytes=size)


def _require_sound(data: bytes, image: Image.Image) -> None:
    """Raises _Refused for a damaged picture: a result would hide the damage, and another program may be able to read
    more of it."""
    damage = pictures.damage_of(data, image)
    if damage:
        raise _Refused("damaged", "compress.damaged", problem=damage)


@dataclass(frozen=True, slots=True)
class _Source:
    """A picture to make smaller. `pixels` are as stored, before they are rotated by `orientation`; `behind` is what is
    appended to the result."""

    data: bytes
    facts: Facts
    pixels: Image.Image
    orientation: int
    metadata: Metadata
    dpi: tuple[float, float] | None
    subsampling: str
    notes: tuple[Message, ...]
    behind: bytes = b""

    @property
    def is_deep(self) -> bool:
        return self.facts.format == "PNG" and png_file.bits_per_channel(self.data) > 8


def _source(data: bytes, image: Image.Image, options: CompressionOptions) -> _Source:
    """Raises _Refused for a file with more than one picture, or in an unsupported format."""
    facts = facts_of(image)
    if facts.format not in compression.TAKEN:
        raise _Refused("format", "compress.format", format=facts.format)
    if facts.frames > 1:
        raise _Refused("animation", "compress.animation")
    data, behind, notes = _picture_alone(data, image, facts.format, options)
    made = compression.result_format(facts.format, options)
    dpi = _dpi(image)
    metadata, left = read_metadata(facts.format, data, image.info, options.strip).in_format(made, dpi)
    if (block := metadata.too_long_for(made)) is not None:
        raise _Refused("metadata", "compress.metadata_too_long", block=block, n=round(metadata.length_of(block) / 1024))
    notes += tuple(Message(f"compress.left_{kind}") for kind in sorted(left))
    if made != facts.format and orientation_of(image) != 1 and not options.strip and has_regions(metadata.xmp):
        notes += (Message("compress.regions_not_turned"),)
    pixels = image.copy()
    pixels.info = {"transparency": image.info["transparency"]} if "transparency" in image.info else {}
    sampling = JpegImagePlugin.get_sampling(image) if facts.format == "JPEG" else -1
    return _Source(
        data=data,
        facts=facts,
        pixels=pixels,
        orientation=orientation_of(image),
        metadata=metadata,
        dpi=dpi,
        subsampling=encoders.SUBSAMPLINGS.get(sampling, "4:4:4"),
        notes=notes,
        behind=behind,
    )


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """The resolution that a file states. For a JPEG with EXIF but without any, Pillow says 72."""
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2) and not has_resolution(image):
        return None
    return image.info.get("dpi")


def _picture_alone(
    data: bytes, image: Image.Image, picture_format: str, options: CompressionOptions
) -> tuple[bytes, bytes, tuple[Message, ...]]:
    """The file without the data after its picture, the part of that data that is appended to the result, and notes on
    the rest. Raises _Refused if meaningful data would be lost, PictureError if the file is not valid for its format."""
    alone = data
    notes: list[Message] = []
    kind = Trailer.OTHER
    try:
        match picture_format:
            case "JPEG":
                end = jpeg_file.end_of_picture(data)
                rest, preview = _besides_previews(data, end, image)
                alone = data[:end]
                if preview:
                    notes.append(Message("compress.preview_dropped"))
                else:
                    kind = trailer.kind_of(rest)
            case "PNG":
                end = png_file.end_of_picture(data)
                alone, rest = data[:end], data[end:]
                kind = trailer.kind_of(rest)
            case "WEBP":
                rest = webp_file.remainder(data)
                if rest == data[webp_file.end_of_file(data) :]:
                    kind = trailer.kind_of(rest)
            case _:
                # A colour profile may be among them.
                rest = bmp_file.remainder(data)
    except (jpeg_file.NoJpeg, png_file.NoPng, webp_file.NoWebp, bmp_file.NoBmp) as error:
        raise PictureError("corrupt", "picture.corrupt_with_reason", format=picture_format, problem=error) from error
    if not rest.strip(trailer.FILLING):
        if rest:
            notes.append(Message("compress.filling_dropped", n=len(rest)))
        return alone, b"", tuple(notes)
    keeps = compression.result_format(picture_format, options) == picture_format and not options.strip
    if kind in (Trailer.STRAY, Trailer.SAMSUNG, Trailer.SAMSUNG_FILM) and keeps:
        return alone, rest, tuple(notes)
    if kind in (Trailer.STRAY, Trailer.SAMSUNG):
        code = "compress.stray_dropped" if kind is Trailer.STRAY else "compress.samsung_dropped"
        return alone, b"", (*notes, Message(code, n=len(rest)))
    raise _Refused("more_in_file", "compress.more_in_file", n=len(rest))


def _besides_previews(data: bytes, end: int, image: Image.Image) -> tuple[bytes, bool]:
    """The bytes after the picture of a JPEG except a camera's previews, and whether there are previews."""
    kinds = _kinds_behind(image)
    base = jpeg_file.start_of_index(data)
    if base is None or not kinds or not all(kind.startswith(PREVIEW) for kind in kinds):
        return data[end:], False
    rest, position = [], end
    for entry in sorted(getattr(image, "mpinfo", {})[0xB002][1:], key=lambda preview: int(preview["DataOffset"])):
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
    """The types of the pictures after the first, from the index in the file."""
    try:
        entries = getattr(image, "mpinfo", {})[0xB002][1:]
        return [str(entry["Attribute"]["MPType"]) for entry in entries]
    except (KeyError, TypeError):
        return []


class _Encoder:
    """Makes the results that the options allow for one picture; every result is checked."""

    def __init__(self, source: _Source, options: CompressionOptions, limits: Limits) -> None:
        self._source = source
        self._options = options
        self._limits = limits
        self._format = compression.result_format(source.facts.format, options)

    def results(self) -> Iterator[Recompressed]:
        """Raises _Refused if a result would lose more than was requested."""
        facts, options = self._source.facts, self._options
        shown = compression.fitted(facts.width, facts.height, options)
        if shown != (facts.width, facts.height):
            yield self._scaled(shown)
        elif self._format == facts.format or (facts.format == "BMP" and self._format == "PNG"):
            yield from self._repacked()
            if self._format == "PNG" and options.colours:
                yield self._in_few_colours(self._source)
            elif self._format != "PNG" and self._has_quality_to_lose():
                yield from self._as_requested(self._source, self._highest())
        else:
            yield from self._converted()

    def _has_quality_to_lose(self) -> bool:
        """A JPEG at or below the requested quality is not encoded again."""
        facts, options = self._source.facts, self._options
        if options.is_lossless or facts.mode not in PLAIN_MODES:
            return False
        return options.target is not None or not facts.jpeg_quality or facts.jpeg_quality > options.quality

    def _highest(self) -> int:
        quality = self._source.facts.jpeg_quality
        return min(quality_search.HIGHEST, quality + SOURCE_MARGIN) if quality else quality_search.HIGHEST

    # Without loss

    def _repacked(self) -> Iterator[Recompressed]:
        """The same pixels in fewer bytes."""
        source = self._source
        metadata = self._metadata(source)
        if self._format == "WEBP":
            if b"VP8L" not in source.data[:64]:
                return
            data = encoders.encode_losslessly(source.pixels, "WEBP", metadata.blocks("WEBP"))
        elif self._format == "JPEG" and self._options.baseline:
            # Packing the coefficients better makes a progressive JPEG of them.
            if not self._options.strip or not jpeg_file.is_baseline(source.data):
                return
            data = metadata.embed(source.data, "JPEG")
        elif self._format == "JPEG":
            data = encoders.repacked_jpeg(metadata.embed(source.data, "JPEG"))
        elif source.facts.format == "PNG" and encoders.can_repack_any_png():
            data = metadata.embed(encoders.repacked_png(source.data), "PNG")
        elif source.is_deep:
            raise _Refused("deep", "compress.deep_repack")
        else:
            data = metadata.embed(self._as_png(source), "PNG")
        yield self._same(Recompressed(data, self._format, *source.pixels.size, lossless=True, notes=source.notes))

    def _same(self, result: Recompressed) -> Recompressed:
        """The result, if it has exactly the same pixels, colours and orientation. Raises PictureError otherwise."""
        source = self._source
        with opened(result.data, self._limits) as image:
            image.load()
            profile = image.info.get("icc_profile") or b""
            is_same = orientation_of(image) == source.orientation and profile == source.metadata.profile
            if not is_same or not self._holds_same_pixels(image, result.data):
                raise PictureError("corrupt", "picture.result_other_pixels")
        return result

    def _holds_same_pixels(self, image: Image.Image, data: bytes) -> bool:
        source = self._source
        if image.size != source.pixels.size:
            return False
        if source.is_deep:
            # All 16 bits, which Pillow cannot store.
            return np.array_equal(_deep_pixels(source.data), _deep_pixels(data))
        if source.facts.mode not in PLAIN_MODES:
            return image.mode == source.pixels.mode and np.array_equal(np.asarray(image), np.asarray(source.pixels))
        return np.array_equal(_array(source.pixels, "RGBA"), _array(image, "RGBA"))

    # With loss

    def _scaled(self, shown: tuple[int, int]) -> Recompressed:
        source = replace(self._source, pixels=self._plain_pixels(self._source))
        size = (shown[1], shown[0]) if source.orientation >= 5 else shown
        scaled = replace(source, pixels=source.pixels.resize(size, Image.Resampling.LANCZOS))
        if self._format == "PNG":
            if self._options.colours:
                return self._in_few_colours(scaled)
            data = self._metadata(scaled).embed(self._as_png(scaled), "PNG")
            return self._checked(Recompressed(data, "PNG", *size, lossless=False, notes=source.notes), scaled.pixels)
        if self._format != source.facts.format:
            scaled = _upright(scaled)
        reaching = list(self._as_requested(scaled, quality_search.HIGHEST))
        best = min(reaching, key=lambda result: len(result.data), default=None)
        # If no quality reaches the target, the best possible one.
        return best or self._at(scaled, quality_search.HIGHEST)

    def _converted(self) -> Iterator[Recompressed]:
        source = _upright(replace(self._source, pixels=self._plain_pixels(self._source)))
        if self._options.is_lossless and self._format == "WEBP" and source.facts.format != "JPEG":
            blocks = self._metadata(source).blocks("WEBP")
            data = encoders.encode_losslessly(source.pixels, "WEBP", blocks)
            result = Recompressed(data, "WEBP", *source.pixels.size, lossless=True, notes=source.notes)
            yield self._checked(result, source.pixels)
        else:
            yield from self._as_requested(source, quality_search.HIGHEST)

    def _as_requested(self, source: _Source, highest: int) -> Iterator[Recompressed]:
        """At the requested quality, or at the lowest that reaches the target, if one does."""
        target = self._options.target
        pixels = self._coded_pixels(source)
        by_jpegli = self._format == "JPEG" and encoders.can_use_jpegli(
            pixels, self._subsampling(source), baseline=self._options.baseline
        )
        if target is None:
            usual = self._at(source, self._options.quality)
            yield usual
            # The quality is libjpeg's: jpegli gets the one that looks equally good.
            if by_jpegli and (better := self._reaching(source, pixels, usual.score, jpegli=True)) is not None:
                yield replace(better, quality=usual.quality)
            return
        # Its qualities are not those of libjpeg, to which `highest` belongs.
        for jpegli, most in ((True, quality_search.HIGHEST), (False, highest))[not by_jpegli :]:
            if (reaching := self._reaching(source, pixels, target.score, most, jpegli=jpegli)) is not None:
                yield reaching

    def _reaching(
        self, source: _Source, pixels: Image.Image, score: float, highest: int = quality_search.HIGHEST, *, jpegli: bool
    ) -> Recompressed | None:
        """At the lowest quality up to `highest` that reaches a score; None if none does."""
        part = Image.fromarray(quality_search.mosaic(np.asarray(pixels)))
        quality = quality_search.least_quality(
            partial(self._score_at, source, part, jpegli=jpegli),
            partial(self._score_at, source, pixels, jpegli=jpegli),
            score,
            highest,
        )
        return None if quality is None else self._at(source, quality, jpegli=jpegli)

    def _score_at(self, source: _Source, pixels: Image.Image, quality: int, *, jpegli: bool) -> float:
        if jpegli:
            coded = encoders.encode_by_jpegli(pixels, quality)
        else:
            coded = encoders.encode(pixels, self._format, quality, self._subsampling(source))
        return ssimulacra2.score(np.asarray(pixels), self._decoded(coded, pixels.mode))

    def _at(self, source: _Source, quality: int, *, jpegli: bool = False) -> Recompressed:
        pixels, metadata = self._coded_pixels(source), self._metadata(source)
        blocks = metadata.blocks(self._format, source.dpi)
        if jpegli:
            data = encoders.encode_by_jpegli(pixels, quality, source.dpi)
        else:
            baseline = self._options.baseline
            data = encoders.encode(pixels, self._format, quality, self._subsampling(source), blocks, baseline=baseline)
        if self._format == "JPEG":
            data = metadata.embed(self._packed(data, source, is_grey=jpegli and pixels.mode == "L"), "JPEG")
        result = Recompressed(data, self._format, *pixels.size, lossless=False, quality=quality, notes=source.notes)
        return self._checked(result, pixels)

    def _packed(self, data: bytes, source: _Source, *, is_grey: bool) -> bytes:
        if self._options.baseline:
            return data
        return encoders.repacked_grey_jpeg(data, source.dpi) if is_grey else encoders.repacked_jpeg(data)

    def _in_few_colours(self, source: _Source) -> Recompressed:
        pixels = self._plain_pixels(source)
        reduced = palette.reduced(pixels, self._options.colours)
        data = self._metadata(source).embed(self._as_png(replace(source, pixels=reduced)), "PNG")
        decoded = self._decoded(data, pixels.mode)
        if not np.array_equal(decoded, _array(reduced, pixels.mode)):
            raise PictureError("corrupt", "picture.result_other_colours")
        score = round(ssimulacra2.score(np.asarray(pixels), decoded), 2)
        target = self._options.target
        if target is not None and score < target.score:
            raise _Refused("few_colours", "compress.few_colours", n=self._options.colours)
        return Recompressed(data, "PNG", *pixels.size, lossless=score == EQUAL, score=score, notes=source.notes)

    # Helpers

    def _as_png(self, source: _Source) -> bytes:
        return encoders.encode_losslessly(source.pixels, "PNG", source.metadata.blocks("PNG", source.dpi))

    def _metadata(self, source: _Source) -> Metadata:
        before = self._source
        if source.pixels.size == before.pixels.size and source.orientation == before.orientation:
            return source.metadata.stripped(source.orientation)
        turned = (before.orientation >= 5) != (source.orientation >= 5)
        size = before.pixels.size[::-1] if turned else before.pixels.size
        return source.metadata.for_pixels(size, source.pixels.size, source.orientation, before.orientation)

    def _subsampling(self, source: _Source) -> str:
        """That of a JPEG source; full resolution for a search; "" for the encoder's default."""
        if source.facts.format == "JPEG":
            return source.subsampling
        return "4:4:4" if self._options.target else ""

    def _coded_pixels(self, source: _Source) -> Image.Image:
        """The pixels as the format's encoder takes them: WebP has no grey."""
        pixels = self._plain_pixels(source)
        return pixels.convert("RGB") if self._format == "WEBP" and pixels.mode == "L" else pixels

    def _plain_pixels(self, source: _Source) -> Image.Image:
        """L, RGB, or RGBA if some pixels are transparent. Raises _Refused for pixels with more data than these can
        store."""
        pixels = source.pixels
        if pixels.mode == "CMYK":
            raise _Refused("cmyk", "compress.cmyk")
        if pixels.mode not in PLAIN_MODES or (source.is_deep and pixels.size == self._source.pixels.size):
            raise _Refused("deep", "compress.deep")
        if pixels.has_transparency_data:
            clear = pixels.convert("RGBA")
            if clear.getchannel("A").getextrema()[0] != OPAQUE:
                if self._format == "JPEG":
                    raise _Refused("transparency", "compress.transparency")
                return clear
            pixels = clear.convert("RGB")
        if pixels.mode in ("1", "L", "LA"):
            return pixels if pixels.mode == "L" else pixels.convert("L")
        return pixels if pixels.mode == "RGB" else pixels.convert("RGB")

    def _checked(self, result: Recompressed, pixels: Image.Image) -> Recompressed:
        """The result with its score, decoded to check it. Raises PictureError if it does not show its source."""
        decoded = self._decoded(result.data, pixels.mode)
        wanted = np.asarray(pixels)
        if decoded.shape != wanted.shape:
            raise PictureError("corrupt", "picture.result_other_size", shape=decoded.shape, wanted=wanted.shape)
        score = ssimulacra2.score(wanted, decoded)
        off = _parts_off(wanted, decoded)
        is_off = float(off.mean()) > MEAN_OFF or float(np.percentile(off, 99)) > MOST_OFF
        if is_off or (result.quality >= REPORTED_QUALITY and score < REPORTED_SCORE):
            raise PictureError("corrupt", "picture.result_other_picture")
        return replace(result, score=round(score, 2))

    def _decoded(self, data: bytes, mode: str) -> Bytes:
        with opened(data, self._limits) as image:
            image.load()
            return _array(image, mode)


def _upright(source: _Source) -> _Source:
    """Rotated as it is shown, for a format whose orientation not all viewers apply."""
    turn = pictures.TURN_OF_ORIENTATION.get(source.orientation)
    if turn is None:
        return source
    return replace(source, pixels=source.pixels.transpose(turn), orientation=1)


def _array(pixels: Image.Image, mode: str) -> Bytes:
    return np.asarray(pixels if pixels.mode == mode else pixels.convert(mode))


def _deep_pixels(data: bytes) -> NDArray[Any]:
    """The pixels of a PNG with all their bits, in one common form: colour, transparency and 16 bits."""
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
    small = [cv2.resize(pixels, side, interpolation=cv2.INTER_AREA).astype(np.float32) for pixels in (first, second)]
    return np.asarray(np.abs(small[0] - small[1]))
