"""Emptying the trash by age, whatever the wall clock says: no file goes before its retention has truly passed."""

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.jobs.journal import Journal
from daemon.jobs.sort import managed_folders
from daemon.jobs.undo import DAY_NS, Undoer
from daemon.processes.worker_pool import WorkerPool
from daemon.uptime import BOOT_ID, RECORD_EVERY_S, UptimeRecorder, boot_time
from index.database.records import trash_items, uptime
from index.database.records.trash_items import Item, ItemState
from index.database.records.uptime import BootTime
from index.database.store import Store
from index.database.upkeep import upgrade
from support.sorting import Desk

RETENTION = 30.0
# 2026-01-01, on which every story here begins.
BEGIN_NS = 1_767_225_600 * 10**9


@dataclass
class Machine:
    """A machine with a wall clock that is wrong by `wrong_ns`; `true_ns` is the time that really passed."""

    true_ns: int = 0
    wrong_ns: int = 0
    boot: int = 1
    booted_ns: int = -DAY_NS
    trashed_ns: dict[bytes, int] = field(default_factory=dict)

    def now_ns(self) -> int:
        return BEGIN_NS + self.true_ns + self.wrong_ns

    def boot_time(self) -> BootTime:
        return BootTime(f"boot {self.boot}", self.true_ns - self.booted_ns)

    def wait(self, days: float) -> None:
        self.true_ns += int(days * DAY_NS)

    def set_clock(self, wrong_days: float) -> None:
        self.wrong_ns = int(wrong_days * DAY_NS)

    def reboot(self, off_days: float = 0.0) -> None:
        self.wait(off_days)
        self.boot += 1
        self.booted_ns = self.true_ns


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def recorder(store: Store, machine: Machine) -> UptimeRecorder:
    return UptimeRecorder(store, machine.boot_time)


def record(recorder: UptimeRecorder) -> None:
    future = recorder.record()
    assert future is not None
    future.result()


def put_in_trash(store: Store, machine: Machine, name: str = "a") -> bytes:
    place = f"/photos/.comparimg-trash/{name}".encode()
    store.write(lambda db: trash_items.add(db, [Item(place, b"/photos/a.jpg", 1, 2, 3, b"d" * 32, machine.now_ns())]))
    machine.trashed_ns[place] = machine.true_ns
    return place


def due(store: Store, machine: Machine, days: float = RETENTION) -> set[bytes]:
    """The places of what emptying by age would delete now."""

    def ask(database: object) -> set[bytes]:
        items = trash_items.in_trash(database, machine.now_ns() - int(days * DAY_NS))  # type: ignore[arg-type]
        uptime.record(database, machine.boot_time())  # type: ignore[arg-type]
        ages = uptime.ages_ns(database, [item.id for item in items], machine.boot_time())  # type: ignore[arg-type]
        return {item.place for item in items if ages[item.id] >= int(days * DAY_NS)}

    return store.write(ask)


# Real files


@pytest.fixture
def desk(tmp_path: Path, pool: WorkerPool) -> Iterator[Desk]:
    desk = Desk(tmp_path, pool)
    desk.offset_ns = 0
    yield desk
    desk.close()


@pytest.mark.parametrize(
    ("wrong_when_trashed", "wrong_when_emptied"),
    [(-400.0, 0.0), (-20_000.0, 0.0), (0.0, 60.0), (-400.0, 60.0)],
    ids=["a year back", "1970", "ahead when emptied", "both"],
)
@pytest.mark.fault("the clock is wrong when a file goes to the trash, or when the trash is emptied by age")
def test_a_wrong_clock_deletes_nothing(
    desk: Desk, machine: Machine, wrong_when_trashed: float, wrong_when_emptied: float
) -> None:
    first = desk.picture("photos/a.jpg")
    copy = desk.copy(first, "photos/b.jpg")
    desk.scan()
    desk.sorter._now_ns = machine.now_ns
    desk.undoer = Undoer(desk.store, desk.destinations.values, desk.rescan, machine.now_ns, machine.boot_time)
    machine.set_clock(wrong_when_trashed)
    desk.decide({copy: "trash"})
    machine.wait(3600)
    assert desk.sort()["trash"] == 1
    recorder = UptimeRecorder(desk.store, machine.boot_time)
    record(recorder)
    machine.wait(RETENTION - 1)
    machine.set_clock(wrong_when_emptied)
    outcome = desk.empty(older_than_days=RETENTION)
    assert (outcome["deleted"], outcome["spared"]) == (0, 1)
    (item,) = desk.in_trash()
    assert Path(item.place.decode()).read_bytes() == first.read_bytes()
    machine.set_clock(0)
    machine.wait(1.1)
    outcome = desk.empty(older_than_days=RETENTION)
    assert (outcome["deleted"], outcome["spared"]) == (1, 0)
    assert not Path(item.place.decode()).exists()


