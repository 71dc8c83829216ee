"""The sort job: carries decisions out. Plans, then checks every file and its keeper once more, and acts by the journal.

A keeper is checked by its bytes and by being decoded, in a worker; at the last moment it is looked at again. Without a
keeper in each of its groups an image stays. Runs in the runner's thread.
"""

import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from daemon.files import actions, safe_files
from daemon.files.grounds import Claim, Grounds
from daemon.jobs.journal import Journal, temp_of
from daemon.jobs.progress import Progress, Unwatched
from daemon.jobs.runner import JobContext
from daemon.jobs.sort_plan import Beside, Companions, Intent, Planner, Terms
from daemon.processes.decoding import PictureTask, check_picture, read_telling
from daemon.processes.workers import WorkerPool
from index.errors import Cancelled, StepRefused
from index.images.companions import renamed
from index.images.pictures import Limits
from index.images.pictures import digest as pictures_digest
from index.images.sidecar import Telling, as_xmp, lacking
from index.model import Identity
from index.queries import group_files
from index.queries.group_files import GroupFile
from index.records import batches, catalogue
from index.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.records.jobs import SortParameters
from index.store import Store

log = logging.getLogger(__name__)

Rescan = Callable[[Progress, Sequence[bytes]], object]


@dataclass(frozen=True, slots=True)
class SortSettings:
    """What the job takes from the configuration."""

    destinations: Mapping[str, bytes]
    companions: Companions
    settle_s: float
    carries_metadata: bool = False
    claims: Callable[[], Sequence[Claim]] = tuple


