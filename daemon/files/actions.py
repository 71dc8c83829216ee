"""EDGE: does one journaled step on disk, and tells from the disk alone whether a step that was cut off is done.

Every action is a few changes of names, in an order such that the subject has a name at every moment. `settle` knows the
states between them: it finishes what is past the point where the path holds the new file, and takes back the rest. A
step counts as done only where the disk says so. What another program saves meanwhile is put back or kept (Rescue).
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from daemon.files import safe_files
from daemon.files.removal import Proof
from daemon.files.rescue import Rescue
from daemon.files.safe_files import Spot, is_same
from index.errors import StepRefused
from index.model import Identity
from index.records.batches import Action, Step

SpotOf = Callable[[bytes], Spot]
# Called at the last moment; raises StepRefused where the step may not be done after all.
Guard = Callable[[Step], None]
# How often a program may save a file anew while its save is put back.
MOST_SAVES: Final = 10_000


def act(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    """Do a step. Raises StepRefused where something is not as it was, FileExistsError where the target's name is
    taken, OSError. After any of them `settle` tells what is."""
    ACTS[step.action](step, spot_of, guard, rescue)


def settle(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    """Whether a step is done, after finishing or taking back what was cut off in the middle.

    Raises OSError where the disk cannot be looked at: then nothing is known.
    """
    return SETTLES[step.action](step, spot_of, rescue)


def put_back(step: Step, spot_of: SpotOf) -> None:
    """After a crash: give files of a step their names back which were about to be removed. Raises OSError."""
    for path in filter(None, (step.path, step.target, step.trash, step.temp)):
        safe_files.put_back(spot_of(path))


def drop_temp(step: Step, spot_of: SpotOf, temp: Spot, rescue: Rescue) -> None:
    """Remove the temporary file of a step that is not done, if it is the one that was recorded; else keep it."""
    # Looked at first: a file system that is read-only says so also of what is not there.
    if safe_files.identity_at(temp) is None:
        return
    proof = _proof_of_new(step, spot_of)
    if proof is None or not safe_files.remove(temp, proof):
        rescue.keep(temp, spot_of(step.target if step.action in (Action.MOVE, Action.CREATE) else step.path))


def _proof_of_new(step: Step, spot_of: SpotOf) -> Proof | None:
    """The proof of the file that a step was to put in place, None where it was not recorded."""
    match step.action:
        case Action.REPLACE if step.made is not None:
            return safe_files.recorded(step.made, step.made_digest)
        case Action.CREATE:
            return safe_files.recorded(step.identity, step.digest)
        case Action.LINK:
            return safe_files.second_name_of(spot_of(step.keeper))
        case Action.SWAP:
            return safe_files.second_name_of(spot_of(step.trash))
    return None


@contextmanager
def held(spot: Spot, identity: Identity, digest: bytes = b"") -> Iterator[int]:
    """A file opened and found to be what it was, its bytes included where a digest is given. Raises StepRefused."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(safe_files.opened_file(spot))
            before = os.fstat(descriptor)
            if not is_same(Identity.of(before), identity):
                raise StepRefused("changed", "The file is not the one that was decided about.")
            if digest and safe_files.digest_of(descriptor) != digest:
                raise StepRefused("changed", "The bytes of the file are not those that were decided about.")
            if Identity.of(os.fstat(descriptor)) != Identity.of(before):
                raise StepRefused("changed", "The file changed while it was checked.")
        except OSError as error:
            raise _as_refusal(error) from error
        yield descriptor


def _as_refusal(error: OSError) -> StepRefused:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StepRefused("gone", "The file is not there any more.")
    if error.errno in (errno.ELOOP, errno.EINVAL):
        return StepRefused("not_a_file", "There is a symbolic link, or no regular file, where the file was.")
    return StepRefused("unreadable", f"The file cannot be read: {error.strerror}.")


def _is_open_at(descriptor: int, spot: Spot) -> bool:
    """Whether a name is that of an open file."""
    return _inode_at(spot) == _inode(descriptor)


