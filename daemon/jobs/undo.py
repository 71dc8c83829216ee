"""The undo job: every step that is done has an inverse, which is a journaled step itself. Nothing is overwritten.

A trashed file is restored to its path, or next to it under a free name if that is taken. A moved file is moved back as
it is now. A file that replaced another goes to the trash and the other is restored. A created file goes to the trash.
Runs in the runner's thread.
"""

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from daemon.files import safe_files, step_recovery
from daemon.files.actions import refusal_of
from daemon.files.protected_paths import Claim, ManagedFolders
from daemon.files.trash import remove_execute_bits
from daemon.files.trash_manifest import DIGEST_BYTES
from daemon.jobs.journal import Journal
from daemon.jobs.progress import Context, NullProgress
from daemon.jobs.sort import Rescan, managed_folders, outcome
from daemon.jobs.undo_order import UndoOrder, chosen_steps, companion_steps, is_companion, steps_behind
from daemon.uptime import boot_time
from index.database.records import batches, carried_out, images, last_copies, trash_items, uptime
from index.database.records.batches import Action, BatchKind, Step, StepState
from index.database.records.jobs import EmptyParameters, UndoParameters
from index.database.records.trash_items import Item, ItemState
from index.database.records.uptime import BootTime
from index.database.store import Store
from index.errors import Cancelled, StepRefused, UsageError
from index.imaging.discovery.companions import Bond, bond_of
from index.imaging.discovery.file_types import claims_image
from index.imaging.discovery.trash_places import confirmation_text, holder_of, home_of, is_in_trash
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message, of_os_error, to_plain
from index.model import Identity, RootState
from index.paths import display

UNCONFIRMED_LISTED = 10
DAY_NS = 24 * 3600 * 10**9


