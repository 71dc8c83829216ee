"""The hashes are those of imagehash, in all 8 turns, and cost one pass over the picture."""

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from scipy.fftpack import dct

from index.imaging.candidates.perceptual_hash import (
    from_hex,
    hamming,
    hash_grey,
    hash_parts,
    rows_of,
    to_hex,
    turned,
)
from index.model import HSIZES, TURNS, Turn
from support.pictures import photograph

# What Pillow calls each turn; its rotations are counter-clockwise.
TRANSPOSES = {
    Turn.FLIP_HORIZONTAL: Image.Transpose.FLIP_LEFT_RIGHT,
    Turn.FLIP_VERTICAL: Image.Transpose.FLIP_TOP_BOTTOM,
    Turn.ROTATE_180: Image.Transpose.ROTATE_180,
    Turn.TRANSPOSE: Image.Transpose.TRANSPOSE,
    Turn.ROTATE_90: Image.Transpose.ROTATE_270,
    Turn.ROTATE_270: Image.Transpose.ROTATE_90,
    Turn.TRANSVERSE: Image.Transpose.TRANSVERSE,
}
# imagehash rounds to whole grey values twice, which decides the few bits whose coefficient is next to the median.
ROUNDING_BITS = {8: 2, 16: 6, 32: 24}

hashes = st.sampled_from(HSIZES).flatmap(lambda h: arrays(np.uint8, (3, h * h // 8)))


def grey_of(seed: int, width: int = 300, height: int = 200) -> Image.Image:
    return photograph(seed, width, height).convert("L")


def theirs(grey: Image.Image, hsize: int) -> np.ndarray:
    return np.packbits(imagehash.phash(grey, hash_size=hsize).hash)


def theirs_unrounded(grey: Image.Image, hsize: int) -> np.ndarray:
    """imagehash.phash line by line, on real numbers, which Pillow resamples without rounding."""
    small = grey.convert("F").resize((4 * hsize, 4 * hsize), Image.Resampling.LANCZOS)
    low = dct(dct(np.asarray(small, np.float64), axis=0), axis=1)[:hsize, :hsize]
    return np.packbits(low > np.median(low))


def ours(grey: Image.Image, hsize: int) -> np.ndarray:
    return rows_of(hash_grey(np.asarray(grey)), hsize)


@pytest.mark.parametrize("hsize", HSIZES)
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (128, 128), (64, 48), (31, 33), (640, 480), (900, 60)])
def test_a_hash_is_that_of_imagehash(size: tuple[int, int], hsize: int) -> None:
    for seed in range(8):
        grey = grey_of(seed, *size)
        assert hamming(ours(grey, hsize)[0], theirs(grey, hsize)) <= ROUNDING_BITS[hsize]
        assert hamming(ours(grey, hsize)[0], theirs_unrounded(grey, hsize)) <= 2


@pytest.mark.parametrize("hsize", HSIZES)
@pytest.mark.parametrize("turn", TRANSPOSES)
def test_the_turned_hashes_are_those_of_the_turned_picture(turn: Turn, hsize: int) -> None:
    for seed in range(5):
        grey = grey_of(seed)
        row = turned(ours(grey, hsize)[None], hsize)[0, TURNS.index(turn)]
        assert hamming(row, ours(grey.transpose(TRANSPOSES[turn]), hsize)[0]) <= 2  # float noise, at the median
        assert hamming(row, theirs(grey.transpose(TRANSPOSES[turn]), hsize)) <= ROUNDING_BITS[hsize]


@pytest.mark.parametrize("hsize", HSIZES)
@pytest.mark.parametrize(("level", "first"), [(0, 0x00), (1, 0x80), (128, 0x80), (255, 0x80)])
def test_flat_pictures_have_the_hash_that_imagehash_gives_them(level: int, first: int, hsize: int) -> None:
    for size in ((37, 29), (200, 133)):
        rows = ours(Image.new("L", size, level), hsize)
        assert rows[:, 0].tolist() == [first] * 4
        assert not rows[:, 1:].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (2, 3)])
def test_the_smallest_pictures_have_a_hash(size: tuple[int, int]) -> None:
    hashes = hash_grey(np.full(size, 77, np.uint8))
    assert {hsize: len(packed) for hsize, packed in hashes.bits.items()} == {h: h * h // 2 for h in HSIZES}


@pytest.mark.parametrize("hsize", HSIZES)
def test_a_box_leaves_out_what_is_around_it(hsize: int) -> None:
    grey = grey_of(1)
    around = Image.new("L", (grey.width + 90, grey.height + 70), 128)
    around.paste(grey, (50, 30))
    boxed = rows_of(hash_grey(np.asarray(around), (50, 30, 50 + grey.width, 30 + grey.height)), hsize)[0]
    # Only the filter reaches over the edge.
    assert hamming(boxed, ours(grey, hsize)[0]) < hsize * hsize / 20


def test_a_box_makes_good_for_the_size_that_scaling_rounded() -> None:
    with_box, without_box = 0, 0
    for seed in range(10):
        grey = grey_of(seed, 405, 303)
        small = np.asarray(grey.reduce(4))  # 102 by 76, of which the picture takes 101.25 by 75.75
        box = (0, 0, grey.width / 4, grey.height / 4)
        with_box += int(hamming(rows_of(hash_grey(small, box), 16)[0], ours(grey, 16)[0]))
        without_box += int(hamming(rows_of(hash_grey(small), 16)[0], ours(grey, 16)[0]))
    assert with_box < without_box / 2


@given(hashes)
def test_a_hash_is_written_as_imagehash_writes_it(rows: np.ndarray) -> None:
    packed = rows[0].tobytes()
    side = int((len(packed) * 8) ** 0.5)
    bits = np.unpackbits(rows[0]).reshape(side, side).astype(bool)
    assert to_hex(packed) == str(imagehash.ImageHash(bits))
    assert from_hex(to_hex(packed)) == packed
    assert (imagehash.hex_to_hash(to_hex(packed)).hash == bits).all()


@given(hashes)
def test_hamming_is_a_metric(rows: np.ndarray) -> None:
    a, b, c = rows
    assert hamming(a, a) == 0
    assert hamming(a, b) == hamming(b, a)
    assert (hamming(a, b) == 0) == (a.tobytes() == b.tobytes())
    assert hamming(a, c) <= hamming(a, b) + hamming(b, c)


@settings(max_examples=25)
@given(arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90))))
def test_any_grey_has_hashes_and_the_same_grey_the_same(grey: np.ndarray) -> None:
    assert hash_grey(grey) == hash_grey(np.asfortranarray(grey))


def test_from_hex_refuses_what_is_no_hash() -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        from_hex("xyz")


@pytest.mark.parametrize("grey", [np.asarray(photograph(3, 160, 160).convert("L")), np.full((160, 160), 90, np.uint8)],
                         ids=["photograph", "flat"])  # fmt: skip
def test_parts_of_a_picture_have_the_hashes_that_each_has_alone(grey: NDArray[np.uint8]) -> None:
    together = hash_parts(grey, 144, (4, 12))
    parts = [grey[y : y + 144, x : x + 144] for y in (4, 12) for x in (4, 12)]
    for hsize in HSIZES:
        size = hsize * hsize // 8
        alone = b"".join(hash_grey(part).bits[hsize][:size] for part in parts)
        differing = hamming(np.frombuffer(alone, np.uint8), np.frombuffer(together.bits[hsize], np.uint8))
        # Rounding decides a bit here and there.
        assert differing <= 4
