"""What is in a file besides its picture is never dropped by a compression: the file is left, the bytes counted."""

import struct

import pytest
from PIL import Image

from index.errors import PictureError
from index.imaging.decoding import jpeg_file, webp_file
from index.imaging.encoding import bmp_file, compression, recompress
from index.imaging.encoding.compression import CompressionOptions, Format
from index.imaging.encoding.recompress import Recompressed, Skipped
from support.pictures import photograph
from support.recompressing import (
    AS_IT_IS,
    HALF,
    LIMITS,
    SAME,
    camera_file,
    exif_block,
    left,
    made,
    saved,
    several_pictures,
)

FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4
# As some programs append them: a trailer that begins or ends with what could be filling, text, a single byte.
BEHIND = {"film": FILM, "zeros, then text": bytes(4000) + b"x", "one byte": b"\x01", "zip": b"PK\x03\x04 and more\n\0"}


def run_length_coded(small: bool) -> bytes:
    """A BMP whose pixels are coded in runs: 4 bits each where it is `small`, else 8."""
    rows = 40
    if small:
        runs = b"\x20\x12\0\x03\x12\x30\x1d\x45\0\0" * rows + b"\0\x01"
    else:
        runs = b"\x20\x05\0\x03\x01\x02\x03\0\x1d\x07\0\0" * rows + b"\0\x01"
    colours = b"".join(bytes([number * 15 % 256, 90, 200 - number % 200, 0]) for number in range(16 if small else 256))
    start = 14 + 40 + len(colours)
    header = struct.pack("<IiiHHIIiiII", 40, 64, rows, 1, 4 if small else 8, 2 if small else 1, len(runs), 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start) + header + colours + runs


def pictures() -> dict[str, bytes]:
    picture = photograph(1, 161, 119)
    exif = exif_block()
    return {
        "JPEG": saved(picture, "JPEG", quality=95),
        "JPEG, progressive": saved(picture, "JPEG", quality=95, progressive=True),
        "PNG": saved(picture, "PNG", compress_level=1),
        "PNG, palette": saved(picture.quantize(16), "PNG", compress_level=1),
        "PNG, interlaced text": saved(picture, "PNG", compress_level=0, exif=exif),
        "BMP": saved(picture, "BMP"),
        "BMP, grey": saved(picture.convert("L"), "BMP"),
        "BMP, 1 bit": saved(picture.convert("1"), "BMP"),
        "BMP, palette": saved(picture.quantize(16), "BMP"),
        "BMP, alpha": saved(picture.convert("RGBA"), "BMP"),
        "BMP, runs of 8 bits": run_length_coded(small=False),
        "BMP, runs of 4 bits": run_length_coded(small=True),
        "WebP": saved(picture, "WEBP", quality=95),
        "WebP, lossless": saved(picture, "WEBP", lossless=True, method=0),
        "WebP, extended": saved(picture, "WEBP", lossless=True, method=0, exif=exif, xmp=b"<x/>"),
        "WebP, alpha": saved(Image.merge("RGBA", [*picture.split(), picture.split()[0]]), "WEBP", quality=95),
    }


PICTURES = pictures()
OPTIONS = {
    "same": SAME,
    "smaller": HALF,
    "to WebP": CompressionOptions(**AS_IT_IS, format=Format.WEBP, quality=80),
    "stripped": CompressionOptions(**AS_IT_IS, strip=True, quality=60),
    "few colours": CompressionOptions(**AS_IT_IS, colours=16),
}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("name", PICTURES)
def test_what_is_behind_a_picture_is_counted_and_the_file_left(name: str, behind: str) -> None:
    data = PICTURES[name] + BEHIND[behind]
    if not name.startswith("BMP") and behind == "one byte":
        result = recompress.recompress(data, SAME, LIMITS)
        # A few bytes of rubbish are copied; WebP with loss is coded again for nothing.
        assert not getattr(result, "refused", False)
        assert getattr(result, "data", data).endswith(BEHIND[behind])
        return
    refused = left(data, SAME)
    assert (refused.refused, refused.reason) == (True, "more_in_file")
    assert str(refused.message).startswith(f"{len(BEHIND[behind])} bytes after the picture")


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "BMP", "WebP, lossless"])
def test_no_option_drops_what_is_behind_a_picture(name: str, options: str) -> None:
    assert left(PICTURES[name] + FILM, OPTIONS[options]).reason == "more_in_file"


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_found_where_there_is_nothing(name: str) -> None:
    result = recompress.recompress(PICTURES[name], SAME, LIMITS)
    assert isinstance(result, Recompressed) or not result.refused
    assert not getattr(result, "notes", ())


@pytest.mark.parametrize("name", ["JPEG", "PNG", "BMP", "BMP, runs of 8 bits", "WebP, lossless", "WebP, extended"])
def test_filling_is_left_out_and_reported(name: str) -> None:
    result, _ = made(PICTURES[name] + b"\0\n\r " * 25, SAME)
    assert result.lossless
    assert tuple(map(str, result.notes)) == ("100 bytes of padding after the picture are removed",)
    assert not result.data.endswith(b"\0\n\r ")


# WebP


def chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)


