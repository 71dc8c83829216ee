"""What a compression keeps of a picture, and which pictures it leaves: on files of every kind that is taken."""

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps, JpegImagePlugin, PngImagePlugin

from index.errors import PictureError
from index.imaging.decoding import jpeg_file, png_file
from index.imaging.decoding.facts import facts_of, orientation_of
from index.imaging.encoding import compression, encoders, recompress, ssimulacra2
from index.imaging.encoding.compression import CompressionOptions, Format, Target
from index.imaging.encoding.recompress import Skipped
from support.pictures import ORIENTATION, STORED_AS, photograph
from support.recompressing import (
    AS_IT_IS,
    HALF,
    LIMITS,
    SAME,
    XMP,
    camera_file,
    exif_block,
    left,
    made,
    saved,
    several_pictures,
    wide_gamut,
)

# Without loss


def test_a_jpeg_is_repacked_with_every_pixel_and_every_byte_of_metadata() -> None:
    data = camera_file()
    result, image = made(data, SAME)
    assert result.lossless
    assert result.score == 100
    assert len(result.data) < len(data)
    assert np.array_equal(np.asarray(image), np.asarray(Image.open(io.BytesIO(data))))
    before, after = jpeg_file.metadata_of(data), jpeg_file.metadata_of(result.data)
    assert sorted(before, key=str) == sorted(after, key=str)
    assert image.info["dpi"] == (300, 300)


def test_a_png_is_repacked_with_its_chunks() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Title", "Beach")
    chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
    chunks.add(b"prVt", b"someone's own", after_idat=False)
    options = {"pnginfo": chunks, "exif": exif_block(), "icc_profile": wide_gamut(), "dpi": (72, 72)}
    data = saved(photograph(2, 300, 200), "PNG", compress_level=1, **options)
    result, image = made(data, SAME)
    assert result.lossless
    assert np.array_equal(np.asarray(image), np.asarray(Image.open(io.BytesIO(data))))
    assert sorted(png_file.metadata_of(data), key=str) == sorted(png_file.metadata_of(result.data), key=str)


def test_a_bmp_becomes_a_png_of_the_same_pixels() -> None:
    data = saved(photograph(3, 300, 200), "BMP", dpi=(96, 96))
    result, image = made(data, SAME)
    assert (result.format, result.lossless) == ("PNG", True)
    assert np.array_equal(np.asarray(image), np.asarray(photograph(3, 300, 200)))


def test_a_webp_without_loss_stays_without_loss() -> None:
    data = saved(photograph(4, 300, 200), "WEBP", lossless=True, method=0, quality=0, exif=exif_block(), xmp=XMP)
    result, image = made(data, SAME)
    assert (result.format, result.lossless) == ("WEBP", True)
    assert np.array_equal(np.asarray(image), np.asarray(photograph(4, 300, 200)))
    assert image.getexif()[0x010F] == "Maker"
    assert image.info["xmp"] == XMP


def test_a_webp_with_loss_has_nothing_to_repack() -> None:
    assert left(saved(photograph(4, 300, 200), "WEBP", quality=80), SAME).reason == "nothing_to_do"


def deep_grey() -> bytes:
    levels = np.linspace(0, 65_535, 300 * 200).reshape(200, 300).astype(np.uint16)
    return saved(Image.fromarray(levels), "PNG", compress_level=0)


def deep_colour() -> bytes:
    levels = np.linspace(0, 65_535, 300 * 200 * 3).reshape(200, 300, 3).astype(np.uint16)
    return cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()


@pytest.mark.parametrize("make", [deep_grey, deep_colour])
def test_16_bits_are_kept_or_the_picture_is_left(make: Callable[[], bytes]) -> None:
    data = make()
    result, _ = made(data, SAME)
    assert png_file.bits_per_channel(result.data) == 16
    assert result.lossless
    refused = left(data, HALF)
    assert (refused.refused, refused.reason) == (True, "deep")


