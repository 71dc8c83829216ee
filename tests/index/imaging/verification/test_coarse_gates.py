"""The coarse gates: what passes just within a limit, and what fails just beyond it."""

import numpy as np
import pytest

from index.imaging.verification.alignment import Aligned, Prepared
from index.imaging.verification.coarse_gates import (
    contained,
    correlation,
    different,
    exclusive,
    is_graphic,
    is_only_stamped,
    is_plain,
    texture,
)
from index.imaging.verification.gate_thresholds import CONTAINED, CORRELATION, DIFFERENT, EXCLUSIVE, TEXTURE
from index.imaging.verification.similarity import Similarity
from index.model import Turn

SHAPE = (12, 16)


def similarity(textured: int, agreement: float = 0.9, shape: tuple[int, int] = SHAPE) -> Similarity:
    """As many blocks with texture, all of which agree alike; the others do not count."""
    blocks = np.full(shape, np.nan, np.float32)
    blocks.ravel()[:textured] = agreement
    return Similarity(blocks, textured)


def with_places(*places: tuple[slice, slice]) -> Similarity:
    """A picture that agrees well but for these places."""
    blocks = np.full(SHAPE, 0.98, np.float32)
    for place in places:
        blocks[place] = 0.1
    return Similarity(blocks, blocks.size)


@pytest.mark.parametrize(
    ("textured", "agreement", "shape", "limit", "passed"),
    [
        (8, 0.9, SHAPE, 8, True),
        (7, 0.9, SHAPE, 8, False),
        # A tenth of the blocks of a thumbnail, but never fewer than four.
        (6, 0.9, (8, 8), 6, True),
        (5, 0.9, (8, 8), 6, False),
        (4, 0.9, (4, 4), 4, True),
        (3, 0.9, (4, 4), 4, False),
        # The moon in the night sky.
        (4, 0.98, SHAPE, 4, True),
        (4, 0.96, SHAPE, 8, False),
        (3, 0.98, SHAPE, 4, False),
    ],
)
def test_texture(textured: int, agreement: float, shape: tuple[int, int], limit: int, passed: bool) -> None:
    gate = texture(similarity(textured, agreement, shape), TEXTURE)
    assert (gate.value, gate.limit, gate.passed) == (textured, limit, passed)


@pytest.mark.parametrize(("median", "passed"), [(0.86, True), (0.84, False)])
def test_correlation(median: float, passed: bool) -> None:
    assert correlation(similarity(50, median), CORRELATION).passed is passed


@pytest.mark.parametrize(
    ("blocks", "graphic", "passed"), [(3, False, True), (4, False, False), (0, True, True), (1, True, False)]
)
def test_a_share_of_the_blocks_may_differ_and_none_of_a_graphic(blocks: int, graphic: bool, passed: bool) -> None:
    """Of 192 blocks that agree too little for a stamp."""
    values = np.full(SHAPE, 0.9, np.float32)
    values.ravel()[: 5 * blocks : 5] = 0.1
    assert different(Similarity(values, values.size), DIFFERENT, graphic=graphic).passed is passed


CORNER, OTHER_CORNER = (slice(9, 12), slice(0, 6)), (slice(0, 2), slice(12, 16))


def test_one_stamp_or_two_may_differ_but_not_in_a_graphic() -> None:
    for places in ((CORNER,), (CORNER, OTHER_CORNER)):
        assert different(with_places(*places), DIFFERENT, graphic=False).passed
        assert not different(with_places(*places), DIFFERENT, graphic=True).passed


