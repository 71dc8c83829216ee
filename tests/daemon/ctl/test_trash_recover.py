"""comparimg-ctl trash recover: files come back by the manifests alone, whatever names have and whatever lines say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.terminal import DONE, FAILED, WRONG_USAGE, Ctl
from support.trashes import NAME, Keeper, plant, write_line


def test_files_are_listed_and_nothing_is_changed_until_it_is_asked_for(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    odd = os.fsdecode(b"odd \xff\n name.jpg")
    file = plant(photos, f"b/1-{odd}", **{"from": str(photos / "a" / odd)})
    before = (photos / NAME / "manifest.jsonl").read_bytes()
    for arguments in ((), ("--dry-run",), ("--check",), ("--json",)):
        assert ctl_alone("trash", "recover", tmp_path, *arguments).code == DONE
    assert file.exists()
    assert (photos / NAME / "manifest.jsonl").read_bytes() == before
    (listed,) = ctl_alone("trash", "recover", photos / NAME, "--check", "--json").json["files"]
    assert (listed["to"], listed["content"], listed["restored"]) == (str(photos / "a" / odd), "same", False)
    result = ctl_alone("trash", "recover", tmp_path, "--restore", "--json").json
    assert result["files"][0]["restored"]
    assert (photos / "a" / odd).read_bytes() == b"data"
    assert not file.exists()
    assert ctl_alone("trash", "recover", tmp_path, "--restore", "--json").json["files"] == []


def test_no_line_leads_out_of_the_folder_that_holds_the_trash(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos, outside = tmp_path / "photos", tmp_path / "home" / ".config"
    outside.mkdir(parents=True)
    plant(photos, "b/1-x.jpg", mode=0o4755, **{"from": str(outside / "x.desktop")})
    plant(photos, "b/2-y.jpg", **{"from": f"{photos}/../home/y"})
    plant(photos, "b/3-z.jpg", **{"from": "/media/stick/2020/z.jpg", "path": "2020/z.jpg"})
    (photos / "link").symlink_to(outside)
    plant(photos, "b/4-l.jpg", **{"from": str(photos / "link" / "l.jpg")})
    answer = ctl_alone("trash", "recover", tmp_path, "--restore", "--json")
    assert answer.code == FAILED, "that by the link could not be restored"
    targets = {Path(file["file"]).name: file["to"] for file in answer.partly["files"] if file["restored"]}
    assert targets == {"1-x.jpg": str(photos / "x.jpg"), "3-z.jpg": str(photos / "2020" / "z.jpg")}
    assert answer.partly["not_listed"] == 1, "a line with a path that cannot be is none"
    assert (photos / "x.jpg").stat().st_mode & 0o7111 == 0
    assert list(outside.iterdir()) == []


def test_nothing_is_overwritten_and_other_bytes_are_reported(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    plant(photos, "b/1-x.jpg", b"theirs", blake3="00" * 32)
    (photos / "x.jpg").write_bytes(b"mine")
    answer = ctl_alone("trash", "recover", photos, "--restore")
    assert answer.code == FAILED
    assert "not those recorded" in answer.out
    assert (photos / "x.jpg").read_bytes() == b"mine"
    assert (photos / "x (restored).jpg").read_bytes() == b"theirs"


def test_companions_follow_an_image_that_comes_back_beside_a_newer_one(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    names = ("x.jpg", "x.jpg.xmp", "x.xmp", "x.CR2", "x.CR2.xmp", "y.jpg", "y.xmp")
    for number, name in enumerate(names):
        plant(photos, f"b/{number}-{name}", name.encode(), **{"from": str(photos / name)})
    (photos / "x.jpg").write_bytes(b"newer")
    ctl_alone("trash", "recover", photos, "--restore")
    assert {path.name: path.read_bytes().decode() for path in photos.iterdir() if path.is_file()} == {
        "x.jpg": "newer", "y.jpg": "y.jpg", "y.xmp": "y.xmp",
        **{name.replace("x.", "x (restored).", 1): name for name in names if name.startswith("x.")},
    }  # fmt: skip


def test_a_file_that_cannot_be_restored_keeps_no_other_back(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    plant(photos, "b/1-tool", mode=0o755, **{"from": str(photos / "tool")})
    os.link(photos / NAME / "b" / "1-tool", tmp_path / "its other name")
    plant(photos, "b/2-in-the-way.jpg", **{"from": str(photos / "file" / "x.jpg")})
    (photos / "file").write_bytes(b"a file where a folder was")
    plant(photos, "b/3-good.jpg", **{"from": str(photos / "good.jpg")})
    answer = ctl_alone("trash", "recover", photos, "--restore", "--quiet")
    assert answer.code == FAILED
    assert answer.out.count("not restored") == 2
    assert (photos / "good.jpg").exists()
    assert (tmp_path / "its other name").stat().st_mode & 0o111


def test_what_is_protected_and_the_data_folder_are_not_restored_into(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    config = tmp_path / "comparimg.toml"
    config.write_text(f'''[daemon]
data_dir = "{photos / "data"}"
[[watch]]
path = "{photos}"
exclude = ["data"]
[[watch]]
path = "{photos / "kept"}"
protected = true
''')
    for name in ("kept", "data"):
        (photos / name).mkdir(parents=True)
        plant(photos, f"b/1-{name}.jpg", **{"from": str(photos / name / "x.jpg")})
    answer = ctl_alone("--config", config, "trash", "recover", photos, "--restore", "--json")
    assert sorted(file["message"] for file in answer.partly["files"]) == [
        "its folder is protected", "its place is in the data folder",
    ]  # fmt: skip
    assert [list((photos / name).iterdir()) for name in ("kept", "data")] == [[], []]
    config.write_text("[[watch]")
    answer = ctl_alone("--config", config, "trash", "recover", photos, "--restore")
    assert answer.code == WRONG_USAGE, "it is not known what is protected"


def test_it_is_refused_while_a_service_holds_the_index(ctl_alone: Ctl, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    plant(photos, "b/1-x.jpg")
    config = tmp_path / "comparimg.toml"
    config.write_text(f'[daemon]\ndata_dir = "{tmp_path / "data"}"\n[[watch]]\npath = "{photos}"\n')
    arguments = ("--config", config, "trash", "recover")
    hold = (
        "import sys; from pathlib import Path; from index.database.store import Store;"
        " Store(Path(sys.argv[1])); print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", hold, tmp_path / "data"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as service:  # fmt: skip
        assert service.stdout is not None
        service.stdout.readline()
        answer = ctl_alone(*arguments, photos, "--restore")
        assert (answer.code, "service is running" in answer.err) == (FAILED, True)
        assert ctl_alone(*arguments, photos).code == DONE, "listing does no harm"
        (tmp_path / "elsewhere").mkdir()
        plant(tmp_path / "elsewhere", "b/1-x.jpg")
        assert ctl_alone(*arguments, tmp_path / "elsewhere", "--restore").code == DONE
        service.kill()
    assert ctl_alone(*arguments, photos, "--restore").code == DONE
    assert (photos / "x.jpg").exists()


def test_a_tree_of_many_trashes_is_searched_and_no_link_followed(ctl_alone: Ctl, tmp_path: Path) -> None:
    for name in ("a", "a/b/c", "d"):
        plant(tmp_path / "tree" / name, "b/1-x.jpg", **{"from": str(tmp_path / "tree" / name / "x.jpg")})
    plant(tmp_path / "other", "b/1-x.jpg")
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "tree" / "d" / "e").mkdir()
    (tmp_path / "tree" / "d" / "e" / NAME).symlink_to(tmp_path / "other" / NAME)
    result = ctl_alone("trash", "recover", tmp_path / "tree", "--restore", "--json").json
    assert len(result["trashes"]) == len(result["files"]) == 3
    assert (tmp_path / "other" / NAME / "b" / "1-x.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [(("nothing",), WRONG_USAGE, "not a folder"), ((".",), FAILED, "no trash"),
     ((".", "--restore", "--dry-run"), WRONG_USAGE, "either")],
)  # fmt: skip
def test_wrong_usage_is_reported(ctl_alone: Ctl, arguments: tuple[str, ...], code: int, word: str) -> None:
    answer = ctl_alone("trash", "recover", *arguments)
    assert (answer.code, word in answer.err) == (code, True)


def test_a_trash_that_others_can_write_to_is_named(ctl_alone: Ctl, tmp_path: Path) -> None:
    plant(tmp_path, "b/1-x.jpg")
    (tmp_path / NAME).chmod(0o777)
    answer = ctl_alone("trash", "recover", tmp_path)
    assert answer.code == DONE
    assert "other users can write" in answer.err


def test_what_came_back_is_known_to_an_index_made_later(ctl_alone: Ctl, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    plant(keeper.photos, "b/1-x.jpg")
    stays = plant(keeper.photos, "b/2-y.jpg", blake3=None, **{"from": str(keeper.photos / "y.jpg")})
    assert ctl_alone("trash", "recover", keeper.photos, "--check", "--json").json["files"][1]["content"] == "unrecorded"
    stays.rename(stays.with_name("away"))
    assert ctl_alone("trash", "recover", keeper.photos, "--restore").code == DONE
    stays.with_name("away").rename(stays)
    keeper.start()
    assert [item.place for item in keeper.items()] == [bytes(stays)]
    events = [json.loads(line)["event"] for line in (keeper.photos / NAME / "manifest.jsonl").read_text().splitlines()]
    assert events == ["trash", "trash", "restored"]
    keeper.close()


def test_an_interrupted_line_hides_no_later_one(ctl_alone: Ctl, tmp_path: Path) -> None:
    plant(tmp_path, "b/1-x.jpg")
    with (tmp_path / NAME / "manifest.jsonl").open("a") as lines:
        lines.write('{"at": "2026-0\n' + "[" * 200_000 + "\n")
    file = plant(tmp_path, "b/2-y.jpg", **{"from": str(tmp_path / "y.jpg")})
    write_line(tmp_path, file, **{"from": str(tmp_path / "z.jpg")})
    recovered = ctl_alone("trash", "recover", tmp_path, "--json").json["files"]
    assert [Path(one["to"]).name for one in recovered] == ["x.jpg", "z.jpg"]
