"""The clock: triggers queue jobs, what was missed is made up for, cron means what cron means."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from daemon.jobs.scheduler import RETRY_S, Scheduler, _due_ns, sync_file_schedules, was_missed
from index.database.schema import Job, Schedule
from index.database.store import Store
from index.errors import NoRoom, UsageError
from index.messages import text
from index.model import JobKind
from index.triggers import parse_trigger

HOUR_NS = 3600 * 10**9
PARIS = Path("/usr/share/zoneinfo/Europe/Paris")
TOP = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("trigger", "after", "fires"),
    [
        ("0 3 * * *", "2026-11-23 04:00", "2026-11-24 03:00"),
        ("30 2 * * 0", "2026-11-23 00:00", "2026-11-29 02:30"),  # a Sunday
        ("30 2 * * 7", "2026-11-23 00:00", "2026-11-29 02:30"),
        ("0 0 * * 1-5", "2026-11-27 12:00", "2026-11-30 00:00"),  # Friday to Monday
        ("0 0 * * 0-1", "2026-11-24 12:00", "2026-11-29 00:00"),
        ("*/20 * * * mon", "2026-11-23 00:01", "2026-11-23 00:20"),
        ("0 0 1 jan *", "2026-11-23 00:00", "2027-01-01 00:00"),
    ],
)
def test_cron(trigger: str, after: str, fires: str):
    zone = datetime.now().astimezone().tzinfo
    start = datetime.fromisoformat(after).replace(tzinfo=zone)
    assert parse_trigger(trigger).get_next_fire_time(None, start).strftime("%Y-%m-%d %H:%M") == fires


@pytest.mark.parametrize(
    "text", ["", "x", "* * * *", "0 25 * * *", "every", "every 1s", "every 6 h", "every -1h", "0 0 * * 8"]
)
def test_what_is_no_trigger_is_refused_with_what_is_accepted(text: str):
    with pytest.raises(UsageError, match="accepted"):
        parse_trigger(text)


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30 feb mon", "0 0 31 4,6 *"])
def test_a_day_that_no_month_has_is_refused(text: str):
    with pytest.raises(UsageError, match="never comes due"):
        parse_trigger(text)


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 31 * *", "0 0 last 2 *", "0 0 31 4-5 *"])
def test_a_day_that_some_month_has_is_accepted(text: str):
    assert parse_trigger(text).get_next_fire_time(None, datetime.now(UTC)) is not None


def test_a_stored_schedule_that_is_not_accepted_any_more_stops_no_other(tmp_path: Path):
    with Store(tmp_path) as store:
        for name, trigger in (("february", "0 0 31 2 *"), ("nightly", "0 3 * * *")):
            values = {"name": name, "kind": JobKind.SCAN, "parameters": "{}", "trigger": trigger, "origin": "user"}
            store.write(lambda db, values=values: Schedule.insert(**values).execute(db))
        scheduler = Scheduler(store)
        scheduler.start()
        try:
            assert scheduler.next_run_ns(1) is None
            assert scheduler.next_run_ns(2) is not None
        finally:
            scheduler.stop()


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the time zone of this process."""

    def set_to(name: str) -> None:
        elsewhere.setenv("TZ", name)
        time.tzset()

    with monkeypatch.context() as elsewhere:
        yield set_to
    time.tzset()


@pytest.fixture
def paris(zone: Callable[[str], None]) -> None:
    if not PARIS.exists():
        pytest.skip("this machine knows no time zones")
    zone(":Europe/Paris")


def runs_after(text: str, after: str, count: int) -> list[str]:
    """When a job runs next, in local time. It is noted a moment after it was due."""
    moment, runs = datetime.fromisoformat(after).astimezone(), []
    for _ in range(count):
        due_ns = _due_ns(parse_trigger(text), int(moment.timestamp() * 1e9))
        assert due_ns is not None
        moment = datetime.fromtimestamp(due_ns / 1e9 + 0.05).astimezone()
        runs.append(moment.strftime("%m-%d %H:%M %Z"))
    return runs


