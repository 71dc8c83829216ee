"""The plan of a sort for the files as they are now: a step for every image to trash, move or link, or why not.

Uses names, sizes and times, and reads no file: daemon.jobs.sort checks the bytes just before it acts.
"""

import contextlib
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import itemgetter

from daemon.files import safe_files
from daemon.files.open_folders import OpenFolders
from daemon.files.protected_paths import ManagedFolders
from daemon.files.siblings import Folder, describing, is_picture
from index.database.queries.group_files import GroupFile, LostDecision, SortGroup
from index.database.records.batches import Action, Step, StepState
from index.errors import StepRefused
from index.imaging.discovery.companions import (
    XMP_ENDING,
    Bond,
    Fold,
    bond_of,
    case_blind,
    companions_of,
    images_behind,
    owners_of,
    stem_of,
    twin_of,
)
from index.imaging.discovery.trash_places import is_in_trash
from index.messages import of_os_error
from index.model import Choice, Identity
from index.paths import display, split_path

# Blocks of metadata that a sidecar can hold, and those of them whose contents may differ although both images have
# them.
SIDECAR_BLOCKS = frozenset({"taken", "gps", "xmp", "iptc"})
TEXT_BLOCKS = frozenset({"xmp", "iptc"})
# An image with this share of another's pixels is as large: criterion `resolution` has the same limit.
SAME_SIZE = 0.97
ACTIONS = {Choice.TRASH: Action.TRASH, Choice.MOVE: Action.MOVE, Choice.LINK: Action.LINK}

# The images that leave their folder, by folder and name.
Going = dict[bytes, dict[bytes, Choice]]


