"""The numbers that a model is given are exactly those of the definition."""

import numpy as np
import pytest
from PIL import Image

from index.imaging.embedding.model_input import ModelInput
from index.imaging.embedding.preprocessing import to_input
from index.imaging.turning import turned
from index.model import TURNS, Turn
from support.pictures import photograph

PLAIN = ModelInput("x", "y", "float32", 32, 32, "stretch", (0, 0, 0), (1, 1, 1), "nchw", "rgb")


def model(**changes: object) -> ModelInput:
    values = {name: getattr(PLAIN, name) for name in PLAIN.__slots__}
    return ModelInput(**{**values, **changes})


def test_a_stretch_is_a_bilinear_thumbnail_and_bicubic() -> None:
    picture = photograph(1)
    by_hand = picture.copy()
    by_hand.thumbnail((64, 64), Image.Resampling.BILINEAR)
    pixels = np.asarray(by_hand.resize((32, 32), Image.Resampling.BICUBIC), np.float32)
    values = to_input(picture, model(mean=(127.0,) * 3, std=(128.0,) * 3))
    assert values.shape == (1, 3, 32, 32) and values.dtype == np.float32 and values.flags.c_contiguous
    np.testing.assert_array_equal(values[0], ((pixels - 127) / 128).transpose(2, 0, 1))


def test_layout_channels_and_element() -> None:
    picture = photograph(2)
    planes = to_input(picture, PLAIN)[0]
    np.testing.assert_array_equal(to_input(picture, model(layout="nhwc"))[0], planes.transpose(1, 2, 0))
    np.testing.assert_array_equal(to_input(picture, model(channels="bgr"))[0], planes[::-1])
    whole = to_input(picture, model(element="uint8"))
    assert whole.dtype == np.uint8
    np.testing.assert_array_equal(whole[0], planes)
    assert to_input(picture, model(element="float16")).dtype == np.float16


@pytest.mark.parametrize("size", [(400, 200), (200, 400), (20, 10), (3, 400)])
def test_a_crop_fills_and_a_pad_surrounds(size: tuple[int, int]) -> None:
    white = Image.new("RGB", size, "white")
    assert (to_input(white, model(fit="crop")) == 255).all()
    padded = to_input(white, model(fit="pad", mean=(10.0, 20.0, 30.0)))[0]
    surround = [padded[:, 0, 0], padded[:, -1, -1]]
    assert all(not corner.any() for corner in surround)
    assert (padded[:, 16, 16] == [245, 235, 225]).all()


def test_a_crop_is_the_middle() -> None:
    picture = Image.new("RGB", (300, 100), "red")
    picture.paste((0, 0, 255), (100, 0, 200, 100))
    middle = to_input(picture, model(fit="crop"))[0][:, :, 4:-4]
    assert middle[2].min() > 250 and middle[0].max() < 5


@pytest.mark.parametrize("turn", TURNS)
def test_a_turn_turns_the_picture(turn: Turn) -> None:
    square = photograph(3).resize((64, 64))
    upright = to_input(square, PLAIN)[0]
    expected = np.stack([turned(plane, turn) for plane in upright])
    np.testing.assert_allclose(to_input(square, PLAIN, turn)[0], expected, atol=1.01)