class Undoer:
    """Runs undo jobs, and those that empty the trash. `rescan` updates the index for some paths, `claims` returns what
    other configurations protect."""

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
        """Undo a batch or some of its steps, with the decisions that these carried out; or restore items from the
        trash."""

        def restored(steps: Sequence[Step]) -> None:
            self._restore_decisions(steps, parameters)

        def inverses(folders: ManagedFolders) -> list[Step]:
            return self._inverse_steps(folders, parameters)

        return self._carry_out(context, BatchKind.UNDO, parameters.batch, inverses, restored)

    def empty(self, context: Context, parameters: EmptyParameters) -> Mapping[str, Any]:
        """Delete files in the trashes permanently: those named, all, or those that are old enough. `spared` in the
        outcome counts those that are old enough by the wall clock only; `last_copies` those that are old enough, but
        are the last copy of their picture."""
        spared: list[Item] = []
        last: list[Item] = []

        def steps(folders: ManagedFolders) -> list[Step]:
            items = self._store.write(lambda database: self._due_items(database, parameters, spared, last))
            with self._store.read() as database:
                second_names = trash_items.second_names(database, items)
            found = [_step_for(folders, item, Action.DELETE) for item in items]
            return [
                replace(step, bytes=0) if item.id in second_names else step
                for item, step in zip(items, found, strict=True)
            ]

        outcome = self._carry_out(context, BatchKind.EMPTY, None, steps)
        return {**outcome, "spared": len(spared), "last_copies": len(last)}

    def _due_items(
        self, database: Any, parameters: EmptyParameters, spared: list[Item], last: list[Item]
    ) -> list[Item]:
        """The items to remove. By age, an item is due only if it is old enough by the wall clock and by the time that
        the machine was on, and if its picture is still there."""
        if parameters.items or not parameters.older_than_days:
            return trash_items.in_trash(database, None, parameters.items)
        least_ns = int(parameters.older_than_days * DAY_NS)
        items = trash_items.in_trash(database, self._now_ns() - least_ns)
        now = self._boot_time()
        uptime.record(database, now)
        ages = uptime.ages_ns(database, [item.id for item in items], now)
        spared += [item for item in items if ages[item.id] < least_ns]
        due = [item for item in items if ages[item.id] >= least_ns]
        alone = last_copies.among(database, due)
        last += [item for item in due if item.id in alone]
        return [item for item in due if item.id not in alone]

    def _carry_out(
        self,
        context: Context,
        kind: BatchKind,
        undo_of: int | None,
        make: Callable[[ManagedFolders], list[Step]],
        afterwards: Callable[[Sequence[Step]], object] = lambda steps: None,
    ) -> Mapping[str, Any]:
        folders = managed_folders(self._store, self._destinations(), self._claims)
        journal = Journal(self._store, folders, self._now_ns)
        journal.recover()
        with self._store.read() as database:
            batch_id = batches.running_of_job(database, context.job_id)
        if batch_id is None:
            context.begin("planning", None)
            batch_id = journal.begin(kind, make(folders), context.job_id, undo_of)
        try:
            journal.carry_out(context, batch_id, UndoChecks(self._store, folders))
        except Cancelled:
            journal.cancel(batch_id)
            self._update_index(batch_id, afterwards)
            raise
        steps = self._update_index(batch_id, afterwards)
        return undo_outcome(steps, batch_id)

    def _update_index(self, batch_id: int, afterwards: Callable[[Sequence[Step]], object]) -> Sequence[Step]:
        """The steps of a batch, after the index has been updated with their effect."""
        with self._store.read() as database:
            steps = batches.steps_of(database, batch_id)
        self._rescan_changed(steps)
        afterwards(steps)
        return steps

    def _restore_decisions(self, steps: Sequence[Step], parameters: UndoParameters) -> None:
        """Restore the decisions that the undone steps had carried out. A file restored from the trash alone has none:
        the user wanted it back."""
        if parameters.batch is None:
            return
        done = [step for step in steps if step.state is StepState.DONE and step.undo_of is not None]
        restored = [(step.undo_of, step.target or step.path) for step in done if step.undo_of is not None]
        change = carried_out.forget if parameters.decide_again else carried_out.put_back
        self._store.write(lambda database: change(database, restored))

    def _rescan_changed(self, steps: Sequence[Step]) -> None:
        done = [step for step in steps if step.state is StepState.DONE]
        paths = {path for step in done for path in (step.path, step.target) if path}
        if paths:
            self._rescan(NullProgress(), sorted(paths))

    # Inverse steps

    def _inverse_steps(self, managed: ManagedFolders, parameters: UndoParameters) -> list[Step]:
        with self._store.read() as database:
            items = trash_items.in_trash(database, None, parameters.items) if parameters.items else []
            if parameters.items and len(items) < len(set(parameters.items)):
                raise UsageError("undo.items_not_in_trash", field="parameters.items")
            folders = [bytes(row.path) for row in images.watched_roots(database)] + list(self._destinations())
            back = {item.id: trash_items.restore_target_of(item, folders) for item in items}
            unconfirmed = [item for item in items if back[item.id].asks and not parameters.confirm]
            items = [item for item in items if item not in unconfirmed]
            chosen: list[Step] = []
            for item in items:
                if item.step_id is not None and (item_step := batches.step_or_none(database, item.step_id)) is not None:
                    behind = batches.steps_of(database, item_step.batch_id, ids=steps_behind(item_step))
                    chosen += [item_step, *companion_steps(item_step, behind)]
            if parameters.batch is not None:
                row = batches.batch(database, parameters.batch)
                if row.kind not in (BatchKind.SORT, BatchKind.COMPRESS):
                    raise UsageError("undo.wrong_kind", batch=row.id, kind=row.kind, field="parameters.batch")
                chosen += chosen_steps(batches.steps_of(database, row.id), parameters.steps)
        # A file that an undo put in the trash is restored from there like any other.
        undoable = {step.id: step for step in chosen if step.state is StepState.DONE and step.action is not Action.SWAP}
        # What earlier inverses restore, by path: a sidecar may have been replaced more than once.
        coming: dict[bytes, Identity] = {}
        inverses = [
            self._inverse_steps_of(managed, step, coming)
            for step in sorted(undoable.values(), key=lambda step: -step.id)
        ]
        inverses += [
            [_unconfirmed(_step_for(managed, item, Action.RESTORE), item, back[item.id].path)] for item in unconfirmed
        ]
        # The path in a manifest is not trusted: the target is the one that trash_items.restore_target_of has checked.
        inverses += [
            [replace(_step_for(managed, item, Action.RESTORE), path=back[item.id].path, target=back[item.id].path)]
            for item in items
            if item.step_id not in undoable
        ]
        return UndoOrder(undoable).in_order(inverses)

    # One step

    def _inverse_steps_of(self, folders: ManagedFolders, step: Step, coming: dict[bytes, Identity]) -> list[Step]:
        """The steps that undo a step; a refused one if that is impossible. `coming` has the files that the inverses so
        far restore in exchange for others, by path."""
        back = replace(step, id=0, companion_of=None, undo_of=step.id, image_id=None, keeper=b"", temp=b"",
                       state=StepState.PLANNED, made=None, made_digest=b"")  # fmt: skip
        try:
            match step.action:
                case Action.TRASH:
                    return [self._restore_from_trash(back)]
                case Action.MOVE:
                    return self._move_back(folders, step, back)
                case Action.LINK | Action.REPLACE:
                    return [self._swap_back(folders, step, back, coming)]
                case Action.CREATE:
                    return [replace(back, action=Action.TRASH, path=step.target, target=b"", trash=b"")]
            raise StepRefused("not_undoable", "step.not_undoable", action=step.action)
        except StepRefused as error:
            refusal = error
        except OSError as error:
            is_there = all(os.path.isdir(folders.file_ref(path).top) for path in (step.path, step.target) if path)
            refusal = refusal_of(error) if is_there else StepRefused("offline", "step.offline")
        return [replace(back, action=Action.RESTORE, target=step.path, state=StepState.REFUSED,
                        reason=refusal.reason, message=refusal.message)]  # fmt: skip

    def _restore_from_trash(self, back: Step) -> Step:
        self._require_in_trash(back.trash)
        return replace(back, action=Action.RESTORE, target=back.path)

    def _move_back(self, folders: ManagedFolders, step: Step, back: Step) -> list[Step]:
        if step.trash and self._state_in_trash(step.trash) is ItemState.IN_TRASH:
            copy = safe_files.identity_at(folders.file_ref(step.target))
            restored = replace(back, action=Action.RESTORE, target=step.path)
            if copy is None:
                return [restored]
            away = replace(back, action=Action.TRASH, path=step.target, target=b"", trash=b"", identity=copy,
                           undo_of=None, bytes=0)  # fmt: skip
            return [restored, away]
        there = safe_files.identity_at(folders.file_ref(step.target))
        if there is None:
            raise StepRefused("gone", "step.not_at_destination")
        if (
            not step.trash
            and there.inode != step.identity.inode
            and not (step.digest and step_recovery.has_content(folders.file_ref(step.target), step.digest))
            and not self._is_saved_again(folders, step)
        ):
            raise StepRefused("changed", "step.other_at_destination")
        # As it is now: changes made at the destination are kept.
        digest = step.digest if step.trash else b""
        return [replace(back, path=step.target, target=step.path, trash=b"", identity=there, digest=digest)]

    def _is_saved_again(self, folders: ManagedFolders, step: Step) -> bool:
        """Whether the file at the destination is a sidecar next to the image that it was moved with: many programs save
        a sidecar as a new file, which belongs to the image by its name."""
        if not is_companion(step) or bond_of(os.path.basename(step.path)) is not Bond.SIDECAR:
            return False
        with self._store.read() as database:
            image = batches.step_or_none(database, step.companion_of or 0)
        if image is None or image.state is not StepState.DONE:
            return False
        there = safe_files.identity_at(folders.file_ref(image.target))
        return there is not None and (
            there.inode == image.identity.inode
            or step_recovery.has_content(folders.file_ref(image.target), image.digest)
        )

    def _swap_back(self, folders: ManagedFolders, step: Step, back: Step, coming: dict[bytes, Identity]) -> Step:
        self._require_in_trash(step.trash)
        there = coming.get(step.path) or safe_files.identity_at(folders.file_ref(step.path))
        is_ours = there is not None and step.made is not None and there.inode == step.made.inode
        if step.action is Action.REPLACE:
            is_ours = safe_files.is_same(there, step.made)
            if there is not None and not is_ours and step.made_digest and step.path not in coming:
                is_ours = step_recovery.has_content(folders.file_ref(step.path), step.made_digest)
        if not is_ours:
            return replace(back, action=Action.RESTORE, target=step.path)
        coming[step.path] = step.identity
        return replace(back, action=Action.SWAP, target=b"", made=there)

    def _require_in_trash(self, place: bytes) -> None:
        state = self._state_in_trash(place)
        if state is not ItemState.IN_TRASH:
            codes = {ItemState.EMPTIED: "step.emptied", ItemState.RESTORED: "step.restored_before"}  # fmt: skip
            raise StepRefused(str(state or "gone"), codes.get(state or ItemState.GONE, "step.left_trash"))

    def _state_in_trash(self, place: bytes) -> ItemState | None:
        with self._store.read() as database:
            item = trash_items.item_at(database, place)
        return None if item is None else item.state