@pytest.mark.parametrize(
    ("places", "stamped"),
    [
        # A fifth of 192 blocks is 38.
        ([(slice(0, 3), slice(0, 12))], True),
        ([(slice(0, 3), slice(0, 14))], False),
        # Half of the middle ninth is 12 of its 24 blocks.
        ([(slice(4, 6), slice(5, 11))], True),
        ([(slice(4, 7), slice(5, 11))], False),
        # What differs elsewhere: 4 blocks are less than a fortieth, 6 are more.
        ([CORNER, (slice(0, 1), slice(0, 4)), (slice(4, 5), slice(12, 16))], True),
        ([CORNER, (slice(0, 1), slice(0, 4)), (slice(4, 5), slice(10, 16))], False),
        # A second place must keep out of the middle.
        ([CORNER, (slice(4, 7), slice(13, 15))], True),
        ([CORNER, (slice(4, 7), slice(9, 11))], False),
    ],
)
def test_a_stamp(places: list[tuple[slice, slice]], stamped: bool) -> None:
    assert is_only_stamped(with_places(*places)) is stamped


def test_all_beside_a_stamp_must_agree_well() -> None:
    blocks = with_places(CORNER)
    assert is_only_stamped(blocks)
    assert not is_only_stamped(Similarity(blocks.correlation - np.float32(0.05), blocks.textured))


def test_words_all_over_a_form_are_no_stamp() -> None:
    values = np.full(SHAPE, 0.98, np.float32)
    values[0:3:2, 0:12:2] = 0.1
    assert not is_only_stamped(Similarity(values, values.size))


def shifted(pixels: int) -> Aligned:
    """Two pictures of 1,000 x 100 pixels, the first moved to the right of the second by so many pixels."""
    noise = np.random.default_rng(1).uniform(0, 255, (100, 1000)).astype(np.float32)
    covered = np.ones(noise.shape, np.bool_)
    covered[:, :pixels] = False
    transform = np.array([[1.0, 0, pixels], [0, 1, 0], [0, 0, 1]])
    return Aligned(Turn.NONE, transform, noise, noise, noise, covered, similarity(50), rough=False)


@pytest.mark.parametrize(("pixels", "passed"), [(195, True), (205, False)])
def test_one_picture_must_nearly_contain_the_other(pixels: int, passed: bool) -> None:
    assert contained(shifted(pixels), CONTAINED).passed is passed


@pytest.mark.parametrize(
    ("pixels", "value", "passed"), [(0, 0.0, True), (9, 0.0, True), (11, 0.007, True), (13, 0.009, False)]
)
def test_one_picture_must_show_nothing_else(pixels: int, value: float, passed: bool) -> None:
    """A margin of less than a hundredth does not count, and three pixels along the edge do not either."""
    gate = exclusive(shifted(pixels), EXCLUSIVE)
    assert (gate.value, gate.passed) == (value, passed)


def page(plain: float) -> Prepared:
    """Noise, of which this share from the top is white."""
    grey = np.random.default_rng(1).integers(0, 200, (400, 400)).astype(np.uint8)
    grey[: round(400 * plain)] = 255
    return Prepared(grey, 0.0, 0.0)


def noisy_page(share: float) -> Prepared:
    """Paper with noise, of which the rest is written on, with noise as well."""
    random = np.random.default_rng(1)
    grey = random.integers(0, 150, (400, 400)).astype(np.uint8)
    rows = round(400 * share)
    grey[:rows] = random.integers(236, 244, (rows, 400))
    return Prepared(grey, 0.0, 0.0)


@pytest.mark.parametrize(("make", "share", "plain"), [
    (page, 0.64, True), (page, 0.44, False), (noisy_page, 0.46, True), (noisy_page, 0.38, False),
])  # fmt: skip
def test_a_picture_is_plain_without_noise_or_mostly_of_one_tone(make, share: float, plain: bool) -> None:
    assert is_plain(make(share), make(share)) is plain
    assert not is_plain(make(share), make(0.1)), "both must be"


