"""What belongs to an image."""

import pytest

from index.images.companions import (
    Bond,
    case_blind,
    companions_of,
    exact,
    images_behind,
    mixes,
    owners_of,
    renamed,
    twin_of,
)


def names(name: str, *beside: str) -> list[str]:
    return [one.name.decode() for one in companions_of(name.encode(), [one.encode() for one in (name, *beside)])]


def encoded(*names: str) -> list[bytes]:
    return [one.encode() for one in names]


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        (["a.xmp"], ["a.xmp"]),
        (["a.jpg.xmp", "a.JPG.xmp"], ["a.jpg.xmp"]),
        (["a.CR2", "a.NEF", "a.dng"], ["a.CR2", "a.NEF", "a.dng"]),
        (["a.MOV", "a.AAE"], ["a.AAE", "a.MOV"]),
        (["ab.xmp", "a b.xmp", "b.xmp", "a.txt", "a", "a.jpg.txt"], []),
        (["a.jpg.cr2"], []),
    ],
)
def test_what_belongs_to_an_image(beside: list[str], found: list[str]) -> None:
    assert names("a.jpg", *beside) == found


@pytest.mark.parametrize(
    ("companion", "beside", "owners"),
    [
        ("a.xmp", ["a.jpg", "a.PNG", "ab.jpg", "a.txt"], ["a.PNG", "a.jpg"]),
        ("a.xmp", ["a.jpg", "a.CR2", "a.mov"], ["a.CR2", "a.jpg", "a.mov"]),
        ("a.mov", ["a.jpg", "a.CR2"], ["a.jpg"]),
        ("a.jpg.xmp", ["a.jpg", "a.png"], ["a.jpg"]),
        ("a.jpg.xmp", ["a.jpg", "a.jpg.png"], ["a.jpg", "a.jpg.png"]),
        ("a.xmp", ["A.JPG"], []),
    ],
)
def test_which_pictures_a_companion_has(companion: str, beside: list[str], owners: list[str]) -> None:
    pictures = encoded(*(one for one in beside if not one.endswith("txt")))
    assert owners_of(companion.encode(), pictures) == encoded(*owners)


def test_the_sidecar_of_a_raw_goes_with_the_images_of_the_raw() -> None:
    assert names("a.jpg", "a.CR2", "a.CR2.xmp", "a.png.xmp") == ["a.CR2", "a.CR2.xmp"]
    assert images_behind(b"a.CR2.xmp", encoded("a.CR2", "a.jpg", "a.png")) == encoded("a.jpg", "a.png")


def test_names_are_compared_as_the_file_system_does() -> None:
    assert owners_of(b"img_1.xmp", [b"IMG_1.JPG"], exact) == []
    assert owners_of(b"img_1.xmp", [b"IMG_1.JPG"], case_blind) == [b"IMG_1.JPG"]
    assert owners_of("é.xmp".encode(), ["É.jpg".encode()], case_blind) == ["É.jpg".encode()]
    assert [one.name for one in companions_of(b"A.jpg", [b"a.JPG.xmp"], case_blind)] == [b"a.JPG.xmp"]


@pytest.mark.parametrize(
    ("arriving", "there", "mixed"),
    [
        (["a.jpg"], ["a.png", "a.txt"], False),
        (["a.jpg", "a.xmp"], ["a.png"], True),
        (["a.jpg", "a.jpg.xmp"], ["a.png"], False),
        (["a.jpg"], ["a.xmp"], True),
        (["a.jpg"], ["a.jpg.xmp"], True),
        (["a.jpg", "a.xmp"], ["a.txt"], False),
        (["a.001"], ["a.xmp"], True),
    ],
)
def test_whether_names_bind_what_arrives_to_what_is_there(arriving: list[str], there: list[str], mixed: bool) -> None:
    assert mixes(encoded(*arriving), encoded(*there)) is mixed


def test_bonds() -> None:
    found = companions_of(b"a.jpg", [b"a.xmp", b"a.arw", b"a.mp4"])
    assert {one.name: one.bond for one in found} == {b"a.xmp": Bond.SIDECAR, b"a.arw": Bond.RAW, b"a.mp4": Bond.FILM}


def test_the_twin_of_a_companion() -> None:
    assert twin_of(b"x.CR2", b"IMG_1.jpg", [b"IMG_1.cr2", b"x.cr2"]) == b"IMG_1.cr2"
    assert twin_of(b"x.CR2", b"IMG_1.jpg", [b"x.cr2"]) is None


@pytest.mark.parametrize(
    ("companion", "after", "expected"),
    [
        ("a.xmp", "a (2).jpg", "a (2).xmp"),
        ("a.jpg.xmp", "a (2).jpg", "a (2).jpg.xmp"),
        ("a.mov", "b.jpg", "b.mov"),
        ("a.CR2.xmp", "b.jpg", "b.CR2.xmp"),
        ("A.xmp", "b.jpg", "b.xmp"),
        ("A.xmp", "a.jpg", "A.xmp"),
        ("A.JPG.xmp", "b.jpg", "b.jpg.xmp"),
        ("holiday.jpg", "b.jpg", "holiday.jpg"),
        ("ab.xmp", "b.jpg", "ab.xmp"),
    ],
)
def test_a_companion_is_named_as_its_image(companion: str, after: str, expected: str) -> None:
    assert renamed(companion.encode(), b"a.jpg", after.encode()) == expected.encode()