class UndoChecks:
    """The checks before a file is restored: its folder may have been protected since, or be offline."""

    def __init__(self, store: Store, folders: ManagedFolders) -> None:
        self._store = store
        self._folders = folders

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        with self._store.read() as database:
            offline = {bytes(row.path) for row in images.watched_roots(database) if row.state != RootState.ONLINE}
        coming: dict[bytes, Identity] = {}
        for step in steps:
            if step.state is not StepState.PLANNED:
                yield step
                continue
            yield self._checked(step, offline, coming)
            if step.action is Action.SWAP:
                coming[step.path] = step.identity

    @contextmanager
    def guard(self, step: Step) -> Iterator[None]:
        """A file known only from a manifest is restored without execute bits. Raises StepRefused, OSError."""
        if step.action is Action.RESTORE and self._is_adopted(step.trash):
            self._make_plain(step)
        yield

    def _make_plain(self, step: Step) -> None:
        try:
            with safe_files.opened_file(self._folders.file_ref(step.trash)) as descriptor:
                is_plain = remove_execute_bits(descriptor)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EINVAL):
                raise StepRefused("not_a_file", "step.not_a_file_in_trash") from error
            raise
        if not is_plain and not claims_image(os.path.basename(step.target)):
            raise StepRefused("executable", "step.executable")

    def _is_adopted(self, place: bytes) -> bool:
        with self._store.read() as database:
            item = trash_items.item_at(database, place)
        return item is not None and item.adopted

    def _checked(self, step: Step, offline: set[bytes], coming: Mapping[bytes, Identity]) -> Step:
        """A step as it can be done, or refused. `coming` are the files that steps before it put in their places."""
        for path in filter(None, (step.path, step.target)):
            file_ref = self._folders.file_ref(path)
            if step.action is not Action.DELETE and (file_ref.top in offline or not os.path.isdir(file_ref.top)):
                return _refused(step, "offline", Message("step.offline"))
        if step.action is Action.DELETE and not os.path.isdir(self._folders.file_ref(step.trash).top):
            return _refused(step, "offline", Message("step.offline"))
        if step.action is Action.RESTORE:
            return self._check_target(step)
        if step.action is Action.TRASH:
            known = coming.get(step.path)
            return self._with_identity(step) if known is None else replace(step, identity=known)
        return step

    def _check_target(self, step: Step) -> Step:
        """A step, refused if it would restore a file into a trash or the data folder, or a file known only from a
        manifest to a path outside the folder that holds its trash, with links resolved."""
        real = os.path.realpath(os.path.dirname(step.target))
        if is_in_trash(real) or is_at_or_below(real, os.path.realpath(os.fsencode(self._store.data_dir))):
            return _refused(step, "not_there", Message("step.into_trash"))
        if self._is_adopted(step.trash):
            holder = os.path.realpath(holder_of(home_of(step.trash)))
            if not is_at_or_below(real, holder):
                return _refused(step, "not_there", Message("step.link_leads_out"))
        return step

    def _with_identity(self, step: Step) -> Step:
        """A step with the present identity of the created or copied file that it trashes."""
        now = None
        try:
            now = safe_files.identity_at(self._folders.file_ref(step.path))
        except OSError as error:
            return _refused(step, "unreadable", Message("step.unexaminable", error=of_os_error(error)))
        if now is None:
            return _refused(step, "gone", Message("step.gone"))
        return replace(step, identity=now)


