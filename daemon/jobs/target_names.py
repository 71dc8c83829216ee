"""EDGE: the names that files get at their targets, so that an image and its companions keep matching names.

The name of an image is chosen so that it and the names of all its companions are free, and no companion becomes that of
an unrelated image. A companion gets the name that matches the final name of its image, or none.
"""

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from daemon.files import safe_files
from daemon.files.file_names import LONGEST_NAME, names_like
from daemon.files.safe_files import FileRef
from daemon.files.siblings import Folder
from index.database.records import batches
from index.database.records.batches import Action, Step, StepState
from index.database.store import Store
from index.imaging.discovery.companions import bond_of, case_blind, images_behind, renamed, stem_of, would_be_companions

# Actions whose target must be a free name, with the word that is appended if it is taken.
NAMING: Final = {Action.MOVE: b"", Action.CREATE: b"", Action.RESTORE: b"restored"}
MOST_MEMBERS: Final = 500
# The states of an image that its companions follow to the target.
COMING: Final = frozenset({StepState.PLANNED, StepState.DONE})

# An image with its siblings and companions: the folder that they leave, their stem there, and their target folder.
CompanionGroup = tuple[bytes, bytes, bytes]


def is_following(step: Step) -> bool:
    """Whether a step is about a companion, whose name depends on that of its image."""
    return step.companion_of is not None and step.image_id is None and step.action in (Action.MOVE, Action.RESTORE)


def is_restoring(step: Step) -> bool:
    """Whether a step restores a file to where it was."""
    return step.action is Action.RESTORE or (step.action is Action.MOVE and step.undo_of is not None)


def is_same_stem(first: Step, second: Step) -> bool:
    """Whether two steps are about files of one folder that may share companions, on whatever file system."""
    places = [step.target if is_restoring(step) else step.path for step in (first, second)]
    (folder, name), (other, last) = map(os.path.split, places)
    return folder == other and case_blind(stem_of(name)) == case_blind(stem_of(last))


