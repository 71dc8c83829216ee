"""The account of a match: what was done to a copy is told, and nothing that was not."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from index.images.pictures import Limits, view
from index.model import Facts, Turn
from index.verification.verify import judge, prepare
from support.pictures import photograph, stamped

LIMITS = Limits(max_pixels=50_000_000)
SEEDS = (1, 2, 3)


def evidence(first: Image.Image, second: Image.Image) -> dict[str, Any]:
    prepared = []
    for picture in (first, second):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90)
        seen: Any = cv2.imdecode(np.frombuffer(view(file.getvalue(), LIMITS), np.uint8), cv2.IMREAD_COLOR_RGB)
        prepared.append(prepare(seen))
    facts = [Facts("JPEG", *picture.size, jpeg_quality=90) for picture in (first, second)]
    return dict(judge(*prepared, *facts, Turn.NONE).evidence)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crop_that_takes_some_of_a_plain_sky_is_no_picture_without_its_frame(seed: int) -> None:
    whole = photograph(seed, 800, 600)
    whole.paste((150, 170, 200), (0, 0, 800, 90))
    crop = evidence(whole, whole.crop((0, 50, 800, 600)))
    assert "frame" not in crop
    assert crop["crop"]["of"] == "first"
    for border, colour in ((40, "white"), (14, "black")):
        framed = evidence(whole, ImageOps.expand(whole, border=border, fill=colour))
        assert framed["frame"] == "second"
        assert "scale" not in framed


@pytest.mark.parametrize("seed", SEEDS)
def test_a_caption_is_told_with_the_share_it_takes_and_makes_no_picture_brighter(seed: int) -> None:
    picture = photograph(seed, 800, 600)
    told = evidence(picture, stamped(picture))
    assert 0.08 < told["changed"] < 0.14
    assert "tone" not in told
    brighter = stamped(ImageEnhance.Brightness(picture).enhance(1.3))
    assert evidence(picture, brighter)["tone"]["brightness"] > 15
