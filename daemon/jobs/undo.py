"""The undo job: every step that is done has a way back, which is a journaled step itself. Nothing is overwritten.

What was trashed comes back to its place, or beside it under a free name where the place is taken; what was moved comes
back as it is now; what took a file's place goes to the trash and the file comes back; what was made goes to the trash.
Runs in the runner's thread.
"""

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from daemon.files import safe_files, settling
from daemon.files.grounds import Claim, Grounds
from daemon.files.manifest import DIGEST_BYTES
from daemon.files.trash import make_plain
from daemon.jobs.journal import Journal
from daemon.jobs.progress import Context, Unwatched
from daemon.jobs.returning import Ways, chosen_steps, companion_steps, is_companion, steps_behind
from daemon.jobs.sort import Rescan, grounds_of, outcome
from daemon.uptime import boot_time
from index.errors import Cancelled, StepRefused, UsageError
from index.images.companions import Bond, bond_of
from index.images.sniff import claims_image
from index.images.trash_places import confirmation_text, holder_of, home_of, is_in_trash
from index.images.walk import is_at_or_below
from index.model import Identity, RootState
from index.records import batches, catalogue, trash_items, uptime
from index.records.batches import Action, BatchKind, Step, StepState
from index.records.catalogue import display
from index.records.jobs import EmptyParameters, UndoParameters
from index.records.trash_items import Item, ItemState
from index.records.uptime import BootTime
from index.store import Store

UNCONFIRMED_TOLD = 10
DAY_NS = 24 * 3600 * 10**9


