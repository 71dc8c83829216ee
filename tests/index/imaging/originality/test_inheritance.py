"""What pictures of a group have in common, and what it says of which of them came first."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from index.imaging.decoding.pictures import Limits
from index.imaging.originality.earlier_coding import table_likelihood
from index.imaging.originality.inheritance import GroupWeights, copies, outnumbered, precedence, shared_traits
from index.imaging.originality.trace import Trace
from index.imaging.originality.tracing import trace_of
from index.model import Facts
from support.pictures import photograph

SEEDS = (3, 11)


def jpeg(image: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality)
    return target.getvalue()


def traits(first: bytes, second: bytes, evidence: dict[str, Any] | None = None, quality: int = 90) -> set[str]:
    one, other = (trace_of(data, Limits()) for data in (first, second))
    facts = Facts("JPEG", one.width, one.height, jpeg_quality=quality)
    found = shared_traits(one, other, (facts, facts), evidence or {}, same_scale=one.width == other.width)
    assert all(strength in (0.0, 1.0) for strength in found.values())
    return {name for name, strength in found.items() if strength}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("quality", [85, 97])
def test_a_copy_that_was_saved_again_shares_every_trait(seed: int, quality: int) -> None:
    picture = photograph(seed, 500, 380)
    shared = traits(jpeg(picture, 92), jpeg(picture, quality))
    assert {"same_turn", "same_tones", "same_colours", "same_detail"} <= shared
    assert not {name for name in shared if name.startswith("other_")}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("edit", "evidence", "trait"),
    [
        (lambda image: image.transpose(Image.Transpose.ROTATE_90), {"turn": "rotate_270"}, "turn"),
        (lambda image: ImageEnhance.Brightness(image).enhance(1.2), {}, "tones"),
        (lambda image: ImageOps.autocontrast(ImageEnhance.Contrast(image).enhance(0.8), cutoff=1), {}, "tones"),
        (lambda image: ImageEnhance.Color(image).enhance(2.5), {}, "colours"),
        (lambda image: image.filter(ImageFilter.GaussianBlur(1.2)), {}, "detail"),
        (lambda image: image.filter(ImageFilter.UnsharpMask(2, 200, 0)), {}, "detail"),
    ],
    ids=["turned", "brighter", "tones", "colours", "blurred", "sharpened"],
)
def test_an_edit_changes_a_trait(
    seed: int, edit: Callable[[Image.Image], Image.Image], evidence: dict[str, Any], trait: str
) -> None:
    picture = photograph(seed, 500, 380)
    assert "other_" + trait in traits(jpeg(picture, 92), jpeg(edit(picture), 92), evidence)


def test_of_a_part_only_the_turn_and_what_is_in_a_place_are_compared() -> None:
    picture = photograph(3, 500, 380)
    part = picture.crop((0, 0, 400, 380))
    crop = {"crop": {"of": "first", "box": [0, 0, 0.8, 1]}}
    assert traits(jpeg(picture, 92), jpeg(part, 92), crop) == {"same_turn", "same_place"}
    assert traits(jpeg(picture, 92), jpeg(part, 92), crop | {"changed": 0.02}) == {"same_turn", "other_place"}
    assert traits(jpeg(picture, 92), jpeg(part, 92), crop | {"perhaps_changed": True}) == {"same_turn"}


def test_noise_is_not_compared_where_compression_smoothes_as_well() -> None:
    picture = photograph(3, 500, 380)
    assert not {"same_noise", "other_noise"} & traits(jpeg(picture, 92), jpeg(picture, 60), quality=60)


def test_a_trait_that_one_picture_alone_has_is_outnumbered_by_that_of_all_others() -> None:
    other = np.zeros((5, 5), np.bool_)
    other[4, :4] = other[:4, 4] = True
    same = ~other & ~np.eye(5, dtype=np.bool_)
    behind = outnumbered(other, same)
    assert behind[:4].tolist() == [0.0] * 4
    assert behind[4] == pytest.approx(np.log(4 * 5 / 2))


def test_where_each_picture_has_a_trait_of_its_own_none_is_outnumbered() -> None:
    other = ~np.eye(4, dtype=np.bool_)
    assert outnumbered(other, np.zeros((4, 4), np.bool_)).tolist() == [0.0] * 4


def test_the_number_of_copies_follows_from_the_tables_that_are_shown() -> None:
    table = np.zeros((6, 6))
    table[0, 2:] = 4.0
    table[1, 2:] = -0.5
    found = copies(table)
    assert found[0] > 3
    assert found[1] < 0.5
    assert (found <= 5).all()


def test_a_copy_that_shows_two_tables_counts_for_neither_alone() -> None:
    table = np.zeros((6, 6))
    table[:2, 2:] = 4.0
    found = copies(table)
    assert found[0] == pytest.approx(found[1])


def test_pairs_in_either_order_say_the_same() -> None:
    forward, back = {"table": 3.0, "same_turn": 1.0}, {"no_table": 0.4, "same_turn": 1.0}
    given = GroupWeights(1.0, 1.0)
    one = precedence(3, [((0, 1), (forward, back)), ((0, 2), (forward, back))], given)
    other = precedence(3, [((1, 0), (back, forward)), ((2, 0), (back, forward))], given)
    assert one.tolist() == other.tolist()
    assert one.argmax() == 0


@pytest.mark.parametrize(
    ("share", "information", "sign"), [(0.8, 2000, 1), (0.0, 2000, -1), (0.8, 100, 1), (0.0, 1, 0)]
)
def test_how_much_a_share_of_a_table_says(share: float, information: float, sign: int) -> None:
    found = table_likelihood(share, information)
    assert np.sign(found) == sign or (not sign and abs(found) < 0.2)
    assert abs(table_likelihood(0.8, 10)) < table_likelihood(0.8, 2000)


def test_what_a_trace_keeps_is_of_few_numbers() -> None:
    trace: Trace = trace_of(jpeg(photograph(3, 500, 380), 90), Limits())
    assert len(trace.pixels.tones) == 7
    assert list(trace.pixels.tones) == sorted(trace.pixels.tones)
    assert len(trace.pixels.colours) == 4
