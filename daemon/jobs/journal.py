"""The journal: carries out the steps of a batch so that a crash at any moment loses nothing and leaves no doubt.

All steps of a batch are committed before the first is begun. Then, some at a time: what each is about to do is
committed (`doing`), told to the manifests of the trashes, done, brought to the disk, and committed as done. After a
crash, a full disk or a failure of the index, `recover` looks at the disk for what is still `doing`, as
daemon.files.actions tells.

Used by one thread, the runner's; `recover` before it starts.
"""

import errno
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from daemon.files import actions, safe_files, settling
from daemon.files.folder_lock import in_use
from daemon.files.grounds import Grounds
from daemon.files.manifest import Entry
from daemon.files.rescue import Kept, Rescue
from daemon.files.safe_files import Spot
from daemon.files.trash import Trashes, UntrustedTrash
from daemon.jobs import put_back
from daemon.jobs.adoption import Adoption
from daemon.jobs.naming import NAMES_TRIED, NAMING, Naming, follows, returns
from daemon.jobs.portions import portions
from daemon.jobs.progress import Progress
from daemon.jobs.protecting import unless_protected
from index.errors import StepRefused
from index.records import batches, decisions, findings, trash_items
from index.records.batches import Action, BatchKind, BatchState, Step, StepState
from index.records.catalogue import display, forget_images
from index.records.jobs import is_waiting
from index.records.trash_items import Item, ItemState
from index.store import Store

log = logging.getLogger(__name__)

# Actions that need a temporary name beside the path (or the target).
BY_TEMP: Final = frozenset({Action.MOVE, Action.LINK, Action.REPLACE, Action.CREATE, Action.SWAP})
FROM_TRASH: Final = frozenset({Action.RESTORE, Action.SWAP, Action.DELETE})
PLANS_KEPT: Final = 10


class Checks(Protocol):
    """What is looked at before steps are done. `prepare` gives each of some steps back, ready or refused, shortly
    before; `guard` is called at the last moment and raises StepRefused."""

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]: ...
    def guard(self, step: Step) -> None: ...


class Unchecked:
    """For steps that need nothing but what every action checks itself."""

    def prepare(self, steps: Sequence[Step]) -> Iterable[Step]:
        return steps

    def guard(self, step: Step) -> None:
        pass


def temp_of(batch_name: str, step: Step) -> bytes:
    """The name of a step's temporary file: beside the file that it replaces or makes."""
    near = step.target if step.action in (Action.MOVE, Action.CREATE) else step.path
    return os.path.join(os.path.dirname(near), b".comparimg-%s-%d.part" % (batch_name.encode(), step.id))