@pytest.mark.usefixtures("paris")
@pytest.mark.parametrize(
    ("text", "after", "runs"),
    [
        # In March there is no 2:30, and what it was meant for comes an hour later by the new time.
        ("30 2 * * *", "2027-03-27 12:00", ["03-28 03:30 CEST", "03-29 02:30 CEST"]),
        # In October there are two, and it comes at the first.
        ("30 2 * * *", "2027-10-30 12:00", ["10-31 02:30 CEST", "11-01 02:30 CET"]),
        ("0,30 2 * * *", "2027-10-30 12:00", ["10-31 02:00 CEST", "10-31 02:30 CEST", "11-01 02:00 CET"]),
        ("0 3 * * *", "2027-10-30 12:00", ["10-31 03:00 CET", "11-01 03:00 CET"]),
        # What comes every hour does so in both.
        ("30 * * * *", "2027-10-31 01:40", ["10-31 02:30 CEST", "10-31 02:30 CET", "10-31 03:30 CET"]),
    ],
)
def test_a_job_in_the_nights_in_which_the_clocks_are_changed(text: str, after: str, runs: list[str]):
    assert runs_after(text, after, len(runs)) == runs


@pytest.mark.usefixtures("paris")
@pytest.mark.fault("the night in which the clocks are put back: a job between two and three runs once")
def test_in_the_hour_that_comes_twice_nothing_is_due_or_missed_again():
    trigger = parse_trigger("30 2 * * *")
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    for minutes in range(0, 180, 10):
        now = first + timedelta(minutes=minutes, seconds=1)
        assert not was_missed(trigger, int((first.timestamp() + 0.05) * 1e9), int(now.timestamp() * 1e9))
        due = trigger.get_next_fire_time(None, now)
        assert due.astimezone(UTC) == datetime(2027, 11, 1, 1, 30, tzinfo=UTC)


@pytest.mark.fault("a time zone that is no name, or nonsense, or given twice: schedules go by the system's clock")
@pytest.mark.parametrize("name", ["CET-1CEST,M3.5.0,M10.5.0/3", "Mars/Olympus:::", "/etc/passwd"])
def test_a_time_zone_that_is_no_name_is_what_the_system_takes_it_for(name: str, zone: Callable[[str], None]):
    zone(name)
    runs, moment = [], datetime(2026, 10, 24, 12, tzinfo=UTC)
    for _ in range(3):
        moment = parse_trigger("30 2 * * *").get_next_fire_time(moment, moment)
        runs.append(moment.astimezone(UTC).strftime("%d %H:%M"))
    Scheduler(cast(Store, None))
    summer_time_ends = ["25 00:30", "26 01:30", "27 01:30"]
    assert runs == (summer_time_ends if name.startswith("CET") else ["25 02:30", "26 02:30", "27 02:30"])


