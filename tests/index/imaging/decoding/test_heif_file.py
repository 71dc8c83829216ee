"""HEIC is decoded upright and whole, or named for what is missing in it."""

import random
import struct
from contextlib import suppress

import pytest
from PIL import Image

from index.errors import PictureError
from index.imaging.candidates.perceptual_hash import hamming, hash_grey, rows_of
from index.imaging.decoding import decoders, heif_file, pictures
from index.imaging.decoding.attachments import attachments_of
from index.imaging.decoding.heif_items import Cut
from index.imaging.decoding.pictures import Limits
from support.file_kinds import heic, heif
from support.pictures import ORIENTATION, photograph, save

LIMITS = Limits(max_pixels=50_000_000)
PICTURE = photograph(1, 640, 400)
HEIC = heic(PICTURE)


def reason(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        pictures.decode(data, LIMITS)
    return caught.value.reason


def bits(data: bytes) -> object:
    decoded = pictures.decode(data, LIMITS)
    return rows_of(hash_grey(decoded.grey, decoded.box), 16)[0]


def test_a_heic_with_a_thumbnail_is_read_from_the_picture_itself(tmp_path):
    decoded = pictures.decode(HEIC, LIMITS)
    assert (decoded.facts.format, decoded.facts.width, decoded.facts.height) == ("HEIF", 640, 400)
    assert decoded.facts.earlier_quality == 0
    conversion = save(PICTURE, tmp_path / "a.jpg", quality=92).read_bytes()
    assert hamming(bits(HEIC), bits(conversion)) <= 4


def test_an_orientation_that_the_decoder_applies_is_not_applied_again():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    decoded = pictures.decode(heic(PICTURE, exif=exif.tobytes()), LIMITS)
    assert decoded.facts.orientation == 1
    assert (decoded.facts.width, decoded.facts.height) == decoded.grey.shape[::-1]


def test_what_is_cut_off_anywhere_is_not_read():
    for share in range(1, 20):
        assert reason(HEIC[: len(HEIC) * share // 20]) in ("truncated", "corrupt")
    assert reason(HEIC[:-1]) == "truncated"


def test_a_part_that_was_never_written_is_seen():
    start = HEIC.index(b"mdat") + 200
    for at in range(start, len(HEIC) - 70, max(1, (len(HEIC) - start) // 40)):
        with pytest.raises(heif_file.Damaged):
            heif_file.check(HEIC[:at] + bytes(64) + HEIC[at + 64 :])


def test_bytes_behind_the_last_box_are_no_fault():
    for trailer in (b"SEFH\0\0\0\0SEFT", b"\0", b"\xff\xd8 anything"):
        heif_file.check(HEIC + trailer)
        assert pictures.decode(HEIC + trailer, LIMITS).facts.width == 640


@pytest.mark.parametrize("seed", range(4))
def test_any_broken_structure_ends_in_one_of_the_two_errors(seed):
    chance = random.Random(seed)
    parts = heif({1: (b"hvc1", bytes(99)), 2: (b"hvc1", bytes(9))}, {2: b"urn:x:depth"}, {3: [1, 2]})
    for number in range(300):
        data = bytearray(HEIC if number % 2 else parts)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(min(600, len(data)))] = chance.randrange(256)
        with suppress(Cut, heif_file.Damaged):
            heif_file.check(bytes(data))
        heif_file.not_decoded(bytes(data))
        attachments_of(bytes(data), "HEIF")


def test_a_header_that_claims_endless_items_is_bounded():
    iloc = b"\2\0\0\0\x44\0" + struct.pack(">I", 2**32 - 1)
    box = struct.pack(">I4s", 8 + len(iloc), b"iloc") + iloc
    meta = struct.pack(">I4s4x", 12 + len(box), b"meta") + box
    heif_file.check(struct.pack(">I4s4s4x4s", 20, b"ftyp", b"heic", b"heic") + meta)


@pytest.mark.parametrize(("kind", "coding"), [(b"jpeg", "JPEG"), (b"vvc1", "H.266"), (b"av01", "AV1")])
def test_another_coding_than_hevc_is_named(kind, coding):
    with pytest.raises(PictureError, match=f"HEIF with {coding} coding") as caught:
        pictures.decode(heif({1: (kind, bytes(range(100)))}), LIMITS)
    assert caught.value.reason == "no_decoder"


@pytest.mark.parametrize("kind", [b"hvc1", b"what"])
def test_what_has_hevc_or_an_unknown_coding_is_not_excused(kind):
    assert reason(heif({1: (kind, bytes(range(1, 100))), 2: (b"Exif", b"x")})) == "corrupt"


def test_without_its_decoder_it_is_no_damaged_file(monkeypatch):
    monkeypatch.setattr(decoders, "formats", lambda: decoders.FORMATS)
    monkeypatch.setattr(decoders, "is_installed", lambda _: False)
    with pytest.raises(PictureError, match="needs pi-heif-decoder") as caught:
        pictures.decode(HEIC, LIMITS)
    assert caught.value.reason == "no_decoder"
    assert caught.value.hint
