"""A lost or damaged index: what its copies and its own readable pages give back, and that nothing is thrown away."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from index.database.records import matches, verdicts
from index.database.schema import Content, Decision, Image, Root, Setting, Verdict
from index.database.store import Store
from index.database.upkeep import backups, recovery
from index.database.upkeep.backups import Backups
from index.errors import NoRoom, StoreDamaged, StoreError
from support.power_loss import cut_off_renames

PAGE_BYTES = 4096


def digest(number: int) -> bytes:
    return b"%032d" % number


def add_contents(first: int, count: int):
    numbers = range(first, first + count)
    rows = [{"digest": digest(number), "size_bytes": number, "metadata": "x" * 300} for number in numbers]
    return lambda db: Content.insert_many(rows).execute(db)


def deny(a: int, b: int):
    return lambda db: verdicts.deny_pairs(db, [(digest(a), digest(b))], "not_duplicates", "", 1)


def denied(store: Store) -> set[tuple[bytes, bytes]]:
    with store.read() as database:
        rows = Verdict.select(Verdict.a_digest, Verdict.b_digest).tuples().execute(database)
        return {(bytes(a), bytes(b)) for a, b in rows}


def pair(a: int, b: int) -> tuple[bytes, bytes]:
    return digest(a), digest(b)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An index with a copy that knows of one verdict; a second one came since, and 1,000 contents."""
    folder = tmp_path / "data"
    with Store(folder) as store:
        store.write(lambda db: Root.insert(path=b"/photos").execute(db))
        store.write(add_contents(0, 10))
        store.write(deny(1, 2))
        store.back_up()
        store.write(add_contents(10, 1000))
        store.write(deny(3, 4))
        store.write(lambda db: Setting.insert(key="detect.hsize", value="8").execute(db))
    return folder


def pages_of(index: Path, table: str) -> list[int]:
    with closing(sqlite3.connect(index)) as database:
        return [row[0] for row in database.execute("SELECT pageno FROM dbstat WHERE name = ?", (table,))]


def dump(index: Path) -> list[str]:
    """Everything in an index but how often it was opened."""
    with closing(sqlite3.connect(index)) as database:
        # A table of FTS5 cannot be read row by row; the tables behind it can.
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'path_part'")
        tables = [name for (name,) in names.fetchall() if name != "lineage"]
        return [repr((name, row)) for name in tables for row in database.execute(f'SELECT * FROM "{name}"')]


def overwrite(index: Path, page: int, filling: bytes = b"\xa5") -> None:
    with index.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(filling * PAGE_BYTES)


def test_a_whole_index_is_left_as_it_is(data: Path) -> None:
    before = dump(data / "index.sqlite3")
    with Store(data) as store:
        assert (store.recovered, store.put_back) == ("", "")
        assert denied(store) == {pair(1, 2), pair(3, 4)}
    assert dump(data / "index.sqlite3") == before
    assert not list(data.glob("*damaged*"))


def damaged_header(index: Path) -> None:
    overwrite(index, 1)


def truncated(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2)


def emptied(index: Path) -> None:
    os.truncate(index, 0)


def deleted(index: Path) -> None:
    index.unlink()