class Undoer:
    """Runs undo jobs, and those that empty the trash. `rescan` brings the index to what is at some
    paths, `claims` are what other configurations protect."""

    def __init__(
        self,
        store: Store,
        destinations: Callable[[], Iterable[bytes]],
        rescan: Rescan,
        now_ns: Callable[[], int] = time.time_ns,
        boot_time: Callable[[], BootTime] = boot_time,
        claims: Callable[[], Sequence[Claim]] = tuple,
    ) -> None:
        self._store = store
        self._destinations = destinations
        self._claims = claims
        self._rescan = rescan
        self._now_ns = now_ns
        self._boot_time = boot_time

    def undo(self, context: Context, parameters: UndoParameters) -> Mapping[str, Any]:
        """Take back a batch, some of its steps, or bring items back from the trash."""
        return self._carry_out(context, BatchKind.UNDO, parameters.batch, lambda grounds: self._ways(
            grounds, parameters
        ))  # fmt: skip

    def empty(self, context: Context, parameters: EmptyParameters) -> Mapping[str, Any]:
        """Remove files from the trashes for good: those named, all, or those that are there for long enough. `spared`
        in the outcome counts those for which only the wall clock says so."""
        spared: list[Item] = []

        def steps(grounds: Grounds) -> list[Step]:
            items = self._store.write(lambda database: self._to_empty(database, parameters, spared))
            return [_step_for(grounds, item, Action.DELETE) for item in items]

        told = self._carry_out(context, BatchKind.EMPTY, None, steps)
        return {**told, "spared": len(spared)}

    def _to_empty(self, database: Any, parameters: EmptyParameters, spared: list[Item]) -> list[Item]:
        """By age, an item is due only if the wall clock and the time the machine was on agree."""
        if parameters.items or not parameters.older_than_days:
            return trash_items.in_trash(database, None, parameters.items)
        least_ns = int(parameters.older_than_days * DAY_NS)
        items = trash_items.in_trash(database, self._now_ns() - least_ns)
        now = self._boot_time()
        uptime.record(database, now)
        ages = uptime.ages_ns(database, [item.id for item in items], now)
        spared += [item for item in items if ages[item.id] < least_ns]
        return [item for item in items if ages[item.id] >= least_ns]

    def _carry_out(
        self, context: Context, kind: BatchKind, undo_of: int | None, make: Callable[[Grounds], list[Step]]
    ) -> Mapping[str, Any]:
        grounds = grounds_of(self._store, self._destinations(), self._claims)
        journal = Journal(self._store, grounds, self._now_ns)
        journal.recover()
        with self._store.read() as database:
            batch_id = batches.running_of_job(database, context.job_id)
        if batch_id is None:
            context.begin("planning", None)
            batch_id = journal.begin(kind, make(grounds), context.job_id, undo_of)
        try:
            journal.carry_out(context, batch_id, Returns(self._store, grounds))
        except Cancelled:
            journal.cancel(batch_id)
            raise
        with self._store.read() as database:
            steps = batches.steps_of(database, batch_id)
        self._follow(steps)
        return told(steps, batch_id)

    def _follow(self, steps: Sequence[Step]) -> None:
        done = [step for step in steps if step.state is StepState.DONE]
        paths = {path for step in done for path in (step.path, step.target) if path}
        if paths:
            self._rescan(Unwatched(), sorted(paths))

    # Ways back

    def _ways(self, grounds: Grounds, parameters: UndoParameters) -> list[Step]:
        with self._store.read() as database:
            items = trash_items.in_trash(database, None, parameters.items) if parameters.items else []
            if parameters.items and len(items) < len(set(parameters.items)):
                raise UsageError("Not all of these items are in the trash.", field="parameters.items")
            folders = [bytes(row.path) for row in catalogue.watched_roots(database)] + list(self._destinations())
            back = {item.id: trash_items.way_back_of(item, folders) for item in items}
            unasked = [item for item in items if back[item.id].asks and not parameters.confirm]
            items = [item for item in items if item not in unasked]
            chosen: list[Step] = []
            for item in items:
                if item.step_id is not None and (one := batches.step_or_none(database, item.step_id)) is not None:
                    behind = batches.steps_of(database, one.batch_id, ids=steps_behind(one))
                    chosen += [one, *companion_steps(one, behind)]
            if parameters.batch is not None:
                row = batches.batch(database, parameters.batch)
                if row.kind not in (BatchKind.SORT, BatchKind.COMPRESS):
                    raise UsageError(f"The batch {row.id} ({row.kind}) cannot be undone.", field="parameters.batch")
                chosen += chosen_steps(batches.steps_of(database, row.id), parameters.steps)
        # What an undoing put in the trash comes back from there as any file does.
        undoable = {step.id: step for step in chosen if step.state is StepState.DONE and step.action is not Action.SWAP}
        ways = [self._ways_of(grounds, step) for step in sorted(undoable.values(), key=lambda one: -one.id)]
        ways += [
            [_unconfirmed(_step_for(grounds, item, Action.RESTORE), item, back[item.id].path)] for item in unasked
        ]
        # What a manifest says of the place is taken for nothing more than the way back that came of it.
        ways += [
            [replace(_step_for(grounds, item, Action.RESTORE), path=back[item.id].path, target=back[item.id].path)]
            for item in items
            if item.step_id not in undoable
        ]
        return Ways(undoable).in_order(ways)

    # One step

    def _ways_of(self, grounds: Grounds, step: Step) -> list[Step]:
        """The steps that take one back; a refused one where there is no way."""
        back = replace(step, id=0, companion_of=None, undo_of=step.id, image_id=None, keeper=b"", temp=b"",
                       state=StepState.PLANNED, made=None, made_digest=b"")  # fmt: skip
        try:
            match step.action:
                case Action.TRASH:
                    return [self._from_trash(back)]
                case Action.MOVE:
                    return self._back_from_destination(grounds, step, back)
                case Action.LINK | Action.REPLACE:
                    return [self._in_place_again(grounds, step, back)]
                case Action.CREATE:
                    return [replace(back, action=Action.TRASH, path=step.target, target=b"", trash=b"")]
            raise StepRefused("not_undoable", f"A step of the kind {step.action} cannot be undone.")
        except StepRefused as refusal:
            return [replace(back, action=Action.RESTORE, target=step.path, state=StepState.REFUSED,
                            reason=refusal.reason, message=refusal.message)]  # fmt: skip

    def _from_trash(self, back: Step) -> Step:
        self._require_in_trash(back.trash)
        return replace(back, action=Action.RESTORE, target=back.path)

    def _back_from_destination(self, grounds: Grounds, step: Step, back: Step) -> list[Step]:
        if step.trash and self._state_in_trash(step.trash) is ItemState.IN_TRASH:
            copy = safe_files.identity_at(grounds.spot(step.target))
            restored = replace(back, action=Action.RESTORE, target=step.path)
            if copy is None:
                return [restored]
            away = replace(back, action=Action.TRASH, path=step.target, target=b"", trash=b"", identity=copy,
                           undo_of=None, bytes=0)  # fmt: skip
            return [restored, away]
        there = safe_files.identity_at(grounds.spot(step.target))
        if there is None:
            raise StepRefused("gone", "The file is not at its destination any more.")
        if (
            not step.trash
            and there.inode != step.identity.inode
            and not (step.digest and settling.holds(grounds.spot(step.target), step.digest))
            and not self._is_saved_anew(grounds, step)
        ):
            raise StepRefused("changed", "At the destination there is another file now.")
        # As it is now: what was done to it there is somebody's work.
        digest = step.digest if step.trash else b""
        return [replace(back, path=step.target, target=step.path, trash=b"", identity=there, digest=digest)]

    def _is_saved_anew(self, grounds: Grounds, step: Step) -> bool:
        """Whether a file at the destination is a sidecar beside the image that it was moved with: many programs save
        one as a new file, which is the image's by its name."""
        if not is_companion(step) or bond_of(os.path.basename(step.path)) is not Bond.SIDECAR:
            return False
        with self._store.read() as database:
            image = batches.step_or_none(database, step.companion_of or 0)
        if image is None or image.state is not StepState.DONE:
            return False
        there = safe_files.identity_at(grounds.spot(image.target))
        return there is not None and (
            there.inode == image.identity.inode or settling.holds(grounds.spot(image.target), image.digest)
        )

    def _in_place_again(self, grounds: Grounds, step: Step, back: Step) -> Step:
        self._require_in_trash(step.trash)
        there = safe_files.identity_at(grounds.spot(step.path))
        is_ours = there is not None and step.made is not None and there.inode == step.made.inode
        if step.action is Action.REPLACE:
            is_ours = safe_files.is_same(there, step.made)
            if there is not None and not is_ours and step.made_digest:
                is_ours = settling.holds(grounds.spot(step.path), step.made_digest)
        if not is_ours:
            return replace(back, action=Action.RESTORE, target=step.path)
        return replace(back, action=Action.SWAP, target=b"", made=there)

    def _require_in_trash(self, place: bytes) -> None:
        state = self._state_in_trash(place)
        if state is not ItemState.IN_TRASH:
            words = {ItemState.EMPTIED: "It was removed from the trash for good.",
                     ItemState.RESTORED: "It was brought back already."}  # fmt: skip
            raise StepRefused(
                str(state or "gone"), words.get(state or ItemState.GONE, "It is not in the trash any more.")
            )

    def _state_in_trash(self, place: bytes) -> ItemState | None:
        with self._store.read() as database:
            item = trash_items.item_at(database, place)
        return None if item is None else item.state


