"""Any file becomes a small upright grey picture, a view and a digest of its pixels, or one of a few problems."""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from index.errors import PictureError
from index.imaging.candidates.perceptual_hash import hamming, hash_grey, rows_of
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import REASONS, Limits, decode, opened, preview, read
from index.imaging.decoding.pixel_digest import pixel_digest
from support.pictures import ORIENTATION, STORED_AS, photograph

LIMITS = Limits(max_pixels=50_000_000)
PICTURE = photograph(1, 320, 200)


def packed(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def hash_of(data: bytes, hsize: int = 16) -> np.ndarray:
    decoded = decode(data, LIMITS)
    return rows_of(hash_grey(decoded.grey, decoded.box), hsize)[0]


def distance(first: bytes, second: bytes) -> int:
    return int(hamming(hash_of(first), hash_of(second)))


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(PictureError) as caught:
        work()
    assert caught.value.reason in REASONS
    assert caught.value.message
    return caught.value.reason


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


# Reading


def test_a_file_is_read_with_the_identity_it_had(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"some bytes")
    data, identity = read(os.fsencode(path))
    status = path.stat()
    assert data == b"some bytes"
    assert (identity.inode, identity.size_bytes, identity.mtime_ns) == (status.st_ino, 10, status.st_mtime_ns)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", ".", "absent"):
        assert reason(lambda name=name: read(os.fsencode(tmp_path / name))) == "unreadable"
    assert reason(lambda: read(b"/dev/zero")) == "unreadable"
    assert not [name for name in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{name}") == tmp_path]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    path.touch()
    os.truncate(path, 2**41)
    assert reason(lambda: read(os.fsencode(path))) == "too_large"


def test_a_file_that_changes_while_it_is_read_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"first")
    fstat = os.fstat

    def fstat_and_write(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        with path.open("ab") as file:
            file.write(b"more")
        return status

    monkeypatch.setattr(pictures.os, "fstat", fstat_and_write)
    assert reason(lambda: read(os.fsencode(path))) == "changed"


# Decoding


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF", "PNG", "TIFF", "BMP", "GIF", "MPO"])
def test_every_format_gives_the_same_hash(form: str) -> None:
    data = packed(PICTURE, form)
    decoded = decode(data, LIMITS)
    assert decoded.grey.dtype == np.uint8
    assert decoded.grey.flags.c_contiguous
    assert (decoded.facts.width, decoded.facts.height) == PICTURE.size
    assert distance(data, packed(PICTURE)) <= 6


@pytest.mark.parametrize("size", [(1000, 700), (700, 1000), (1023, 517), (3001, 2003), (130, 2000)])
def test_scaled_decoding_hardly_moves_the_hash(size: tuple[int, int]) -> None:
    for seed in range(3 if max(size) < 2000 else 1):
        picture = photograph(seed, *size)
        data = packed(picture, "JPEG", quality=92)
        with Image.open(io.BytesIO(data)) as whole:
            full = hash_grey(np.asarray(whole.convert("L")))
        decoded = decode(data, LIMITS)
        scaled = hash_grey(decoded.grey, decoded.box)
        for hsize, bits in ((8, 2), (16, 5), (32, 25)):
            assert hamming(rows_of(full, hsize)[0], rows_of(scaled, hsize)[0]) <= bits


def test_a_large_jpeg_is_not_decoded_whole() -> None:
    decoded = decode(packed(Image.new("RGB", (4096, 3072), "navy"), "JPEG"), LIMITS)
    assert decoded.grey.shape == (384, 512)
    assert decoded.box == (0, 0, 512, 384)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_orientation_is_respected(form: str, orientation: int) -> None:
    turn = STORED_AS[orientation]
    stored = PICTURE if turn is None else PICTURE.transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = packed(stored, form, exif=exif, quality=95)
    decoded = decode(data, LIMITS)
    assert (decoded.facts.width, decoded.facts.height) == PICTURE.size
    assert decoded.grey.shape == PICTURE.size[::-1]
    assert distance(data, packed(PICTURE)) <= 4
    with Image.open(io.BytesIO(preview(data, LIMITS))) as shown:
        assert shown.size == PICTURE.size
        difference = np.asarray(shown, np.float64) - np.asarray(PICTURE, np.float64)
        assert np.abs(difference).mean() < 6
    if form in ("PNG", "TIFF"):
        assert pixel_digest(data, LIMITS) == pixel_digest(packed(PICTURE), LIMITS)


@pytest.mark.parametrize("orientation", STORED_AS)
def test_the_box_is_turned_with_the_picture(orientation: int) -> None:
    # 1023 by 517 at 1/4 is 255.75 by 129.25: parts of a pixel are missing at two edges.
    picture = photograph(5, 1023, 517)
    turn = STORED_AS[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = packed(picture if turn is None else picture.transpose(turn), "JPEG", exif=exif, quality=95)
    decoded = decode(data, LIMITS)
    left, top, right, bottom = decoded.box
    assert (right - left, bottom - top) == (255.75, 129.25)
    assert (0 <= left < 1) and (0 <= top < 1) and right <= 256 and bottom <= 130
    upright = hash_grey(np.asarray(picture.convert("L")))
    assert hamming(rows_of(upright, 32)[0], rows_of(hash_grey(decoded.grey, decoded.box), 32)[0]) <= 25


def test_a_broken_exif_block_is_survived() -> None:
    data = packed(PICTURE, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    decoded = decode(data, LIMITS)
    assert (decoded.facts.orientation, decoded.facts.width) == (1, 320)


MODES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "L": lambda picture: picture.convert("L"),
    "LA": lambda picture: picture.convert("LA"),
    "P": lambda picture: picture.quantize(256),
    "RGBA": lambda picture: picture.convert("RGBA"),
    "CMYK": lambda picture: picture.convert("CMYK"),
    "YCbCr": lambda picture: picture.convert("YCbCr"),
    "I;16": lambda picture: Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257),
    "I;16B": lambda picture: Image.fromarray((np.asarray(picture.convert("L"), np.uint16) * 257).astype(">u2")),
    "12 bits": lambda picture: Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 16),
    "I": lambda picture: Image.fromarray(np.asarray(picture.convert("L"), np.int32) * 70000 - 10_000_000),
    "F": lambda picture: Image.fromarray(np.asarray(picture.convert("L"), np.float32) / 255),
    "LAB": lambda picture: ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    ),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_hash_and_view(mode: str) -> None:
    data = packed(MODES[mode](PICTURE), "TIFF")
    assert distance(data, packed(PICTURE)) <= 10
    with Image.open(io.BytesIO(preview(data, LIMITS))) as shown:
        assert shown.mode == "RGB"
        levels = np.asarray(shown.convert("L"), np.float64)
    assert np.corrcoef(levels.ravel(), np.asarray(PICTURE.convert("L"), np.float64).ravel())[0, 1] > 0.95


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    levels = np.linspace(0, 65535, 256 * 256).reshape(256, 256).astype(np.uint16)
    grey = decode(packed(Image.fromarray(levels)), LIMITS).grey
    assert (grey.min(), grey.max()) == (0, 255)
    assert abs(float(grey.mean()) - 127.5) < 1


@pytest.mark.parametrize("values", [0.0, np.nan, np.inf, 1e38, -5.0])
def test_real_numbers_of_any_kind_are_survived(values: float) -> None:
    levels = np.asarray(PICTURE.convert("F")).copy()
    levels[:20] = values
    assert decode(packed(Image.fromarray(levels), "TIFF"), LIMITS).grey.shape == (200, 320)


def test_one_bit_pictures() -> None:
    decoded = decode(packed(PICTURE.convert("1"), "TIFF", compression="group4"), LIMITS)
    assert set(np.unique(decoded.grey)) == {0, 255}
    assert distance(packed(PICTURE.convert("1")), packed(PICTURE.convert("1").convert("L"))) == 0


def test_transparent_parts_are_white_whatever_colour_they_hide() -> None:
    mask = Image.new("L", PICTURE.size, 255)
    mask.paste(0, (100, 50, 200, 150))
    shown = PICTURE.copy()
    shown.paste("white", (100, 50, 200, 150))
    for hidden in ("black", "white", "red"):
        picture = PICTURE.copy()
        picture.paste(hidden, (100, 50, 200, 150))
        picture.putalpha(mask)
        assert distance(packed(picture), packed(shown)) == 0
        assert decode(packed(picture), LIMITS).grey[100, 150] == 255


def test_transparency_of_a_palette_and_of_a_single_grey() -> None:
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([255, 0, 0, 0, 0, 0])
    palette.paste(0, (0, 0, 32, 64))
    grey = decode(packed(palette, transparency=0), LIMITS).grey
    assert (grey[0, 0], grey[0, 63]) == (255, 0)
    single = Image.new("L", (64, 64), 10)
    single.paste(20, (0, 0, 32, 64))
    grey = decode(packed(single, transparency=20), LIMITS).grey
    assert (grey[0, 0], grey[0, 63]) == (255, 10)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_the_first_frame_stands_for_an_animation(form: str) -> None:
    data = packed(PICTURE, form, save_all=True, append_images=[photograph(2, 320, 200)])
    assert distance(data, packed(PICTURE, form)) <= 4


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 2), (7, 3), (20000, 40)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_pictures_of_extreme_shapes(size: tuple[int, int], form: str) -> None:
    data = packed(Image.new("RGB", size, "teal"), form)
    decoded = decode(data, LIMITS)
    assert (decoded.facts.width, decoded.facts.height) == size
    assert len(hash_grey(decoded.grey, decoded.box).bits[8]) == 32
    with Image.open(io.BytesIO(preview(data, LIMITS))) as shown:
        assert max(shown.size) <= 1024


