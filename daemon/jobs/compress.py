"""The compress job: compresses files in worker processes, and has the journal put the results in place.

Before a step is started, its result is next to the source, verified and synced, and recorded in the index. A source
goes to the trash only while its result is in place, byte for byte. Runs in the runner's thread.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from daemon.files import actions, safe_files
from daemon.files.file_claims import kept_in_place
from daemon.files.protected_paths import ManagedFolders
from daemon.jobs.compress_plan import CompressPlan, CompressRequest, make_plan, request_of
from daemon.jobs.journal import Journal
from daemon.jobs.progress import Context, NullProgress, Progress
from daemon.jobs.quarantine import Quarantine
from daemon.jobs.sort import Rescan
from daemon.processes.compress_task import CompressResult, CompressTask, compress_file, compressed_bytes
from daemon.processes.worker_pool import Outcome, WorkerLimits, WorkerPool
from index.database.records import batches, compressions, images, matches
from index.database.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.database.records.compressions import CompressionRecord, State
from index.database.records.jobs import CompressParameters
from index.database.store import Store
from index.errors import Cancelled, NotFound, PictureError, StepRefused
from index.imaging.decoding.pictures import Limits
from index.imaging.encoding.compression import CompressionOptions
from index.imaging.encoding.recompress import Skipped
from index.messages import Message, joined, of_os_error

log = logging.getLogger(__name__)

# To find the lowest quality, a picture is encoded and compared about twenty times.
TIMES_OF_A_DECODE: Final = 10
# Files that a dry run measures between two commits.
MEASURED_AT_ONCE: Final = 64
# Actions that put a result in place; the others follow them.
MAKING: Final = (Action.CREATE, Action.REPLACE)


@dataclass(frozen=True, slots=True)
class Processes:
    """The worker processes of a job: an encoder gets more time than a decoder."""

    count: int
    limits: WorkerLimits

    def open(self) -> WorkerPool:
        limits = replace(self.limits, time_limit_s=TIMES_OF_A_DECODE * self.limits.time_limit_s)
        return WorkerPool(self.count, limits)


class Compressor:
    """Runs compress jobs. `values` are the settings by key, `folders` the managed folders; `rescan` updates the index
    for some paths."""

    def __init__(
        self,
        store: Store,
        processes: Processes,
        limits: Limits,
        values: Callable[[], Mapping[str, Any]],
        folders: Callable[[], ManagedFolders],
        rescan: Rescan,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store = store
        self._processes = processes
        self._limits = limits
        self._values = values
        self._folders = folders
        self._rescan = rescan
        self._now_ns = now_ns
        self._pool: WorkerPool | None = None

    def stop(self) -> None:
        """Kill the processes of a running job immediately. Any thread."""
        if (pool := self._pool) is not None:
            pool.close()

    def preview(self, pool: WorkerPool, row_id: int) -> bytes:
        """The result that a dry run measured, made again to be viewed. Any thread. Raises PictureError and NotFound."""
        with self._store.read() as database:
            row = compressions.read(database, row_id)
        try:
            options = CompressionOptions.from_key(row.options_key)
        except ValueError as error:
            raise NotFound("compress.other_version") from error
        file_ref = self._folders().file_ref(row.path)
        task = CompressTask(file_ref, row.source_digest, row.source_bytes, options, self._limits)
        return pool.call(compressed_bytes, task)

    def recover(self) -> None:
        """After the journal has recovered interrupted steps: update the compression records with their outcome."""
        _update_records(self._store, self._now_ns())

    def run(self, context: Context, parameters: CompressParameters) -> Mapping[str, Any]:
        """Run a job. The outcome has the batch, counts, and bytes before and after. Raises UsageError for wrong
        parameters."""
        request = request_of(self._values(), parameters)
        folders = self._folders()
        journal = Journal(self._store, folders, self._now_ns)
        if not parameters.dry_run:
            journal.recover()
            self.recover()
        state = BatchState.PLAN if parameters.dry_run else BatchState.RUNNING
        with self._store.read() as database:
            # A run without a service has no job that it could continue.
            is_new = parameters.dry_run and not context.job_id
            batch_id = None if is_new else batches.running_of_job(database, context.job_id, state)
        if batch_id is None:
            context.begin("planning", None)
            with self._store.read() as database:
                plan = make_plan(database, request, folders)
            batch_id = journal.begin(BatchKind.COMPRESS, plan.steps, context.job_id, state=state)
            self._store.write(partial(self._keep_plan, batch_id, plan))
        with self._store.read() as database:
            batch = batches.batch(database, batch_id)
        with ExitStack() as stack:
            pool = self._pool = stack.enter_context(self._processes.open())
            work = _Compression(self._store, pool, folders, request, self._limits, context, self._now_ns)
            if parameters.dry_run:
                self._measure(work, context, batch_id)
            else:
                progress = CountedWhenMade(context)
                checks = CompressChecks(work, journal, batch, self._rescan, progress.made)
                try:
                    journal.carry_out(progress, batch_id, checks)
                except Cancelled:
                    journal.cancel(batch_id)
                    raise
                finally:
                    checks.finish_begun()
        return self._outcome(batch_id, parameters.dry_run)

    def _keep_plan(self, batch_id: int, plan: CompressPlan, database: Any) -> None:
        compressions.add(database, batch_id, plan.records, self._now_ns())
        batches.set_planned(database, batch_id, plan.counts())

    def _measure(self, work: "_Compression", progress: Progress, batch_id: int) -> None:
        """Compress every file, and record only the possible savings. What was measured before an interruption is not
        measured again."""
        with self._store.read() as database:
            every = [step for step in batches.steps_of(database, batch_id) if step.action in MAKING]
            measured = compressions.sources_of_steps(database, [step.id for step in every])
        steps = [step for step in every if step.id not in measured]
        progress.begin("measuring", len(every), len(every) - len(steps))
        records: list[CompressionRecord] = []

        def store() -> None:
            rows = records.copy()
            records.clear()
            self._store.write(lambda db: compressions.add(db, batch_id, rows, self._now_ns()))

        try:
            for step, outcome in work.compress(steps, temp_of=None):
                records.append(work.record(step, outcome))
                if len(records) >= MEASURED_AT_ONCE:
                    store()
                progress.advance()
        finally:
            store()

    def _outcome(self, batch_id: int, dry_run: bool) -> Mapping[str, Any]:
        with self._store.read() as database:
            # After an interruption the plan was made by an earlier run.
            counts = batches.batch(database, batch_id).planned or CompressPlan().counts()
            totals = compressions.totals(database, batch_id)
            refused = compressions.reasons(database, batch_id)
        made = State.MEASURED if dry_run else State.DONE
        return {
            "batch": batch_id,
            "dry_run": dry_run,
            **counts,
            "compressed": totals.states.get(made, 0),
            "left": totals.states.get(State.LEFT, 0),
            "refused": refused,
            "bytes_before": totals.source_bytes,
            "bytes_after": totals.result_bytes,
        }


class CountedWhenMade:
    """The progress of a batch whose steps count when their results are made, which takes long, and not again when these
    are put in place, many at a time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._ahead = 0

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self._progress.begin(phase, total, done)

    def made(self) -> None:
        self._ahead += 1
        self._progress.advance()

    def advance(self, steps: int = 1) -> None:
        counted = min(steps, self._ahead)
        self._ahead -= counted
        if steps > counted:
            self._progress.advance(steps - counted)

    def checkpoint(self) -> None:
        self._progress.checkpoint()


