"""What belongs to an image."""

import pytest

from index.imaging.discovery.companions import (
    Bond,
    case_blind,
    companions_of,
    exact,
    images_behind,
    is_edited_from,
    keys_of,
    owners_of,
    renamed,
    twin_of,
    would_be_companions,
)


def names(name: str, *beside: str) -> list[str]:
    return [one.name.decode() for one in companions_of(name.encode(), [one.encode() for one in (name, *beside)])]


def encoded(*names: str) -> list[bytes]:
    return [one.encode() for one in names]


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        (["a.xmp"], ["a.xmp"]),
        (["a.jpg.xmp", "a.JPG.xmp"], ["a.jpg.xmp"]),
        (["a.CR2", "a.NEF", "a.dng"], ["a.CR2", "a.NEF", "a.dng"]),
        (["a.MOV", "a.AAE"], ["a.AAE", "a.MOV"]),
        (["ab.xmp", "a b.xmp", "b.xmp", "a.txt", "a", "a.jpg.txt"], []),
        (["a.jpg.cr2"], []),
    ],
)
def test_what_belongs_to_an_image(beside: list[str], expected: list[str]) -> None:
    assert names("a.jpg", *beside) == expected


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
    assert would_be_companions(encoded(*arriving), encoded(*there)) is mixed


def test_bonds() -> None:
    companions = companions_of(b"a.jpg", [b"a.xmp", b"a.arw", b"a.mp4"])
    assert {one.name: one.bond for one in companions} == {
        b"a.xmp": Bond.SIDECAR,
        b"a.arw": Bond.RAW,
        b"a.mp4": Bond.FILM,
    }


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


# A companion, its picture, another name of the picture, and what the companion is called then.
PAIRS = [
    ("x.xmp", "x.jpg", "y (2).jpg", "y (2).xmp"),
    ("x.jpg.xmp", "x.jpg", "y.jpg", "y.jpg.xmp"),
    ("x_01.JPG.xmp", "x.JPG", "y.JPG", "y_01.JPG.xmp"),
    ("x_12.jpg.xmp", "x.jpg", "y (2).webp", "y (2)_12.webp.xmp"),
    ("IMG_O1234.AAE", "IMG_E1234.JPG", "IMG_E1234 (2).JPG", "IMG_E1234 (2).AAE"),
    ("IMG_1234.AAE", "IMG_1234.HEIC", "b.HEIC", "b.AAE"),
    ("x.jpg.json", "x.jpg", "y.jpg", "y.jpg.json"),
    ("x.jpg.supplemental-metadata.json", "x.jpg", "y.jpg", "y.jpg.supplemental-metadata.json"),
    ("x.jpg.supplemental-metada.json", "x.jpg", "y.jpg", "y.jpg.supplemental-metada.json"),
    ("x.jpg.s.json", "x.jpg", "y.jpg", "y.jpg.s.json"),
    ("x.jpg..json", "x.jpg", "y.jpg", "y.jpg..json"),
    ("x.jpg(1).json", "x(1).jpg", "y.jpg", "y.jpg.json"),
    ("x.jpg.supplemental-metadata(12).json", "x(12).jpg", "y (2).jpg", "y (2).jpg.supplemental-metadata.json"),
    (
        "Urlaub in Knaufspesch in der Schneifel am See.(1).json",
        "Urlaub in Knaufspesch in der Schneifel am See(1).JPG",
        "y.jpg", "y.jpg.supplemental-metadata.json",
    ),
    (
        "Urlaub in Knaufspesch in der Schneifel (38).JP.json", "Urlaub in Knaufspesch in der Schneifel (38).JPG",
        "y.jpg", "y.jpg.supplemental-metadata.json",
    ),
    ("x.jpg.json", "x-edited.jpg", "x-edited (2).jpg", "x-edited (2).jpg.json"),
    ("x.jpg.supplemental-metad.json", "x-modifi\u00e9.jpg", "y.jpg", "y.jpg.supplemental-metad.json"),
    ("x.jpg(1).json", "x-edited(1).jpg", "y.jpg", "y.jpg.json"),
    (
        "Urlaub in Knaufspesch in der Schneifel am See..json",
        "Urlaub in Knaufspesch in der Schneifel am See-bearbeitet.JPG",
        "y.jpg", "y.jpg.supplemental-metadata.json",
    ),
    ("x.acr", "x.dng", "y.dng", "y.acr"),
    ("x.CR2.on1", "x.CR2", "y.CR2", "y.CR2.on1"),
    ("x.MP4.supplemental-metadata.json", "x.MP4", "y.MP4", "y.MP4.supplemental-metadata.json"),
    (
        "original_0e4a5b8c-3d2f-4a6b-9c8d-7e6f5a4b3c2d_.json", "original_0e4a5b8c-3d2f-4a6b-9c8d-7e6f5a4b3c2d_IMG.jpg",
        "y.jpg", "y.jpg.supplemental-metadata.json",
    ),
    ("PXL_1.MP", "PXL_1.MP.jpg", "PXL_1.MP (2).jpg", "PXL_1.MP (2)"),
    ("PXL_1.MP", "PXL_1.MP.jpg", "other.jpg", "PXL_1.MP"),
    ("PXL_1.RAW-02.ORIGINAL.dng", "PXL_1.RAW-01.COVER.jpg", "PXL_1.RAW-01.COVER (2).jpg", "PXL_1.RAW-01.COVER (2).dng"),
    ("PXL_1.RAW-02.ORIGINAL.dng", "PXL_1.RAW-01.MP.COVER.jpg", "y.jpg", "y.dng"),
    ("x.THM", "x.CR2", "y.CR2", "y.THM"),
    ("x.THM", "x.JPG", "y.JPG", "y.THM"),
    ("x.WAV", "x.JPG", "y.JPG", "y.WAV"),
    ("x.WAV", "x.NEF", "y.NEF", "y.WAV"),
    ("x.nksc", "x.NEF", "y.NEF", "y.nksc"),
    ("x.CR3.arp", "x.CR3", "y.CR3", "y.CR3.arp"),
    ("x.jpg.out.pp3", "x.jpg", "y.jpg", "y.jpg.out.pp3"),
    ("SND_0012.WAV", "IMG_0012.JPG", "y.JPG", "y.WAV"),
    ("x.MOV", "x.HEIC", "y.HEIC", "y.MOV"),
    ("x.NEF", "x.JPG", "y.JPG", "y.NEF"),
]  # fmt: skip