def test_detail_distinguishes_a_photograph_from_a_blank_page() -> None:
    assert decode(packed(PICTURE), LIMITS).facts.detail > 30
    assert decode(packed(Image.new("RGB", (800, 600), "beige")), LIMITS).facts.detail == 0
    ramp = np.linspace(0, 255, 320).astype(np.uint8)[None].repeat(200, axis=0)
    assert decode(packed(Image.fromarray(ramp)), LIMITS).facts.detail <= 70


# The view


def test_a_view_is_never_enlarged_and_never_larger_than_it_may_be() -> None:
    for size, shown in (((3000, 2000), (512, 341)), ((300, 200), (300, 200)), ((600, 3000), (102, 512))):
        with Image.open(io.BytesIO(preview(packed(photograph(3, *size), "JPEG"), LIMITS))) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", shown)


def test_a_view_carries_nothing_of_the_file() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a secret camera"
    data = packed(PICTURE, "JPEG", exif=exif, comment=b"a secret word", xmp=b"<secret/>")
    assert b"secret" in data
    assert b"secret" not in preview(data, LIMITS)


def test_a_view_has_the_colours_that_the_profile_means() -> None:
    # Red and green exchanged: a profile that no one would take for sRGB.
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = bytearray(srgb.replace(b"sRGB", b"swap").replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")))
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    data = packed(Image.new("RGB", (32, 32), (255, 0, 0)), icc_profile=bytes(profile))
    with Image.open(io.BytesIO(preview(data, LIMITS))) as shown:
        r, g, _ = shown.getpixel((16, 16))
    assert r < 60 and g > 200


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_broken_profile_is_left_out_of_account(mode: str) -> None:
    data = packed(PICTURE.convert(mode), "JPEG", icc_profile=b"no profile" * 20)
    assert preview(data, LIMITS)


# The digest of the pixels


def test_the_same_pixels_have_one_digest_in_any_lossless_form() -> None:
    wanted = pixel_digest(packed(PICTURE), LIMITS)
    forms: dict[str, dict[str, Any]] = {
        "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}, "PNG": {"compress_level": 1},
    }  # fmt: skip
    for form, options in forms.items():
        assert pixel_digest(packed(PICTURE, form, **options), LIMITS) == wanted
    assert pixel_digest(packed(PICTURE.convert("RGBA")), LIMITS) == wanted
    changed = PICTURE.copy()
    changed.putpixel((7, 9), (1, 2, 3))
    assert pixel_digest(packed(changed), LIMITS) != wanted


def test_a_jpeg_with_other_metadata_has_the_same_pixels() -> None:
    data = packed(PICTURE, "JPEG", quality=80)
    exif = Image.Exif()
    exif[0x0110] = "camera"
    block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    marked = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    assert decode(marked, LIMITS).facts.camera == "camera"
    assert pixel_digest(marked, LIMITS) == pixel_digest(data, LIMITS)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_is_what_it_looks_like_however_it_is_stored(mode: str) -> None:
    grey = PICTURE.convert("1").convert("L") if mode == "1" else PICTURE.convert("L")
    assert pixel_digest(packed(grey.convert(mode)), LIMITS) == pixel_digest(packed(grey.convert("RGB")), LIMITS)


def test_deep_grey_is_digested_in_all_its_bits() -> None:
    values = np.asarray(PICTURE.convert("L"), np.uint16) * 257
    little, big = packed(Image.fromarray(values)), packed(Image.fromarray(values.astype(">u2")), "TIFF")
    assert pixel_digest(little, LIMITS) == pixel_digest(big, LIMITS)
    assert pixel_digest(packed(Image.fromarray(values ^ 1)), LIMITS) != pixel_digest(little, LIMITS)


def test_transparency_and_profiles_count() -> None:
    plain = pixel_digest(packed(PICTURE), LIMITS)
    veiled = PICTURE.convert("RGBA")
    veiled.putpixel((3, 3), (10, 20, 30, 128))
    assert pixel_digest(packed(veiled), LIMITS) != plain
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert pixel_digest(packed(PICTURE, icc_profile=srgb), LIMITS) == plain


def test_width_and_height_count() -> None:
    one, other = Image.new("RGB", (20, 30), "red"), Image.new("RGB", (30, 20), "red")
    assert pixel_digest(packed(one), LIMITS) != pixel_digest(packed(other), LIMITS)


# What is wrong with a file


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_half_a_file_is_a_problem_not_half_a_picture(form: str) -> None:
    data = packed(PICTURE, form)
    for kept in (0.3, 0.6, 0.95):
        assert reason(lambda kept=kept: decode(data[: int(len(data) * kept)], LIMITS)) in ("truncated", "corrupt")
    if form != "TIFF":
        assert reason(lambda: decode(data[: len(data) // 2], LIMITS)) == "truncated"


def test_a_png_with_damaged_pixels_is_corrupt_for_all() -> None:
    data = bytearray(packed(PICTURE))
    data[len(data) // 2] ^= 0x40
    for work in (decode, preview, pixel_digest):
        assert reason(lambda work=work: work(bytes(data), LIMITS)) == "corrupt"


@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_jpeg_that_goes_on_in_zeros_is_truncated(quality: int, thumbnail: bool) -> None:
    # As a copy that was broken off leaves it, on file systems that reserve the room first.
    small = b"Exif\0\0" + packed(PICTURE.resize((64, 40)), "JPEG") if thumbnail else b""
    data = packed(PICTURE, "JPEG", quality=quality, exif=small)
    for zeros in (len(data) // 2, 10 * len(data)):
        assert reason(lambda zeros=zeros: decode(data[: len(data) // 2] + bytes(zeros), LIMITS)) == "truncated"


@pytest.mark.parametrize("trailer", [bytes(5000), b"film" * 5000, b"\xff\xda" * 9 + bytes(9), b"\xff\xd9" + bytes(999)])
def test_what_follows_a_jpeg_does_not_matter(trailer: bytes) -> None:
    data = packed(PICTURE, "JPEG")
    assert pixel_digest(data + trailer, LIMITS) == pixel_digest(data, LIMITS)
    assert decode(data + trailer, LIMITS).facts.width == 320


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"\0" * 5000, "not_an_image"),
        (b"just some words", "not_an_image"),
        (b"%PDF-1.7\n1 0 obj", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
        (b"\x0a\5\1\x08" + bytes(124), "not_an_image"),
        (b"\xff\xd8\xff", "corrupt"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "truncated"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "corrupt"),
        (png_header(0, 5), "corrupt"),
    ],
    ids=["nothing", "zeros", "text", "pdf", "eps", "pcx", "soi", "jfif", "no tiff", "no pixels"],
)
def test_what_is_no_picture(data: bytes, expected: str) -> None:
    for work in (decode, preview, pixel_digest):
        assert reason(lambda work=work: work(data, LIMITS)) == expected


def jpeg_of(width: int, height: int) -> bytes:
    data = bytearray(packed(Image.new("L", (8, 8)), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


BOMBS: dict[str, bytes] = {
    "jpeg": jpeg_of(65500, 65500),
    "png": png_header(100_000, 100_000) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b""),
    "gif": b"GIF89a"
    + struct.pack("<HH", 65535, 65535)
    + b"\x80\0\0"
    + bytes(6)
    + b"\x2c"
    + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    + b"\x02\x02\x44\x01\0;",
    "bmp": b"BM" + bytes(8) + struct.pack("<IIiiHHI", 54, 40, 2**30, 2**30, 1, 24, 0) + bytes(20),
}


@pytest.mark.parametrize("name", BOMBS)
def test_more_pixels_than_allowed_are_refused_by_the_header(name: str) -> None:
    for work in (decode, preview, pixel_digest):
        assert reason(lambda work=work: work(BOMBS[name], Limits())) == "too_large"


def test_a_panorama_of_a_hundred_megapixels_goes_through() -> None:
    data = packed(Image.new("L", (20000, 5000), 90), "JPEG")
    decoded = decode(data, Limits())
    assert (decoded.facts.width, decoded.facts.height) == (20000, 5000)
    assert reason(lambda: decode(data, LIMITS)) == "too_large"


def png_with(*chunks: bytes) -> bytes:
    whole = packed(PICTURE)
    return whole[:33] + b"".join(chunks) + whole[33:]


def test_text_and_profiles_that_unpack_to_more_than_all_memory() -> None:
    packed_zeros = zlib.compress(bytes(30 * 2**20))
    for bomb in (chunk(b"zTXt", b"k\0\0" + packed_zeros), chunk(b"iCCP", b"k\0\0" + packed_zeros)):
        try:
            decode(png_with(bomb), LIMITS)
        except PictureError as error:
            assert error.reason == "corrupt"


def test_long_text_chunks_are_accepted() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "node " * 400_000, zip=True)
    assert decode(packed(PICTURE, pnginfo=text), LIMITS).facts.width == 320


def test_tiff_directories_in_a_circle_end() -> None:
    data = bytearray(packed(PICTURE, "TIFF"))
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    assert decode(bytes(data), LIMITS).facts.width == 320


def test_pillow_keeps_its_warnings_to_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(packed(PICTURE, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\0\0\0"), LIMITS)


@settings(max_examples=150)
@given(st.data())
def test_damage_anywhere_is_a_picture_or_a_problem(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(whole), 700) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    for work in (decode, preview, pixel_digest):
        try:
            work(bytes(whole), Limits(max_pixels=1_000_000))
        except PictureError as error:
            assert error.reason in REASONS


WHOLE = [packed(photograph(4, 64, 48), form) for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "MPO")]


def screen(kind: str, transparent: bool = False, height: int = 900) -> bytes:
    """Lines of text on a plain background, which a preview shows larger."""
    picture = Image.new("RGBA", (1400, height), (255, 255, 255, 90 if transparent else 255))
    draw = ImageDraw.Draw(picture)
    for row in range(20, height - 20, 24):
        draw.text((30, row), "the quick brown fox jumps over the lazy dog " * 4, fill=(20, 20, 20, 255))
    return packed(picture if transparent else picture.convert("RGB"), kind)


@pytest.mark.parametrize(
    ("data", "decodes"),
    [
        (screen("PNG"), 1),
        (screen("PNG", transparent=True), 1),
        (screen("JPEG"), 1),
        (screen("JPEG", height=1200), 2),
        (packed(photograph(2), "PNG"), 1),
    ],
    ids=["graphic", "transparent graphic", "JPEG", "JPEG decoded at a reduced scale", "photograph"],
)
def test_all_previews_of_a_picture_are_made_from_one_decode(
    data: bytes, decodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = []

    @contextmanager
    def counted(*arguments: Any) -> Iterator[Image.Image]:
        times.append(1)
        with opened(*arguments) as image:
            yield image

    alone = [preview(data, LIMITS), preview(data, LIMITS, pictures.BLACK)]
    monkeypatch.setattr(pictures, "opened", counted)
    found = pictures.previews(data, LIMITS)
    assert len(times) == decodes
    with Image.open(io.BytesIO(data)) as image:
        assert found == alone[: 1 + image.has_transparency_data]
