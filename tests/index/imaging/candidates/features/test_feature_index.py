"""Local features: crops, frames and mirrored crops are proposed, unrelated pictures hardly, whatever comes first."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from index.imaging.candidates.features import feature_index, lsh_batch, lsh_compiled, lsh_tables
from index.imaging.candidates.features.descriptors import KEPT, PER_PX, FeatureSet, describe
from index.imaging.candidates.features.feature_index import FeatureIndex
from index.imaging.candidates.features.geometric_verification import inlier_count, ransac_transforms
from index.imaging.candidates.features.lsh_tables import LshTables, keys_of, words_of
from support.pictures import photograph


def described(picture: Image.Image) -> FeatureSet:
    small = picture.convert("L")
    small.thumbnail((512, 512))
    return describe(np.asarray(small))


def crop(picture: Image.Image) -> Image.Image:
    return picture.crop((160, 100, 620, 460))


def framed(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (1280, 800), (240, 240, 243))
    screen.paste(picture.resize((800, 600)), (400, 100))
    return screen


PICTURES = [photograph(seed, 800, 600) for seed in range(8)]
COPIES = {
    "crop": crop,
    "framed": framed,
    "mirrored crop": lambda p: ImageOps.mirror(crop(p)),
    "turned": lambda p: p.rotate(90, expand=True),
    "small crop": lambda p: crop(p).resize((230, 180)),
    "tilted": lambda p: p.rotate(7, Image.Resampling.BICUBIC),
}


@pytest.fixture(scope="module")
def originals() -> list[FeatureSet]:
    return [described(picture) for picture in PICTURES]


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("copy_first", [False, True])
def test_a_copy_is_proposed_with_its_original(name: str, copy_first: bool, originals: list[FeatureSet]) -> None:
    index = FeatureIndex()
    copy = described(COPIES[name](PICTURES[3]))
    if copy_first:
        index.add([copy])
        assert (0, 4) in index.add(originals)
    else:
        index.add(originals)
        assert (3, 8) in index.add([copy])


def texture(seed: int) -> Image.Image:
    """Grain at several sizes: unlike the drawn shapes of the other pictures, no corner of it is like another's."""
    random = np.random.default_rng(seed)
    layers = [
        Image.fromarray(random.integers(0, 256, (size, size), np.uint8)).resize((512, 512), Image.Resampling.BICUBIC)
        for size in (8, 24, 72, 216)
    ]
    return Image.fromarray(np.mean([np.asarray(layer, np.float32) for layer in layers], axis=0).astype(np.uint8))


def test_unrelated_pictures_are_hardly_ever_proposed() -> None:
    assert len(FeatureIndex().add([described(texture(seed)) for seed in range(12)])) <= 1


def test_portions_order_and_engine_do_not_change_the_result(
    originals: list[FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [*originals, *(described(change(PICTURES[3])) for change in COPIES.values())]
    at_once = set(FeatureIndex().add(pictures))
    index = FeatureIndex()
    assert {pair for picture in pictures for pair in index.add([picture])} == at_once
    last = len(pictures) - 1
    backwards = FeatureIndex().add(pictures[::-1])
    assert {(last - later, last - earlier) for earlier, later in backwards} == at_once
    index = FeatureIndex()
    index.load(pictures[:5])
    assert set(index.add(pictures[5:])) == {pair for pair in at_once if pair[1] >= 5}
    monkeypatch.setattr(feature_index, "_engine", lambda: lsh_tables.near)
    assert set(FeatureIndex().add(pictures)) == at_once
    monkeypatch.setattr(feature_index, "MANY", 2)
    assert set(FeatureIndex().add(pictures)) == at_once
    index = FeatureIndex()
    assert {pair for some in (pictures[:4], pictures[4:]) for pair in index.add(some)} == at_once


def test_no_picture_is_proposed_with_more_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_index, "PROPOSED_AT_MOST", 2)
    one = described(PICTURES[0])
    pairs = FeatureIndex().add([one] * 5)
    assert [sum(later == picture for _, later in pairs) for picture in range(5)] == [0, 1, 2, 2, 2]


def test_what_is_removed_is_proposed_no_more_and_stands_in_no_others_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_index, "PROPOSED_AT_MOST", 2)
    one = described(PICTURES[0])
    index = FeatureIndex()
    index.load([one] * 5)
    index.remove([0, 1, 3, 4])
    assert index.add([one]) == [(2, 5)]
    index.remove([2, 5])
    assert index.add([one]) == []


