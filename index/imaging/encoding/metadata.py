"""PURE: copies EXIF, XMP and the colour profile of a source into the result, or only profile and orientation.

From JPEG to JPEG or PNG to PNG, everything is copied byte for byte, except what describes the pixels themselves. To
another format, what all of them support is copied: EXIF, XMP and the colour profile, with captions, keywords and texts
as XMP.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from index.imaging.decoding import jpeg_file, png_file
from index.imaging.encoding import exif_block, xmp_packet
from index.imaging.encoding.texts import XMP_NAME, texts_of

# The value that readers assume for a file that has none.
ASSUMED_DPI: Final = (72, 72)
# Formats whose encoder writes the metadata. In the others it is embedded as segments or chunks.
BY_ENCODER: Final = frozenset({"WEBP", "AVIF"})


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a picture: of the file `source` (b"" for a format without), the EXIF block with its prefix, the
    XMP packet and the ICC profile, b"" if there is none, and the dpi for a PNG whose source was not a PNG."""

    format: str
    source: bytes
    exif: bytes
    xmp: bytes
    profile: bytes
    strip: bool = False
    dpi: tuple[float, float] | None = None

    def for_pixels(self, before: tuple[int, int], after: tuple[int, int], orientation: int, was: int) -> "Metadata":
        """The metadata for a picture whose size changed, as stored and without rotation, with this orientation in place
        of another one."""
        numbers = exif_block.of_size(*after) | {exif_block.ORIENTATION: orientation}
        exif = exif_block.with_numbers(self.exif, numbers)
        # An orientation that only XMP has stays: nothing was rotated by it.
        changed = None if orientation == was else orientation
        return replace(self, exif=exif, xmp=xmp_packet.for_pixels(self.xmp, before, after, changed)).stripped(
            orientation
        )

    def in_format(self, picture_format: str, dpi: tuple[float, float] | None) -> tuple["Metadata", set[str]]:
        """The metadata as another format can store it, and what it cannot store: dpi, or as Texts.others."""
        if picture_format == self.format or self.strip:
            return self, set()
        texts = texts_of(self.format, self.source)
        left, xmp = set(texts.others), self.xmp or texts.xmp
        if not xmp and (texts.named or texts.keywords):
            xmp = xmp_packet.of_texts(texts.named, tuple(texts.keywords))
        else:
            xmp = xmp_packet.with_texts(xmp, texts.named, tuple(texts.keywords))
        if not all(xmp_packet.holds(xmp, text) for text in (*texts.named.values(), *texts.keywords)):
            left.add({"JPEG": "iptc", "PNG": "texts"}.get(self.format, "texts"))
        exif = self.exif or _with_prefix(texts.exif)
        # A value that readers assume by default is not carried over.
        dpi = None if dpi is not None and tuple(dpi) == ASSUMED_DPI else dpi
        if dpi and picture_format in BY_ENCODER and not exif:
            exif = exif_block.of_resolution(dpi)
        elif dpi and picture_format in BY_ENCODER and not exif_block.has_resolution(exif):
            left.add("dpi")
        return replace(self, exif=exif, xmp=xmp, dpi=dpi), left

    def too_long_for(self, picture_format: str) -> str | None:
        """The name of a block that does not fit into the format: EXIF or XMP in a segment of a JPEG."""
        if picture_format != "JPEG" or self.strip:
            return None
        if len(self.exif) > jpeg_file.LONGEST_PAYLOAD:
            return "EXIF"
        is_new = self.format != "JPEG" and len(XMP_NAME) + len(self.xmp) > jpeg_file.LONGEST_PAYLOAD
        return "XMP" if is_new else None

    def length_of(self, block: str) -> int:
        """The length of a block in bytes, by the name that too_long_for gives."""
        return len(self.exif if block == "EXIF" else self.xmp)

    def stripped(self, orientation: int) -> "Metadata":
        """All metadata or, if `strip`, only the orientation and the colour profile."""
        if not self.strip:
            return self
        return replace(self, exif=b"" if orientation == 1 else exif_block.of_orientation(orientation), xmp=b"")

    def embed(self, data: bytes, picture_format: str) -> bytes:
        """The file with this metadata in place of its own; WEBP and AVIF get it from their encoder."""
        match picture_format:
            case "JPEG":
                return jpeg_file.with_metadata(data, self._segments())
            case "PNG":
                return png_file.with_metadata(data, self._chunks())
        return data

    def blocks(self, picture_format: str, dpi: tuple[float, float] | None = None) -> dict[str, Any]:
        """The arguments for an encoder that writes metadata."""
        if picture_format not in BY_ENCODER:
            return {"dpi": dpi} if dpi else {}
        given = {"exif": self.exif, "icc_profile": self.profile, "xmp": self.xmp}
        return {name: block for name, block in given.items() if block}

    def _segments(self) -> list[jpeg_file.Segment]:
        if self.format != "JPEG":
            return self._new_segments()
        others = [segment for segment in jpeg_file.metadata_of(self.source) if not segment.is_exif]
        kept = [self._with_own_xmp(segment) for segment in others if segment.is_profile or not self.strip]
        return [jpeg_file.Segment(jpeg_file.APP1, self.exif), *kept] if self.exif else kept

    def _with_own_xmp(self, segment: jpeg_file.Segment) -> jpeg_file.Segment:
        """The XMP packet of the source in its present form, unless it became too long for its segment."""
        is_packet = segment.marker == jpeg_file.APP1 and segment.payload.startswith(XMP_NAME)
        if not is_packet or not self.xmp or len(XMP_NAME) + len(self.xmp) > jpeg_file.LONGEST_PAYLOAD:
            return segment
        return jpeg_file.Segment(jpeg_file.APP1, XMP_NAME + self.xmp)

    def _new_segments(self) -> list[jpeg_file.Segment]:
        room = jpeg_file.LONGEST_PAYLOAD
        named = (self.exif, XMP_NAME + self.xmp if self.xmp else b"")
        segments = [jpeg_file.Segment(jpeg_file.APP1, block) for block in named if 0 < len(block) <= room]
        piece = room - len(jpeg_file.ICC) - 2
        parts = [self.profile[start : start + piece] for start in range(0, len(self.profile), piece)]
        for number, part in enumerate(parts, 1):
            segments.append(jpeg_file.Segment(jpeg_file.APP2, jpeg_file.ICC + bytes([number, len(parts)]) + part))
        return segments

    def _chunks(self) -> list[png_file.Chunk]:
        if self.format != "PNG":
            return self._new_chunks()
        others = [chunk for chunk in png_file.metadata_of(self.source) if chunk.kind != png_file.EXIF]
        kept = [self._with_own_packet(chunk) for chunk in others if not self.strip or chunk.kind in png_file.COLOUR]
        return [*kept, *self._exif_chunk()]

    def _with_own_packet(self, chunk: png_file.Chunk) -> png_file.Chunk:
        """The XMP packet of the source in its present form."""
        is_packet = chunk.kind == b"iTXt" and chunk.payload.startswith(b"XML:com.adobe.xmp\0")
        return png_file.xmp_chunk(self.xmp) if is_packet and self.xmp else chunk

    def _new_chunks(self) -> list[png_file.Chunk]:
        profile = [png_file.profile_chunk(self.profile)] if self.profile else []
        resolution = [png_file.resolution_chunk(self.dpi)] if self.dpi else []
        packet = [png_file.xmp_chunk(self.xmp)] if self.xmp else []
        return [*profile, *resolution, *packet, *self._exif_chunk()]

    def _exif_chunk(self) -> list[png_file.Chunk]:
        block = self.exif.removeprefix(exif_block.PREFIX)
        return [png_file.Chunk(png_file.EXIF, block)] if block else []


def read_metadata(picture_format: str, source: bytes, info: Mapping[Any, Any], strip: bool) -> Metadata:
    """The metadata of a file, from Pillow's `info` of it."""
    exif = _with_prefix(info.get("exif") or b"")
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    return Metadata(picture_format, source, exif, xmp, info.get("icc_profile") or b"", strip)


def _with_prefix(block: bytes) -> bytes:
    return exif_block.PREFIX + block if block and not block.startswith(exif_block.PREFIX) else block
