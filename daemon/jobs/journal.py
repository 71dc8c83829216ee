"""The journal: carries out the steps of a batch so that a crash at any moment loses no file and leaves no doubt.

All steps of a batch are committed before the first is started. Then, chunk by chunk: what each step is about to do is
committed (`doing`), written to the manifests of the trashes, done, synced to the disk, and committed as done. After a
crash, a full disk or a failure of the index, `recover` infers from the disk the state of each step that is still
`doing` (daemon.files.step_recovery).

Used by the runner's thread; `recover` also before that thread starts.
"""

import errno
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from daemon.files import actions, safe_files, step_recovery
from daemon.files.file_names import NAMES_TRIED
from daemon.files.folder_lock import in_use
from daemon.files.protected_paths import ManagedFolders, unless_protected
from daemon.files.rescue import Rescue, RescuedFile
from daemon.files.safe_files import FileRef
from daemon.files.trash import Trashes, UntrustedTrash
from daemon.files.trash_manifest import Entry
from daemon.jobs import restored_index
from daemon.jobs.progress import Progress
from daemon.jobs.step_chunks import step_chunks
from daemon.jobs.target_names import NAMING, TargetNames, is_following, is_restoring
from daemon.jobs.trash_import import TrashImport
from index.database.records import batches, carried_out, regrouping, trash_items
from index.database.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.database.records.images import forget_images
from index.database.records.jobs import is_waiting
from index.database.records.trash_items import Item, ItemState
from index.database.store import Store
from index.errors import StepRefused
from index.messages import Message, of_os_error
from index.paths import display

log = logging.getLogger(__name__)

# Actions that need a temporary name next to the path (or the target).
WITH_TEMP: Final = frozenset({Action.MOVE, Action.LINK, Action.REPLACE, Action.CREATE, Action.SWAP})
FROM_TRASH: Final = frozenset({Action.RESTORE, Action.SWAP, Action.DELETE})
PLANS_KEPT: Final = 10


class Checks(Protocol):
    """Checks before steps are done. `prepare` returns each of the given steps, ready or refused, shortly before.
    `guard` is entered just before a step, left when it is done, and raises StepRefused."""

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]: ...
    def guard(self, step: Step, /) -> AbstractContextManager[None]: ...


class NoChecks:
    """For steps that need no check beyond those of each action."""

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        return steps

    def guard(self, _step: Step) -> AbstractContextManager[None]:
        return nullcontext()


def temp_of(batch_name: str, step: Step) -> bytes:
    """The name of a step's temporary file: next to the file that it replaces or creates."""
    near = step.target if step.action in (Action.MOVE, Action.CREATE) else step.path
    return os.path.join(os.path.dirname(near), b".comparimg-%s-%d.part" % (batch_name.encode(), step.id))


