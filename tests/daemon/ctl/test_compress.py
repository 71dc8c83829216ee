"""comparimg-ctl compress, on real files: the original's command line, and what it must never do to a picture."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from index.imaging.decoding.pictures import digest
from support.pictures import photograph, save, unutf8
from support.terminal import DONE, FAILED, WRONG_USAGE, Answer, Ctl

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow


@pytest.fixture
def ctl_alone(ctl_alone: Ctl) -> Ctl:
    """The program with one decoding process."""
    Path("comparimg.toml").write_text("[daemon]\nworkers = 1\n[web]\nport = 1\n")
    return ctl_alone


@pytest.fixture(scope="session")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of more than a megabyte, which is what the default asks for."""
    grain = np.random.default_rng(1).normal(0, 9, (1500, 2000, 1))
    levels = np.clip(np.asarray(photograph(1, 2000, 1500)) + grain, 0, 255).astype(np.uint8)
    file = save(Image.fromarray(levels), tmp_path_factory.mktemp("large") / "large.jpg", quality=96)
    assert file.stat().st_size > 2**20
    return file


@pytest.fixture
def photos(tmp_path: Path, large_file: Path) -> Path:
    """Pictures small and large, one of them in a folder below; above and below a megabyte, as the default asks."""
    folder = tmp_path / "photos"
    save(photograph(2, 100, 50), folder / "small.jpg", quality=90)
    (folder / "below").mkdir()
    shutil.copyfile(large_file, folder / "large.jpg")
    shutil.copyfile(large_file, folder / "below" / "LARGE.JPEG")
    (folder / "notes.txt").write_text("no picture")
    return folder


