"""A picture in few colours."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from index.imaging.encoding import palette, ssimulacra2
from index.imaging.encoding.palette import reduced
from support.pictures import photograph


def colours_of(picture: Image.Image) -> np.ndarray:
    return np.unique(np.asarray(picture.convert("RGBA")).reshape(-1, 4), axis=0)


def screen() -> Image.Image:
    """Letters of many tones on flat areas, with a photograph in a corner."""
    picture = Image.new("RGB", (480, 360), "white")
    draw = ImageDraw.Draw(picture)
    for line in range(12):
        draw.text((10, 12 + line * 28), "ComparImg keeps what you see " * 3, fill=(line * 20, 60, 200 - line * 9))
    picture.paste(photograph(1, 160, 120), (300, 220))
    return picture


@pytest.mark.parametrize("most", [1, 2, 16, 255, 256])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_there_are_no_more_colours_than_wanted(most: int, mode: str) -> None:
    result = reduced(photograph(1, 120, 90).convert(mode), most)
    assert (result.mode, result.size) == ("P", (120, 90))
    assert 1 <= len(colours_of(result)) <= most


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_picture_with_few_colours_stays_as_it_is(mode: str) -> None:
    picture = photograph(1, 120, 90).quantize(200).convert(mode)
    assert np.array_equal(np.asarray(reduced(picture, 256).convert(mode)), np.asarray(picture))


@pytest.mark.parametrize(("most", "least"), [(256, 80.0), (64, 60.0)])
def test_it_looks_better_than_what_pillow_makes(most: int, least: float) -> None:
    picture = screen()

    def score(result: Image.Image) -> float:
        return ssimulacra2.score(np.asarray(picture), np.asarray(result.convert("RGB")))

    pillows = picture.quantize(most, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    assert score(reduced(picture, most)) > max(least, score(pillows))


def test_bands_are_dithered_and_flat_areas_are_not() -> None:
    ramp = np.linspace(0, 255, 512)[None, :].repeat(128, 0).astype(np.uint8)
    result = np.asarray(reduced(Image.fromarray(ramp), 8).convert("L")).astype(float)
    off = (result.mean(0) - ramp.mean(0))[:496].reshape(-1, 16).mean(1)
    # The nearest of eight are up to 18 levels off, which makes eight steps of one colour each.
    # Beyond the darkest and the lightest of them nothing can be dithered.
    assert np.abs(off[3:-3]).max() < 2
    white = np.asarray(screen())[:8] == 255
    assert (np.asarray(reduced(screen(), 64).convert("RGB"))[:8][white] == 255).all()


def test_what_is_transparent_stays_so() -> None:
    picture = photograph(1, 120, 90).convert("RGBA")
    alpha = np.linspace(0, 255, 120)[None, :].repeat(90, 0).astype(np.uint8)
    alpha[:, :30] = 0
    picture.putalpha(Image.fromarray(alpha))
    result = np.asarray(reduced(picture, 64).convert("RGBA"))
    assert not result[:, :30, 3].any()
    assert np.abs(result[:, :, 3].astype(int) - alpha).max() <= 40


def test_more_colours_than_are_compared_are_taken_together() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    result = np.asarray(reduced(Image.fromarray(noise), 256).convert("RGB"))
    assert len(np.unique(noise.reshape(-1, 3), axis=0)) > 60_000
    assert np.abs(result.astype(int) - noise).mean() < 20


def texture() -> Image.Image:
    """Coarse grains of many colours, as on a wall."""
    grains = np.random.default_rng(1).integers(-40, 40, (60, 80, 3)).repeat(2, 0).repeat(2, 1)
    return Image.fromarray((np.asarray(photograph(3, 160, 120)) + grains).clip(0, 255).astype(np.uint8))


def shadow() -> Image.Image:
    """Letters next to a wide soft shadow on white."""
    levels = 255 - np.linspace(0, 5.5, 160) ** 2
    picture = Image.fromarray(levels[None, :, None].repeat(120, 0).repeat(3, 2).astype(np.uint8))
    ImageDraw.Draw(picture).text((4, 40), "View members", fill=(60, 60, 90))
    return picture


@pytest.mark.parametrize("picture", [screen(), texture(), shadow()], ids=["screen", "texture", "shadow"])
@pytest.mark.parametrize("most", [16, 256])
def test_of_two_palettes_with_and_without_dithering_the_best_is_taken(
    picture: Image.Image, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score() -> float:
        return ssimulacra2.score(np.asarray(picture), np.asarray(reduced(picture, most).convert("RGB")))

    best = score()
    for popularity in palette.POPULARITIES:
        monkeypatch.setattr(palette, "POPULARITIES", (popularity,))
        assert best >= score()
    monkeypatch.setattr(palette, "BAND", 1e9)
    assert best >= score()
