"""comparimg-ctl: every command, its exit codes and its JSON, alone and with a service that runs in this process."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import ImageOps

from daemon.client import Client
from daemon.service import Service
from daemon.version import VERSION
from support.pictures import photograph, save, unutf8
from support.serving import config_over, until, write_config
from support.terminal import DONE, FAILED, NO_DAEMON, WRONG_USAGE, Ctl
from support.trashes import plant

PROGRAM = Path(sys.executable).with_name("comparimg-ctl")
COMMANDS = (
    "detect", "explain", "status", "groups", "group", "calibration", "problems", "verdicts", "scan", "run", "jobs",
    "job", "cancel",
    "not-duplicates", "revoke", "schedule", "config", "decide", "accept", "rules", "sort", "batches", "batch",
    "undo", "trash", "disks", "roots", "duplicates", "completion", "manual",
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over a pair, a pair with a name that is no UTF-8, and a file that is no picture; all is indexed."""
    folder = tmp_path_factory.mktemp("service")
    photos = folder / "photos"
    first = save(photograph(1), photos / "a.png")
    shutil.copyfile(first, photos / unutf8("ä.png"))
    second = save(photograph(2), photos / "two" / "c.jpg", quality=95)
    save(photograph(2).resize((320, 240)), second.with_name("d.jpg"))
    (photos / "text.jpg").write_bytes(b"no picture")
    with Service(config_over(folder, photos)) as started:
        ask = Client(started.address)
        until(lambda: len(list(ask.pages("groups"))) == 2 and next(ask.pages("jobs", 1))["state"] == "done")
        yield started


@pytest.fixture
def ask(ctl_alone: Ctl, service: Service) -> Ctl:
    """The program, with the address of the service."""
    return lambda *arguments: ctl_alone("--address", service.address, *arguments)


def pair_in(photos: Path) -> Path:
    first = save(photograph(3, 320, 240), photos / "a.png")
    shutil.copyfile(first, photos / unutf8("copy.png"))
    return photos


# Alone


