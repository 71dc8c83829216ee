"""Which alignments are tried of a pair that only local features propose: most of these met by accident."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from index.imaging.verification import alignment
from index.imaging.verification.alignment import Prepared, alignment_hypotheses
from index.imaging.verification.transforms import Map
from index.imaging.verification.verify import prepare
from index.model import Turn
from support.pictures import photograph

PICTURE = photograph(5, 480, 400)
BOX = (60, 40, 420, 360)
CROPPED: Map = np.array([[1.0, 0, -BOX[0]], [0, 1, -BOX[1]], [0, 0, 1]])
# Of the crop, mirrored: its columns count from the right.
MIRRORED: Map = np.array([[-1.0, 0, BOX[2] - 1], [0, 1, -BOX[1]], [0, 0, 1]])


def prepared(picture: Image.Image) -> Prepared:
    return prepare(np.asarray(picture))


@pytest.mark.parametrize(
    ("second", "suggested", "handedness"),
    [
        (PICTURE.crop(BOX), CROPPED, [False]),
        (ImageOps.mirror(PICTURE.crop(BOX)), MIRRORED, [True]),
        (photograph(6, 480, 400), np.eye(3), []),
        (PICTURE.crop(BOX), MIRRORED, []),
    ],
)
def test_features_of_whole_pictures_are_looked_for_only_as_the_suggested_map_has_it(
    second: Image.Image, suggested: Map, handedness: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def noted(*_: Any, mirrored: bool) -> Iterator[alignment.Aligned]:
        asked.append(mirrored)
        return iter(())

    monkeypatch.setattr(alignment, "_hypotheses_by_features", noted)
    found = list(alignment_hypotheses(prepared(PICTURE), prepared(second), None, (suggested,)))
    assert asked == handedness
    assert [one for one in found if one.similarity.median > 0.9] if handedness else not found


def test_a_map_that_holds_for_large_shapes_alone_is_not_corrected_at_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    random, shapes = np.random.default_rng(1), np.asarray(photograph(5, 320, 256), np.float32)
    grained = [
        prepare(np.clip(shapes + random.normal(0, 60, (256, 320, 1)), 0, 255).astype(np.uint8)) for _ in range(2)
    ]
    sides: list[int] = []
    usual = alignment.transforms.refine

    def noted(first: Any, *rest: Any) -> Map | None:
        sides.append(max(first.shape))
        return usual(first, *rest)

    monkeypatch.setattr(alignment.transforms, "refine", noted)
    assert not list(alignment_hypotheses(*grained, None, (np.eye(3),)))
    assert sides == [alignment.COARSE_FRAME]


def test_a_picture_stretched_over_a_part_of_it_does_not_end_the_search() -> None:
    # A smooth sky agrees with any part of itself, stretched corner on corner.
    sky = np.tile(np.linspace(60, 200, 300, dtype=np.float32)[:, None], (1, 400))
    sky[200:240] += np.random.default_rng(2).normal(0, 30, (40, 400)).astype(np.float32)
    over = np.diag((1.0, 0.8, 1.0))
    squeezed = alignment.transforms.warp(sky, (240, 400), over)
    stretched = alignment.align(Turn.NONE, sky, squeezed, over)
    upright = alignment.align(Turn.NONE, sky, sky, np.eye(3))
    assert stretched.stretch == pytest.approx(1.25)
    assert stretched.similarity.median > 0.95
    assert (stretched.settled, upright.settled) == (False, True)
