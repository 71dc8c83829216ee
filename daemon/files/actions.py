"""EDGE: does one journaled step on disk, and tells from the disk alone whether a step that was cut off is done.

Every action is a few changes of names, in an order such that the subject has a name at every moment. `settle` knows the
states between them: it finishes what is past the point where the path holds the new file, and takes back the rest.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from daemon.files import safe_files
from daemon.files.safe_files import Spot, is_same
from index.errors import StepRefused
from index.model import Identity
from index.records.batches import Action, Step

SpotOf = Callable[[bytes], Spot]
# Called at the last moment; raises StepRefused where the step may not be done after all.
Guard = Callable[[Step], None]


def act(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    """Do a step. Raises StepRefused where something is not as it was, FileExistsError where the target's name is
    taken, OSError. After any of them `settle` tells what is."""
    ACTS[step.action](step, spot_of, guard)


def settle(step: Step, spot_of: SpotOf) -> bool:
    """Whether a step is done, after finishing or taking back what was cut off in the middle.

    Raises OSError where the disk cannot be looked at: then nothing is known.
    """
    return SETTLES[step.action](step, spot_of)


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
    found = safe_files.identity_at(spot)
    status = Identity.of(os.fstat(descriptor))
    return found is not None and (found.device, found.inode) == (status.device, status.inode)


# Doing


def _take(step: Step, source: Spot, target: Spot, guard: Guard) -> None:
    """Give the subject another name; what somebody put in its place meanwhile goes back."""
    with held(source, step.identity, step.digest) as subject:
        guard(step)
        safe_files.rename_new(source, target)
        if not _is_open_at(subject, target):
            safe_files.rename_new(target, source)
            raise StepRefused("changed", "The file was replaced at the last moment.")


def _trash(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    _take(step, spot_of(step.path), spot_of(step.trash), guard)


def _move(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    source, target = spot_of(step.path), spot_of(step.target)
    if not step.trash:
        _take(step, source, target, guard)
        return
    temp, place = spot_of(step.temp), spot_of(step.trash)
    with held(source, step.identity) as subject:
        guard(step)
        if safe_files.copy_new(subject, temp) != step.digest:
            raise StepRefused("changed", "The bytes of the file are not those that were decided about.")
        try:
            safe_files.rename_new(temp, target)
        except OSError:
            _remove_temp(temp)
            raise
        safe_files.sync_folders([target])
        safe_files.rename_new(source, place)
        if not _is_open_at(subject, place):
            safe_files.rename_new(place, source)
            raise StepRefused("changed", f"The file was replaced at the last moment. Its copy is at {_shown(target)}.")


def _link(step: Step, spot_of: SpotOf, guard: Guard) -> None:
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
        _put_in_place(subject, temp, path, spot_of(step.trash))


def _replace(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    path = spot_of(step.path)
    with held(path, step.identity, step.digest) as subject:
        guard(step)
        _put_in_place(subject, spot_of(step.temp), path, spot_of(step.trash))


def _create(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    guard(step)
    safe_files.rename_new(spot_of(step.temp), spot_of(step.target))


def _restore(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    place = spot_of(step.trash)
    if safe_files.identity_at(place) is None:
        raise StepRefused("gone", "The file is not in the trash any more.")
    guard(step)
    safe_files.rename_new(place, spot_of(step.target))


def _swap(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    path, place, temp = spot_of(step.path), spot_of(step.trash), spot_of(step.temp)
    assert step.made is not None
    with held(path, step.made) as present:
        if safe_files.identity_at(place) is None:
            raise StepRefused("gone", "The file is not in the trash any more.")
        guard(step)
        safe_files.rename_new(place, temp)
        _put_in_place(present, temp, path, spot_of(step.target))


def _delete(step: Step, spot_of: SpotOf, guard: Guard) -> None:
    place = spot_of(step.trash)
    with held(place, step.identity, step.digest):
        guard(step)
        safe_files.remove(place)


def _put_in_place(present: int, new: Spot, path: Spot, away: Spot) -> None:
    """Let `new` take the place of the open file `present`, which gets the name `away`; `path` is never without a
    file where the file system can exchange names, or has hard links."""
    try:
        safe_files.exchange(new, path)
    except OSError as error:
        if error.errno not in safe_files.UNSUPPORTED:
            raise
        _put_without_exchange(present, new, path, away)
        return
    if not _is_open_at(present, new):
        safe_files.exchange(new, path)
        raise StepRefused("changed", "The file was replaced at the last moment.")
    safe_files.rename_new(new, away)


def _put_without_exchange(present: int, new: Spot, path: Spot, away: Spot) -> None:
    try:
        safe_files.link_new(path, away)
    except OSError as error:
        if error.errno not in safe_files.NO_LINKS:
            raise
        safe_files.rename_new(path, away)
        if not _is_open_at(present, away):
            safe_files.rename_new(away, path)
            raise StepRefused("changed", "The file was replaced at the last moment.") from None
        safe_files.rename_new(new, path)
        return
    if not (_is_open_at(present, away) and _is_open_at(present, path)):
        raise StepRefused("changed", "The file was replaced at the last moment.")
    safe_files.rename_over(new, path)


# Telling from the disk


def _is_at(spot: Spot, identity: Identity | None) -> bool:
    """Whether a file is at a spot, by its inode even where somebody has written to it since."""
    found = safe_files.identity_at(spot)
    return is_same(found, identity) or (found is not None and identity is not None and found.inode == identity.inode)


def _took(source: Spot, target: Spot, identity: Identity, target_is_ours: bool) -> bool:
    """Whether a renaming happened. Where the file system has no RENAME_NOREPLACE it may be cut off in its middle: the
    file has both names, or the new one is held by an empty file."""
    before, there = safe_files.identity_at(source), safe_files.identity_at(target)
    if there is None:
        return False
    if before is not None and (before.device, before.inode) == (there.device, there.inode):
        safe_files.remove(source)
        return True
    if is_same(there, identity) or (before is None and there.inode == identity.inode):
        return True
    return not _was_reserved(target, identity) and target_is_ours


def _was_reserved(spot: Spot, expected: Identity | None) -> bool:
    """Whether there is but the empty file that held the name; it is removed. The name was free when the step began."""
    there = safe_files.identity_at(spot)
    if there is None or there.size_bytes or expected is None or not expected.size_bytes:
        return False
    safe_files.remove(spot)
    return True


def _rename_back(now: Spot, before: Spot) -> None:
    """Take a renaming back, or what there is of it."""
    one, other = safe_files.identity_at(now), safe_files.identity_at(before)
    if one is None:
        return
    if other is None:
        safe_files.rename_new(now, before)
    elif not one.size_bytes or (one.device, one.inode) == (other.device, other.inode):
        safe_files.remove(now)


def _settle_trash(step: Step, spot_of: SpotOf) -> bool:
    return _took(spot_of(step.path), spot_of(step.trash), step.identity, target_is_ours=True)


def _settle_move(step: Step, spot_of: SpotOf) -> bool:
    source, target = spot_of(step.path), spot_of(step.target)
    if not step.trash:
        return _took(source, target, step.identity, target_is_ours=False)
    place, temp = spot_of(step.trash), spot_of(step.temp)
    if _took(source, place, step.identity, target_is_ours=True):
        return True
    _remove_temp(temp)
    if _was_reserved(target, step.identity) or not _holds(target, step.digest):
        return False
    if not _is_at(source, step.identity):
        return safe_files.identity_at(source) is None
    try:
        safe_files.rename_new(source, place)
    except OSError:
        return False  # both have the bytes: a copy more is no harm
    return True


def _settle_put(step: Step, spot_of: SpotOf) -> bool:
    def drop(temp: Spot) -> bool:
        # The name may hold the old file, after an exchange: only what is the new one is removed.
        if _is_at(temp, step.made):
            safe_files.remove(temp)
        return True

    return _settle_putting(
        step.identity, step.made, spot_of(step.temp), spot_of(step.path), spot_of(step.trash), drop
    )


def _settle_swap(step: Step, spot_of: SpotOf) -> bool:
    place = spot_of(step.trash)

    def put_back(temp: Spot) -> bool:
        _rename_back(temp, place)
        return False

    assert step.made is not None
    return _settle_putting(
        step.made, step.identity, spot_of(step.temp), spot_of(step.path), spot_of(step.target), put_back
    )


def _settle_putting(
    old: Identity, new: Identity | None, temp: Spot, path: Spot, away: Spot, take_back: Callable[[Spot], bool]
) -> bool:
    """Where `_put_in_place` was cut off. `old` was at `path` and goes to `away`, `new` was at `temp`; `take_back` does
    away with a new file that is not needed, and tells whether the step is done without it."""
    if safe_files.identity_at(away) is None or _was_reserved(away, old):
        if _is_at(temp, old) and not _is_at(temp, new):
            safe_files.rename_new(temp, away)
            return True
        take_back(temp)
        return False
    now = safe_files.identity_at(path)
    if _is_at(path, new):
        if _is_at(temp, old):
            _remove_second_name(temp, away)
        return True
    if _is_at(path, old):  # it has both names
        if _is_at(temp, new):
            safe_files.rename_over(temp, path)
            return True
        _remove_second_name(away, path)
        return False
    if _is_at(temp, new) and (now is None or _was_reserved(path, new)):
        safe_files.rename_new(temp, path)
        return True
    if now is None:
        safe_files.rename_new(away, path)
        return False
    return take_back(temp)  # somebody put another file there, which stays


def _settle_create(step: Step, spot_of: SpotOf) -> bool:
    temp, target = spot_of(step.temp), spot_of(step.target)
    if _took(temp, target, step.identity, target_is_ours=False):
        return True
    _remove_temp(temp)
    return False


def _settle_restore(step: Step, spot_of: SpotOf) -> bool:
    place, target = spot_of(step.trash), spot_of(step.target)
    before = safe_files.identity_at(place)
    return _took(place, target, before or step.identity, target_is_ours=False) or (
        before is None and safe_files.identity_at(target) is not None
    )


def _settle_delete(step: Step, spot_of: SpotOf) -> bool:
    return safe_files.identity_at(spot_of(step.trash)) is None


def _holds(spot: Spot, digest: bytes) -> bool:
    try:
        with safe_files.opened_file(spot) as descriptor:
            return safe_files.digest_of(descriptor) == digest
    except (FileNotFoundError, NotADirectoryError):
        return False


def _remove_temp(temp: Spot) -> None:
    """Remove a temporary file of ours, which is never the only one with its bytes that a person knows of."""
    # Looked at first: a file system that is read-only says so also of what is not there.
    if safe_files.identity_at(temp) is not None:
        safe_files.remove(temp)


def _remove_second_name(name: Spot, other: Spot) -> None:
    """Remove a name of a file that has another one, after a look at both."""
    first, second = safe_files.identity_at(name), safe_files.identity_at(other)
    if first is not None and second is not None and (first.device, first.inode) == (second.device, second.inode):
        safe_files.remove(name)


def _shown(spot: Spot) -> str:
    return spot.path.decode("utf-8", "replace")


ACTS: Final[Mapping[Action, Callable[[Step, SpotOf, Guard], None]]] = {
    Action.TRASH: _trash,
    Action.MOVE: _move,
    Action.LINK: _link,
    Action.REPLACE: _replace,
    Action.CREATE: _create,
    Action.RESTORE: _restore,
    Action.SWAP: _swap,
    Action.DELETE: _delete,
}

SETTLES: Final[Mapping[Action, Callable[[Step, SpotOf], bool]]] = {
    Action.TRASH: _settle_trash,
    Action.MOVE: _settle_move,
    Action.LINK: _settle_put,
    Action.REPLACE: _settle_put,
    Action.CREATE: _settle_create,
    Action.RESTORE: _settle_restore,
    Action.SWAP: _settle_swap,
    Action.DELETE: _settle_delete,
}
