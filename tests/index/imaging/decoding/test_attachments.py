"""What is behind the first picture of a file is found, named and measured."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from index.imaging.decoding.attachments import attachments_of
from index.imaging.decoding.pictures import Limits, decode
from index.model import Attachment
from support.file_kinds import heif
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)
PICTURE = photograph(1, 320, 240)
BOX = b"\0\0\x10\0mdat" + bytes(range(256)) * 15 + bytes(248)
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + BOX * 3
HDR = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf hdrgm:Version="1.0"/></x:xmpmeta>'
DEPTH = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf GDepth:Format="RangeLinear"/></x:xmpmeta>'


def packed(picture: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def samsung(*blocks: tuple[bytes, bytes]) -> bytes:
    """A trailer as Samsung telephones write it: blocks, and a directory that is read from the end."""
    data, entries, total = b"", b"", sum(8 + len(name) + len(content) for name, content in blocks)
    for name, content in blocks:
        entries += b"\0\0\x01\x0a" + (total - len(data)).to_bytes(4, "little") + len(content).to_bytes(4, "little")
        data += b"\0\0\x01\x0a" + len(name).to_bytes(4, "little") + name + content
    directory = b"SEFH" + (106).to_bytes(4, "little") + len(blocks).to_bytes(4, "little") + entries
    return data + directory + len(directory).to_bytes(4, "little") + b"SEFT"


def found(data: bytes) -> list[tuple[str, int]]:
    return [(part.kind, part.size_bytes) for part in decode(data, LIMITS).facts.attachments]


STILL = packed(PICTURE)
SMALL = packed(PICTURE.resize((80, 60)).convert("L"))


def test_nothing_is_behind_a_plain_picture() -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        assert found(packed(PICTURE, form)) == []
    for filling in (b"\0" * 100, b"\r\n", b"\xff" * 3, b"a few stray bytes"):
        assert found(STILL + filling) == []


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_film_behind_a_picture(form: str) -> None:
    data = packed(PICTURE, form)
    assert found(data + FILM) == [("film", len(FILM))]


def test_a_samsung_trailer_with_and_without_a_film() -> None:
    times = (b"Image_UTC_Data", b"1563096153000")
    trailer = samsung(times)
    assert found(STILL + trailer) == [("trailer", len(trailer))]
    kinds = found(STILL + samsung((b"MotionPhoto_Data", FILM), times))
    assert [kind for kind, _ in kinds] == ["film", "trailer"]
    assert kinds[0][1] == len(FILM)


def test_gain_maps_depth_maps_and_views() -> None:
    assert found(packed(PICTURE, xmp=HDR) + SMALL) == [("gain_map", len(SMALL))]
    own = packed(PICTURE.resize((80, 60)), xmp=HDR)
    assert found(STILL + own + FILM) == [("gain_map", len(own)), ("film", len(FILM))]
    assert found(packed(PICTURE, xmp=DEPTH) + SMALL) == [("depth_map", len(SMALL))]
    assert found(STILL + SMALL) == [("view", len(SMALL))]


def test_a_second_view_by_the_index_of_the_file() -> None:
    several = packed(PICTURE, "MPO", save_all=True, append_images=[photograph(2, 320, 240)])
    kinds = found(several)
    assert [kind for kind, _ in kinds] == ["view"]


def test_a_camera_preview_shows_nothing_more() -> None:
    several = packed(PICTURE, "MPO", save_all=True, append_images=[PICTURE.resize((160, 120))])
    with Image.open(io.BytesIO(several)) as image:
        index = dict(image.mpinfo)
    first, second = index[0xB002]
    preview = {**second, "Attribute": {**second["Attribute"], "MPType": "Large Thumbnail (VGA Equivalent)"}}
    assert [part.kind for part in attachments_of(several, "MPO", index)] == ["view"]
    assert attachments_of(several, "MPO", {**index, 0xB002: [first, preview]}) == ()


def test_the_auxiliary_pictures_of_a_heic() -> None:
    picture, others = (b"hvc1", b"\1" * 50), (b"hvc1", b"\2" * 20)
    names = {
        2: b"urn:com:apple:photo:2020:aux:hdrgainmap", 3: b"urn:mpeg:hevc:2015:auxid:2",
        4: b"urn:mpeg:hevc:2015:auxid:1", 5: b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
        6: b"urn:com:apple:photo:2018:aux:portraiteffectsmatte",
    }  # fmt: skip
    data = heif({1: picture} | dict.fromkeys(names, others), names)
    assert [(part.kind, part.size_bytes) for part in attachments_of(data, "HEIF")] == [
        ("gain_map", 20), ("depth_map", 20), ("view", 20),
    ]  # fmt: skip
    assert attachments_of(data[:-1], "HEIF") == ()


def test_a_gain_map_from_which_a_tone_mapped_picture_is_made_and_one_of_tiles() -> None:
    tile = (b"hvc1", b"\3" * 30)
    data = heif({1: tile, 2: (b"tmap", b"\0"), 3: (b"grid", b"\0\0"), 4: tile, 5: tile}, {}, {2: [1, 3], 3: [4, 5]})
    assert [(part.kind, part.size_bytes) for part in attachments_of(data, "AVIF")] == [("gain_map", 30)] * 2


def test_other_films_have_other_digests() -> None:
    one, same, other = (attachments_of(STILL + film, "JPEG") for film in (FILM, FILM, FILM[:-1] + b"x"))
    assert one == same != other
    assert isinstance(one[0], Attachment)


@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP", "AVIF", "HEIF"]))
@settings(max_examples=100, deadline=None)
def test_whatever_lies_behind_is_survived(behind: bytes, form: str) -> None:
    pieces = [FILM[:40], b"\xff\xd8\xff", b"SEFH", b"SEFT", behind]
    for data in (STILL + b"".join(pieces), STILL + behind, behind, b"RIFF" + behind, behind + FILM):
        assert all(part.size_bytes >= 0 for part in attachments_of(data, form))
