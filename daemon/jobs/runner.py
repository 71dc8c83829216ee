"""Takes queued jobs one at a time and runs them, with progress, cancel and requeue. Thread: comparimg-runner.

A job calls `checkpoint` between two images. There it leaves off when it was cancelled or the service stops, and there
the small urgent jobs of the watcher are run in between, so that a dropped file never waits for a long detection.

A disk that is full costs no job: it goes back to the queue, and the runner waits until the index can be written again.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from daemon.processes.workers import WorkersUnavailable
from index.errors import Cancelled, ComparImgError, NoRoom, StoreClosed, StoreError
from index.model import JobKind, JobState
from index.records import jobs
from index.records.attempts import FAILURES
from index.store import Store

log = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 0.5
# A look at the row costs about 50 us; between two images of 3 ms that would be felt.
CHECK_INTERVAL_S = 0.1
# A job that was under way at this many crashes of the service is the likely cause: more than it takes to find out some
# pictures that are (see index.records.attempts), so that it comes to its end without them.
ATTEMPTS = 3 * FAILURES
ENDED_JOBS_KEPT = 500
# Nothing depends on this wait: every commit wakes the runner.
IDLE_S = 60.0
# Between two attempts to write to an index that cannot be written: somebody has to make room first.
PATIENCE_S = 3.0


class Stopping(Exception):
    """The service stops: the job goes back to the queue."""


class JobContext:
    """What a running job sees of the runner: its progress, and whether to go on."""

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
        """Start a phase of the job: a word for the user, and how many steps it has, if that is known."""
        self._phase, self._total, self._done, self._base = phase, total, done, done
        self._phase_started_s = time.monotonic()
        self.tell()

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        self.checkpoint()

    def checkpoint(self) -> None:
        """Between two images: raises Cancelled or Stopping, tells the progress, lets urgent jobs pass."""
        now_s = time.monotonic()
        if now_s - self._checked_s >= CHECK_INTERVAL_S:
            self._checked_s = now_s
            self._runner.check(self.job_id)
        if now_s - self._written_s >= PROGRESS_INTERVAL_S:
            self.tell()
            if not self._nested:
                self._runner.run_urgent()

    def tell(self) -> None:
        """Write down how far the job is."""
        self._written_s = time.monotonic()
        self._runner.beat()
        elapsed_s = self._written_s - self._phase_started_s
        rate = (self._done - self._base) / elapsed_s if elapsed_s > 0 else None
        changes = {"phase": self._phase, "done": self._done, "total": self._total, "rate": rate}
        self._runner.store.submit(lambda database: jobs.update(database, self.job_id, **changes))


Handler = Callable[[JobContext, Any], Mapping[str, Any]]


class Runner:
    """The one that runs jobs. `handlers` does the work of each kind and gives the outcome to keep."""

    def __init__(self, store: Store, handlers: Mapping[JobKind, Handler], patience_s: float = PATIENCE_S) -> None:
        self.store = store
        self._handlers = handlers
        self._patience_s = patience_s
        self._stop = threading.Event()
        self._beat_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="comparimg-runner")

    def start(self) -> None:
        """Requeue what a crash left running, and begin."""
        self.store.write(jobs.requeue_running)
        self._thread.start()

    def stop(self) -> None:
        """Let the running job leave off between two images and go back to the queue; then join."""
        self.leave_off()
        self.join()

    def leave_off(self) -> None:
        """Ask for the same without waiting for it. A job whose decoding processes are closed from now on goes back to
        the queue as well."""
        self._stop.set()
        # An index that is closed wakes whoever waits for it by itself.
        with contextlib.suppress(StoreClosed):
            self.store.submit(lambda database: None)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the thread has ended; whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def beat(self) -> None:
        self._beat_s = time.monotonic()

    @property
    def silence_s(self) -> float:
        """How long ago the runner, or the job it runs, last gave a sign of life."""
        return time.monotonic() - self._beat_s

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def check(self, job_id: int) -> None:
        self.beat()
        if self._stop.is_set():
            raise Stopping
        with self.store.read() as database:
            (cancel,) = database.execute_sql("SELECT cancel_requested FROM job WHERE id = ?", (job_id,)).fetchone()
        if cancel:
            raise Cancelled("The job was cancelled.")

    def run_urgent(self) -> None:
        """Run the watcher's waiting jobs inside a longer one."""
        while (row := self._take(jobs.PRIORITIES["watch"])) is not None:
            self._run_one(row, nested=True)

    def _run(self) -> None:
        with self.store.read():
            while not self._stop.is_set():
                self.beat()
                seen = self.store.revision
                row = self._take(0)
                if row is None:
                    self.store.wait_for_change(seen, IDLE_S)
                else:
                    self._run_one(row, nested=False)

    def _take(self, least_priority: int) -> dict[str, Any] | None:
        with self.store.read() as database:
            waiting = database.execute_sql(
                "SELECT 1 FROM job WHERE state = 'queued' AND priority >= ? LIMIT 1", (least_priority,)
            ).fetchone()
        if waiting is None:
            return None
        row: dict[str, Any] | None = self._insist(
            lambda database: jobs.take_next(database, time.time_ns(), least_priority)
        )
        return row

    def _run_one(self, row: Mapping[str, Any], nested: bool) -> None:
        job_id = row["id"]
        if row["attempts"] > ATTEMPTS:
            words = f"The service ended {ATTEMPTS} times while this job was running; it is not tried again."
            self._end(job_id, JobState.FAILED, error=words)
            return
        context = JobContext(self, job_id, nested)
        try:
            parameters = jobs.check_parameters(row["kind"], json.loads(row["parameters"]))
            outcome = self._handlers[JobKind(row["kind"])](context, parameters)
        except Stopping:
            self._put_back(row)
            if nested:
                raise
        except NoRoom as error:
            self._put_back(row)
            if nested:
                raise
            self._wait(error)
        except Cancelled:
            context.tell()
            self._end(job_id, JobState.CANCELLED)
        except WorkersUnavailable as error:
            if self._stop.is_set():
                self._put_back(row)
            else:
                self._fail(row, error)
        except ComparImgError as error:
            self._fail(row, error)
        except Exception as error:
            log.exception("job %d (%s) failed", job_id, row["kind"])
            self._end(job_id, JobState.FAILED, error=f"Unexpected: {type(error).__name__}: {error}")
        else:
            context.tell()
            self._end(job_id, JobState.DONE, outcome=json.dumps(outcome, sort_keys=True))

    def _fail(self, row: Mapping[str, Any], error: ComparImgError) -> None:
        log.warning("job %d (%s) failed: %s", row["id"], row["kind"], error)
        self._end(row["id"], JobState.FAILED, error=f"{error.message} {error.hint}".strip())

    def _end(self, job_id: int, state: JobState, **changes: Any) -> None:
        def end(database: Any) -> None:
            jobs.update(database, job_id, state=state, finished_ns=time.time_ns(), **changes)
            jobs.forget_old(database, ENDED_JOBS_KEPT)

        self._insist(end)

    def _put_back(self, row: Mapping[str, Any]) -> None:
        changes = {"state": JobState.QUEUED, "attempts": row["attempts"] - 1, "phase": ""}
        self._insist(lambda database: jobs.update(database, row["id"], **changes))

    def _insist(self, change: Callable[[Any], Any]) -> Any:
        """Make a change of a job's row, again and again where the index cannot be written now; None where the service
        stops meanwhile: the next start requeues what it finds running."""
        told = False
        while True:
            try:
                return self.store.write(change)
            except StoreClosed:
                raise
            except StoreError as error:
                if self._stop.is_set() or self.store.fault:
                    return None
                self._wait(error, told)
                told = True

    def _wait(self, error: StoreError, told: bool = False) -> None:
        """Give somebody the time to make room, or to let go of the index."""
        if not told:
            log.error("jobs wait: %s %s", error.message, error.hint)
        self.beat()
        self._stop.wait(self._patience_s)


def start_job(store: Store, kind: JobKind, parameters: msgspec.Struct | Mapping[str, Any], origin: str) -> int:
    """Queue a job of typed or plain parameters; its id."""
    plain = parameters if isinstance(parameters, Mapping) else msgspec.to_builtins(parameters)
    jobs.check_parameters(kind, plain)
    return store.write(lambda database: jobs.add(database, kind, plain, origin))