class _Compression:
    """Has worker processes compress files, and makes the records of the results."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        folders: ManagedFolders,
        request: CompressRequest,
        limits: Limits,
        progress: Progress,
        now_ns: Callable[[], int],
    ) -> None:
        self.store = store
        self.folders = folders
        self.request = request
        self.now_ns = now_ns
        self._pool = pool
        self._quarantine = Quarantine[int](store, pool, f"compress {request.options.key}", "compressed")
        self._limits = limits
        self._progress = progress

    def close(self) -> None:
        """Kill the processes immediately."""
        self._pool.close()

    def compress(
        self, steps: Iterable[Step], temp_of: Callable[[Step], bytes] | None
    ) -> Iterator[tuple[Step, Outcome[CompressTask, CompressResult | Skipped]]]:
        """Yield each step with its outcome, as they end. With `temp_of`, the results are written under those names."""
        by_path = {step.path: step for step in steps}
        with self.store.read() as database:
            # A step that was prepared before an interruption already has the digest of its result.
            sources = compressions.sources_of_steps(database, [step.id for step in by_path.values()])
            tasks = [self._task(step, sources.get(step.id), temp_of) for step in by_path.values()]
            contents = images.ids_of_digests(database, [task.digest for task in tasks])
        outcomes = self._quarantine.run(
            compress_file, [(contents[task.digest], task) for task in tasks if task.digest in contents]
        )
        try:
            for outcome in outcomes:
                _, task = outcome.item
                yield by_path[task.source.path], Outcome(task, outcome.value, outcome.failure)
                self._progress.checkpoint()
        finally:
            outcomes.close()
        unknown = PictureError("changed", "picture.unknown_content")
        for task in tasks:
            if task.digest not in contents:
                yield by_path[task.source.path], Outcome(task, None, unknown)

    def _task(
        self, step: Step, source: tuple[bytes, int] | None, temp_of: Callable[[Step], bytes] | None
    ) -> CompressTask:
        digest, size_bytes = source or (step.digest, step.identity.size_bytes)
        temp = None if temp_of is None else self.folders.file_ref(temp_of(step))
        return CompressTask(
            self.folders.file_ref(step.path), digest, size_bytes, self.request.options, self._limits, temp
        )

    def record(self, step: Step, outcome: Outcome[CompressTask, CompressResult | Skipped]) -> CompressionRecord:
        """The record of one file, before its result is put in place."""
        base = CompressionRecord(
            path=step.path,
            state=State.FAILED,
            options_key=self.request.options.key,
            source_bytes=outcome.item.size_bytes,
            source_digest=outcome.item.digest,
            result_path=step.target or step.path,
            step_id=step.id,
        )
        if outcome.failure is not None:
            return replace(
                base, reason=outcome.failure.reason, message=Message("compress.failed", problem=outcome.failure.message)
            )
        if isinstance(outcome.value, Skipped):
            left = outcome.value
            state = State.REFUSED if left.refused else State.LEFT
            return replace(base, state=state, reason=left.reason, message=left.message, result_bytes=left.best_bytes)
        made = outcome.value
        assert made is not None
        smaller, options = made.smaller, self.request.options
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
            target=options.target.value if options.target and not smaller.lossless else "",
            message=joined("join.notes", smaller.notes) if smaller.notes else None,
        )


class CompressChecks:
    """The journal's checks of a compression: makes the results of the next steps, and checks again before a source goes
    to the trash. `finish_begun` records the outcome of the last steps. `made` is called after each result."""

    def __init__(
        self,
        work: _Compression,
        journal: Journal,
        batch: batches.BatchRow,
        rescan: Rescan,
        made: Callable[[], object] = lambda: None,
    ) -> None:
        self._work = work
        self._journal = journal
        self._batch = batch
        self._rescan = rescan
        self._made = made
        self._begun: list[Step] = []

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        self.finish_begun()
        making = [step for step in steps if step.action in MAKING]
        ready: dict[int, Step] = {}
        records: dict[bytes, CompressionRecord] = {}
        try:
            for step, outcome in self._work.compress(
                making, lambda step: self._journal.temp_of(self._batch.name, step)
            ):
                records[step.path] = self._work.record(step, outcome)
                ready[step.id] = _with_result(step, outcome, records[step.path])
                self._record(ready[step.id], records[step.path])
                self._made()
        except BaseException:
            # The processes first: one that is still running would write its result later.
            self._work.close()
            with suppress(Exception):
                self._journal.remove_temps(self._batch.id, [step.id for step in making])
            raise
        for step in steps:
            if step.action is Action.TRASH:
                ready[step.id] = self._trash_if_compressed(step, records.get(step.path))
            elif step.action is Action.MOVE:
                leader = ready.get(step.companion_of or 0)
                ready[step.id] = self._with_its_image(step, leader)
        self._begun = [ready[step.id] for step in steps]
        return self._begun

    def _record(self, step: Step, compression: CompressionRecord) -> None:
        """Commit a result as soon as it is made: after a crash this identifies its temporary file."""
        now_ns = self._work.now_ns()

        def record(database: Any) -> None:
            compressions.add(database, self._batch.id, [compression], now_ns)
            if step.state is StepState.PLANNED:
                batches.update_steps(database, [step], now_ns)

        self._work.store.write(record)

    @contextmanager
    def guard(self, step: Step) -> Iterator[None]:
        """Keep the result in place while its source goes to the trash. Raises StepRefused if it is not there."""
        if step.action is Action.MOVE:
            self._guard_companion(step)
        if step.action is not Action.TRASH:
            yield
            return
        with self._work.store.read() as database:
            record = compressions.find_in_batch(database, self._batch.id, step.path)
            created = (
                None if record is None or record.step_id is None else batches.step_or_none(database, record.step_id)
            )
        if record is None or created is None:
            raise StepRefused("no_result", "compress.no_result")
        result = self._work.folders.file_ref(created.target)
        there = safe_files.identity_at(result)
        if there is None:
            raise StepRefused("no_result", "compress.result_gone")
        with actions.opened_unchanged(result, there, record.result_digest), kept_in_place([(result, there)]):
            yield

    def _guard_companion(self, step: Step) -> None:
        """Raises StepRefused if the image of a companion did not get its new name: the result is missing, or the source
        is still there."""
        with self._work.store.read() as database:
            image = batches.step_or_none(database, step.companion_of or 0)
        if image is None or safe_files.identity_at(self._work.folders.file_ref(image.target)) is None:
            raise StepRefused("no_result", "compress.result_gone")
        if safe_files.identity_at(self._work.folders.file_ref(image.path)) is not None:
            raise StepRefused("companion", "compress.source_stays")

    def _with_its_image(self, step: Step, image: Step | None) -> Step:
        """The step that renames a companion, with its digest; refused if its image is not compressed."""
        if image is None:
            with self._work.store.read() as database:
                image = batches.step_or_none(database, step.companion_of or 0)
        if image is None or image.state not in (StepState.PLANNED, StepState.DONE):
            message = Message("compress.nothing_in_place")
            return replace(step, state=StepState.REFUSED, reason="no_result", message=message)
        try:
            with actions.opened_unchanged(self._work.folders.file_ref(step.path), step.identity) as subject:
                return replace(step, digest=safe_files.digest_of(subject))
        except StepRefused as refusal:
            return replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message)
        except OSError as error:
            message = Message("compress.companion_unreadable", error=of_os_error(error))
            return replace(step, state=StepState.REFUSED, reason="companion", message=message)

    def finish_begun(self) -> None:
        """Record the outcome of the steps that were begun, and update the index."""
        begun, self._begun = self._begun, []
        if not begun:
            return
        with self._work.store.read() as database:
            ended = batches.steps_of(database, self._batch.id, ids=[step.id for step in begun])
        # The results of steps that were not started, or that failed, are still there.
        self._journal.remove_temps(self._batch.id, [step.id for step in ended])
        _update_records(self._work.store, self._work.now_ns())
        changed = {path for step in ended if step.state is StepState.DONE for path in (step.path, step.target) if path}
        if changed:
            self._rescan(NullProgress(), sorted(changed))

    def _trash_if_compressed(self, step: Step, record: CompressionRecord | None) -> Step:
        """The step that trashes a source, refused if there is no result."""
        if record is None:
            with self._work.store.read() as database:
                record = compressions.find_in_batch(database, self._batch.id, step.path)
        if record is None or not record.result_digest:
            reason = record.reason if record is not None else "no_result"
            return replace(step, state=StepState.REFUSED, reason=reason, message=Message("compress.nothing_in_place"))
        return replace(step, bytes=_freed(record))


def _with_result(
    step: Step, outcome: Outcome[CompressTask, CompressResult | Skipped], record: CompressionRecord
) -> Step:
    """A step with its result, which is ready next to the source, or a refused step."""
    made = outcome.value
    if not isinstance(made, CompressResult) or made.identity is None:
        return replace(step, state=StepState.REFUSED, reason=record.reason, message=record.message)
    if step.action is Action.CREATE:
        return replace(step, identity=made.identity, digest=made.digest)
    return replace(step, made=made.identity, made_digest=made.digest, bytes=_freed(record))


def _freed(record: CompressionRecord) -> int:
    return max(0, record.source_bytes - record.result_bytes)


def _update_records(store: Store, now_ns: int) -> set[int]:
    """Update the compression records with the outcome of their steps. Returns the contents that this changes."""

    def update(database: Any) -> set[int]:
        concerned = compressions.record_step_outcomes(database, now_ns)
        matches.mark_stale(database, concerned)
        return concerned

    return store.write(update)