def test_a_pattern_of_many_pictures_says_nothing_more(
    monkeypatch: pytest.MonkeyPatch, originals: list[FeatureSet]
) -> None:
    monkeypatch.setattr(lsh_tables, "CROWD", 3)
    monkeypatch.setattr(feature_index, "_engine", lambda: lsh_tables.near)
    pairs = FeatureIndex().add([originals[0]] * 6)
    assert {later for _, later in pairs} <= {1, 2, 3}


def test_a_picture_without_features_takes_part_and_matches_nothing(originals: list[FeatureSet]) -> None:
    index = FeatureIndex()
    flat = describe(np.full((300, 400), 128, np.uint8))
    assert index.add([flat, flat]) == []
    assert index.add([originals[0]]) == []
    assert len(index) == 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (512, 2), (8, 8)])
def test_the_oddest_shapes_are_described(shape: tuple[int, int]) -> None:
    grey = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert len(describe(grey)) <= KEPT


def test_what_is_repeated_within_a_picture_says_nothing() -> None:
    tile = np.asarray(texture(1).resize((64, 64)))
    assert len(describe(np.tile(tile, (8, 8)))) < KEPT // 4


def test_the_blob_survives_the_round_trip(originals: list[FeatureSet]) -> None:
    one = originals[0]
    again = FeatureSet.from_bytes(one.to_bytes())
    assert np.array_equal(again.descriptors, one.descriptors)
    assert np.array_equal(again.places, one.places)
    assert len(one.to_bytes()) <= 200 * 40
    assert len(FeatureSet.from_bytes(FeatureSet.empty().to_bytes())) == 0


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(20, 90))
@settings(max_examples=60, deadline=None)
def test_the_compiled_search_finds_what_the_plain_one_does(seed: int, many: int, most_bits: int) -> None:
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 256, (4, 32), np.uint8)

    def descriptors(count: int) -> np.ndarray:
        noise = np.packbits(random.random((count, 256)) < random.choice([0.02, 0.1, 0.3]), axis=1)
        return kinds[random.integers(0, 4, count)] ^ noise

    chains = LshTables()
    for owner in range(3):
        rows = descriptors(many)
        chains.append(owner, rows, np.zeros((many, 4), np.int16), keys_of(rows))
    asked = descriptors(9)
    results = []
    for engine in (lsh_tables, lsh_compiled):
        query, met = engine.near(chains, words_of(asked), keys_of(asked), most_bits)
        results.append(set(zip(query.tolist(), met.tolist(), strict=True)))
    assert results[0] == results[1]
    near = np.bitwise_count(words_of(asked)[:, None] ^ chains.descriptors[: chains.count]).sum(axis=2) <= most_bits
    assert results[0] <= set(zip(*(side.tolist() for side in np.nonzero(near)), strict=True))
    exact = np.bitwise_count(words_of(asked)[:, None] ^ chains.descriptors[: chains.count]).sum(axis=2) <= 1
    assert set(zip(*(side.tolist() for side in np.nonzero(exact)), strict=True)) <= results[0]


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([2, 5, 128]))
@settings(max_examples=40, deadline=None)
def test_a_search_for_many_finds_what_each_finds_alone(seed: int, many: int, crowd: int) -> None:
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 256, (4, 32), np.uint8)

    def descriptors() -> np.ndarray:
        count = int(random.integers(0, many + 1))
        noise = np.packbits(random.random((count, 256)) < random.choice([0.0, 0.02, 0.1]), axis=1)
        return kinds[random.integers(0, 4, count)] ^ noise

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lsh_tables, "CROWD", crowd)
        chains, begins, alone = LshTables(), [], []
        for owner in range(9):
            rows = descriptors()
            if owner >= 3:
                begins.append(chains.count)
                query, met = lsh_tables.near(chains, words_of(rows), keys_of(rows), 40)
                alone.append(sorted(zip(query.tolist(), met.tolist(), strict=True)))
            chains.append(owner, rows, np.zeros((len(rows), 4), np.int16), keys_of(rows))
        found = (lsh_batch.match_batch(chains, np.array(begins), 40, lambda: None, threads) for threads in (1, 3))
        together, shared = ([[side.tolist() for side in hits] for hits in each] for each in found)
    assert [sorted(zip(query, met, strict=True)) for query, met in together] == alone
    assert shared == together


