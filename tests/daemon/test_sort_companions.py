"""What goes along with an image, what holds it back, and what it tells that is kept beside the other."""

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from daemon.jobs.sort_plan import Companions
from index.records.jobs import SortParameters
from support.pictures import photograph
from support.sorting import Desk, Job


def reasons(told: dict) -> dict[str, int]:
    return dict(told["refused"])


# Companions


def test_sidecars_go_along_and_come_back(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    for name in ("a.xmp", "a.jpg.xmp", "a.AAE"):
        (copy.parent / name).write_text(name)
    (copy.parent / "ab.xmp").write_text("another's")
    before = desk.files()
    desk.decide({copy: "trash"})
    told = desk.sort()
    assert (told["trash"], told["companions"]) == (1, 3)
    assert [path.name for path in copy.parent.iterdir()] == ["ab.xmp"]
    desk.undo(told["batch"])
    assert desk.files() == before


def test_a_raw_that_only_the_image_has_blocks(desk: Desk, pair: tuple[Path, Path]) -> None:
    kept, copy = pair
    raw = copy.with_suffix(".CR2")
    raw.write_bytes(b"the negative")
    desk.decide({copy: "trash"})
    told = desk.sort()
    assert (told["trash"], reasons(told)) == (0, {"companion": 1})
    assert copy.exists()
    assert "a.CR2" in desk.steps(told["batch"])[0].message
    kept.with_suffix(".cr2").write_bytes(b"the positive")
    assert desk.sort(dry_run=True)["trash"] == 1, "of one size"
    told = desk.sort()
    assert (told["trash"], reasons(told)) == (0, {"companion": 1}), "but of other bytes"
    kept.with_suffix(".cr2").write_bytes(b"the negative")
    told = desk.sort()
    assert (told["trash"], told["companions"]) == (1, 1)
    assert not raw.exists()
    desk.undo(told["batch"])
    assert raw.read_bytes() == b"the negative"
    assert copy.exists()


@pytest.mark.parametrize(("companions", "done"), [(Companions.TOGETHER, 1), (Companions.BLOCK, 0)])
def test_the_setting_says_what_becomes_of_companions(
    desk: Desk, pair: tuple[Path, Path], companions: Companions, done: int
) -> None:
    _, copy = pair
    film = copy.with_suffix(".mov")
    film.write_bytes(b"moving")
    desk.companions = companions
    desk.decide({copy: "trash"})
    assert desk.sort()["trash"] == done
    assert film.exists() is not bool(done)


def test_a_sidecar_goes_after_its_image_when_a_crash_came_between(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    sidecar = copy.with_suffix(".xmp")
    sidecar.write_text("told of it")
    desk.decide({copy: "trash"})

    class CutOff(BaseException):
        pass

    class Impatient(Job):
        patient = False

        def advance(self, steps: int = 1) -> None:
            if not copy.exists() and not self.patient:
                raise CutOff

    job = Impatient(desk.store)
    with pytest.raises(CutOff):
        desk.sorter.run(job, SortParameters())  # type: ignore[arg-type]
    assert (copy.exists(), sidecar.exists()) == (False, True)
    job.patient = True
    told = desk.sorter.run(job, SortParameters())  # type: ignore[arg-type]
    assert (told["trash"], told["companions"], sidecar.exists()) == (1, 1, False)


def test_what_moves_takes_its_companions_and_their_names_agree(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    for name in ("a.xmp", "a.jpg.xmp", "a.mov"):
        (copy.parent / name).write_text(name)
    (desk.best / "a.jpg").write_bytes(b"somebody's")
    before = desk.files()
    desk.decide({copy: "move"})
    told = desk.sort()
    assert (told["move"], told["companions"]) == (1, 3)
    names = {path.name for path in desk.best.iterdir()}
    assert names == {"a.jpg", "a (2).jpg", "a (2).xmp", "a (2).jpg.xmp", "a (2).mov"}
    desk.undo(told["batch"])
    assert desk.files() == before


def test_a_shared_sidecar_stays_as_long_as_one_image_stays(desk: Desk) -> None:
    kept = desk.picture("photos/x/a.png", 1)
    first = desk.picture("photos/a.jpg", 1, (200, 150), 80)
    second = desk.picture("photos/a.png", 1, (220, 165))
    sidecar = desk.photos / "a.xmp"
    sidecar.write_text("of both")
    desk.scan()
    desk.decide({first: "trash"})
    assert desk.sort()["trash"] == 1
    assert sidecar.exists()
    desk.decide({kept: "keep", second: "trash"})
    assert desk.sort()["companions"] == 1
    assert not sidecar.exists()


# Metadata that only the image that goes has


@pytest.fixture
def telling(desk: Desk) -> tuple[Path, Path]:
    """A large picture that tells nothing, and a small one with a date, a place and a rating."""
    kept = desk.picture("photos/large.png", 1, (640, 480))
    exif = Image.Exif()
    exif[0x4746] = 4
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:07:14 10:31:02"
    copy = desk.photos / "small.jpg"
    photograph(1, 640, 480).resize((320, 240)).save(copy, "JPEG", quality=90, exif=exif)
    desk.scan()
    assert len(desk.groups()) == 1
    desk.decide({kept: "keep", copy: "trash"})
    return kept, copy


def test_what_only_the_image_that_goes_tells_is_kept_beside_the_other(desk: Desk, telling: tuple[Path, Path]) -> None:
    kept, _ = telling
    before = desk.files()
    desk.carries_metadata = True
    told = desk.sort()
    assert (told["trash"], told["companions"], told["refused"]) == (1, 1, {})
    sidecar = kept.with_name("large.png.xmp")
    assert "2019-07-14T10:31:02" in sidecar.read_text()
    assert "<xmp:Rating>4</xmp:Rating>" in sidecar.read_text()
    assert kept.read_bytes() == before["photos/large.png"], "no picture is changed"
    desk.undo(told["batch"])
    assert {name: data for name, data in desk.files().items() if "trash" not in name} == before


@pytest.mark.parametrize("spoil", ["off", "there is one", "image stays"])
def test_no_sidecar_where_none_is_wanted_or_one_is_there(
    desk: Desk, telling: tuple[Path, Path], spoil: str
) -> None:
    kept, copy = telling
    desk.carries_metadata = spoil != "off"
    if spoil == "there is one":
        kept.with_suffix(".XMP").write_text("somebody's")
    if spoil == "image stays":
        copy.with_suffix(".cr2").write_bytes(b"the negative")
    told = desk.sort()
    assert told["trash"] == (spoil != "image stays")
    assert not kept.with_name("large.png.xmp").exists()
    assert [path for path in desk.photos.iterdir() if path.suffix == ".part"] == []
