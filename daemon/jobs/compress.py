"""The compress job: makes files smaller in worker processes, and lets the journal put the results in place.

Before a step is begun its result lies beside the source, checked and on the disk, and the index knows what it is about
to be. A source that goes to the trash does so only while its result is there, byte for byte. Runs in the runner's
thread.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from daemon.files import actions, safe_files
from daemon.files.grounds import Grounds
from daemon.jobs.compress_plan import Order, Plan, make_plan, order_of
from daemon.jobs.journal import Journal
from daemon.jobs.progress import Context, Progress, Unwatched
from daemon.jobs.sort import Rescan
from daemon.jobs.tries import Tries
from daemon.processes.compressing import CompressTask, Made, compress_file, compressed_bytes
from daemon.processes.workers import Outcome, WorkerLimits, WorkerPool
from index.encoding.compression import Wish
from index.encoding.recompress import Left
from index.errors import Cancelled, NotFound, PictureError, StepRefused
from index.images.pictures import Limits
from index.records import batches, catalogue, compressions, findings
from index.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.records.compressions import State, Told
from index.records.jobs import CompressParameters
from index.store import Store

log = logging.getLogger(__name__)

# To find the least quality, a picture is coded and looked at some twenty times.
TIMES_OF_A_DECODE: Final = 10
# Reports of a dry run that are kept at once, and files that it measures between two commits.
MEASURED_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Processes:
    """The worker processes of a job: an encoder needs longer than a decoder."""

    count: int
    limits: WorkerLimits

    def open(self) -> WorkerPool:
        limits = replace(self.limits, time_limit_s=TIMES_OF_A_DECODE * self.limits.time_limit_s)
        return WorkerPool(self.count, limits)


class Compressor:
    """Runs compress jobs. `values` are the settings by key, `grounds` the folders and what protects them; `rescan`
    brings the index to what is at some paths."""

    def __init__(
        self,
        store: Store,
        processes: Processes,
        limits: Limits,
        values: Callable[[], Mapping[str, Any]],
        grounds: Callable[[], Grounds],
        rescan: Rescan,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store = store
        self._processes = processes
        self._limits = limits
        self._values = values
        self._grounds = grounds
        self._rescan = rescan
        self._now_ns = now_ns
        self._pool: WorkerPool | None = None

    def stop(self) -> None:
        """End the processes of a job that is at work, whatever they do. Any thread."""
        if (pool := self._pool) is not None:
            pool.close()

    def preview(self, pool: WorkerPool, row_id: int) -> bytes:
        """What a dry run measured, made once more, for a person to look at. Any thread. Raises PictureError and
        NotFound."""
        with self._store.read() as database:
            row = compressions.read(database, row_id)
        try:
            wish = Wish.from_key(row.wish)
        except ValueError as error:
            raise NotFound("Another version measured this.") from error
        spot = self._grounds().spot(row.path)
        task = CompressTask(spot, row.source_digest, row.source_bytes, wish, self._limits)
        return pool.call(compressed_bytes, task)

    def recover(self) -> None:
        """After the journal has settled what a crash cut off: take in how it ended."""
        _settle(self._store, self._now_ns())

    def run(self, context: Context, parameters: CompressParameters) -> Mapping[str, Any]:
        """The outcome: the batch, counts, and bytes before and after. Raises UsageError for wrong parameters."""
        order = order_of(self._values(), parameters)
        grounds = self._grounds()
        journal = Journal(self._store, grounds, self._now_ns)
        if not parameters.dry_run:
            journal.recover()
            self.recover()
        with self._store.read() as database:
            batch_id = batches.running_of_job(database, context.job_id)
        plan = Plan()
        if batch_id is None:
            context.begin("planning", None)
            with self._store.read() as database:
                plan = make_plan(database, order, grounds)
            state = BatchState.PLAN if parameters.dry_run else BatchState.RUNNING
            batch_id = journal.begin(BatchKind.COMPRESS, plan.steps, context.job_id, state=state)
            self._store.write(lambda db: compressions.add(db, batch_id, plan.told, self._now_ns()))
        with self._store.read() as database:
            batch = batches.batch(database, batch_id)
        with ExitStack() as stack:
            pool = self._pool = stack.enter_context(self._processes.open())
            work = _Work(self._store, pool, grounds, order, self._limits, context, self._now_ns)
            if parameters.dry_run:
                self._measure(work, context, batch_id)
            else:
                encoding = Encoding(work, journal, batch, self._rescan)
                try:
                    journal.carry_out(context, batch_id, encoding)
                except Cancelled:
                    journal.cancel(batch_id)
                    raise
                finally:
                    encoding.end()
        return self._outcome(batch_id, plan, parameters.dry_run)

    def _measure(self, work: "_Work", progress: Progress, batch_id: int) -> None:
        """Make everything and keep nothing but what it would save."""
        with self._store.read() as database:
            steps = [step for step in batches.steps_of(database, batch_id) if step.action is not Action.TRASH]
        progress.begin("measuring", len(steps))
        told: list[Told] = []

        def keep() -> None:
            rows = told.copy()
            told.clear()
            self._store.write(lambda db: compressions.add(db, batch_id, rows, self._now_ns()))

        try:
            for step, found in work.made(steps, temp_of=None):
                told.append(work.told(step, found))
                if len(told) >= MEASURED_AT_ONCE:
                    keep()
                progress.advance()
        finally:
            keep()

    def _outcome(self, batch_id: int, plan: Plan, dry_run: bool) -> Mapping[str, Any]:
        with self._store.read() as database:
            totals = compressions.totals(database, batch_id)
            refused = compressions.reasons(database, batch_id)
        made = State.MEASURED if dry_run else State.DONE
        return {
            "batch": batch_id,
            "dry_run": dry_run,
            "files": plan.files,
            "known": plan.known,
            "undone_before": plan.undone,
            "compressed": totals.states.get(made, 0),
            "left": totals.states.get(State.LEFT, 0),
            "refused": refused,
            "bytes_before": totals.source_bytes,
            "bytes_after": totals.result_bytes,
        }


class _Work:
    """Lets worker processes make files smaller, and tells of it."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        grounds: Grounds,
        order: Order,
        limits: Limits,
        progress: Progress,
        now_ns: Callable[[], int],
    ) -> None:
        self.store = store
        self.grounds = grounds
        self.order = order
        self.now_ns = now_ns
        self._pool = pool
        self._tries = Tries(store, pool, f"compress {order.wish.key}", "compressed")
        self._limits = limits
        self._progress = progress

    def close(self) -> None:
        """End the processes, whatever they do."""
        self._pool.close()

    def made(
        self, steps: Iterable[Step], temp_of: Callable[[Step], bytes] | None
    ) -> Iterator[tuple[Step, Outcome[CompressTask, Made | Left]]]:
        """Each step with what came of it, as they end. With `temp_of` the results are kept under those names."""
        by_path = {step.path: step for step in steps}
        with self.store.read() as database:
            # A step that was made ready before, and cut off, tells of its result by now.
            sources = compressions.sources_of_steps(database, [step.id for step in by_path.values()])
            tasks = [self._task(step, sources.get(step.id), temp_of) for step in by_path.values()]
            contents = catalogue.ids_of_digests(database, [task.digest for task in tasks])
        outcomes = self._tries.run(
            compress_file, [(contents[task.digest], task) for task in tasks if task.digest in contents]
        )
        try:
            for outcome in outcomes:
                _, task = outcome.item
                yield by_path[task.source.path], Outcome(task, outcome.value, outcome.failure)
                self._progress.checkpoint()
        finally:
            outcomes.close()
        unknown = PictureError("changed", "the index does not know what is in it any more")
        for task in tasks:
            if task.digest not in contents:
                yield by_path[task.source.path], Outcome(task, None, unknown)

    def _task(
        self, step: Step, source: tuple[bytes, int] | None, temp_of: Callable[[Step], bytes] | None
    ) -> CompressTask:
        digest, size_bytes = source or (step.digest, step.identity.size_bytes)
        temp = None if temp_of is None else self.grounds.spot(temp_of(step))
        return CompressTask(self.grounds.spot(step.path), digest, size_bytes, self.order.wish, self._limits, temp)

    def told(self, step: Step, found: Outcome[CompressTask, Made | Left]) -> Told:
        """The report of one file, as it is before anything is put in place."""
        base = Told(
            path=step.path,
            state=State.FAILED,
            wish=self.order.wish.key,
            source_bytes=found.item.size_bytes,
            source_digest=found.item.digest,
            result_path=step.target or step.path,
            step_id=step.id,
        )
        if found.failure is not None:
            return replace(base, reason=found.failure.reason, message=f"{found.failure.message}.")
        if isinstance(found.value, Left):
            left = found.value
            state = State.REFUSED if left.refused else State.LEFT
            return replace(base, state=state, reason=left.reason, message=left.message, result_bytes=left.best_bytes)
        made = found.value
        assert made is not None
        smaller, wish = made.smaller, self.order.wish
        return replace(
            base,
            state=State.MEASURED if made.identity is None else State.MAKING,
            result_digest=made.digest,
            result_bytes=made.size_bytes,
            result_size=f"{smaller.width}x{smaller.height}",
            source_size="x".join(map(str, smaller.source_size)),
            format=smaller.format,
            lossless=smaller.lossless,
            quality=smaller.quality,
            score=smaller.score,
            target=wish.target.value if wish.target and not smaller.lossless else "",
            message="; ".join(smaller.notes),
        )


