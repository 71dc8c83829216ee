"""How two members of a group differ follows from how each differs from the reference."""

from typing import Any

import numpy as np
import pytest

from index.imaging.originality.composed import composed, follows, turned_box
from index.imaging.turning import turned
from index.imaging.verification.edit_evidence import reversed_evidence
from index.model import TURNS, Facts, Turn

FACTS = Facts("JPEG", 800, 600)


def led(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return composed(first, second, FACTS, FACTS)


def crop(of: str, *box: float) -> dict[str, Any]:
    return {"crop": {"of": of, "box": list(box)}}


@pytest.mark.parametrize("one", TURNS)
@pytest.mark.parametrize("other", TURNS)
def test_a_turn_leads_from_one_turned_picture_to_the_other(one: Turn, other: Turn) -> None:
    picture = np.arange(6).reshape(2, 3)
    found = led({"turn": str(one)}, {"turn": str(other)})
    between = Turn(found.get("turn", "none"))
    assert np.array_equal(turned(turned(picture, one), between), turned(picture, other))


@pytest.mark.parametrize("turn", TURNS)
def test_a_box_is_turned_as_the_picture_is(turn: Turn) -> None:
    marked = np.zeros((10, 20), bool)
    marked[1:4, 2:12] = True
    rows, columns = np.nonzero(turned(marked, turn))
    height, width = turned(marked, turn).shape
    box = columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height
    assert turned_box((2 / 20, 1 / 10, 12 / 20, 4 / 10), turn) == pytest.approx(box)


def test_the_third_picture_has_no_say_where_it_is_one_of_the_two() -> None:
    evidence = {"turn": "rotate_90", "scale": 0.5, **crop("first", 0.1, 0.2, 0.6, 0.9), "tone": {"contrast": 1.3}}
    assert led({}, evidence) == evidence
    assert led(evidence, {}) == reversed_evidence(evidence)


def test_sizes_and_tones_are_relative_to_each_other() -> None:
    found = led({"scale": 0.5, "tone": {"brightness": 20}}, {"scale": 2.0, "tone": {"brightness": -5, "contrast": 1.4}})
    assert found == {"scale": 4.0, "tone": {"brightness": -25, "contrast": 1.4}}
    assert led({"scale": 0.5, "tilt": 2.0}, {"scale": 0.5, "tilt": 2.0}) == {}
    # The same picture tilted, and its mirror image: the one is the other mirrored, and nothing more.
    assert led({"tilt": 2.0}, {"tilt": -2.0, "turn": "flip_horizontal"}) == {"turn": "flip_horizontal"}
    for mirrored in ("flip_horizontal", "transpose"):
        tilted = {"tilt": 2.0, "turn": mirrored}
        assert led(tilted, {}) == reversed_evidence(tilted)


@pytest.mark.parametrize(
    ("one", "other", "grey"),
    [(None, "second", "second"), ("second", None, "first"), ("second", "second", None), ("first", None, "second"),
     (None, "first", "first")],
)  # fmt: skip
def test_of_two_pictures_the_one_with_less_colour_is_grey(one: Any, other: Any, grey: Any) -> None:
    tones = ({"tone": {"grey": side}} if side else {} for side in (one, other))
    assert led(*tones).get("tone", {}).get("grey") == grey


def test_a_crop_of_a_crop_is_a_part_of_it_and_two_crops_side_by_side_are_none_of_each_other() -> None:
    large, small = crop("first", 0.0, 0.0, 0.8, 0.8), crop("first", 0.2, 0.2, 0.6, 0.6)
    assert led(large, small) == crop("first", 0.25, 0.25, 0.75, 0.75)
    assert led(small, large) == crop("second", 0.25, 0.25, 0.75, 0.75)
    assert led(large, large) == {}
    assert led(crop("first", 0.0, 0.0, 0.5, 1.0), crop("first", 0.3, 0.0, 1.0, 1.0)) == {"apart": True}


def test_a_box_is_given_in_the_larger_picture_as_that_is_shown() -> None:
    large = {"turn": "rotate_90", **crop("first", 0.0, 0.0, 0.8, 1.0)}
    found = led(large, crop("first", 0.0, 0.0, 0.8, 0.5))
    assert found == {"turn": "rotate_270", **crop("first", 0.5, 0.0, 1.0, 1.0)}
    # The reference is the part.
    assert led(crop("second", 0.25, 0.25, 0.75, 0.75), {}) == crop("first", 0.25, 0.25, 0.75, 0.75)


def test_a_frame_is_around_one_of_two_pictures_and_two_frames_say_nothing() -> None:
    framed, within = {"frame": "second"}, {"frame": "first"}
    assert led({}, framed) == {"frame": "second"}
    assert led(framed, {}) == {"frame": "first"}
    assert led({}, within) == {"frame": "first"}
    assert led(within, within) == {}
    assert led(framed, framed) == {"apart": True}
    assert led(crop("first", 0.1, 0.1, 0.7, 0.7), framed) == {"apart": True}


def test_what_only_pictures_show_does_not_follow() -> None:
    assert follows({"scale": 0.5}, {"tone": {"brightness": 20}})
    assert not follows({"changed": 0.1}, {"scale": 0.5})
    assert not follows({}, {"noise": 1.5})
    assert follows({}, {"sharpness": 1.5})
    assert not follows({"frame": "second"}, {"frame": "second"})


def test_sharpness_is_relative_where_both_were_measured() -> None:
    assert led({}, {"sharpness": 1.6}) == {"sharpness": 1.6}
    assert led({"sharpness": 2.0}, {}) == {"sharpness": 0.5}
    assert led({"sharpness": 1.6}, {"sharpness": 1.7}) == {}
    # Where one was resized or cut out, it was interpolated.
    assert led({"sharpness": 2.0}, {"scale": 0.5}) == {"scale": 0.5}
    assert "sharpness" not in led({"sharpness": 2.0}, crop("first", 0.1, 0.1, 0.9, 0.9))


def changed(*box: float) -> dict[str, Any]:
    return {"changed": 0.02, "where": {"first": list(box), "second": list(box)}}


@pytest.mark.parametrize(
    ("first", "second", "between"),
    [
        ({}, changed(0.8, 0.1, 0.9, 0.2), {"changed": 0.02}),
        # The third picture is the one with the stamp, or both have the same.
        (changed(0.8, 0.1, 0.9, 0.2), changed(0.8, 0.1, 0.9, 0.21), {}),
        (changed(0.8, 0.1, 0.9, 0.2), changed(0.1, 0.8, 0.3, 0.9), {"changed": 0.04}),
        (changed(0.8, 0.1, 0.9, 0.2), changed(0.85, 0.15, 1.0, 0.3), {"perhaps_changed": True}),
        # Small places are not reported with a box.
        ({"changed": 0.001}, changed(0.8, 0.1, 0.9, 0.2), {"perhaps_changed": True}),
    ],
)
def test_what_was_put_over_one_of_two_pictures_follows_from_where_each_differs_from_the_third(
    first: dict[str, Any], second: dict[str, Any], between: dict[str, Any]
) -> None:
    assert led(first, second) == between
    assert led(second, first) == between
