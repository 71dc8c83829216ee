"""The scan job: brings the index to what is on disk, for whole roots or for the paths that the watcher names.

Every way to learn of a change ends here, in one comparison of what is seen with what is known, so that nothing needs a
path of its own: not the first scan, not a dropped file, not what happened while the service was down.
"""

import functools
import logging
import os
import stat
import time
from collections import ChainMap, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from daemon.files.grounds import Grounds
from daemon.jobs import disks
from daemon.jobs.disks import Ground, Seen
from daemon.jobs.progress import Progress
from daemon.processes.decoding import KNOWN_AT_MOST, IndexTask, index_file
from daemon.processes.workers import WorkerPool
from daemon.watching.settle import is_fresh
from index.errors import UsageError
from index.images import descent
from index.images.pictures import Limits
from index.images.reconcile import Plan, offline_reason, reconcile
from index.images.sniff import may_be_image
from index.images.walk import Exclusions, RootUnavailable, Walk, holds_image, is_at_or_below
from index.model import Identity, Reading, RootState
from index.records import catalogue, findings, markers, suspects
from index.records.catalogue import WatchRoot, display
from index.records.jobs import ScanParameters
from index.store import Store

log = logging.getLogger(__name__)

# Work lost by a crash is at most what was decoded in this time.
BATCH_S = 1.0
BATCH = 500
# Written down as being read in one commit: after a crash they are read one by one.
HANDED_OUT = 200
TOLD_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class ScanRoot:
    """A watched root with what to pass over in it."""

    root: WatchRoot
    recursive: bool = True
    exclude: tuple[bytes, ...] = ()

    @property
    def path(self) -> bytes:
        return self.root.path


@dataclass(slots=True)
class Tally:
    """What one scan did, for the job's outcome."""

    files: int = 0
    read: int = 0
    known: int = 0
    linked: int = 0
    moved: int = 0
    missing: int = 0
    unchanged: int = 0
    problems: int = 0
    offline: list[str] = field(default_factory=list)

    def as_outcome(self, groups_changed: int) -> dict[str, Any]:
        return {
            "files": self.files,
            "read": self.read,
            "known": self.known,
            "linked": self.linked,
            "moved": self.moved,
            "missing": self.missing,
            "unchanged": self.unchanged,
            "problems": self.problems,
            "offline": self.offline,
            "groups_changed": groups_changed,
        }


