"""Adds the metadata of removed images to the sidecar of the kept image (`sort.carry_metadata`).

Each removed image has a step for it. The last such step in a chunk carries the metadata of all of them. No picture is
changed: a new sidecar gets its name, or replaces the existing one, which goes to the trash.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from daemon.files import safe_files
from daemon.files.protected_paths import ManagedFolders
from daemon.jobs.journal import temp_of
from daemon.jobs.sort_plan import Planner
from daemon.processes.decode_task import PictureTask
from daemon.processes.description_task import Described, SidecarFile, United, UniteTask, unite
from daemon.processes.worker_pool import WorkerPool
from index.database.queries import file_pictures
from index.database.records import batches
from index.database.records.batches import Action, Step, StepState
from index.database.store import Store
from index.errors import StepRefused
from index.imaging.decoding.pictures import Limits
from index.imaging.decoding.pictures import digest as pictures_digest
from index.messages import of_os_error
from index.model import Identity

# The kind of the steps of a sort that are about neither an image nor one of its companions.
CARRYING: Final = frozenset({Action.CREATE, Action.REPLACE})


@dataclass(frozen=True, slots=True)
class Kept:
    """The image that is kept, by its path and digest."""

    path: bytes
    digest: bytes


class MetadataCarrier:
    """Prepares the steps that carry metadata, for the chunk of steps that they are in."""

    def __init__(
        self, store: Store, pool: WorkerPool, limits: Limits, folders: ManagedFolders, planner: Planner
    ) -> None:
        self._store = store
        self._pool = pool
        self._limits = limits
        self._folders = folders
        self._planner = planner

    def prepare(self, carrying: Sequence[tuple[Step, Step]], kept: Mapping[int, Kept]) -> Iterable[Step]:
        """The steps, ready or refused, each with that of its image. `kept` maps the id of the image's step to the
        keeper. The metadata of an image whose step is refused is not carried."""
        by_keeper: dict[Kept, list[tuple[Step, Step]]] = defaultdict(list)
        for step, image in carrying:
            by_keeper[kept[image.id]].append((step, image))
        for keeper, steps in by_keeper.items():
            for step, _ in steps[:-1]:
                yield _refused(step, StepRefused("nothing_to_add", "step.added_with_another"))
            yield self._united(steps[-1][0], keeper, [self._going(image.path, image.digest) for _, image in steps])

    def resume(self, step: Step, image: Step) -> Step | None:
        """The step for images that were removed before a crash: their metadata is read from the trash. None if the
        keeper is no longer known."""
        with self._store.read() as database:
            digest = file_pictures.digests_at(database, [image.keeper]).get(image.keeper)
            started = batches.steps_of(database, step.batch_id, (StepState.DONE, StepState.PLANNED))
        if digest is None:
            return None
        trashed = [other for other in started if other.action is Action.TRASH]
        sidecars: dict[int, list[SidecarFile]] = defaultdict(list)
        for other in trashed:
            if other.companion_of is not None:
                # An image that was not removed yet is at its old path.
                place = other.trash if other.state is StepState.DONE else other.path
                sidecars[other.companion_of].append(self._file(place, os.path.basename(other.path)))
        going = [
            Described(
                PictureTask(other.trash, self._folders.file_ref(other.trash).top, other.digest, self._limits),
                os.path.basename(other.path),
                tuple(sidecars[other.id]),
            )
            for other in trashed
            if other.companion_of is None and other.state is StepState.DONE and other.keeper == image.keeper
        ]
        return self._united(step, Kept(image.keeper, digest), going)

    def _going(self, path: bytes, digest: bytes) -> Described:
        task = PictureTask(path, self._folders.file_ref(path).top, digest, self._limits)
        sidecars = tuple(self._file(sidecar) for sidecar in self._planner.sidecars_of(path))
        return Described(task, os.path.basename(path), sidecars)

    def _file(self, path: bytes, name: bytes = b"") -> SidecarFile:
        return SidecarFile(path, self._folders.file_ref(path).top, name)

    def _united(self, step: Step, keeper: Kept, going: Sequence[Described]) -> Step:
        """One step for all metadata; refused if there is nothing to carry or it cannot be written. The images are
        removed in any case, and their metadata returns with them."""
        try:
            there = self._planner.own_sidecar_of(keeper.path)
            target = keeper.path + b".xmp"
            if there is None and safe_files.identity_at(self._folders.file_ref(target)) is not None:
                raise StepRefused("name_taken", "step.keeper_has_sidecar")
            task = UniteTask(
                self._going(keeper.path, keeper.digest), tuple(going), None if there is None else self._file(there)
            )
            united = self._read(task)
            if united is None:
                raise StepRefused("nothing_to_add", "step.nothing_to_add")
            if united.identity is None or there is None:
                made = replace(step, action=Action.CREATE, path=keeper.path, target=target)
                identity = self._write(made, united, keeper.path)
                return replace(made, identity=identity, digest=pictures_digest(united.data), bytes=0)
            made = replace(step, action=Action.REPLACE, path=there, target=b"")
            return replace(
                made,
                identity=united.identity,
                digest=united.digest,
                made=self._write(made, united, there),
                made_digest=pictures_digest(united.data),
                bytes=0,
            )
        except StepRefused as refusal:
            return _refused(step, refusal)
        except OSError as error:
            return _refused(step, StepRefused("failed", "step.sidecar_unwritable", error=of_os_error(error)))

    def _read(self, task: UniteTask) -> United | None:
        """Raises StepRefused."""
        (outcome,) = self._pool.run(unite, [task])
        if outcome.failure is not None:
            raise StepRefused("unreadable", outcome.failure.message)
        return outcome.value

    def _write(self, made: Step, united: United, like: bytes) -> Identity:
        with self._store.read() as database:
            name = batches.batch(database, made.batch_id).name
        with safe_files.opened_file(self._folders.file_ref(like)) as descriptor:
            return safe_files.write_new(united.data, descriptor, self._folders.file_ref(temp_of(name, made)))


def _refused(step: Step, refusal: StepRefused) -> Step:
    return replace(step, state=StepState.REFUSED, reason=refusal.reason, message=refusal.message, bytes=0)