class Companions(StrEnum):
    """What happens to the companions of an image that is trashed or moved (`sort.companions`)."""

    MATCHED = "matched"
    TOGETHER = "together"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The settings of a plan."""

    destinations: Mapping[str, bytes]
    companions: Companions = Companions.MATCHED
    settle_s: float = 3.0
    carries_metadata: bool = False


@dataclass(frozen=True, slots=True)
class CompanionStep:
    """A companion file: its step, and its twin, the file next to the keeper that must have the same bytes.

    A companion follows all images that it belongs to (`owners`, paths), and takes its name from one of them, or from
    another name of that one (`leader`, a path). For other files these are empty.
    """

    step: Step
    twin: bytes | None = None
    leader: bytes = b""
    owners: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """The plan for one image: its step, planned or refused; for each of its groups the files that may be its keeper,
    the best first; and its companions."""

    step: Step
    keepers: tuple[tuple[GroupFile, ...], ...] = ()
    companions: tuple[CompanionStep, ...] = field(default=())
    file: GroupFile | None = None

    @property
    def steps(self) -> list[Step]:
        return [self.step, *(companion.step for companion in self.companions)]


class Planner:
    """Plans groups from the index. Used by one thread."""

    def __init__(self, folders: ManagedFolders, options: PlanOptions, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._managed_folders = folders
        self._options = options
        self._now_ns = now_ns
        self._folders: dict[bytes, Folder] = {}
        self._pictures: dict[bytes, bool] = {}
        self._open = OpenFolders()

    def refresh(self) -> None:
        """Drop what was read from the disk."""
        self._folders = {}
        self._pictures = {}

    def plan(self, groups: Sequence[SortGroup], content_ids: Collection[int]) -> list[PlannedFile]:
        """A planned file for every file with one of these contents that has a decision other than to keep it, sorted by
        path. Every group of these contents must be among `groups`."""
        victims: dict[tuple[int, int], GroupFile] = {}
        groups_of: dict[tuple[int, int], list[SortGroup]] = defaultdict(list)
        for group in groups:
            for file in group.files:
                groups_of[file.inode].append(group)
                if not file.stays:
                    victims.setdefault(file.inode, file)
        going: Going = defaultdict(dict)
        for file in victims.values():
            if file.choice is not None and file.choice is not Choice.LINK:
                for path in (file.path, *file.also_at):
                    folder, name = split_path(path)
                    going[folder][name] = file.choice
        wanted = (file for file in victims.values() if file.content_id in content_ids)
        ordered = sorted(wanted, key=lambda file: file.path)
        try:
            return without_shared([self._planned_file(file, groups_of[file.inode], going) for file in ordered])
        finally:
            self._open.close()

    def plan_lost(self, decisions: Iterable[LostDecision]) -> list[PlannedFile]:
        """Refused steps for decisions that can no longer be applied."""
        codes = {"changed": "step.picture_changed", "no_group": "step.no_group"}
        refused = []
        for decision in decisions:
            step = Step(ACTIONS[decision.choice], decision.path, decision.identity, image_id=decision.image_id)
            refused.append(PlannedFile(_refused(step, StepRefused(decision.reason, codes[decision.reason]))))
        return refused

    def _planned_file(self, file: GroupFile, groups: Sequence[SortGroup], going: Going) -> PlannedFile:
        assert file.choice is not None
        action, group_key = ACTIONS[file.choice], groups[0].key
        keeper = target = b""

        def step(freed: int = 0, made: Identity | None = None) -> Step:
            return Step(
                action, file.path, file.identity, file.digest, target=target, keeper=keeper, image_id=file.image_id,
                group_key=group_key, made=made, bytes=freed,
            )  # fmt: skip

        try:
            status = self._check(file)
            keepers = tuple([self._keepers(file, group) for group in groups])
            check_keepers(file, [keeper for candidates in keepers for keeper in candidates])
            keeper = keepers[0][0].path
            names = self._other_names(file, status)
            if file.choice is Choice.LINK:
                # A link frees the bytes of a file only if it has no other name.
                freed = status.st_size if status.st_nlink == 1 else 0
                kept = self._exact_keeper(file, keepers)
                keeper = kept.path
                return PlannedFile(step(freed, kept.identity), ((kept,), *keepers))
            if file.choice is Choice.MOVE:
                target = self._target(file)
            freed = status.st_size if status.st_nlink == 1 + len(names) and file.choice is Choice.TRASH else 0
            own = step(freed)
            companions = [
                CompanionStep(replace(own, path=name, bytes=0, target=self._companion_target(own, name)))
                for name in names
            ]
            for path in (file.path, *names):
                companions += self._companions(own, path, keepers[0][0], going)
            companions += self._sidecar(own, file, keepers[0][0])
            return PlannedFile(own, keepers, tuple(companions), file)
        except StepRefused as refusal:
            return PlannedFile(_refused(step(), refusal))

    def _check(self, file: GroupFile) -> os.stat_result:
        """The file's status. Raises StepRefused if it must not be touched, or has changed."""
        if not file.online:
            raise StepRefused("offline", "step.offline")
        status = self._status(file.path)
        is_file = not isinstance(status, StepRefused)
        for path in (file.path, *file.also_at):
            if (protection := self._managed_folders.protection_of(path, is_file and path == file.path)) is not None:
                raise StepRefused("protected", protection.message)
            if file.protected:
                raise StepRefused("protected", "step.protected", path=display(os.path.dirname(path)))
        if isinstance(status, StepRefused):
            raise status
        if Identity.of(status) != file.identity:
            raise StepRefused("changed", "step.changed_since_indexed")
        if 0 <= self._now_ns() - status.st_mtime_ns < self._options.settle_s * 1e9:
            raise StepRefused("settling", "step.settling")
        return status

    def _status(self, path: bytes) -> os.stat_result | StepRefused:
        """The status of a file that can be read, or why it cannot be read."""
        try:
            return self._open.status_of(self._managed_folders.file_ref(path))
        except (FileNotFoundError, NotADirectoryError):
            return StepRefused("gone", "step.gone")
        except OSError as error:
            return StepRefused("unreadable", "step.unreadable", error=of_os_error(error))

    def _keepers(self, file: GroupFile, group: SortGroup) -> tuple[GroupFile, ...]:
        """The files of a group that stay and exist, those to rely on and decided to be kept first. Raises
        StepRefused."""
        inode = file.inode
        keepers = [
            other
            for other in group.files
            if other.stays
            and other.readable
            and other.online
            and other.inode != inode
            # The same file has another device when a stacked file system shows it.
            and not self._managed_folders.is_same_entry(other.path, file.path)
            and self._is_there(other)
        ]
        if not keepers:
            raise StepRefused("no_keeper", "step.no_keeper")
        exact = file.choice is Choice.LINK
        if len(keepers) == 1:
            return (keepers[0],)
        return tuple(
            sorted(
                keepers,
                key=lambda keeper: (
                    exact and keeper.digest != file.digest,
                    not may_rely_on(file, keeper),
                    keeper.choice is not Choice.KEEP,
                ),
            )
        )

    def _is_there(self, file: GroupFile) -> bool:
        try:
            return self._open.identity_at(self._managed_folders.file_ref(file.path)) == file.identity
        except OSError:
            return False

    def _exact_keeper(self, file: GroupFile, keepers: Sequence[Sequence[GroupFile]]) -> GroupFile:
        equal = [other for candidates in keepers for other in candidates if other.digest == file.digest]
        if not equal:
            raise StepRefused("not_exact", "step.not_exact")
        file_ref = self._managed_folders.file_ref(file.path)
        for other in equal:
            try:
                # Writing to one name would change the other: a protected file must not get a second name.
                if other.protected or self._managed_folders.protection_of(other.path) is not None:
                    continue
                if safe_files.can_rename(file_ref, self._managed_folders.file_ref(other.path)):
                    return other
            except OSError:
                continue
        raise StepRefused("other_file_system", "step.other_file_system")

    def _other_names(self, file: GroupFile, status: os.stat_result) -> list[bytes]:
        """The other names of the file in watched folders; an alias of the same name does not count."""
        if status.st_nlink == 1:
            return []
        names: list[bytes] = []
        for path in file.also_at:
            if not any(self._managed_folders.is_same_entry(path, known) for known in (file.path, *names)):
                names.append(path)
        return names

    def _target(self, file: GroupFile) -> bytes:
        folder = self._options.destinations.get(file.destination)
        if folder is None:
            raise StepRefused("no_destination", "step.no_destination", name=file.destination)
        if is_in_trash(folder) or not os.path.isdir(folder):
            raise StepRefused(
                "no_destination", "step.no_destination_folder", path=display(folder), name=file.destination
            )
        if (protection := self._managed_folders.protection_of(os.path.join(folder, b"-"))) is not None:
            raise StepRefused(
                "protected", "step.protected_destination", name=file.destination, problem=protection.message
            )
        return os.path.join(folder, os.path.basename(file.path))

    # Companions

    def _companions(self, step: Step, of: bytes, keeper: GroupFile, going: Going) -> list[CompanionStep]:
        """The companions of the image at a path that belong to no image that stays, RAW and video before the sidecars
        that may be theirs. If one of several images of a companion is moved, the companion follows that one. Raises
        StepRefused if a companion would be left without its image."""
        folder, name = split_path(of)
        names, fold = self._names_near(folder, name), self._folder(folder).fold
        if not (companions := companions_of(name, names, fold)):
            return []
        leaving = going[folder]
        pictures = {
            name,
            *(other for other in names if other in leaving or self._is_picture(os.path.join(folder, other))),
        }
        companion_steps = []
        for companion in companions:
            images = images_behind(companion.name, pictures, fold)
            movers = [other for other in images if leaving.get(other) is Choice.MOVE]
            if not all(other in leaving for other in images) or name != max(movers or images):
                continue
            path = os.path.join(folder, companion.name)
            identity = self._open.identity_at(self._managed_folders.file_ref(path))
            if identity is None:
                continue
            twin = None
            shown = display(companion.name)
            if self._options.companions is Companions.BLOCK:
                raise StepRefused("companion", "step.companion_left", name=shown)
            if self._options.companions is Companions.MATCHED and companion.bond is not Bond.SIDECAR:
                twin = self._twin(path, identity, keeper.path) if step.action is Action.TRASH else None
                if twin is None and step.action is Action.TRASH:
                    raise StepRefused("companion", "step.no_such_companion", name=shown)
            companion_step = replace(
                step, path=path, identity=identity, digest=b"", image_id=None, bytes=identity.size_bytes,
                target=self._companion_target(step, path),
            )  # fmt: skip
            owners = tuple(os.path.join(folder, other) for other in images)
            companion_steps.append(CompanionStep(companion_step, twin, of, owners))
        return sorted(companion_steps, key=lambda companion_step: bond_of(companion_step.step.path) is Bond.SIDECAR)

    def _sidecar(self, step: Step, file: GroupFile, keeper: GroupFile) -> list[CompanionStep]:
        """A step that adds the metadata of the removed image to the keeper's sidecar: a new one, or one that replaces
        the existing one. Which of these it is, and whether there is anything to add, is found out when the files are
        read."""
        if not self._options.carries_metadata or step.action is not Action.TRASH or keeper.protected:
            return []
        if self._managed_folders.protection_of(keeper.path) is not None:
            return []
        says = (file.metadata - keeper.metadata) & SIDECAR_BLOCKS or file.metadata & TEXT_BLOCKS
        if not says and not self._sidecars_of(file.path):
            return []
        made = Step(
            Action.CREATE, keeper.path, Identity(keeper.identity.device, 0, 0, 0), target=keeper.path + b".xmp",
            keeper=file.path, group_key=step.group_key,
        )  # fmt: skip
        return [CompanionStep(made)]

    def sidecars_of(self, path: bytes) -> list[bytes]:
        """The paths of the sidecars that describe an image."""
        try:
            return self._sidecars_of(path)
        finally:
            self._open.close()

    def own_sidecar_of(self, path: bytes) -> bytes | None:
        """The path of the XMP sidecar that describes an image and no other; None if there is none. That of a version
        (`a_01.jpg.xmp`) does not count: programs other than darktable do not read it."""
        folder, name = split_path(path)
        try:
            near, fold = self._names_near(folder, name), self._folder(folder).fold
            pictures = [other for other in near if self._is_picture(os.path.join(folder, other))]
            # The ending may be in capitals, on a disk that distinguishes them as well.
            sidecars = {
                fold(os.path.basename(sidecar)[: -len(XMP_ENDING)]): sidecar
                for sidecar in self._sidecars_of(path)
                if sidecar.lower().endswith(XMP_ENDING)
            }
            for own in (name, stem_of(name)):
                sidecar = sidecars.get(fold(own))
                if sidecar and _describes_only(os.path.basename(sidecar), name, pictures, fold):
                    return sidecar
            return None
        finally:
            self._open.close()

    def _sidecars_of(self, path: bytes) -> list[bytes]:
        folder, name = split_path(path)
        near, fold = self._names_near(folder, name), self._folder(folder).fold
        return [os.path.join(folder, other) for other in describing(name, companions_of(name, near, fold), fold)]

    def twin(self, path: bytes, identity: Identity, keeper: bytes) -> bytes | None:
        """The path of a file next to the keeper that may have the same bytes as a companion."""
        try:
            return self._twin(path, identity, keeper)
        finally:
            self._open.close()

    def _twin(self, path: bytes, identity: Identity, keeper: bytes) -> bytes | None:
        folder, name = split_path(keeper)
        twin = twin_of(os.path.basename(path), name, self._names_near(folder, name))
        if twin is None:
            return None
        there = self._open.identity_at(self._managed_folders.file_ref(os.path.join(folder, twin)))
        if there is None or there.size_bytes != identity.size_bytes or there.inode == identity.inode:
            return None
        return os.path.join(folder, twin)

    def needs_twin(self, companion: Step) -> bool:
        """Whether a companion may be trashed only if the keeper has the same file."""
        bond = bond_of(os.path.basename(companion.path))
        matched = self._options.companions is Companions.MATCHED
        return matched and companion.action is Action.TRASH and bond is not Bond.SIDECAR

    def _companion_target(self, step: Step, path: bytes) -> bytes:
        """The target of a companion."""
        return os.path.join(os.path.dirname(step.target), os.path.basename(path)) if step.target else b""

    def _folder(self, folder: bytes) -> Folder:
        """The names in a folder, read once; none if it cannot be read."""
        if folder not in self._folders:
            self._folders[folder] = Folder()
            with contextlib.suppress(OSError):
                self._folders[folder] = Folder.of(
                    self._managed_folders.file_ref(os.path.join(folder, b".")), self._open
                )
        return self._folders[folder]

    def _is_picture(self, path: bytes) -> bool:
        """Whether a file is an image, a RAW or a video, checked once."""
        if path not in self._pictures:
            self._pictures[path] = is_picture(self._managed_folders.file_ref(path))
        return self._pictures[path]

    def _names_near(self, folder: bytes, name: bytes) -> list[bytes]:
        """The names in a folder that have the same stem as a name, the name itself, or the name of a RAW or video of
        it; empty if nothing in the folder can belong to it."""
        if not self._folder(folder).may_have_companion_of(name):
            return []
        names = self._folder(folder).related(name)
        others = [other for other in names if bond_of(other) in (Bond.RAW, Bond.FILM)]
        return self._folder(folder).related(name, *others) if others else names


