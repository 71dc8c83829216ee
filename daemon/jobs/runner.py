"""Runs queued jobs one at a time, with progress, cancelling and requeueing. Thread: comparimg-runner.

A job calls `checkpoint` between two images. There it stops if it was cancelled or the service stops, and there the
short urgent jobs of the watcher are run, so that a new file never waits for a long detection.

A full disk fails no job: the job goes back to the queue, and the runner waits until the index can be written again.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from daemon.processes.worker_pool import WorkersUnavailable
from index.database.records import jobs
from index.database.records.quarantine import TRIES
from index.database.store import Store
from index.errors import Cancelled, ComparImgError, NoRoom, StoreClosed, StoreError
from index.messages import Message
from index.model import JobKind, JobState

log = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 0.5
# Reading the row takes about 50 us: too much between any two images of 3 ms each.
CHECK_INTERVAL_S = 0.1
# A job that was running in this many crashes of the service is the likely cause. More than it takes to quarantine a few
# pictures that crash it (see records.quarantine), so that the job can end without them.
ATTEMPTS = 3 * TRIES
ENDED_JOBS_KEPT = 500
# The longest wait for a job; every commit wakes the runner anyway.
IDLE_S = 60.0
# Between two attempts to write to an index that cannot be written, as on a full disk.
RETRY_S = 3.0


class Stopping(Exception):
    """The service stops, or the job was started with outdated settings: it goes back to the queue."""


class JobContext:
    """What a running job sees of the runner: its progress, and whether to continue."""

    def __init__(self, runner: "Runner", job_id: int, nested: bool) -> None:
        self.job_id = job_id
        self._runner = runner
        self._nested = nested
        self._phase = ""
        self._phase_started_s = time.monotonic()
        self._base = 0
        self._done = 0
        self._total: int | None = None
        self._written_s = 0.0
        self._checked_s = 0.0

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        """Start a phase of the job, with its name and the number of its steps if known."""
        self._phase, self._total, self._done, self._base = phase, total, done, done
        self._phase_started_s = time.monotonic()
        self.report()

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        self.checkpoint()

    def checkpoint(self) -> None:
        """Call between two images: raises Cancelled or Stopping, reports the progress, runs urgent jobs."""
        now_s = time.monotonic()
        if now_s - self._checked_s >= CHECK_INTERVAL_S:
            self._checked_s = now_s
            self._runner.check(self.job_id)
        if now_s - self._written_s >= PROGRESS_INTERVAL_S:
            self.report()
            if not self._nested:
                self._runner.run_urgent()

    def report(self) -> None:
        """Write the progress to the job's row."""
        self._written_s = time.monotonic()
        self._runner.heartbeat()
        elapsed_s = self._written_s - self._phase_started_s
        rate = (self._done - self._base) / elapsed_s if elapsed_s > 0 else None
        changes = {"phase": self._phase, "done": self._done, "total": self._total, "rate": rate}
        self._runner.store.submit(lambda database: jobs.update(database, self.job_id, **changes))


Handler = Callable[[JobContext, Any], Mapping[str, Any]]


