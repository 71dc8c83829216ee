"""What the sort job would do with the files as they are now: a step for every image that is decided to go, or why not.

Looks at names, sizes and times, and reads no file: the bytes are looked at by daemon.jobs.sort, just before it acts.
"""

import contextlib
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from daemon.files import safe_files
from daemon.files.beside import Folder, is_picture
from daemon.files.grounds import Grounds
from index.errors import StepRefused
from index.images.companions import Bond, bond_of, case_blind, companions_of, images_behind, stem_of, twin_of
from index.images.trash_places import is_in_trash
from index.model import Choice, Identity
from index.queries.group_files import GroupFile, Lost, SortGroup
from index.records.batches import Action, Step, StepState

# Blocks of metadata that tell what a sidecar can, and those of them that may tell more though both have them.
TELLING = frozenset({"taken", "gps", "xmp", "iptc"})
WORDS = frozenset({"xmp", "iptc"})
ACTIONS = {Choice.TRASH: Action.TRASH, Choice.MOVE: Action.MOVE, Choice.LINK: Action.LINK}

# The images that leave their folder, by folder and name.
Going = dict[bytes, dict[bytes, Choice]]


class Companions(StrEnum):
    """What becomes of the files beside an image that goes (`sort.companions`)."""

    MATCHED = "matched"
    TOGETHER = "together"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan is made under."""

    destinations: Mapping[str, bytes]
    companions: Companions = Companions.MATCHED
    settle_s: float = 3.0
    carries_metadata: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """A file that goes with an image: its step, and the file beside the keeper that must have its bytes, if any.

    A companion goes after all images that it belongs to (`owners`, paths), and takes its name from one of them, or from
    another name of that one (`leader`, a path); for other files these are empty.
    """

    step: Step
    twin: bytes | None = None
    leader: bytes = b""
    owners: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to become of one image: its step, planned or refused; for each of its groups the files that may be its
    keeper, the best first; and what goes with it."""

    step: Step
    keepers: tuple[tuple[GroupFile, ...], ...] = ()
    beside: tuple[Beside, ...] = field(default=())

    @property
    def steps(self) -> list[Step]:
        return [self.step, *(one.step for one in self.beside)]


