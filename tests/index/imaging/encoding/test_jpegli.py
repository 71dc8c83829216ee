"""jpegli codes the JPEG that it can code rightly, and the smaller of two results that look the same is taken."""

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageDraw, JpegImagePlugin

from index.imaging.decoding import jpeg_file
from index.imaging.decoding.pictures import Limits
from index.imaging.encoding import encoders
from index.imaging.encoding.compression import CompressionOptions, Format, Target
from index.imaging.encoding.recompress import Skipped, recompress
from support.pictures import photograph
from support.recompressing import AS_IT_IS, IPTC, made, saved

MEDIUM = CompressionOptions(**AS_IT_IS, target=Target.MEDIUM)
PICTURE = photograph(3, 320, 240)


def source(picture: Image.Image = PICTURE, **options: object) -> bytes:
    given = {"quality": 97, "subsampling": "4:2:0", "dpi": (300, 200), **options}
    data = saved(picture, "JPEG", **given)
    return jpeg_file.with_metadata(data, [*jpeg_file.metadata_of(data), jpeg_file.Segment(0xED, IPTC)])


def test_the_smaller_result_is_taken_and_reaches_the_target(monkeypatch: pytest.MonkeyPatch):
    options = CompressionOptions(**AS_IT_IS, target=Target.HIGH)
    result, image = made(source(), options)
    assert result.score >= Target.HIGH.score
    assert JpegImagePlugin.get_sampling(image) == 2
    assert image.info["dpi"] == (300, 200)
    assert jpeg_file.Segment(0xED, IPTC) in jpeg_file.metadata_of(result.data)
    monkeypatch.setattr(encoders, "pyjpegli", None)
    without, _ = made(source(), options)
    assert len(result.data) < len(without.data)


def test_a_grey_picture_stays_grey_and_is_smaller(monkeypatch: pytest.MonkeyPatch):
    scan = Image.new("L", (480, 320), 250)
    for line in range(20):
        ImageDraw.Draw(scan).text((10, 15 * line), f"{line} Grey scans are letters on bright paper", fill=30)
    options = CompressionOptions(**AS_IT_IS, target=Target.HIGH)
    data = source(scan, subsampling=0)
    result, image = made(data, options)
    assert image.mode == "L"
    assert image.info["dpi"] == (300, 200)
    assert result.score >= Target.HIGH.score
    monkeypatch.setattr(encoders, "pyjpegli", None)
    without, _ = made(data, options)
    assert len(result.data) < len(without.data)


@pytest.mark.parametrize(
    ("picture", "subsampling", "baseline"),
    [(PICTURE, "4:4:4", False), (PICTURE, "4:2:2", False), (PICTURE.convert("L"), 0, True)],
)
def test_what_it_cannot_code_is_left_to_pillow(picture: Image.Image, subsampling: object, baseline: bool, monkeypatch):
    def never(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(encoders, "encode_by_jpegli", never)
    data = source(picture, subsampling=subsampling)
    _, image = made(data, replace(MEDIUM, baseline=baseline))
    with Image.open(io.BytesIO(data)) as before:
        assert image.mode == before.mode
        assert JpegImagePlugin.get_sampling(image) == JpegImagePlugin.get_sampling(before)


def test_a_resolution_is_written_into_a_file_without_one():
    data = encoders.encode_by_jpegli(PICTURE, 80, (72.4, 300))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["dpi"] == (72, 300)
        image.load()


@pytest.mark.parametrize("picture", [PICTURE.resize((48, 36)), PICTURE.convert("L").resize((48, 36))])
def test_a_file_without_a_resolution_begins_as_jfif_all_the_same(picture: Image.Image):
    result, image = made(saved(picture, "PNG"), CompressionOptions(**AS_IT_IS, target=Target.HIGH, format=Format.JPEG))
    assert result.data[6:11] == jpeg_file.JFIF
    assert "dpi" not in image.info


def test_a_quality_is_that_of_libjpeg_and_the_smaller_of_two_files_is_taken(monkeypatch: pytest.MonkeyPatch):
    options = CompressionOptions(**AS_IT_IS, quality=80)
    result, _ = made(source(), options)
    monkeypatch.setattr(encoders, "pyjpegli", None)
    without, _ = made(source(), options)
    assert result.quality == without.quality == 80
    assert result.score >= without.score
    assert len(result.data) < len(without.data)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("options", [{"quality": 70}, {"target": Target.HIGH}, {"quality": 100, "strip": True}])
def test_a_baseline_jpeg_stays_one(options: dict[str, Any], subsampling: str):
    data = source(subsampling=subsampling)
    assert jpeg_file.is_baseline(data)
    result, image = made(data, CompressionOptions(**AS_IT_IS | {"least_gain": 0.0}, baseline=True, **options))
    assert jpeg_file.is_baseline(result.data)
    assert not image.info.get("progressive")
    assert len(result.data) < len(data)


def test_a_progressive_jpeg_becomes_baseline_where_pixels_may_change():
    data = source(progressive=True)
    assert not jpeg_file.is_baseline(data)
    result, _ = made(data, CompressionOptions(**AS_IT_IS, baseline=True, quality=70))
    assert jpeg_file.is_baseline(result.data)


@pytest.mark.parametrize("progressive", [False, True])
def test_no_baseline_jpeg_is_packed_without_loss(progressive: bool):
    skipped = recompress(source(progressive=progressive), CompressionOptions(**AS_IT_IS, baseline=True), Limits())
    assert isinstance(skipped, Skipped)
    assert (skipped.reason, skipped.message.code) == ("nothing_to_do", "compress.baseline_stays")


def test_noise_that_does_not_fit_the_buffer_is_coded_all_the_same():
    noise = Image.effect_noise((640, 480), 400).convert("RGB")
    data = encoders.encode(noise, "JPEG", 94, "4:4:4", baseline=True)
    assert jpeg_file.is_baseline(data)
