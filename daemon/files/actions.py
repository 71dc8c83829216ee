"""EDGE: performs one journaled step on disk.

Every action is a few renames, in an order that leaves the file a name at every moment. Whether a step is done is read
from the disk alone; daemon.files.step_recovery handles the states between its renames.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from daemon.files import file_claims, replacement, safe_files
from daemon.files.rescue import Rescue
from daemon.files.safe_files import FileRef, is_same
from index.database.records.batches import Action, Step
from index.errors import StepRefused
from index.messages import of_os_error
from index.model import Identity
from index.paths import display

FileRefOf = Callable[[bytes], FileRef]
# Entered just before the first rename and left after the last one. What the step relies on stays as it is meanwhile.
# Raises StepRefused if the step must not be done after all, and MovedWithIt at its end if it must not have been done.
Guard = Callable[[Step], AbstractContextManager[None]]


def perform(step: Step, file_ref_of: FileRefOf, guard: Guard, rescue: Rescue) -> None:
    """Perform a step. Raises StepRefused if a file is not as expected, FileExistsError if the target's name is taken,
    and OSError. After any of these errors, step_recovery.recover_step determines what was done."""
    ACTIONS[step.action](step, file_ref_of, guard, rescue)


@contextmanager
def opened_unchanged(file_ref: FileRef, identity: Identity, digest: bytes = b"") -> Iterator[int]:
    """Open a file and check that it is unchanged: by its identity, and by its bytes if a digest is given. Raises
    StepRefused."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(safe_files.opened_file(file_ref))
            before = os.fstat(descriptor)
            if not is_same(Identity.of(before), identity):
                raise StepRefused("changed", "step.other_file")
            if digest and safe_files.digest_of(descriptor) != digest:
                raise StepRefused("changed", "step.other_bytes")
            if Identity.of(os.fstat(descriptor)) != Identity.of(before):
                raise StepRefused("changed", "step.changed_while_checked")
        except OSError as error:
            raise refusal_of(error) from error
        yield descriptor


@contextmanager
def _claimed(step: Step, subject: int, guard: Guard) -> Iterator[None]:
    """While the file of a step leaves its path: no other service keeps it, and what this step relies on stays."""
    file_claims.claim_to_move(subject)
    with guard(step):
        yield


