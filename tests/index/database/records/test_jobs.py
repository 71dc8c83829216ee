"""Job rows: what is asked for twice is done once, unless a crash cut the first off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database.records import jobs
from index.database.store import Store
from index.model import JobKind, JobState


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def add(store: Store, hsize: int = 8) -> int:
    return store.write(lambda db: jobs.add(db, JobKind.DETECT, {"hsize": hsize}, "user"))


def state_of(store: Store, job_id: int) -> str:
    with store.read() as database:
        return str(jobs.read(database, job_id)["state"])


def test_equal_requests_are_queued_once(store: Store) -> None:
    first = add(store)
    assert add(store) == first
    assert add(store, hsize=16) != first


def test_a_request_equal_to_a_running_or_cancelled_job_is_a_new_job(store: Store) -> None:
    first = add(store)
    store.write(lambda db: jobs.take_next(db, 1))
    second = add(store)
    assert second != first
    assert store.write(lambda db: jobs.request_cancel(db, second, 2)) == JobState.CANCELLED
    assert add(store) not in (first, second)


def test_a_job_interrupted_by_a_crash_absorbs_no_new_request(store: Store) -> None:
    first = add(store)
    store.write(lambda db: jobs.take_next(db, 1))
    assert store.write(jobs.requeue_running) == [first]
    assert state_of(store, first) == JobState.QUEUED
    assert add(store) != first


def test_a_running_job_with_a_cancel_request_is_cancelled_by_a_crash(store: Store) -> None:
    first = add(store)
    store.write(lambda db: jobs.take_next(db, 1))
    assert store.write(lambda db: jobs.request_cancel(db, first, 2)) == JobState.RUNNING
    store.write(jobs.requeue_running)
    assert state_of(store, first) == JobState.CANCELLED
    with store.read() as database:
        assert jobs.read(database, first)["finished_ns"] is not None


def test_a_queued_job_takes_the_higher_priority_of_an_equal_request(store: Store) -> None:
    first = store.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "schedule"))
    assert store.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "user")) == first
    assert store.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "start")) == first
    with store.read() as database:
        assert jobs.read(database, first)["priority"] == jobs.PRIORITIES["user"]
