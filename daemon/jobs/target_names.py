"""EDGE: the names that files get where they arrive, so that an image and its companions keep matching names.

The name of an image is chosen so that it is free, so are those of all its companions, and no companion is bound to an
image of somebody else's. A companion has no choice: it gets the name that matches what its image was called in the end,
or none.
"""

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from daemon.files import safe_files
from daemon.files.beside import Folder
from daemon.files.file_names import LONGEST_NAME, fitting
from daemon.files.safe_files import Spot
from index.images.companions import bond_of, case_blind, images_behind, mixes, renamed, stem_of
from index.records import batches
from index.records.batches import Action, Step, StepState
from index.store import Store

# Actions whose target is a name that must be free, with the word that is put behind it where it is not.
NAMING: Final = {Action.MOVE: b"", Action.CREATE: b"", Action.RESTORE: b"restored"}
NAMES_TRIED: Final = 1000
MOST_MEMBERS: Final = 500
# The states of an image that comes to where its companions follow it.
COMING: Final = frozenset({StepState.PLANNED, StepState.DONE})

# An image with its siblings and companions: the folder that they leave, their stem there, and the folder they come to.
Party = tuple[bytes, bytes, bytes]


def follows(step: Step) -> bool:
    """Whether a step is about a companion whose name depends on that of its image."""
    return step.companion_of is not None and step.image_id is None and step.action in (Action.MOVE, Action.RESTORE)


def returns(step: Step) -> bool:
    """Whether a step brings a file back to where it was."""
    return step.action is Action.RESTORE or (step.action is Action.MOVE and step.undo_of is not None)


def is_same_stem(first: Step, second: Step) -> bool:
    """Whether two steps are about files of one folder that may share companions, on whatever file system."""
    places = [one.target if returns(one) else one.path for one in (first, second)]
    (folder, name), (other, last) = map(os.path.split, places)
    return folder == other and case_blind(stem_of(name)) == case_blind(stem_of(last))