class Journal:
    """Starts batches, carries them out, and recovers interrupted ones."""

    def __init__(self, store: Store, folders: ManagedFolders, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._folders = folders
        self._trashes = Trashes(folders, lambda: restored_index.mark_fields(store.mark))
        self._now_ns = now_ns
        self._is_restored_index = False

    def begin(
        self,
        kind: BatchKind,
        steps: Sequence[Step],
        job_id: int | None = None,
        undo_of: int | None = None,
        state: BatchState = BatchState.RUNNING,
    ) -> int:
        """Commit a batch with all its steps, in their order, and return its id. Raises StoreError if `recover` found
        that the index is a restored copy."""
        if self._is_restored_index:
            raise restored_index.refusal()
        now_ns = self._now_ns()
        moment = datetime.fromtimestamp(now_ns // 10**9, UTC)

        def add(database: Any) -> int:
            # Another service on the same folder may start one of the same kind in the same second.
            name = f"{moment:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(4)}"
            batch_id = batches.add_batch(database, kind, name, now_ns, job_id, undo_of, state)
            batches.add_steps(database, batch_id, steps)
            _mark_gone(database, steps)
            batches.delete_old_plans(database, PLANS_KEPT)
            return batch_id

        return self._store.write(add)

    def carry_out(self, progress: Progress, batch_id: int, checks: Checks) -> None:
        """Do the planned steps in their order, and end the batch.

        If the progress asks to stop, between two steps, what is done is kept and the rest stays planned: call again to
        continue, or `cancel`.
        """
        self.recover_batch(batch_id)
        with self._store.read() as database:
            row = batches.batch(database, batch_id)
        self._remove_planned_temps(row)
        with self._store.read() as database:
            planned = batches.steps_of(database, batch_id, (StepState.PLANNED,))
        total = sum(row.counts.values())
        progress.begin(str(row.kind), total, total - len(planned))
        with in_use(self._folders.file_ref(path).top for step in planned for path in (step.path, step.target) if path):
            for chunk in step_chunks(planned):
                progress.checkpoint()
                self._do_chunk(progress, row, chunk, checks)
        self._end(batch_id, BatchState.DONE)
        progress.begin(str(row.kind), total, total)  # written at once, while steps are reported at intervals

    def cancel(self, batch_id: int) -> None:
        """End a batch; steps that were not started are not done."""
        self._end(batch_id, BatchState.CANCELLED)

    def temp_of(self, batch_name: str, step: Step) -> bytes:
        """The name of a step's temporary file."""
        return temp_of(batch_name, step)

    def remove_temps(self, batch_id: int, step_ids: Iterable[int]) -> None:
        """Remove the temporary files of planned steps that are not done, if they are the recorded ones; other files
        under such a name are kept."""
        with self._store.read() as database:
            row = batches.batch(database, batch_id)
            steps = batches.steps_of(database, batch_id, ids=list(step_ids))
        unfinished = [step for step in steps if step.state not in (StepState.DONE, StepState.DOING, StepState.UNDONE)]
        self._remove_temps(row, unfinished)

    # After a crash

    def recover(self) -> None:
        """Recover every step in doubt from the disk, end the batches that no job will continue, and import files from
        trashes that are missing in the index (it may have been lost). If the index is a restored copy, all its
        unfinished work is ended first."""
        self._is_restored_index = restored_index.end_if_behind(self._store, self._folders, self._trashes.folders())
        with self._store.read() as database:
            doubtful = batches.with_doubtful_steps(database)
        for batch_id in doubtful:
            self.recover_batch(batch_id)
        with self._store.read() as database:
            running = [batches.batch(database, batch_id) for batch_id in batches.unfinished(database)]
            orphans = [row for row in running if row.job_id is None or not is_waiting(database, row.job_id)]
        for row in orphans:
            self._remove_planned_temps(row)
            self._end(row.id, BatchState.CANCELLED)
        TrashImport(self._store, self._folders, self._now_ns()).check()

    def recover_batch(self, batch_id: int) -> None:
        """Find out which of the started steps of a batch are done, and finish or undo interrupted ones. A step whose
        disk is not mounted stays in doubt until it is back."""
        with self._store.read() as database:
            row = batches.batch(database, batch_id)
            doubtful = batches.steps_of(database, batch_id, (StepState.DOING,))
        rescue = self._rescue(row)
        ended = []
        for step in doubtful:
            try:
                if not self._is_reachable(step):
                    log.warning("step %d of batch %d stays in doubt: its disk is away", step.id, batch_id)
                    continue
                step_recovery.undo_removals(step, self._folders.file_ref)
                done = step_recovery.recover_step(step, self._folders.file_ref, rescue)
            except OSError as error:
                log.warning("step %d of batch %d stays in doubt: %s", step.id, batch_id, error)
                continue
            log.info("step %d (%s %s) was %s", step.id, step.action, display(step.path), "done" if done else "not done")
            again = StepState.PLANNED if row.state == BatchState.RUNNING else StepState.CANCELLED
            ended.append(_mentioning_kept(replace(step, state=StepState.DONE if done else again), rescue.kept))
            self._commit_items(rescue.drain())
        self._sync(ended)
        self._commit(ended)

    def _is_reachable(self, step: Step) -> bool:
        """Whether the disk of a step is mounted: otherwise the state of its files is unknown. It is recognised by its
        device number or, if that has changed, by a file of the step."""
        file_refs = [self._folders.file_ref(path) for path in (step.path, step.trash, step.temp, step.target) if path]
        if _is_on_device(file_refs[0], step.identity.device):
            return True
        identities = [safe_files.identity_at(file_ref) for file_ref in file_refs if os.path.isdir(file_ref.top)]
        return any(
            safe_files.is_same(identity, known) for identity in identities for known in (step.identity, step.made)
        )

    def _remove_planned_temps(self, row: batches.BatchRow) -> None:
        """Remove the temporary files of steps that were being prepared when the batch was interrupted."""
        with self._store.read() as database:
            planned = batches.steps_of(database, row.id, (StepState.PLANNED,))
        self._remove_temps(row, planned)

    def _remove_temps(self, row: batches.BatchRow, steps: Iterable[Step]) -> None:
        rescue = self._rescue(row)
        for step in steps:
            if step.action in WITH_TEMP and step.action is not Action.SWAP:
                try:
                    temp = self._folders.file_ref(self.temp_of(row.name, step))
                    step_recovery.remove_temp(step, self._folders.file_ref, temp, rescue)
                except OSError as error:
                    log.warning("the temporary file of step %d stays: %s", step.id, error)
        self._commit_items(rescue.drain())

    def _rescue(self, row: batches.BatchRow) -> Rescue:
        return Rescue(self._trashes, f"{row.name}-{row.id}", row.id, self._now_ns)

    def _commit_items(self, kept: Sequence[RescuedFile]) -> None:
        """Commit the files that were kept in the trash."""
        items = [file.item for file in kept if file.item is not None]
        if items:
            self._store.write(lambda db: trash_items.add(db, items))

    # One chunk of steps

    def _do_chunk(self, progress: Progress, row: batches.BatchRow, steps: Sequence[Step], checks: Checks) -> None:
        self._folders.refresh()
        self._trashes.refresh()
        ready: list[Step] = []
        judged = [unless_protected(step, self._folders) for step in steps]
        ended = [step for step in judged if step.state is not StepState.PLANNED]
        names = TargetNames(judged, self._folders.file_ref, self._store)
        prepared = list(checks.prepare([step for step in judged if step.state is StepState.PLANNED]))
        # That may have taken minutes, and a folder may have been protected since.
        self._folders.refresh()
        for step in (unless_protected(step, self._folders) for step in prepared):
            reserved = step if step.state is not StepState.PLANNED else self._reserve_names(row, step, names)
            names.record(reserved)
            (ready if reserved.state is StepState.PLANNED else ended).append(reserved)
        begun = [replace(step, state=StepState.DOING) for step in ready]
        self._commit([*ended, *begun])
        progress.advance(len(ended))
        waiting = self._record_in_manifests(begun)
        done: list[Step] = []
        rescue = self._rescue(row)
        stays = {step.id for step in steps} - {step.id for step in waiting}
        names.exclude(stays)
        try:
            while waiting:
                if waiting[0].companion_of is None:  # an image does not go without its companions
                    progress.checkpoint()
                # It is taken out before it is started: if anything unexpected ends this loop, the step stays in doubt
                # until it is recovered from the disk, while those not started stay planned.
                step = waiting.pop(0)
                if step.companion_of in stays and not is_restoring(step):
                    ended_step = self._end_state(step, _refused_with_image(step), rescue)
                else:
                    ended_step = self._do_step(step, checks, names, rescue)
                names.record(ended_step)
                done.append(_mentioning_kept(ended_step, rescue.kept))
                self._commit_items(rescue.drain())
                if ended_step.state is not StepState.DONE:
                    stays.add(step.id)
                progress.advance()
        finally:
            self._sync(done)
            self._commit([*done, *(replace(step, state=StepState.PLANNED) for step in waiting)])

    def _reserve_names(self, row: batches.BatchRow, step: Step, names: TargetNames) -> Step:
        """A step with the names that it will use, which are free at this moment."""
        try:
            if step.action in FROM_TRASH and safe_files.identity_at(self._folders.file_ref(step.trash)) is None:
                gone = Message("step.not_in_trash_or_away")
                return replace(step, state=StepState.REFUSED, reason="gone", message=gone)
            if step.action in NAMING:
                step = replace(step, target=names.target(step))
            if step.action in WITH_TEMP:
                step = replace(step, temp=self.temp_of(row.name, step))
            if step.action is Action.MOVE:
                source, target = self._folders.file_ref(step.path), self._folders.file_ref(step.target)
                if safe_files.can_rename(source, target):
                    step = replace(step, trash=b"", temp=b"")
                else:
                    step = replace(step, trash=self._place_for(row, step))
            elif step.action in (Action.TRASH, Action.LINK, Action.REPLACE):
                step = replace(step, trash=self._place_for(row, step))
            elif step.action is Action.SWAP:
                step = replace(step, target=self._place_for(row, step), made_digest=self._digest_at(step.path))
        except OSError as error:
            if not os.path.isdir(self._folders.file_ref(step.path or step.trash).top):
                return replace(step, state=StepState.REFUSED, reason="offline", message=Message("step.offline"))
            return _failed(step, error)
        return step

    def _place_for(self, row: batches.BatchRow, step: Step) -> bytes:
        return self._trashes.place_for(self._folders.file_ref(step.path), f"{row.name}-{row.id}", step.id).path

    def _digest_at(self, path: bytes) -> bytes:
        with safe_files.opened_file(self._folders.file_ref(path)) as descriptor:
            return safe_files.digest_of(descriptor)

    def _record_in_manifests(self, steps: Sequence[Step]) -> list[Step]:
        """Write the steps to the manifests. Returns those that were written; the others are committed as failed."""
        recorded, failed = [], []
        try:
            self._trashes.record(self._entries(steps))
            return list(steps)
        except OSError:
            for step in steps:  # one trash may be full or read-only while the others are not
                try:
                    self._trashes.record(self._entries([step]))
                    recorded.append(step)
                except OSError as error:
                    if step.action is Action.DELETE and error.errno in safe_files.NO_SPACE:
                        # A full disk must not prevent emptying its trash. The removal is visible without the line.
                        recorded.append(step)
                    else:
                        failed.append(_failed(step, error))
        self._commit(failed)
        return recorded

    def _do_step(self, step: Step, checks: Checks, names: TargetNames, rescue: Rescue) -> Step:
        """Do one step; the step with its outcome."""
        for number in range(NAMES_TRIED):
            try:
                if is_following(step) or number:
                    step = self._with_current_target(step, names)
                actions.perform(step, self._folders.file_ref, checks.guard, rescue)
                return replace(step, state=StepState.DONE)
            except StepRefused as refusal:
                refused = replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message)
                return self._end_state(step, refused, rescue)
            except FileExistsError as error:
                if step.action not in NAMING:
                    return self._end_state(step, _failed(step, error), rescue)
                if not names.has_choice(step):
                    return self._end_state(step, _name_taken(step), rescue)
            except OSError as error:
                log.warning("%s %s failed: %s", step.action, display(step.path), error)
                return self._end_state(step, _failed(step, error), rescue)
        return self._end_state(step, _failed(step, OSError(errno.EEXIST, os.strerror(errno.EEXIST))), rescue)

    def _with_current_target(self, step: Step, names: TargetNames) -> Step:
        """A step with its present target: its image may have got another name, or the name may have been taken since it
        was found free."""
        names.refresh()
        target = names.target(step)
        if target == step.target:
            return step
        step = replace(step, target=target)
        self._commit([step])
        return step

    def _end_state(self, step: Step, not_done: Step, rescue: Rescue) -> Step:
        """A step that raised, as done if the disk shows so, otherwise as `not_done`."""
        try:
            is_done = step_recovery.recover_step(step, self._folders.file_ref, rescue)
            return replace(step, state=StepState.DONE) if is_done else not_done
        except OSError as error:
            log.warning("step %d stays in doubt: %s", step.id, error)
            return step

    # Committing

    def _sync(self, steps: Sequence[Step]) -> None:
        try:
            safe_files.sync_folders(
                self._folders.file_ref(path)
                for step in steps
                if step.state is StepState.DONE
                for path in (step.path, step.target, step.trash)
                if path
            )
        except OSError as error:
            # The renames are done; if a power loss undoes them, recovery reads the disk again.
            log.warning("the folders could not be synced to the disk: %s", error)

    def _commit(self, steps: Sequence[Step]) -> None:
        """Commit the outcome of steps, with all that follows from it in the index."""
        if not steps:
            return
        now_ns = self._now_ns()

        def commit(database: Any) -> None:
            batches.update_steps(database, steps, now_ns)
            done = [step for step in steps if step.state is StepState.DONE]
            trash_items.add(database, [item for step in done if (item := _item(step, now_ns)) is not None])
            back = [step.trash for step in done if step.action in (Action.RESTORE, Action.SWAP)]
            trash_items.set_state(database, back, ItemState.RESTORED)
            emptied = [step.trash for step in done if step.action is Action.DELETE]
            trash_items.set_state(database, emptied, ItemState.EMPTIED)
            _mark_gone(database, steps)
            batches.mark_undone(database, [step.undo_of for step in done if step.undo_of is not None])
            carried_out.set_aside(database, {step.id: step.image_id for step in done if step.image_id is not None})
            left = [step.path for step in done if step.action in (Action.TRASH, Action.MOVE)]
            touched = forget_images(database, left)
            if touched:
                regrouping.regroup_shown(database, touched, now_ns)

        self._store.write(commit)

    def _end(self, batch_id: int, state: BatchState) -> None:
        now_ns = self._now_ns()
        self._store.write(lambda db: batches.finish_batch(db, batch_id, state, now_ns))

    def _entries(self, steps: Iterable[Step]) -> Iterable[Entry]:
        now_ns = self._now_ns()
        for step in steps:
            item = _item(step, now_ns)
            if item is not None:
                yield _entry("trash", item, step)
            event = {Action.RESTORE: "restored", Action.SWAP: "restored", Action.DELETE: "emptied"}.get(step.action)
            if event is not None:
                identity = step.identity
                gone = Item(
                    step.trash, step.path, identity.inode, identity.size_bytes, identity.mtime_ns, step.digest, now_ns
                )
                yield _entry(event, gone, step)


def _item(step: Step, now_ns: int) -> Item | None:
    """The item that a step puts in the trash; None if it puts none there."""
    identity, place, digest = step.identity, step.trash, step.digest
    if step.action is Action.SWAP:
        assert step.made is not None
        identity, place, digest = step.made, step.target, step.made_digest
    elif step.action not in (Action.TRASH, Action.LINK, Action.REPLACE, Action.MOVE) or not place:
        return None
    return Item(
        place, step.path, identity.inode, identity.size_bytes, identity.mtime_ns, digest, now_ns, step.batch_id, step.id
    )


def _entry(event: str, item: Item, step: Step) -> Entry:
    return Entry(
        event, item.place, item.path, item.size_bytes, item.mtime_ns, item.inode, item.digest, step.batch_id,
        item.trashed_ns,
    )  # fmt: skip


def _mark_gone(database: Any, steps: Sequence[Step]) -> None:
    """Mark the items of steps whose file was no longer in the trash."""
    gone = [step.trash for step in steps if step.reason == "gone" and step.action in FROM_TRASH]
    trash_items.set_state(database, gone, ItemState.GONE)


def _refused_with_image(step: Step) -> Step:
    message = Message("step.image_stays")
    return replace(step, state=StepState.REFUSED, reason="with_image", message=message)


def _mentioning_kept(step: Step, kept: Sequence[RescuedFile]) -> Step:
    """A step whose message names the places of the files that were in its way and are kept."""
    for file in kept:
        message = Message("step.other_file_kept", path=display(file.place))
        if step.message is not None:
            message = Message("join.sentences", first=step.message, rest=message)
        step = replace(step, message=message)
    return step


def _name_taken(step: Step) -> Step:
    message = Message("step.name_taken", name=display(os.path.basename(step.target)))
    return replace(step, state=StepState.REFUSED, reason="name_taken", message=message)


def _failed(step: Step, error: OSError) -> Step:
    reason = {
        errno.ENOSPC: "no_space", errno.EDQUOT: "no_space", errno.EROFS: "read_only", errno.EACCES: "no_permission",
        errno.EPERM: "no_permission", errno.EXDEV: "other_file_system", errno.ENOENT: "gone", errno.ELOOP: "not_a_file",
        errno.EEXIST: "name_taken",
    }.get(error.errno or 0, "failed")  # fmt: skip
    if isinstance(error, UntrustedTrash):
        reason = "untrusted_trash"
    message = Message("step.failed", error=of_os_error(error))
    return replace(step, state=StepState.FAILED, reason=reason, message=message)


def _is_on_device(file_ref: FileRef, device: int) -> bool:
    """Whether the folder of a file, or the nearest existing one above it, is on the device that the file was on."""
    folder = file_ref.folder
    while True:
        try:
            return os.stat(folder).st_dev == device
        except (FileNotFoundError, NotADirectoryError):
            if folder in (file_ref.top, b"/"):
                return False
            folder = os.path.dirname(folder)