@pytest.mark.parametrize(("companion", "picture", "after", "expected"), PAIRS)
def test_each_pattern(companion: str, picture: str, after: str, expected: str) -> None:
    assert owners_of(companion.encode(), encoded(picture, "other.png", "x1.jpg")) == encoded(picture)
    assert keys_of(companion.encode()) & keys_of(picture.encode())
    assert renamed(companion.encode(), picture.encode(), after.encode()) == expected.encode()
    if expected != companion:
        assert owners_of(expected.encode(), encoded(after)) == encoded(after)


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("x.json", "x.jpg"),
        ("settings.json", "settings.jpg"),
        ("x.txt.json", "x.jpg"),
        ("x.jpg.supplemental-other.json", "x.jpg"),
        ("x.jpg(1).json", "x.jpg"),
        (f"{'x' * 46}(1).json", f"{'x' * 50}.jpg"),
        (f"{'x' * 46}(1).json", f"{'x' * 50}(2).jpg"),
        (f"{'x' * 46}.json", f"{'x' * 44}(1).jpg"),
        ("x.jpg.json", "x(1).jpg"),
        ("x.jpg.json", "x-edited(1).jpg"),
        ("x.jpg.json", "x-edits.jpg"),
        ("x.jpg.xmp", "x-edited.jpg"),
        ("x-edited.jpg.json", "x.jpg"),
        ("IMG_O1234.AAE", "IMG_E1235.JPG"),
        ("IMG_O1234.AAE", "IMG_1234.JPG"),
        ("PXL_1.MP", "PXL_1.jpg"),
        ("PXL_1.MP", "PXL_2.MP.jpg"),
        ("x.MP", "x.MP.jpg"),
        ("x_01.JPG.xmp", "y.JPG"),
        ("SND_0012.WAV", "IMG_0013.JPG"),
        ("x.MOV", "x.CR2"),
    ],
)
def test_what_belongs_to_nothing(name: str, picture: str) -> None:
    assert owners_of(name.encode(), encoded(picture)) == []


def test_the_second_version_of_one_is_the_sidecar_of_another_too() -> None:
    assert owners_of(b"x_01.jpg.xmp", encoded("x.jpg", "x_01.jpg")) == encoded("x.jpg", "x_01.jpg")


def test_the_json_of_takeout_belongs_to_a_picture_and_to_what_was_edited_from_it() -> None:
    assert owners_of(b"x.jpg.json", encoded("x.jpg", "x-edited.jpg", "y.jpg")) == encoded("x-edited.jpg", "x.jpg")
    assert names("x-edited.jpg", "x.jpg", "x.jpg.json", "x.mp4") == ["x.jpg.json"]
    assert is_edited_from(b"X-Edited(2).jpg", b"x(2).jpg", case_blind)
    assert not is_edited_from(b"x.jpg", b"x.jpg")
    assert not is_edited_from(b"x.jpg", b"x-edited.jpg")


def test_the_twin_of_a_companion_with_a_name_of_its_own() -> None:
    assert twin_of(b"PXL_1.MP", b"PXL_2.MP.jpg", encoded("PXL_1.MP", "PXL_2.MP", "PXL_2.MP.jpg")) == b"PXL_2.MP"
    beside = encoded("PXL_2.RAW-02.ORIGINAL.dng", "PXL_1.RAW-02.ORIGINAL.dng")
    assert twin_of(b"PXL_1.RAW-02.ORIGINAL.dng", b"PXL_2.RAW-01.COVER.jpg", beside) == beside[0]