def transformed(places: np.ndarray, angle: float, scale: float, shift: tuple[float, float], mirror: bool) -> np.ndarray:
    """Corners as they lie in a picture that was mirrored, turned, scaled and shifted."""
    xy = (places[:, 0] + 1j * places[:, 1]) / PER_PX
    turn = places[:, 2] * (2 * np.pi / 256)
    if mirror:
        xy, turn = -xy.conj(), np.pi - turn
    xy = xy * scale * np.exp(1j * angle) + complex(*shift)
    level = places[:, 3] // 2 + round(np.log(scale) / np.log(1.2))
    flag = (places[:, 3] % 2) ^ mirror
    columns = [xy.real * PER_PX, xy.imag * PER_PX, (turn + angle) / (2 * np.pi) * 256 % 256, 2 * level + flag]
    return np.column_stack(columns).astype(np.int16)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("angle", "scale"), [(0.0, 1.0), (0.4, 1.5), (2.5, 0.6)])
def test_corners_of_a_copy_agree_on_one_transform(mirror: bool, angle: float, scale: float) -> None:
    random = np.random.default_rng(5)
    first = np.column_stack([random.integers(0, 500 * PER_PX, (12, 2)), random.integers(0, 256, 12),
                             random.integers(4, 14, 12)]).astype(np.int16)  # fmt: skip
    second = transformed(first, angle, scale, (30.0, 12.0), mirror)
    second[9:] = first[9:][::-1]
    pairs = np.stack([np.arange(12), np.arange(12)], axis=1)
    assert inlier_count(first, second, pairs) == inlier_count(second, first, pairs[:, ::-1]) >= 9
    # A corner counts once, however many it is like.
    assert inlier_count(first, second, np.stack([np.zeros(5, np.int64), np.arange(5)], axis=1)) == 1
    shuffled = second[random.permutation(12)]
    assert inlier_count(first, shuffled, pairs) <= 4


def test_features_give_the_transform_between_two_pictures(originals: list[FeatureSet]) -> None:
    width, height = 460, 360
    for copy, mirrored in ((crop(PICTURES[3]), False), (ImageOps.mirror(crop(PICTURES[3])), True)):
        over, *_ = ransac_transforms(originals[3], described(copy))
        assert (np.linalg.det(over[:2, :2]) < 0) == mirrored
        # Views of 512 pixels: of 800 in the original, of 460 in the copy, which begins at (160, 100).
        corner = over @ np.array([160 * 512 / 800, 100 * 512 / 800, 1])
        assert corner[:2] == pytest.approx([512 if mirrored else 0, 0], abs=4)
        corner = over @ np.array([(160 + width) * 512 / 800, (100 + height) * 512 / 800, 1])
        assert corner[:2] == pytest.approx([0 if mirrored else 512, height * 512 / width], abs=4)