class Naming:
    """The names for the steps of one portion. Used by one thread."""

    def __init__(self, steps: Sequence[Step], spot_of: Callable[[bytes], Spot], store: Store) -> None:
        self._steps = {step.id: step for step in steps}
        self._spot_of = spot_of
        self._store = store
        self._folders: dict[bytes, Folder] = {}
        self._claimed: dict[bytes, Party] = {}
        self._origins: dict[int, bytes] = {}

    def note(self, step: Step) -> None:
        """Take over what became of a step of the portion: where it leads, how it ended."""
        self._steps[step.id] = step

    def leave(self, step_ids: Iterable[int]) -> None:
        """Take over that steps are not begun."""
        for number in step_ids:
            self._steps[number] = replace(self._steps[number], state=StepState.FAILED)

    def look_again(self) -> None:
        """Forget what was seen of the disk."""
        self._folders = {}

    def target(self, step: Step) -> bytes:
        """Where a step leads by what is known at this moment. Raises OSError, with EEXIST where no name is free."""
        spot = self._spot_of(step.target)
        if step.action is Action.RESTORE:
            with safe_files.opened_folder(spot.top, spot.folder, make=True):
                pass
        if follows(step):
            image = self._leader(step)
            if image is not None:
                return self._matching(step, image)
            return self._alone(step, spot) if returns(step) else step.target
        if not self.has_choice(step):
            return step.target
        if returns(step) and step.undo_of is not None and bond_of(self._origin(step)) is not None:
            return self._alone(step, spot)
        return self._free(step, spot)

    def has_choice(self, step: Step) -> bool:
        """Whether a file may get another name where its own is taken: not a companion whose image has its name, and
        not a sidecar that is made for an image."""
        if follows(step):
            return returns(step) and self._leader(step) is None
        return step.action is not Action.CREATE or step.companion_of is None

    def _matching(self, step: Step, image: Step) -> bytes:
        """The name of a companion beside what its image is called now."""
        folder, after = os.path.split(image.target)
        return os.path.join(folder, renamed(self._origin(step), self._origin(image), after))

    def _free(self, step: Step, spot: Spot) -> bytes:
        """The nearest name to the one a file had that is free, and leaves those of what comes with it free."""
        party = self._party(step)
        members = [] if step.action is Action.CREATE else self._members(party)
        origin = spot.name if step.action is Action.CREATE else self._origin(step)
        if self._share(members):
            along = [self._origin(one) for one in members if one.state is StepState.PLANNED and one.id != step.id]
            placed = [one for one in members if one.id < step.id and one.state in COMING and not follows(one)]
            names = [renamed(origin, self._origin(one), os.path.basename(one.target)) for one in placed[:1]]
        else:
            along = [self._origin(one) for one in members if one.companion_of == step.id]
            names = []
        reserve = max((len(one) - len(origin) for one in along), default=0)
        ours = {os.path.basename(one.target) for one in members if one.state is StepState.DONE}
        for name in itertools.chain(names, names_like(origin, NAMING[step.action], max(reserve, 0))):
            arriving = {name, *(renamed(one, origin, name) for one in along)}
            if not self._are_free(spot, arriving, party):
                continue
            is_its_place = returns(step) and name == origin
            if step.action is not Action.CREATE and not is_its_place and self._would_mix(spot, arriving, party, ours):
                continue
            self._claimed.update((spot.beside(one).path, party) for one in arriving)
            return spot.beside(name).path
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _alone(self, step: Step, spot: Spot) -> bytes:
        """Where a companion comes back without its image: beside that, where it came back before; under a name that
        is nobody's, where another image has that of its own by now; otherwise to its place."""
        origin = self._origin(step)
        spot = spot.beside(origin)
        image = self._image(step)
        is_crowded = False
        if image is not None:
            with self._store.read() as database:
                back = batches.way_back(database, image.id)
            if back is not None and back.target and self._is_still_at(back):
                folder, after = os.path.split(back.target)
                name = renamed(origin, os.path.basename(image.path), after)
                spot = self._spot_of(os.path.join(folder, name))
            else:
                there = safe_files.identity_at(self._spot_of(image.path))
                is_crowded = there is not None and there.inode != image.identity.inode
        for name in names_like(spot.name, NAMING[step.action]):
            is_its_name = name == spot.name
            if (is_its_name and is_crowded) or not self._are_free(spot, {name}, self._party(step)):
                continue
            if is_its_name or not self._would_mix(spot, {name}, self._party(step), ()):
                return spot.beside(name).path
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _is_still_at(self, back: Step) -> bool:
        """Whether a file that came back is where it came to. One that was copied got another inode."""
        there = safe_files.identity_at(self._spot_of(back.target))
        was_copied = back.action is Action.MOVE and bool(back.trash)
        return there is not None and (was_copied or there.inode == back.identity.inode)

    # What belongs together

    def _step(self, step_id: int | None) -> Step | None:
        if step_id is None:
            return None
        if step_id in self._steps:
            return self._steps[step_id]
        with self._store.read() as database:
            return batches.step_or_none(database, step_id)

    def _leader(self, step: Step) -> Step | None:
        """The step of the image whose name a companion takes, None where that does not come."""
        image = self._step(step.companion_of)
        return image if image is not None and image.target and image.state in COMING else None

    def _origin(self, step: Step) -> bytes:
        """The name that a file had when it was with its image, or with its companions."""
        return os.path.basename(self._before(step))

    def _before(self, step: Step) -> bytes:
        """Where a file was then."""
        if step.undo_of is None:
            return step.path
        if step.undo_of not in self._origins:
            undone = self._step(step.undo_of)
            self._origins[step.undo_of] = (undone or step).path
        return self._origins[step.undo_of]

    def _image(self, step: Step) -> Step | None:
        """The step that took the image of a companion away, of one that brings the companion back."""
        undone = self._step(step.undo_of)
        return None if undone is None else self._step(undone.companion_of)

    def _party(self, step: Step) -> Party:
        while follows(step) and (image := self._step(step.companion_of)) is not None:
            step = image
        folder, name = os.path.split(self._before(step))
        return folder, stem_of(name), os.path.dirname(step.target)

    def _members(self, party: Party) -> list[Step]:
        """The steps of a party: those of this portion, and those right before it that a run that was cut off did."""
        found = [one for one in self._steps.values() if self._is_of(one, party)]
        first: Step | None = self._steps[min(self._steps)]
        while first is not None and self._is_of(first, party) and len(found) < MOST_MEMBERS:
            first = self._step(first.id - 1)
            if first is not None and first.batch_id == found[0].batch_id and self._is_of(first, party):
                found.append(first)
        return found

    def _is_of(self, step: Step, party: Party) -> bool:
        return step.action in (Action.MOVE, Action.RESTORE) and self._party(step) == party

    def _share(self, members: Iterable[Step]) -> bool:
        """Whether several images of a party have a companion in common, which they can keep under one stem only."""
        coming = [one for one in members if one.state in COMING]
        names = {self._origin(one) for one in coming}
        shared = (images_behind(self._origin(one), names) for one in coming if follows(one))
        return any(len(images) > 1 for images in shared)

    # What is free

    def _are_free(self, spot: Spot, names: Iterable[bytes], party: Party) -> bool:
        for one in map(spot.beside, names):
            if len(one.name) > LONGEST_NAME or self._claimed.get(one.path, party) != party:
                return False
            if safe_files.identity_at(one) is not None:
                return False
        return True

    def _would_mix(self, spot: Spot, names: Collection[bytes], party: Party, ours: Collection[bytes]) -> bool:
        """Whether names in the folder of a spot would bind what gets them to something that is not of its party."""
        if spot.folder not in self._folders:
            self._folders[spot.folder] = Folder({})
            with contextlib.suppress(OSError):  # a folder that can be written to, but not read
                self._folders[spot.folder] = Folder.of(spot)
        folder = self._folders[spot.folder]
        there = {name for name in folder.around(*names) if name not in ours}
        others = [path for path, whose in self._claimed.items() if whose != party]
        there |= {os.path.basename(path) for path in others if os.path.dirname(path) == spot.folder}
        return mixes(names, there, folder.fold)


def names_like(name: bytes, word: bytes, reserve: int = 0) -> Iterator[bytes]:
    """A name, then those like it: "a (2).jpg", or with a word "a (restored).jpg", "a (restored 2).jpg"; `reserve`
    bytes shorter than names may be."""
    yield name
    room = b"x" * reserve
    if word:
        yield fitting(room, name, b" (%s)" % word)[reserve:]
    for number in itertools.islice(itertools.count(2), NAMES_TRIED):
        yield fitting(room, name, b" (%s)" % b" ".join(filter(None, [word, b"%d" % number])))[reserve:]