def _inode(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _inode_at(spot: Spot) -> tuple[int, int] | None:
    there = safe_files.identity_at(spot)
    return None if there is None else (there.device, there.inode)


def _replaced() -> StepRefused:
    return StepRefused("changed", "The file was replaced at the last moment.")


# Doing


def _take(step: Step, source: Spot, target: Spot, guard: Guard, rescue: Rescue) -> None:
    """Give the subject another name; what somebody put in its place meanwhile goes back."""
    with held(source, step.identity, step.digest) as subject:
        guard(step)
        _take_away(subject, source, target, rescue)


def _take_away(subject: int, source: Spot, target: Spot, rescue: Rescue) -> None:
    """Give an open file another name. Raises StepRefused where it was another one: that has its name again, or, where a
    third one took that, is kept."""
    safe_files.rename_new(source, target)
    if _is_open_at(subject, target):
        return
    _bring_back(target, source, rescue)
    raise _replaced()


def _bring_back(now: Spot, before: Spot, rescue: Rescue) -> None:
    try:
        safe_files.rename_new(now, before)
    except FileNotFoundError:
        pass
    except FileExistsError:
        # Saved again since: what is there is newer. This one stays where it is.
        rescue.note(now, before)


def _trash(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    _take(step, spot_of(step.path), spot_of(step.trash), guard, rescue)


def _move(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    source, target = spot_of(step.path), spot_of(step.target)
    if not step.trash:
        _take(step, source, target, guard, rescue)
        return
    with held(source, step.identity) as subject:
        guard(step)
        if not safe_files.copy_new(subject, target, spot_of(step.temp), step.digest):
            raise StepRefused("changed", "The bytes of the file are not those that were decided about.")
        safe_files.sync_folders([target])
        try:
            _take_away(subject, source, spot_of(step.trash), rescue)
        except StepRefused:
            words = f"The file was replaced at the last moment. Its copy is at {_shown(target)}."
            raise StepRefused("changed", words) from None


def _link(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    path, keeper, temp = spot_of(step.path), spot_of(step.keeper), spot_of(step.temp)
    assert step.made is not None
    with held(path, step.identity) as subject, held(keeper, step.made) as kept:
        if _is_open_at(kept, path):
            raise StepRefused("same_file", "Both are one file already.")
        if not safe_files.are_equal(subject, kept):
            raise StepRefused("changed", "The file and the one to keep are not equal byte for byte.")
        guard(step)
        safe_files.link_new(keeper, temp)
        if not _is_open_at(kept, temp):
            raise StepRefused("keeper_changed", "The file to keep was replaced at the last moment.")
        _put_in_place(subject, kept, temp, path, spot_of(step.trash), rescue)


def _replace(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    path, temp = spot_of(step.path), spot_of(step.temp)
    assert step.made is not None
    with held(path, step.identity, step.digest) as subject, held(temp, step.made) as coming:
        guard(step)
        _put_in_place(subject, coming, temp, path, spot_of(step.trash), rescue)


def _create(step: Step, spot_of: SpotOf, guard: Guard, _rescue: Rescue) -> None:
    temp, target = spot_of(step.temp), spot_of(step.target)
    with held(temp, step.identity, step.digest) as made:
        guard(step)
        safe_files.rename_new(temp, target)
        if not _is_open_at(made, target):
            raise StepRefused("changed", "The new file was replaced at the last moment.")


def _restore(step: Step, spot_of: SpotOf, guard: Guard, _rescue: Rescue) -> None:
    place = spot_of(step.trash)
    if safe_files.identity_at(place) is None:
        raise StepRefused("gone", "The file is not in the trash any more.")
    guard(step)
    safe_files.rename_new(place, spot_of(step.target))


def _swap(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    path, place, temp, away = (spot_of(one) for one in (step.path, step.trash, step.temp, step.target))
    assert step.made is not None
    if safe_files.identity_at(place) is None:
        raise StepRefused("gone", "The file is not in the trash any more.")
    with held(path, step.made, step.made_digest) as present, safe_files.opened_file(place) as original:
        guard(step)
        try:
            # The original keeps its name in the trash until it is seen to be back.
            safe_files.link_new(place, temp)
        except OSError as error:
            if error.errno not in safe_files.NO_LINKS:
                raise
            # Without a second name nothing may be exchanged: a program that saves at that moment would replace it.
            _take_away(present, path, away, rescue)
            safe_files.rename_new(place, path)
            return
        _put_in_place(present, original, temp, path, away, rescue)
        if not _is_open_at(original, path):
            raise StepRefused("changed", "The file was saved again at the last moment.")
        safe_files.remove(place, safe_files.second_name_of(path))


def _delete(step: Step, spot_of: SpotOf, guard: Guard, _rescue: Rescue) -> None:
    place = spot_of(step.trash)
    if not step.digest:
        raise StepRefused("not_recorded", "The digest of the file was never recorded.")
    with held(place, step.identity):
        guard(step)
    if not safe_files.remove(place, safe_files.recorded(step.identity, step.digest)):
        raise StepRefused("changed", "The file in the trash is not the one that was put there.")


def _put_in_place(present: int, coming: int, new: Spot, path: Spot, away: Spot, rescue: Rescue) -> None:
    """Let the open file `coming`, which has the name `new`, take the place of the open file `present`, which gets the
    name `away`. Where the file system can exchange names `path` is never without a file."""
    try:
        safe_files.exchange(new, path)
    except OSError as error:
        if error.errno not in safe_files.UNSUPPORTED:
            raise
        _take_away(present, path, away, rescue)
        safe_files.rename_new(new, path)
        return
    if _is_open_at(present, new):
        # Whatever is at the path by now: ours, or what was saved over it since.
        safe_files.rename_new(new, away)
        return
    _give_back_saved(_inode(coming), new, path, rescue)
    raise _replaced()


def _give_back_saved(ours: tuple[int, int], new: Spot, path: Spot, rescue: Rescue) -> None:
    """After an exchange that took away a file which somebody saved at that moment: give it its name again.

    It may have been saved again since. What comes away in an exchange is newer than what was brought, but for what the
    exchange before brought: so the newest save has the path in the end. An older one is kept.
    """
    brought = ours
    for _ in range(MOST_SAVES):
        saved = _inode_at(new)
        if saved is None:
            return
        try:
            safe_files.exchange(new, path)
        except FileNotFoundError:
            # Moved away since it was saved.
            _bring_back_or_keep(new, path, rescue)
            return
        if _inode_at(new) == brought:
            break
        brought = saved
    if _inode_at(new) != ours:
        rescue.keep(new, path)


def _bring_back_or_keep(now: Spot, path: Spot, rescue: Rescue) -> None:
    try:
        safe_files.rename_new(now, path)
    except FileNotFoundError:
        pass
    except FileExistsError:
        rescue.keep(now, path)


# Telling from the disk


def _is_at(spot: Spot, identity: Identity | None) -> bool:
    """Whether a file is at a spot, by its inode even where somebody has written to it since."""
    there = safe_files.identity_at(spot)
    return is_same(there, identity) or (there is not None and identity is not None and there.inode == identity.inode)


def _took(source: Spot, target: Spot, identity: Identity) -> bool:
    """Whether a renaming happened. Where the file system has no RENAME_NOREPLACE it may be cut off in its middle: the
    file has both names, or the new one is held by an empty file."""
    if not _is_at(target, identity):
        return False
    if _inode_at(source) == _inode_at(target):
        safe_files.remove(source, safe_files.second_name_of(target))
    return True


def _settle_taken(step: Step, source: Spot, place: Spot, rescue: Rescue) -> bool:
    """As `_took`, to a name in the trash: what else is found there came from the path, and goes back."""
    if _took(source, place, step.identity):
        return True
    there = safe_files.identity_at(place)
    if there is not None and (there.size_bytes or not step.identity.size_bytes):
        _bring_back(place, source, rescue)
    return False


def _settle_trash(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    return _settle_taken(step, spot_of(step.path), spot_of(step.trash), rescue)


def _settle_move(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    source, target = spot_of(step.path), spot_of(step.target)
    if not step.trash:
        return _took(source, target, step.identity)
    place, temp = spot_of(step.trash), spot_of(step.temp)
    if _settle_taken(step, source, place, rescue):
        return _holds(target, step.digest) or not _is_restored(place, source)
    drop_temp(step, spot_of, temp, rescue)
    if not _holds(target, step.digest) or not _is_at(source, step.identity):
        return False
    try:
        safe_files.rename_new(source, place)
    except OSError:
        return False  # both have the bytes: a copy more is no harm
    return _settle_taken(step, source, place, rescue)


def _is_restored(place: Spot, source: Spot) -> bool:
    """Give the source of a move its name again where the copy is not at its destination; whether that was done."""
    try:
        safe_files.rename_new(place, source)
    except OSError:
        return False
    return True


def _settle_put(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    """Where `_put_in_place` was cut off for a file that can be made again."""
    path, temp, away = spot_of(step.path), spot_of(step.temp), spot_of(step.trash)
    done = _settle_exchange(step.identity, step.made, temp, path, away, rescue)
    drop_temp(step, spot_of, temp, rescue)
    return done


def _settle_exchange(
    old: Identity, new: Identity | None, temp: Spot, path: Spot, away: Spot, rescue: Rescue
) -> bool:
    """Whether `old`, which was at `path`, has gone to `away`, and `new`, which was at `temp`, has come to the path."""
    if not _is_at(away, old):
        if _is_at(temp, old) and not _is_at(temp, new):
            return _take_to_trash(temp, path, away, rescue)
        if not _is_at(temp, new):
            _settle_saved(new, temp, path, rescue)
        return False
    if _inode_at(path) == _inode_at(away):  # it has both names
        safe_files.remove(path, safe_files.second_name_of(away))
    if safe_files.identity_at(path) is None or (_is_at(temp, new) and _is_reserved(path, new)):
        if not _is_at(temp, new):
            safe_files.rename_new(away, path)
            return False
        if safe_files.identity_at(path) is not None:
            rescue.keep(path, path)
        safe_files.rename_new(temp, path)
    # It is in the trash, and the path holds the new file, or what somebody saved since.
    return True


def _take_to_trash(temp: Spot, path: Spot, away: Spot, rescue: Rescue) -> bool:
    """After an exchange: the old file, which only has the temporary name, goes to the trash."""
    try:
        safe_files.rename_new(temp, away)
    except FileExistsError:  # by an empty file that reserved the name
        rescue.keep(temp, path)
    return True


def _settle_saved(new: Identity | None, temp: Spot, path: Spot, rescue: Rescue) -> None:
    """Where a crash hit while what somebody saved was given its name again."""
    if safe_files.identity_at(temp) is None or new is None:
        return
    if _is_at(path, new):
        _give_back_saved((safe_files.identity_at(path) or new)[:2], temp, path, rescue)
    else:
        _bring_back_or_keep(temp, path, rescue)


def _settle_swap(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    path, place, temp, away = (spot_of(one) for one in (step.path, step.trash, step.temp, step.target))
    assert step.made is not None
    original, present = step.identity, step.made
    done = _is_at(path, original)
    if _is_at(temp, present) and not _is_at(temp, original):
        # Exchanged: what was there goes to the trash in any case.
        _take_to_trash(temp, path, away, rescue)
    elif safe_files.identity_at(temp) is not None and not _is_at(temp, original):
        _settle_saved(original, temp, path, rescue)
        done = _is_at(path, original)
    if _is_at(path, present) and _inode_at(path) == _inode_at(away):
        safe_files.remove(away, safe_files.second_name_of(path))
    if not done and _is_reserved(path, original) and _is_at(away, present):
        rescue.keep(path, path)
    if not done and safe_files.identity_at(path) is None and _is_at(away, present):
        source = temp if _is_at(temp, original) else place
        if _is_at(source, original):
            safe_files.rename_new(source, path)
            done = True
    if done and _inode_at(place) == _inode_at(path):
        safe_files.remove(place, safe_files.second_name_of(path))
    if safe_files.identity_at(temp) is not None:
        if safe_files.identity_at(place) is None and not done:
            safe_files.rename_new(temp, place)
        elif not safe_files.remove(temp, safe_files.second_name_of(path if done else place)):
            rescue.keep(temp, path)
    if not done and safe_files.identity_at(away) is not None and not _is_reserved(away, present):
        rescue.note(away, path)
    return done


def _settle_create(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    temp, target = spot_of(step.temp), spot_of(step.target)
    if _took(temp, target, step.identity):
        return True
    drop_temp(step, spot_of, temp, rescue)
    return False


def _settle_restore(step: Step, spot_of: SpotOf, _rescue: Rescue) -> bool:
    place, target = spot_of(step.trash), spot_of(step.target)
    before = safe_files.identity_at(place)
    if before is None:
        return safe_files.identity_at(target) is not None
    return _took(place, target, before)


def _settle_delete(step: Step, spot_of: SpotOf, _rescue: Rescue) -> bool:
    return safe_files.identity_at(spot_of(step.trash)) is None


def _is_reserved(spot: Spot, expected: Identity | None) -> bool:
    """Whether there is but the empty file that held the name, which was free when the step began."""
    there = safe_files.identity_at(spot)
    return there is not None and not there.size_bytes and expected is not None and bool(expected.size_bytes)


def _holds(spot: Spot, digest: bytes) -> bool:
    try:
        with safe_files.opened_file(spot) as descriptor:
            return safe_files.digest_of(descriptor) == digest
    except (FileNotFoundError, NotADirectoryError):
        return False


def _shown(spot: Spot) -> str:
    return spot.path.decode("utf-8", "replace")


ACTS: Final[Mapping[Action, Callable[[Step, SpotOf, Guard, Rescue], None]]] = {
    Action.TRASH: _trash,
    Action.MOVE: _move,
    Action.LINK: _link,
    Action.REPLACE: _replace,
    Action.CREATE: _create,
    Action.RESTORE: _restore,
    Action.SWAP: _swap,
    Action.DELETE: _delete,
}

SETTLES: Final[Mapping[Action, Callable[[Step, SpotOf, Rescue], bool]]] = {
    Action.TRASH: _settle_trash,
    Action.MOVE: _settle_move,
    Action.LINK: _settle_put,
    Action.REPLACE: _settle_put,
    Action.CREATE: _settle_create,
    Action.RESTORE: _settle_restore,
    Action.SWAP: _settle_swap,
    Action.DELETE: _settle_delete,
}