def test_features_of_an_unrelated_picture_give_no_transform() -> None:
    assert ransac_transforms(described(texture(1)), described(texture(2))) == ()
    assert ransac_transforms(described(texture(1)), FeatureSet.empty()) == ()


def test_features_give_the_transform_beside_a_caption_in_both_pictures() -> None:
    random = np.random.default_rng(7)
    first = np.column_stack([random.integers(0, 500 * PER_PX, (24, 2)), random.integers(0, 256, 24),
                             random.integers(6, 12, 24)]).astype(np.int16)  # fmt: skip
    descriptors = random.integers(0, 256, (24, 32)).astype(np.uint8)
    caption, picture = (
        transformed(first[:14], 0.0, 1.0, (0.0, 90.0), False),
        transformed(first[14:], 0.0, 1.5, (-60.0, -80.0), False),
    )
    second = FeatureSet(descriptors, np.concatenate([caption, picture]))
    scales = [over[0, 0] for over in ransac_transforms(FeatureSet(descriptors, first), second)]
    assert scales == pytest.approx([1.0, 1.5], abs=0.02)


def sharing(first: FeatureSet, second: FeatureSet, corners: int) -> FeatureSet:
    """The second picture with so many corners of the first in their places, in place of its own last ones."""
    descriptors, places = second.descriptors.copy(), second.places.copy()
    descriptors[-corners:], places[-corners:] = first.descriptors[:corners], first.places[:corners]
    return FeatureSet(descriptors, places)


@pytest.mark.parametrize(("corners", "is_proposed"), [(5, False), (7, False), (12, True)])
def test_a_few_corners_in_common_are_not_enough(corners: int, is_proposed: bool, originals: list[FeatureSet]) -> None:
    index = FeatureIndex()
    index.add([originals[0]])
    assert bool(index.add([sharing(originals[0], originals[1], corners)])) == is_proposed


def test_corners_that_many_pictures_have_count_less(
    originals: list[FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fourteen corners of one caption under every picture: enough for the first ones, and then known to be shared."""
    monkeypatch.setattr(feature_index, "PROPOSAL", replace(feature_index.PROPOSAL, shared_by=2))
    index = FeatureIndex()
    captioned = [sharing(originals[0], original, 14) for original in originals[1:]]
    proposed = [len(index.add([picture])) for picture in captioned]
    assert proposed == [0, 1, 2, 3, 0, 0, 0]
    # A copy has other corners, too.
    assert (2, 7) in index.add([described(crop(PICTURES[3]))])


def test_corners_in_crowded_buckets_count_as_those_of_a_crowd(
    monkeypatch: pytest.MonkeyPatch, originals: list[FeatureSet]
) -> None:
    """So many pictures have the caption that a search no longer meets it; corners that it alone has in common are then
    not enough either, and it is the same whether pictures come one by one or together."""
    crowd = 16
    monkeypatch.setattr(lsh_tables, "CROWD", crowd)
    monkeypatch.setattr(feature_index, "_engine", lambda: lsh_tables.near)
    index = FeatureIndex()
    captioned = [sharing(originals[0], original, 40) for original in originals[1:4]]
    index.load(captioned * 6)
    picture = sharing(originals[0], originals[5], 40)
    crowded = index._chains.crowded(keys_of(picture.descriptors))
    assert (crowded[-40:] == lsh_tables.TABLES).all()
    weights = feature_index._weights(np.empty(0, np.int64), np.empty(0, np.int32), crowded)
    assert (weights[-40:] == feature_index.PROPOSAL.shared_by / crowd).all()
    assert weights[:-40].max() == 1
    pictures = captioned * 6 + [picture] * 3
    one_by_one = FeatureIndex()
    alone = [pair for picture in pictures for pair in one_by_one.add([picture])]
    monkeypatch.setattr(feature_index, "MANY", 2)
    assert FeatureIndex().add(pictures) == alone
