"""The sort job: applies the decisions. It plans, checks every file and its keeper again, and acts through the journal.

A keeper is checked by its digest and by decoding it, in a worker; its identity is checked again just before the step.
An image without a keeper in each of its groups stays. Runs in the runner's thread.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from daemon.files import actions, safe_files
from daemon.files.file_claims import kept_in_place
from daemon.files.protected_paths import Claim, ManagedFolders
from daemon.files.siblings import remaining_owners
from daemon.jobs.carried_metadata import CARRYING, Kept, MetadataCarrier
from daemon.jobs.journal import Journal
from daemon.jobs.progress import NullProgress, Progress
from daemon.jobs.runner import JobContext
from daemon.jobs.sort_plan import Companions, PlannedFile, Planner, PlanOptions, check_keepers, in_order
from daemon.processes.decode_task import PictureTask, check_picture
from daemon.processes.worker_pool import WorkerPool
from index.database import garbage
from index.database.queries import group_files
from index.database.queries.group_files import GroupFile
from index.database.records import batches, images
from index.database.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.database.records.jobs import SortParameters
from index.database.store import Store
from index.errors import Cancelled, StepRefused
from index.imaging.decoding.pictures import Limits
from index.model import Identity
from index.paths import display

log = logging.getLogger(__name__)

Rescan = Callable[[Progress, Sequence[bytes]], object]


@dataclass(frozen=True, slots=True)
class SortSettings:
    """The values of the configuration that the job uses."""

    destinations: Mapping[str, bytes]
    companions: Companions
    settle_s: float
    carries_metadata: bool = False
    claims: Callable[[], Sequence[Claim]] = tuple


class Sorter:
    """Runs sort jobs. `rescan` updates the index for some paths."""

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
        """Apply the decisions, or only plan them; if a stop interrupted the job, continue its batch."""
        settings = self._settings()
        folders = managed_folders(self._store, settings.destinations.values(), settings.claims)
        journal = Journal(self._store, folders, self._now_ns)
        options = PlanOptions(settings.destinations, settings.companions, settings.settle_s, settings.carries_metadata)
        planner = Planner(folders, options, self._now_ns)
        if not parameters.dry_run:
            journal.recover()
        with self._store.read() as database:
            batch_id = batches.running_of_job(database, context.job_id)
        if batch_id is None:
            context.begin("planning", None)
            steps = self.plan(planner, parameters.groups)
            state = BatchState.PLAN if parameters.dry_run else BatchState.RUNNING
            batch_id = journal.begin(BatchKind.SORT, steps, context.job_id, state=state)
        if not parameters.dry_run:
            checker = Checker(self._store, self._pool, self._limits, folders, planner)
            try:
                journal.carry_out(context, batch_id, checker)
            except Cancelled:
                journal.cancel(batch_id)
                raise
            finally:
                self._rescan_changed(batch_id)
        with self._store.read() as database:
            return outcome(batches.steps_of(database, batch_id), batch_id, parameters.dry_run)

    def plan(self, planner: Planner, keys: Sequence[str] = ()) -> list[Step]:
        """The steps for all decisions, or those in some groups, with the files as they are now."""
        with garbage.paused(), self._store.read() as database:
            contents = group_files.decided_contents(database, keys)
            groups = group_files.groups_with(database, group_files.with_group_members(database, contents))
            lost = [] if keys else group_files.lost_decisions(database)
            return in_order([*planner.plan(groups, set(contents)), *planner.plan_lost(lost)])

    def _rescan_changed(self, batch_id: int) -> None:
        """Update the index for linked and moved files; trashed ones were updated by the journal."""
        with self._store.read() as database:
            done = batches.steps_of(database, batch_id, (StepState.DONE,))
        paths = {step.path for step in done if step.action is Action.LINK}
        paths |= {step.target for step in done if step.action is Action.MOVE}
        if paths:
            self._rescan(NullProgress(), sorted(paths))


class Checker:
    """Checks the steps of a chunk again, just before they are done: daemon.jobs.journal.Checks."""

    def __init__(
        self, store: Store, pool: WorkerPool, limits: Limits, folders: ManagedFolders, planner: Planner
    ) -> None:
        self._store = store
        self._pool = pool
        self._limits = limits
        self._folders = folders
        self._planner = planner
        self._carrier = MetadataCarrier(store, pool, limits, folders, planner)
        # The files that must not change between check and step, by step: the keeper, and the twins of companions.
        self._unchanged: dict[int, list[tuple[bytes, Identity]]] = {}

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        """Each step, refused if anything differs from the plan."""
        self._planner.refresh()
        planned_files = self._planned_files(steps)
        verified = self._verify(planned_files.values())
        by_id = {step.id: step for step in steps}
        refusals: dict[int, StepRefused] = {}
        ready: dict[int, Step] = {}
        kept: dict[int, Kept] = {}
        carrying: list[tuple[Step, Step]] = []
        for step in steps:
            if step.companion_of is not None:
                if step.companion_of not in by_id:
                    ready |= self._resume_companion(step)
                continue
            companion_steps = [
                other for other in steps if _image_step_id(other, by_id) == step.id and other is not step
            ]
            planned = {other.path: other for other in steps if is_companion(other)}
            try:
                planned_file = planned_files.get(step.image_id or 0)
                ready[step.id], others, kept[step.id] = self._prepare_step(
                    step, companion_steps, planned, planned_file, verified
                )
                ready |= others
                carrying += [(other, step) for other in companion_steps if other.action in CARRYING]
            except StepRefused as refusal:
                refusals[step.id] = refusal
        ready |= {step.id: step for step in self._carrier.prepare(carrying, kept)}
        for step in steps:
            own_refusal = refusals.get(step.id)
            image = _image_step_id(step, by_id)
            if step.id in ready and image not in refusals:
                yield ready[step.id]
            elif own_refusal is not None:
                yield _refused(step, own_refusal)
            else:
                yield _refused(step, StepRefused("with_image", "step.an_image_stays"))

    @contextmanager
    def guard(self, step: Step) -> Iterator[None]:
        """Keep the keeper, and a companion's twin next to it, in place while a step is done. Raises StepRefused if one
        of them has changed since it was checked, or if a picture that a companion belongs to is still there, and
        MovedWithIt if the step moved one of them as well."""
        unchanged = self._unchanged.get(step.id, self._unchanged.get(step.companion_of or 0, ()))
        files = ((self._folders.file_ref(path), identity) for path, identity in unchanged)
        with kept_in_place(files) as check_unmoved:
            if is_companion(step):
                left = remaining_owners(self._folders.file_ref(step.path))
                if left:
                    raise StepRefused("with_image", "step.shared_companion", path=display(left[0]))
            yield
            # A link changes the keeper itself, and a copied file is still at its new place.
            if step.action is Action.TRASH or (step.action is Action.MOVE and not step.trash):
                check_unmoved()

    def _planned_files(self, steps: Sequence[Step]) -> dict[int, PlannedFile]:
        """The present plan for the images of these steps, by image."""
        digests = {step.digest for step in steps if step.companion_of is None}
        with self._store.read() as database:
            contents = set(images.ids_of_digests(database, digests).values())
            groups = group_files.groups_with(database, group_files.with_group_members(database, contents))
        return {planned_file.step.image_id or 0: planned_file for planned_file in self._planner.plan(groups, contents)}

    def _verify(self, planned_files: Iterable[PlannedFile]) -> dict[bytes, Identity]:
        """The keepers that have their content and can be decoded: one for each group, if any was found."""
        open_groups = [list(candidates) for planned_file in planned_files for candidates in planned_file.keepers]
        verified: dict[bytes, Identity] = {}
        tried: set[bytes] = set()
        while True:
            tasks: dict[bytes, PictureTask] = {}
            for candidates in open_groups:
                while candidates and candidates[0].path in tried:
                    if candidates[0].path in verified:
                        break
                    candidates.pop(0)
                if candidates and candidates[0].path not in verified:
                    tasks[candidates[0].path] = self._task(candidates[0].path, candidates[0].digest)
            if not tasks:
                return verified
            tried |= set(tasks)
            outcomes = self._pool.run(check_picture, list(tasks.values()))
            try:
                for outcome in outcomes:
                    if outcome.value is not None:
                        verified[outcome.item.path] = outcome.value
                    elif outcome.failure is not None:
                        log.warning(
                            "%s cannot be the image to keep: %s", display(outcome.item.path), outcome.failure.message
                        )
            finally:
                outcomes.close()

    def _task(self, path: bytes, digest: bytes) -> PictureTask:
        return PictureTask(path, self._folders.file_ref(path).top, digest, self._limits)

    def _prepare_step(
        self,
        step: Step,
        companion_steps: Sequence[Step],
        planned: Mapping[bytes, Step],
        planned_file: PlannedFile | None,
        verified: Mapping[bytes, Identity],
    ) -> tuple[Step, dict[int, Step], Kept]:
        """A step and its companion steps, ready to be done, and the keeper. `companion_steps` are those journaled after
        it, `planned` the companions of all images by path. Raises StepRefused."""
        if planned_file is None or planned_file.step.action is not step.action:
            raise StepRefused("undecided", "step.undecided")
        if planned_file.step.state is StepState.REFUSED:
            raise StepRefused(planned_file.step.reason, planned_file.step.message or "text")
        if planned_file.step.path != step.path or planned_file.step.identity != step.identity:
            raise StepRefused("changed", "step.changed_since_planned")
        keepers = [_first_verified(candidates, verified) for candidates in planned_file.keepers]
        if planned_file.file is not None:
            check_keepers(planned_file.file, keepers)
        known = {
            **{companion.path: companion for companion in companion_steps if companion.action not in CARRYING},
            **planned,
        }
        going = [companion for companion in planned_file.companions if companion.step.action not in CARRYING]
        if any(companion.step.path not in known for companion in going):
            raise StepRefused("companion", "step.companion_unplanned")
        kept = [(file.path, verified[file.path]) for file in keepers]
        others: dict[int, Step] = {}
        all_twins: list[tuple[bytes, Identity]] = []
        for companion in going:
            ready, twins = self._prepare_companion(known[companion.step.path], companion.step.identity, companion.twin)
            others[ready.id] = replace(ready, target=companion.step.target, keeper=keepers[0].path)
            self._unchanged[ready.id] = kept + twins
            all_twins += twins
        # The image stays if one of the twins is removed at the last moment.
        self._unchanged[step.id] = kept + all_twins
        ready_step = replace(
            step,
            keeper=keepers[0].path,
            target=planned_file.step.target,
            made=planned_file.step.made,
            bytes=planned_file.step.bytes,
        )
        return ready_step, others, Kept(keepers[0].path, keepers[0].digest)

    def _resume_companion(self, step: Step) -> dict[int, Step]:
        """The step of a companion whose image was moved before a crash: it follows, if it still may. A RAW or video
        needs a twin next to the keeper that the image had."""
        with self._store.read() as database:
            image = batches.step_or_none(database, step.companion_of or 0)
        if image is None or image.state is not StepState.DONE:
            return {}
        if step.action in CARRYING:
            carried = self._carrier.resume(step, image)
            return {} if carried is None else {step.id: carried}
        with suppress(StepRefused):
            twin = None
            if is_companion(step) and self._planner.needs_twin(step):
                twin = self._planner.twin(step.path, step.identity, image.keeper)
                if twin is None:
                    return {}
            ready, self._unchanged[step.id] = self._prepare_companion(step, step.identity, twin)
            return {step.id: ready}
        return {}

    def _prepare_companion(
        self, step: Step, identity: Identity, twin: bytes | None
    ) -> tuple[Step, list[tuple[bytes, Identity]]]:
        """The step of a companion, with its digest. If it needs a twin, the twin is compared, and returned with its
        identity. Raises StepRefused, if one of them cannot be read as well."""
        try:
            return self._compare_companion(step, identity, twin)
        except OSError as error:
            raise actions.refusal_of(error) from error

    def _compare_companion(
        self, step: Step, identity: Identity, twin: bytes | None
    ) -> tuple[Step, list[tuple[bytes, Identity]]]:
        twins = []
        with actions.opened_unchanged(self._folders.file_ref(step.path), identity) as subject:
            digest = safe_files.digest_of(subject)
            if twin is not None:
                file_ref = self._folders.file_ref(twin)
                there = safe_files.identity_at(file_ref)
                if there is None:
                    raise StepRefused("companion", "step.path_gone", path=display(twin))
                with actions.opened_unchanged(file_ref, there) as other:
                    if not safe_files.are_equal(subject, other):
                        name = display(os.path.basename(step.path))
                        raise StepRefused("companion", "step.other_companion", name=name)
                twins.append((twin, there))
        return replace(step, identity=identity, digest=digest), twins


def managed_folders(
    store: Store, destinations: Iterable[bytes], claims: Callable[[], Sequence[Claim]] = tuple
) -> ManagedFolders:
    """Every present and former watch root, and the destinations. `claims` are those of other configurations."""
    with store.read() as database:
        roots = images.all_roots(database)
    return ManagedFolders.of(roots, destinations, claims)


def is_companion(step: Step) -> bool:
    """Whether a step of a sort is about a companion, and not about another name of its image or a new sidecar."""
    return step.companion_of is not None and step.image_id is None and step.action not in CARRYING


def outcome(steps: Sequence[Step], batch_id: int, dry_run: bool) -> dict[str, Any]:
    """The outcome of a job: the number of images by action, the bytes that are freed, the refused steps by reason
    ("sidecar": metadata was not added to that of the kept image)."""
    good = StepState.PLANNED if dry_run else StepState.DONE
    images = [step for step in steps if step.companion_of is None]
    counts = Counter(str(step.action) for step in images if step.state is good)
    stopped = (StepState.REFUSED, StepState.FAILED)
    refused = Counter(step.reason for step in images if step.state in stopped)
    carrying = [step for step in steps if step.companion_of is not None and step.action in CARRYING]
    left = sum(step.state in stopped and step.reason not in ("nothing_to_add", "with_image") for step in carrying)
    if left:
        refused["sidecar"] = left
    return {
        "batch": batch_id,
        "dry_run": dry_run,
        **{str(action): counts.get(str(action), 0) for action in (Action.TRASH, Action.MOVE, Action.LINK)},
        "companions": sum(step.state is good for step in steps if step.companion_of is not None),
        "bytes": sum(step.bytes for step in steps if step.state is good),
        "refused": dict(refused),
        "in_doubt": sum(step.state is StepState.DOING for step in steps),
    }


def _image_step_id(step: Step, by_id: Mapping[int, Step]) -> int:
    """The id of the step of the image that a companion step follows; its own id if it is the step of an image."""
    while step.companion_of is not None and step.companion_of in by_id:
        step = by_id[step.companion_of]
    return step.id


def _first_verified(candidates: Sequence[GroupFile], verified: Mapping[bytes, Identity]) -> GroupFile:
    for file in candidates:
        if verified.get(file.path) == file.identity:
            return file
    raise StepRefused("keeper_unreadable", "step.keeper_unreadable")


def _refused(step: Step, refusal: StepRefused) -> Step:
    return replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message, bytes=0)
