"""EDGE: does one journaled step on disk.

Every action is a few changes of names, in an order such that the subject has a name at every moment. A step counts as
done only where the disk says so; daemon.files.settling knows the states between its changes.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from daemon.files import replacing, safe_files
from daemon.files.rescue import Rescue
from daemon.files.safe_files import Spot, is_same
from index.errors import StepRefused
from index.model import Identity
from index.records.batches import Action, Step

SpotOf = Callable[[bytes], Spot]
# Called at the last moment; raises StepRefused where the step may not be done after all.
Guard = Callable[[Step], None]


def act(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    """Do a step. Raises StepRefused where something is not as it was, FileExistsError where the target's name is
    taken, OSError. After any of them `settle` tells what is."""
    ACTS[step.action](step, spot_of, guard, rescue)


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


# Doing


def _take(step: Step, source: Spot, target: Spot, guard: Guard, rescue: Rescue) -> None:
    """Give the subject another name; what somebody put in its place meanwhile goes back."""
    with held(source, step.identity, step.digest) as subject:
        guard(step)
        replacing.take_away(subject, source, target, rescue)


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
            replacing.take_away(subject, source, spot_of(step.trash), rescue)
        except StepRefused:
            words = f"The file was replaced at the last moment. Its copy is at {_shown(target)}."
            raise StepRefused("changed", words) from None


def _link(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    path, keeper, temp = spot_of(step.path), spot_of(step.keeper), spot_of(step.temp)
    assert step.made is not None
    with held(path, step.identity) as subject, held(keeper, step.made) as kept:
        if replacing.is_open_at(kept, path):
            raise StepRefused("same_file", "Both are one file already.")
        if not safe_files.are_equal(subject, kept):
            raise StepRefused("changed", "The file and the one to keep are not equal byte for byte.")
        guard(step)
        safe_files.link_new(keeper, temp)
        if not replacing.is_open_at(kept, temp):
            raise StepRefused("keeper_changed", "The file to keep was replaced at the last moment.")
        replacing.put_in_place(subject, kept, temp, path, spot_of(step.trash), rescue)


def _replace(step: Step, spot_of: SpotOf, guard: Guard, rescue: Rescue) -> None:
    path, temp = spot_of(step.path), spot_of(step.temp)
    assert step.made is not None
    with held(path, step.identity, step.digest) as subject, held(temp, step.made) as coming:
        guard(step)
        replacing.put_in_place(subject, coming, temp, path, spot_of(step.trash), rescue)


def _create(step: Step, spot_of: SpotOf, guard: Guard, _rescue: Rescue) -> None:
    temp, target = spot_of(step.temp), spot_of(step.target)
    with held(temp, step.identity, step.digest) as made:
        guard(step)
        safe_files.rename_new(temp, target)
        if not replacing.has_come(made, target):
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
            replacing.take_away(present, path, away, rescue)
            safe_files.rename_new(place, path)
            return
        replacing.put_in_place(present, original, temp, path, away, rescue)
        if not replacing.is_open_at(original, path):
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
