"""The runner: one job at a time, progress, cancel, requeue, urgent jobs in between."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from daemon.job_system import is_restarted
from daemon.jobs.runner import Runner, start_job
from index.database.records import jobs
from index.database.store import Store
from index.errors import ComparImgError, NoRoom, StoreError, UsageError
from index.messages import text
from index.model import JobKind, JobState

WAIT_S = 20


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "data") as opened:
        yield opened


def wait_for(store: Store, job_id: int, *states: JobState) -> dict:
    """The job's row once it is in one of these states."""
    for _ in range(1000):
        seen = store.revision
        with store.read() as database:
            row = jobs.read(database, job_id)
        if row["state"] in states:
            return row
        store.wait_for_change(seen, WAIT_S)
    raise AssertionError(row)


def run(store: Store, handler, kind=JobKind.DETECT, **options) -> Runner:
    runner = Runner(store, {JobKind.SCAN: lambda context, parameters: {}, kind: handler}, **options)
    runner.start()
    return runner


def test_a_job_is_run_and_its_outcome_kept(store: Store):
    def handler(context, parameters):
        context.begin("matching", total=3)
        for _ in range(3):
            context.advance()
        return {"hsize": parameters.hsize}

    runner = run(store, handler)
    job_id = start_job(store, JobKind.DETECT, {"hsize": 8}, "user")
    row = wait_for(store, job_id, JobState.DONE)
    assert json.loads(row["outcome"]) == {"hsize": 8}
    assert row["phase"] == "matching"
    assert (row["done"], row["total"]) == (3, 3)
    assert row["finished_ns"] >= row["started_ns"]
    runner.stop()


def test_wrong_parameters_are_refused_before_they_are_queued(store: Store):
    with pytest.raises(UsageError) as caught:
        start_job(store, JobKind.DETECT, {"hsize": "large"}, "user")
    assert caught.value.field == "parameters.hsize"
    with pytest.raises(UsageError, match="There is no parameter x"):
        start_job(store, JobKind.SCAN, {"x": 1}, "user")


def test_a_job_whose_settings_are_outdated_begins_again_and_no_other(store: Store):
    begun = {JobKind.DETECT: 0, JobKind.SORT: 0}
    at_work, go_on = threading.Event(), threading.Event()

    def handler(kind):
        def work(context, parameters):
            begun[kind] += 1
            at_work.set()
            while not go_on.wait(0.01):
                context.checkpoint()
            return {}

        return work

    runner = Runner(store, {kind: handler(kind) for kind in begun})
    runner.start()
    for kind, times in ((JobKind.DETECT, 1), (JobKind.SORT, 2)):
        at_work.clear()
        go_on.clear()
        job_id = start_job(store, kind, {}, "user")
        assert at_work.wait(WAIT_S)
        at_work.clear()
        runner.begin_again(lambda kind, parameters: kind is JobKind.SORT and parameters == {})
        assert at_work.wait(WAIT_S if times == 2 else 0.3) == (times == 2)
        go_on.set()
        row = wait_for(store, job_id, JobState.DONE)
        assert (begun[kind], row["attempts"]) == (times, 1)
    runner.stop()


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        (JobKind.COMPRESS, {}, True),
        (JobKind.COMPRESS, {"dry_run": True}, False),
        (JobKind.SORT, {"dry_run": True}, True),
        (JobKind.UNDO, {"batch": 1}, True),
        (JobKind.DETECT, {}, False),
    ],
)
def test_a_folder_that_is_added_interrupts_only_what_must_obey_a_new_protection(
    kind: JobKind, parameters: dict[str, Any], expected: bool
):
    assert is_restarted(kind, parameters) is expected


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ComparImgError(text("No such folder."), hint=text("Name another.")), "No such folder. Name another."),
        (KeyError("x"), "KeyError"),
    ],
)
def test_a_job_that_fails_says_why_and_the_next_one_runs(store: Store, error: Exception, words: str):
    def handler(context, parameters):
        raise error

    runner = run(store, handler)
    failed = start_job(store, JobKind.DETECT, {}, "user")
    assert words in str(wait_for(store, failed, JobState.FAILED)["error"])
    wait_for(store, start_job(store, JobKind.SCAN, {}, "user"), JobState.DONE)
    runner.stop()


def test_a_running_job_is_cancelled_between_two_steps(store: Store):
    begun = threading.Event()

    def handler(context, parameters):
        while True:
            begun.set()
            context.checkpoint()

    runner = run(store, handler)
    job_id = start_job(store, JobKind.DETECT, {}, "user")
    assert begun.wait(WAIT_S)
    assert store.write(lambda db: jobs.request_cancel(db, job_id, 1)) == JobState.RUNNING
    wait_for(store, job_id, JobState.CANCELLED)
    runner.stop()


