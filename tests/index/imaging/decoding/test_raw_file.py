"""RAW files are seen by their largest embedded preview, upright, and are named where they have none or are cut off."""

import io
import random
import re
import struct
from contextlib import suppress

import pytest

from index.errors import PictureError
from index.imaging.candidates.perceptual_hash import hamming, hash_grey, rows_of
from index.imaging.decoding import pictures, raw_file
from index.imaging.decoding.heif_items import Cut
from index.imaging.decoding.pictures import Limits
from index.imaging.decoding.pixel_digest import pixel_digest
from index.model import RAW_FORMATS
from support.file_kinds import RAW_KINDS, raw, tiff
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)
KINDS = pytest.mark.parametrize("kind", RAW_KINDS)
# Formats with the size of the sensor.
SIZED = frozenset(RAW_KINDS) - {"CR3", "CRW", "RAF"}


def jpeg(seed: int = 1, width: int = 480, height: int = 320) -> bytes:
    file = io.BytesIO()
    photograph(seed, width, height).save(file, "JPEG", quality=92)
    return file.getvalue()


PREVIEW = jpeg()


def bits(data: bytes) -> object:
    decoded = pictures.decode(data, LIMITS)
    return rows_of(hash_grey(decoded.grey, decoded.box), 16)[0]


@KINDS
def test_the_largest_preview_is_what_is_seen(kind):
    data = raw(kind, PREVIEW, (960, 640))
    decoded = pictures.decode(data, LIMITS)
    assert decoded.facts.format == kind
    assert decoded.facts.format in RAW_FORMATS
    assert (decoded.facts.width, decoded.facts.height) == ((960, 640) if kind in SIZED else (480, 320))
    assert (decoded.facts.jpeg_quality, decoded.facts.earlier_quality) == (0, 0)
    assert hamming(bits(data), bits(PREVIEW)) == 0
    assert pictures.preview(data, LIMITS)
    assert pixel_digest(data, LIMITS) == b""


@pytest.mark.parametrize("kind", sorted(set(RAW_KINDS) - {"CRW", "RAF"}))
def test_it_is_upright_as_its_own_metadata_says(kind):
    facts = pictures.decode(raw(kind, PREVIEW, (960, 640), orientation=6), LIMITS).facts
    assert facts.orientation == 6
    assert facts.width < facts.height
    assert facts.taken == "2021-05-06T07:08:09"


@pytest.mark.parametrize("kind", sorted(SIZED))
def test_a_part_is_cut_out_by_the_size_of_the_facts(kind):
    data = raw(kind, PREVIEW, (960, 640))
    part = pictures.crop(data, (480, 0, 480, 640), 400, LIMITS)
    expected = pictures.crop(PREVIEW, (240, 0, 240, 320), 400, LIMITS)
    assert hamming(bits(part), bits(expected)) <= 8


@pytest.mark.parametrize("kind", sorted(set(RAW_KINDS) - {"CRW"}))
def test_cut_off_in_the_data_of_the_sensor_it_is_shown_and_called_damaged(kind):
    data = raw(kind, PREVIEW, (960, 640))
    cut = data.index(b"\x5a" * 100) + 100
    decoded = pictures.decode(data[:cut] if kind in ("RAF", "CR3") else _with_more_claimed(data, cut), LIMITS)
    assert (decoded.facts.format, decoded.facts.damage) == (kind, raw_file.CUT_OFF)
    assert pictures.decode(data, LIMITS).facts.damage == ""


