"""The scan job: updates the index from the disk, for whole roots or for the paths that the watcher reports.

All detected changes are handled here, by comparing what is on disk with the index. The first scan, a new file and
changes while the service was down need no code of their own. Each root goes through the same stages: list and compare
(scan_comparing), record what needs no reading (scan_recording), read the rest (scan_reading).
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final

from daemon.jobs.disks import DiskContext
from daemon.jobs.progress import Progress
from daemon.jobs.scan_comparing import compare
from daemon.jobs.scan_reading import Reader
from daemon.jobs.scan_recording import record_changes, record_end, record_offline
from daemon.jobs.scan_roots import ScanRoot, ScanRoots
from daemon.processes.worker_pool import WorkerPool
from daemon.watching.debounce import is_fresh
from index.database.records import images, temporary_roots
from index.database.records.images import WatchRoot
from index.database.records.jobs import ScanParameters
from index.database.store import Store
from index.imaging.decoding.pictures import Limits
from index.imaging.discovery.walk import Exclusions, RootUnavailable
from index.messages import of_os_error
from index.paths import display

# How often the scan of a root checks that it is still watched in the same way; each check takes about 1 ms.
ROOTS_CHECKED_EVERY_S: Final = 1.0


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


class _RootChanged(Exception):
    """The scanned root is no longer watched, or in another way."""


class _WhileWatched:
    """The progress of the scan of one root, which raises _RootChanged once that root has changed."""

    def __init__(self, progress: Progress, is_as_before: Callable[[], bool]) -> None:
        self._progress = progress
        self._is_as_before = is_as_before
        self._checked_s = time.monotonic()

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self._progress.begin(phase, total, done)

    def advance(self, steps: int = 1) -> None:
        self._progress.advance(steps)
        self._check()

    def checkpoint(self) -> None:
        self._progress.checkpoint()
        self._check()

    def _check(self) -> None:
        if time.monotonic() - self._checked_s >= ROOTS_CHECKED_EVERY_S:
            self._checked_s = time.monotonic()
            if not self._is_as_before():
                raise _RootChanged


class Scanner:
    """Runs scan jobs. The contents that a change concerns are marked with it; `update_groups` then updates the groups
    and returns how many changed. `roots` returns the roots watched at that moment: if one is added, changed or removed
    during a scan, only the scan of that root is ended."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        roots: Callable[[], Iterable[ScanRoot]],
        limits: Limits,
        update_groups: Callable[[Progress], int],
    ) -> None:
        self._store = store
        self._present_roots = roots
        self._reader = Reader(store, pool, limits)
        self._update_groups = update_groups
        self._on_fresh: Callable[[Collection[bytes]], None] = lambda paths: None
        self._settle_s = 0.0
        self._on_trashes: Callable[[Sequence[bytes]], object] = lambda folders: None
        self._on_strays: Callable[[Collection[bytes]], object] = lambda paths: None

    def report_trashes_to(self, receive: Callable[[Sequence[bytes]], object]) -> None:
        """Report the trash folders that a walk of a whole root finds: the index may not have them."""
        self._on_trashes = receive

    def report_strays_to(self, receive: Callable[[Collection[bytes]], object]) -> None:
        """Report files that a crash may have left under temporary names, if walks of whole roots find them."""
        self._on_strays = receive

    def report_fresh_to(self, receive: Callable[[Collection[bytes]], None], settle_s: float) -> None:
        """Report the files that were read less than `settle_s` after they changed: they may still be being written, and
        in a polled root nothing else would notice before the next walk."""
        self._on_fresh, self._settle_s = receive, settle_s

    def run(self, progress: Progress, parameters: ScanParameters) -> Mapping[str, Any]:
        tally = Tally()
        roots = self._scan_roots()
        for root, paths in roots.requested(parameters):
            if not self._is_still_in(root):
                continue
            watched = _WhileWatched(progress, partial(self._is_still_in, root))
            with contextlib.suppress(_RootChanged):
                self._scan(watched, roots, root, paths, tally)
        return {**asdict(tally), "groups_changed": self._update_groups(progress)}

    def _scan_roots(self) -> ScanRoots:
        """The roots watched at the moment, and the temporary ones of limited searches."""
        with self._store.read() as database:
            depths = temporary_roots.depths(database)
        searched = [ScanRoot(WatchRoot(path, protected=True), recursive) for path, recursive in depths.items()]
        return ScanRoots(self._present_roots()).with_temporary(searched)

    def _is_still_in(self, root: ScanRoot) -> bool:
        """Whether a root is one of the present ones, with the same files."""
        return self._scan_roots().has(root)

    def _scan(
        self, progress: Progress, roots: ScanRoots, root: ScanRoot, paths: Sequence[bytes] | None, tally: Tally
    ) -> None:
        """Take one root, or some paths in it, through the stages."""
        with self._store.read() as database:
            row = next(row for row in images.indexed_roots(database) if bytes(row.path) == root.path)
        exclusions = Exclusions(root.path, root.exclude)
        context = DiskContext(row.id, root.path, root.recursive, exclusions, roots.nested_in(root))
        try:
            comparison = compare(self._store, progress, context, row.device, paths)
        except (OSError, RootUnavailable) as error:
            reason = error.message if isinstance(error, RootUnavailable) else of_os_error(error)
            record_offline(self._store, row.id, reason)
            tally.offline.append(display(root.path))
            return
        plan, walk = comparison.plan, comparison.walk
        is_own = not roots.is_temporary(root)
        if is_own and walk is not None and walk.trashes:
            self._on_trashes(walk.trashes)
        if is_own and walk is not None and walk.strays:
            self._on_strays(walk.strays)
            # They may have gone to a trash.
            self._on_trashes(walk.trashes)
        now_ns = time.time_ns()
        to_read = record_changes(self._store, row, comparison, now_ns)
        tally.files += plan.seen
        tally.moved += len(plan.moved)
        tally.missing += len(plan.missing)
        tally.unchanged += plan.unchanged
        tally.linked += len(plan.to_read) - len(to_read)
        fresh = [path for path, identity in to_read.items() if is_fresh(identity, now_ns, self._settle_s)]
        if fresh and is_own:
            self._on_fresh(fresh)
        counts = self._reader.read(progress, root.path, row.id, to_read)
        tally.read += counts.read
        tally.known += counts.known
        tally.problems += counts.problems
        record_end(self._store, row.id, root.path, walk)
