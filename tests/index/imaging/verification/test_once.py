"""What is computed of one picture is computed once, and goes with the picture."""

import gc

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from index.imaging.verification import once
from index.imaging.verification.once import once_a_picture
from index.imaging.verification.verify import judge, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph


def picture(level: int = 7) -> np.ndarray:
    return np.full((4, 6), level, np.float32)


def test_it_is_computed_once_for_each_picture_and_each_further_argument() -> None:
    calls: list[float] = []

    @once_a_picture
    def brighter(of: np.ndarray, by: float) -> np.ndarray:
        calls.append(by)
        return of + by

    one, other = picture(1), picture(2)
    results = [brighter(of, by) for of in (one, other, one) for by in (1.0, 2.0, 1.0)]
    assert [float(result[0, 0]) for result in results] == [2, 3, 2, 3, 4, 3, 2, 3, 2]
    assert calls == [1.0, 2.0, 1.0, 2.0]


def test_neither_the_picture_nor_the_result_can_be_changed_afterwards() -> None:
    doubled = once_a_picture(lambda of: of * 2)
    of = picture()
    result = doubled(of)
    for array in (of, result):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_nothing_is_kept_of_a_picture_that_is_gone() -> None:
    doubled = once_a_picture(lambda of: of * 2)
    gc.collect()
    before = len(once._kept)
    pictures = [picture(level) for level in range(5)]
    for of in pictures:
        doubled(of)
    assert len(once._kept) == before + 5
    del pictures, of
    gc.collect()
    assert len(once._kept) == before


def test_a_new_picture_at_the_place_of_an_old_one_is_computed_again() -> None:
    mean = once_a_picture(lambda of: float(of.mean()))
    for level in range(50):
        # Each is at once gone, and its address free for the next.
        assert mean(picture(level)) == level


def test_nothing_is_kept_of_pictures_that_were_compared() -> None:
    """No result refers to its picture, or the memory of a worker would grow with every pair."""
    original = photograph(5)
    copies = (
        ImageOps.grayscale(original).convert("RGB"),
        ImageEnhance.Brightness(original).enhance(1.4),
        original.filter(ImageFilter.GaussianBlur(2)),
        original.crop((20, 10, original.width, original.height)),
        original.resize((original.width // 2, original.height // 2), Image.Resampling.LANCZOS),
    )
    facts = [Facts("PNG", *picture.size) for picture in (original, *copies)]
    gc.collect()
    before = len(once._kept)
    first = prepare(np.asarray(original))
    for copy, of_copy in zip(copies, facts[1:], strict=True):
        assert judge(first, prepare(np.asarray(copy)), facts[0], of_copy, Turn.NONE).kind in (Kind.NEAR, Kind.POSSIBLE)
    assert len(once._kept) > before
    del first
    gc.collect()
    assert len(once._kept) == before