@pytest.mark.fault("a time zone that is no name, or nonsense, or given twice: schedules go by the system's clock")
@pytest.mark.parametrize("named", ["Etc/UTC", "Mars/Olympus", "Asia/Tokyo"])
def test_a_name_that_contradicts_the_clock_is_not_believed(named: str, tmp_path: Path):
    """In a name space of its own, as in a container that was given the local time of its host and no name for it."""
    if not PARIS.exists():
        pytest.skip("this machine knows no time zones")
    (tmp_path / "timezone").write_text(f"{named}\n")
    shutil.copyfile(PARIS, tmp_path / "localtime")
    asked = (
        "from datetime import UTC, datetime; from index.triggers import parse_trigger;"
        "print(parse_trigger('0 3 * * *').get_next_fire_time(None, datetime(2026, 7, 1, tzinfo=UTC)).astimezone(UTC))"
    )
    inside = ["sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "sh", tmp_path, sys.executable, "-c", asked]
    process = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", *inside],
        cwd=TOP,
        env={name: value for name, value in os.environ.items() if name != "TZ"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in process.stderr or "mount:" in process.stderr:
        pytest.skip("no name space can be made here")
    assert process.stdout == "2026-07-01 01:00:00+00:00\n", process.stderr


def test_missed_runs():
    nightly, six_hours = parse_trigger("0 3 * * *"), parse_trigger("every 6h")
    noon_ns = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 10**9
    assert was_missed(nightly, noon_ns - 48 * HOUR_NS, noon_ns)
    assert was_missed(six_hours, noon_ns - 7 * HOUR_NS, noon_ns)
    assert not was_missed(six_hours, noon_ns - 5 * HOUR_NS, noon_ns)
    assert not was_missed(six_hours, None, noon_ns)


def waiting(store: Store) -> list[tuple]:
    with store.read() as database:
        return list(Job.select(Job.kind, Job.origin, Job.parameters).tuples().execute(database))


def test_a_missed_run_is_queued_once_at_start_and_the_next_is_known(tmp_path: Path):
    with Store(tmp_path) as store:
        store.write(
            lambda db: Schedule.insert(
                name="n", kind="detect", parameters='{"hsize": 8}', trigger="every 1h", origin="rest", last_run_ns=1
            ).execute(db)
        )
        scheduler = Scheduler(store)
        scheduler.start()
        assert waiting(store) == [("detect", "schedule", '{"hsize": 8}')]
        assert scheduler.next_run_ns(1) > 0
        scheduler.refresh()
        assert len(waiting(store)) == 1
        scheduler.stop()


def test_disabled_schedules_do_nothing(tmp_path: Path):
    with Store(tmp_path) as store:
        store.write(
            lambda db: Schedule.insert(
                name="n", kind="scan", parameters="{}", trigger="every 1h", origin="rest", last_run_ns=1, enabled=False
            ).execute(db)
        )
        scheduler = Scheduler(store)
        scheduler.start()
        assert waiting(store) == []
        assert scheduler.next_run_ns(1) is None
        scheduler.stop()


def test_the_file_rules_its_own_schedules_and_no_others(tmp_path: Path):
    def names(store: Store) -> dict[str, str]:
        with store.read() as database:
            return dict(Schedule.select(Schedule.name, Schedule.trigger).tuples().execute(database))

    with Store(tmp_path) as store:
        store.write(
            lambda db: Schedule.insert(
                name="mine", kind="scan", parameters="{}", trigger="every 2h", origin="rest"
            ).execute(db)
        )
        store.write(lambda db: sync_file_schedules(db, {"detect": (JobKind.DETECT, "0 3 * * *")}))
        assert names(store) == {"mine": "every 2h", "detect": "0 3 * * *"}
        store.write(lambda db: sync_file_schedules(db, {"detect": (JobKind.DETECT, "0 4 * * *")}))
        assert names(store) == {"mine": "every 2h", "detect": "0 4 * * *"}
        store.write(lambda db: sync_file_schedules(db, {}))
        assert names(store) == {"mine": "every 2h"}


def nightly(store: Store, last_run_ns: int, trigger: str = "every 6h") -> Scheduler:
    store.write(lambda db: sync_file_schedules(db, {"detect": (JobKind.DETECT, trigger)}))
    store.write(lambda db: Schedule.update(last_run_ns=last_run_ns).execute(db))
    scheduler = Scheduler(store)
    scheduler.start()
    return scheduler


def next_run_in_h(scheduler: Scheduler, store: Store) -> float:
    with store.read() as database:
        (schedule_id,) = Schedule.select(Schedule.id).tuples().execute(database)[0]
    at_ns = scheduler.next_run_ns(schedule_id)
    assert at_ns is not None
    return (at_ns - time.time_ns()) / HOUR_NS


def test_an_interval_goes_on_from_its_last_run(tmp_path: Path):
    with Store(tmp_path) as store:
        scheduler = nightly(store, time.time_ns() - 4 * HOUR_NS)
        assert 1.9 < next_run_in_h(scheduler, store) < 2.1
        scheduler.refresh()
        assert 1.9 < next_run_in_h(scheduler, store) < 2.1
        scheduler.stop()


@pytest.mark.fault("the clock set back or forward by hours and years")
@pytest.mark.parametrize(("jump_h", "queued"), [(0.001, 0), (-24 * 365, 0), (5, 1), (24 * 365, 1)])
def test_a_clock_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_h: float, queued: int):
    """Back by a year, the next run is hours away and not a year; forward, what was missed is made up for at once."""
    with Store(tmp_path) as store:
        scheduler = nightly(store, time.time_ns() - 4 * HOUR_NS)
        scheduler._clock.pause()  # Its own clock is that of datetime, which is not set here.
        now, now_ns = time.time, time.time_ns
        monkeypatch.setattr(time, "time", lambda: now() + jump_h * 3600)
        monkeypatch.setattr(time, "time_ns", lambda: now_ns() + int(jump_h * HOUR_NS))
        scheduler.check_clock()
        scheduler.check_clock()
        assert len(waiting(store)) == queued
        if jump_h < -1:
            assert next_run_in_h(scheduler, store) < 6.1
        scheduler.stop()


@pytest.mark.fault("a scheduled job comes due while the disk is full")
def test_a_run_that_a_full_disk_refused_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(tmp_path) as store:
        scheduler = nightly(store, time.time_ns() - 4 * HOUR_NS)
        store.write(lambda db: Schedule.update(last_run_ns=time.time_ns() - 7 * HOUR_NS).execute(db))
        with monkeypatch.context() as patched:

            def full(change: object) -> None:
                raise NoRoom(text("database or disk is full"))

            patched.setattr(store, "write", full)
            scheduler.fire(1)
        assert waiting(store) == []
        began_s = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: began_s + RETRY_S)
        scheduler.check_clock()
        assert len(waiting(store)) == 1
        scheduler.stop()