class Journal:
    """Begins batches, carries them out, and settles what was cut off."""

    def __init__(self, store: Store, grounds: Grounds, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._grounds = grounds
        self._trashes = Trashes(grounds, lambda: put_back.told_of(store.mark))
        self._now_ns = now_ns
        self._is_put_back = False

    def begin(
        self,
        kind: BatchKind,
        steps: Sequence[Step],
        job_id: int | None = None,
        undo_of: int | None = None,
        state: BatchState = BatchState.RUNNING,
    ) -> int:
        """Commit a batch with all its steps, in their order, and give its id. Raises StoreError where `recover` found
        that the index had been put back."""
        if self._is_put_back:
            raise put_back.refusal()
        now_ns = self._now_ns()
        moment = datetime.fromtimestamp(now_ns // 10**9, UTC)

        def keep(database: Any) -> int:
            # Another service on the same folder may begin one of the same kind in the same second.
            name = f"{moment:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(4)}"
            batch_id = batches.add_batch(database, kind, name, now_ns, job_id, undo_of, state)
            batches.add_steps(database, batch_id, steps)
            _keep_gone(database, steps)
            batches.forget_old_plans(database, PLANS_KEPT)
            return batch_id

        return self._store.write(keep)

    def carry_out(self, progress: Progress, batch_id: int, checks: Checks) -> None:
        """Do the steps that are planned, the first ones first, and end the batch.

        Where the progress says to leave off, between two steps, what is done is kept and the rest stays planned: call
        again to go on, or `cancel`.
        """
        self.settle(batch_id)
        with self._store.read() as database:
            row = batches.batch(database, batch_id)
        self._drop_temps(row)
        with self._store.read() as database:
            planned = batches.steps_of(database, batch_id, (StepState.PLANNED,))
        total = sum(row.counts.values())
        progress.begin(str(row.kind), total, total - len(planned))
        with in_use(self._grounds.spot(path).top for step in planned for path in (step.path, step.target) if path):
            for some in portions(planned):
                progress.checkpoint()
                self._do_some(progress, row, some, checks)
        self._end(batch_id, BatchState.DONE)
        progress.begin(str(row.kind), total, total)  # told at once, while steps are told now and then

    def cancel(self, batch_id: int) -> None:
        """End a batch; what was not begun is not done."""
        self._end(batch_id, BatchState.CANCELLED)

    def temp_of(self, batch_name: str, step: Step) -> bytes:
        """The name of a step's temporary file."""
        return temp_of(batch_name, step)

    def drop_temps(self, batch_id: int, step_ids: Iterable[int]) -> None:
        """Remove the temporary files of steps that were planned and are not done, those that were recorded as made;
        others under such a name are kept."""
        with self._store.read() as database:
            row = batches.batch(database, batch_id)
            steps = batches.steps_of(database, batch_id, ids=list(step_ids))
        unfinished = [step for step in steps if step.state not in (StepState.DONE, StepState.DOING, StepState.UNDONE)]
        self._drop(row, unfinished)

    # After a crash

    def recover(self) -> None:
        """Look at the disk for every step in doubt; end the batches that no job will go on with; take into the index
        what lies in trashes that it does not know of (it may have been lost). In an index that was put back all of it
        is ended before."""
        self._is_put_back = put_back.end_if_behind(self._store, self._grounds, self._trashes.homes())
        with self._store.read() as database:
            doubtful = batches.with_doubts(database)
        for batch_id in doubtful:
            self.settle(batch_id)
        with self._store.read() as database:
            running = [batches.batch(database, batch_id) for batch_id in batches.unfinished(database)]
            orphans = [row for row in running if row.job_id is None or not is_waiting(database, row.job_id)]
        for row in orphans:
            self._drop_temps(row)
            self._end(row.id, BatchState.CANCELLED)
        Adoption(self._store, self._grounds, self._now_ns()).look()

    def settle(self, batch_id: int) -> None:
        """Find out which of the begun steps of a batch are done, and finish or take back what is half done. What is
        on a disk that is away stays in doubt until it is back."""
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
                settling.put_back(step, self._grounds.spot)
                done = settling.settle(step, self._grounds.spot, rescue)
            except OSError as error:
                log.warning("step %d of batch %d stays in doubt: %s", step.id, batch_id, error)
                continue
            log.info("step %d (%s %s) was %s", step.id, step.action, display(step.path), "done" if done else "not done")
            again = StepState.PLANNED if row.state == BatchState.RUNNING else StepState.CANCELLED
            ended.append(_with_kept(replace(step, state=StepState.DONE if done else again), rescue.kept))
            self._keep_items(rescue.take())
        self._sync(ended)
        self._keep(ended)

    def _is_reachable(self, step: Step) -> bool:
        """Whether the disk that a step is about is there: one that is away tells nothing of its files. It is told by
        its number, or by a file of the step where it has come back under another one."""
        spots = [self._grounds.spot(path) for path in (step.path, step.trash, step.temp, step.target) if path]
        if _stands_on(spots[0], step.identity.device):
            return True
        found = [safe_files.identity_at(spot) for spot in spots if os.path.isdir(spot.top)]
        return any(safe_files.is_same(one, known) for one in found for known in (step.identity, step.made))

    def _drop_temps(self, row: batches.BatchRow) -> None:
        """The temporary files of steps that were being prepared when the batch was cut off."""
        with self._store.read() as database:
            planned = batches.steps_of(database, row.id, (StepState.PLANNED,))
        self._drop(row, planned)

    def _drop(self, row: batches.BatchRow, steps: Iterable[Step]) -> None:
        rescue = self._rescue(row)
        for step in steps:
            if step.action in BY_TEMP and step.action is not Action.SWAP:
                try:
                    temp = self._grounds.spot(self.temp_of(row.name, step))
                    settling.drop_temp(step, self._grounds.spot, temp, rescue)
                except OSError as error:
                    log.warning("the temporary file of step %d stays: %s", step.id, error)
        self._keep_items(rescue.take())

    def _rescue(self, row: batches.BatchRow) -> Rescue:
        return Rescue(self._trashes, f"{row.name}-{row.id}", row.id, self._now_ns)

    def _keep_items(self, kept: Sequence[Kept]) -> None:
        """Commit what was kept in the trash."""
        items = [one.item for one in kept if one.item is not None]
        if items:
            self._store.write(lambda db: trash_items.add(db, items))

    # Some steps at a time

    def _do_some(self, progress: Progress, row: batches.BatchRow, steps: Sequence[Step], checks: Checks) -> None:
        self._grounds.look_again()
        self._trashes.forget_places()
        ready: list[Step] = []
        judged = [unless_protected(step, self._grounds) for step in steps]
        ended = [step for step in judged if step.state is not StepState.PLANNED]
        names = Naming(judged, self._grounds.spot, self._store)
        prepared = list(checks.prepare([step for step in judged if step.state is StepState.PLANNED]))
        # That may have taken minutes: whoever protects a folder meanwhile is heeded.
        self._grounds.look_again()
        for step in (unless_protected(step, self._grounds) for step in prepared):
            one = step if step.state is not StepState.PLANNED else self._placed(row, step, names)
            names.note(one)
            (ready if one.state is StepState.PLANNED else ended).append(one)
        begun = [replace(step, state=StepState.DOING) for step in ready]
        self._keep([*ended, *begun])
        progress.advance(len(ended))
        waiting = self._recorded(begun)
        done: list[Step] = []
        rescue = self._rescue(row)
        stays = {step.id for step in steps} - {step.id for step in waiting}
        names.leave(stays)
        try:
            while waiting:
                if waiting[0].companion_of is None:  # an image does not go without its companions
                    progress.checkpoint()
                # Taken out before it is begun: if anything unforeseen ends this, it stays in doubt until the disk is
                # looked at, while what was not begun is planned as before.
                step = waiting.pop(0)
                if step.companion_of in stays and not returns(step):
                    ended_step = self._ended(step, _with_image(step), rescue)
                else:
                    ended_step = self._do(step, checks, names, rescue)
                names.note(ended_step)
                done.append(_with_kept(ended_step, rescue.kept))
                self._keep_items(rescue.take())
                if ended_step.state is not StepState.DONE:
                    stays.add(step.id)
                progress.advance()
        finally:
            self._sync(done)
            self._keep([*done, *(replace(step, state=StepState.PLANNED) for step in waiting)])

    def _placed(self, row: batches.BatchRow, step: Step, names: Naming) -> Step:
        """A step with the names that it will use, free at this moment."""
        try:
            if step.action in FROM_TRASH and safe_files.identity_at(self._grounds.spot(step.trash)) is None:
                words = "The file is not in the trash any more, or its disk is away."
                return replace(step, state=StepState.REFUSED, reason="gone", message=words)
            if step.action in NAMING:
                step = replace(step, target=names.target(step))
            if step.action in BY_TEMP:
                step = replace(step, temp=self.temp_of(row.name, step))
            if step.action is Action.MOVE:
                source, target = self._grounds.spot(step.path), self._grounds.spot(step.target)
                if safe_files.can_rename(source, target):
                    step = replace(step, trash=b"", temp=b"")
                else:
                    step = replace(step, trash=self._place_for(row, step))
            elif step.action in (Action.TRASH, Action.LINK, Action.REPLACE):
                step = replace(step, trash=self._place_for(row, step))
            elif step.action is Action.SWAP:
                step = replace(step, target=self._place_for(row, step), made_digest=self._digest_at(step.path))
        except OSError as error:
            if not os.path.isdir(self._grounds.spot(step.path or step.trash).top):
                return replace(step, state=StepState.REFUSED, reason="offline", message="Its folder is offline.")
            return _failed(step, error)
        return step

    def _place_for(self, row: batches.BatchRow, step: Step) -> bytes:
        return self._trashes.place_for(self._grounds.spot(step.path), f"{row.name}-{row.id}", step.id).path

    def _digest_at(self, path: bytes) -> bytes:
        with safe_files.opened_file(self._grounds.spot(path)) as descriptor:
            return safe_files.digest_of(descriptor)

    def _recorded(self, steps: Sequence[Step]) -> list[Step]:
        """Tell the manifests; the steps for which that could not be done are failed, the others are given."""
        recorded, failed = [], []
        try:
            self._trashes.record(self._entries(steps))
            return list(steps)
        except OSError:
            for step in steps:  # one trash may be full or read-only, and the others not
                try:
                    self._trashes.record(self._entries([step]))
                    recorded.append(step)
                except OSError as error:
                    if step.action is Action.DELETE and error.errno in safe_files.NO_SPACE:
                        # A full disk must be possible to empty. That the file is gone can be seen without the line.
                        recorded.append(step)
                    else:
                        failed.append(_failed(step, error))
        self._keep(failed)
        return recorded

    def _do(self, step: Step, checks: Checks, names: Naming, rescue: Rescue) -> Step:
        """Do one step; as it ended."""
        for number in range(NAMES_TRIED):
            try:
                if follows(step) or number:
                    step = self._renamed(step, names)
                actions.act(step, self._grounds.spot, checks.guard, rescue)
                return replace(step, state=StepState.DONE)
            except StepRefused as refusal:
                refused = replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message)
                return self._ended(step, refused, rescue)
            except FileExistsError as error:
                if step.action not in NAMING:
                    return self._ended(step, _failed(step, error), rescue)
                if not names.has_choice(step):
                    return self._ended(step, _name_taken(step), rescue)
            except OSError as error:
                log.warning("%s %s failed: %s", step.action, display(step.path), error)
                return self._ended(step, _failed(step, error), rescue)
        return self._ended(step, _failed(step, OSError(errno.EEXIST, os.strerror(errno.EEXIST))), rescue)

    def _renamed(self, step: Step, names: Naming) -> Step:
        """A step with its target as things are now: its image may have got another name, or somebody took the name
        since it was found free."""
        names.look_again()
        target = names.target(step)
        if target == step.target:
            return step
        step = replace(step, target=target)
        self._keep([step])
        return step

    def _ended(self, step: Step, not_done: Step, rescue: Rescue) -> Step:
        """How a step ended that raised: the disk has the last word."""
        try:
            is_done = settling.settle(step, self._grounds.spot, rescue)
            return replace(step, state=StepState.DONE) if is_done else not_done
        except OSError as error:
            log.warning("step %d stays in doubt: %s", step.id, error)
            return step

    # Keeping

    def _sync(self, steps: Sequence[Step]) -> None:
        try:
            safe_files.sync_folders(
                self._grounds.spot(path)
                for step in steps
                if step.state is StepState.DONE
                for path in (step.path, step.target, step.trash)
                if path
            )
        except OSError as error:
            # The names are what they are; after a power loss the disk is asked again.
            log.warning("the folders could not be brought to the disk: %s", error)

    def _keep(self, steps: Sequence[Step]) -> None:
        """Commit how steps ended, with all that follows from it in the index."""
        if not steps:
            return
        now_ns = self._now_ns()

        def keep(database: Any) -> None:
            batches.change_steps(database, steps, now_ns)
            done = [step for step in steps if step.state is StepState.DONE]
            trash_items.add(database, [item for step in done if (item := _item(step, now_ns)) is not None])
            back = [step.trash for step in done if step.action in (Action.RESTORE, Action.SWAP)]
            trash_items.set_state(database, back, ItemState.RESTORED)
            emptied = [step.trash for step in done if step.action is Action.DELETE]
            trash_items.set_state(database, emptied, ItemState.EMPTIED)
            _keep_gone(database, steps)
            batches.mark_undone(database, [step.undo_of for step in done if step.undo_of is not None])
            decisions.drop(database, [step.image_id for step in done if step.image_id is not None])
            left = [step.path for step in done if step.action in (Action.TRASH, Action.MOVE)]
            touched = forget_images(database, left)
            detection = findings.current_detection(database)
            if touched and detection is not None:
                findings.regroup(database, detection.id, touched, now_ns)

        self._store.write(keep)

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
                one = step.identity
                gone = Item(step.trash, step.path, one.inode, one.size_bytes, one.mtime_ns, step.digest, now_ns)
                yield _entry(event, gone, step)


def _item(step: Step, now_ns: int) -> Item | None:
    """What a step puts in the trash, or None."""
    one, place, digest = step.identity, step.trash, step.digest
    if step.action is Action.SWAP:
        assert step.made is not None
        one, place, digest = step.made, step.target, step.made_digest
    elif step.action not in (Action.TRASH, Action.LINK, Action.REPLACE, Action.MOVE) or not place:
        return None
    return Item(place, step.path, one.inode, one.size_bytes, one.mtime_ns, digest, now_ns, step.batch_id, step.id)


def _entry(event: str, item: Item, step: Step) -> Entry:
    return Entry(
        event, item.place, item.path, item.size_bytes, item.mtime_ns, item.inode, item.digest, step.batch_id,
        item.trashed_ns,
    )  # fmt: skip


def _keep_gone(database: Any, steps: Sequence[Step]) -> None:
    """Somebody took these out of the trash."""
    gone = [step.trash for step in steps if step.reason == "gone" and step.action in FROM_TRASH]
    trash_items.set_state(database, gone, ItemState.GONE)


def _with_image(step: Step) -> Step:
    words = "The image that it belongs to stays."
    return replace(step, state=StepState.REFUSED, reason="with_image", message=words)


def _with_kept(step: Step, kept: Sequence[Kept]) -> Step:
    """A step that says where a file was kept that came in its way."""
    for one in kept:
        words = f"Another file that was saved at that moment is kept as {display(one.place)}."
        step = replace(step, message=f"{step.message} {words}".strip())
    return step


def _name_taken(step: Step) -> Step:
    words = f"The name that would match that of its image, {display(os.path.basename(step.target))}, is taken."
    return replace(step, state=StepState.REFUSED, reason="name_taken", message=words)


def _failed(step: Step, error: OSError) -> Step:
    reason = {
        errno.ENOSPC: "no_space", errno.EDQUOT: "no_space", errno.EROFS: "read_only", errno.EACCES: "no_permission",
        errno.EPERM: "no_permission", errno.EXDEV: "other_file_system", errno.ENOENT: "gone", errno.ELOOP: "not_a_file",
        errno.EEXIST: "name_taken",
    }.get(error.errno or 0, "failed")  # fmt: skip
    if isinstance(error, UntrustedTrash):
        reason = "untrusted_trash"
    words = error.strerror or str(error)
    return replace(step, state=StepState.FAILED, reason=reason, message=f"It could not be done: {words}.")


def _stands_on(spot: Spot, device: int) -> bool:
    """Whether the folder of a spot, or the nearest above it that there is, is on the device that the file was on."""
    folder = spot.folder
    while True:
        try:
            return os.stat(folder).st_dev == device
        except (FileNotFoundError, NotADirectoryError):
            if folder in (spot.top, b"/"):
                return False
            folder = os.path.dirname(folder)