def undo_outcome(steps: Sequence[Step], batch_id: int) -> dict[str, Any]:
    """The outcome of a job that undoes a batch or empties the trash."""
    counts = outcome(steps, batch_id, dry_run=False)
    not_back = [step for step in steps if step.companion_of is None or step.undo_of is not None]
    refused = Counter(step.reason for step in not_back if step.state in (StepState.REFUSED, StepState.FAILED))
    done = [step for step in steps if step.state is StepState.DONE]
    renamed = [
        step for step in done
        if step.action is Action.RESTORE and os.path.basename(step.target) != os.path.basename(step.path)
    ]  # fmt: skip
    return {
        "batch": batch_id,
        "restored": sum(step.action in (Action.RESTORE, Action.SWAP, Action.MOVE) for step in done),
        "restored_beside": len(renamed),
        "deleted": sum(step.action is Action.DELETE for step in done),
        "bytes": sum(step.bytes for step in done if step.action is Action.DELETE),
        "refused": dict(refused),
        "unconfirmed": [
            to_plain(step.message) for step in steps if step.reason == "needs_confirmation" and step.message is not None
        ][:UNCONFIRMED_LISTED],
        "in_doubt": counts["in_doubt"],
    }


def _step_for(folders: ManagedFolders, item: Item, action: Action) -> Step:
    identity = Identity(0, item.inode, item.size_bytes, item.mtime_ns)
    step = Step(action, item.path, identity, item.digest, trash=item.place, bytes=item.size_bytes)
    try:
        there = safe_files.identity_at(folders.file_ref(item.place))
    except OSError as error:
        return _refused(step, "offline", Message("step.trash_unexaminable", error=of_os_error(error)))
    if there is None:
        return _refused(step, "gone", Message("step.not_in_trash"))
    if action is Action.DELETE:
        # A manifest may be forged: a file is removed only with proof that it is the recorded one.
        if len(item.digest) != DIGEST_BYTES:
            return _refused(step, "not_recorded", Message("step.not_recorded"))
        if not safe_files.is_same(there, identity):
            return _refused(step, "changed", Message("step.other_in_trash"))
    return replace(step, identity=identity._replace(device=there.device))


def _unconfirmed(step: Step, item: Item, place: bytes) -> Step:
    return _refused(step, "needs_confirmation", confirmation_text(item.adopted, display(place)))


def _refused(step: Step, reason: str, message: Message) -> Step:
    return replace(step, state=StepState.REFUSED, reason=reason, message=message)
