"""EDGE: infers from the disk alone whether a step that was cut off is done, and finishes it or takes it back.

It finishes what is past the point where the path holds the new file, and takes back the rest.
"""

from collections.abc import Callable, Mapping
from typing import Final

from daemon.files import safe_files
from daemon.files.actions import SpotOf
from daemon.files.removal import Proof
from daemon.files.replacing import bring_back, give_back_saved, inode_at
from daemon.files.rescue import Rescue
from daemon.files.safe_files import Spot, is_same
from index.model import Identity
from index.records.batches import Action, Step


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


def holds(spot: Spot, digest: bytes) -> bool:
    """Whether a file with these bytes is at a spot. Raises OSError where it cannot be read."""
    try:
        with safe_files.opened_file(spot) as descriptor:
            return safe_files.digest_of(descriptor) == digest
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_at(spot: Spot, identity: Identity | None) -> bool:
    """Whether a file is at a spot, by its inode even where somebody has written to it since."""
    there = safe_files.identity_at(spot)
    return is_same(there, identity) or (there is not None and identity is not None and there.inode == identity.inode)


def _took(source: Spot, target: Spot, identity: Identity, digest: bytes = b"") -> bool:
    """Whether a renaming happened. Where the file system has no RENAME_NOREPLACE it may be cut off in its middle: the
    file has both names, or there is a copy."""
    if not _is_at(target, identity):
        return safe_files.identity_at(source) is None and bool(digest) and holds(target, digest)
    if inode_at(source) == inode_at(target):
        safe_files.remove(source, safe_files.second_name_of(target))
    return True


def _settle_taken(step: Step, source: Spot, place: Spot, rescue: Rescue) -> bool:
    """As `_took`, to a name in the trash: what else is found there came from the path, and goes back."""
    if _took(source, place, step.identity):
        return True
    there = safe_files.identity_at(place)
    if there is not None and (there.size_bytes or not step.identity.size_bytes):
        bring_back(place, source, rescue.note)
    return False


def _settle_trash(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    return _settle_taken(step, spot_of(step.path), spot_of(step.trash), rescue)


def _settle_move(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    source, target = spot_of(step.path), spot_of(step.target)
    if not step.trash:
        return _took(source, target, step.identity, step.digest)
    place, temp = spot_of(step.trash), spot_of(step.temp)
    if _settle_taken(step, source, place, rescue):
        return holds(target, step.digest) or not _is_restored(place, source)
    drop_temp(step, spot_of, temp, rescue)
    if not holds(target, step.digest) or not _is_at(source, step.identity):
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
    """Where `put_in_place` was cut off for a file that can be made again."""
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
    if inode_at(path) == inode_at(away):  # it has both names
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
        give_back_saved((safe_files.identity_at(path) or new)[:2], temp, path, rescue)
    else:
        bring_back(temp, path, rescue.keep)


def _settle_swap(step: Step, spot_of: SpotOf, rescue: Rescue) -> bool:
    path, place, temp, away = (spot_of(one) for one in (step.path, step.trash, step.temp, step.target))
    assert step.made is not None
    original, present = step.identity, step.made
    done = _is_at(path, original) or (
        all(safe_files.identity_at(spot) is None for spot in (place, temp)) and holds(path, step.digest)
    )
    if _is_at(temp, present) and not _is_at(temp, original):
        # Exchanged: what was there goes to the trash in any case.
        _take_to_trash(temp, path, away, rescue)
    elif safe_files.identity_at(temp) is not None and not _is_at(temp, original):
        _settle_saved(original, temp, path, rescue)
        done = _is_at(path, original)
    if _is_at(path, present) and inode_at(path) == inode_at(away):
        safe_files.remove(away, safe_files.second_name_of(path))
    if not done and _is_reserved(path, original) and _is_at(away, present):
        rescue.keep(path, path)
    if not done and safe_files.identity_at(path) is None and _is_at(away, present):
        source = temp if _is_at(temp, original) else place
        if _is_at(source, original):
            safe_files.rename_new(source, path)
            done = True
    if done and inode_at(place) == inode_at(path):
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
    if _took(temp, target, step.identity, step.digest):
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
