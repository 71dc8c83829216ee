"""A part of a picture shows what a viewer shows there: however the file is turned, stored, coloured or large."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from index.errors import PictureError
from index.imaging.decoding.pictures import Limits, crop
from support.pictures import ORIENTATION, STORED_AS, photograph

LIMITS = Limits()
WIDTH, HEIGHT = 640, 480
BOX = (100, 40, 200, 120)


def packed(picture: Image.Image, picture_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, picture_format, **options)
    return buffer.getvalue()


def part(data: bytes, box: tuple[int, int, int, int] = BOX, side: int = 4096) -> Image.Image:
    return Image.open(io.BytesIO(crop(data, box, side, LIMITS)))


def far(one: Image.Image, other: Image.Image) -> float:
    """How many grey levels two pictures of one size differ by on average."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one.convert("L"), float) - np.asarray(other.convert("L"), float)).mean())


def expected(box: tuple[int, int, int, int] = BOX) -> Image.Image:
    return photograph(1, WIDTH, HEIGHT).crop((box[0], box[1], box[0] + box[2], box[1] + box[3]))


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
def test_the_same_part_however_the_file_is_turned(orientation: int, picture_format: str) -> None:
    turn = STORED_AS[orientation]
    stored = photograph(1, WIDTH, HEIGHT)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = packed(stored if turn is None else stored.transpose(turn), picture_format, exif=exif)
    assert far(part(data), expected()) < 6


def test_a_part_is_reduced_and_never_enlarged() -> None:
    data = packed(photograph(1, WIDTH, HEIGHT), "JPEG", quality=95)
    assert part(data, (0, 0, WIDTH, HEIGHT), 160).size == (160, 120)
    assert part(data, (0, 0, 10, 8), 4096).size == (10, 8)
    whole = photograph(1, WIDTH, HEIGHT).resize((160, 120), Image.Resampling.LANCZOS)
    assert far(part(data, (0, 0, WIDTH, HEIGHT), 160), whole) < 6


def test_what_lies_beyond_the_picture_is_cut_off() -> None:
    data = packed(photograph(1, WIDTH, HEIGHT), "PNG")
    assert far(part(data, (600, 400, 500, 500)), expected((600, 400, 40, 80))) < 3
    with pytest.raises(PictureError, match="outside"):
        crop(data, (640, 0, 10, 10), 100, LIMITS)


def test_a_part_of_a_deep_picture_is_as_bright_as_in_the_whole() -> None:
    levels = np.tile(np.linspace(0, 65535, 400), (300, 1)).astype(np.uint16)
    dark = part(packed(Image.fromarray(levels), "TIFF"), (0, 0, 100, 300))
    assert np.asarray(dark.convert("L"))[:, -5:].mean() == pytest.approx(64, abs=4)


def test_transparent_parts_lie_on_white_and_cmyk_becomes_rgb() -> None:
    clear = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    assert np.asarray(part(packed(clear, "PNG"), (10, 10, 50, 50))).min() > 250
    red = Image.new("CMYK", (300, 300), (0, 255, 255, 0))
    shown = part(packed(red, "JPEG"), (10, 10, 50, 50))
    assert shown.mode == "RGB"
    assert np.asarray(shown)[..., 0].mean() > 180


def test_a_broken_file_is_a_problem_and_no_part() -> None:
    data = packed(photograph(1, WIDTH, HEIGHT), "JPEG")
    with pytest.raises(PictureError) as raised:
        crop(data[: len(data) // 2], BOX, 100, LIMITS)
    assert raised.value.reason == "truncated"
