"""PURE: puts the metadata of a source into what was made of it, or its colours and orientation alone.

Between two JPEG or two PNG everything goes over as the bytes it is; into another format what all of them have: EXIF,
XMP and the colour profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from index.encoding import exif_block, jpeg_file, png_file

XMP_NAME: Final = b"http://ns.adobe.com/xap/1.0/\0"
# In what an encoder is given them by name; the others are files of segments or chunks.
BY_ENCODER: Final = frozenset({"WEBP", "AVIF"})


@dataclass(frozen=True, slots=True)
class Clothes:
    """The metadata of a picture: of the file `source` (b"" for a format without), the EXIF block with its prefix, the
    XMP packet and the ICC profile, b"" where there is none."""

    format: str
    source: bytes
    exif: bytes
    xmp: bytes
    profile: bytes
    strip: bool = False

    def fitting(self, width: int, height: int, orientation: int) -> "Clothes":
        """Those for a picture of this size, as stored, that is to be turned so."""
        numbers = exif_block.of_size(width, height) | {exif_block.ORIENTATION: orientation}
        return replace(self, exif=exif_block.with_numbers(self.exif, numbers)).as_asked(orientation)

    def as_asked(self, orientation: int) -> "Clothes":
        """All of it; or, stripped, what says which way up and in which colours a picture is shown."""
        if not self.strip:
            return self
        return replace(self, exif=b"" if orientation == 1 else exif_block.of_orientation(orientation), xmp=b"")

    def put_on(self, data: bytes, picture_format: str) -> bytes:
        """The file with this metadata in place of its own; WEBP and AVIF have it from their encoder."""
        match picture_format:
            case "JPEG":
                return jpeg_file.with_metadata(data, self._segments())
            case "PNG":
                return png_file.with_metadata(data, self._chunks())
        return data

    def blocks(self, picture_format: str, dpi: tuple[float, float] | None = None) -> dict[str, Any]:
        """What an encoder is to be given."""
        if picture_format not in BY_ENCODER:
            return {"dpi": dpi} if dpi else {}
        given = {"exif": self.exif, "icc_profile": self.profile, "xmp": self.xmp}
        return {name: block for name, block in given.items() if block}

    def _segments(self) -> list[jpeg_file.Segment]:
        if self.format != "JPEG":
            return self._new_segments()
        told = [segment for segment in jpeg_file.metadata_of(self.source) if not segment.is_exif]
        kept = [segment for segment in told if segment.is_profile or not self.strip]
        return [jpeg_file.Segment(jpeg_file.APP1, self.exif), *kept] if self.exif else kept

    def _new_segments(self) -> list[jpeg_file.Segment]:
        room = jpeg_file.LONGEST_PAYLOAD
        named = (self.exif, XMP_NAME + self.xmp if self.xmp else b"")
        found = [jpeg_file.Segment(jpeg_file.APP1, block) for block in named if 0 < len(block) <= room]
        piece = room - len(jpeg_file.ICC) - 2
        parts = [self.profile[start : start + piece] for start in range(0, len(self.profile), piece)]
        for number, part in enumerate(parts, 1):
            found.append(jpeg_file.Segment(jpeg_file.APP2, jpeg_file.ICC + bytes([number, len(parts)]) + part))
        return found

    def _chunks(self) -> list[png_file.Chunk]:
        if self.format != "PNG":
            return self._new_chunks()
        told = [chunk for chunk in png_file.metadata_of(self.source) if chunk.kind != png_file.EXIF]
        kept = [chunk for chunk in told if not self.strip or chunk.kind in png_file.COLOUR]
        return [*kept, *self._exif_chunk()]

    def _new_chunks(self) -> list[png_file.Chunk]:
        found = [png_file.profile_chunk(self.profile)] if self.profile else []
        return [*found, *([png_file.xmp_chunk(self.xmp)] if self.xmp else []), *self._exif_chunk()]

    def _exif_chunk(self) -> list[png_file.Chunk]:
        block = self.exif.removeprefix(exif_block.PREFIX)
        return [png_file.Chunk(png_file.EXIF, block)] if block else []


def clothes_of(picture_format: str, source: bytes, info: Mapping[Any, Any], strip: bool) -> Clothes:
    """The metadata of a file, by what Pillow tells of it (`info`)."""
    exif = info.get("exif") or b""
    if exif and not exif.startswith(exif_block.PREFIX):
        exif = exif_block.PREFIX + exif
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    return Clothes(picture_format, source, exif, xmp, info.get("icc_profile") or b"", strip)