def refusal_of(error: OSError) -> StepRefused:
    """The refusal of a step whose file cannot be read."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StepRefused("gone", "step.gone")
    if error.errno in (errno.ELOOP, errno.EINVAL):
        return StepRefused("not_a_file", "step.not_a_file")
    return StepRefused("unreadable", "step.unreadable", error=of_os_error(error))


def _move_unchanged(step: Step, source: FileRef, target: FileRef, guard: Guard, rescue: Rescue) -> None:
    """Rename a file if it is unchanged. If another program replaced it in the meantime, the replacement is renamed
    back."""
    with opened_unchanged(source, step.identity, step.digest) as subject:
        _move_alone(step, subject, source, target, guard, rescue)


def _move_alone(step: Step, subject: int, source: FileRef, target: FileRef, guard: Guard, rescue: Rescue) -> None:
    """Rename an open file, and back if a file that the step relies on turns out to be the same one."""
    try:
        with _claimed(step, subject, guard):
            replacement.move_away(subject, source, target, rescue)
    except file_claims.MovedWithIt:
        replacement.restore_name(target, source, rescue.record)
        raise


def _move_to_trash(step: Step, file_ref_of: FileRefOf, guard: Guard, rescue: Rescue) -> None:
    _move_unchanged(step, file_ref_of(step.path), file_ref_of(step.trash), guard, rescue)


def _move(step: Step, file_ref_of: FileRefOf, guard: Guard, rescue: Rescue) -> None:
    source, target = file_ref_of(step.path), file_ref_of(step.target)
    if not step.trash:
        _move_unchanged(step, source, target, guard, rescue)
        return
    with opened_unchanged(source, step.identity) as subject, _claimed(step, subject, guard):
        if not safe_files.copy_new(subject, target, file_ref_of(step.temp), step.digest):
            raise StepRefused("changed", "step.other_bytes")
        safe_files.sync_folders([target])
        try:
            replacement.move_away(subject, source, file_ref_of(step.trash), rescue)
        except StepRefused:
            raise StepRefused("changed", "step.replaced_copied", path=display(target.path)) from None


def _link(step: Step, file_ref_of: FileRefOf, guard: Guard, rescue: Rescue) -> None:
    path, keeper, temp = file_ref_of(step.path), file_ref_of(step.keeper), file_ref_of(step.temp)
    assert step.made is not None
    with opened_unchanged(path, step.identity) as subject, opened_unchanged(keeper, step.made) as kept:
        if replacement.is_open_at(kept, path):
            raise StepRefused("same_file", "step.same_file")
        if not safe_files.are_equal(subject, kept):
            raise StepRefused("changed", "step.not_equal")
        with _claimed(step, subject, guard):
            safe_files.link_new(keeper, temp)
            if not replacement.is_open_at(kept, temp):
                raise StepRefused("keeper_changed", "step.keeper_replaced")
            replacement.replace_file(subject, kept, temp, path, file_ref_of(step.trash), rescue)


def _replace(step: Step, file_ref_of: FileRefOf, guard: Guard, rescue: Rescue) -> None:
    path, temp = file_ref_of(step.path), file_ref_of(step.temp)
    assert step.made is not None
    with (
        opened_unchanged(path, step.identity, step.digest) as subject,
        opened_unchanged(temp, step.made) as new_file,
        _claimed(step, subject, guard),
    ):
        replacement.replace_file(subject, new_file, temp, path, file_ref_of(step.trash), rescue)


def _create(step: Step, file_ref_of: FileRefOf, guard: Guard, _rescue: Rescue) -> None:
    temp, target = file_ref_of(step.temp), file_ref_of(step.target)
    with opened_unchanged(temp, step.identity, step.digest) as made, guard(step):
        safe_files.rename_new(temp, target)
        if not replacement.has_arrived(made, target):
            raise StepRefused("changed", "step.result_replaced")


def _restore(step: Step, file_ref_of: FileRefOf, guard: Guard, _rescue: Rescue) -> None:
    trashed = file_ref_of(step.trash)
    if safe_files.identity_at(trashed) is None:
        raise StepRefused("gone", "step.not_in_trash")
    with guard(step):
        safe_files.rename_new(trashed, file_ref_of(step.target))


def _swap(step: Step, file_ref_of: FileRefOf, guard: Guard, rescue: Rescue) -> None:
    path, trashed, temp, away = map(file_ref_of, (step.path, step.trash, step.temp, step.target))
    assert step.made is not None
    if safe_files.identity_at(trashed) is None:
        raise StepRefused("gone", "step.not_in_trash")
    with (
        opened_unchanged(path, step.made, step.made_digest) as present,
        safe_files.opened_file(trashed) as original,
        _claimed(step, present, guard),
    ):
        try:
            # The original keeps its name in the trash until it is verified to be at its path.
            safe_files.link_new(trashed, temp)
        except OSError as error:
            if error.errno not in safe_files.NO_LINKS:
                raise
            # Without hard links the original has only one name, and that must not be exchanged: a program that saves at
            # that moment would overwrite the original.
            replacement.move_away(present, path, away, rescue)
            safe_files.rename_new(trashed, path)
            return
        replacement.replace_file(present, original, temp, path, away, rescue)
        if not replacement.is_open_at(original, path):
            raise StepRefused("changed", "step.saved_again")
        safe_files.remove(trashed, safe_files.proof_by_second_name(path))


def _delete(step: Step, file_ref_of: FileRefOf, guard: Guard, _rescue: Rescue) -> None:
    trashed = file_ref_of(step.trash)
    if not step.digest:
        raise StepRefused("not_recorded", "step.not_recorded")
    with opened_unchanged(trashed, step.identity), guard(step):
        pass
    if not safe_files.remove(trashed, safe_files.proof_by_record(step.identity, step.digest)):
        raise StepRefused("changed", "step.other_in_trash")


ACTIONS: Final[Mapping[Action, Callable[[Step, FileRefOf, Guard, Rescue], None]]] = {
    Action.TRASH: _move_to_trash,
    Action.MOVE: _move,
    Action.LINK: _link,
    Action.REPLACE: _replace,
    Action.CREATE: _create,
    Action.RESTORE: _restore,
    Action.SWAP: _swap,
    Action.DELETE: _delete,
}