class Planner:
    """Makes intents of groups as the index tells them. Used by one thread."""

    def __init__(self, grounds: Grounds, terms: Terms, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._grounds = grounds
        self._terms = terms
        self._now_ns = now_ns
        self._folders: dict[bytes, Folder] = {}
        self._pictures: dict[bytes, bool] = {}
        self._sidecars: set[bytes] = set()

    def look_again(self) -> None:
        """Forget what was seen of the disk."""
        self._folders = {}
        self._pictures = {}

    def plan(self, groups: Sequence[SortGroup], content_ids: Collection[int]) -> list[Intent]:
        """An intent for every file with one of these contents that is decided to go, by path. Every group of these
        contents must be among `groups`."""
        self._sidecars = set()
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
                    folder, name = os.path.split(path)
                    going[folder][name] = file.choice
        concerned = (file for file in victims.values() if file.content_id in content_ids)
        ordered = sorted(concerned, key=lambda file: file.path)
        return without_shared([self._intent(file, groups_of[file.inode], going) for file in ordered])

    def lost(self, decisions: Iterable[Lost]) -> list[Intent]:
        """Refused intents for decisions that nothing can come of."""
        words = {
            "changed": "The picture was changed since it was decided about.",
            "no_group": "It is in no group of duplicates any more.",
        }
        found = []
        for one in decisions:
            step = Step(ACTIONS[one.choice], one.path, one.identity, image_id=one.image_id)
            found.append(Intent(_refused(step, StepRefused(one.reason, words[one.reason]))))
        return found

    def _intent(self, file: GroupFile, groups: Sequence[SortGroup], going: Going) -> Intent:
        assert file.choice is not None
        step = Step(
            ACTIONS[file.choice], file.path, file.identity, file.digest, image_id=file.image_id,
            group_key=groups[0].key,
        )  # fmt: skip
        try:
            status = self._look_at(file)
            keepers = tuple(self._keepers(file, group) for group in groups)
            step = replace(step, keeper=keepers[0][0].path)
            names = self._other_names(file, status)
            if file.choice is Choice.MOVE:
                step = replace(step, target=self._target(file))
            elif file.choice is Choice.LINK:
                # The bytes are one file's afterwards: what has other names goes on to be there.
                freed = status.st_size if status.st_nlink == 1 else 0
                kept = self._exact_keeper(file, keepers)
                linked = replace(step, keeper=kept.path, made=kept.identity, bytes=freed)
                return Intent(linked, ((kept,), *keepers))
            freed = status.st_size if status.st_nlink == 1 + len(names) and file.choice is Choice.TRASH else 0
            step = replace(step, bytes=freed)
            beside = [Beside(replace(step, path=name, bytes=0, target=self._beside(step, name))) for name in names]
            for path in (file.path, *names):
                beside += self._companions(step, path, keepers[0][0], going)
            beside += self._sidecar(step, file, keepers[0][0])
            return Intent(step, keepers, tuple(beside))
        except StepRefused as refusal:
            return Intent(_refused(step, refusal))

    def _look_at(self, file: GroupFile) -> os.stat_result:
        """The file's status. Raises StepRefused where it may not be touched, or is not what it was."""
        if not file.online:
            raise StepRefused("offline", "Its folder is offline.")
        for path in (file.path, *file.also_at):
            if (protection := self._grounds.protection_of(path)) is not None:
                raise StepRefused("protected", protection.sentence)
            if file.protected:
                raise StepRefused("protected", f"It is in the protected folder {_shown(os.path.dirname(path))}.")
        spot = self._grounds.spot(file.path)
        try:
            with safe_files.opened_file(spot) as descriptor:
                status = os.fstat(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise StepRefused("gone", "The file is not there any more.") from None
        except OSError as error:
            raise StepRefused("unreadable", f"The file cannot be read: {error.strerror}.") from None
        if Identity.of(status) != file.identity:
            raise StepRefused("changed", "The file was changed since it was indexed.")
        if 0 <= self._now_ns() - status.st_mtime_ns < self._terms.settle_s * 1e9:
            raise StepRefused("settling", "The file was changed a moment ago and may still be written.")
        return status

    def _keepers(self, file: GroupFile, group: SortGroup) -> tuple[GroupFile, ...]:
        """The files of a group that stay and are there, those decided to be kept first. Raises StepRefused."""
        found = [
            other
            for other in group.files
            if other.stays and other.readable and other.online and other.inode != file.inode and self._is_there(other)
            # A file and what a stacked file system shows of it differ in their devices.
            and not self._grounds.is_same_entry(other.path, file.path)
        ]
        if not found:
            raise StepRefused("no_keeper", "No other image of its group stays and can be read.")
        exact = file.choice is Choice.LINK
        return tuple(
            sorted(found, key=lambda one: (exact and one.digest != file.digest, one.choice is not Choice.KEEP))
        )

    def _is_there(self, file: GroupFile) -> bool:
        try:
            return safe_files.identity_at(self._grounds.spot(file.path)) == file.identity
        except OSError:
            return False

    def _exact_keeper(self, file: GroupFile, keepers: Sequence[Sequence[GroupFile]]) -> GroupFile:
        equal = [other for of_group in keepers for other in of_group if other.digest == file.digest]
        if not equal:
            raise StepRefused("not_exact", "No image that stays has the same bytes.")
        spot = self._grounds.spot(file.path)
        for other in equal:
            try:
                # Writing to one name would change the other: what protects a file is not to be had by a second name.
                if other.protected or self._grounds.protection_of(other.path) is not None:
                    continue
                if safe_files.can_rename(spot, self._grounds.spot(other.path)):
                    return other
            except OSError:
                continue
        raise StepRefused(
            "other_file_system", "The images with the same bytes are on another file system, or protected."
        )

    def _other_names(self, file: GroupFile, status: os.stat_result) -> list[bytes]:
        """The other names of the file in watched folders; the same name reached by another way is none."""
        if status.st_nlink == 1:
            return []
        names: list[bytes] = []
        for path in file.also_at:
            if not any(self._grounds.is_same_entry(path, known) for known in (file.path, *names)):
                names.append(path)
        return names

    def _target(self, file: GroupFile) -> bytes:
        folder = self._terms.destinations.get(file.destination)
        if folder is None:
            raise StepRefused("no_destination", f"There is no destination {file.destination!r} any more.")
        if is_in_trash(folder) or not os.path.isdir(folder):
            raise StepRefused("no_destination", f"The folder {_shown(folder)} of {file.destination} is not there.")
        if (protection := self._grounds.protection_of(os.path.join(folder, b"-"))) is not None:
            raise StepRefused("protected", f"The destination {file.destination}: {protection.sentence}")
        return os.path.join(folder, os.path.basename(file.path))

    # What is beside it

    def _companions(self, step: Step, of: bytes, keeper: GroupFile, going: Going) -> list[Beside]:
        """What goes with an image that is at a path: the companions that no staying image has a part in, RAW and film
        before the sidecars that may be theirs. What several images share follows one that is moved, if there is one,
        so that it stays with it. Raises StepRefused where something would be left alone, or lost sight of."""
        folder, name = os.path.split(of)
        names, fold = self._names_near(folder, name), self._folder(folder).fold
        companions = companions_of(name, names, fold)
        if not companions:
            return []
        leaving = going[folder]
        pictures = {name, *(one for one in names if one in leaving or self._is_picture(os.path.join(folder, one)))}
        found = []
        for companion in companions:
            images = images_behind(companion.name, pictures, fold)
            movers = [one for one in images if leaving.get(one) is Choice.MOVE]
            if not all(one in leaving for one in images) or name != max(movers or images):
                continue
            path = os.path.join(folder, companion.name)
            identity = safe_files.identity_at(self._grounds.spot(path))
            if identity is None:
                continue
            twin = None
            shown = _shown(companion.name)
            if self._terms.companions is Companions.BLOCK:
                raise StepRefused("companion", f"{shown} beside it would be left alone.")
            if self._terms.companions is Companions.MATCHED and companion.bond is not Bond.SIDECAR:
                twin = self.twin(path, identity, keeper.path) if step.action is Action.TRASH else None
                if twin is None and step.action is Action.TRASH:
                    raise StepRefused("companion", f"{shown} belongs to it, and the image to keep has no such file.")
            beside = replace(
                step, path=path, identity=identity, digest=b"", image_id=None, bytes=identity.size_bytes,
                target=self._beside(step, path),
            )  # fmt: skip
            owners = tuple(os.path.join(folder, one) for one in images)
            found.append(Beside(beside, twin, of, owners))
        return sorted(found, key=lambda one: bond_of(one.step.path) is Bond.SIDECAR)

    def _sidecar(self, step: Step, file: GroupFile, keeper: GroupFile) -> list[Beside]:
        """The sidecar that is to tell of the keeper what only the image that goes does; none where there is one."""
        if not self._terms.carries_metadata or step.action is not Action.TRASH or keeper.protected:
            return []
        if self._grounds.protection_of(keeper.path) is not None:
            return []
        if not (file.metadata - keeper.metadata) & TELLING and not file.metadata & WORDS:
            return []
        folder, name = os.path.split(keeper.path)
        target = keeper.path + b".xmp"
        if target in self._sidecars or any(
            other.lower().endswith(b".xmp") for other in self._folder(folder).around(name)
        ):
            return []
        self._sidecars.add(target)
        made = Step(
            Action.CREATE, keeper.path, Identity(keeper.identity.device, 0, 0, 0), target=target, keeper=file.path,
            group_key=step.group_key,
        )  # fmt: skip
        return [Beside(made)]

    def twin(self, path: bytes, identity: Identity, keeper: bytes) -> bytes | None:
        """The file beside the image to keep that may have the same bytes as a companion; both by their paths."""
        folder, name = os.path.split(keeper)
        twin = twin_of(os.path.basename(path), name, self._names_near(folder, name))
        if twin is None:
            return None
        there = safe_files.identity_at(self._grounds.spot(os.path.join(folder, twin)))
        if there is None or there.size_bytes != identity.size_bytes or there.inode == identity.inode:
            return None
        return os.path.join(folder, twin)

    def needs_twin(self, companion: Step) -> bool:
        """Whether a companion may go only where the image to keep has the same file."""
        bond = bond_of(os.path.basename(companion.path))
        matched = self._terms.companions is Companions.MATCHED
        return matched and companion.action is Action.TRASH and bond is not Bond.SIDECAR

    def _beside(self, step: Step, path: bytes) -> bytes:
        """Where a file goes that goes with an image."""
        return os.path.join(os.path.dirname(step.target), os.path.basename(path)) if step.target else b""

    def _folder(self, folder: bytes) -> Folder:
        """What a folder holds, looked up once; nothing where it cannot be read."""
        if folder not in self._folders:
            self._folders[folder] = Folder({})
            with contextlib.suppress(OSError):
                self._folders[folder] = Folder.of(self._grounds.spot(os.path.join(folder, b".")))
        return self._folders[folder]

    def _is_picture(self, path: bytes) -> bool:
        """Whether a file is an image, a RAW or a film, looked up once."""
        if path not in self._pictures:
            self._pictures[path] = is_picture(self._grounds.spot(path))
        return self._pictures[path]

    def _names_near(self, folder: bytes, name: bytes) -> list[bytes]:
        """The names in a folder that have the stem of a name, or the name, or a RAW or film of it, for their stem."""
        names = self._folder(folder).around(name)
        return self._folder(folder).around(name, *(one for one in names if bond_of(one) in (Bond.RAW, Bond.FILM)))


def in_order(intents: Iterable[Intent]) -> list[Step]:
    """The steps of intents: images of one stem one after the other, each followed by what goes with it, and what
    several share behind the last of them. `companion_of` is the place of the leader, counted from 1."""
    steps: list[Step] = []
    for _, some in itertools.groupby(sorted(intents, key=_place), key=_same_stem):
        together = list(some)
        places: dict[bytes, int] = {}
        shared = [one for intent in together for one in intent.beside if one.owners]
        for intent in together:
            steps.append(intent.step)
            places[intent.step.path] = first = len(steps)
            for one in intent.beside:
                if not one.owners:
                    steps.append(replace(one.step, companion_of=first))
                    places.setdefault(one.step.path, len(steps))
            last = intent is together[-1]
            for one in [one for one in shared if last or places.keys() >= set(one.owners)]:
                shared.remove(one)
                steps.append(replace(one.step, companion_of=places[one.leader]))
    return steps


def _place(intent: Intent) -> tuple[bytes, bytes, bytes]:
    folder, name = os.path.split(intent.step.path)
    return folder, case_blind(stem_of(name)), name


def _same_stem(intent: Intent) -> tuple[bytes, bytes]:
    return _place(intent)[:2]


def without_shared(intents: Sequence[Intent]) -> list[Intent]:
    """Intents without the companions of which an image stays, since it is refused."""
    staying = {intent.step.path for intent in intents if intent.step.state is StepState.REFUSED}
    return [
        replace(intent, beside=tuple(one for one in intent.beside if staying.isdisjoint(one.owners)))
        for intent in intents
    ]


def _refused(step: Step, refusal: StepRefused) -> Step:
    return replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message, bytes=0)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
