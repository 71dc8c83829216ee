"""What belongs to an image."""

import pytest

from index.images.companions import Bond, companions_of, renamed, twin_of


def names(name: str, *beside: str, going: tuple[str, ...] = ()) -> list[str]:
    folder = [one.encode() for one in (name, *beside)]
    found = companions_of(name.encode(), folder, [one.encode() for one in going])
    return [one.name.decode() for one in found]


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


def test_what_two_images_share_goes_with_the_last_of_them() -> None:
    beside = ("a.png", "a.xmp", "a.mov", "a.jpg.xmp")
    assert names("a.jpg", *beside) == ["a.jpg.xmp"]
    assert names("a.jpg", *beside, going=("a.jpg", "a.png")) == ["a.jpg.xmp"]
    assert companions_of(b"a.png", [b"a.jpg", *map(str.encode, beside)], [b"a.jpg", b"a.png"])[0].name == b"a.mov"


def test_bonds() -> None:
    found = companions_of(b"a.jpg", [b"a.xmp", b"a.arw", b"a.mp4"])
    assert {one.name: one.bond for one in found} == {b"a.xmp": Bond.SIDECAR, b"a.arw": Bond.RAW, b"a.mp4": Bond.FILM}


def test_the_twin_of_a_companion() -> None:
    assert twin_of(b"x.CR2", b"IMG_1.jpg", [b"IMG_1.cr2", b"x.cr2"]) == b"IMG_1.cr2"
    assert twin_of(b"x.CR2", b"IMG_1.jpg", [b"x.cr2"]) is None


@pytest.mark.parametrize(
    ("companion", "after", "expected"),
    [("a.xmp", "a (2).jpg", "a (2).xmp"), ("a.jpg.xmp", "a (2).jpg", "a (2).jpg.xmp"), ("a.mov", "b.jpg", "b.mov")],
)
def test_a_companion_is_named_as_its_image(companion: str, after: str, expected: str) -> None:
    assert renamed(companion.encode(), b"a.jpg", after.encode()) == expected.encode()