def test_an_order_for_all_or_for_one_needs_no_age(desk: Desk, machine: Machine) -> None:
    first = desk.picture("photos/a.jpg")
    copies = [desk.copy(first, f"photos/{number}.jpg") for number in range(3)]
    desk.scan()
    desk.decide(dict.fromkeys(copies, "trash"))
    desk.offset_ns = 3600 * 10**9
    assert desk.sort()["trash"] == 3
    item = desk.in_trash()[0]
    outcome = desk.empty(items=[item.id])
    assert (outcome["deleted"], outcome["spared"]) == (1, 0)
    # Even where the clock says that they come from the future.
    desk.offset_ns = -400 * DAY_NS
    assert desk.empty(older_than_days=0.0)["deleted"] == 2
    assert desk.in_trash() == []


# What is counted


def test_time_is_counted_within_a_boot_and_over_boots_but_not_between(
    store: Store, machine: Machine, recorder: UptimeRecorder
) -> None:
    place = put_in_trash(store, machine)
    record(recorder)
    machine.wait(20)
    record(recorder)
    machine.reboot(off_days=100)
    assert due(store, machine) == set()
    machine.wait(9.9)
    assert due(store, machine) == set()
    machine.wait(0.2)
    assert due(store, machine) == {place}


def test_an_index_copied_to_a_machine_that_has_been_on_for_long_gains_no_time(
    store: Store, machine: Machine, recorder: UptimeRecorder
) -> None:
    put_in_trash(store, machine)
    record(recorder)
    machine.boot, machine.booted_ns = 77, machine.true_ns - 400 * DAY_NS
    machine.set_clock(400)
    assert due(store, machine) == set()


def test_a_clock_of_the_boot_that_goes_back_gives_no_time(
    store: Store, machine: Machine, recorder: UptimeRecorder
) -> None:
    """As in a virtual machine that is put back to an earlier state."""
    place = put_in_trash(store, machine)
    record(recorder)
    machine.wait(20)
    record(recorder)
    machine.booted_ns += 15 * DAY_NS
    machine.wait(9.9)
    assert due(store, machine) == set(), "what passed until the next record is lost"
    machine.wait(9.9)
    assert due(store, machine) == set()
    machine.wait(0.2)
    assert due(store, machine) == {place}


def test_a_file_that_no_record_has_seen_is_new(store: Store, machine: Machine, recorder: UptimeRecorder) -> None:
    """After an update from a version without records, or when the list of the trash was read from its manifest."""
    record(recorder)
    machine.wait(400)
    place = put_in_trash(store, machine)
    machine.set_clock(400)
    assert due(store, machine) == set()
    machine.wait(RETENTION)
    assert due(store, machine) == {place}


def test_a_place_that_is_used_again_begins_again(store: Store, machine: Machine, recorder: UptimeRecorder) -> None:
    place = put_in_trash(store, machine)
    record(recorder)
    machine.wait(400)
    assert put_in_trash(store, machine) == place
    record(recorder)
    machine.set_clock(400)
    assert due(store, machine) == set()