def zeros_in_the_middle(index: Path) -> None:
    pages = pages_of(index, "content")
    for page in pages[len(pages) // 2 :][:5]:
        overwrite(index, page, b"\0")


@pytest.mark.fault("index gone, empty, cut, or damaged in header or middle: restored from its newest whole copy")
@pytest.mark.parametrize("fault", [damaged_header, truncated, emptied, deleted, zeros_in_the_middle])
def test_what_the_copy_knew_is_there_again(data: Path, fault: Callable[[Path], None]) -> None:
    index = data / "index.sqlite3"
    fault(index)
    left = index.read_bytes() if index.exists() else b""
    with Store(data) as store, store.read() as database:
        assert "takes its place" in store.recovered
        assert pair(1, 2) in denied(store)
        assert Content.select().count(database) == 10, "as the copy had it; a scan finds the rest"
        assert not store.fault
    kept = data / "index-damaged-1.sqlite3"
    if left:
        assert kept.read_bytes() == left, "the damaged file is never thrown away"
    with Store(data) as store:
        assert store.recovered == "", "once is enough"


@pytest.mark.parametrize("fault", [damaged_header, zeros_in_the_middle])
@pytest.mark.fault("index damaged: verdicts and settings newer than the copy read out of it")
def test_what_people_did_since_the_copy_is_read_out_of_the_damaged_file(
    data: Path, fault: Callable[[Path], None]
) -> None:
    fault(data / "index.sqlite3")
    with Store(data) as store, store.read() as database:
        assert denied(store) == {pair(1, 2), pair(3, 4)}
        assert Setting.select(Setting.value).where(Setting.key == "detect.hsize").scalar(database) == "8"
        known = {row[0] for row in database.execute_sql("SELECT digest FROM content")}
        concerned = matches.stale_contents(database)
        denied_ids = {
            row[0]
            for row in database.execute_sql(
                "SELECT id FROM content WHERE digest IN (?, ?, ?, ?)", [digest(number) for number in (1, 2, 3, 4)]
            )
        }
        assert denied_ids == concerned, "their groups are made again"
        assert digest(3) in known


def test_a_verdict_revoked_since_the_copy_stays_revoked(data: Path) -> None:
    with Store(data) as store:
        store.write(lambda db: verdicts.revoke(db, 1))
    zeros_in_the_middle(data / "index.sqlite3")
    with Store(data) as store:
        assert denied(store) == {pair(3, 4)}


@pytest.mark.fault("index damaged in the middle of the verdicts: both ends kept")
def test_of_a_damaged_table_the_rows_before_and_after_the_damage_are_recovered(data: Path) -> None:
    with Store(data) as store:
        store.write(lambda db: verdicts.deny_pairs(db, [pair(n, n + 1) for n in range(100, 1100)], "alternates", "", 1))
    index = data / "index.sqlite3"
    pages = pages_of(index, "verdict")
    overwrite(index, pages[len(pages) // 2])
    with Store(data) as store:
        recovered = denied(store)
    assert {pair(1, 2), pair(3, 4), pair(100, 101), pair(1099, 1100)} <= recovered
    assert len(recovered) > 800


@pytest.mark.fault("index damaged, no copy: rebuilt around what people did")
def test_without_a_copy_the_index_is_rebuilt_around_what_people_did(data: Path) -> None:
    shutil.rmtree(data / "backups")
    zeros_in_the_middle(data / "index.sqlite3")
    with Store(data) as store, store.read() as database:
        assert "every picture is read again" in store.recovered
        assert denied(store) == {pair(1, 2), pair(3, 4)}
        assert Content.select().count(database) == 0


@pytest.mark.fault("index damaged: a decision newer than the copy kept, with its image")
@pytest.mark.parametrize("with_a_copy", [True, False])
def test_a_decision_brings_its_image_along(data: Path, with_a_copy: bool) -> None:
    with Store(data) as store:
        content_id = 1005

        def decide(db: object) -> None:
            image_id = Image.insert(
                root=1, path=b"/photos/new.jpg", device=1, inode=2, size_bytes=3, mtime_ns=4, content=content_id,
                indexed_ns=5,
            ).execute(db)  # fmt: skip
            Decision.insert(
                image=image_id, choice="trash", destination="", origin="user", criterion="", order=None,
                digest=digest(1004), decided_ns=6,
            ).execute(db)  # fmt: skip

        store.write(decide)
    if not with_a_copy:
        shutil.rmtree(data / "backups")
    index = data / "index.sqlite3"
    overwrite(index, pages_of(index, "content")[20], b"\0")
    with Store(data) as store, store.read() as database:
        assert store.recovered
        (decision,) = Decision.select().execute(database)
        (image,) = Image.select().execute(database)
        assert (decision.image_id, bytes(image.path), decision.choice) == (image.id, b"/photos/new.jpg", "trash")
        assert Content.select(Content.digest).where(Content.id == image.content_id).scalar(database) == decision.digest
        assert database.execute_sql("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.fault("index and its newest copy damaged: the copy before")
def test_a_damaged_copy_is_passed_over_for_the_one_before(data: Path) -> None:
    with Store(data) as store:
        second = store.back_up()
    overwrite(second, 1)
    (data / "index.sqlite3").unlink()
    with Store(data) as store, store.read() as database:
        assert Content.select().count(database) == 10


def test_jobs_queued_when_the_copy_was_made_are_not_run_again(data: Path) -> None:
    with Store(data) as store:
        for state in ("queued", "running", "done"):
            row = (state, "sort", "user", "{}", 1)
            store.write(
                lambda db, row=row: db.execute_sql(
                    "INSERT INTO job (state, kind, origin, parameters, created_ns, priority, phase, done,"
                    " cancel_requested, attempts, outcome, error) VALUES (?, ?, ?, ?, ?, 0, '', 0, 0, 0, '{}', '')",
                    row,
                )
            )
        store.back_up()
    (data / "index.sqlite3").unlink()
    with Store(data) as store, store.read() as database:
        assert [row[0] for row in database.execute_sql("SELECT state FROM job")] == ["cancelled", "cancelled", "done"]


@pytest.mark.fault("power lost at any step of a restoration")
@pytest.mark.parametrize("step", range(6))
def test_a_restoration_that_is_interrupted_anywhere_is_done_by_the_next_start(
    data: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Cut off before each rename, as a power loss would."""
    zeros_in_the_middle(data / "index.sqlite3")
    left = (data / "index.sqlite3").read_bytes()
    with monkeypatch.context() as patched:
        cut_off_renames(patched, step)
        with suppress(KeyboardInterrupt):
            Store(data).close()
    with Store(data) as store, store.read() as database:
        assert denied(store) == {pair(1, 2), pair(3, 4)}
        assert Content.select().count(database) == 10
    assert (data / "index-damaged-1.sqlite3").read_bytes() == left


def test_a_locked_index_is_no_damaged_one(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(data / "index.sqlite3", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = exclusive")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(recovery, "find_damage", lambda path: backups.find_damage(path, patience_s=0.1))
        with pytest.raises(StoreError, match="locked") as caught:
            Store(data)
        assert "Another program" in str(caught.value.hint)
    with Store(data) as store:
        assert store.recovered == ""
        assert denied(store) == {pair(1, 2), pair(3, 4)}


# While it is open


def test_an_index_deleted_in_use_is_put_back_with_all_that_was_in_it(data: Path) -> None:
    store = Store(data)
    store.write(deny(5, 6))
    assert store.fault == ""
    for name in ("index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"):
        (data / name).unlink()
    store.write(deny(7, 8))
    assert "deleted or replaced" in store.fault
    with pytest.raises(StoreError), store.read():
        pass
    assert not (data / "index.sqlite3").exists(), "no empty one was made in its place"
    store.close()
    with Store(data) as store, store.read() as database:
        assert store.recovered == ""
        assert denied(store) == {pair(1, 2), pair(3, 4), pair(5, 6), pair(7, 8)}
        assert Content.select().count(database) == 1010


def test_an_index_that_someone_replaced_in_use_is_left_as_it_is(data: Path) -> None:
    (copy,) = (data / "backups").iterdir()
    store = Store(data)
    shutil.copy(copy, data / "theirs")
    os.replace(data / "theirs", data / "index.sqlite3")
    assert "replaced" in store.fault
    store.close()
    assert backups.find_damage(data / "index.sqlite3") == ""


@pytest.mark.fault("index damaged while in use: met by a reader")
def test_damage_found_while_reading_is_reported_and_remembered(data: Path) -> None:
    store = Store(data)
    zeros_in_the_middle(data / "index.sqlite3")
    with pytest.raises(StoreDamaged, match="malformed") as caught, store.read() as database:
        database.execute_sql("SELECT sum(length(metadata)) FROM content NOT INDEXED").fetchall()
    assert "restores" in str(caught.value.hint)
    assert "malformed" in store.fault
    store.close()
    with Store(data) as store:
        assert "takes its place" in store.recovered


# Copies


def test_copies_are_numbered_and_the_oldest_given_up(tmp_path: Path) -> None:
    with Store(tmp_path, backups_kept=2) as store:
        for _ in range(4):
            made = store.back_up()
            store.write(add_contents(int(made.stem[-2:]) * 10, 5))
    assert [copy.name for copy in Backups(tmp_path).newest_first()] == ["index-000004.sqlite3", "index-000003.sqlite3"]
    with closing(sqlite3.connect(made)) as copy:
        assert copy.execute("SELECT count(*) FROM content").fetchone() == (15,)
    assert sorted(os.listdir(tmp_path / "backups")) == ["index-000003.sqlite3", "index-000004.sqlite3"]


@pytest.mark.fault("index damaged while in use: no whole copy gives way to one of it")
def test_a_copy_of_a_damaged_index_takes_no_whole_ones_place(data: Path) -> None:
    before = os.listdir(data / "backups")
    store = Store(data, backups_kept=1)
    zeros_in_the_middle(data / "index.sqlite3")
    with pytest.raises(StoreDamaged):
        store.back_up()
    assert os.listdir(data / "backups") == before
    assert store.fault
    store.close()


@pytest.mark.fault("no room for a copy of the index")
def test_no_copy_is_made_that_would_fill_the_disk(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.listdir(data / "backups")
    monkeypatch.setattr(backups, "SPARE_BYTES", 2**62)
    with Store(data) as store:
        with pytest.raises(NoRoom, match="no space"):
            store.back_up()
        assert store.fault == ""
    assert os.listdir(data / "backups") == before