class Returns:
    """What is looked at before something comes back: its folder may be protected by now, or away."""

    def __init__(self, store: Store, grounds: Grounds) -> None:
        self._store = store
        self._grounds = grounds

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        with self._store.read() as database:
            offline = {
                bytes(row.path) for row in catalogue.watched_roots(database) if row.state != RootState.ONLINE
            }
        for step in steps:
            yield step if step.state is not StepState.PLANNED else self._judged(step, offline)

    def guard(self, step: Step) -> None:
        """What only a manifest knows comes back as a plain file that nobody can run. Raises StepRefused, OSError."""
        if step.action is not Action.RESTORE or not self._is_adopted(step.trash):
            return
        try:
            with safe_files.opened_file(self._grounds.spot(step.trash)) as descriptor:
                is_plain = make_plain(descriptor)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EINVAL):
                raise StepRefused("not_a_file", "There is no regular file in the trash.") from error
            raise
        if not is_plain and not claims_image(os.path.basename(step.target)):
            raise StepRefused("executable", "The file can be executed, and that cannot be changed. Restore it by hand.")

    def _is_adopted(self, place: bytes) -> bool:
        with self._store.read() as database:
            item = trash_items.item_at(database, place)
        return item is not None and item.adopted

    def _judged(self, step: Step, offline: set[bytes]) -> Step:
        for path in filter(None, (step.path, step.target)):
            spot = self._grounds.spot(path)
            if step.action is not Action.DELETE and (spot.top in offline or not os.path.isdir(spot.top)):
                return _refused(step, "offline", "Its folder is offline.")
        if step.action is Action.DELETE and not os.path.isdir(self._grounds.spot(step.trash).top):
            return _refused(step, "offline", "Its folder is offline.")
        if step.action is Action.RESTORE:
            return self._with_place(step)
        if step.action is Action.TRASH:
            return self._with_digest(step)
        return step

    def _with_place(self, step: Step) -> Step:
        """A file comes back neither into a trash nor into the data folder; and what only a manifest knows not out of
        the folder that holds its trash, whatever links lead."""
        real = os.path.realpath(os.path.dirname(step.target))
        if is_in_trash(real) or is_at_or_below(real, os.path.realpath(os.fsencode(self._store.data_dir))):
            return _refused(step, "not_there", "Nothing is restored into a trash or into the data folder.")
        if self._is_adopted(step.trash):
            holder = os.path.realpath(holder_of(home_of(step.trash)))
            if not is_at_or_below(real, holder):
                return _refused(step, "not_there", "A link leads out of the folder that holds the trash.")
        return step

    def _with_digest(self, step: Step) -> Step:
        """What is trashed while something comes back must be what was made or copied."""
        now = None
        try:
            now = safe_files.identity_at(self._grounds.spot(step.path))
        except OSError as error:
            return _refused(step, "unreadable", f"It cannot be looked at: {error.strerror}.")
        if now is None:
            return _refused(step, "gone", "The file is not there any more.")
        return replace(step, identity=now)