def _describes_only(sidecar: bytes, name: bytes, pictures: Sequence[bytes], fold: Fold) -> bool:
    """Whether a sidecar belongs to this image and to no other. A RAW file without a JPEG is an image itself."""
    return [name] in (images_behind(sidecar, pictures, fold), owners_of(sidecar, pictures, fold))


def may_rely_on(file: GroupFile, keeper: GroupFile) -> bool:
    """Whether a file may be trashed since this one stays: it has the same bytes, or it is the one that was to stay
    when that was decided, also with edited metadata, or it was there then and has as many pixels."""
    return (
        not file.kept_digest
        or keeper.digest in (file.digest, file.kept_digest)
        or (keeper.look != b"" and (keeper.look, keeper.pixels) == file.kept_look)
        or (keeper.indexed_ns <= file.decided_ns and keeper.pixels >= SAME_SIZE * file.pixels)
    )


def check_keepers(file: GroupFile, keepers: Iterable[GroupFile]) -> None:
    """Raises StepRefused if a file would be trashed in favour of images that came later or are smaller, since the image
    that was to stay no longer exists or has changed."""
    if file.choice is Choice.TRASH and not any(may_rely_on(file, keeper) for keeper in keepers):
        raise StepRefused("keeper_changed", "step.keeper_gone_since")


