"""Decisions about many groups as jobs: as a request decides, undone where they are cancelled, estimated before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.bulk_jobs import BulkJobs
from daemon.jobs.runner import Stopping
from index.database.queries import bulk_decisions, rule_application
from index.database.queries.bulk_decisions import BulkRequest
from index.database.queries.group_filter import GroupFilter
from index.database.records import jobs, rule_runs
from index.database.records.jobs import DecideParameters, GroupSelection
from index.database.store import Store
from index.errors import Cancelled
from index.model import JobKind
from support.random_groups import add_random_groups
from support.weblibrary import Daemon, Library, make_client

API = "/api/v1"
ACTIONS = ("accept", "keep", "not_duplicates")


class Context:
    """A job's context that raises once so many groups are done."""

    def __init__(self, job_id: int, after: int = 10**9, error: BaseException | None = None) -> None:
        self.job_id = job_id
        self.phases: list[tuple[str, int | None]] = []
        self.done = 0
        self._after, self._error = after, error

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self.phases.append((phase, total))

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        self.checkpoint()

    def checkpoint(self) -> None:
        if self._error is not None and self.done >= self._after:
            raise self._error


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_decisions, "GROUPS_AT_ONCE", 4)


@pytest.fixture
def open_filled(tmp_path: Path) -> Callable[[str], Store]:
    def open_one(name: str) -> Store:
        store = Store(tmp_path / name)
        library = Library(store, Path("/photos"))
        library.add_root()
        library.add_detection()
        add_random_groups(library, seed=11)
        return store

    return open_one


def state(store: Store) -> list[Any]:
    with store.read() as database:
        return [
            database.execute_sql(question).fetchall()
            for question in (
                "SELECT image_id, choice FROM decision ORDER BY image_id",
                "SELECT hex(a_digest), hex(b_digest), label FROM verdict ORDER BY 1, 2",
                "SELECT key, decided FROM duplicate_group ORDER BY key",
            )
        ]


def start(store: Store, action: str, dry_run: bool = False, batch: str = "b1") -> tuple[int, DecideParameters]:
    plain = {"action": action, "chosen": {}, "dry_run": dry_run, "batch": batch}
    job_id = store.write(lambda db: jobs.add(db, JobKind.DECIDE, plain, "user"))
    store.write(lambda db: jobs.take_next(db, 1))
    return job_id, DecideParameters(action, GroupSelection(), batch=batch, dry_run=dry_run)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_job_decides_and_counts_as_a_request_does(open_filled: Callable[[str], Store], action: str) -> None:
    with open_filled("whole") as store:
        effect = bulk_decisions.apply(store.write, BulkRequest(action, GroupFilter(), criteria=()), 2)
        expected = state(store)
    with open_filled("data") as store:
        before = state(store)
        job_id, parameters = start(store, action, dry_run=True)
        context = Context(job_id)
        counted = BulkJobs(store).run(context, parameters)
        assert state(store) == before
        assert (context.phases, context.done) == ([("counting", effect.selected)], effect.selected)
        assert counted["dry_run"]
        job_id, parameters = start(store, action)
        context = Context(job_id)
        made = BulkJobs(store).run(context, parameters)
        assert context.phases == [("deciding", effect.selected)]
        assert state(store) == expected
        assert (made["groups"], made["images"], made["bytes"]) == (effect.groups, effect.images, effect.bytes)
        assert (made["batch"], bool(made["order"])) == (("b1", False) if action == "not_duplicates" else (None, True))
        json.dumps([counted, made])


@pytest.mark.parametrize("action", ACTIONS)
def test_a_cancelled_job_leaves_everything_as_it_was(open_filled: Callable[[str], Store], action: str) -> None:
    with open_filled("data") as store:
        before = state(store)
        job_id, parameters = start(store, action)
        with pytest.raises(Cancelled):
            BulkJobs(store).run(Context(job_id, 8, Cancelled("job.cancelled")), parameters)
        # Of the made groups, some are others once they are rebuilt.
        kept = 2 if action == "not_duplicates" else 3
        assert state(store)[:kept] == before[:kept]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_job_that_was_stopped_begins_again(open_filled: Callable[[str], Store], action: str) -> None:
    with open_filled("whole") as store:
        bulk_decisions.apply(store.write, BulkRequest(action, GroupFilter(), criteria=()), 2)
        expected = state(store)
    with open_filled("data") as store:
        job_id, parameters = start(store, action)
        with pytest.raises(Stopping):
            BulkJobs(store).run(Context(job_id, 8, Stopping()), parameters)
        BulkJobs(store).run(Context(job_id), parameters)
        assert state(store) == expected
        with store.read() as database:
            assert rule_runs.unfinished(database) == []


def test_a_preview_of_many_groups_is_estimated_and_a_job_decides(
    open_filled: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_filled("data") as store:
        client = make_client(store, Daemon())
        whole = client.send("POST", f"{API}/decisions/preview", {"action": "keep"}).json
        assert whole["looked_at"] == whole["selected"] > 12
        monkeypatch.setattr(rule_application, "ANSWERED_AT_ONCE", 12)
        monkeypatch.setattr(rule_application, "ESTIMATED_FROM", 10)
        effect = client.send("POST", f"{API}/decisions/preview", {"action": "keep"}).json
        assert (effect["selected"], effect["looked_at"]) == (whole["selected"], 10)
        assert effect["groups"] == whole["groups"]
        refused = client.send("POST", f"{API}/decisions/apply", {"action": "keep"})
        assert (refused.status, refused.error["code"]) == (409, "for_a_job")
        queued = client.send("POST", f"{API}/decisions/jobs?kind=near,exact&path=/photos", {"action": "keep"})
        assert (queued.status, queued.json["kind"], queued.json["state"]) == (202, "decide", "queued")
        with store.read() as database:
            row = jobs.read(database, queued.json["id"])
        parameters = jobs.check_parameters("decide", json.loads(row["parameters"]))
        assert isinstance(parameters, DecideParameters)
        assert (parameters.chosen.kinds, parameters.chosen.path) == (["near", "exact"], "/photos")
        made = BulkJobs(store).run(Context(row["id"]), parameters)
        assert client.send("DELETE", f"{API}/orders/{made['order']}").status == 200
        assert state(store)[0] == []
        client.app.close()
