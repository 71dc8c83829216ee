"""Detection without a daemon: the result file, its bytes, its names and what a second run reads."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import ImageOps

from daemon.configuration.config import parse_text
from daemon.ctl import oneshot
from daemon.ctl.oneshot import OneShot
from daemon.jobs.progress import NullProgress
from daemon.processes.fork_server import ForkServer
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.queries import result_file
from index.database.records.jobs import DetectJobParameters
from index.errors import UsageError
from index.model import Method
from support.pictures import photograph, save, unutf8

# Each of them starts the program, or waits for what it does.
pytestmark = pytest.mark.slow

PARAMETERS = {
    "algorithm": "phash",
    "hsize": 16,
    "tolerance": 80,
    "turns": True,
    "verify": True,
    "depth": "fast",
    "method": "hash",
}


def detect(data_dir: Path, *folders: Path, **wanted: object) -> OneShot:
    parameters = DetectJobParameters(**{"method": Method.HASH} | wanted)  # type: ignore[arg-type]
    return oneshot.detect(folders, parameters, data_dir, NullProgress())


def as_json(detected: OneShot) -> str:
    text = io.StringIO()
    result_file.write_json(detected.result, text)
    return text.getvalue()


def timeless(detected: OneShot) -> str:
    return as_json(OneShot(detected.result | {"created": ""}, detected.scan))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair with a name that is no UTF-8, a mirrored copy, an exact one, a broken file and one that is no picture."""
    made = tmp_path_factory.mktemp("pictures")
    first = save(photograph(1), made / "a.png")
    shutil.copyfile(first, made / unutf8("ä copy.png"))
    mirrored = photograph(1).transpose(0).resize((320, 240))
    save(mirrored, made / "sub" / "mirrored, small.jpg", quality=90)
    save(photograph(2), made / "alone.jpg")
    whole = save(photograph(3), made / "broken.jpg").read_bytes()
    (made / "broken.jpg").write_bytes(whole[: len(whole) // 3])
    (made / "text.jpg").write_bytes(b"no picture at all")
    return made


@pytest.fixture(scope="module")
def detected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OneShot:
    return detect(tmp_path_factory.mktemp("data"), folder)


def test_the_processes_are_those_of_the_configuration(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[int, WorkerLimits]] = []

    class Pool(WorkerPool):
        def __init__(self, count: int, limits: WorkerLimits, forks: ForkServer | None) -> None:
            started.append((count, limits))
            super().__init__(count, limits, forks)

    monkeypatch.setattr(oneshot, "WorkerPool", Pool)
    text = "[daemon]\nworkers = 3\nmemory_mb = 1500\ntime_limit_s = 40\n"
    config = parse_text(text, tmp_path / "comparimg.toml", {})
    oneshot.detect([folder], DetectJobParameters(method=Method.HASH), tmp_path / "data", NullProgress(), config)
    assert set(started) == {(3, WorkerLimits(40.0, 1500 * 2**20))}


def test_the_result_has_the_format_that_is_promised(detected: OneShot, folder: Path) -> None:
    result = json.loads(as_json(detected))
    assert list(result) == ["format", "created", "parameters", "groups", "problems", "skipped"]
    assert result["format"] == "comparimg/1"
    assert result["parameters"] == PARAMETERS
    (group,) = result["groups"]
    assert set(group) == {"id", "kind", "images", "proposal", "scene"}
    assert group["kind"] == "near"
    common = {
        "path", "reference", "bytes", "width", "height", "digest", "hash",
        "attachments", "bit_depth", "damage", "frames", "taken", "description",
    }  # fmt: skip
    first, *others = group["images"]
    assert set(first) == common
    assert [image["reference"] for image in group["images"]] == [True, False, False]
    for image in others:
        assert common | {"kind", "distance", "turn", "evidence"} <= set(image)
    for image in group["images"]:
        assert image["bytes"] == os.stat(image["path"]).st_size
        assert len(bytes.fromhex(image["digest"])) == 32
        assert len(bytes.fromhex(image["hash"])) == 32
    by_name = {os.path.basename(image["path"]): image for image in group["images"]}
    mirrored = by_name["mirrored, small.jpg"]
    assert (mirrored["kind"], mirrored["turn"]) == ("near", "flip_horizontal")
    assert (mirrored["width"], mirrored["height"]) == (320, 240)
    assert mirrored["evidence"]["scale"] == pytest.approx(0.5, abs=0.01)
    assert set(mirrored["sentence"]) == {"en", "fr"}
    (exact,) = [image for image in others if image["kind"] == "exact"]
    assert (exact["distance"], exact["turn"], exact["digest"]) == (0, "none", first["digest"])
    assert all(image["path"].startswith(f"{folder}/") for image in group["images"])


def test_the_problems_are_reported_by_reason(detected: OneShot, folder: Path) -> None:
    problems = {os.path.relpath(problem["path"], folder): problem for problem in detected.result["problems"]}
    assert sorted(problems) == ["broken.jpg", "text.jpg"]
    assert all(problem["reason"] and problem["message"] for problem in problems.values())
    assert problems["broken.jpg"]["reason"] != problems["text.jpg"]["reason"]


def test_a_name_that_is_no_utf8_comes_back_from_json(detected: OneShot, folder: Path) -> None:
    text = as_json(detected)
    assert text.isascii()
    paths = [image["path"] for image in json.loads(text)["groups"][0]["images"]]
    assert {os.fsencode(path) for path in paths} == {
        os.fsencode(folder / name) for name in ("a.png", unutf8("ä copy.png"), "sub/mirrored, small.jpg")
    }
    assert all(os.path.exists(path) for path in paths)


def test_a_second_run_reads_nothing_and_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = detect(tmp_path, folder)
    assert first.scan["read"] > 0
    second = detect(tmp_path, folder)
    assert as_json(second) == as_json(first)
    assert (second.scan["read"], second.scan["known"]) == (0, 0)


def test_another_index_gives_the_same_but_for_its_time(detected: OneShot, folder: Path, tmp_path: Path) -> None:
    assert timeless(detect(tmp_path, folder)) == timeless(detected)


def test_other_parameters_and_back_give_the_same_and_read_nothing(
    detected: OneShot, folder: Path, tmp_path: Path
) -> None:
    detect(tmp_path, folder)
    without = detect(tmp_path, folder, turns=False)
    assert without.scan["read"] == 0
    assert len(without.result["groups"][0]["images"]) == 2
    assert without.result["parameters"] == PARAMETERS | {"turns": False}
    assert timeless(detect(tmp_path, folder)) == timeless(detected)
    eight = detect(tmp_path, folder, hsize=8).result
    assert eight["parameters"] == PARAMETERS | {"hsize": 8, "tolerance": 20}
    assert all(len(image["hash"]) == 16 for image in eight["groups"][0]["images"])


def test_a_run_on_another_folder_reports_that_folder_only(folder: Path, tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    save(photograph(5), other / "a.png")
    shutil.copyfile(other / "a.png", other / "b.png")
    shutil.copyfile(folder / "a.png", other / "as in the first.png")
    first = detect(data, folder)
    second = detect(data, other).result
    assert [len(group["images"]) for group in second["groups"]] == [2]
    assert {os.path.dirname(image["path"]) for image in second["groups"][0]["images"]} == {str(other)}
    assert second["problems"] == []
    both = detect(data, folder, other).result
    assert sorted(len(group["images"]) for group in both["groups"]) == [2, 4]
    assert timeless(detect(data, folder)) == timeless(first)


def test_what_changed_since_is_reported(tmp_path: Path) -> None:
    pictures, data = tmp_path / "pictures", tmp_path / "data"
    first = save(photograph(1), pictures / "a.png")
    assert detect(data, pictures).result["groups"] == []
    shutil.copyfile(first, pictures / "b.png")
    assert len(detect(data, pictures).result["groups"]) == 1
    first.unlink()
    assert detect(data, pictures).result["groups"] == []


def test_a_folder_named_twice_is_one(folder: Path, detected: OneShot, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    again = detect(tmp_path / "data", folder, tmp_path / "link", folder / "sub" / "..")
    assert timeless(again) == timeless(detected)


def test_what_is_no_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    for wrong in (folder / "a.png", folder / "nothing here"):
        with pytest.raises(UsageError, match="is not a folder"):
            detect(tmp_path, wrong)


def test_an_empty_folder_has_no_groups(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = detect(tmp_path / "data", tmp_path / "empty").result
    assert (result["groups"], result["problems"], result["format"]) == ([], [], "comparimg/1")


def test_a_file_is_never_touched(tmp_path: Path) -> None:
    first = save(photograph(6), tmp_path / "pictures" / "a.png")
    shutil.copy2(first, tmp_path / "pictures" / "b.png")
    before = [(entry.name, entry.stat().st_mtime_ns, entry.stat().st_ino) for entry in os.scandir(first.parent)]
    detect(tmp_path / "data", first.parent)
    assert [(e.name, e.stat().st_mtime_ns, e.stat().st_ino) for e in os.scandir(first.parent)] == before


def test_the_csv_has_a_row_for_each_image(detected: OneShot) -> None:
    text = io.StringIO(newline="")
    result_file.write_csv(detected.result, text)
    header, *rows = csv.reader(io.StringIO(text.getvalue(), newline=""))
    assert header[:5] == ["group", "group_kind", "path", "reference", "kind"]
    images = detected.result["groups"][0]["images"]
    assert [row[2] for row in rows] == [image["path"] for image in images]
    assert all(len(row) == len(header) for row in rows)


def test_framed_and_slightly_cropped_copies_are_found_without_local_features(tmp_path: Path) -> None:
    picture = photograph(8)
    save(picture, tmp_path / "photos" / "original.png")
    save(ImageOps.expand(picture, (0, 90), "black"), tmp_path / "photos" / "bars.png")
    save(picture.crop((40, 20, 610, 450)), tmp_path / "photos" / "crop.png")
    save(photograph(9), tmp_path / "photos" / "another.png")
    verified = json.loads(as_json(detect(tmp_path / "data", tmp_path / "photos")))
    (group,) = verified["groups"]
    assert {os.path.basename(image["path"]) for image in group["images"]} == {"original.png", "bars.png", "crop.png"}
    assert max(image.get("distance", 0) for image in group["images"]) > 80
    by_hash = json.loads(as_json(detect(tmp_path / "data", tmp_path / "photos", verify=False)))
    assert by_hash["groups"] == []


def test_a_trash_and_a_data_folder_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "photos/.comparimg-trash/x").mkdir(parents=True)
    (tmp_path / "data/views").mkdir(parents=True)
    for name in ("photos/.comparimg-trash", "photos/.comparimg-trash/x", "data", "data/views"):
        with pytest.raises(UsageError, match="is in"):
            detect(tmp_path / "data", tmp_path / name)


def test_a_data_folder_inside_the_folder_is_passed_over(tmp_path: Path) -> None:
    save(photograph(1), tmp_path / "photos/a.png")
    save(photograph(2), tmp_path / "photos/data[1]/views/ab/b.png")
    save(photograph(3), tmp_path / "photos/sub/data[1]/c.png")
    detected = detect(tmp_path / "photos/data[1]", tmp_path / "photos")
    assert detected.scan["files"] == 2
