"""jpegli codes the JPEG that it can code rightly, and the smaller of two results that look the same is taken."""

import io

import pytest
from PIL import Image, JpegImagePlugin

from index.imaging.decoding import jpeg_file
from index.imaging.encoding import encoders
from index.imaging.encoding.compression import CompressionOptions, Target
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


@pytest.mark.parametrize(
    ("picture", "subsampling"), [(PICTURE, "4:4:4"), (PICTURE, "4:2:2"), (PICTURE.convert("L"), 0)]
)
def test_what_it_cannot_code_is_left_to_pillow(picture: Image.Image, subsampling: object, monkeypatch):
    def never(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(encoders, "encode_by_jpegli", never)
    data = source(picture, subsampling=subsampling)
    _, image = made(data, MEDIUM)
    with Image.open(io.BytesIO(data)) as before:
        assert image.mode == before.mode
        assert JpegImagePlugin.get_sampling(image) == JpegImagePlugin.get_sampling(before)


def test_a_resolution_is_written_into_a_file_without_one():
    data = encoders.encode_by_jpegli(PICTURE, 80, (72.4, 300))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["dpi"] == (72, 300)
        image.load()
