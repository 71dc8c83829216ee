"""The recipe of the model that ships, without what trains it: photographs, copies, look-alikes, batches."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitting.model import alterations, batches, lookalikes, preparation
from fitting.model.photographs import is_held_out, listing, opened, photographs
from support.pictures import photograph

Picture = Image.Image


def picture(seed: int = 1) -> Picture:
    return photograph(seed, 180, 140)


def same(one: Picture, other: Picture) -> bool:
    return one.size == other.size and one.tobytes() == other.tobytes()


EDITS = [*(edit for edit, _ in alterations.SHAPING), alterations.toned, alterations.filtered, alterations.resized,
         alterations.recompressed, alterations.altered, alterations.gently_altered, alterations.turned]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_is_the_same_for_the_same_seed_and_leaves_its_picture_alone(
    edit: Callable[[Picture, random.Random], Picture],
) -> None:
    im = picture()
    before = im.tobytes()
    copies = [edit(im, random.Random(seed)) for seed in (1, 1, 2, 3, 4, 5)]
    assert same(copies[0], copies[1])
    assert all(copy.mode == "RGB" and min(copy.size) >= 16 for copy in copies)
    assert any(not same(copies[0], copy) for copy in copies[2:])
    assert im.tobytes() == before


def test_very_small_and_very_long_pictures_are_altered_too() -> None:
    for size in ((1, 1), (3, 400), (400, 3), (30, 31)):
        rng = random.Random(0)
        for _ in range(40):
            assert min(alterations.altered(Image.new("RGB", size, (200, 10, 10)), rng).size) > 0


def test_a_part_has_the_share_of_the_area_that_was_asked_for() -> None:
    im = Image.new("RGB", (400, 300))
    for seed in range(50):
        part = alterations.detail(im, random.Random(seed))
        assert 0.1 < part.width * part.height / (400 * 300) < 0.45


def test_look_alikes_share_a_template_and_are_not_equal() -> None:
    for made in (
        lookalikes.receipts(random.Random(1), 3),
        lookalikes.screens(random.Random(1), 3, picture()),
        [*lookalikes.halves(picture(), random.Random(1))],
        [picture(), lookalikes.near_view(picture(), picture(2), random.Random(1))],
    ):
        assert len({im.tobytes() for im in made}) == len(made)
    one, other = lookalikes.screens(random.Random(1), 2, picture())
    difference = np.abs(np.asarray(one, int) - np.asarray(other, int)).max(axis=2) > 8
    assert 0.005 < difference.mean() < 0.5


def test_halves_have_nothing_in_common() -> None:
    for size in ((200, 100), (100, 200)):
        ramp = np.zeros((size[1], size[0], 3), np.uint8)
        ramp[..., 0], ramp[..., 1] = np.arange(size[0]), np.arange(size[1])[:, None]
        one, other = (
            {tuple(place) for place in np.asarray(half).reshape(-1, 3).tolist()}
            for half in lookalikes.halves(Image.fromarray(ramp), random.Random(3))
        )
        assert not one & other


def test_a_batch_depends_on_its_step_and_seed_alone() -> None:
    mixture = batches.Mixture(whole=3, split=1, drawn=1, near=2)
    numbers = batches.chosen(7, 9, mixture.photographs, 18)
    one, again, other = (batches.batch(step, 18, mixture, numbers, picture) for step in (7, 7, 8))
    assert [im.tobytes() for im in one.squares] == [im.tobytes() for im in again.squares]
    assert [im.tobytes() for im in one.squares] != [im.tobytes() for im in other.squares]
    assert len(one.squares) == len(one.origins) == 2 * mixture.pairs + mixture.near
    assert one.origins[:2] == [numbers[0]] * 2
    assert one.origins[2 * mixture.pairs :] == numbers[:2]
    drawn = one.origins[2 * (mixture.whole + 2 * mixture.split) : 2 * mixture.pairs]
    assert max(drawn) < 0
    assert not {number for number in other.origins if number < 0} & set(drawn)


def test_every_photograph_is_seen_once_before_any_is_seen_again() -> None:
    order = [number for step in range(8) for number in batches.chosen(step, 10, 5, 18)]
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert order[:10] != order[10:20]


def test_photographs_that_look_alike_share_a_step_and_still_come_once() -> None:
    alike = [[number ^ 1] for number in range(20)]
    order = [number for step in range(4) for number in batches.chosen(step, 20, 5, 18, alike)]
    assert sorted(order) == list(range(20))
    assert all(one ^ 1 == other for one, other in zip(order[::2], order[1::2], strict=True))


def test_each_content_counts_once_and_decides_what_is_held_out(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        picture(number).save(folder / f"a{number}.jpg")
    (folder / "copy.jpg").write_bytes((folder / "a0.jpg").read_bytes())
    (folder / "note.txt").write_text("no picture")
    found = photographs(folder)
    assert len(found) == 4
    assert [one.digest for one in found] == sorted(hashlib.sha256(one.path.read_bytes()).hexdigest() for one in found)
    held = sum(is_held_out(hashlib.sha256(str(n).encode()).hexdigest()) for n in range(2000))
    assert 150 < held < 250


def test_the_listing_names_every_photograph_with_its_source(tmp_path: Path) -> None:
    for name in ("a_1.jpg", "b_1.jpg", "b_2.jpg"):
        picture(len(name) + ord(name[2])).save(tmp_path / name)
    found = photographs(tmp_path)
    source = {"name": "A", "address": "https://a.example", "licence": "CC0-1.0"}
    table = json.loads(listing(found, [source | {"prefix": "a_"}, source | {"prefix": ""}]))
    assert {digest for entry in table for digest in entry["trained"] + entry["held_out"]} == {o.digest for o in found}
    with pytest.raises(ValueError, match="no source is given"):
        listing(found, [source | {"prefix": "a_"}])


def test_a_photograph_is_opened_upright_and_small(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(3, 800, 500).save(tmp_path / "a.jpg", exif=exif)
    im = opened(tmp_path / "a.jpg")
    assert im.mode == "RGB"
    assert im.height > im.width
    assert max(im.size) <= 360


def test_a_square_is_made_by_one_exact_definition() -> None:
    im = photograph(5, 900, 600)
    half = im.copy()
    half.thumbnail((448, 448), Image.Resampling.BILINEAR)
    assert same(preparation.square(im), half.resize((224, 224), Image.Resampling.BICUBIC))
    assert im.size == (900, 600)
    given = preparation.values([preparation.square(im), Image.new("RGB", (224, 224), (255, 127, 0))])
    assert given.shape == (2, 3, 224, 224)
    assert given.dtype == np.float32
    assert given[1, :, 0, 0].tolist() == [1.0, 0.0, -127 / 128]