def test_a_file_that_was_restored_is_forgotten_with_its_item(
    store: Store, machine: Machine, recorder: UptimeRecorder
) -> None:
    place = put_in_trash(store, machine)
    record(recorder)
    store.write(lambda db: trash_items.set_state(db, [place], ItemState.RESTORED))
    machine.wait(400)
    assert due(store, machine) == set()
    store.write(lambda db: db.execute_sql("DELETE FROM trash_item"))
    with store.read() as database:
        assert database.execute_sql("SELECT count(*) FROM trash_uptime").fetchone() == (0,)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_to_the_clocks_nothing_goes_early(
    store: Store, machine: Machine, recorder: UptimeRecorder, seed: int
) -> None:
    chance = random.Random(seed)
    deleted: set[bytes] = set()
    for number in range(60):
        match chance.choice(["wait", "wait", "set", "reboot", "trash", "record", "copy", "empty", "empty"]):
            case "wait":
                machine.wait(chance.choice([0.01, 1, 8, 31]))
            case "set":
                machine.set_clock(chance.choice([0, -20_000, -400, 60, 4000]))
            case "reboot":
                machine.reboot(chance.choice([0, 0.5, 45]))
            case "trash":
                put_in_trash(store, machine, str(number))
            case "record":
                record(recorder)
            case "copy":
                machine.boot += 1
                machine.booted_ns = machine.true_ns - chance.choice([0, 10, 500]) * DAY_NS
            case "empty":
                gone = due(store, machine)
                assert all(machine.true_ns - machine.trashed_ns[place] >= RETENTION * DAY_NS for place in gone)
                store.write(lambda db, gone=gone: trash_items.set_state(db, gone, ItemState.EMPTIED))  # type: ignore[misc]
                deleted |= gone
    machine.set_clock(0)
    record(recorder)
    machine.wait(20_500)
    deleted |= due(store, machine)
    assert deleted == set(machine.trashed_ns), "nothing stays forever"


