"""What an earlier coding leaves in a picture: the multiples of a JPEG's table, the range of WebP and video."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from index.imaging.decoding.pictures import Limits
from index.imaging.originality.block_traces import grid_after, grids
from index.imaging.originality.earlier_coding import coding_shares
from index.imaging.originality.limited_range import limited_range
from index.imaging.originality.pair_evidence import Member, made_from
from index.imaging.originality.tracing import trace_of
from index.imaging.turning import turned
from index.model import TURNS, Facts, Turn
from support.pictures import photograph

Edit = Callable[[Image.Image], Image.Image]
SIDES = (523, 395)


def coded(image: Image.Image, encoder: str = "JPEG", **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, encoder, **options)
    return target.getvalue()


def decoded(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def member(data: bytes) -> Member:
    with Image.open(io.BytesIO(data)) as image:
        facts = Facts(image.format or "", image.width, image.height, image.mode)
    return Member(facts, trace_of(data, Limits()))


def findings(original: bytes, copy: bytes, evidence: dict[str, Any] | None = None) -> dict[str, float]:
    return made_from(member(original), member(copy), evidence or {})


@pytest.mark.parametrize("quality", [82, 90, 93, 94])
def test_the_table_of_a_fine_jpeg_shows_in_a_finer_one_and_not_the_other_way(quality: int) -> None:
    original = coded(photograph(5, *SIDES), quality=quality)
    copy = coded(decoded(original), quality=95)
    assert findings(original, copy)["coded"] == 1
    assert "coded" not in findings(copy, original)


@pytest.mark.parametrize(
    ("edit", "turn"),
    [(ImageOps.mirror, "flip_horizontal"), (lambda im: im.transpose(Image.Transpose.ROTATE_90), "rotate_270")],
    ids=["mirrored", "turned"],
)
def test_it_shows_on_the_grid_that_a_turn_has_moved(edit: Edit, turn: str) -> None:
    """Neither side is a multiple of 8, so that the blocks of both files lie apart."""
    original = coded(photograph(6, *SIDES), quality=88)
    copy = coded(edit(decoded(original)), quality=95)
    assert findings(original, copy, {"turn": turn})["coded"] > 0.5


@pytest.mark.parametrize(("factor", "tone"), [(1.25, {"brightness": 24}), (1.2, {"brightness": 20, "contrast": 1.19})])
def test_it_shows_at_another_contrast_that_was_measured_badly_or_not_at_all(factor: float, tone: Any) -> None:
    original = coded(photograph(7, *SIDES), quality=86)
    copy = coded(ImageEnhance.Brightness(decoded(original)).enhance(factor), quality=97)
    assert findings(original, copy, {"tone": tone})["coded"] > 0.5
    assert "coded" not in findings(copy, original, {"tone": {"brightness": -20}})


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_a_picture_that_was_saved_before_does_not_show_the_table_of_its_darker_copy(seed: int) -> None:
    """All tables have about one shape: at some gain that of the copy is the one by which the picture was sent."""
    sent = coded(photograph(seed, *SIDES), quality=75)
    original = coded(decoded(sent), quality=92)
    copy = coded(ImageEnhance.Brightness(decoded(original)).enhance(0.63), quality=81)
    tone = {"brightness": 40, "contrast": 1.6}
    assert "coded" not in findings(copy, original, {"tone": tone})
    assert findings(copy, original, {"tone": {**tone, "contrast": 1.39}})["coded"] > 0.5, "as it was saved"


def test_a_finer_table_is_not_read_into_what_was_coded_with_a_coarser_one() -> None:
    """Multiples of 6 are multiples of 3; two copies of one file do not show each other's coding."""
    first = coded(photograph(8, *SIDES), quality=88)
    copies = coded(decoded(first), quality=97), coded(decoded(first), "PNG")
    assert "coded" not in findings(*copies)
    assert findings(first, copies[1])["coded"] == 1


def test_other_pictures_and_too_few_values_say_nothing() -> None:
    one, other = coded(photograph(9, *SIDES), quality=85), coded(photograph(10, *SIDES), quality=95)
    assert "coded" not in findings(one, other)
    empty = np.zeros((27, 128), np.uint8)
    found = coding_shares(empty, (), (16,) * 64, transposed=False)
    assert (found.share[0], found.information[0]) == (0, 0)


@pytest.mark.parametrize("own", [(1,) * 64, (200,) * 64, (0,) * 64], ids=["finest", "coarsest", "broken"])
def test_no_table_raises(own: tuple[int, ...]) -> None:
    histograms = np.full((27, 128), 3, np.uint8)
    for table in ((1,) * 64, (7,) * 64, (0,) * 64, (65535,) * 64):
        found = coding_shares(histograms, own, table, transposed=True, gains=np.array([0.5, 1.0, 3.0]))
        assert np.isfinite(found.share).all()


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_what_was_a_webp_is_recognised_by_its_range(seed: int) -> None:
    original = coded(photograph(seed, 900, 700), quality=92)
    sent = coded(decoded(original), "WEBP", quality=75)
    copy = coded(decoded(sent), quality=95)
    assert findings(original, copy)["limited"] > 0.5
    assert "limited" not in findings(copy, original)
    assert "limited" not in findings(original, coded(decoded(original), quality=95))


@pytest.mark.parametrize("hiding", [{"noise": 0.2}, {"tone": {"brightness": -30}}, {"tone": {"contrast": 0.8}}])
def test_a_picture_that_was_edited_may_have_lost_the_range(hiding: dict[str, Any]) -> None:
    """What is left of the edit, from the edited picture to the other one."""
    sent = coded(decoded(coded(photograph(3, 900, 700), quality=92)), "WEBP", quality=75)
    original = coded(decoded(sent), quality=95)
    copy = coded(decoded(original).point(lambda level: min(255, round(level * 1.25))), quality=90)
    assert findings(copy, original, {"noise": 0.7})["limited"] > 0.5
    assert "limited" not in findings(copy, original, hiding)


def test_flat_and_empty_pictures_have_no_range() -> None:
    assert limited_range(np.zeros(256)) == 0
    flat = np.zeros(256)
    flat[[16, 128, 235]] = 10_000
    assert limited_range(flat) == 0


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("shape", [(45, 83), (48, 83), (41, 80)])
def test_the_blocks_begin_where_a_turn_has_put_them(turn: Turn, shape: tuple[int, int]) -> None:
    rows, columns = np.indices(shape)
    blocks = turned(100 * (rows // 8) + columns // 8, turn)
    left, top = grid_after(turn, blocks.shape[1], blocks.shape[0])
    assert (left, top) in grids(blocks.shape[1], blocks.shape[0])
    block = blocks[top : top + 8, left : left + 8]
    assert np.unique(block).size == 1, "all of one block, and no other"