def lines(side: int = 400) -> Prepared:
    """Thin lines on white."""
    grey = np.full((side, side), 255, np.uint8)
    grey[::16, : side // 2] = 0
    return Prepared(grey, 0.0, 0.0)


def test_what_is_plain_is_a_graphic_if_it_is_drawn_in_strokes_or_both_are_small() -> None:
    assert is_graphic(lines(), lines())
    assert is_graphic(lines(), page(0.64)), "one may be blurred"
    assert not is_graphic(page(0.64), page(0.64)), "a black shirt before a background"
    small = Prepared(np.ascontiguousarray(page(0.64).grey[60:340, :280]), 0.0, 0.0)
    assert is_graphic(small, small)
    assert not is_graphic(small, page(0.64)), "the larger shows what it is"


@pytest.mark.parametrize(("strokes", "graphic"), [(0.1, False), (0.5, True)])
def test_a_caption_alone_makes_no_graphic(strokes: float, graphic: bool) -> None:
    before, captioned = page(0.64), page(0.66)
    before.__dict__["strokes"], captioned.__dict__["strokes"] = strokes, 0.6
    assert is_graphic(before, captioned) is graphic


@pytest.mark.parametrize(("textured", "stamped"), [(24 + 6, True), (23 + 6, False)])
def test_enough_must_agree_beside_a_stamp(textured: int, stamped: bool) -> None:
    """Of so many blocks with texture six are stamped."""
    blocks = similarity(textured, 0.98).correlation
    blocks[0, :6] = 0.1
    assert is_only_stamped(Similarity(blocks, textured)) is stamped


@pytest.mark.parametrize(("textured", "stamped"), [(67, True), (66, False)])
def test_a_stamp_has_less_than_half_of_the_texture(textured: int, stamped: bool) -> None:
    """Of so many blocks with texture thirty are stamped."""
    blocks = similarity(textured, 0.98).correlation
    blocks[:2, :15] = 0.1
    assert is_only_stamped(Similarity(blocks, textured)) is stamped


def of_two_ratios(offset: tuple[int, int], first: tuple[int, int], second: tuple[int, int]) -> Aligned:
    """The middle parts of noise in two sizes, (height, width), the second moved by some pixels, (down, across)."""
    height, width = 320, 480
    noise = np.random.default_rng(1).uniform(0, 255, (height, width)).astype(np.float32)

    def part(size: tuple[int, int], down: int, across: int) -> tuple[np.ndarray, int, int]:
        top, left = (height - size[0]) // 2 + down, (width - size[1]) // 2 + across
        return noise[top : top + size[0], left : left + size[1]], top, left

    (grey, top, left), (other, other_top, other_left) = part(first, 0, 0), part(second, *offset)
    transform = np.array([[1, 0, left - other_left], [0, 1, top - other_top], [0, 0, 1]], np.float64)
    covered = np.zeros(other.shape, np.bool_)
    covered[
        max(0, top - other_top) : max(0, top - other_top + first[0]),
        max(0, left - other_left) : max(0, left - other_left + first[1]),
    ] = True
    return Aligned(Turn.NONE, transform, grey, other, other, covered, similarity(50), rough=False)


@pytest.mark.parametrize(
    ("offset", "first", "second", "passed"),
    [
        ((0, 0), (300, 400), (260, 416), True),
        ((0, 0), (260, 416), (300, 400), True),
        # Strips whose widths differ by 8 and by 10 of 416 pixels.
        ((0, 4), (300, 400), (260, 416), True),
        ((0, 5), (300, 400), (260, 416), False),
        ((4, 0), (300, 400), (260, 416), False),
        # Both reach beyond the other on one side: of a hand that moves.
        ((8, 12), (300, 400), (300, 400), False),
    ],
)
def test_wallpapers_of_two_ratios_show_something_that_the_other_does_not(
    offset: tuple[int, int], first: tuple[int, int], second: tuple[int, int], passed: bool
) -> None:
    gate = exclusive(of_two_ratios(offset, first, second), EXCLUSIVE)
    assert gate.value > EXCLUSIVE.max_share and gate.passed is passed
