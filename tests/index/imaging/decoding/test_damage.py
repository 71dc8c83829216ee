"""A damaged file is decoded and said to be damaged; a JPEG that lacks only its end marker is whole."""

import io
import os
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from index.errors import PictureError
from index.imaging.decoding import jpeg_decoding, jpeg_file
from index.imaging.decoding.damage import damage_in
from index.imaging.decoding.pictures import Limits, decode, preview
from index.imaging.decoding.pixel_digest import pixel_digest
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)
PICTURE = photograph(1, 320, 240)
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + (b"\0\0\x40\0mdat" + bytes(range(256)) * 63 + bytes(248))
SAMSUNG = b"\0\0\x30\x0a" + (16).to_bytes(4, "little") + b"MotionPhoto_Data"


def packed(picture: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


JPEGS = {
    "baseline": packed(PICTURE, "JPEG", quality=92),
    "progressive": packed(PICTURE, "JPEG", quality=85, progressive=True),
    "grey": packed(PICTURE.convert("L"), "JPEG", quality=60),
    "restarts": packed(PICTURE, "JPEG", quality=75, restart_marker_blocks=8),
    "flat": packed(Image.new("RGB", (640, 480), "white"), "JPEG"),
}


def damage(data: bytes) -> str:
    return decode(data, LIMITS).facts.damage


def overwritten(data: bytes, share: float, what: bytes) -> bytes:
    start = int(len(data) * share)
    return data[:start] + what + data[start + len(what) :]


@pytest.mark.parametrize("name", JPEGS)
def test_a_sound_jpeg_is_sound(name: str) -> None:
    data = JPEGS[name]
    assert damage(data) == ""
    assert damage(data + FILM) == ""
    filled = data[:-2] + b"\xff" * 3 + jpeg_file.END
    assert damage(filled) == "", "some cameras fill up before the end"


@pytest.mark.parametrize("name", ["baseline", "progressive", "restarts"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_a_stretch_of_zeros_is_reported(name: str, share: float) -> None:
    assert is_reported(overwritten(JPEGS[name], share, bytes(300)))


@pytest.mark.parametrize("name", ["baseline", "progressive", "restarts"])
def test_half_of_damaged_stretches_at_least_are_reported(name: str) -> None:
    # Where as many blocks are decoded as were there, no decoder notices.
    random = np.random.default_rng(3)
    noise = [random.integers(0, 255, 200, dtype=np.uint8).tobytes() for _ in range(20)]
    assert sum(is_reported(overwritten(JPEGS[name], random.uniform(0.2, 0.95), each)) for each in noise) >= 10


def is_reported(data: bytes) -> bool:
    try:
        return damage(data) != ""
    except PictureError as error:
        return error.reason in ("corrupt", "truncated")


def test_damage_behind_a_version_of_jfif_that_is_not_known_is_reported() -> None:
    data = bytearray(JPEGS["baseline"])
    data[data.index(b"JFIF\0") + 5] = 7
    assert damage(bytes(data)) == ""
    assert damage(overwritten(bytes(data), 0.8, bytes(300))) != ""


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("behind", [b"", FILM, SAMSUNG + FILM, bytes(40)], ids=["nothing", "film", "samsung", "zeros"])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(name: str, behind: bytes) -> None:
    data = JPEGS[name]
    cut = data[:-2] + behind
    decoded = decode(cut, LIMITS)
    assert decoded.facts.damage == ""
    assert (decoded.grey == decode(data, LIMITS).grey).all()
    assert pixel_digest(cut, LIMITS) == pixel_digest(data, LIMITS)
    assert preview(cut, LIMITS) == preview(data, LIMITS)


@pytest.mark.parametrize("name", ["baseline", "progressive", "grey"])
@pytest.mark.parametrize("missing", [10, 100, 1000])
def test_a_jpeg_that_lacks_more_is_not(name: str, missing: int) -> None:
    with pytest.raises(PictureError) as caught:
        decode(JPEGS[name][:-missing], LIMITS)
    assert caught.value.reason == "truncated"
    for behind in (bytes(missing), FILM):
        assert is_reported(JPEGS[name][:-missing] + behind)


def test_other_output_stays_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    jpeg_decoding.luma(overwritten(JPEGS["baseline"], 0.8, bytes(300)), 1)
    os.write(2, b"ours\n")
    assert capfd.readouterr().err == "ours\n"


def test_a_checksum_that_is_wrong_is_damage() -> None:
    # Stored, so that a changed byte changes pixels and nothing else.
    data = packed(PICTURE, "PNG", compress_level=0)
    assert damage(data) == ""
    at = data.index(b"IDAT") + 5000
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert "CRC" in damage_in(changed, "PNG")
    wrong = bytearray(data)
    end = data.index(b"IDAT") + 4 + int.from_bytes(data[data.index(b"IDAT") - 4 : data.index(b"IDAT")], "big")
    wrong[end : end + 4] = (zlib.crc32(b"other")).to_bytes(4, "big")
    assert damage(bytes(wrong)) == "IDAT: CRC error"


def test_an_animation_that_is_cut_off_is_damaged() -> None:
    data = packed(PICTURE, "GIF", save_all=True, append_images=[photograph(n, 320, 240) for n in (2, 3)])
    assert damage(data) == ""
    assert damage(data[:-1]) == "", "it lacks only its trailer"
    assert damage(data[:-2000]) != ""


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_anywhere_costs_no_more_than_the_file(draw: st.DataObject) -> None:
    data = JPEGS[draw.draw(st.sampled_from(sorted(JPEGS)))] + draw.draw(st.sampled_from([b"", FILM, SAMSUNG]))
    start = draw.draw(st.integers(0, len(data)))
    changed = data[:start] + draw.draw(st.binary(max_size=40)) + data[start + draw.draw(st.integers(0, 500)) :]
    try:
        decoded = decode(changed, LIMITS)
    except PictureError:
        return
    assert decoded.grey.size


PAGES = {"save_all": True, "append_images": [photograph(n, 320, 240) for n in (2, 3)]}


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "packbits"])
def test_a_page_that_is_cut_off_is_reported(compression: str) -> None:
    data = packed(PICTURE, "TIFF", compression=compression, **PAGES)
    assert (decode(data, LIMITS).facts.frames, damage(data)) == (3, "")
    for share in (0.5, 0.8, 0.97):
        assert is_reported(data[: int(share * len(data))])


def test_a_fax_with_a_bad_code_is_reported(capfd: pytest.CaptureFixture[str]) -> None:
    data = packed(PICTURE.convert("1"), "TIFF", compression="group4")
    assert damage(data) == ""
    changed = [overwritten(data, share, bytes([data[int(share * len(data))] ^ 16])) for share in (0.3, 0.5, 0.7)]
    assert [is_reported(each) for each in changed] == [True] * 3
    assert "tempfile" not in damage(changed[0])
    assert capfd.readouterr().err == ""
