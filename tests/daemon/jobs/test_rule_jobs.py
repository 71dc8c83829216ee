"""Rules as jobs: in portions, undone as a whole when they are cancelled or killed, and previews that are estimated."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon.jobs.rule_jobs import RuleJobs
from daemon.jobs.runner import Stopping
from index.database.queries import rule_application
from index.database.queries.group_filter import GroupFilter
from index.database.records import decisions, jobs, rule_runs
from index.database.records.jobs import RuleParameters
from index.database.store import Store
from index.errors import Cancelled
from index.imaging.grouping.rules import Rule, described
from index.model import Choice, JobKind, Kind
from support.random_groups import add_random_groups
from support.weblibrary import Daemon, Library, make_client

RULE = Rule(Choice.TRASH, kinds=(Kind.EXACT, Kind.PIXELS, Kind.NEAR), decides_ties=True)
EARLIER = Rule(Choice.TRASH, kinds=(Kind.EXACT, Kind.PIXELS), decides_ties=True)
API = "/api/v1"


class Killed(BaseException):
    """Nothing after it is run, as after kill -9."""


class Context:
    """A job's context that notes progress, and does something once so many groups are done."""

    def __init__(self, job_id: int, after: int = 10**9, what: Callable[[], None] = lambda: None) -> None:
        self.job_id = job_id
        self.phases: list[tuple[str, int | None]] = []
        self.done = 0
        self._after, self._what = after, what

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self.phases.append((phase, total))

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        self.checkpoint()

    def checkpoint(self) -> None:
        if self.done >= self._after:
            self._what()


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_application, "GROUPS_AT_ONCE", 4)
    monkeypatch.setattr(rule_runs, "ROLLED_BACK_AT_ONCE", 3)


def fill(store: Store) -> None:
    library = Library(store, Path("/photos"))
    library.add_root()
    library.add_detection()
    add_random_groups(library, seed=11)


def decided(store: Store) -> tuple[Any, Any]:
    with store.read() as database:
        rows = database.execute_sql("SELECT image_id, choice, criterion, order_id FROM decision ORDER BY image_id")
        kept = rows.fetchall()
        groups = [row[0] for row in database.execute_sql("SELECT id FROM duplicate_group").fetchall()]
        assert decisions.without_keeper(database, groups) == set()
        counts = database.execute_sql("SELECT key, decided FROM duplicate_group ORDER BY key").fetchall()
        left = database.execute_sql("SELECT count(*) FROM replaced_decision").fetchone()[0]
        assert left == 0 or rule_runs.unfinished(database) or jobs_waiting(database)
    return kept, counts


def jobs_waiting(database: Any) -> int:
    return int(database.execute_sql("SELECT count(*) FROM job WHERE state = 'running'").fetchone()[0])


def start(store: Store, rule: Rule = RULE, dry_run: bool = False) -> tuple[int, RuleParameters]:
    parameters = RuleParameters(described(rule), dry_run=dry_run)
    plain = {"rule": parameters.rule, "dry_run": dry_run}
    job_id = store.write(lambda db: jobs.add(db, JobKind.RULE, plain, "user"))
    store.write(lambda db: jobs.take_next(db, 1))
    return job_id, parameters


def without_order(state: tuple[Any, Any]) -> tuple[Any, Any]:
    return [row[:3] for row in state[0]], state[1]


@pytest.fixture
def expected(tmp_path: Path) -> tuple[Any, Any]:
    """What the rule decides in one request, after an earlier one."""
    with Store(tmp_path / "whole") as store:
        fill(store)
        rule_application.apply(store.write, EARLIER, GroupFilter(), 1)
        rule_application.apply(store.write, RULE, GroupFilter(), 2)
        return without_order(decided(store))


def test_a_job_decides_and_counts_as_a_request_does(tmp_path: Path, expected: tuple[Any, Any]) -> None:
    with Store(tmp_path / "data") as store:
        fill(store)
        rule_application.apply(store.write, EARLIER, GroupFilter(), 1)
        before = decided(store)
        job_id, parameters = start(store, dry_run=True)
        context = Context(job_id)
        counted = RuleJobs(store).run(context, parameters)
        assert (decided(store), counted["order"], counted["dry_run"]) == (before, None, True)
        assert context.phases == [("counting", counted["selected"])]
        assert context.done == counted["selected"] == counted["looked_at"] > 20
        with store.read() as database:
            effect = rule_application.preview(database, RULE, GroupFilter())
        assert (counted["groups"], counted["images"], counted["bytes"]) == (effect.groups, effect.images, effect.bytes)
        json.dumps(counted)

        job_id, parameters = start(store)
        context = Context(job_id)
        made = RuleJobs(store).run(context, parameters)
        assert context.phases == [("deciding", made["selected"])]
        assert without_order(decided(store)) == expected
        assert (made["groups"], made["images"]) == (counted["groups"], counted["images"])
        assert rule_runs.revoke(store.write, made["order"]) > 10
        assert all(order != made["order"] for *_, order in decided(store)[0])