def test_without_oxipng_pillow_packs_and_leaves_what_it_would_spoil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "oxipng", None)
    data = saved(photograph(2, 300, 200), "PNG", compress_level=0)
    _, image = made(data, SAME)
    assert np.array_equal(np.asarray(image), np.asarray(photograph(2, 300, 200)))
    assert left(deep_colour(), SAME).reason == "deep"


def test_a_repacked_picture_that_is_another_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = camera_file(photograph(9, 400, 300))
    monkeypatch.setattr(encoders, "repacked_jpeg", lambda data: other)
    with pytest.raises(PictureError, match="same pixels"):
        recompress.recompress(camera_file(), SAME, LIMITS)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "options",
    [
        SAME,
        CompressionOptions(quality=80, least_gain=0.0),
        HALF,
        CompressionOptions(quality=80, strip=True, least_gain=0.0),
        CompressionOptions(strip=True, **AS_IT_IS),
        CompressionOptions(width=200, height=200, format=Format.WEBP, quality=90),
        CompressionOptions(width=200, height=200, format=Format.AVIF, quality=90),
    ],
    ids=lambda options: options.key,
)
def test_every_orientation_is_shown_as_before(orientation: int, options: CompressionOptions) -> None:
    upright = photograph(5, 400, 260)
    ImageDraw.Draw(upright).rectangle((0, 0, 60, 60), fill="red")
    turn = STORED_AS[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    result, image = made(camera_file(stored, orientation), options)
    shown = shown_upright(image)
    size = compression.fitted(400, 260, options)
    assert shown.size == size
    wanted = np.asarray(upright.resize(size, Image.Resampling.LANCZOS), np.int16)
    assert np.abs(np.asarray(shown.convert("RGB"), np.int16) - wanted).mean() < 6
    if result.format != "JPEG":
        assert orientation_of(image) == 1, "viewers do not agree on turning these"


def shown_upright(image: Image.Image) -> Image.Image:
    """By Pillow, not by ours."""
    return ImageOps.exif_transpose(image)


# With loss


@pytest.mark.parametrize("options", [HALF, CompressionOptions(quality=60, **AS_IT_IS)], ids=["scaled", "as large"])
def test_metadata_is_copied_to_a_re_encoded_jpeg(options: CompressionOptions) -> None:
    data = camera_file()
    result, image = made(data, options)
    assert not result.lossless
    kinds = [(one.marker, one.payload) for one in jpeg_file.metadata_of(result.data) if not one.is_exif]
    assert kinds == [(one.marker, one.payload) for one in jpeg_file.metadata_of(data) if not one.is_exif]
    details = image.getexif().get_ifd(0x8769)
    assert details[0x927C] == b"maker note \xff\0 with offsets of its own"
    assert (details[0xA002], details[0xA003]) == image.size, "the recorded size is the picture's"
    assert image.info["icc_profile"] == wide_gamut()
    assert image.info["dpi"] == (300, 300)


@pytest.mark.parametrize("form", [Format.WEBP, Format.AVIF])
def test_metadata_is_copied_to_other_formats(form: Format) -> None:
    result, image = made(camera_file(orientation=6), CompressionOptions(format=form, quality=80, **AS_IT_IS))
    assert result.format == form.name
    exif = image.getexif()
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769)[0x9003] == "2019:07:14 10:31:02"
    assert image.info["icc_profile"] == wide_gamut()
    assert image.info["xmp"] == XMP


def test_metadata_of_a_png_is_copied_to_a_jpeg() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
    data = saved(photograph(2, 300, 200), "PNG", pnginfo=chunks, exif=exif_block(), icc_profile=wide_gamut())
    result, image = made(data, CompressionOptions(format=Format.JPEG, quality=90, **AS_IT_IS))
    assert result.format == image.format == "JPEG"
    assert image.getexif()[0x010F] == "Maker"
    assert image.info["xmp"] == XMP
    assert image.info["icc_profile"] == wide_gamut()


