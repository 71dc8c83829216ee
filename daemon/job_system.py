"""The parts that work on files. They are created for one configuration, and replaced when it changes. Thread: main.

Changes of the watched folders are applied while the parts run. The watcher requests the first scan of a root after its
watches are set up, so that no change is missed.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from daemon.configuration.config import Config
from daemon.files.protected_paths import ManagedFolders
from daemon.folder_setup import watch_roots
from daemon.jobs import changed_decoders, quarantine
from daemon.jobs.bulk_jobs import BulkJobs
from daemon.jobs.compress import Compressor, Processes
from daemon.jobs.detect import Detector
from daemon.jobs.embedding_model import EmbeddingModel
from daemon.jobs.journal import Journal
from daemon.jobs.leftovers import rescue_leftovers
from daemon.jobs.previews import Previews
from daemon.jobs.progress import Context, Progress
from daemon.jobs.rule_jobs import RuleJobs
from daemon.jobs.runner import Handler, JobContext, Runner, start_job
from daemon.jobs.scan import Scanner
from daemon.jobs.scan_roots import ScanRoot
from daemon.jobs.sort import Sorter, managed_folders
from daemon.jobs.standing_rules import StandingRules
from daemon.jobs.trash_import import TrashImport
from daemon.jobs.undo import Undoer
from daemon.live_settings import LiveSettings
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from daemon.watching.watcher import Coverage, Reconcile, Settled, WatchedRoot, Watcher, WatchMode, WatchTimes
from index.database.records import cleared_decisions, images, matches, temporary_roots
from index.database.records.jobs import ScanParameters, UndoParameters
from index.database.store import Store
from index.errors import ConfigError
from index.imaging.decoding.pictures import Limits
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message
from index.model import JobKind, RootState
from index.paths import display
from index.settings import parse_tls_address
from webui.services import Lending

log = logging.getLogger(__name__)

# A job that does not stop within this time is waiting for a decode, which is then killed.
STOP_LIMIT_S = 3.0
# Jobs that must use the present protection, not that at their start.
CHANGING_FILES: Final = frozenset({JobKind.SORT, JobKind.COMPRESS, JobKind.UNDO, JobKind.EMPTY})
# How often a job that waits for the check of the index looks whether it must stop.
CHECKED_EVERY_S = 0.5


class JobSystem:
    """The job runner, the worker processes and the watcher, running from `open` to `close`."""

    def __init__(self, store: Store, settings: LiveSettings, config: Config) -> None:
        """Create the parts for this configuration, without starting any."""
        self._store = store
        self._config = config
        self._stack = ExitStack()
        daemon = config.daemon
        limits = Limits(daemon.max_megapixels * 1_000_000)
        worker_limits = WorkerLimits(daemon.time_limit_s, daemon.memory_mb * 2**20)
        self.pool = WorkerPool(daemon.workers or os.cpu_count() or 1, worker_limits)
        self.previews = Previews(store, self.pool, limits, daemon.previews_mb * 2**20)
        # A separate pool: its processes hold the model, and can be killed without losing the decodes of others.
        self.model_pool = WorkerPool(daemon.workers or os.cpu_count() or 1, worker_limits)
        self._lender = _lender(config, store, self.pool, self.model_pool) if config.workers.listen else None
        self._model = EmbeddingModel(store, self.model_pool, config.model)
        self._detector = Detector(
            store, self.pool, self.previews, settings.detect_parameters, self._model, settings.keeper_criteria
        )
        scanner = Scanner(
            store, self.pool, lambda: _scan_roots(settings.effective()), limits, self._detector.update
        )  # fmt: skip

        def rescan(progress: Progress, paths: Sequence[bytes]) -> None:
            scanner.run(progress, ScanParameters(paths=[os.fsdecode(path) for path in paths]))

        sorter = Sorter(store, self.pool, limits, settings.sorting, rescan)
        undoer = Undoer(store, lambda: settings.destinations().values(), rescan, claims=settings.claims)
        processes = Processes(self.pool.count, worker_limits)
        self._compressor = Compressor(store, processes, limits, settings.values, self._managed_folders, rescan)
        self._undoer = undoer
        rules = StandingRules(store, settings.keeper_criteria, settings.destinations)
        self._rule_jobs = RuleJobs(store)
        handlers: Mapping[JobKind, Handler] = {
            JobKind.SCAN: rules.after(scanner.run),
            JobKind.DETECT: rules.after(self._detector.run),
            JobKind.SORT: once_checked(store, sorter.run),
            JobKind.COMPRESS: once_checked(store, self._compressor.run),
            JobKind.UNDO: once_checked(store, self._undo),
            JobKind.EMPTY: once_checked(store, undoer.empty),
            JobKind.RULE: self._rule_jobs.run,
            JobKind.DECIDE: BulkJobs(store).run,
        }
        self.runner = Runner(store, handlers)
        self._settings = settings
        self.watcher = self._make_watcher()
        scanner.report_fresh_to(self.watcher.touch, daemon.settle_s)
        scanner.report_trashes_to(self._import_trashes)
        scanner.report_strays_to(self._rescue_leftovers)

    def open(self) -> None:
        """Update the roots in the index, recover from a crash, and start the parts."""
        stack = self._stack
        stack.callback(self.pool.close)
        stack.callback(self.model_pool.close)
        if self._lender is not None:
            self._lender.start()
            stack.callback(self._lender.stop)

        def sync(database: Any) -> bool:
            matches.mark_stale(database, images.sync_roots(database, watch_roots(self._config)))
            matches.mark_stale(database, temporary_roots.drop_unused(database))
            self._reopen_outdated(database)
            return bool(matches.stale_contents(database))

        has_stale = self._store.write(sync)
        if count := changed_decoders.reread_failures(self._store, self.pool):
            log.info("the decoders changed: %d files that could not be read are read again", count)
        cleared_decisions.put_back_unfinished(self._store.write)
        self._recover()
        self._log_destinations()
        self.runner.start()
        stack.callback(self._end_jobs)
        self.watcher.start()
        stack.callback(self.watcher.stop)
        if has_stale and not self._config.watch:
            # No root is left whose scan would remove these images from their groups.
            start_job(self._store, JobKind.SCAN, ScanParameters(), "start")

    def watch(self, config: Config) -> None:
        """Use the watched folders of this configuration from now on; everything else stays. What runs goes on, with two
        exceptions: the scan of a changed folder ends, and a job that changes files starts again at its present
        position, so that it touches no folder that is protected by now."""
        before, self._config = self._config, config

        def sync(database: Any) -> bool:
            matches.mark_stale(database, images.sync_roots(database, watch_roots(config)))
            return bool(matches.stale_contents(database))

        has_stale = self._store.write(sync)
        self.runner.begin_again(is_restarted)
        self.watcher.watch(_watched_roots(config))
        # The watcher has new folders scanned, and those that are watched differently.
        gone = {section.path for section in before.watch} - {section.path for section in config.watch}
        changed = [section.path for section in config.watch if section not in before.watch]
        if has_stale and gone:
            # The scan concerns no folder. It only updates the groups, even while another job runs.
            start_job(self._store, JobKind.SCAN, ScanParameters(paths=[os.fsdecode(path) for path in gone]), "watch")
        elif has_stale and changed:
            start_job(self._store, JobKind.SCAN, ScanParameters(roots=list(map(os.fsdecode, changed))), "start")

    def close(self) -> None:
        """Stop within seconds. The running job goes back to the queue; a slow decode is killed."""
        self._stack.close()

    @property
    def parts(self) -> Mapping[str, Callable[[], bool]]:
        """For each part, by its name for people, a function that returns whether it is alive."""
        return {
            "jobs": lambda: self.runner.alive,
            "decoding": lambda: self.pool.alive,
            "watching": lambda: self.watcher.alive,
            **({} if self._lender is None else {"lending": self._lends}),
        }

    def _lends(self) -> bool:
        return self._lender is not None and bool(self._lender.alive)

    def lending(self) -> Lending:
        return Lending() if self._lender is None else self._lender.status()

    def recompress(self, row_id: int) -> bytes:
        """The result that a dry run of a compression measured (see daemon.jobs.compress)."""
        return self._compressor.preview(self.pool, row_id)

    def coverage(self, root: bytes) -> Coverage | None:
        return self.watcher.coverage().get(root)

    def _managed_folders(self) -> ManagedFolders:
        return managed_folders(self._store, self._settings.destinations().values(), self._settings.claims)

    def _import_trashes(self, passed: Collection[bytes]) -> None:
        try:
            TrashImport(self._store, self._managed_folders(), time.time_ns()).check(passed)
        except ConfigError as error:
            log.warning("the trashes below the watched folders are not read: %s", error)

    def _rescue_leftovers(self, paths: Collection[bytes]) -> None:
        if not self._store.wait_until_checked():
            # The next scan finds them again.
            return
        try:
            rescue_leftovers(self._store, self._managed_folders(), paths)
        except ConfigError as error:
            log.warning("what a crash left stays where it is: %s", error)

    def _reopen_outdated(self, database: Any) -> None:
        """After an upgrade with other hashes or facts, mark the files to be read again. Their groups are recalculated
        after that."""
        detection = matches.current_detection(database)
        if detection is None:
            images.invalidate_outdated(database)
        elif matches.is_outdated(detection):
            count = images.invalidate_outdated(database)
            files = f"{count} files are" if count else "no file is"
            log.warning("another version found the groups: they are recalculated, and %s read again", files)

    def _recover(self) -> None:
        """Recover from a crash, before anything else touches a file."""
        quarantine.recover(self._store)
        Journal(self._store, self._managed_folders()).recover()
        TrashImport(self._store, self._managed_folders(), time.time_ns()).recheck()
        self._compressor.recover()
        self._rule_jobs.recover()

    def _undo(self, context: Context, parameters: UndoParameters) -> Mapping[str, Any]:
        outcome = self._undoer.undo(context, parameters)
        self._compressor.recover()
        return outcome

    def _log_destinations(self) -> None:
        """Log destinations that do not exist or are not watched. Neither is an error, but both may surprise."""
        for name, folder in self._settings.destinations().items():
            shown = display(folder)
            if not os.path.isdir(folder):
                log.warning("the folder of the destination %s, %s, is missing: nothing is moved to it", name, shown)
            elif not any(is_at_or_below(folder, section.path) for section in self._config.watch):
                log.info("the destination %s, %s, is not watched: files moved there leave the index", name, shown)

    def _end_jobs(self) -> None:
        self.runner.interrupt()
        if not self.runner.join(STOP_LIMIT_S):
            self._compressor.stop()
            self.pool.close()
            self.model_pool.close()
        self.runner.join()

    def _make_watcher(self) -> Watcher:
        """Create a watcher whose reports become scan jobs. Scans of single files are urgent."""
        store, daemon = self._store, self._config.daemon

        def settled(event: Settled) -> None:
            paths = sorted(os.fsdecode(path) for path in event.paths)
            start_job(store, JobKind.SCAN, ScanParameters(paths=paths), "watch")

        def reconcile(request: Reconcile) -> None:
            log.info("%s is scanned: %s", display(request.root), request.reason)
            start_job(store, JobKind.SCAN, ScanParameters(roots=[os.fsdecode(request.root)]), "start")

        def root_state(path: bytes, state: RootState, reason: Message | None) -> None:
            store.write(lambda db: images.set_state_of_root_at(db, path, state, reason))

        times = WatchTimes(settle_s=daemon.settle_s, poll_s=daemon.poll_s, reconcile_s=daemon.scan_interval_h * 3600)
        return Watcher(_watched_roots(self._config), settled, reconcile, root_state, times)


def once_checked(store: Store, handler: Handler) -> Handler:
    """Wrap a handler that changes files so that it starts only after the pages of the index are known to be intact."""

    def run(context: JobContext, parameters: Any) -> Mapping[str, Any]:
        if not store.wait_until_checked():
            context.begin("checking", None)
        while not store.wait_until_checked(CHECKED_EVERY_S):
            context.checkpoint()
        return handler(context, parameters)

    return run


def is_restarted(kind: JobKind, parameters: Mapping[str, Any]) -> bool:
    """Whether a running job starts again when the watched folders change, to respect new protection. The dry run of a
    compression does not: it takes long and changes no file."""
    is_measuring = kind is JobKind.COMPRESS and bool(parameters.get("dry_run"))
    return kind in CHANGING_FILES and not is_measuring


def _scan_roots(config: Config) -> list[ScanRoot]:
    return [
        ScanRoot(root, section.recursive, section.exclude)
        for root, section in zip(watch_roots(config), config.watch, strict=True)
    ]


def _watched_roots(config: Config) -> list[WatchedRoot]:
    return [
        WatchedRoot(section.path, section.recursive, WatchMode(section.mode), section.exclude)
        for section in config.watch
    ]


def _lender(config: Config, store: Store, *pools: WorkerPool) -> Any:
    """The lender of tasks to other machines. If nothing is lent, none of its modules are loaded."""
    from daemon.remote_workers.lender import Lender  # noqa: PLC0415
    from daemon.remote_workers.roster import Roster  # noqa: PLC0415

    address, limits = parse_tls_address(config.workers.listen), pools[0].limits
    return Lender(address, config.workers.lend, Roster(store.data_dir), limits, [pool.queue for pool in pools])