def with_chunk(data: bytes, more: bytes) -> bytes:
    body = data[12:] + more
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("name", ["WebP", "WebP, lossless", "WebP, extended", "WebP, alpha"])
@pytest.mark.parametrize("kind", [b"C2PA", b"JUNK", b"\xff\xfe\xfd\xfc"])
def test_chunks_that_no_reader_shows_are_not_lost(name: str, kind: bytes) -> None:
    more = chunk(kind, b"a manifest")
    result = recompress.recompress(with_chunk(PICTURES[name], more), CompressionOptions(**AS_IT_IS, quality=60), LIMITS)
    assert isinstance(result, Skipped)
    assert result.reason == "more_in_file"
    assert str(result.message).startswith(f"{len(more)} bytes")


@pytest.mark.parametrize("name", ["WebP", "WebP, extended", "WebP, alpha"])
@pytest.mark.parametrize("kind", [b"VP8 ", b"VP8X", b"ALPH"])
def test_a_second_picture_in_a_webp_is_not_lost(name: str, kind: bytes) -> None:
    data = with_chunk(PICTURES[name], chunk(kind, b"a picture"))
    assert len(webp_file.remainder(data)) == 8 + 10
    try:
        assert left(data, SAME).reason == "more_in_file"
    except PictureError as error:
        # Some of these the decoder does not take.
        assert error.reason == "corrupt"


@pytest.mark.parametrize("kind", [b"EXIF", b"XMP ", b"ICCP"])
def test_metadata_that_the_header_does_not_announce_is_not_lost(kind: bytes) -> None:
    """Readers pass it over, and so would what is made of the file."""
    for name in ("WebP, lossless", "WebP, alpha"):
        assert left(with_chunk(PICTURES[name], chunk(kind, b"II*\0 something")), SAME).reason == "more_in_file"


def test_a_webp_is_read_to_its_end_and_no_further() -> None:
    plain = PICTURES["WebP"]
    assert webp_file.remainder(plain) == b""
    odd = b"RIFF" + struct.pack("<I", 4 + 8 + 3) + b"WEBPVP8 " + struct.pack("<I", 3) + b"abc"
    assert webp_file.remainder(odd) == b"", "the last filling is left out by some writers"
    assert webp_file.remainder(odd + b"\0") == b"\0"
    for wrong in (plain[:-10], b"RIFF", plain[:12], b"", odd[:4] + struct.pack("<I", 14) + odd[8:]):
        with pytest.raises(webp_file.NoWebp):
            webp_file.remainder(wrong)


# BMP


def test_what_is_between_header_and_pixels_of_a_bmp_is_not_lost() -> None:
    plain = PICTURES["BMP"]
    (start,) = struct.unpack_from("<I", plain, 10)
    for between, reason in ((b"hidden", "more_in_file"), (bytes(6), "")):
        data = plain[:10] + struct.pack("<I", start + len(between)) + plain[14:start] + between + plain[start:]
        result = recompress.recompress(data, SAME, LIMITS)
        assert (result.reason if isinstance(result, Skipped) else "") == reason


def test_the_profile_of_a_bmp_is_not_lost() -> None:
    """The fifth version has one behind the pixels, of which no reader of ours knows."""
    plain = PICTURES["BMP"]
    pixels = plain[54:]
    header = struct.pack("<I", 124) + plain[18:54] + struct.pack("<IIIII", 0, 0, 0, 0, 0x4D424544) + bytes(48)
    header += struct.pack("<IIII", 4, 124 + len(pixels), 7, 0)
    data = struct.pack("<2sIHHI", b"BM", 14 + 124 + len(pixels) + 7, 0, 0, 14 + 124) + header + pixels
    assert isinstance(recompress.recompress(data, SAME, LIMITS), Recompressed)
    assert str(left(data + b"profile", SAME).message).startswith("7 bytes")


def test_a_bmp_that_is_not_built_as_one_is_refused() -> None:
    plain, runs = PICTURES["BMP"], PICTURES["BMP, runs of 8 bits"]
    for wrong in (b"", b"BM", plain[:20], plain[:10] + bytes([20, 0, 0, 0]) + plain[14:], runs[:-2], b"BM" + bytes(30)):
        with pytest.raises(bmp_file.NoBmp):
            bmp_file.remainder(wrong)


def test_steps_within_runs_are_no_end() -> None:
    runs = PICTURES["BMP, runs of 8 bits"]
    end = runs.rindex(b"\0\x01")
    stepped = runs[:end] + b"\0\x02\0\x01\0\x01"
    assert bmp_file.remainder(stepped + b"rest") == b"rest"


# JPEG


def test_a_film_behind_a_cameras_preview_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recompress, "_kinds_behind", lambda image: ["Large Thumbnail (VGA Equivalent)"])
    several = several_pictures()
    assert str(left(several + FILM, SAME).message).startswith(f"{len(FILM)} bytes")
    result, _ = made(several + bytes(50), SAME)
    assert tuple(map(str, result.notes)) == (
        "the camera’s preview after the picture is removed", "50 bytes of padding after the picture are removed",
    )  # fmt: skip
    between = jpeg_file.end_of_picture(several)
    assert left(several[:between] + b"x" + several[between:], SAME).reason == "more_in_file"


def test_metadata_is_no_remainder() -> None:
    assert made(camera_file(), SAME)[0].notes == ()


def test_every_format_that_is_taken_is_looked_through() -> None:
    kinds = {name.partition(",")[0].upper() for name in PICTURES}
    assert kinds == compression.TAKEN