def test_help_lists_every_command_and_version_is_shown(ctl_alone: Ctl) -> None:
    for flag in ("--help", "-h"):
        code, out, _ = ctl_alone(flag)
        assert code == DONE
        assert [name for name in COMMANDS if f"\n  {name} " not in out] == []
    assert VERSION in ctl_alone("--version").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(ctl_alone: Ctl, command: str) -> None:
    code, out, _ = ctl_alone(command, "--help")
    assert code == DONE
    assert f"comparimg-ctl {command}" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("detect",),
        ("detect", "nothing-here"),
        ("detect", ".", "--hsize", "15"),
        ("detect", ".", "--tolerance", "-1"),
        ("detect", ".", "--tolerance", "257"),
        ("detect", ".", "--depth", "deep"),
        ("explain", "nothing", "here"),
        ("run", "dance"),
        ("run", "detect", "-p", "hsize"),
        ("job", "first"),
        ("schedule", "add", "n", "detect", "every 6h", "-p", "{"),
        ("decide", "k", "1=burn"),
        ("decide", "k", "a=keep"),
        ("decide", "k", "1=keep", "--clear"),
        ("rules", "preview", "--keep", "/a"),
        ("trash", "empty", "--older-than", "-1"),
        ("--config", "nothing-here.toml", "config", "check"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_reported(ctl_alone: Ctl, arguments: tuple[str, ...]) -> None:
    code, out, err = ctl_alone(*arguments)
    assert code == WRONG_USAGE
    assert out == ""
    assert err.strip()
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",), ("groups",), ("group", "k"), ("problems",), ("verdicts",), ("scan",), ("run", "detect"),
        ("jobs",), ("job", "1"), ("cancel", "1"), ("not-duplicates", "k"), ("revoke", "b"), ("schedule", "list"),
        ("schedule", "add", "n", "detect", "every 6h"), ("schedule", "remove", "n"),
        ("config", "set", "detect.hsize", "8"), ("decide", "k", "1=keep"), ("accept",), ("rules", "preview"),
        ("rules", "apply"),
        ("rules", "list"), ("rules", "revoke", "1"), ("sort",), ("sort", "--dry-run"), ("batches",), ("batch", "1"),
        ("undo",), ("undo", "1"), ("trash", "list"), ("trash", "restore", "1"), ("trash", "empty", "--yes"),
        ("disks", "list"), ("disks", "forget", "1"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_without_a_daemon_it_is_3_and_reported(ctl_alone: Ctl, arguments: tuple[str, ...]) -> None:
    # Only root can listen at port 1, and nothing does.
    code, out, err = ctl_alone("--address", "http://127.0.0.1:1", *arguments, "--json")
    assert (code, out) == (NO_DAEMON, "")
    assert "No service answers at http://127.0.0.1:1" in err


def test_detect_writes_json_and_csv(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = pair_in(tmp_path / "photos")
    code, out, err = ctl_alone("detect", photos, "--json", "found.json", "--csv", "found.csv")
    assert code == DONE, err
    assert "2 files: 1 decoded, 1 recognised by their bytes, 0 unchanged." in out
    assert "1 group of duplicates (1 exact)" in out
    text = Path("found.json").read_bytes()
    paths = [image["path"] for image in json.loads(text)["groups"][0]["images"]]
    assert json.loads(text)["groups"][0]["proposal"]["path"] in paths
    assert {os.fsencode(path) for path in paths} == {os.fsencode(path) for path in photos.iterdir()}
    with open("found.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == paths
    assert "0 decoded, 0 recognised by their bytes, 2 unchanged." in ctl_alone("detect", photos).out
    assert ctl_alone("detect", photos, "--json", "-").out.encode() == text
    assert ctl_alone("detect", photos, "--quiet") == (DONE, "", "")
    assert sorted(path.name for path in Path().iterdir()) == ["found.csv", "found.json"]


def test_detect_does_what_its_options_say(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = pair_in(tmp_path / "photos")
    options = (
        "-s",
        "8",
        "-t",
        "3",
        "--no-turns",
        "--no-verify",
        "--method",
        "hash",
        "--json",
        "-",
        "--data-dir",
        tmp_path / "own",
    )
    parameters = ctl_alone("detect", photos, *options, "--data-dir", tmp_path / "own").json["parameters"]
    expected = {"algorithm": "phash", "hsize": 8, "tolerance": 3, "turns": False, "verify": False, "depth": "fast",
                "method": "hash"}  # fmt: skip
    assert parameters == expected
    assert list((tmp_path / "own").glob("*.sqlite*")) or list((tmp_path / "own").iterdir())
    assert not (tmp_path / "home").exists()


def test_detect_that_cannot_write_its_file_failed(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = pair_in(tmp_path / "photos")
    code, _, err = ctl_alone("detect", photos, "--json", tmp_path / "no" / "such" / "folder.json")
    assert code == FAILED
    assert "cannot be written" in err


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_detect_overwrites_nothing_but_an_earlier_result(ctl_alone: Ctl, tmp_path: Path, option: str) -> None:
    photos = pair_in(tmp_path / "photos")
    result = tmp_path / "result"
    for _ in range(2):
        assert ctl_alone("detect", photos, option, result).code == DONE
    picture = next(photos.iterdir())
    before = {path: path.read_bytes() for path in photos.iterdir()}
    code, _, err = ctl_alone("detect", photos, option, picture)
    assert code == WRONG_USAGE
    assert "is not overwritten" in err
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    assert ctl_alone("detect", photos, option, "/dev/null").code == DONE
    assert not Path("/dev/null").is_file()


def test_explain_reports_gate_by_gate(ctl_alone: Ctl, tmp_path: Path) -> None:
    first = save(photograph(4), tmp_path / "a.png")
    second = save(photograph(4).resize((320, 240)), tmp_path / "b.jpg", quality=80)
    other = save(photograph(5), tmp_path / "c.jpg")
    result = ctl_alone("explain", first, second, "--json").json
    assert result["verdict"] == "near"
    passed = {gate["name"]: gate["passed"] for gate in result["gates"]}
    assert {name for name in passed if not passed[name]} == {"bytes", "pixels"}
    assert ctl_alone("explain", first, other, "--json").json["verdict"] not in ("exact", "pixels", "near")
    assert ctl_alone("explain", first, first, "--json").json["verdict"] == "exact"
    assert ctl_alone("explain", first, second).out.startswith("near")


def test_explain_reports_parts_turned_files_and_the_one_that_is_broken(ctl_alone: Ctl, tmp_path: Path) -> None:
    first = str(save(photograph(1), tmp_path / "first.jpg"))
    bars = str(save(ImageOps.expand(photograph(1), (0, 90), "black"), tmp_path / "bars.jpg"))
    result = ctl_alone("explain", first, bars, "--json").json
    passed = {gate["name"]: gate["passed"] for gate in result["gates"]}
    assert (result["verdict"], passed["hash"], passed["part"]) == ("near", False, True)
    turned = str(save(photograph(1), tmp_path / "turned.jpg", orientation=6))
    result = ctl_alone("explain", first, turned, "--json").json
    assert (result["verdict"], result["turn"]) == ("near", "none")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(first).read_bytes()[:3000])
    failed = ctl_alone("explain", first, str(broken))
    assert failed.code == 2
    assert f"{broken} cannot be compared: truncated JPEG." in failed.err


def test_config_check_reports_every_problem_at_once(ctl_alone: Ctl, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    good = write_config(tmp_path, tmp_path / "photos")
    assert ctl_alone("config", "check", good, "--json").json == {"source": str(good), "problems": []}
    assert ctl_alone("--config", good, "config", "check").code == DONE
    bad = tmp_path / "bad.toml"
    bad.write_text("[daemon]\nworkers = -1\n[detect]\nhsise = 8\n")
    code, _, err = ctl_alone("config", "check", bad)
    assert code == WRONG_USAGE
    assert "daemon.workers" in err
    assert "hsise" in err


def test_config_show_needs_no_daemon(ctl_alone: Ctl, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[detect]\nhsize = 8\n[web]\nport = 1\n")
    rows = {row["key"]: row for row in ctl_alone("--config", file, "config", "show", "--json").json}
    assert (rows["detect.hsize"]["value"], rows["detect.hsize"]["origin"]) == (8, "file")
    assert rows["detect.turns"]["origin"] == "default"


# With a service


def test_status(ask: Ctl, service: Service) -> None:
    result = ask("status", "--json").json
    assert result["version"] == VERSION
    assert (result["totals"]["images"], result["totals"]["groups"], result["totals"]["problems"]) == (5, 2, 1)
    (root,) = result["roots"]
    assert root["state"] == "online"
    out = ask("status").out
    assert out.startswith(f"ComparImg {VERSION}, healthy\n5 images")
    assert "2 groups" in out


def test_groups_and_one_group(ask: Ctl) -> None:
    groups = ask("groups", "--json").json
    assert sorted(group["kind"] for group in groups) == ["exact", "near"]
    (near,) = ask("groups", "--kind", "near", "--json").json
    assert [group["id"] for group in ask("groups", "--path", "two/", "--json").json] == [near["id"]]
    assert len(ask("groups", "--limit", "1", "--json").json) == 1
    result = ask("group", near["id"], "--json").json
    assert [Path(image["path"]).name for image in result["images"]["items"]] == ["c.jpg", "d.jpg"]
    out = ask("groups").out
    assert near["id"] in out
    assert "c.jpg" in out
    out = ask("group", near["id"]).out
    assert "reference" in out
    assert "320x240" in out
    assert "Proposed to be kept by original 0." in out
    assert "c.jpg, compared with " in out
    assert f"Weakest match: {result['images']['items'][1]['path']}, near" in out


def test_a_name_that_is_no_utf8_is_shown(ask: Ctl) -> None:
    (exact,) = ask("groups", "--kind", "exact", "--json").json
    result = ask("group", exact["id"], "--json").json
    shown = "ä\N{REPLACEMENT CHARACTER}.png"
    assert {Path(image["path"]).name for image in result["images"]["items"]} == {"a.png", shown}
    assert shown in ask("group", exact["id"]).out


def test_problems(ask: Ctl) -> None:
    (problem,) = ask("problems", "--json").json
    assert problem["path"].endswith("/text.jpg")
    assert "not an image" in ask("problems").out


def test_scan_run_jobs_and_job(ask: Ctl) -> None:
    scan = ask("scan", "--wait", "--json").json
    assert (scan["state"], scan["origin"]) == ("done", "user")
    assert (scan["outcome"]["files"], scan["outcome"]["read"]) == (5, 0)
    detect = ask("run", "detect", "-p", "hsize=16", "-p", "turns=true", "--wait", "--json").json
    assert (detect["state"], detect["outcome"]) == ("done", {"groups": 2})
    assert detect["parameters"] == {"hsize": 16, "turns": True}
    assert ask("jobs", "--limit", "1", "--json").json[0]["id"] == detect["id"]
    assert {job["state"] for job in ask("jobs", "--state", "done", "--json").json} == {"done"}
    assert ask("jobs", "--state", "failed", "--json").json == []
    assert ask("job", detect["id"], "--json").json == detect
    assert ask("job", detect["id"], "--wait").out.startswith(f"job {detect['id']}: detect, done")
    assert str(detect["id"]) in ask("jobs").out


def test_a_scan_of_a_folder_that_is_not_watched_is_not_done(ask: Ctl, tmp_path: Path) -> None:
    code, _, err = ask("scan", tmp_path, "--wait")
    assert code in (FAILED, WRONG_USAGE)
    assert err.startswith("comparimg-ctl: ")


def test_wrong_parameters_are_2_with_the_daemons_words(ask: Ctl) -> None:
    for given in ("hsise=8", "hsize=large"):
        code, out, err = ask("run", "detect", "-p", given)
        assert (code, out) == (WRONG_USAGE, "")
        assert err.startswith("comparimg-ctl: ")
    assert ask("groups", "--kind", "same").code == WRONG_USAGE
    assert ask("jobs", "--state", "happy").code == WRONG_USAGE


def test_what_is_not_there_is_1(ask: Ctl) -> None:
    for arguments in (
        ("group", "0123456789abcdef"), ("job", "99999"), ("cancel", "99999"), ("not-duplicates", "0123456789abcdef"),
        ("schedule", "remove", "nothing"), ("revoke", "nothing"),
    ):  # fmt: skip
        code, out, err = ask(*arguments)
        assert (arguments, code, out) == (arguments, FAILED, "")
        assert err.startswith("comparimg-ctl: ")


def test_cancel(ask: Ctl) -> None:
    """A job that ended before it was cancelled stays as it is; one that did not is cancelled."""
    job = ask("run", "detect", "-p", "hsize=32", "--json").json
    code, _, err = ask("cancel", job["id"])
    ended = ask("job", job["id"], "--wait", "--json").json
    assert ended["state"] in ("cancelled", "done")
    assert code == DONE or ended["state"] == "done", err
    assert ask("run", "detect", "--wait", "--json").json["state"] == "done"


def test_schedules(ask: Ctl) -> None:
    added = ask("schedule", "add", "night", "detect", "0 3 * * *", "-p", '{"hsize": 8}', "--json").json
    assert (added["name"], added["kind"], added["parameters"]) == ("night", "detect", {"hsize": 8})
    assert [schedule["name"] for schedule in ask("schedule", "list", "--json").json] == ["night"]
    assert "0 3 * * *" in ask("schedule", "list").out
    assert ask("schedule", "add", "bad", "detect", "0 3 * *").code == WRONG_USAGE
    assert ask("schedule", "remove", "night").out == "The schedule night is removed.\n"
    assert ask("schedule", "list").out == "none\n"


def test_settings_are_changed_and_go_back(ask: Ctl) -> None:
    assert ask("config", "set", "detect.hsize", "8").out == "detect.hsize = 8 (override)\n"
    try:
        rows = {row["key"]: row for row in ask("config", "show", "--json").json}
        assert (rows["detect.hsize"]["value"], rows["detect.hsize"]["origin"]) == (8, "override")
        assert rows["detect.tolerance"]["value"] == 20
    finally:
        back = ask("config", "set", "detect.hsize", "default", "--json").json
    assert (back["value"], back["origin"]) == (16, "default")
    assert ask("config", "set", "detect.hsize", "9").code == WRONG_USAGE
    assert ask("config", "set", "detect.hsise", "8").code == WRONG_USAGE


def test_not_duplicates_is_remembered_and_revoked(ask: Ctl) -> None:
    (near,) = ask("groups", "--kind", "near", "--json").json
    result = ask("not-duplicates", near["id"], "--note", "both wanted", "--json").json
    assert result["pairs"] == 1
    until(lambda: ask("groups", "--kind", "near", "--json").json == [])
    (verdict,) = ask("verdicts", "--json").json
    assert (verdict["batch"], verdict["note"], verdict["label"]) == (result["batch"], "both wanted", "not_duplicates")
    assert "c.jpg" in ask("verdicts").out
    # What was denied stays denied whatever is detected after.
    assert ask("run", "detect", "--wait", "--json").json["outcome"] == {"groups": 1}
    assert ask("revoke", result["batch"]).out == "Revoked for 1 pair.\n"
    until(lambda: [group["id"] for group in ask("groups", "--kind", "near", "--json").json] == [near["id"]])
    # The same of two files by their paths, wherever they are.
    first, second = (image["path"] for image in near["images"]["items"])
    result = ask("not-duplicates", first, second, "--alternates", "--json").json
    until(lambda: ask("groups", "--kind", "near", "--json").json == [])
    assert ask("verdicts", "--json").json[0]["label"] == "alternates"
    assert ask("not-duplicates", first, "/no/such.jpg").code == FAILED
    assert ask("revoke", result["batch"], "--json").json["pairs"] == 1
    until(lambda: [group["id"] for group in ask("groups", "--kind", "near", "--json").json] == [near["id"]])
    assert ask("verdicts", "--json").json == []


# Deciding and sorting


@pytest.fixture
def sorting(ctl_alone: Ctl, tmp_path: Path) -> Iterator[tuple[Ctl, Path]]:
    """The program and the photos of a service of its own, with one pair of equal files."""
    first = save(photograph(6, 320, 240), tmp_path / "photos" / "a.png")
    shutil.copyfile(first, first.parent / "copy of a.png")
    for path in first.parent.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    with Service(config_over(tmp_path, first.parent)) as started:
        until(lambda: len(list(Client(started.address).pages("groups"))) == 1)
        yield (lambda *arguments: ctl_alone("--address", started.address, *arguments)), first.parent


def test_decide_sort_undo_and_the_trash(sorting: tuple[Ctl, Path]) -> None:
    ask, photos = sorting
    copy = photos / "copy of a.png"
    (group,) = ask("groups", "--json").json
    images = {Path(image["path"]).name: image["id"] for image in group["images"]["items"]}
    decided = ask("decide", group["id"], f"{images['a.png']}=keep", f"{images[copy.name]}=trash", "--json").json
    assert decided["decided"] == "fully"
    assert "trash" in ask("decide", group["id"]).out
    assert ask("decide", group["id"], f"{images['a.png']}=trash").code == FAILED, "no image would stay"
    plan = ask("sort", "--dry-run")
    assert (plan.code, copy.exists()) == (DONE, True)
    assert str(copy) in plan.out
    result = ask("sort", "--wait", "--json").json
    assert (result["state"], result["outcome"]["trash"], copy.exists()) == ("done", 1, False)
    (item,) = ask("trash", "list", "--json").json
    assert item["path"] == str(copy)
    assert f"would be restored to {copy}" in ask("trash", "restore", item["id"], "--dry-run").out
    assert ask("trash", "empty", "--dry-run", "--json").json == {
        "items": 0, "bytes": 0, "spared": 0, "last_copies": 0,
    }  # fmt: skip
    assert "1 done" in ask("batches").out
    assert str(copy) in ask("batch", result["outcome"]["batch"]).out
    assert str(copy) in ask("undo", "--dry-run").out
    assert not copy.exists()
    assert ask("undo", "--wait", "--json").json["outcome"]["restored"] == 1
    assert copy.exists()
    assert ask("undo").code == FAILED, "there is nothing left to undo"


def test_a_place_of_a_manifest_is_asked_about(sorting: tuple[Ctl, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    ask, photos = sorting
    plant(photos, "b/1-x.txt", **{"from": "/media/stick/x.txt", "path": "sub/x.txt"})
    ask("scan", "--wait")
    (item,) = ask("trash", "list", "--json").json
    assert "sub/x.txt, after confirmation" in ask("trash", "restore", item["id"], "--dry-run").out
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    answer = ask("trash", "restore", item["id"], "--wait")
    assert (answer.code, str(photos / "sub" / "x.txt") in answer.err) == (FAILED, True)
    assert not (photos / "sub").exists()
    assert ask("trash", "restore", item["id"], "--yes", "--wait", "--json").json["outcome"]["restored"] == 1
    assert (photos / "sub" / "x.txt").exists()
    assert ask("trash", "restore", item["id"]).code == FAILED, "it is no longer in the trash"


def test_proposals_are_accepted_at_once(sorting: tuple[Ctl, Path]) -> None:
    ask, _ = sorting
    (group,) = ask("groups", "--json").json
    assert ask("accept", "--dry-run").out.startswith("Would decide 1 group: 1 image to the trash")
    assert ask("accept", "--dry-run", "--kind", "near", "--json").json["groups"] == 0
    order = ask("accept", group["id"], "--json").json["order"]
    assert ask("accept").out.startswith("Decided 0 groups")
    assert "accept" in ask("rules", "list").out
    assert ask("rules", "revoke", order).out == "Revoked 2 decisions.\n"
    assert "To revoke this: " in ask("accept", "--keep-all").out


def test_rules_and_emptying(sorting: tuple[Ctl, Path]) -> None:
    ask, photos = sorting
    # Of equal bytes any may stay.
    assert ask("rules", "preview", "--json").json["undecided_ties"] == 0
    preview = ask("rules", "preview", "--ties", "decide")
    assert preview.out.startswith("Would decide 1 group: 1 image")
    assert "by path: 1" in preview.out
    order = ask("rules", "apply", "--ties", "decide", "--json").json["order"]
    assert [run["id"] for run in ask("rules", "list", "--json").json] == [order]
    assert ask("rules", "revoke", order).out == "Revoked 2 decisions.\n"
    assert ask("sort", "--wait", "--json").json["outcome"]["trash"] == 0
    assert ask("rules", "preview", "--choice", "move", "--to", "nowhere").code == WRONG_USAGE
    assert ask("rules", "apply", "--ties", "decide").code == DONE
    ask("sort", "--wait")
    assert [path.name for path in photos.glob("*.png")] == ["a.png"]
    (item,) = ask("trash", "list", "--json").json
    assert ask("trash", "empty", "--older-than", "0", "--yes", "--wait", "--json").json["outcome"]["deleted"] == 1
    assert not Path(item["place"]).exists()
    assert ask("trash", "list").out == "none\n"


# The program itself


def run_program(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, timeout=60, check=False)


def test_the_program_on_the_path() -> None:
    ended = run_program("--help")
    assert ended.returncode == DONE
    assert b"\n  detect " in ended.stdout
    assert run_program("--address", "http://127.0.0.1:1", "status").returncode == NO_DAEMON


def test_a_name_that_is_no_utf8_goes_to_a_strict_output_too(tmp_path: Path) -> None:
    """As standard output is in every locale but C."""
    photos = pair_in(tmp_path / "photos")
    ended = run_program(
        "detect", photos, "--csv", "-", "--data-dir", tmp_path / "data", PYTHONIOENCODING="utf-8:strict"
    )
    assert ended.returncode == DONE, ended.stderr.decode()
    text = io.StringIO(ended.stdout.decode("utf-8", "surrogateescape"), newline="")
    assert {os.fsencode(row["path"]) for row in csv.DictReader(text)} == {
        os.fsencode(path) for path in photos.iterdir()
    }


def test_an_empty_list_of_duplicates_says_how_to_get_the_others(ctl_alone: Ctl, tmp_path: Path) -> None:
    save(photograph(2), tmp_path / "photos" / "c.jpg", quality=95)
    save(photograph(2).resize((320, 240)), tmp_path / "photos" / "d.jpg")
    with Service(config_over(tmp_path, tmp_path / "photos")) as started:
        until(lambda: len(list(Client(started.address).pages("groups"))) == 1)
        address = ("--address", started.address, "duplicates")
        code, out, err = ctl_alone(*address)
        assert (code, out) == (DONE, "")
        assert "--kind near" in err
        assert len(ctl_alone(*address, "--kind", "near").out.splitlines()) == 2
        assert ctl_alone(*address, "--kind", "exact").err == ""


def test_duplicates_are_printed_for_other_programs(ask: Ctl, service: Service, tmp_path: Path) -> None:
    def printed(*arguments: str) -> str:
        # As bytes: a name that is no UTF-8 is printed as it is.
        command = [PROGRAM, "--address", service.address, "duplicates", *arguments]
        return os.fsdecode(subprocess.run(command, capture_output=True, check=True, cwd=tmp_path).stdout)

    assert [os.path.basename(path) for path in printed().splitlines()] == ["a.png", unutf8("ä.png")]
    both = printed("--kind", "exact", "--kind", "near")
    assert [len(group.splitlines()) for group in both.split("\n\n")] == [2, 2]
    rows = list(csv.DictReader(io.StringIO(printed("--format", "csv"))))
    assert {row["kind"] for row in rows} == {"", "exact", "near"}
    assert json.loads(printed("--format", "json")) == Client(service.address).get("duplicates")
    assert ask("duplicates", "--kind", "alike").code == WRONG_USAGE
    assert ask("--address", "http://127.0.0.1:9", "duplicates").code == NO_DAEMON


@pytest.mark.parametrize("command", ["--version", "status", "groups", "jobs"])
def test_a_command_that_asks_the_service_loads_no_library_for_pictures(command: str) -> None:
    """Scripts call such commands often, and these libraries take several times as long as all else."""
    asked = (
        "import sys; from daemon.ctl.main import register_all, run; register_all();"
        " run(['--address', 'http://127.0.0.1:9', sys.argv[1]]);"
        " print(sorted({'numpy', 'cv2', 'PIL', 'peewee', 'apscheduler', 'onnxruntime'} & set(sys.modules)))"
    )
    called = subprocess.run([sys.executable, "-c", asked, command], capture_output=True, timeout=60, check=True)
    assert called.stdout.splitlines()[-1] == b"[]"