def in_order(planned_files: Iterable[PlannedFile]) -> list[Step]:
    """The steps of planned files: images of one stem in a row, each followed by its companions, and shared companions
    after the last of their images. `companion_of` is the position of the leader, counted from 1."""
    steps: list[Step] = []
    placed = sorted(((_place(planned_file), planned_file) for planned_file in planned_files), key=itemgetter(0))
    for _, same_stem in itertools.groupby(placed, key=lambda pair: pair[0][:2]):
        together = [planned_file for _, planned_file in same_stem]
        places: dict[bytes, int] = {}
        shared = [companion for planned_file in together for companion in planned_file.companions if companion.owners]
        for planned_file in together:
            steps.append(planned_file.step)
            places[planned_file.step.path] = first = len(steps)
            for companion in planned_file.companions:
                if not companion.owners:
                    steps.append(replace(companion.step, companion_of=first))
                    places.setdefault(companion.step.path, len(steps))
            last = planned_file is together[-1]
            for companion in [companion for companion in shared if last or places.keys() >= set(companion.owners)]:
                shared.remove(companion)
                steps.append(replace(companion.step, companion_of=places[companion.leader]))
    return steps


def _place(planned_file: PlannedFile) -> tuple[bytes, bytes, bytes]:
    folder, name = split_path(planned_file.step.path)
    return folder, case_blind(stem_of(name)), name


def without_shared(planned_files: Sequence[PlannedFile]) -> list[PlannedFile]:
    """Planned files without the companions that belong to an image that stays because its step is refused."""
    staying = {planned_file.step.path for planned_file in planned_files if planned_file.step.state is StepState.REFUSED}
    return [
        replace(planned_file, companions=left)
        if len(left := tuple(c for c in planned_file.companions if staying.isdisjoint(c.owners)))
        < len(planned_file.companions)
        else planned_file
        for planned_file in planned_files
    ]


def _refused(step: Step, refusal: StepRefused) -> Step:
    return replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message, bytes=0)
