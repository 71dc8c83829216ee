"""EDGE: determines from the disk alone whether an interrupted step was done, and finishes or undoes it.

A step whose new file is already at its path is finished. Any other is undone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from daemon.files import safe_files
from daemon.files.actions import FileRefOf
from daemon.files.removal import Proof
from daemon.files.replacement import inode_at, restore_concurrent_save, restore_name
from daemon.files.rescue import Rescue
from daemon.files.safe_files import FileRef, is_same
from index.database.records.batches import Action, Step
from index.model import Identity


def recover_step(step: Step, file_ref_of: FileRefOf, rescue: Rescue) -> bool:
    """Finish or undo an interrupted step. Returns whether it is done.

    Raises OSError if the disk cannot be read: then the state is unknown.
    """
    return RECOVERIES[step.action](step, file_ref_of, rescue)


def undo_removals(step: Step, file_ref_of: FileRefOf) -> None:
    """After a crash: give their names back to the files that the step was about to remove. Raises OSError."""
    for path in filter(None, (step.path, step.target, step.trash, step.temp)):
        safe_files.undo_removals(file_ref_of(path))


def remove_temp(step: Step, file_ref_of: FileRefOf, temp: FileRef, rescue: Rescue) -> None:
    """Remove the temporary file of a step that is not done. A file other than the recorded one is kept."""
    # Checked first: a read-only file system refuses a removal even if the file does not exist.
    if safe_files.identity_at(temp) is None:
        return
    proof = _proof_of_new(step, file_ref_of)
    if proof is None or not safe_files.remove(temp, proof):
        rescue.keep(temp, file_ref_of(step.target if step.action in (Action.MOVE, Action.CREATE) else step.path))


def _proof_of_new(step: Step, file_ref_of: FileRefOf) -> Proof | None:
    """The proof that a file is the one that the step was putting in place, None if that file was not recorded."""
    match step.action:
        case Action.REPLACE if step.made is not None:
            return safe_files.proof_by_record(step.made, step.made_digest)
        case Action.CREATE:
            return safe_files.proof_by_record(step.identity, step.digest)
        case Action.LINK:
            return safe_files.proof_by_second_name(file_ref_of(step.keeper))
        case Action.SWAP:
            return safe_files.proof_by_second_name(file_ref_of(step.trash))
    return None


def has_content(file_ref: FileRef, digest: bytes) -> bool:
    """Whether the file at a path has these bytes. Raises OSError if it cannot be read."""
    try:
        with safe_files.opened_file(file_ref) as descriptor:
            return safe_files.digest_of(descriptor) == digest
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_at(file_ref: FileRef, identity: Identity | None) -> bool:
    """Whether a file is at a path. It is recognised by its inode, even if it was written to since."""
    there = safe_files.identity_at(file_ref)
    return is_same(there, identity) or (there is not None and identity is not None and there.inode == identity.inode)


def _was_renamed(source: FileRef, target: FileRef, identity: Identity, digest: bytes = b"") -> bool:
    """Whether a rename happened. Without RENAME_NOREPLACE it may have been interrupted halfway: then the file has both
    names, or there is a copy."""
    if not _is_at(target, identity):
        return safe_files.identity_at(source) is None and bool(digest) and has_content(target, digest)
    if inode_at(source) == inode_at(target):
        safe_files.remove(source, safe_files.proof_by_second_name(target))
    return True


def _recover_trashed(step: Step, source: FileRef, trashed: FileRef, rescue: Rescue) -> bool:
    """Like `_was_renamed`, to a name in the trash. If another file is found there, it came from the path and is moved
    back."""
    if _was_renamed(source, trashed, step.identity):
        return True
    there = safe_files.identity_at(trashed)
    if there is not None and (there.size_bytes or not step.identity.size_bytes):
        restore_name(trashed, source, rescue.record)
    return False


def _recover_trash(step: Step, file_ref_of: FileRefOf, rescue: Rescue) -> bool:
    return _recover_trashed(step, file_ref_of(step.path), file_ref_of(step.trash), rescue)


def _recover_move(step: Step, file_ref_of: FileRefOf, rescue: Rescue) -> bool:
    source, target = file_ref_of(step.path), file_ref_of(step.target)
    if not step.trash:
        return _was_renamed(source, target, step.identity, step.digest)
    trashed, temp = file_ref_of(step.trash), file_ref_of(step.temp)
    if _recover_trashed(step, source, trashed, rescue):
        return has_content(target, step.digest) or not _restore_source(trashed, source)
    remove_temp(step, file_ref_of, temp, rescue)
    if not has_content(target, step.digest) or not _is_at(source, step.identity):
        return False
    try:
        safe_files.rename_new(source, trashed)
    except OSError:
        return False  # both files have the same bytes: an extra copy does no harm
    return _recover_trashed(step, source, trashed, rescue)


def _restore_source(trashed: FileRef, source: FileRef) -> bool:
    """If the copy is not at the destination, give the source of a move its name back. Returns whether that was done."""
    try:
        safe_files.rename_new(trashed, source)
    except OSError:
        return False
    return True


def _recover_replacement(step: Step, file_ref_of: FileRefOf, rescue: Rescue) -> bool:
    """Recover an interrupted replacement.replace_file whose new file can be created again."""
    path, temp, away = file_ref_of(step.path), file_ref_of(step.temp), file_ref_of(step.trash)
    done = _recover_exchange(step.identity, step.made, temp, path, away, rescue)
    remove_temp(step, file_ref_of, temp, rescue)
    return done


def _recover_exchange(
    old: Identity, new: Identity | None, temp: FileRef, path: FileRef, away: FileRef, rescue: Rescue
) -> bool:
    """Whether the file `old` was moved from `path` to `away`, and the file `new` from `temp` to `path`."""
    if not _is_at(away, old):
        if _is_at(temp, old) and not _is_at(temp, new):
            return _move_to_trash(temp, path, away, rescue)
        if not _is_at(temp, new):
            _recover_concurrent_save(new, temp, path, rescue)
        return False
    if inode_at(path) == inode_at(away):  # the file has both names
        safe_files.remove(path, safe_files.proof_by_second_name(away))
    if safe_files.identity_at(path) is None or (_is_at(temp, new) and _is_reserved(path, new)):
        if not _is_at(temp, new):
            safe_files.rename_new(away, path)
            return False
        if safe_files.identity_at(path) is not None:
            rescue.keep(path, path)
        safe_files.rename_new(temp, path)
    # The old file is in the trash, and the path holds the new file or one that was saved since.
    return True


def _move_to_trash(temp: FileRef, path: FileRef, away: FileRef, rescue: Rescue) -> bool:
    """After an exchange: move the old file, which has only the temporary name, to the trash."""
    try:
        safe_files.rename_new(temp, away)
    except FileExistsError:  # the empty file that reserved the name
        rescue.keep(temp, path)
    return True


def _recover_concurrent_save(new: Identity | None, temp: FileRef, path: FileRef, rescue: Rescue) -> None:
    """Recover an interrupted replacement.restore_concurrent_save."""
    if safe_files.identity_at(temp) is None or new is None:
        return
    if _is_at(path, new):
        restore_concurrent_save((safe_files.identity_at(path) or new)[:2], temp, path, rescue)
    else:
        restore_name(temp, path, rescue.keep)


@dataclass(frozen=True, slots=True)
class _Swap:
    """The names that a swap uses. The file `original` is moved from `trashed` (its second name is `temp`) to `path`,
    and the file `present` from `path` to `away`."""

    path: FileRef
    trashed: FileRef
    temp: FileRef
    away: FileRef
    original: Identity
    present: Identity


def _recover_swap(step: Step, file_ref_of: FileRefOf, rescue: Rescue) -> bool:
    assert step.made is not None
    path, trashed, temp, away = map(file_ref_of, (step.path, step.trash, step.temp, step.target))
    swap = _Swap(path, trashed, temp, away, step.identity, step.made)
    done = _recover_swap_exchange(swap, step.digest, rescue)
    done = done or _finish_swap(swap, rescue)
    _remove_extra_names(swap, done, rescue)
    if not done and safe_files.identity_at(swap.away) is not None and not _is_reserved(swap.away, swap.present):
        rescue.record(swap.away, swap.path)
    return done


def _recover_swap_exchange(swap: _Swap, digest: bytes, rescue: Rescue) -> bool:
    """Whether the original is at its path. If the exchange happened, the file that was there is moved to the trash."""
    done = _is_at(swap.path, swap.original) or (
        all(safe_files.identity_at(file_ref) is None for file_ref in (swap.trashed, swap.temp))
        and has_content(swap.path, digest)
    )
    if _is_at(swap.temp, swap.present) and not _is_at(swap.temp, swap.original):
        # The exchange happened: the file that was at the path belongs in the trash in any case.
        _move_to_trash(swap.temp, swap.path, swap.away, rescue)
    elif safe_files.identity_at(swap.temp) is not None and not _is_at(swap.temp, swap.original):
        _recover_concurrent_save(swap.original, swap.temp, swap.path, rescue)
        done = _is_at(swap.path, swap.original)
    if _is_at(swap.path, swap.present) and inode_at(swap.path) == inode_at(swap.away):
        safe_files.remove(swap.away, safe_files.proof_by_second_name(swap.path))
    return done


def _finish_swap(swap: _Swap, rescue: Rescue) -> bool:
    """If the path is free because the file that was there is in the trash, rename the original to it. Returns whether
    that was done."""
    if _is_reserved(swap.path, swap.original) and _is_at(swap.away, swap.present):
        rescue.keep(swap.path, swap.path)
    if safe_files.identity_at(swap.path) is not None or not _is_at(swap.away, swap.present):
        return False
    source = swap.temp if _is_at(swap.temp, swap.original) else swap.trashed
    if not _is_at(source, swap.original):
        return False
    safe_files.rename_new(source, swap.path)
    return True


def _remove_extra_names(swap: _Swap, done: bool, rescue: Rescue) -> None:
    """Leave the original with one name: at its path if the swap is done, in the trash if not."""
    if done and inode_at(swap.trashed) == inode_at(swap.path):
        safe_files.remove(swap.trashed, safe_files.proof_by_second_name(swap.path))
    if safe_files.identity_at(swap.temp) is not None:
        if safe_files.identity_at(swap.trashed) is None and not done:
            safe_files.rename_new(swap.temp, swap.trashed)
        elif not safe_files.remove(swap.temp, safe_files.proof_by_second_name(swap.path if done else swap.trashed)):
            rescue.keep(swap.temp, swap.path)


def _recover_create(step: Step, file_ref_of: FileRefOf, rescue: Rescue) -> bool:
    temp, target = file_ref_of(step.temp), file_ref_of(step.target)
    if _was_renamed(temp, target, step.identity, step.digest):
        return True
    remove_temp(step, file_ref_of, temp, rescue)
    return False


def _recover_restore(step: Step, file_ref_of: FileRefOf, _rescue: Rescue) -> bool:
    trashed, target = file_ref_of(step.trash), file_ref_of(step.target)
    before = safe_files.identity_at(trashed)
    if before is None:
        return safe_files.identity_at(target) is not None
    return _was_renamed(trashed, target, before)


def _recover_delete(step: Step, file_ref_of: FileRefOf, _rescue: Rescue) -> bool:
    return safe_files.identity_at(file_ref_of(step.trash)) is None


def _is_reserved(file_ref: FileRef, expected: Identity | None) -> bool:
    """Whether the path holds only the empty file that reserved the name. The name was free when the step began."""
    there = safe_files.identity_at(file_ref)
    return there is not None and not there.size_bytes and expected is not None and bool(expected.size_bytes)


RECOVERIES: Final[Mapping[Action, Callable[[Step, FileRefOf, Rescue], bool]]] = {
    Action.TRASH: _recover_trash,
    Action.MOVE: _recover_move,
    Action.LINK: _recover_replacement,
    Action.REPLACE: _recover_replacement,
    Action.CREATE: _recover_create,
    Action.RESTORE: _recover_restore,
    Action.SWAP: _recover_swap,
    Action.DELETE: _recover_delete,
}