class Encoding:
    """The journal's checks of a compression: makes the results of the next steps, and looks once more before a source
    goes to the trash. `end` takes in how the last ones ended."""

    def __init__(self, work: _Work, journal: Journal, batch: batches.BatchRow, rescan: Rescan) -> None:
        self._work = work
        self._journal = journal
        self._batch = batch
        self._rescan = rescan
        self._begun: list[Step] = []

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        self.end()
        making = [step for step in steps if step.action is not Action.TRASH]
        ready: dict[int, Step] = {}
        told: dict[bytes, Told] = {}
        try:
            for step, found in self._work.made(making, lambda step: self._journal.temp_of(self._batch.name, step)):
                told[step.path] = self._work.told(step, found)
                ready[step.id] = _ready(step, found, told[step.path])
                self._record(ready[step.id], told[step.path])
        except BaseException:
            # First the processes: one that is at work would write its result later.
            self._work.close()
            with suppress(Exception):
                self._journal.drop_temps(self._batch.id, [step.id for step in making])
            raise
        for step in steps:
            if step.action is Action.TRASH:
                ready[step.id] = self._with_result(step, told.get(step.path))
        self._begun = [ready[step.id] for step in steps]
        return self._begun

    def _record(self, step: Step, told: Told) -> None:
        """Commit what was made at once: after a crash its temporary file is known by that."""
        now_ns = self._work.now_ns()

        def record(database: Any) -> None:
            compressions.add(database, self._batch.id, [told], now_ns)
            if step.state is StepState.PLANNED:
                batches.change_steps(database, [step], now_ns)

        self._work.store.write(record)

    def guard(self, step: Step) -> None:
        """Raises StepRefused where a source would go to the trash without its result being there."""
        if step.action is not Action.TRASH:
            return
        with self._work.store.read() as database:
            told = compressions.of_step(database, self._batch.id, step.path)
            created = None if told is None or told.step_id is None else batches.step_or_none(database, told.step_id)
        if told is None or created is None:
            raise StepRefused("no_result", "Nothing was made of it that could take its place.")
        result = self._work.grounds.spot(created.target)
        there = safe_files.identity_at(result)
        if there is None:
            raise StepRefused("no_result", "What was made of it is not there.")
        with actions.held(result, there, told.result_digest):
            return

    def end(self) -> None:
        """Take in how steps ended, and bring the index to it."""
        begun, self._begun = self._begun, []
        if not begun:
            return
        with self._work.store.read() as database:
            ended = batches.steps_of(database, self._batch.id, ids=[step.id for step in begun])
        # What was not begun, or failed before, has left its result.
        self._journal.drop_temps(self._batch.id, [step.id for step in ended])
        _settle(self._work.store, self._work.now_ns())
        changed = {path for step in ended if step.state is StepState.DONE for path in (step.path, step.target) if path}
        if changed:
            self._rescan(Unwatched(), sorted(changed))

    def _with_result(self, step: Step, told: Told | None) -> Step:
        """A source that is to go, where a result was made; refused where not."""
        if told is None:
            with self._work.store.read() as database:
                told = compressions.of_step(database, self._batch.id, step.path)
        if told is None or not told.result_digest:
            reason = told.reason if told is not None else "no_result"
            return replace(step, state=StepState.REFUSED, reason=reason, message="Nothing takes its place.")
        return replace(step, bytes=_freed(told))


def _ready(step: Step, found: Outcome[CompressTask, Made | Left], told: Told) -> Step:
    """A step whose result lies ready, or a refused one."""
    made = found.value
    if not isinstance(made, Made) or made.identity is None:
        return replace(step, state=StepState.REFUSED, reason=told.reason, message=told.message)
    if step.action is Action.CREATE:
        return replace(step, identity=made.identity, digest=made.digest)
    return replace(step, made=made.identity, made_digest=made.digest, bytes=_freed(told))


def _freed(told: Told) -> int:
    return max(0, told.source_bytes - told.result_bytes)


def _settle(store: Store, now_ns: int) -> set[int]:
    def settle(database: Any) -> set[int]:
        concerned = compressions.settle(database, now_ns)
        findings.concern(database, concerned)
        return concerned

    return store.write(settle)