class TargetNames:
    """The names for the steps of one chunk. Used by one thread."""

    def __init__(self, steps: Sequence[Step], file_ref_of: Callable[[bytes], FileRef], store: Store) -> None:
        self._steps = {step.id: step for step in steps}
        self._file_ref_of = file_ref_of
        self._store = store
        self._folders: dict[bytes, Folder] = {}
        self._claimed: dict[bytes, CompanionGroup] = {}
        self._origins: dict[int, bytes] = {}

    def record(self, step: Step) -> None:
        """Update a step of the chunk: its target, its outcome."""
        self._steps[step.id] = step

    def exclude(self, step_ids: Iterable[int]) -> None:
        """Mark steps as not started."""
        for number in step_ids:
            self._steps[number] = replace(self._steps[number], state=StepState.FAILED)

    def refresh(self) -> None:
        """Drop what was read from the disk."""
        self._folders = {}

    def target(self, step: Step) -> bytes:
        """The present target of a step. Raises OSError, with EEXIST if no name is free."""
        file_ref = self._file_ref_of(step.target)
        if step.action is Action.RESTORE:
            with safe_files.opened_folder(file_ref.top, file_ref.folder, make=True):
                pass
        if is_following(step):
            image = self._leader(step)
            if image is not None:
                return self._matching_target(step, image)
            return self._target_without_image(step, file_ref) if is_restoring(step) else step.target
        if not self.has_choice(step):
            return step.target
        if is_restoring(step) and step.undo_of is not None and bond_of(self._origin(step)) is not None:
            return self._target_without_image(step, file_ref)
        return self._free_target(step, file_ref)

    def has_choice(self, step: Step) -> bool:
        """Whether a file may get another name if its own is taken: not a companion whose image has its name, and not a
        sidecar that is made for an image."""
        if is_following(step):
            return is_restoring(step) and self._leader(step) is None
        return step.action is not Action.CREATE or step.companion_of is None

    def _matching_target(self, step: Step, image: Step) -> bytes:
        """The target of a companion that matches the present name of its image."""
        folder, after = os.path.split(image.target)
        return os.path.join(folder, renamed(self._origin(step), self._origin(image), after))

    def _free_target(self, step: Step, file_ref: FileRef) -> bytes:
        """The free target nearest to the name that a file had, with which the names of its companions are free too."""
        group = self._group_of(step)
        members = [] if step.action is Action.CREATE else self._members(group)
        origin = file_ref.name if step.action is Action.CREATE else self._origin(step)
        if self._share_companions(members):
            along = [
                self._origin(member) for member in members if member.state is StepState.PLANNED and member.id != step.id
            ]
            placed = [
                member
                for member in members
                if member.id < step.id and member.state in COMING and not is_following(member)
            ]
            names = [renamed(origin, self._origin(member), os.path.basename(member.target)) for member in placed[:1]]
        else:
            along = [self._origin(member) for member in members if member.companion_of == step.id]
            names = []
        reserve = max((len(member) - len(origin) for member in along), default=0)
        ours = {os.path.basename(member.target) for member in members if member.state is StepState.DONE}
        for name in itertools.chain(names, names_like(origin, NAMING[step.action], max(reserve, 0))):
            arriving = {name, *(renamed(member, origin, name) for member in along)}
            if not self._are_free(file_ref, arriving, group):
                continue
            is_its_place = is_restoring(step) and name == origin
            if (
                step.action is not Action.CREATE
                and not is_its_place
                and self._would_mix(file_ref, arriving, group, ours)
            ):
                continue
            self._claimed.update((file_ref.sibling(member).path, group) for member in arriving)
            return file_ref.sibling(name).path
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _target_without_image(self, step: Step, file_ref: FileRef) -> bytes:
        """The target of a companion that is restored without its image: next to the image, if that was restored before;
        under an unrelated name, if another image has taken the image's name; otherwise its old path."""
        origin = self._origin(step)
        file_ref = file_ref.sibling(origin)
        image = self._image(step)
        is_crowded = False
        if image is not None:
            with self._store.read() as database:
                back = batches.last_undo_of(database, image.id)
            if back is not None and back.target and self._is_still_at(back):
                folder, after = os.path.split(back.target)
                name = renamed(origin, os.path.basename(image.path), after)
                file_ref = self._file_ref_of(os.path.join(folder, name))
            else:
                there = safe_files.identity_at(self._file_ref_of(image.path))
                is_crowded = there is not None and there.inode != image.identity.inode
        for name in names_like(file_ref.name, NAMING[step.action]):
            is_its_name = name == file_ref.name
            if (is_its_name and is_crowded) or not self._are_free(file_ref, {name}, self._group_of(step)):
                continue
            if is_its_name or not self._would_mix(file_ref, {name}, self._group_of(step), ()):
                return file_ref.sibling(name).path
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _is_still_at(self, back: Step) -> bool:
        """Whether a restored file is still at its target. One that was copied has another inode."""
        there = safe_files.identity_at(self._file_ref_of(back.target))
        was_copied = back.action is Action.MOVE and bool(back.trash)
        return there is not None and (was_copied or there.inode == back.identity.inode)

    # Images and their companions

    def _step(self, step_id: int | None) -> Step | None:
        if step_id is None:
            return None
        if step_id in self._steps:
            return self._steps[step_id]
        with self._store.read() as database:
            return batches.step_or_none(database, step_id)

    def _leader(self, step: Step) -> Step | None:
        """The step of the image whose name a companion takes; None if that image is not moved or restored."""
        image = self._step(step.companion_of)
        return image if image is not None and image.target and image.state in COMING else None

    def _origin(self, step: Step) -> bytes:
        """The name that a file had next to its image or companions."""
        return os.path.basename(self._old_path(step))

    def _old_path(self, step: Step) -> bytes:
        """The path that a file had then."""
        if step.undo_of is None:
            return step.path
        if step.undo_of not in self._origins:
            undone = self._step(step.undo_of)
            self._origins[step.undo_of] = (undone or step).path
        return self._origins[step.undo_of]

    def _image(self, step: Step) -> Step | None:
        """For a step that restores a companion: the step that removed its image."""
        undone = self._step(step.undo_of)
        return None if undone is None else self._step(undone.companion_of)

    def _group_of(self, step: Step) -> CompanionGroup:
        while is_following(step) and (image := self._step(step.companion_of)) is not None:
            step = image
        folder, name = os.path.split(self._old_path(step))
        return folder, stem_of(name), os.path.dirname(step.target)

    def _members(self, group: CompanionGroup) -> list[Step]:
        """The steps of a group: those of this chunk, and those done just before it by an interrupted run."""
        members = [step for step in self._steps.values() if self._is_of(step, group)]
        first: Step | None = self._steps[min(self._steps)]
        while first is not None and self._is_of(first, group) and len(members) < MOST_MEMBERS:
            first = self._step(first.id - 1)
            if first is not None and first.batch_id == members[0].batch_id and self._is_of(first, group):
                members.append(first)
        return members

    def _is_of(self, step: Step, group: CompanionGroup) -> bool:
        return step.action in (Action.MOVE, Action.RESTORE) and self._group_of(step) == group

    def _share_companions(self, members: Iterable[Step]) -> bool:
        """Whether several images of a group share a companion, which requires that they keep a common stem."""
        coming = [member for member in members if member.state in COMING]
        names = {self._origin(member) for member in coming}
        shared = (images_behind(self._origin(member), names) for member in coming if is_following(member))
        return any(len(images) > 1 for images in shared)

    # What is free

    def _are_free(self, file_ref: FileRef, names: Iterable[bytes], group: CompanionGroup) -> bool:
        for candidate in map(file_ref.sibling, names):
            if len(candidate.name) > LONGEST_NAME or self._claimed.get(candidate.path, group) != group:
                return False
            if safe_files.identity_at(candidate) is not None:
                return False
        return True

    def _would_mix(
        self, file_ref: FileRef, names: Collection[bytes], group: CompanionGroup, ours: Collection[bytes]
    ) -> bool:
        """Whether names in a folder would make their files companions, or images, of files outside their group."""
        if file_ref.folder not in self._folders:
            self._folders[file_ref.folder] = Folder()
            with contextlib.suppress(OSError):  # a folder that can be written to, but not read
                self._folders[file_ref.folder] = Folder.of(file_ref)
        folder = self._folders[file_ref.folder]
        there = {name for name in folder.related(*names) if name not in ours}
        others = [path for path, owner in self._claimed.items() if owner != group]
        there |= {os.path.basename(path) for path in others if os.path.dirname(path) == file_ref.folder}
        return would_be_companions(names, there, folder.fold)