def told(steps: Sequence[Step], batch_id: int) -> dict[str, Any]:
    """What an undo job or an emptying tells of its batch."""
    found = outcome(steps, batch_id, dry_run=False)
    not_back = [step for step in steps if step.companion_of is None or step.undo_of is not None]
    refused = Counter(step.reason for step in not_back if step.state in (StepState.REFUSED, StepState.FAILED))
    done = [step for step in steps if step.state is StepState.DONE]
    beside = [
        step for step in done
        if step.action is Action.RESTORE and os.path.basename(step.target) != os.path.basename(step.path)
    ]  # fmt: skip
    return {
        "batch": batch_id,
        "restored": sum(step.action in (Action.RESTORE, Action.SWAP, Action.MOVE) for step in done),
        "restored_beside": len(beside),
        "deleted": sum(step.action is Action.DELETE for step in done),
        "bytes": sum(step.bytes for step in done if step.action is Action.DELETE),
        "refused": dict(refused),
        "unconfirmed": [step.message for step in steps if step.reason == "needs_confirmation"][:UNCONFIRMED_TOLD],
        "in_doubt": found["in_doubt"],
    }


def _step_for(grounds: Grounds, item: Item, action: Action) -> Step:
    identity = Identity(0, item.inode, item.size_bytes, item.mtime_ns)
    step = Step(action, item.path, identity, item.digest, trash=item.place, bytes=item.size_bytes)
    try:
        there = safe_files.identity_at(grounds.spot(item.place))
    except OSError as error:
        return _refused(step, "offline", f"The trash cannot be looked at: {error.strerror}.")
    if there is None:
        return _refused(step, "gone", "The file is not in the trash any more.")
    if action is Action.DELETE:
        # A manifest may say anything: only what proves that it is the very file is a reason to remove one.
        if len(item.digest) != DIGEST_BYTES:
            return _refused(step, "not_recorded", "The digest of the file was never recorded.")
        if not safe_files.is_same(there, identity):
            return _refused(step, "changed", "The file in the trash is not the one that was put there.")
    return replace(step, identity=identity._replace(device=there.device))


def _unconfirmed(step: Step, item: Item, place: bytes) -> Step:
    return _refused(step, "needs_confirmation", confirmation_text(item.adopted, display(place)))


def _refused(step: Step, reason: str, message: str) -> Step:
    return replace(step, state=StepState.REFUSED, reason=reason, message=message)
