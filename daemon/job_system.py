"""The parts that work on the files: made for one configuration, and made anew where another one holds. Thread: main.

The watcher asks for the first scan of a root once its watches stand, so that nothing falls between.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from daemon.configuration.config import Config, WatchSection
from daemon.files.grounds import Grounds
from daemon.jobs import tries
from daemon.jobs.adoption import Adoption
from daemon.jobs.compress import Compressor, Processes
from daemon.jobs.detect import Detector
from daemon.jobs.journal import Journal
from daemon.jobs.progress import Context, Progress
from daemon.jobs.runner import Handler, Runner, start_job
from daemon.jobs.scan import Scanner, ScanRoot
from daemon.jobs.sort import Sorter, grounds_of
from daemon.jobs.strays import keep_strays
from daemon.jobs.undo import Undoer
from daemon.jobs.views import Views
from daemon.overrides import LiveSettings
from daemon.processes.workers import WorkerLimits, WorkerPool
from daemon.watching.watcher import Coverage, Reconcile, Settled, WatchedRoot, Watcher, WatchMode, WatchTimes
from index.errors import ConfigError
from index.images.pictures import Limits
from index.model import JobKind, RootState
from index.records import catalogue, findings
from index.records.catalogue import WatchRoot
from index.records.jobs import ScanParameters, UndoParameters
from index.store import Store

log = logging.getLogger(__name__)

# A job that does not leave off within this time waits for a decode, and is not waited for.
LEAVE_OFF_S = 3.0


class Workshop:
    """Everything between the index and the page's requests, at work from `open` to `close`."""

    def __init__(self, store: Store, settings: LiveSettings, config: Config) -> None:
        """Make the parts of this configuration, without starting any."""
        self._store = store
        self._config = config
        self._stack = ExitStack()
        daemon = config.daemon
        limits = Limits(daemon.max_megapixels * 1_000_000)
        worker_limits = WorkerLimits(daemon.time_limit_s, daemon.memory_mb * 2**20)
        self.pool = WorkerPool(daemon.workers or os.cpu_count() or 1, worker_limits)
        self.views = Views(store, self.pool, limits)
        self._detector = Detector(store, self.pool, self.views, settings.detect_parameters)
        self._roots = [_scan_root(section) for section in config.watch]
        scanner = Scanner(store, self.pool, self._roots, limits, self._detector.update)

        def rescan(progress: Progress, paths: Sequence[bytes]) -> None:
            scanner.run(progress, ScanParameters(paths=[os.fsdecode(path) for path in paths]))

        sorter = Sorter(store, self.pool, limits, settings.sorting, rescan)
        undoer = Undoer(store, lambda: settings.destinations().values(), rescan, claims=settings.claims)
        processes = Processes(self.pool.count, worker_limits)
        self._compressor = Compressor(store, processes, limits, settings.values, self._grounds, rescan)
        self._undoer = undoer
        self._scanner = scanner
        handlers: Mapping[JobKind, Handler] = {
            JobKind.SCAN: scanner.run,
            JobKind.DETECT: self._detector.run,
            JobKind.SORT: sorter.run,
            JobKind.COMPRESS: self._compressor.run,
            JobKind.UNDO: self._undo,
            JobKind.EMPTY: undoer.empty,
        }
        self.runner = Runner(store, handlers)
        self._settings = settings
        self.watcher = self._make_watcher()
        scanner.report_fresh_to(self.watcher.touch, daemon.settle_s)
        scanner.report_trashes_to(self._adopt)
        scanner.report_strays_to(self._keep_strays)

    def open(self) -> None:
        """Bring the roots of the index up to date, settle what a crash left in doubt, and begin."""
        stack = self._stack
        stack.callback(self.pool.close)

        def sync(database: Any) -> set[int]:
            left = catalogue.sync_roots(database, [root.root for root in self._roots])
            findings.concern(database, left)
            self._reopen_outdated(database)
            return left

        left = self._store.write(sync)
        self._recover()
        self._tell_of_destinations()
        self.runner.start()
        stack.callback(self._end_jobs)
        self.watcher.start()
        stack.callback(self.watcher.stop)
        if left and not self._roots:
            # No root is there whose scan would take them out of their groups.
            start_job(self._store, JobKind.SCAN, ScanParameters(), "start")

    def close(self) -> None:
        """End within seconds: a job goes back to the queue, and a decode that lasts is not waited for."""
        self._stack.close()

    @property
    def parts(self) -> Mapping[str, Callable[[], bool]]:
        """Whether each of the parts lives, by its name for people."""
        return {
            "jobs": lambda: self.runner.alive,
            "decoding": lambda: self.pool.alive,
            "watching": lambda: self.watcher.alive,
        }

    def recompress(self, row_id: int) -> bytes:
        """What a dry run of a compression measured (see daemon.jobs.compress)."""
        return self._compressor.preview(self.pool, row_id)

    def coverage(self, root: bytes) -> Coverage | None:
        return self.watcher.coverage().get(root)

    def _grounds(self) -> Grounds:
        return grounds_of(self._store, self._settings.destinations().values(), self._settings.claims)

    def _adopt(self, passed: Collection[bytes]) -> None:
        try:
            Adoption(self._store, self._grounds(), time.time_ns()).look(passed)
        except ConfigError as error:
            log.warning("the trashes below the watched folders are not read: %s", error)

    def _keep_strays(self, paths: Collection[bytes]) -> None:
        try:
            keep_strays(self._store, self._grounds(), paths)
        except ConfigError as error:
            log.warning("what a crash left stays where it is: %s", error)

    def _reopen_outdated(self, database: Any) -> None:
        """After an upgrade that hashes otherwise: groups are found anew by themselves, hashes want the files."""
        detection = findings.current_detection(database)
        if detection is not None and findings.is_outdated(detection):
            count = catalogue.reopen_outdated(database)
            told = f"{count} files are" if count else "no file is"
            log.warning("another version found the groups: they are found anew, and %s read again", told)

    def _recover(self) -> None:
        """Settle what a crash cut off, before anything else touches a file."""
        self._scanner.recover()
        tries.recover(self._store)
        Journal(self._store, self._grounds()).recover()
        Adoption(self._store, self._grounds(), time.time_ns()).find_again()
        self._compressor.recover()

    def _undo(self, context: Context, parameters: UndoParameters) -> Mapping[str, Any]:
        outcome = self._undoer.undo(context, parameters)
        self._compressor.recover()
        return outcome

    def _tell_of_destinations(self) -> None:
        """Neither is wrong, and both may surprise."""
        for name, folder in self._settings.destinations().items():
            shown = catalogue.display(folder)
            if not os.path.isdir(folder):
                log.warning("the destination %s, %s, is not there: nothing is moved to it", name, shown)
            elif not any(folder == root.path or folder.startswith(root.path + b"/") for root in self._roots):
                log.info("the destination %s, %s, is not watched: what is moved there leaves the index", name, shown)

    def _end_jobs(self) -> None:
        self.runner.leave_off()
        if not self.runner.join(LEAVE_OFF_S):
            self._compressor.stop()
            self.pool.close()
        self.runner.join()

    def _make_watcher(self) -> Watcher:
        """Everything the watcher tells becomes a scan job; one that names its files is not kept waiting."""
        store, daemon = self._store, self._config.daemon
        watched = [
            WatchedRoot(section.path, section.recursive, WatchMode(section.mode), section.exclude)
            for section in self._config.watch
        ]

        def settled(told: Settled) -> None:
            paths = sorted(os.fsdecode(path) for path in told.paths)
            start_job(store, JobKind.SCAN, ScanParameters(paths=paths), "watch")

        def reconcile(told: Reconcile) -> None:
            log.info("%s is walked: %s", catalogue.display(told.root), told.reason)
            start_job(store, JobKind.SCAN, ScanParameters(roots=[os.fsdecode(told.root)]), "start")

        def root_state(path: bytes, state: RootState, reason: str) -> None:
            store.write(lambda db: catalogue.set_state_of_root_at(db, path, state, reason))

        times = WatchTimes(
            settle_s=daemon.settle_s, poll_s=daemon.poll_s, reconcile_s=daemon.scan_interval_h * 3600
        )
        return Watcher(watched, settled, reconcile, root_state, times)


def _scan_root(section: WatchSection) -> ScanRoot:
    root = WatchRoot(section.path, section.protected, section.priority)
    return ScanRoot(root, section.recursive, section.exclude)
