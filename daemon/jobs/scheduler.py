"""The scheduler: cron and interval triggers that queue jobs. APScheduler only inserts rows. Thread: APScheduler's own.

Schedules are rows of the index: those of comparimg.toml, updated at start, and those made over REST. A schedule that
came due while the service was down is queued once at start.
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from index.database.records import jobs
from index.database.schema import Schedule
from index.database.store import Store
from index.errors import StoreError, UsageError
from index.model import JobKind
from index.triggers import SYSTEM, parse_trigger

log = logging.getLogger(__name__)

# A smaller change of the clock is no jump: network time adjusts it all day.
JUMP_S: Final = 30.0
# The delay before a run that could not be queued, as on a full disk, is retried.
RETRY_S: Final = 60.0


class Scheduler:
    """Holds one trigger for each enabled schedule row; call `refresh` when a row has changed, `check_clock` every
    second."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # By default APScheduler 3 drops runs that are more than a second late and warns of every overlapping one.
        self._clock = BackgroundScheduler(
            timezone=SYSTEM, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._ahead_s = _wall_clock_ahead_s()
        self._retry_s = math.inf

    def start(self) -> None:
        self.refresh()
        self._clock.start()

    def stop(self) -> None:
        if self._clock.running:
            self._clock.shutdown(wait=True)

    @property
    def alive(self) -> bool:
        return bool(self._clock.running)

    def refresh(self) -> None:
        """Replace the triggers with those of the rows, and queue at once what came due since its last run."""
        now_ns = time.time_ns()
        # A last run in the future comes from a wrong clock: it counts as now.
        self._store.write(
            lambda database: Schedule.update(last_run_ns=now_ns).where(Schedule.last_run_ns > now_ns).execute(database)
        )
        with self._store.read() as database:
            rows = list(Schedule.select().where(Schedule.enabled).dicts().execute(database))
        self._clock.remove_all_jobs()
        for row in rows:
            try:
                trigger = parse_trigger(row["trigger"])
            except UsageError as error:  # an earlier version accepted it
                log.warning("the schedule %s is not run: %s", row["name"], error.message)
                continue
            # An interval continues from the last run, not from this call.
            due_ns = _due_ns(trigger, row["last_run_ns"])
            first = {}
            if due_ns is not None and due_ns > now_ns:
                first = {"next_run_time": datetime.fromtimestamp(due_ns / 1e9, UTC)}
            self._clock.add_job(self.fire, trigger, args=[row["id"]], id=str(row["id"]), name=row["name"], **first)
            if was_missed(trigger, row["last_run_ns"], now_ns):
                self.fire(row["id"])

    def check_clock(self) -> None:
        """Recalculate the next runs if the wall clock was set, the machine slept, or a run could not be queued.

        APScheduler waits by the monotonic clock: too long if the wall clock is set forward or advanced during sleep,
        and for years if it is set back by years.
        """
        ahead_s = _wall_clock_ahead_s()
        if abs(ahead_s - self._ahead_s) < JUMP_S and time.monotonic() < self._retry_s:
            return
        if abs(ahead_s - self._ahead_s) >= JUMP_S:
            log.info("the clock was set, or the machine slept: schedules are recalculated")
        self._retry_s = math.inf
        try:
            self.refresh()
        except StoreError as error:
            self._retry_later(error)
        else:
            self._ahead_s = ahead_s

    def next_run_ns(self, schedule_id: int) -> int | None:
        """When the schedule fires next; None if it is disabled or never will."""
        job = self._clock.get_job(str(schedule_id))
        moment = getattr(job, "next_run_time", None)
        return None if moment is None else int(moment.timestamp() * 1e9)

    def fire(self, schedule_id: int) -> None:
        """Queue the job of one schedule and record the time."""

        def queue_job(database: Any) -> None:
            for row in Schedule.select().where(Schedule.id == schedule_id).dicts().execute(database):
                now_ns = time.time_ns()
                jobs.add(database, JobKind(row["kind"]), json.loads(row["parameters"]), "schedule", now_ns)
                Schedule.update(last_run_ns=now_ns).where(Schedule.id == schedule_id).execute(database)

        try:
            self._store.write(queue_job)
        except StoreError as error:
            self._retry_later(error)

    def _retry_later(self, error: StoreError) -> None:
        log.warning("a scheduled job could not be queued, and is retried: %s", error.message)
        self._retry_s = time.monotonic() + RETRY_S


def _wall_clock_ahead_s() -> float:
    return time.time() - time.monotonic()


def was_missed(trigger: BaseTrigger, last_run_ns: int | None, now_ns: int) -> bool:
    """Whether the trigger came due between its last run and now; one that never ran has missed nothing."""
    due_ns = _due_ns(trigger, last_run_ns)
    return due_ns is not None and due_ns < now_ns


def _due_ns(trigger: BaseTrigger, last_run_ns: int | None) -> int | None:
    """When the trigger comes due after its last run."""
    if last_run_ns is None:
        return None
    last = datetime.fromtimestamp(last_run_ns / 1e9, UTC)
    due = trigger.get_next_fire_time(last, last)
    return None if due is None else int(due.timestamp() * 1e9)


def sync_file_schedules(database: Any, wanted: Mapping[str, tuple[JobKind, str]]) -> None:
    """Update the rows that come from comparimg.toml: name -> (kind, trigger). Others are not changed."""
    Schedule.delete().where(Schedule.origin == "file", Schedule.name.not_in(list(wanted))).execute(database)
    for name, (kind, trigger) in wanted.items():
        known = Schedule.select().where(Schedule.name == name).dicts().execute(database)
        row = next(iter(known), None)
        if row is None:
            values = {"name": name, "kind": kind, "parameters": "{}", "trigger": trigger, "origin": "file"}
            Schedule.insert(last_run_ns=time.time_ns(), **values).execute(database)
        elif row["trigger"] != trigger and row["origin"] == "file":
            Schedule.update(trigger=trigger).where(Schedule.id == row["id"]).execute(database)