def test_a_waiting_job_is_cancelled_at_once(store: Store):
    job_id = start_job(store, JobKind.SCAN, {}, "user")
    assert store.write(lambda db: jobs.request_cancel(db, job_id, 1)) == JobState.CANCELLED
    assert store.write(lambda db: jobs.take_next(db, 1)) is None


def test_stopping_puts_the_job_back_and_a_new_start_takes_it_up(store: Store):
    begun = threading.Event()

    def endless(context, parameters):
        while True:
            begun.set()
            context.checkpoint()

    runner = run(store, endless)
    job_id = start_job(store, JobKind.DETECT, {}, "user")
    assert begun.wait(WAIT_S)
    runner.stop()
    with store.read() as database:
        row = jobs.read(database, job_id)
    assert (row["state"], row["attempts"]) == (JobState.QUEUED, 0)
    runner = run(store, lambda context, parameters: {})
    wait_for(store, job_id, JobState.DONE)
    runner.stop()


@pytest.mark.parametrize(("crashes", "state"), [(8, JobState.DONE), (9, JobState.FAILED)])
def test_a_job_under_way_at_nine_crashes_is_not_run_again(store: Store, crashes: int, state: JobState):
    job_id = start_job(store, JobKind.DETECT, {}, "user")
    for _ in range(crashes):
        store.write(lambda db: jobs.take_next(db, 1))
        assert store.write(jobs.requeue_running) == [job_id]
    runner = run(store, lambda context, parameters: {})
    row = wait_for(store, job_id, JobState.FAILED, JobState.DONE)
    runner.stop()
    assert row["state"] == state
    assert ("not started again" in str(row["error"])) is (state == JobState.FAILED)


def test_an_urgent_job_is_run_inside_a_long_one(store: Store):
    begun = threading.Event()
    order: list[str] = []

    def long(context, parameters):
        while "urgent" not in order:
            begun.set()
            context.checkpoint()
        order.append("long")
        return {}

    def urgent(context, parameters):
        order.append("urgent")
        return {}

    runner = Runner(store, {JobKind.DETECT: long, JobKind.SCAN: urgent})
    runner.start()
    job_id = start_job(store, JobKind.DETECT, {}, "user")
    assert begun.wait(WAIT_S)
    start_job(store, JobKind.SCAN, {"paths": ["/p/a.jpg"]}, "watch")
    wait_for(store, job_id, JobState.DONE)
    runner.stop()
    assert order == ["urgent", "long"]


def test_the_same_work_is_not_queued_twice(store: Store):
    first = start_job(store, JobKind.SCAN, {}, "user")
    assert start_job(store, JobKind.SCAN, {}, "schedule") == first
    assert start_job(store, JobKind.SCAN, {"paths": ["/x"]}, "user") != first


def test_old_jobs_are_forgotten(store: Store):
    def fill(database):
        for number in range(5):
            job_id = jobs.add(database, JobKind.SCAN, {"paths": [str(number)]}, "watch")
            jobs.update(database, job_id, state=JobState.DONE)
        jobs.delete_old(database, keep=2)
        return [row[0] for row in database.execute_sql("SELECT id FROM job ORDER BY id")]

    assert store.write(fill) == [4, 5]


def test_a_full_disk_makes_a_job_wait_and_go_on(store: Store, caplog: pytest.LogCaptureFixture):
    tries = []

    def handler(context, parameters):
        tries.append(1)
        if len(tries) < 3:
            raise NoRoom("previews.no_room", folder="/data", problem="")
        return {}

    runner = run(store, handler, retry_s=0.01)
    job_id = start_job(store, JobKind.DETECT, {}, "user")
    row = wait_for(store, job_id, JobState.DONE, JobState.FAILED)
    runner.stop()
    assert (row["state"], row["attempts"], len(tries)) == (JobState.DONE, 1, 3)
    assert "Free some space" in caplog.text


def test_an_index_that_cannot_be_written_for_a_while_ends_no_job(store: Store, monkeypatch: pytest.MonkeyPatch):
    refused = []

    def handler(context, parameters):
        write = store.write

        def locked(change):
            if len(refused) < 3:
                refused.append(1)
                raise StoreError(text("database is locked"))
            return write(change)

        monkeypatch.setattr(store, "write", locked)
        return {"reported": True}

    runner = run(store, handler, retry_s=0.01)
    job_id = start_job(store, JobKind.DETECT, {}, "user")
    row = wait_for(store, job_id, JobState.DONE)
    runner.stop()
    assert len(refused) == 3
    assert json.loads(row["outcome"]) == {"reported": True}
