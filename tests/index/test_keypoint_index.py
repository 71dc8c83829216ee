"""What shares a part of a picture is proposed, whatever came first; what shares none is not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from index import keypoint_index
from index.keypoint_index import VOTES, KeypointIndex, Proposal
from index.keypoints import RECORD, describe
from support.pictures import photograph

SEEDS = range(8)


def described(picture: Image.Image) -> bytes:
    return describe(np.asarray(picture.convert("L")))


def crop(picture: Image.Image) -> Image.Image:
    return picture.crop((100, 60, 520, 400))


def framed(picture: Image.Image) -> Image.Image:
    screen = Image.new("L", (1280, 800), 230)
    screen.paste(picture.resize((512, 384)), (600, 200))
    return screen


EDITS = {
    "crop": crop,
    "mirrored crop": lambda picture: ImageOps.mirror(crop(picture)),
    "turned crop": lambda picture: crop(picture).transpose(Image.Transpose.ROTATE_90),
    "upside down": ImageOps.flip,
    "screenshot": framed,
    "letterbox": lambda picture: ImageOps.pad(picture, (640, 800)),
    "tilt": lambda picture: picture.rotate(8, Image.Resampling.BICUBIC),
    "small": lambda picture: crop(picture).resize((210, 170)),
    "dark": lambda picture: crop(picture).point(lambda level: level // 2),
}


@pytest.fixture(scope="module")
def blobs() -> list[bytes]:
    return [described(photograph(seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def edited(blobs: list[bytes]) -> list[bytes]:
    """Pictures, and crops, screenshots and tilted copies of them."""
    copies = [described(EDITS[name](photograph(seed))) for name in ("crop", "screenshot", "tilt") for seed in (0, 1, 2)]
    return blobs[:5] + copies


@pytest.mark.parametrize("edit", EDITS)
def test_an_altered_copy_is_proposed_with_its_original_alone(edit: str, blobs: list[bytes]) -> None:
    index = KeypointIndex()
    index.extend(blobs)
    for seed in (0, 5):
        found = index.near(described(EDITS[edit](photograph(seed))))
        assert [number for number, _ in found] == [seed]
        assert found[0][1] >= VOTES


def test_different_pictures_are_not_proposed(blobs: list[bytes]) -> None:
    assert KeypointIndex().add(blobs) == []


def test_a_picture_without_features_is_like_none() -> None:
    index = KeypointIndex()
    assert index.near(b"") == []
    assert index.add([b"", described(photograph(0)), b""]) == []
    assert index.near(b"") == []
    assert len(index) == 3


def test_what_was_removed_is_found_no_more(blobs: list[bytes]) -> None:
    index = KeypointIndex()
    index.extend(blobs)
    index.remove([1])
    assert index.near(blobs[1]) == []
    assert index.add([blobs[1]]) == []
    assert index.near(blobs[1]) != []


@settings(max_examples=12)
@given(order=st.permutations(range(14)), cuts=st.lists(st.integers(0, 14), max_size=4))
def test_the_same_pairs_with_the_same_votes_whatever_the_order(
    edited: list[bytes], order: list[int], cuts: list[int]
) -> None:
    bulk = {(pair.first, pair.second, pair.votes) for pair in KeypointIndex().add(edited)}
    assert len(bulk) >= 9
    index, found = KeypointIndex(), set()
    bounds = [0, *sorted(cuts), 14]
    for start, stop in pairwise(bounds):
        for pair in index.add([edited[number] for number in order[start:stop]]):
            assert pair.first < pair.second
            found.add((*sorted((order[pair.first], order[pair.second])), pair.votes))
    assert found == bulk


def test_features_are_compared_in_pieces_as_in_one(edited: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = KeypointIndex().add(edited)
    monkeypatch.setattr(keypoint_index, "SCANNED", 50)
    assert KeypointIndex().add(edited) == whole


def test_alike_is_what_brute_force_finds_alike(edited: list[bytes]) -> None:
    index = KeypointIndex()
    for blob in edited:
        index.extend([blob])
    query = np.frombuffer(edited[5], RECORD)["code"]
    found = index._alike(query, len(edited))
    expected = set()
    for owner, blob in enumerate(edited):
        codes = np.frombuffer(blob, RECORD)["code"]
        apart = np.bitwise_count(query[:, None] ^ codes[None])
        keys = np.bitwise_count((query[:, None, 0] ^ codes[None, :, 0]) >> np.uint64(48))
        for one, other in np.argwhere((apart.sum(axis=2) <= keypoint_index.NEAR_BITS) & (keys <= 1)):
            expected.add((int(one), owner, codes[other].tobytes()))
    assert {
        (int(one), int(owner), code.tobytes())
        for one, owner, code in zip(found.query, found.owner, found.points["code"], strict=True)
    } == expected


def test_of_a_crowd_the_surest_and_first_are_told(blobs: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    index = KeypointIndex()
    cropped = described(crop(photograph(3)))
    index.extend([*[blobs[3]] * 4, cropped, *[blobs[3]] * 4])
    assert [number for number, _ in index.near(cropped, most=3)] == [4, 0, 1]
    assert [number for number, _ in index.near(blobs[3], most=5)] == [0, 1, 2, 3, 5]
    monkeypatch.setattr(keypoint_index, "CROWD", 3)
    assert {number for number, _ in index.near(blobs[3])} == {0, 1, 2}


def test_a_pattern_repeated_over_a_picture_counts_by_its_places() -> None:
    """A feature that is there a hundred times is alike to itself ten thousand times; it takes no time, or votes."""
    one = np.frombuffer(described(photograph(6)), RECORD)[:1]
    tiles = np.repeat(one, 100)
    index = KeypointIndex()
    index.extend([tiles.tobytes()])
    assert index.near(tiles.tobytes()) == []
    assert Proposal(0, 1, 5) not in index.add([tiles.tobytes()])
