"""How much of a picture is drawn in strokes: text and charts are, black cloth, skies and hills are not."""

import random

import numpy as np
import pytest

from index.imaging.verification.graphics import reduced
from index.imaging.verification.strokes import STROKES, stroke_share
from samples.drawings import GRAPHICS, SCENERY
from support.pictures import photograph


def share(picture) -> float:
    return stroke_share(reduced(np.asarray(picture.convert("L")), 448))


@pytest.mark.parametrize("kind", GRAPHICS)
def test_graphics_are_drawn_in_strokes(kind: str) -> None:
    assert share(GRAPHICS[kind](random.Random("4"))) >= STROKES.min_share


@pytest.mark.parametrize("kind", ["photograph", "black cloth", "on a plain background", "drawn landscape"])
def test_scenery_is_not(kind: str) -> None:
    assert share(SCENERY[kind](photograph(3, 480, 640), random.Random("4"))) < STROKES.min_share


def test_what_is_flat_has_no_strokes() -> None:
    assert stroke_share(np.full((40, 60), 128, np.float32)) == 0.0
    assert stroke_share(np.zeros((16, 10), np.float32)) == 0.0, "smaller than a block"