def states(answer: Answer) -> dict[str, str]:
    """What happened to each file, by its name."""
    return {Path(item["path"]).name: item["reason"] or item["state"] for item in answer.partly["items"]}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file a person sees, by its path below the folder, as its digest."""
    return {
        str(file.relative_to(folder)): digest(file.read_bytes())
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    }


def in_trash(folder: Path) -> list[bytes]:
    files = (folder / ".comparimg-trash").rglob("*") if (folder / ".comparimg-trash").exists() else ()
    return sorted(digest(file.read_bytes()) for file in files if file.is_file() and file.name != "manifest.jsonl")


def leftovers(folder: Path) -> list[str]:
    return [file.name for file in folder.rglob("*.part")]


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


# The original's command line


def test_a_folder_at_the_defaults(ctl_alone: Ctl, photos: Path) -> None:
    """What is above a megabyte is packed better, every pixel kept, next to its source; nothing else is touched."""
    before = contents(photos)
    answer = ctl_alone("compress", "-p", photos)
    assert answer.code == DONE, answer
    after = contents(photos)
    assert after.keys() - before.keys() == {"large_resize.jpg"}
    assert before.items() <= after.items()
    assert size_of(photos / "large_resize.jpg") == size_of(photos / "large.jpg")
    assert "1 file compressed" in answer.out
    assert "1 below the size threshold" in answer.out
    again = ctl_alone("compress", "-p", photos)
    assert (again.code, contents(photos)) == (DONE, after), "a second run does nothing"
    assert "1 already compressed" in again.out
    assert leftovers(photos) == []


def test_named_files_quality_resolution_threshold(ctl_alone: Ctl, photos: Path) -> None:
    files = photos / "large.jpg", photos / "small.jpg"
    answer = ctl_alone("compress", "-c", 70, "-x", "800x600", "-s", 0, *files, "--json")
    assert answer.code == DONE, answer
    assert states(answer) == {"large.jpg": "done", "small.jpg": "done"}
    assert size_of(photos / "large_resize.jpg") == (800, 600)
    assert size_of(photos / "small_resize.jpg") == (100, 50), "none is enlarged"
    assert not (photos / "below" / "LARGE_resize.JPEG").exists()


def test_folders_below_and_no_ratio(ctl_alone: Ctl, photos: Path) -> None:
    answer = ctl_alone("compress", "-p", photos, "-r", "-n", "-x", "640x640")
    assert answer.code == DONE, answer
    assert size_of(photos / "large_resize.jpg") == (640, 640)
    assert size_of(photos / "below" / "LARGE_resize.JPEG") == (640, 640)


def test_the_source_modified_and_brought_back(ctl_alone: Ctl, photos: Path) -> None:
    before = contents(photos)
    status = (photos / "large.jpg").stat()
    os.chmod(photos / "large.jpg", 0o640)
    answer = ctl_alone("compress", "-m", "-x", "1920x1080", photos / "large.jpg")
    assert answer.code == DONE, answer
    after = contents(photos)
    assert after.keys() == before.keys()
    assert size_of(photos / "large.jpg") == (1440, 1080)
    now = (photos / "large.jpg").stat()
    assert (now.st_mtime_ns, now.st_mode & 0o777) == (status.st_mtime_ns, 0o640)
    assert in_trash(photos) == [before["large.jpg"]]
    would = ctl_alone("undo", "--dry-run", "--json")
    assert [Path(step["path"]).name for step in would.json] == ["large.jpg"]
    back = ctl_alone("undo")
    assert back.code == DONE, back
    assert "No service answers" in back.err
    assert contents(photos) == before
    assert in_trash(photos) == [after["large.jpg"]], "the compressed one is not lost either"


def test_the_source_deleted_and_brought_back(ctl_alone: Ctl, photos: Path) -> None:
    before = contents(photos)
    answer = ctl_alone("compress", "-d", "-p", photos, "--json")
    assert answer.code == DONE, answer
    after = contents(photos)
    assert after.keys() == before.keys() - {"large.jpg"} | {"large_resize.jpg"}
    assert in_trash(photos) == [before["large.jpg"]]
    assert ctl_alone("undo", "--one-shot", answer.json["batch"]).code == DONE
    assert contents(photos) == before


@pytest.mark.slow
def test_other_formats(ctl_alone: Ctl, photos: Path) -> None:
    save(photograph(3, 700, 500), photos / "a.bmp")
    save(photograph(4, 700, 500), photos / "b.png", compress_level=0)
    answer = ctl_alone("compress", "-m", photos / "a.bmp", photos / "b.png", "-s", "0.5", "--json")
    assert answer.code == DONE, answer
    assert {"a.png", "b.png"} <= contents(photos).keys()
    assert "a.bmp" not in contents(photos)
    assert all(item["lossless"] for item in answer.json["items"])
    answer = ctl_alone("compress", photos / "b.png", "--format", "webp", "--target", "high", "-s", 0, "--json")
    assert answer.code == DONE, answer
    assert answer.json["items"][0]["score"] >= 70
    assert size_of(photos / "b_resize.webp") == (700, 500)


# What the original lost


def test_a_failed_encoding_leaves_the_source(ctl_alone: Ctl, photos: Path) -> None:
    whole = (photos / "large.jpg").read_bytes()
    (photos / "corrupt.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    before = contents(photos)
    answer = ctl_alone("compress", "-d", photos / "corrupt.jpg", "-s", 0)
    assert answer.code == FAILED
    assert "truncated" in answer.err
    assert contents(photos) == before
    assert in_trash(photos) == leftovers(photos) == []


@pytest.mark.parametrize("flag", ["-m", "-d"])
@pytest.mark.parametrize(("ending", "options"), [("png", {}), ("bmp", {}), ("webp", {"lossless": True, "method": 0})])
def test_what_is_behind_a_picture_stays_with_it(
    ctl_alone: Ctl, photos: Path, flag: str, ending: str, options: dict[str, Any]
) -> None:
    file = save(photograph(1, 200, 150), photos / f"with more.{ending}", **options)
    with file.open("ab") as more:
        more.write(b"a film of 100 bytes " * 5)
    before = contents(photos)
    answer = ctl_alone("compress", flag, "-x", "100x100", file, "-s", 0)
    assert answer.code == FAILED
    assert "100 bytes after the picture" in answer.err
    assert contents(photos) == before
    assert in_trash(photos) == leftovers(photos) == []


@pytest.mark.parametrize(("ending", "options"), [("png", {}), ("webp", {"lossless": True, "method": 0})])
def test_a_few_stray_bytes_are_copied(ctl_alone: Ctl, photos: Path, ending: str, options: dict[str, Any]) -> None:
    file = save(photograph(1, 200, 150), photos / f"with more.{ending}", **options)
    with file.open("ab") as more:
        more.write(b"stray bytes")
    answer = ctl_alone("compress", "-m", "-x", "100x100", file, "-s", 0)
    assert answer.code == DONE, answer
    assert size_of(file) == (100, 75)
    assert file.read_bytes().endswith(b"stray bytes")


def test_100x50_at_the_default_resolution_stays_100x50(ctl_alone: Ctl, photos: Path) -> None:
    answer = ctl_alone("compress", photos / "small.jpg", "-s", 0, "--least-gain", 0)
    assert answer.code == DONE, answer
    for file in photos.glob("small*.jpg"):
        assert size_of(file) == (100, 50)
    answer = ctl_alone("compress", photos / "small.jpg", "-s", 0, "--enlarge", "-c", 90)
    assert answer.code in (DONE, FAILED), "its name may be taken"


def test_outputs_of_one_name_overwrite_nothing(ctl_alone: Ctl, photos: Path) -> None:
    save(photograph(5, 600, 400), photos / "same.bmp")
    save(photograph(6, 600, 400), photos / "same.png", compress_level=0)
    save(photograph(7, 600, 400), photos / "taken.png", compress_level=0)
    (photos / "taken_resize.png").write_bytes(b"other file")
    before = contents(photos)
    answer = ctl_alone(
        "compress", *(photos / name for name in ("same.bmp", "same.png", "taken.png")), "-s", 0, "--json"
    )
    assert answer.code == FAILED, "that a name was taken is something to know"
    assert states(answer) == {"same.bmp": "done", "same.png": "done", "taken.png": "output_exists"}
    after = contents(photos)
    assert before.items() <= after.items()
    made = [photos / name for name in after.keys() - before.keys()]
    assert len(made) == 2
    shown = {Image.open(file).convert("RGB").tobytes() for file in made}
    assert shown == {photograph(seed, 600, 400).tobytes() for seed in (5, 6)}


# Safety, without a fault


def test_a_dry_run_measures_and_changes_nothing(ctl_alone: Ctl, photos: Path) -> None:
    before = contents(photos)
    answer = ctl_alone("compress", "-m", "-p", photos, "-r", "--dry-run", "--json")
    assert answer.code == DONE, answer
    assert answer.json["compressed"] == 2
    assert 0 < answer.json["bytes_after"] < answer.json["bytes_before"]
    assert contents(photos) == before
    assert in_trash(photos) == leftovers(photos) == []
    real = ctl_alone("compress", "-m", photos / "large.jpg", "--json")
    assert real.json["items"][0]["bytes_after"] == (photos / "large.jpg").stat().st_size
    measured = {Path(item["path"]).name: item["bytes_after"] for item in answer.partly["items"]}
    assert measured["large.jpg"] == (photos / "large.jpg").stat().st_size, "what was measured is what is made"


def test_protected_folders_are_refused(ctl_alone: Ctl, photos: Path, tmp_path: Path) -> None:
    with Path("comparimg.toml").open("a") as file:
        file.write(f'[[watch]]\npath = "{photos}"\nprotected = true\n')
    (tmp_path / "link").symlink_to(photos)
    before = contents(photos)
    for way in (photos, tmp_path / "link"):
        answer = ctl_alone("compress", "-m", way / "large.jpg", "--json")
        assert answer.code == FAILED
        assert states(answer) == {"large.jpg": "protected"}
    assert contents(photos) == before


def test_hard_links_and_links_are_left(ctl_alone: Ctl, photos: Path) -> None:
    os.link(photos / "large.jpg", photos / "other name.jpg")
    (photos / "link.jpg").symlink_to(photos / "below" / "LARGE.JPEG")
    before = contents(photos)
    answer = ctl_alone("compress", "-m", "-p", photos, "--json")
    assert answer.code == FAILED
    assert states(answer) == {"large.jpg": "hard_linked"}
    assert contents(photos) == before


def test_what_is_passed_over_is_reported(ctl_alone: Ctl, photos: Path) -> None:
    shutil.copyfile(photos / "large.jpg", photos / ".hidden.jpg")
    (photos / "link.jpg").symlink_to(photos / "large.jpg")
    for name in (".hidden.jpg", "link.jpg"):
        answer = ctl_alone("compress", photos / name, "--json")
        assert answer.code == FAILED
        assert [problem["reason"] for problem in answer.partly["problems"]] == ["passed_over"]
    assert not (photos / "link_resize.jpg").exists()


def test_names_that_are_no_text(ctl_alone: Ctl, tmp_path: Path) -> None:
    folder = tmp_path / unutf8("photos")
    file = save(photograph(1, 600, 400), folder / unutf8("ä\n.png"), compress_level=0)
    answer = ctl_alone("compress", "-m", file, "-s", 0)
    assert answer.code == DONE, answer
    assert os.listdir(os.fsencode(folder)) != []
    assert ctl_alone("undo").code == DONE


@pytest.mark.parametrize(
    "arguments",
    [(), ("-c", 0, "a.jpg"), ("-c", 101, "a.jpg"), ("-x", "800", "a.jpg"), ("-p", "/nothing/here"), ("nothing.jpg",),
     ("-s", -1, "a.jpg"), ("--format", "gif", "a.jpg"), ("--colours", 1, "a.jpg")],
)  # fmt: skip
def test_wrong_usage_is_reported(ctl_alone: Ctl, arguments: tuple[object, ...]) -> None:
    answer = ctl_alone("compress", *arguments)
    assert answer.code == WRONG_USAGE
    assert answer.err
    assert "Traceback" not in answer.err


def test_there_is_nothing_to_undo(ctl_alone: Ctl) -> None:
    answer = ctl_alone("undo", "--one-shot")
    assert answer.code == FAILED
    assert "nothing to undo" in answer.err


def test_a_trash_and_a_data_folder_are_not_searched(ctl_alone: Ctl, photos: Path, tmp_path: Path) -> None:
    data = photos / "state"
    for folder in (photos / ".comparimg-trash", data):
        shutil.copytree(photos / "below", folder)
        for options in (("-p", folder), (folder / "LARGE.JPEG",)):
            answer = ctl_alone("compress", *options, "--data-dir", data)
            assert answer.code == WRONG_USAGE
            assert "accepted: a folder outside it" in answer.err
    answer = ctl_alone("compress", "-p", photos, "-r", "--data-dir", data, "--json")
    assert {Path(item["path"]).parent for item in answer.json["items"]} == {photos, photos / "below"}