def test_stripping_leaves_colours_and_orientation() -> None:
    data = camera_file(orientation=6)
    for options in (CompressionOptions(strip=True, **AS_IT_IS), CompressionOptions(strip=True, quality=60, **AS_IT_IS)):
        result, image = made(data, options)
        assert dict(image.getexif()) == {ORIENTATION: 6}
        assert image.info["icc_profile"] == wide_gamut()
        assert "xmp" not in image.info
        assert "comment" not in image.info
        assert b"family" not in result.data
        assert b"Maker" not in result.data


@pytest.mark.parametrize(("given", "kept"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_colours_keep_their_resolution(given: str, kept: int) -> None:
    _, image = made(camera_file(subsampling=given), CompressionOptions(quality=70, **AS_IT_IS))
    assert JpegImagePlugin.get_sampling(image) == kept


def test_grey_stays_grey() -> None:
    _, image = made(saved(photograph(6, 400, 300).convert("L"), "JPEG", quality=95), HALF)
    assert image.mode == "L"
    _, image = made(saved(photograph(6, 400, 300).convert("L"), "PNG"), HALF)
    assert image.mode == "L"


@pytest.mark.parametrize("target", Target)
def test_a_target_is_reached_with_the_fewest_bytes(target: Target) -> None:
    data = saved(photograph(7, 500, 400), "JPEG", quality=97, subsampling="4:4:4")
    result, image = made(data, CompressionOptions(target=target, **AS_IT_IS))
    assert result.score >= target.score
    original = np.asarray(Image.open(io.BytesIO(data)))
    assert ssimulacra2.score(original, np.asarray(image)) == pytest.approx(result.score, abs=0.01)
    if result.quality:
        worse = saved(Image.open(io.BytesIO(data)), "JPEG", quality=result.quality - 3, subsampling="4:4:4")
        assert ssimulacra2.score(original, np.asarray(Image.open(io.BytesIO(worse)))) < target.score + 1


def test_what_is_at_the_wanted_quality_is_not_coded_again() -> None:
    data = saved(photograph(8, 400, 300), "JPEG", quality=75, optimize=True, progressive=True)
    result = recompress.recompress(data, CompressionOptions(quality=80, width=10_000, height=10_000), LIMITS)
    assert isinstance(result, Skipped) or result.lossless


def test_too_little_to_gain_is_left() -> None:
    first, _ = made(camera_file(), SAME)
    again = left(first.data, CompressionOptions(width=10_000, height=10_000))
    assert (again.refused, again.reason) == (False, "small_gain")
    assert again.best_bytes


def test_few_colours_are_asked_for() -> None:
    data = saved(photograph(2, 300, 200), "PNG")
    result, image = made(data, CompressionOptions(colours=64, **AS_IT_IS))
    assert image.mode == "P"
    assert len(image.getcolors(256) or []) <= 64
    assert not result.lossless
    assert (
        left(data, CompressionOptions(colours=2, target=Target.VISUALLY_LOSSLESS, least_gain=0.5)).reason
        == "few_colours"
    )


# Kinds of pictures


def with_alpha(picture: Image.Image) -> Image.Image:
    clear = picture.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(picture.size))
    return clear


def test_transparency_is_kept_or_the_picture_is_left() -> None:
    data = saved(with_alpha(photograph(2, 300, 200)), "PNG")
    for options in (SAME, HALF, CompressionOptions(width=200, height=200, format=Format.WEBP, quality=90)):
        _, image = made(data, options)
        assert image.mode == "RGBA"
        assert image.getchannel("A").getextrema()[0] < 20
    refused = left(data, CompressionOptions(format=Format.JPEG, quality=80))
    assert (refused.refused, refused.reason) == (True, "transparency")


def test_what_is_opaque_all_over_may_become_a_jpeg() -> None:
    result, _ = made(
        saved(photograph(2, 300, 200).convert("RGBA"), "PNG"), CompressionOptions(format=Format.JPEG, quality=80)
    )
    assert result.format == "JPEG"


def test_a_palette_keeps_its_colours_and_transparency() -> None:
    picture = photograph(2, 300, 200).quantize(32)
    picture.info["transparency"] = 3
    data = saved(picture, "PNG", compress_level=0)
    _, image = made(data, SAME)
    before = Image.open(io.BytesIO(data)).convert("RGBA")
    assert np.array_equal(np.asarray(image.convert("RGBA")), np.asarray(before))


def test_colours_for_print_are_repacked_only() -> None:
    data = saved(photograph(6, 400, 300).convert("CMYK"), "JPEG", quality=95)
    for options in (SAME, CompressionOptions(quality=50, **AS_IT_IS)):
        result, image = made(data, options)
        assert (image.mode, result.lossless) == ("CMYK", True)
    refused = left(data, HALF)
    assert (refused.refused, refused.reason) == (True, "cmyk")


@pytest.mark.parametrize("picture_format", ["WEBP", "PNG"])
def test_what_moves_is_left(picture_format: str) -> None:
    frames = [photograph(seed, 120, 90) for seed in (1, 2, 3)]
    data = saved(frames[0], picture_format, save_all=True, append_images=frames[1:], duration=100)
    refused = left(data, SAME)
    assert (refused.refused, refused.reason) == (True, "animation")


@pytest.mark.parametrize("picture_format", ["GIF", "TIFF", "AVIF"])
def test_other_formats_are_left_with_the_reason(picture_format: str) -> None:
    refused = left(saved(photograph(1, 120, 90), picture_format), SAME)
    assert (refused.refused, refused.reason) == (True, "format")


def test_a_film_behind_the_picture_is_not_lost() -> None:
    data = camera_file() + b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
    refused = left(data, SAME)
    assert (refused.refused, refused.reason) == (True, "more_in_file")


def test_filling_behind_the_picture_is_no_film() -> None:
    assert made(camera_file() + b"\0" * 100, SAME)[0].lossless


def test_further_pictures_in_the_file_are_not_lost() -> None:
    refused = left(several_pictures(), SAME)
    assert (refused.refused, refused.reason) == (True, "more_in_file")


def test_a_preview_of_the_camera_is_dropped_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recompress, "_kinds_behind", lambda image: ["Large Thumbnail (VGA Equivalent)"])
    result, image = made(several_pictures(), SAME)
    assert image.format == "JPEG"
    assert getattr(image, "n_frames", 1) == 1
    assert "preview" in str(result.notes[0])


