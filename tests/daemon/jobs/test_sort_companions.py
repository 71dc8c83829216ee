"""What goes along with an image, what holds it back, and which of its metadata is kept next to the other."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from daemon.files import actions
from daemon.jobs.sort_plan import Companions
from index.database.records.batches import Action, Step
from index.database.records.jobs import SortParameters
from index.imaging.discovery.companions import case_blind
from support.pictures import photograph
from support.sorting import Desk, Job


def reasons(outcome: dict) -> dict[str, int]:
    return dict(outcome["refused"])


# Companions


def test_sidecars_go_along_and_come_back(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    for name in ("a.xmp", "a.jpg.xmp", "a.AAE"):
        (copy.parent / name).write_text(name)
    (copy.parent / "ab.xmp").write_text("another's")
    before = desk.files()
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"]) == (1, 3)
    assert [path.name for path in copy.parent.iterdir()] == ["ab.xmp"]
    desk.undo(outcome["batch"])
    assert desk.files() == before


@pytest.mark.parametrize(
    ("image", "beside"),
    [
        ("a.jpg", ["a.jpg.supplemental-metadata.json", "a_01.jpg.xmp", "a.THM"]),
        ("b(1).jpg", ["b.jpg(1).json"]),
        ("PXL_1.MP.jpg", ["PXL_1.MP", "PXL_1.MP.jpg.supplemental-metada.json"]),
        ("PXL_2.RAW-01.COVER.jpg", ["PXL_2.RAW-02.ORIGINAL.dng"]),
        ("IMG_E1234.JPG", ["IMG_O1234.AAE", "IMG_E1234.MOV"]),
        ("IMG_0012.JPG", ["SND_0012.WAV"]),
    ],
)
def test_what_belongs_by_a_pattern_goes_along_and_comes_back(
    desk: Desk, pair: tuple[Path, Path], image: str, beside: list[str]
) -> None:
    _, copy = pair
    copy = copy.rename(copy.with_name(image))
    for name in beside:
        (copy.parent / name).write_bytes(name.encode())
    (copy.parent / "other.json").write_text("another's")
    desk.scan()
    desk.companions = Companions.TOGETHER
    before = desk.files()
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"]) == (1, len(beside))
    assert [path.name for path in copy.parent.iterdir()] == ["other.json"]
    desk.undo(outcome["batch"])
    assert desk.files() == before


def test_a_raw_that_only_the_image_has_blocks(desk: Desk, pair: tuple[Path, Path]) -> None:
    kept, copy = pair
    raw = copy.with_suffix(".CR2")
    raw.write_bytes(b"the negative")
    desk.decide({copy: "trash"})
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (0, {"companion": 1})
    assert copy.exists()
    assert "a.CR2" in str(desk.steps(outcome["batch"])[0].message)
    kept.with_suffix(".cr2").write_bytes(b"the positive")
    assert desk.sort(dry_run=True)["trash"] == 1, "of one size"
    outcome = desk.sort()
    assert (outcome["trash"], reasons(outcome)) == (0, {"companion": 1}), "but of other bytes"
    kept.with_suffix(".cr2").write_bytes(b"the negative")
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"]) == (1, 1)
    assert not raw.exists()
    desk.undo(outcome["batch"])
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
    sidecar.write_text("about this")
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
    outcome = desk.sorter.run(job, SortParameters())  # type: ignore[arg-type]
    assert (outcome["trash"], outcome["companions"], sidecar.exists()) == (1, 1, False)


def test_what_moves_takes_its_companions_and_their_names_agree(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    for name in ("a.xmp", "a.jpg.xmp", "a.mov"):
        (copy.parent / name).write_text(name)
    (desk.best / "a.jpg").write_bytes(b"other file")
    before = desk.files()
    desk.decide({copy: "move"})
    outcome = desk.sort()
    assert (outcome["move"], outcome["companions"]) == (1, 3)
    names = {path.name for path in desk.best.iterdir()}
    assert names == {"a.jpg", "a (2).jpg", "a (2).xmp", "a (2).jpg.xmp", "a (2).mov"}
    desk.undo(outcome["batch"])
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


@pytest.fixture
def shared(desk: Desk) -> Path:
    """A folder with two images of one stem, both decided to go, each with a keeper in a folder of its own."""
    folder = desk.photos / "d"
    for number, ending in enumerate(("jpg", "png")):
        desk.picture(f"photos/k{number}/a.{ending}", number)
        desk.picture(f"photos/d/IMG_1.{ending}", number, (200, 150), 80)
    desk.scan()
    desk.decide({folder / "IMG_1.jpg": "trash", folder / "IMG_1.png": "trash"})
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def rot(path: Path) -> None:
    """Damage a file so that its size and time are as before."""
    status = path.stat()
    path.write_bytes(b"\0" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("companion", ["IMG_1.xmp", "IMG_1.MOV", "IMG_1.CR2"])
@pytest.mark.parametrize(("keeper", "stays"), [("k0/a.jpg", "IMG_1.jpg"), ("k1/a.png", "IMG_1.png")])
def test_what_two_images_share_stays_with_the_one_that_cannot_go(
    desk: Desk, shared: Path, companion: str, keeper: str, stays: str
) -> None:
    (shared / companion).write_bytes(b"of both")
    for twin in ("k0/a.jpg", "k1/a.png"):
        (desk.photos / twin).with_suffix(companion[5:]).write_bytes(b"of both")
    rot(desk.photos / keeper)
    before = desk.files()
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], reasons(outcome)) == (1, 0, {"keeper_unreadable": 1})
    assert names(shared) == {stays, companion}
    desk.undo(outcome["batch"])
    assert desk.files() == before


def test_what_two_images_share_goes_with_both(desk: Desk, shared: Path) -> None:
    for name in ("IMG_1.xmp", "IMG_1.jpg.xmp", "IMG_1.png.xmp", "IMG_1.AAE"):
        (shared / name).write_text(name)
    before = desk.files()
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], names(shared)) == (2, 4, set())
    desk.undo(outcome["batch"])
    assert desk.files() == before


@pytest.mark.parametrize("name", ["IMG_1.webp", "IMG_1.JPG", "IMG_1.weird", "IMG_1"])
def test_an_image_that_the_index_does_not_know_keeps_what_is_its_own_too(
    desk: Desk, shared: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (shared / "IMG_1.xmp").write_text("of all")
    real = actions.perform

    def act(*arguments: Any) -> None:
        (shared / name).write_bytes((desk.photos / "k0" / "a.jpg").read_bytes())  # after everything was checked
        real(*arguments)

    monkeypatch.setattr(actions, "perform", act)
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"]) == (2, 0)
    assert names(shared) == {name, "IMG_1.xmp"}
    assert str(desk.steps(outcome["batch"])[-1].message) == f"It also belongs to {name}, which stays in place."


def test_where_the_folder_cannot_be_read_a_companion_stays(
    desk: Desk, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shared / "IMG_1.xmp").write_text("of both")

    def fail(file_ref: object) -> list[bytes]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr("daemon.jobs.sort.remaining_owners", fail)
        outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], names(shared)) == (2, 0, {"IMG_1.xmp"})
    assert desk.steps(outcome["batch"])[-1].reason == "no_permission"


def test_a_companion_that_cannot_be_read_holds_back_its_image_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    for seed in (1, 2):
        kept = desk.picture(f"photos/kept/{seed}.jpg", seed)
        copies.append(desk.copy(kept, f"photos/copies/{seed}.jpg"))
        copies[-1].with_suffix(".xmp").write_text(f"sidecar {seed}")
    desk.scan()
    desk.decide(dict.fromkeys(copies, "trash"))
    read = os.read

    def read_from_a_bad_sector(descriptor: int, size: int) -> bytes:
        data = read(descriptor, size)
        if data == b"sidecar 1":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return data

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", read_from_a_bad_sector)
        outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], outcome["refused"]) == (1, 1, {"unreadable": 1})
    assert names(copies[0].parent) == {"1.jpg", "1.xmp"}


def test_a_sidecar_stays_with_a_raw_that_stays(
    desk: Desk, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, copy = pair
    desk.companions = Companions.TOGETHER
    for name in ("a.CR2", "a.xmp", "a.CR2.xmp"):
        copy.with_name(name).write_text(name)
    before = desk.files()
    desk.decide({copy: "trash"})
    real = actions.perform

    def act(step: Step, *others: Any) -> None:
        if step.path.endswith(b".CR2"):
            copy.with_name("a.CR2").write_text("newly developed")
        real(step, *others)

    with monkeypatch.context() as patch:
        patch.setattr(actions, "perform", act)
        outcome = desk.sort()
    assert (outcome["trash"], names(copy.parent)) == (1, {"a.CR2", "a.xmp", "a.CR2.xmp"})
    copy.with_name("a.CR2").write_text("a.CR2")
    desk.undo(outcome["batch"])
    assert desk.files() == before
    desk.decide({copy: "trash"})
    assert (desk.sort()["companions"], names(copy.parent)) == (3, set())


def test_an_image_stays_where_the_same_raw_went_away_at_the_last_moment(
    desk: Desk, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, copy = pair
    for image in pair:
        image.with_suffix(".CR2").write_bytes(b"the negative")
    desk.decide({copy: "trash"})
    real = actions.perform

    def act(*arguments: Any) -> None:
        kept.with_suffix(".CR2").unlink(missing_ok=True)
        real(*arguments)

    monkeypatch.setattr(actions, "perform", act)
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], reasons(outcome)) == (0, 0, {"keeper_changed": 1})
    assert names(copy.parent) == {"a.jpg", "a.CR2"}


@pytest.mark.parametrize("twin", [b"the negative", b"another one", None])
def test_a_raw_that_a_crash_left_goes_only_where_the_same_is_still_kept(
    desk: Desk, pair: tuple[Path, Path], twin: bytes | None
) -> None:
    kept, copy = pair
    for image in pair:
        image.with_suffix(".CR2").write_bytes(b"the negative")
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
    kept.with_suffix(".CR2").unlink()
    if twin is not None:
        kept.with_suffix(".CR2").write_bytes(twin)
    job.patient = True
    desk.sorter.run(job, SortParameters())  # type: ignore[arg-type]
    assert copy.with_suffix(".CR2").exists() is (twin != b"the negative")


def test_on_a_disk_that_is_blind_to_case_names_match_all_the_same(
    desk: Desk, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shared / "img_1.XMP").write_text("of both")
    before = desk.files()
    assert desk.sort(dry_run=True)["companions"] == 0
    monkeypatch.setattr("daemon.files.siblings.case_fold_of", lambda *_: case_blind)
    rot(desk.photos / "k0" / "a.jpg")
    assert (desk.sort()["trash"], names(shared)) == (1, {"IMG_1.jpg", "img_1.XMP"})
    (desk.photos / "k0" / "a.jpg").write_bytes(before["photos/k0/a.jpg"])
    desk.scan()
    desk.decide({shared / "IMG_1.jpg": "move"})
    (desk.best / "IMG_1.jpg").write_bytes(b"other file")
    outcome = desk.sort()
    assert names(desk.best) == {"IMG_1.jpg", "IMG_1 (2).jpg", "IMG_1 (2).XMP"}
    desk.undo(outcome["batch"])
    assert names(shared) == {"IMG_1.jpg", "img_1.XMP"}


def test_what_is_linked_keeps_its_companions(desk: Desk) -> None:
    kept = desk.picture("photos/a.jpg")
    copy = desk.copy(kept, "photos/copy.jpg")
    (desk.photos / "copy.xmp").write_text("of it")
    desk.scan()
    desk.decide({copy: "link"})
    assert desk.sort()["link"] == 1
    assert (desk.photos / "copy.xmp").read_text() == "of it"


# Metadata that only the image that goes has


@pytest.fixture
def described(desk: Desk) -> tuple[Path, Path]:
    """A large picture without metadata, and a small one with a date, a place and a rating."""
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


def test_metadata_that_only_the_removed_image_has_is_kept_beside_the_other(
    desk: Desk, described: tuple[Path, Path]
) -> None:
    kept, _ = described
    before = desk.files()
    desk.carries_metadata = True
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"], outcome["refused"]) == (1, 1, {})
    sidecar = kept.with_name("large.png.xmp")
    assert "2019-07-14T10:31:02" in sidecar.read_text()
    assert "<xmp:Rating>4</xmp:Rating>" in sidecar.read_text()
    assert kept.read_bytes() == before["photos/large.png"], "no picture is changed"
    desk.undo(outcome["batch"])
    assert {name: data for name, data in desk.files().items() if "trash" not in name} == before


def test_a_sidecar_that_appears_at_the_last_moment_is_left_as_it_is(
    desk: Desk, described: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, _ = described
    desk.carries_metadata = True
    real = actions.perform

    def act(step: Step, *others: Any) -> None:
        if step.action is Action.CREATE:
            kept.with_name("large.png.xmp").write_text("other file")
        real(step, *others)

    monkeypatch.setattr(actions, "perform", act)
    outcome = desk.sort()
    assert (outcome["trash"], outcome["companions"]) == (1, 0)
    assert kept.with_name("large.png.xmp").read_text() == "other file"
    assert names(desk.photos) == {".comparimg-trash", "large.png", "large.png.xmp"}


@pytest.mark.parametrize("spoil", ["off", "one that is no XMP", "image stays"])
def test_no_sidecar_where_none_is_wanted_or_none_is_readable(
    desk: Desk, described: tuple[Path, Path], spoil: str
) -> None:
    kept, copy = described
    desk.carries_metadata = spoil != "off"
    if spoil == "one that is no XMP":
        kept.with_suffix(".XMP").write_text("other file")
    if spoil == "image stays":
        copy.with_suffix(".cr2").write_bytes(b"the negative")
    outcome = desk.sort()
    assert outcome["trash"] == (spoil != "image stays")
    assert not kept.with_name("large.png.xmp").exists()
    assert [path for path in desk.photos.iterdir() if path.suffix == ".part"] == []