def test_cut_off_in_its_only_preview_it_is_truncated():
    data = raw("RAF", PREVIEW, (960, 640))
    with pytest.raises(PictureError) as caught:
        pictures.decode(data[: len(data) // 2], LIMITS)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("kind", ["ARW", "DNG", "NEF", "PEF", "RAF", "SRW"])
def test_without_data_of_the_sensor_it_is_shown_and_called_damaged(kind):
    data = raw(kind, PREVIEW, (960, 640), sensor=b"")
    decoded = pictures.decode(data, LIMITS)
    assert (decoded.facts.format, decoded.facts.damage) == (kind, raw_file.NO_SENSOR)
    assert hamming(bits(data), bits(PREVIEW)) == 0


@pytest.mark.parametrize("kind", ["ARW", "NEF", "PEF", "SRW"])
def test_without_the_directory_of_the_sensor_it_is_no_broken_tiff(kind):
    data = raw(kind, PREVIEW, (960, 640))
    coding = {"NEF": 34713, "ARW": 32767, "PEF": 65535, "SRW": 32772}[kind]
    # Of the codings only the preview's is left, and the data is not referred to.
    for tag, value in ((259, coding), (262, 32803)):
        data = data.replace(struct.pack("<HHIHH", tag, 3, 1, value, 0), struct.pack("<HHIHH", tag, 3, 1, 1, 0))
    for tag in (273, 279):
        data = re.sub(re.escape(struct.pack("<HHI", tag, 4, 1)), struct.pack("<HHI", tag + 20_000, 4, 1), data)
    decoded = pictures.decode(data, LIMITS)
    assert (decoded.facts.format, decoded.facts.damage) == (kind, raw_file.NO_SENSOR)


def _with_more_claimed(data: bytes, start: int) -> bytes:
    """The directories stand at the end: instead of being cut off, the sensor data claims to go on for longer."""
    place = data.index((4000).to_bytes(4, "little"), start)
    return data[:place] + (2**30).to_bytes(4, "little") + data[place + 4 :]


@KINDS
def test_without_a_preview_it_says_so(kind):
    data = raw(kind, jpeg(width=60, height=40), (960, 640))
    with pytest.raises(PictureError, match=f"{kind} without a usable preview") as caught:
        pictures.decode(data, LIMITS)
    assert caught.value.reason == "no_decoder"


def test_the_tiles_of_a_lossy_dng_are_no_previews():
    data = raw("DNG", PREVIEW, (960, 640), sensor=jpeg(2, 640, 480))
    assert hamming(bits(data), bits(PREVIEW)) == 0


def test_an_ordinary_tiff_with_a_jpeg_in_it_is_no_raw():
    assert raw_file.kind_of(tiff([PREVIEW], (10, 10), 8)) == ""
    assert raw_file.kind_of(PREVIEW) == ""


@KINDS
def test_any_broken_structure_ends_in_an_answer(kind):
    chance = random.Random(kind)
    data = raw(kind, jpeg(width=120, height=110), (960, 640), sensor=b"\x5a" * 200)
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(chance.randrange(1, 8)):
            end = chance.choice((100, len(broken)))
            broken[-chance.randrange(1, end)] = chance.randrange(256)
            broken[chance.randrange(end)] = chance.randrange(256)
        with suppress(Cut):
            raw_file.read(bytes(broken))
        with suppress(PictureError):
            pictures.decode(bytes(broken), LIMITS)


def test_a_tag_without_any_number_counts_as_missing():
    data = raw("NEF", PREVIEW, (2400, 1800))
    coding = struct.pack("<HHI", 259, 3, 1)
    assert data.count(coding) == 2
    assert raw_file.read(data.replace(coding, struct.pack("<HHI", 259, 3, 0))) is not None


def test_a_maker_that_is_no_text_is_none():
    data = raw("NEF", PREVIEW, (2400, 1800))
    maker = struct.pack("<HH", 271, 2)
    assert data.count(maker) == 1
    assert raw_file.kind_of(data.replace(maker, struct.pack("<HH", 271, 3))) in ("", "RAW")


def test_directories_that_lead_in_circles_end():
    data = b"II*\0" + (8).to_bytes(4, "little") + b"\0\0" + (8).to_bytes(4, "little")
    assert raw_file.kind_of(data) == ""


def test_thousands_of_beginnings_cost_little():
    assert raw_file.read(b"II\x1a\0\0\0HEAPCCDR" + b"\xff\xd8\xff" * 400_000) is None
