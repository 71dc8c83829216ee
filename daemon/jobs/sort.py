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
from daemon.files.beside import owners_left
from daemon.files.grounds import Claim, Grounds
from daemon.jobs.journal import Journal, temp_of
from daemon.jobs.progress import Progress, Unwatched
from daemon.jobs.runner import JobContext
from daemon.jobs.sort_plan import Companions, Intent, Planner, Terms, in_order
from daemon.processes.decoding import PictureTask, check_picture, read_telling
from daemon.processes.workers import WorkerPool
from index.errors import Cancelled, StepRefused
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
        # What must be as it was checked, by step: the image to keep, and the twins of companions.
        self._kept: dict[int, list[tuple[bytes, Identity]]] = {}

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        """Each step, refused where anything is not as it was planned."""
        self._planner.look_again()
        intents = self._intents(steps)
        verified = self._verify(intents.values())
        by_id = {step.id: step for step in steps}
        refusals: dict[int, StepRefused] = {}
        ready: dict[int, Step] = {}
        for step in steps:
            if step.companion_of is not None:
                if step.companion_of not in by_id:
                    ready |= self._left_over(step)
                continue
            beside = [other for other in steps if _image_of(other, by_id) == step.id and other is not step]
            planned = {other.path: other for other in steps if is_companion(other)}
            try:
                intent = intents.get(step.image_id or 0)
                ready[step.id], others = self._ready(step, beside, planned, intent, verified)
                ready |= others
            except StepRefused as refusal:
                refusals[step.id] = refusal
        for step in steps:
            refusal_of_it = refusals.get(step.id)
            image = _image_of(step, by_id)
            if step.id in ready and image not in refusals:
                yield ready[step.id]
            elif refusal_of_it is not None:
                yield _refused(step, refusal_of_it)
            else:
                words = "An image that it belongs to stays, or it is not what it was."
                yield _refused(step, StepRefused("with_image", words))

    def guard(self, step: Step) -> None:
        """Raises StepRefused where the keeper, or a companion's twin beside it, is not what it was when it was
        checked, and where a picture that a companion belongs to is still there."""
        for path, identity in self._kept.get(step.id, self._kept.get(step.companion_of or 0, ())):
            found = None
            with contextlib.suppress(OSError):
                found = safe_files.identity_at(self._grounds.spot(path))
            if found != identity:
                raise StepRefused("keeper_changed", f"The image to keep, {_shown(path)}, changed or went away.")
        if is_companion(step):
            left = owners_left(self._grounds.spot(step.path))
            if left:
                raise StepRefused("with_image", f"It also belongs to {_shown(left[0])}, which stays.")

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
        self,
        step: Step,
        beside: Sequence[Step],
        planned: Mapping[bytes, Step],
        intent: Intent | None,
        verified: Mapping[bytes, Identity],
    ) -> tuple[Step, dict[int, Step]]:
        """A step and those that go with it, ready to be done; `beside` are those journaled behind it, `planned` the
        companions of all images by path. Raises StepRefused."""
        if intent is None or intent.step.action is not step.action:
            raise StepRefused("undecided", "The decision was changed meanwhile, or its group is no more.")
        if intent.step.state is StepState.REFUSED:
            raise StepRefused(intent.step.reason, intent.step.message)
        if intent.step.path != step.path or intent.step.identity != step.identity:
            raise StepRefused("changed", "The file was moved or changed since it was planned.")
        keepers = [_first_verified(of_group, verified) for of_group in intent.keepers]
        known = {**{one.path: one for one in beside if one.action is not Action.CREATE}, **planned}
        going = [one for one in intent.beside if one.step.action is not Action.CREATE]
        if any(one.step.path not in known for one in going):
            raise StepRefused("companion", "A file that belongs to it was not there when it was planned.")
        kept = [(file.path, verified[file.path]) for file in keepers]
        others: dict[int, Step] = {}
        all_twins: list[tuple[bytes, Identity]] = []
        for one in going:
            ready, twins = self._companion_ready(known[one.step.path], one.step.identity, one.twin)
            others[ready.id] = replace(ready, target=one.step.target, keeper=keepers[0].path)
            self._kept[ready.id] = kept + twins
            all_twins += twins
        others |= {
            one.id: self._sidecar_ready(one, step, keepers[0]) for one in beside if one.action is Action.CREATE
        }
        # The image stays where one of the twins went away at the last moment.
        self._kept[step.id] = kept + all_twins
        return replace(
            step, keeper=keepers[0].path, target=intent.step.target, made=intent.step.made, bytes=intent.step.bytes
        ), others

    def _sidecar_ready(self, made: Step, step: Step, keeper: GroupFile) -> Step:
        """The sidecar that tells of the keeper what only the image that goes does, written beside; refused where that
        is nothing, or where it cannot be: the image goes all the same."""
        try:
            if made.path != keeper.path:
                raise StepRefused("keeper_changed", "Another image is kept than was planned.")
            if safe_files.identity_at(self._grounds.spot(made.target)) is not None:
                raise StepRefused("name_taken", "The image that stays has a sidecar by now.")
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
        """A file whose image went before a crash: it goes after it, where it may still go. RAW and film need the twin
        beside the keeper that the image had."""
        with self._store.read() as database:
            image = batches.step_or_none(database, step.companion_of or 0)
        if image is None or image.state is not StepState.DONE or step.action is Action.CREATE:
            return {}
        with contextlib.suppress(StepRefused):
            twin = None
            if is_companion(step) and self._planner.needs_twin(step):
                twin = self._planner.twin(step.path, step.identity, image.keeper)
                if twin is None:
                    return {}
            ready, self._kept[step.id] = self._companion_ready(step, step.identity, twin)
            return {step.id: ready}
        return {}

    def _companion_ready(
        self, step: Step, identity: Identity, twin: bytes | None
    ) -> tuple[Step, list[tuple[bytes, Identity]]]:
        """A file that goes with an image, with its digest; where it needs a twin, that is compared, and given with
        its identity. Raises StepRefused."""
        twins = []
        with actions.held(self._grounds.spot(step.path), identity) as subject:
            digest = safe_files.digest_of(subject)
            if twin is not None:
                spot = self._grounds.spot(twin)
                there = safe_files.identity_at(spot)
                if there is None:
                    raise StepRefused("companion", f"{_shown(twin)} is not there any more.")
                with actions.held(spot, there) as other:
                    if not safe_files.are_equal(subject, other):
                        name = _shown(os.path.basename(step.path))
                        raise StepRefused("companion", f"{name} belongs to it, and the one to be kept is another.")
                twins.append((twin, there))
        return replace(step, identity=identity, digest=digest), twins


def grounds_of(
    store: Store, destinations: Iterable[bytes], claims: Callable[[], Sequence[Claim]] = tuple
) -> Grounds:
    """Every folder that is or was watched, and the destinations. `claims` are those of other configurations."""
    with store.read() as database:
        roots = catalogue.every_root(database)
    return Grounds.of(roots, destinations, claims)


def is_companion(step: Step) -> bool:
    """Whether a step of a sort is about a companion, and not about another name of its image, or a sidecar made."""
    return step.companion_of is not None and step.image_id is None and step.action is not Action.CREATE


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


def _image_of(step: Step, by_id: Mapping[int, Step]) -> int:
    """The step of the image that a step goes with, its own where it is one."""
    while step.companion_of is not None and step.companion_of in by_id:
        step = by_id[step.companion_of]
    return step.id


def _first_verified(of_group: Sequence[GroupFile], verified: Mapping[bytes, Identity]) -> GroupFile:
    for file in of_group:
        if verified.get(file.path) == file.identity:
            return file
    raise StepRefused("keeper_unreadable", "No image of its group that stays is what it was and can be decoded.")


def _refused(step: Step, refusal: StepRefused) -> Step:
    return replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message, bytes=0)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
