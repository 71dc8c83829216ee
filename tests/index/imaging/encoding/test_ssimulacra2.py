"""SSIMULACRA 2 against the package that others wrote, and by the laws that a measure of likeness has."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import ssimulacra2 as package
from PIL import Image

from index.imaging.encoding import ssimulacra2
from support.pictures import photograph

SIZE = (400, 300)


def at_quality(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def score(first: Image.Image, second: Image.Image) -> float:
    return ssimulacra2.score(np.asarray(first), np.asarray(second))


def blurred_as_the_package_does(channels: np.ndarray) -> np.ndarray:
    """Nothing beyond the sides, but mirrored above and below, where the definition takes nothing as well."""
    mirrored = cv2.copyMakeBorder(channels, 5, 5, 0, 0, cv2.BORDER_REFLECT)
    padded = cv2.copyMakeBorder(mirrored, 0, 0, 5, 5, cv2.BORDER_CONSTANT)
    return cv2.GaussianBlur(padded, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)[5:-5, 5:-5]


@pytest.mark.parametrize("quality", [15, 50, 80, 95])
def test_it_is_what_the_package_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quality: int) -> None:
    first = photograph(1, *SIZE)
    second = at_quality(first, quality)
    files = [tmp_path / "first.png", tmp_path / "second.png"]
    for picture, file in zip((first, second), files, strict=True):
        picture.save(file)
    monkeypatch.setattr(ssimulacra2, "_blurred", blurred_as_the_package_does)
    assert score(first, second) == pytest.approx(package.compute_ssimulacra2(*map(str, files)), abs=0.05)


def test_the_same_picture_scores_100_and_less_quality_less() -> None:
    picture = photograph(2, *SIZE)
    assert score(picture, picture) == 100
    scores = [score(picture, at_quality(picture, quality)) for quality in (95, 80, 60, 30, 5)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 75
    assert scores[-1] < 30


def test_a_tall_picture_scores_in_bands_what_it_does_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photograph(3, 64, 700)
    other = at_quality(picture, 40)
    in_bands = score(picture, other)
    monkeypatch.setattr(ssimulacra2, "BAND_ROWS", 10_000)
    assert in_bands == pytest.approx(score(picture, other), abs=1e-3)


def test_bands_of_an_odd_height_lose_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photograph(3, 61, 515)
    other = at_quality(picture, 40)
    in_bands = score(picture, other)
    monkeypatch.setattr(ssimulacra2, "BAND_ROWS", 10_000)
    assert in_bands == pytest.approx(score(picture, other), abs=1e-3)


def test_grey_is_colour_without_colour() -> None:
    picture = photograph(4, *SIZE).convert("L")
    other = at_quality(picture, 50).convert("L")
    assert score(picture, other) == pytest.approx(score(picture.convert("RGB"), other.convert("RGB")))


def test_what_is_transparent_is_seen_on_dark_and_on_bright() -> None:
    picture = photograph(5, *SIZE).convert("RGBA")
    clear = picture.copy()
    clear.putalpha(0)
    assert score(clear, clear) == 100
    assert score(picture, clear) < 0


def test_other_shapes_are_no_pictures_of_one_size() -> None:
    with pytest.raises(ValueError, match="one size"):
        score(photograph(6, 64, 64), photograph(6, 64, 63))


def test_what_is_too_small_for_the_metric_is_the_same_or_not() -> None:
    tiny = photograph(7, 64, 64).resize((6, 6))
    assert score(tiny, tiny) == 100
    assert score(tiny, Image.new("RGB", (6, 6))) == -float("inf")