class Sorter:
    """Runs sort jobs. `rescan` brings the index to what is at some paths."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        limits: Limits,
        settings: Callable[[], SortSettings],
        rescan: Rescan,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store = store
        self._pool = pool
        self._limits = limits
        self._settings = settings
        self._rescan = rescan
        self._now_ns = now_ns

    def run(self, context: JobContext, parameters: SortParameters) -> Mapping[str, Any]:
        """Carry out what is decided, or only tell it; where a stop cut the job off, go on with its batch."""
        settings = self._settings()
        grounds = grounds_of(self._store, settings.destinations.values(), settings.claims)
        journal = Journal(self._store, grounds, self._now_ns)
        terms = Terms(settings.destinations, settings.companions, settings.settle_s, settings.carries_metadata)
        planner = Planner(grounds, terms, self._now_ns)
        if not parameters.dry_run:
            journal.recover()
        with self._store.read() as database:
            batch_id = batches.running_of_job(database, context.job_id)
        if batch_id is None:
            context.begin("planning", None)
            steps = self._plan(planner, parameters.groups)
            state = BatchState.PLAN if parameters.dry_run else BatchState.RUNNING
            batch_id = journal.begin(BatchKind.SORT, steps, context.job_id, state=state)
        if not parameters.dry_run:
            checker = Checker(self._store, self._pool, self._limits, grounds, planner)
            try:
                journal.carry_out(context, batch_id, checker)
            except Cancelled:
                journal.cancel(batch_id)
                raise
            finally:
                self._follow(batch_id)
        with self._store.read() as database:
            return outcome(batches.steps_of(database, batch_id), batch_id, parameters.dry_run)

    def _plan(self, planner: Planner, keys: Sequence[str]) -> list[Step]:
        with self._store.read() as database:
            contents = group_files.decided_contents(database, keys)
            groups = group_files.groups_with(database, _closed(database, contents))
            lost = [] if keys else group_files.lost_decisions(database)
        return in_order([*planner.plan(groups, set(contents)), *planner.lost(lost)])

    def _follow(self, batch_id: int) -> None:
        """Let the index see what became of the files, those that it does not follow at once already."""
        with self._store.read() as database:
            done = batches.steps_of(database, batch_id, (StepState.DONE,))
        paths = {step.path for step in done if step.action is Action.LINK}
        paths |= {step.target for step in done if step.action is Action.MOVE}
        if paths:
            self._rescan(Unwatched(), sorted(paths))


class Checker:
    """Looks at everything once more, some steps at a time, just before they are done: daemon.jobs.journal.Checks."""

    def __init__(
        self, store: Store, pool: WorkerPool, limits: Limits, grounds: Grounds, planner: Planner
    ) -> None:
        self._store = store
        self._pool = pool
        self._limits = limits
        self._grounds = grounds
        self._planner = planner
        self._keepers: dict[int, list[tuple[bytes, Identity]]] = {}

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        """Each step, refused where anything is not as it was planned."""
        self._planner.look_again()
        intents = self._intents(steps)
        verified = self._verify(intents.values())
        refusals: dict[int, StepRefused] = {}
        ready: dict[int, Step] = {}
        for step in steps:
            if step.companion_of is not None:
                if not any(other.id == step.companion_of for other in steps):
                    ready |= self._left_over(step)
                continue
            beside = [other for other in steps if other.companion_of == step.id]
            try:
                intent = intents.get(step.image_id or 0)
                ready[step.id], others = self._ready(step, beside, intent, verified)
                ready |= others
            except StepRefused as refusal:
                refusals[step.id] = refusal
        for step in steps:
            refusal_of_it = refusals.get(step.companion_of or step.id)
            if step.id in ready:
                yield ready[step.id]
            elif refusal_of_it is not None and step.companion_of is None:
                yield _refused(step, refusal_of_it)
            else:
                words = "An image that it belongs to stays, or it is not what it was."
                yield _refused(step, StepRefused("with_image", words))

    def guard(self, step: Step) -> None:
        """Raises StepRefused where the keeper is not what it was when it was checked."""
        for path, identity in self._keepers.get(step.companion_of or step.id, ()):
            found = None
            with contextlib.suppress(OSError):
                found = safe_files.identity_at(self._grounds.spot(path))
            if found != identity:
                raise StepRefused("keeper_changed", f"The image to keep, {_shown(path)}, changed or went away.")

    def _intents(self, steps: Sequence[Step]) -> dict[int, Intent]:
        """What is to become of the images of these steps as things are now, by image."""
        digests = {step.digest for step in steps if step.companion_of is None}
        with self._store.read() as database:
            contents = set(catalogue.ids_of_digests(database, digests).values())
            groups = group_files.groups_with(database, _closed(database, contents))
        return {intent.step.image_id or 0: intent for intent in self._planner.plan(groups, contents)}

    def _verify(self, intents: Iterable[Intent]) -> dict[bytes, Identity]:
        """The keepers that hold what they should and can be decoded: one for each group, or all that were tried."""
        open_groups = [list(of_group) for intent in intents for of_group in intent.keepers]
        verified: dict[bytes, Identity] = {}
        tried: set[bytes] = set()
        while True:
            tasks: dict[bytes, PictureTask] = {}
            for of_group in open_groups:
                while of_group and of_group[0].path in tried:
                    if of_group[0].path in verified:
                        break
                    of_group.pop(0)
                if of_group and of_group[0].path not in verified:
                    tasks[of_group[0].path] = self._task(of_group[0].path, of_group[0].digest)
            if not tasks:
                return verified
            tried |= set(tasks)
            outcomes = self._pool.run(check_picture, list(tasks.values()))
            try:
                for outcome in outcomes:
                    if outcome.value is not None:
                        verified[outcome.item.path] = outcome.value
                    elif outcome.failure is not None:
                        log.warning("%s is no keeper: %s", _shown(outcome.item.path), outcome.failure.message)
            finally:
                outcomes.close()

    def _task(self, path: bytes, digest: bytes) -> PictureTask:
        return PictureTask(path, self._grounds.spot(path).top, digest, self._limits)

    def _ready(
        self, step: Step, beside: Sequence[Step], intent: Intent | None, verified: Mapping[bytes, Identity]
    ) -> tuple[Step, dict[int, Step]]:
        """A step and those that go with it, ready to be done. Raises StepRefused."""
        if intent is None or intent.step.action is not step.action:
            raise StepRefused("undecided", "The decision was changed meanwhile, or its group is no more.")
        if intent.step.state is StepState.REFUSED:
            raise StepRefused(intent.step.reason, intent.step.message)
        if intent.step.path != step.path or intent.step.identity != step.identity:
            raise StepRefused("changed", "The file was moved or changed since it was planned.")
        keepers = [_first_verified(of_group, verified) for of_group in intent.keepers]
        planned = {one.path: one for one in beside if one.action is not Action.CREATE}
        going = [one for one in intent.beside if one.step.action is not Action.CREATE]
        if any(one.step.path not in planned for one in going):
            raise StepRefused("companion", "A file that belongs to it was not there when it was planned.")
        others = {
            planned[one.step.path].id: self._companion_ready(planned[one.step.path], one) for one in going
        }
        others |= {
            one.id: self._sidecar_ready(one, step, keepers[0]) for one in beside if one.action is Action.CREATE
        }
        self._keepers[step.id] = [(file.path, verified[file.path]) for file in keepers]
        return replace(
            step, keeper=keepers[0].path, target=intent.step.target, made=intent.step.made, bytes=intent.step.bytes
        ), others

    def _sidecar_ready(self, made: Step, step: Step, keeper: GroupFile) -> Step:
        """The sidecar that tells of the keeper what only the image that goes does, written beside; refused where that
        is nothing, or where it cannot be: the image goes all the same."""
        try:
            if made.path != keeper.path:
                raise StepRefused("keeper_changed", "Another image is kept than was planned.")
            pictures = [self._task(step.path, step.digest), self._task(keeper.path, keeper.digest)]
            told: dict[bytes, Telling] = {}
            for found in self._pool.run(read_telling, pictures):
                told[found.item.path] = found.value or Telling()
            more = lacking(told[keeper.path], told[step.path])
            if more == Telling():
                raise StepRefused("nothing_to_tell", "The image that stays tells as much.")
            text = as_xmp(more, told[keeper.path])
            with self._store.read() as database:
                name = batches.batch(database, made.batch_id).name
            spot = self._grounds.spot(temp_of(name, made))
            with safe_files.opened_file(self._grounds.spot(keeper.path)) as like:
                identity = safe_files.write_new(text, like, spot)
            return replace(made, identity=identity, digest=pictures_digest(text), bytes=0)
        except StepRefused as refusal:
            return _refused(made, refusal)
        except OSError as error:
            return _refused(made, StepRefused("failed", f"The sidecar cannot be written: {error.strerror}."))

    def _left_over(self, step: Step) -> dict[int, Step]:
        """A file whose image went before a crash: it goes after it."""
        with self._store.read() as database:
            image = batches.step_or_none(database, step.companion_of or 0)
        if image is None or image.state is not StepState.DONE or step.action is Action.CREATE:
            return {}
        with contextlib.suppress(StepRefused), actions.held(self._grounds.spot(step.path), step.identity) as subject:
            target = step.target
            if image.target:
                name = renamed(*(os.path.basename(path) for path in (step.path, image.path, image.target)))
                target = os.path.join(os.path.dirname(image.target), name)
            return {step.id: replace(step, digest=safe_files.digest_of(subject), target=target)}
        return {}

    def _companion_ready(self, step: Step, intended: Beside) -> Step:
        """A file that goes with an image, with its digest; where it needs a twin, that is compared. Raises
        StepRefused."""
        identity = intended.step.identity
        with actions.held(self._grounds.spot(step.path), identity) as subject:
            digest = safe_files.digest_of(subject)
            if intended.twin is not None:
                twin = self._grounds.spot(intended.twin)
                there = safe_files.identity_at(twin)
                if there is None:
                    raise StepRefused("companion", f"{_shown(intended.twin)} is not there any more.")
                with actions.held(twin, there) as other:
                    if not safe_files.are_equal(subject, other):
                        name = _shown(os.path.basename(step.path))
                        raise StepRefused("companion", f"{name} belongs to it, and the one to be kept is another.")
        return replace(step, identity=identity, digest=digest, target=intended.step.target)


def grounds_of(
    store: Store, destinations: Iterable[bytes], claims: Callable[[], Sequence[Claim]] = tuple
) -> Grounds:
    """Every folder that is or was watched, and the destinations. `claims` are those of other configurations."""
    with store.read() as database:
        roots = catalogue.every_root(database)
    return Grounds.of(roots, destinations, claims)


def in_order(intents: Iterable[Intent]) -> list[Step]:
    """The steps of intents, each behind the image that it belongs to."""
    steps: list[Step] = []
    for intent in intents:
        steps.append(intent.step)
        place = len(steps)
        steps += [replace(one.step, companion_of=place) for one in intent.beside]
    return steps


def outcome(steps: Sequence[Step], batch_id: int, dry_run: bool) -> dict[str, Any]:
    """What a job tells of its batch: how many images went which way, how many bytes that frees, what was refused."""
    good = StepState.PLANNED if dry_run else StepState.DONE
    images = [step for step in steps if step.companion_of is None]
    counts = Counter(str(step.action) for step in images if step.state is good)
    refused = Counter(step.reason for step in images if step.state in (StepState.REFUSED, StepState.FAILED))
    return {
        "batch": batch_id,
        "dry_run": dry_run,
        **{str(action): counts.get(str(action), 0) for action in (Action.TRASH, Action.MOVE, Action.LINK)},
        "companions": sum(step.state is good for step in steps if step.companion_of is not None),
        "bytes": sum(step.bytes for step in steps if step.state is good),
        "refused": dict(refused),
        "in_doubt": sum(step.state is StepState.DOING for step in steps),
    }


def _closed(database: Any, content_ids: Iterable[int]) -> set[int]:
    """These contents and all others of their groups, so that for each of them every group is known."""
    groups = group_files.groups_with(database, content_ids)
    return set(content_ids) | {file.content_id for group in groups for file in group.files}


def _first_verified(of_group: Sequence[GroupFile], verified: Mapping[bytes, Identity]) -> GroupFile:
    for file in of_group:
        if verified.get(file.path) == file.identity:
            return file
    raise StepRefused("keeper_unreadable", "No image of its group that stays is what it was and can be decoded.")


def _refused(step: Step, refusal: StepRefused) -> Step:
    return replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message, bytes=0)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
