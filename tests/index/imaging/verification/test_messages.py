"""Messages over a photograph: a panel with lines of text is one, a caption, a label and a sticker are not."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from index.imaging.verification.messages import is_message
from index.imaging.verification.places import places
from support.pictures import photograph

SIZE = (252, 448)


def drawn(box: tuple[int, int, int, int], text: str, size: int, at: tuple[int, int]) -> Image.Image:
    made = photograph(2, *SIZE)
    pen = ImageDraw.Draw(made)
    pen.rounded_rectangle(box, 6, fill=(240, 240, 240))
    pen.text(at, text, fill="black", font=ImageFont.load_default(size))
    return made


def message() -> Image.Image:
    return drawn((14, 300, 238, 342), "Anna\nsee you at eight", 11, (24, 304))


def band() -> Image.Image:
    return drawn((-8, 300, 260, 342), "Anna: see you at eight", 11, (24, 314))


def label() -> Image.Image:
    return drawn((60, 300, 200, 330), "SUMMER", 26, (70, 299))


def sticker() -> Image.Image:
    return drawn((60, 300, 130, 330), "", 10, (0, 0))


def greys(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"), np.float32)


@pytest.mark.parametrize(("make", "found"), [(message, True), (band, False), (label, False), (sticker, False)])
def test_a_message_is_a_panel_with_low_lines(make: Callable[[], Image.Image], found: bool) -> None:
    assert is_message(greys(make()), greys(photograph(2, *SIZE)), SIZE[0]) is found


def test_where_nothing_differs_there_is_none() -> None:
    same = greys(photograph(2, *SIZE))
    assert not is_message(same, same, SIZE[0])


@pytest.mark.parametrize(("make", "added"), [(message, False), (band, True)])
def test_a_message_is_not_added_and_a_caption_is(make: Callable[[], Image.Image], added: bool) -> None:
    everywhere = np.ones(SIZE[::-1], bool)
    where = everywhere.copy()
    where[280:360] = False
    first, second = greys(photograph(2, *SIZE)), greys(make())
    for one, other, on in ((first, second, "second"), (second, first, "first")):
        found = places(one, other, everywhere, where)
        assert found
        assert {place.on for place in found} == ({on} if added else {""})
