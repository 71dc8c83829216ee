"""Job rows: what is asked for twice is done once, unless a crash cut the first off."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.model import JobKind, JobState
from index.records import jobs
from index.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def add(store: Store, hsize: int = 8) -> int:
    return store.write(lambda db: jobs.add(db, JobKind.DETECT, {"hsize": hsize}, "user"))


def state_of(store: Store, job_id: int) -> str:
    with store.read() as database:
        return str(jobs.read(database, job_id)["state"])


def test_the_same_wish_is_queued_once(store: Store) -> None:
    first = add(store)
    assert add(store) == first
    assert add(store, hsize=16) != first


def test_a_wish_for_what_runs_or_was_cancelled_is_a_new_one(store: Store) -> None:
    first = add(store)
    store.write(lambda db: jobs.take_next(db, 1))
    second = add(store)
    assert second != first
    assert store.write(lambda db: jobs.request_cancel(db, second, 2)) == JobState.CANCELLED
    assert add(store) not in (first, second)


def test_what_a_crash_cut_off_takes_no_new_wish_with_it(store: Store) -> None:
    first = add(store)
    store.write(lambda db: jobs.take_next(db, 1))
    assert store.write(jobs.requeue_running) == [first]
    assert state_of(store, first) == JobState.QUEUED
    assert add(store) != first


def test_what_was_running_and_asked_to_cancel_is_cancelled_by_a_crash(store: Store) -> None:
    first = add(store)
    store.write(lambda db: jobs.take_next(db, 1))
    assert store.write(lambda db: jobs.request_cancel(db, first, 2)) == JobState.RUNNING
    store.write(jobs.requeue_running)
    assert state_of(store, first) == JobState.CANCELLED
    with store.read() as database:
        assert jobs.read(database, first)["finished_ns"] is not None


def test_a_wish_that_waits_becomes_as_urgent_as_who_asks_again(store: Store) -> None:
    first = store.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "schedule"))
    assert store.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "user")) == first
    assert store.write(lambda db: jobs.add(db, JobKind.DETECT, {}, "start")) == first
    with store.read() as database:
        assert jobs.read(database, first)["priority"] == jobs.PRIORITIES["user"]