class Scanner:
    """Runs scan jobs. What a change concerns is noted with it; `update_groups` then brings the groups up to date and
    gives how many changed."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        roots: Sequence[ScanRoot],
        limits: Limits,
        update_groups: Callable[[Progress], int],
    ) -> None:
        self._store = store
        self._pool = pool
        # The innermost root rules a path, so the longest comes first.
        self._roots = sorted(roots, key=lambda root: (-len(root.path), root.path))
        self._limits = limits
        self._update_groups = update_groups
        self._tell_fresh: Callable[[Collection[bytes]], None] = lambda paths: None
        self._settle_s = 0.0
        self._tell_trashes: Callable[[Sequence[bytes]], object] = lambda folders: None
        self._keep_strays: Callable[[Collection[bytes]], object] = lambda paths: None

    def report_trashes_to(self, tell: Callable[[Sequence[bytes]], object]) -> None:
        """Name the trash folders that a walk of a whole root passes: the index may not know of them."""
        self._tell_trashes = tell

    def report_strays_to(self, keep: Callable[[Collection[bytes]], object]) -> None:
        """Name what a crash may have left under names of ours, as far as walks of whole roots meet it."""
        self._keep_strays = keep

    def report_fresh_to(self, tell: Callable[[Collection[bytes]], None], settle_s: float) -> None:
        """Name the files that were read less than `settle_s` after they changed: they may still be being written, and
        in a polled root nobody else would notice before the next walk."""
        self._tell_fresh, self._settle_s = tell, settle_s

    def recover(self) -> None:
        """At a start: files that were being read when the service ended are read last from now on, each alone, so that
        the others are indexed whichever of them ends it again."""
        paths = self._store.write(suspects.note_crash)
        if paths:
            told = f"{display(paths[0])} was" if len(paths) == 1 else f"{len(paths)} files were"
            log.warning("%s being read when ComparImg ended", told)

    def run(self, progress: Progress, parameters: ScanParameters) -> Mapping[str, Any]:
        tally = Tally()
        if parameters.paths:
            for root, paths in self._by_root(map(_normal, parameters.paths)).items():
                self._scan(progress, root, paths, tally)
        else:
            for root in self._chosen(parameters.roots):
                self._scan(progress, root, None, tally)
        return tally.as_outcome(self._update_groups(progress))

    def _chosen(self, names: Collection[str]) -> list[ScanRoot]:
        wanted = {os.fsencode(name) for name in names}
        unknown = wanted - {root.path for root in self._roots}
        if unknown:
            raise UsageError(f"{display(min(unknown))} is no watch root.", field="parameters.roots")
        return [root for root in reversed(self._roots) if not wanted or root.path in wanted]

    def _by_root(self, paths: Iterable[bytes]) -> dict[ScanRoot, list[bytes]]:
        found: dict[ScanRoot, list[bytes]] = defaultdict(list)
        for path in paths:
            root = self._root_of(path)
            if root is not None:
                found[root].append(path)
        return found

    def _root_of(self, path: bytes) -> ScanRoot | None:
        return next((r for r in self._roots if is_at_or_below(path, r.path)), None)

    def _scan(self, progress: Progress, root: ScanRoot, paths: Sequence[bytes] | None, tally: Tally) -> None:
        """Compare one root, or some paths in it, with the index and act on the difference."""
        with self._store.read() as database:
            row = next(r for r in catalogue.watched_roots(database) if bytes(r.path) == root.path)
        ground = self._ground(root, row.id)
        try:
            device = os.stat(root.path).st_dev
            seen = disks.look(self._store, ground)
            # What came back under another device number is for a walk of all of it to recognise.
            if paths is None or root.path in paths or row.device not in (None, device) or seen.changed:
                paths = None
                plan, unreadable = self._compare_all(progress, root, row, device, seen)
            else:
                _require_files(root.path)
                plan, unreadable = self._compare_some(progress, root, paths, seen)
            disks.keep(self._store, ground, seen)
        except (OSError, RootUnavailable) as error:
            reason = error.message if isinstance(error, RootUnavailable) else str(error.strerror)
            self._store.write(lambda db: catalogue.set_root_state(db, row.id, RootState.OFFLINE, reason))
            tally.offline.append(display(root.path))
            return
        if row.state != RootState.ONLINE or row.device != device:
            self._store.write(lambda db: catalogue.set_root_state(db, row.id, RootState.ONLINE, device=device))
        tally.files += plan.seen
        tally.moved += len(plan.moved)
        tally.missing += len(plan.missing)
        tally.unchanged += plan.unchanged
        self._apply(progress, root, row.id, plan, unreadable, paths is None, tally)
        disks.carry_over(self._store, row.id)
        if paths is None:
            marked = Grounds.of({}).protection_of(os.path.join(root.path, b"-")) is not None

            def walked(database: Any) -> None:
                findings.concern(database, markers.note(database, row.id, marked))
                catalogue.set_root_walked(database, row.id, time.time_ns())

            self._store.write(walked)

    # What is there

    def _compare_all(
        self, progress: Progress, root: ScanRoot, row: Any, device: int, seen: Seen
    ) -> tuple[Plan, dict[bytes, str]]:
        """The plan for a whole root, and what could not be looked at with the reason."""
        walk = self._walk(root, root.path)
        with self._store.read() as database:
            known = catalogue.known_in_order(database, row.id)
            unknown = ChainMap(walk.unreadable, dict(seen.away))
            plan = reconcile(_told(progress, walk), known, unknown, walk.mounts, *_looks(root))
        reason = offline_reason(plan, walk.is_empty, device, None if seen.is_known else row.device)
        if reason is not None:
            raise RootUnavailable(reason)
        if walk.trashes:
            self._tell_trashes(walk.trashes)
        if walk.strays:
            self._keep_strays(walk.strays)
            self._tell_trashes(walk.trashes)
        return plan, walk.unreadable

    def _compare_some(
        self, progress: Progress, root: ScanRoot, paths: Sequence[bytes], disk: Seen
    ) -> tuple[Plan, dict[bytes, str]]:
        """The same for the files at these paths or, where a path is a folder, below it."""
        seen: dict[bytes, Identity] = {}
        unreadable: dict[bytes, str] = {}
        mounts: dict[bytes, int] = {}
        exclusions = Exclusions(root.path, root.exclude)
        for path in paths:
            try:
                folder, device = descent.standing_folder(root.path, path)
                mounts[folder] = device
                if exclusions.excludes_path(path) or (not root.recursive and folder != root.path):
                    continue
                status = _status(root.path, path)
                if status is None:
                    continue
                if stat.S_ISREG(status.st_mode) and may_be_image(os.path.basename(path)):
                    seen[path] = Identity.of(status)
                elif stat.S_ISDIR(status.st_mode):
                    walk = self._walk(root, path)
                    seen.update(_told(progress, walk))
                    unreadable |= walk.unreadable
                    mounts |= walk.mounts
            except RootUnavailable as error:
                unreadable[path] = error.message
            except OSError as error:
                unreadable[path] = f"cannot be looked at: {error.strerror}"
        known: dict[bytes, Identity] = {}
        with self._store.read() as database:
            for path in paths:
                known |= catalogue.known_below(database, path)
        ours = sorted(file for file in known.items() if self._root_of(file[0]) is root)
        unknown = ChainMap(unreadable, dict(disk.away))
        return reconcile(sorted(seen.items()), ours, unknown, mounts, *_looks(root)), unreadable

    def _walk(self, root: ScanRoot, top: bytes) -> Walk:
        return Walk(top, Exclusions(root.path, root.exclude), root.recursive, self._nested(root), root.path)

    def _nested(self, root: ScanRoot) -> tuple[bytes, ...]:
        return tuple(
            other.path for other in self._roots if is_at_or_below(other.path, root.path) and other is not root
        )

    def _ground(self, root: ScanRoot, root_id: int) -> Ground:
        exclusions = Exclusions(root.path, root.exclude)
        walk = functools.partial(self._walk, root)
        return Ground(root_id, root.path, root.recursive, exclusions, self._nested(root), walk)

    # What to do about it

    def _apply(
        self,
        progress: Progress,
        root: ScanRoot,
        root_id: int,
        plan: Plan,
        unreadable: Mapping[bytes, str],
        whole: bool,
        tally: Tally,
    ) -> None:
        now_ns = time.time_ns()

        def rename_and_forget(database: Any) -> Collection[bytes]:
            # All looked up before the first row changes: two files may have swapped their names.
            linked = {
                path: content_id
                for path, identity in plan.to_read.items()
                if (content_id := catalogue.content_with_identity(database, identity)) is not None
            }
            touched: set[int] = set()
            for old_device, new_device in plan.renumbered.items():
                catalogue.renumber_device(database, root_id, old_device, new_device)
            for path, content_id in linked.items():
                identity = plan.to_read[path]
                touched |= catalogue.link_image(database, root_id, path, identity, content_id, now_ns)
            # A watcher's job may have run since the comparison, and have moved or replaced what it found.
            gone = plan.missing | {move.old: move.identity for move in plan.moved}
            still = catalogue.still_known(database, gone)
            for move in plan.moved:
                if move.old in still:
                    touched |= catalogue.move_image(database, move.old, move.new, root_id)
            touched |= catalogue.forget_images(database, still.intersection(plan.missing))
            catalogue.record_unreadable(database, root_id, unreadable, now_ns, afresh=whole)
            findings.concern(database, touched)
            return linked

        linked = self._store.write(rename_and_forget)
        tally.linked += len(linked)
        to_read = {path: identity for path, identity in plan.to_read.items() if path not in linked}
        fresh = [path for path, identity in to_read.items() if is_fresh(identity, now_ns, self._settle_s)]
        if fresh:
            self._tell_fresh(fresh)
        progress.begin("indexing", len(to_read))
        with self._store.read() as database:
            crashes = suspects.crashes(database)
        suspected = {path: crashes[path] for path in to_read if path in crashes}
        for some in _in_two_passes({path: of for path, of in to_read.items() if path not in suspected}):
            self._read(progress, root, root_id, some, tally)
        for path in sorted(suspected, key=lambda path: (suspected[path], path)):
            if suspected[path] < suspects.CRASHES:
                self._read(progress, root, root_id, {path: to_read[path]}, tally)
            else:
                self._pass_over(progress, root_id, path, to_read[path], tally)

    def _pass_over(self, progress: Progress, root_id: int, path: bytes, identity: Identity, tally: Tally) -> None:
        """Keep a file by whose reading the service ends as a problem, and leave it unread as long as it is the same."""
        words = f"the service ended {suspects.CRASHES} times while it was read; it is left alone until it changes"
        log.error("%s: %s", display(path), words)
        reading = Reading(path, identity, failure="crashed", message=words)

        def keep(database: Any) -> None:
            findings.concern(database, catalogue.record_readings(database, root_id, [reading], time.time_ns()))
            suspects.clear(database, [path])

        self._store.write(keep)
        tally.problems += 1
        progress.advance()

    def _read(
        self,
        progress: Progress,
        root: ScanRoot,
        root_id: int,
        files: Mapping[bytes, Identity],
        tally: Tally,
    ) -> None:
        batch: list[Reading] = []
        being_read: set[bytes] = set()
        written_s = time.monotonic()

        def write() -> None:
            nonlocal written_s
            readings = batch.copy()
            batch.clear()
            written_s = time.monotonic()
            paths = [reading.path for reading in readings]

            def keep(database: Any) -> None:
                findings.concern(database, catalogue.record_readings(database, root_id, readings, time.time_ns()))
                suspects.clear(database, paths)

            if readings:
                self._store.write(keep)
                being_read.difference_update(paths)

        outcomes = self._pool.run(index_file, self._tasks(root, files, being_read))
        try:
            for outcome in outcomes:
                task = outcome.item
                if outcome.failure is not None:
                    failure = outcome.failure
                    reading = Reading(task.path, task.identity, failure=failure.reason, message=failure.message)
                else:
                    assert outcome.value is not None
                    reading = outcome.value
                batch.append(reading)
                tally.problems += bool(reading.failure)
                if reading.facts is None and not reading.failure:
                    tally.known += 1
                else:
                    tally.read += 1
                if len(batch) >= BATCH or time.monotonic() - written_s >= BATCH_S:
                    write()
                progress.advance()
        finally:
            # Also when the job is told to leave off: what was decoded is kept.
            outcomes.close()
            write()
            if being_read:
                self._store.write(lambda db: suspects.leave(db, being_read))

    def _tasks(
        self, root: ScanRoot, files: Mapping[bytes, Identity], being_read: set[bytes]
    ) -> Iterator[IndexTask]:
        """What a worker needs for each file; `being_read` gains those that are written down as being read. That is
        done some files ahead, so that nobody waits for the disk."""

        def note(some: Sequence[tuple[bytes, Identity]]) -> "Future[None]":
            paths = [path for path, _ in some]
            being_read.update(paths)
            return self._store.submit(lambda db: suspects.begin(db, paths))

        chunks = list(catalogue.chunks(files.items(), HANDED_OUT))
        noted = [note(some) for some in chunks[:1]]
        for some, following in zip_longest(chunks, chunks[1:]):
            noted.pop().result()
            if following:
                noted.append(note(following))
            with self._store.read() as database:
                known = catalogue.digests_by_size(database, {identity.size_bytes for _, identity in some})
            for path, identity in some:
                digests = frozenset(sorted(known.get(identity.size_bytes, ()))[:KNOWN_AT_MOST])
                yield IndexTask(path, root.path, identity, digests, self._limits)


def _told(progress: Progress, walk: Walk) -> Iterator[tuple[bytes, Identity]]:
    progress.begin("walking", None)
    for number, file in enumerate(walk, start=1):
        # Told of one by one, the files of an unchanged tree would cost a tenth more.
        if number % TOLD_AT_ONCE == 0:
            progress.advance(TOLD_AT_ONCE)
        yield file


def _normal(path: str) -> bytes:
    """A path as the index writes it: whatever `..` and double slashes are in it, it has one name there."""
    return b"/" + os.path.normpath(os.fsencode(path)).lstrip(b"/")


def _looks(root: ScanRoot) -> tuple[Callable[[bytes], bool], Callable[[bytes], bool]]:
    """What the comparison asks the disk: whether a file is worth reading, and whether a path leads through a link."""
    return functools.partial(holds_image, root.path), descent.link_finder(root.path)


def _status(root: bytes, path: bytes) -> os.stat_result | None:
    """The status of what is at a path, None where nothing is, or a link is on the way. Raises OSError."""
    try:
        return descent.status(root, path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _require_files(root: bytes) -> None:
    """Raises RootUnavailable or OSError: an empty root is a disk that is not mounted, not a deletion of everything."""
    with os.scandir(root) as entries:
        if next(entries, None) is None:
            raise RootUnavailable("is suddenly empty: its images stay in the index until files are back")


def _in_two_passes(files: Mapping[bytes, Identity]) -> Iterator[dict[bytes, Identity]]:
    """First one file of each size, then the others, which may be copies of a first one and then need no decoding."""
    first: dict[int, bytes] = {}
    for path, identity in files.items():
        first.setdefault(identity.size_bytes, path)
    yield {path: files[path] for path in first.values()}
    yield {path: identity for path, identity in files.items() if first[identity.size_bytes] != path}