def broken_files() -> dict[str, bytes]:
    data = camera_file()
    return {
        "empty": b"",
        "text": b"no picture at all",
        "cut off": data[: len(data) // 2],
        "cut off, filled with zeros": data[: len(data) // 2] + bytes(len(data) // 2),
        "png cut off": saved(photograph(2, 300, 200), "PNG")[:-3000],
    }


@pytest.mark.parametrize("name", broken_files())
def test_a_broken_file_is_never_made_to_look_whole(name: str) -> None:
    with pytest.raises(PictureError):
        recompress.recompress(broken_files()[name], SAME, LIMITS)


def test_a_result_that_shows_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def half_of_it(pixels: Image.Image, *given: Any, **options: Any) -> bytes:
        spoilt = pixels.copy()
        spoilt.paste((128, 128, 128), (0, spoilt.height // 2, spoilt.width, spoilt.height))
        return saved(spoilt, "JPEG", quality=90)

    monkeypatch.setattr(encoders, "encode", half_of_it)
    with pytest.raises(PictureError, match="does not show"):
        recompress.recompress(camera_file(), HALF, LIMITS)


def test_facts_of_a_result_are_those_of_a_picture() -> None:
    result, image = made(camera_file(), HALF)
    assert (facts_of(image).width, facts_of(image).height) == (result.width, result.height) == (200, 150)
