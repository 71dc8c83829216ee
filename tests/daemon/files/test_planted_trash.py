"""Trashes that came from elsewhere: nothing in their manifests leads out of their folder, and nothing is removed for
what they say."""

import importlib.util
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from daemon.files.protected_paths import ManagedFolders
from daemon.jobs.trash_import import TrashImport
from daemon.processes.worker_pool import WorkerPool
from index.database.records import trash_items
from index.database.records.batches import Step, StepState
from index.database.records.trash_items import Item
from index.database.upkeep.upgrade import MIGRATIONS
from support.sorting import Desk
from support.trashes import NAME, Keeper, plant, write_line


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(tmp_path, protected=("photos/kept",))
    yield made
    made.close()


def outcome(steps: list[Step]) -> tuple[StepState, str]:
    (step,) = steps
    return step.state, step.reason


DONE = (StepState.DONE, "")


# Restoring


def test_a_file_from_below_the_folder_comes_back_without_a_question(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg", **{"from": str(keeper.photos / "a" / "x.jpg")})
    keeper.start()
    assert outcome(keeper.restore()) == DONE
    assert keeper.files() == ["photos/a/x.jpg"]


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_to_another_place_it_comes_only_when_that_is_confirmed(keeper: Keeper, tmp_path: Path) -> None:
    outside = tmp_path / "home" / ".config" / "autostart"
    outside.mkdir(parents=True)
    plant(keeper.photos, "b/1-IMG_1.jpg", mode=0o4755, **{"from": str(outside / "evil.desktop")})
    keeper.start()
    assert outcome(keeper.restore()) == (StepState.REFUSED, "needs_confirmation")
    assert str(keeper.photos / "IMG_1.jpg") in str(keeper.steps(1)[0].message)
    assert keeper.files() == []
    assert outcome(keeper.restore(confirm=True)) == DONE
    assert keeper.files() == ["photos/IMG_1.jpg"]
    assert stat.S_IMODE((keeper.photos / "IMG_1.jpg").stat().st_mode) == 0o644
    manifest = (keeper.photos / NAME / "manifest.jsonl").read_text().splitlines()
    assert str(outside) not in manifest[-1], "nor is what was planted passed on"


def test_a_folder_that_was_moved_offers_the_place_relative_to_it(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg", **{"from": "/media/stick/2020/x.jpg", "path": "2020/x.jpg"})
    keeper.start()
    assert outcome(keeper.restore()) == (StepState.REFUSED, "needs_confirmation")
    assert outcome(keeper.restore(confirm=True)) == DONE
    assert keeper.files() == ["photos/2020/x.jpg"]


def test_the_folder_reached_by_a_link_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "photos").symlink_to("real")
    keeper = Keeper(tmp_path)
    plant(tmp_path / "real", "b/1-x.jpg", **{"from": str(tmp_path / "real" / "a" / "x.jpg")})
    keeper.start()
    assert outcome(keeper.restore()) == DONE
    assert (tmp_path / "real" / "a" / "x.jpg").exists()
    keeper.close()


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
@pytest.mark.parametrize("target", ["/.bashrc", "/.config/autostart/x.desktop", f"/{NAME}/b/2-y", "/.comparimg-1.part"])
def test_a_hidden_name_is_never_restored_to(keeper: Keeper, target: str) -> None:
    plant(keeper.photos, "b/1-.profile", **{"from": f"{keeper.photos}{target}", "path": target[1:]})
    keeper.start()
    assert outcome(keeper.restore()) == (StepState.REFUSED, "needs_confirmation")
    assert outcome(keeper.restore(confirm=True)) == DONE
    assert keeper.files() == ["photos/profile"]


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_a_protected_folder_below_is_not_restored_into(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg", **{"from": str(keeper.photos / "kept" / "x.jpg")})
    keeper.start()
    assert outcome(keeper.restore(confirm=True)) == (StepState.REFUSED, "protected")
    assert keeper.files() == []


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_the_data_folder_is_not_restored_into(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, roots=(".",))
    plant(tmp_path, "b/1-x.jpg", **{"from": str(tmp_path / "data" / "backups" / "x")})
    keeper.start()
    before = sorted((tmp_path / "data").iterdir())
    assert outcome(keeper.restore(confirm=True)) == (StepState.REFUSED, "not_there")
    assert sorted((tmp_path / "data").iterdir()) == before
    keeper.close()


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_a_link_below_is_not_followed(keeper: Keeper, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (keeper.photos / "link").symlink_to(tmp_path / "outside")
    plant(keeper.photos, "b/1-x.jpg", **{"from": str(keeper.photos / "link" / "x.jpg")})
    keeper.start()
    assert keeper.restore(confirm=True)[0].state in (StepState.REFUSED, StepState.FAILED)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_a_watched_folder_below_that_is_a_link_is_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "outside")
    keeper = Keeper(tmp_path, roots=("photos", "photos/link"))
    plant(keeper.photos, "b/1-x.jpg", **{"from": str(keeper.photos / "link" / "x.jpg")})
    keeper.start()
    assert outcome(keeper.restore(confirm=True)) == (StepState.REFUSED, "not_there")
    assert list((tmp_path / "outside").iterdir()) == []
    keeper.close()


def test_nothing_is_overwritten(keeper: Keeper) -> None:
    (keeper.photos / "x.jpg").write_bytes(b"mine")
    plant(keeper.photos, "b/1-x.jpg", b"theirs")
    keeper.start()
    assert outcome(keeper.restore()) == DONE
    assert (keeper.photos / "x.jpg").read_bytes() == b"mine"
    assert (keeper.photos / "x (restored).jpg").read_bytes() == b"theirs"


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_what_is_no_regular_file_is_not_offered(keeper: Keeper, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    trash = keeper.photos / NAME / "b"
    trash.mkdir(parents=True, mode=0o700)
    (keeper.photos / NAME).chmod(0o700)
    (trash / "1-link").symlink_to(secret)
    (trash / "2-folder").mkdir()
    os.mkfifo(trash / "3-pipe")
    for name in ("1-link", "2-folder", "3-pipe"):
        write_line(keeper.photos, secret, file=f"b/{name}")
    (keeper.photos / NAME / "away").symlink_to(tmp_path)
    write_line(keeper.photos, secret, file="away/secret")
    write_line(keeper.photos, secret, file="manifest.jsonl")
    write_line(keeper.photos, secret, file="b/../../../secret")
    keeper.start()
    assert keeper.items() == []


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_a_file_exchanged_for_a_link_after_it_was_listed_stays(keeper: Keeper, tmp_path: Path) -> None:
    file = plant(keeper.photos, "b/1-x.jpg")
    keeper.start()
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    assert outcome(keeper.restore()) == (StepState.REFUSED, "not_a_file")
    assert file.is_symlink()


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_an_executable_with_other_names_comes_back_as_a_picture_only(keeper: Keeper) -> None:
    file = plant(keeper.photos, "b/1-tool", mode=0o755, **{"from": str(keeper.photos / "tool")})
    os.link(file, keeper.folder / "other name")
    keeper.start()
    assert outcome(keeper.restore()) == (StepState.REFUSED, "executable")
    assert (keeper.folder / "other name").stat().st_mode & 0o111, "someone else's name of it keeps its mode"


@pytest.mark.attack("a planted manifest that leads a restored file elsewhere")
def test_a_row_that_an_earlier_version_took_from_a_manifest_is_confined(keeper: Keeper, tmp_path: Path) -> None:
    plant(keeper.photos, "b/1-x.jpg", **{"from": str(tmp_path / "outside" / "x.jpg")})
    keeper.start()
    # As the migration leaves it, in a trash whose manifest can no longer be read.
    keeper.store.write(lambda db: db.execute_sql("UPDATE trash_item SET elsewhere = x''"))
    (keeper.photos / NAME / "manifest.jsonl").unlink()
    assert outcome(keeper.restore()) == (StepState.REFUSED, "needs_confirmation")
    assert outcome(keeper.restore(confirm=True)) == DONE
    assert keeper.files() == ["photos/x.jpg"]


# Emptying


def test_a_file_as_it_was_recorded_is_removed(keeper: Keeper) -> None:
    file = plant(keeper.photos, "b/1-x.jpg")
    keeper.start()
    assert outcome(keeper.empty()) == DONE
    assert not file.exists()


@pytest.mark.attack("a trash that other users can write to, or a file exchanged in it")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"blake3": ""}, "not_recorded"), ({"blake3": "nonsense"}, "not_recorded"), ({"blake3": None}, "not_recorded"),
        ({"blake3": "00" * 32}, "changed"), ({"inode": 5}, "changed"), ({"bytes": 3}, "changed"),
        ({"mtime_ns": 5}, "changed"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_as_it_was_recorded_is_not_removed(
    keeper: Keeper, fields: dict[str, object], reason: str
) -> None:
    file = plant(keeper.photos, "b/1-x.jpg", **fields)
    keeper.start()
    assert outcome(keeper.empty()) == (StepState.REFUSED, reason)
    assert file.read_bytes() == b"data"
    assert keeper.item().place == bytes(file), "it is still in the trash"


def test_a_file_that_changed_since_it_was_taken_in_is_not_removed(keeper: Keeper) -> None:
    file = plant(keeper.photos, "b/1-x.jpg")
    keeper.start()
    before = file.stat()
    file.write_bytes(b"atad")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert outcome(keeper.empty()) == (StepState.REFUSED, "changed")
    assert file.read_bytes() == b"atad"


# What the index itself put in the trash


def test_a_file_of_a_folder_that_is_not_configured_any_more_comes_back_after_a_question(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg")
    keeper.start()
    keeper.store.write(lambda db: db.execute_sql("UPDATE trash_item SET adopted = 0, batch_id = 1"))
    keeper.watch({})
    assert outcome(keeper.restore()) == (StepState.REFUSED, "needs_confirmation")
    assert "no longer configured" in str(keeper.steps(1)[0].message)
    assert outcome(keeper.restore(confirm=True)) == DONE
    assert keeper.files() == ["photos/x.jpg"]


# Taking in


def test_a_manifest_is_read_on_from_where_it_was_left(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg")
    keeper.start()
    first = keeper.item()
    plant(keeper.photos, "b/2-y.jpg")
    keeper.start()
    assert [item.place for item in keeper.items()] == [first.place, bytes(keeper.photos / NAME / "b" / "2-y.jpg")]
    manifest = keeper.photos / NAME / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes().replace(b"x.jpg", b"z.jpg"))
    plant(keeper.photos, "b/1-z.jpg")
    keeper.start()
    assert len(keeper.items()) == 3, "one that was written again is read again"


def test_a_line_that_was_cut_off_is_read_when_it_is_whole(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg")
    manifest = keeper.photos / NAME / "manifest.jsonl"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:50])
    keeper.start()
    assert keeper.items() == []
    manifest.write_bytes(whole)
    keeper.start()
    assert len(keeper.items()) == 1


def test_what_the_index_knows_no_manifest_changes(keeper: Keeper) -> None:
    file = plant(keeper.photos, "b/1-x.jpg")
    keeper.start()
    keeper.store.write(lambda db: db.execute_sql("UPDATE trash_item SET adopted = 0, batch_id = 1, step_id = 1"))
    write_line(keeper.photos, file, **{"from": "/etc/x", "blake3": "00" * 32})
    keeper.start()
    assert keeper.item().path == bytes(keeper.photos / "x.jpg")
    assert keeper.item().digest != bytes(32)


def test_many_lines_of_nonsense_take_little_time(keeper: Keeper) -> None:
    file = plant(keeper.photos, "b/1-x.jpg")
    manifest = keeper.photos / NAME / "manifest.jsonl"
    line = manifest.read_bytes()
    with manifest.open("ab") as lines:
        lines.write(b"\n" * 100_000 + b"{}\n" * 20_000 + b"x" * 2**22 + b"\n" + line.replace(b"1-x", b"2-y") * 5_000)
    begun = time.monotonic()
    keeper.start()
    assert time.monotonic() - begun < 10
    assert keeper.item().place == bytes(file)


def test_a_disk_that_was_away_brings_back_what_was_taken_for_gone(keeper: Keeper, tmp_path: Path) -> None:
    plant(keeper.photos, "b/1-x.jpg")
    keeper.start()
    (keeper.photos / NAME).rename(tmp_path / "away")
    assert outcome(keeper.restore()) == (StepState.REFUSED, "gone")
    assert keeper.items() == []
    (tmp_path / "away").rename(keeper.photos / NAME)
    keeper.start()
    assert outcome(keeper.restore()) == DONE


def test_what_a_crash_left_in_the_middle_of_a_removal_is_in_the_trash_again(keeper: Keeper) -> None:
    file = plant(keeper.photos, "b/1-x.jpg")
    private = file.parent / ".comparimg-0123456789abcdef.removing"
    private.mkdir()
    file.rename(private / file.name)
    keeper.start()
    assert keeper.item().place == bytes(file)
    assert file.read_bytes() == b"data"
    assert not private.exists()


# A trash of others


@pytest.mark.attack("a trash that other users can write to, or a file exchanged in it")
def test_a_trash_that_others_can_write_to_is_a_problem_until_it_is_not(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg")
    trash = keeper.photos / NAME
    for path, mode in ((trash, 0o770), (trash, 0o702), (trash / "manifest.jsonl", 0o620)):
        path.chmod(mode)
        keeper.start()
        assert keeper.items() == []
        ((place, reason, message),) = keeper.problems()
        assert (place, reason) == (bytes(trash), "untrusted_trash")
        assert "chmod -R go-w" in message
        path.chmod(0o700)
    keeper.start()
    assert len(keeper.items()) == 1
    assert keeper.problems() == []


@pytest.mark.attack("a trash that other users can write to, or a file exchanged in it")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_trash_of_another_user_is_a_problem_but_not_that_of_the_owner_of_the_folder(keeper: Keeper) -> None:
    plant(keeper.photos, "b/1-x.jpg")
    os.chown(keeper.photos / NAME, 4711, -1)
    keeper.start()
    assert keeper.items() == []
    assert "another user" in keeper.problems()[0][2]
    os.chown(keeper.photos, 4711, -1)
    keeper.start()
    assert len(keeper.items()) == 1
    os.chown(keeper.photos / NAME / "manifest.jsonl", 4712, -1)
    plant(keeper.photos, "b/2-y.jpg")
    keeper.start()
    assert len(keeper.items()) == 1


# Where it was made below the top of a root


def test_a_trash_below_the_top_is_found_again_without_the_index(tmp_path: Path, pool: WorkerPool) -> None:
    desk = Desk(tmp_path, pool)
    kept = desk.picture("photos/ann/a.jpg")
    copy = desk.copy(kept, "photos/bob/copy.jpg")
    # There can be no trash at the top.
    (desk.photos / NAME).symlink_to("nowhere")
    desk.scan()
    desk.decide({kept: "keep", copy: "trash"})
    desk.sort()
    (before,) = desk.in_trash()
    assert before.place.startswith(bytes(desk.photos / "bob" / NAME))
    desk.close()
    shutil.rmtree(tmp_path / "data")
    desk.open()

    def look(passed: Sequence[bytes] = ()) -> int:
        folders = ManagedFolders.of({bytes(desk.photos): False})
        return TrashImport(desk.store, folders, 0).check(passed)

    assert look() == 0
    desk.scanner.report_trashes_to(look)
    desk.scan()
    (after,) = desk.in_trash()
    assert (after.place, after.path, after.digest) == (before.place, before.path, before.digest)
    plant(desk.photos / "bob", "b/1-x.jpg")
    assert look() == 1, "it is remembered"
    assert desk.undo(items=[after.id])["restored"] == 1
    assert copy.exists()
    desk.close()


def test_every_trash_that_the_index_filled_is_remembered(keeper: Keeper) -> None:
    home = keeper.photos / "deep" / NAME
    item = Item(bytes(home / "b" / "1-x.jpg"), bytes(keeper.photos / "deep" / "x.jpg"), 1, 1, 1, b"", 1, 1, 1)
    keeper.store.write(lambda db: trash_items.add(db, [item]))
    plant(keeper.photos / "deep", "b/2-y.jpg")
    keeper.start()
    assert bytes(home / "b" / "2-y.jpg") in [one.place for one in keeper.items()]


def test_an_earlier_index_comes_to_know_its_trashes_and_what_only_a_manifest_holds(tmp_path: Path) -> None:
    database = SqliteDatabase(str(tmp_path / "index"))
    database.execute_sql("CREATE TABLE trash_item (id INTEGER PRIMARY KEY, place BLOB NOT NULL, step_id INTEGER)")
    for place, step_id in ((b"/p/.comparimg-trash/b/1-x", 1), (b"/p/.comparimg-trash/b/2-y", None), (b"/odd", None)):
        database.execute_sql("INSERT INTO trash_item (place, step_id) VALUES (?, ?)", (place, step_id))
    spec = importlib.util.spec_from_file_location("migration", MIGRATIONS / "0014_trash.py")
    assert spec is not None and spec.loader is not None
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    migration.up(None, database)
    rows = database.execute_sql("SELECT adopted, elsewhere FROM trash_item ORDER BY id").fetchall()
    assert rows == [(0, b""), (1, b""), (1, b"")]
    assert database.execute_sql("SELECT folder, read_bytes FROM trash_home").fetchall() == [(b"/p/.comparimg-trash", 0)]
    database.close()