class Runner:
    """Runs jobs. `handlers` has a function for each kind, which does the work and returns the outcome to store."""

    def __init__(self, store: Store, handlers: Mapping[JobKind, Handler], retry_s: float = RETRY_S) -> None:
        self.store = store
        self._handlers = handlers
        self._retry_s = retry_s
        self._stop = threading.Event()
        # The running jobs, innermost last, and those of them that must start again.
        self._running: list[tuple[int, JobKind, Mapping[str, Any]]] = []
        self._outdated: set[int] = set()
        self._heartbeat_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="comparimg-runner")

    def start(self) -> None:
        """Requeue the jobs that a crash left running, and start the thread."""
        self.store.write(jobs.requeue_running)
        self._thread.start()

    def stop(self) -> None:
        """Stop the running job between two images, so that it goes back to the queue; then join."""
        self.interrupt()
        self.join()

    def interrupt(self) -> None:
        """Like `stop`, without waiting. A job whose worker processes are closed from now on goes back to the queue as
        well."""
        self._stop.set()
        # A closed index wakes a waiting runner on its own.
        with contextlib.suppress(StoreClosed):
            self.store.submit(lambda database: None)

    def begin_again(self, concerns: Callable[[JobKind, Mapping[str, Any]], bool]) -> None:
        """Have the running jobs that this concerns, by kind and parameters, go back to the queue between two files, and
        continue immediately with the present settings. Any thread."""
        self._outdated.update(job_id for job_id, kind, given in tuple(self._running) if concerns(kind, given))

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the thread has ended; whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def heartbeat(self) -> None:
        self._heartbeat_s = time.monotonic()

    @property
    def silence_s(self) -> float:
        """The time since the last heartbeat of the runner, or of the job it runs."""
        return time.monotonic() - self._heartbeat_s

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def check(self, job_id: int) -> None:
        self.heartbeat()
        if self._stop.is_set() or job_id in self._outdated:
            raise Stopping
        with self.store.read() as database:
            (cancel,) = database.execute_sql("SELECT cancel_requested FROM job WHERE id = ?", (job_id,)).fetchone()
        if cancel:
            raise Cancelled("job.cancelled")

    def run_urgent(self) -> None:
        """Run the watcher's waiting jobs inside a longer one."""
        while (row := self._claim_next(jobs.PRIORITIES["watch"])) is not None:
            self._run_one(row, nested=True)

    def _run(self) -> None:
        with self.store.read():
            while not self._stop.is_set():
                self.heartbeat()
                seen = self.store.revision
                row = self._claim_next(0)
                if row is None:
                    self.store.wait_for_change(seen, IDLE_S)
                else:
                    self._run_one(row, nested=False)

    def _claim_next(self, least_priority: int) -> dict[str, Any] | None:
        with self.store.read() as database:
            waiting = database.execute_sql(
                "SELECT 1 FROM job WHERE state = 'queued' AND priority >= ? LIMIT 1", (least_priority,)
            ).fetchone()
        if waiting is None:
            return None
        row: dict[str, Any] | None = self._write_with_retry(
            lambda database: jobs.take_next(database, time.time_ns(), least_priority)
        )
        return row

    def _run_one(self, row: Mapping[str, Any], nested: bool) -> None:
        job_id = row["id"]
        if row["attempts"] > ATTEMPTS:
            self._end(job_id, JobState.FAILED, error=Message("job.ended_often", n=ATTEMPTS))
            return
        context = JobContext(self, job_id, nested)
        given = json.loads(row["parameters"])
        self._running.append((job_id, JobKind(row["kind"]), given))
        try:
            parameters = jobs.check_parameters(row["kind"], given)
            outcome = self._handlers[JobKind(row["kind"])](context, parameters)
        except (Stopping, NoRoom) as error:
            self._requeue(row)
            if nested:
                raise
            if isinstance(error, NoRoom):
                self._wait_to_retry(error)
        except Cancelled:
            context.report()
            self._end(job_id, JobState.CANCELLED)
        except ComparImgError as error:
            if isinstance(error, WorkersUnavailable) and self._stop.is_set():
                self._requeue(row)
            else:
                self._fail(row, error)
        except Exception as error:
            log.exception("job %d (%s) failed", job_id, row["kind"])
            self._end(job_id, JobState.FAILED, error=Message("job.unexpected", kind=type(error).__name__, error=error))
        else:
            context.report()
            self._end(job_id, JobState.DONE, outcome=json.dumps(outcome, sort_keys=True))
        finally:
            self._running.pop()
            self._outdated.discard(job_id)

    def _fail(self, row: Mapping[str, Any], error: ComparImgError) -> None:
        log.warning("job %d (%s) failed: %s", row["id"], row["kind"], error)
        self._end(row["id"], JobState.FAILED, error=error.advice)

    def _end(self, job_id: int, state: JobState, **changes: Any) -> None:
        def end(database: Any) -> None:
            jobs.update(database, job_id, state=state, finished_ns=time.time_ns(), **changes)
            jobs.delete_old(database, ENDED_JOBS_KEPT)

        self._write_with_retry(end)

    def _requeue(self, row: Mapping[str, Any]) -> None:
        changes = {"state": JobState.QUEUED, "attempts": row["attempts"] - 1, "phase": ""}
        self._write_with_retry(lambda database: jobs.update(database, row["id"], **changes))

    def _write_with_retry(self, change: Callable[[Any], Any]) -> Any:
        """Change a job's row, and retry while the index cannot be written. None if the service stops in the meantime:
        the next start requeues the jobs that it finds running."""
        logged = False
        while True:
            try:
                return self.store.write(change)
            except StoreClosed:
                raise
            except StoreError as error:
                if self._stop.is_set() or self.store.fault:
                    return None
                self._wait_to_retry(error, logged)
                logged = True

    def _wait_to_retry(self, error: StoreError, logged: bool = False) -> None:
        """Wait for room on the disk, or for another process to release the index."""
        if not logged:
            log.error("jobs wait: %s", error.advice)
        self.heartbeat()
        self._stop.wait(self._retry_s)


def start_job(store: Store, kind: JobKind, parameters: msgspec.Struct | Mapping[str, Any], origin: str) -> int:
    """Queue a job of typed or plain parameters; its id."""
    plain = parameters if isinstance(parameters, Mapping) else msgspec.to_builtins(parameters)
    jobs.check_parameters(kind, plain)
    return store.write(lambda database: jobs.add(database, kind, plain, origin))