@pytest.mark.parametrize("after", range(4, 40, 8))
def test_a_cancelled_job_undoes_all_and_what_it_replaced_is_decided_again(tmp_path: Path, after: int) -> None:
    with Store(tmp_path / "data") as store:
        fill(store)
        rule_application.apply(store.write, EARLIER, GroupFilter(), 1)
        before = decided(store)
        assert len(before[0]) > 10
        job_id, parameters = start(store)
        with pytest.raises(Cancelled):
            RuleJobs(store).run(Context(job_id, after, raising(Cancelled("job.cancelled"))), parameters)
        assert decided(store) == before
        with store.read() as database:
            assert len(rule_runs.page(database, None, 10)[0]) == 1
            assert rule_runs.unfinished(database) == []


@pytest.mark.parametrize("end", [Killed(), Stopping()])
@pytest.mark.parametrize("after", range(4, 40, 8))
def test_an_interrupted_job_is_done_again_as_if_it_never_was(
    tmp_path: Path, expected: tuple[Any, Any], after: int, end: BaseException
) -> None:
    with Store(tmp_path / "data") as store:
        fill(store)
        rule_application.apply(store.write, EARLIER, GroupFilter(), 1)
        job_id, parameters = start(store)
        with pytest.raises(type(end)):
            RuleJobs(store).run(Context(job_id, after, raising(end)), parameters)
    with Store(tmp_path / "data") as store:
        # The job waits: what it has decided is left to it.
        RuleJobs(store).recover()
        with store.read() as database:
            assert len(rule_runs.page(database, None, 10)[0]) == 1
            assert rule_runs.unfinished(database, job_id) != []
        store.write(jobs.requeue_running)
        store.write(lambda db: jobs.take_next(db, 2))
        made = RuleJobs(store).run(Context(job_id), parameters)
        assert without_order(decided(store)) == expected
        assert {order for *_, order in decided(store)[0]} >= {made["order"]}
        with store.read() as database:
            assert rule_runs.unfinished(database, job_id) == []


@pytest.mark.parametrize("after", [1, 3, 5])
@pytest.mark.parametrize("by", ["request", "cancelled job"])
def test_what_no_job_will_finish_is_rolled_back_at_the_next_start(tmp_path: Path, after: int, by: str) -> None:
    with Store(tmp_path / "data") as store:
        fill(store)
        rule_application.apply(store.write, EARLIER, GroupFilter(), 1)
        before = decided(store)
        if by == "request":
            count = 0

            def write(change: Any) -> Any:
                nonlocal count
                count += 1
                if count > after:
                    raise Killed
                return store.write(change)

            with pytest.raises(Killed):
                rule_application.apply(write, RULE, GroupFilter(), 2)
        else:
            job_id, parameters = start(store)
            with pytest.raises(Killed):
                RuleJobs(store).run(Context(job_id, 4 * after, raising(Killed())), parameters)
            store.write(lambda db: jobs.request_cancel(db, job_id, 3))
    with Store(tmp_path / "data") as store:
        with store.read() as database:
            (run_id,) = rule_runs.unfinished(database)
        # A crash in the middle of it leaves it to the start after that.
        store.write(lambda db: rule_runs._roll_back_some(db, run_id))
        RuleJobs(store).recover()
        assert decided(store) == before
        with store.read() as database:
            assert rule_runs.unfinished(database) == []


def test_a_preview_of_many_groups_is_estimated_and_a_job_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "data") as store:
        fill(store)
        with store.read() as database:
            whole = rule_application.preview(database, RULE, GroupFilter())
        monkeypatch.setattr(rule_application, "ANSWERED_AT_ONCE", 12)
        monkeypatch.setattr(rule_application, "ESTIMATED_FROM", 10)
        with store.read() as database:
            effect = rule_application.preview(database, RULE, GroupFilter())
        assert (effect.selected, effect.looked_at) == (whole.selected, 10)
        assert 0.5 * whole.groups < effect.groups < 2 * whole.groups
        assert sum(effect.by_criterion.values()) == pytest.approx(effect.groups, abs=5)
        client = make_client(store, Daemon())
        body = {"choice": "trash", "kinds": ["exact", "pixels", "near"], "ties": "decide"}
        assert client.send("POST", f"{API}/rules/preview", body).json["looked_at"] == 10
        refused = client.send("POST", f"{API}/rules/apply", body)
        assert (refused.status, refused.json["error"]["code"]) == (409, "for_a_job")
        assert decided(store)[0] == []
        queued = client.send("POST", f"{API}/rules/jobs", body)
        assert (queued.status, queued.json["kind"], queued.json["state"]) == (202, "rule", "queued")
        with store.read() as database:
            row = jobs.read(database, queued.json["id"])
        parameters = jobs.check_parameters("rule", json.loads(row["parameters"]))
        store.write(lambda db: jobs.take_next(db, 1))
        made = RuleJobs(store).run(Context(row["id"]), parameters)  # type: ignore[arg-type]
        assert (made["groups"], made["images"]) == (whole.groups, whole.images)
        client.app.close()
