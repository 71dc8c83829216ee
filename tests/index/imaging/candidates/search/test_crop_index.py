"""Wholes against parts: as counting bits one by one says, and crops and framed copies are proposed by it."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from index.imaging.candidates.crop_hashes import CROPPED, INSIDE, crop_hashes, crop_tolerance, separate
from index.imaging.candidates.perceptual_hash import hash_grey
from index.imaging.candidates.search import numba_search, numpy_search
from index.imaging.candidates.search.crop_index import MOST, CropIndex
from support.pictures import photograph


def noise(random: np.random.Generator, count: int, hsize: int) -> np.ndarray:
    """Hashes around a few centres, so that some are near."""
    centres = random.integers(0, 256, (4, hsize * hsize // 8), np.uint8)
    flips = np.packbits(random.random((count, hsize * hsize)) < 0.12, axis=1)
    return centres[random.integers(0, 4, count)] ^ flips


def brute_force(wholes: np.ndarray, parts: list[list[bytes]], start: int, tolerance: int) -> list[tuple[int, int]]:
    pairs = set()
    for owner, own in enumerate(parts):
        for bits in own:
            distance = np.bitwise_count(wholes ^ np.frombuffer(bits, np.uint8)).sum(axis=1)
            pairs |= {(min(owner, int(n)), max(owner, int(n))) for n in np.flatnonzero(distance <= tolerance)}
    return sorted((a, b) for a, b in pairs if a != b and b >= start)


@pytest.mark.parametrize("hsize", [8, 16, 32])
@pytest.mark.parametrize("seed", range(3))
def test_the_pairs_are_those_of_brute_force_in_whatever_steps_they_come(hsize: int, seed: int):
    random = np.random.default_rng(seed)
    wholes, bits = noise(random, 70, hsize), noise(random, 90, hsize)
    parts = [[bits[k].tobytes()] if k < 60 else [bits[k].tobytes(), bits[k + 10].tobytes()] for k in range(70)]
    parts[5] = []
    tolerance = int(np.quantile(np.bitwise_count(wholes[:, None] ^ bits[None, :]).sum(axis=2), 0.04))
    index, pairs = CropIndex(hsize), []
    for low, high in ((0, 1), (1, 30), (30, 30), (30, 70)):
        index.extend(wholes[low:high], parts[low:high])
        pairs += index.pairs(low, tolerance)
    assert len(index) == 70
    assert sorted(pairs) == brute_force(wholes, parts, 0, tolerance)
    assert pairs


def test_more_threads_find_the_same():
    random = np.random.default_rng(5)
    wholes, bits = np.split(noise(random, 800, 16), 2)
    found = []
    for threads in (1, 3):
        index = CropIndex(16, threads)
        index.extend(wholes, [[one.tobytes()] for one in bits])
        found.append(index.pairs(0, 60))
    assert found[0] == found[1] != []


def test_what_is_removed_is_found_no_more_and_stands_in_no_others_way():
    random = np.random.default_rng(3)
    whole = noise(random, 1, 16)[0]
    index = CropIndex(16)
    # More of one look than a picture is paired with; the last of them is another's only copy.
    index.extend(np.repeat(whole[None], MOST + 5, axis=0), [[whole.tobytes()]] * (MOST + 5))
    index.remove(np.arange(MOST + 4))
    index.extend(whole[None], [[whole.tobytes()]])
    assert index.pairs(MOST + 5, 8) == [(MOST + 4, MOST + 5)]
    index.remove(np.array([MOST + 4]))
    assert index.pairs(0, 8) == []


@pytest.mark.parametrize("hsize", [8, 16, 32])
def test_both_engines_give_the_same(hsize: int):
    random = np.random.default_rng(7)
    rows = np.ascontiguousarray(noise(random, 1500, hsize).view(np.uint64).reshape(3, 500, -1).swapaxes(1, 2))
    queries = noise(random, 30, hsize).view(np.uint64)
    for tolerance, most in ((hsize * hsize // 4, 7), (0, 3), (hsize * hsize, 20)):
        plain = numpy_search.unturned(rows, queries, 1400, tolerance, most)
        compiled = numba_search.unturned(rows, queries, 1400, tolerance, most)
        assert all(np.array_equal(one, other) for one, other in zip(plain, compiled, strict=True))


def test_an_empty_index_has_no_pairs():
    index = CropIndex(16)
    index.extend(np.empty((0, 32), np.uint8), [])
    assert index.pairs(0, 80) == []


ALTERED = {
    "border": lambda p: ImageOps.expand(p, 50, "white"),
    "bars": lambda p: ImageOps.expand(p, (0, 90), "black"),
    "tilt": lambda p: p.rotate(25, Image.Resampling.BICUBIC),
    "tilt, all of it": lambda p: p.rotate(-9, Image.Resampling.BICUBIC, expand=True, fillcolor="white"),
    "crop": lambda p: p.crop((35, 20, 640 - 30, 480 - 30)),
    "crop at a corner": lambda p: p.crop((48, 0, 640, 480 - 36)),
    "crop at a side": lambda p: p.crop((0, 20, 640 - 48, 480 - 20)),
}


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_framed_or_cropped_copy_looks_like_a_part(name: str, seed: int):
    index = CropIndex(16)
    for picture in (photograph(seed), photograph(seed + 40), ALTERED[name](photograph(seed))):
        grey = np.asarray(picture.convert("L"))
        parts = crop_hashes(grey, (0.0, 0.0, float(grey.shape[1]), float(grey.shape[0])))
        whole = np.frombuffer(hash_grey(grey).bits[16][:32], np.uint8)
        index.extend(whole[None], [[bits for hashes in parts.values() for bits in separate(hashes.bits[16], 16)]])
    assert index.pairs(0, crop_tolerance(80)) == [(0, 2)]


def test_the_parts_are_named():
    framed: Image.Image = ImageOps.expand(photograph(1), 50, "white")
    grey = np.asarray(framed.convert("L"))
    parts = crop_hashes(grey, (0.0, 0.0, float(grey.shape[1]), float(grey.shape[0])))
    assert set(parts) == {INSIDE, CROPPED}
    assert {hsize: len(bits) for hsize, bits in parts[INSIDE].bits.items()} == {8: 8, 16: 32, 32: 128}
    assert {hsize: len(separate(bits, hsize)) for hsize, bits in parts[CROPPED].bits.items()} == {8: 4, 16: 4, 32: 4}


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (90, 120), (161, 500)])
def test_a_picture_of_any_size_has_four_crops(size: tuple[int, int]):
    grey = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    height, width = size
    parts = crop_hashes(grey, (0.0, 0.0, width - 0.4, height - 0.4))
    assert len(separate(parts[CROPPED].bits[16], 16)) == 4