def test_an_index_of_an_earlier_version_begins_with_its_first_record(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = tmp_path / "migrations"
    earlier.mkdir()
    for file in upgrade.MIGRATIONS.glob("00*.py"):
        if file.name < "0016":
            (earlier / file.name).write_bytes(file.read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "MIGRATIONS", earlier)
        with Store(tmp_path / "data") as store:
            place = put_in_trash(store, machine)
    machine.wait(400)
    with Store(tmp_path / "data") as store:
        assert due(store, machine) == set()
        machine.wait(RETENTION)
        assert due(store, machine) == {place}


# The clock of the system, and the service


def test_the_clock_of_this_boot_goes_on_and_names_it() -> None:
    first, second = boot_time(), boot_time()
    assert first.boot == second.boot == BOOT_ID.read_text().strip()
    assert 0 < first.elapsed_ns <= second.elapsed_ns


def test_it_is_recorded_every_six_hours(store: Store, machine: Machine) -> None:
    seconds = [0.0]
    recorder = UptimeRecorder(store, machine.boot_time, lambda: seconds[0])
    before = store.revision
    recorder.record_if_due()
    assert store.revision == before
    seconds[0] = RECORD_EVERY_S
    recorder.record_if_due()
    store.write(lambda _: None)
    with store.read() as database:
        assert database.execute_sql("SELECT boot FROM uptime").fetchall() == [("boot 1",)]
    assert store.revision == before + 2


def test_a_record_that_fails_is_logged_and_ends_nothing(
    store: Store, machine: Machine, recorder: UptimeRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    store.write(lambda db: db.execute_sql("DROP TABLE trash_uptime"))
    future = recorder.record()
    assert future is not None
    assert future.exception() is not None
    store.write(lambda _: None)
    assert "the uptime was not recorded" in caplog.text
    store.close()
    assert recorder.record() is None


def old_copy(desk: Desk, machine: Machine, kept: Path, copy: Path, choice: str = "trash") -> None:
    """Trash a copy, or replace it by a link, and wait until it may be deleted by age."""
    desk.sorter._now_ns = machine.now_ns
    desk.undoer = Undoer(desk.store, desk.destinations.values, desk.rescan, machine.now_ns, machine.boot_time)
    desk.decide({kept: "keep", copy: choice})
    machine.wait(3600)
    assert desk.sort()[choice] == 1
    record(UptimeRecorder(desk.store, machine.boot_time))
    machine.wait(RETENTION + 1)


@pytest.mark.parametrize("alike", ["equal bytes", "a smaller copy"])
def test_the_last_copy_of_a_picture_is_not_deleted_by_age(desk: Desk, machine: Machine, alike: str) -> None:
    first = desk.picture("photos/a.jpg")
    equal = alike == "equal bytes"
    copy = desk.copy(first, "photos/b.jpg") if equal else desk.picture("photos/b.jpg", 1, (200, 150), 80)
    sidecar = copy.with_suffix(".xmp")
    sidecar.write_text("<x:xmpmeta/>")
    desk.scan()
    old_copy(desk, machine, first, copy)
    assert not sidecar.exists()
    renamed = first.rename(desk.photos / "renamed.jpg")
    desk.scan()
    bytes_of = renamed.read_bytes()
    renamed.unlink()
    desk.picture("photos/other.jpg", 7)
    desk.scan()
    outcome = desk.empty(older_than_days=RETENTION)
    assert (outcome["deleted"], outcome["spared"], outcome["last_copies"]) == (0, 0, 2)
    renamed.write_bytes(bytes_of)
    desk.scan()
    outcome = desk.empty(older_than_days=RETENTION)
    assert (outcome["deleted"], outcome["last_copies"]) == (2, 0)


@pytest.mark.parametrize("again", ["another picture", "edited"])
def test_another_picture_under_the_name_of_the_kept_one_is_no_copy(desk: Desk, machine: Machine, again: str) -> None:
    first = desk.picture("photos/a.jpg", 1)
    copy = desk.picture("photos/b.jpg", 1, (200, 150), 80)
    desk.scan()
    old_copy(desk, machine, first, copy)
    first.unlink()
    desk.scan()
    desk.picture("photos/a.jpg", 7 if again == "another picture" else 1, quality=70)
    desk.scan()
    outcome = desk.empty(older_than_days=RETENTION)
    assert outcome["last_copies"] == (again == "another picture")


def test_an_order_for_all_deletes_last_copies_too(desk: Desk, machine: Machine) -> None:
    first = desk.picture("photos/a.jpg")
    copy = desk.copy(first, "photos/b.jpg")
    desk.scan()
    old_copy(desk, machine, first, copy)
    first.unlink()
    desk.picture("photos/other.jpg", 7)
    desk.scan()
    outcome = desk.empty(older_than_days=0.0)
    assert (outcome["deleted"], outcome["last_copies"]) == (1, 0)


def test_what_only_a_manifest_knows_stays_unless_its_bytes_are_in_the_library(desk: Desk, machine: Machine) -> None:
    first = desk.picture("photos/a.jpg")
    equal, smaller = desk.copy(first, "photos/b.jpg"), desk.picture("photos/c.jpg", 1, (200, 150), 80)
    desk.scan()
    desk.decide({first: "keep", equal: "trash", smaller: "trash"})
    desk.sorter._now_ns = machine.now_ns
    machine.wait(3600)
    assert desk.sort()["trash"] == 2
    desk.close()
    shutil.rmtree(desk.folder / "data")
    desk.open()
    desk.undoer = Undoer(desk.store, desk.destinations.values, desk.rescan, machine.now_ns, machine.boot_time)
    desk.scan()
    Journal(desk.store, managed_folders(desk.store, [], tuple)).recover()
    assert {item.adopted for item in desk.in_trash()} == {True}
    record(UptimeRecorder(desk.store, machine.boot_time))
    machine.wait(RETENTION + 1)
    outcome = desk.empty(older_than_days=RETENTION)
    assert (outcome["deleted"], outcome["last_copies"]) == (1, 1)
    assert [Path(os.fsdecode(item.path)) for item in desk.in_trash()] == [smaller]


def test_the_original_of_a_link_stays_when_both_names_are_gone(desk: Desk, machine: Machine) -> None:
    first = desk.picture("photos/a.jpg")
    copy = desk.copy(first, "photos/b.jpg")
    desk.scan()
    old_copy(desk, machine, first, copy, "link")
    desk.picture("photos/other.jpg", 7)
    first.unlink()
    copy.unlink()
    desk.scan()
    outcome = desk.empty(older_than_days=RETENTION)
    assert (outcome["deleted"], outcome["last_copies"]) == (0, 1)
