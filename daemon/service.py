"""Composition root: makes the parts in the order they need one another, waits, unwinds. Thread: main.

The watcher asks for the first scan of a root once its watches stand, so that nothing falls between. When a part dies
unasked the service says which, stops and ends with a code that is not zero: whoever supervises it starts a clean
process.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from daemon.config import Config, WatchSection
from daemon.detect import Detector
from daemon.overrides import LiveSettings
from daemon.runner import Runner, start_job
from daemon.scan import Scanner, ScanRoot
from daemon.scheduler import Scheduler, sync_file_schedules
from daemon.version import VERSION
from daemon.views import Views
from daemon.watcher import Reconcile, Settled, WatchedRoot, Watcher, WatchMode, WatchTimes
from daemon.workers import WorkerLimits, WorkerPool
from index import catalogue
from index.catalogue import WatchRoot
from index.jobs import ScanParameters
from index.model import JobKind, RootState
from index.pictures import Limits
from index.store import Store
from webui.app import make_app
from webui.server import Server
from webui.services import Services, WebAccess

log = logging.getLogger(__name__)

SUPERVISION_S = 1.0


class Service:
    """One running daemon. `address` is known once `start` came back."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stack = ExitStack()
        self._alive: dict[str, Callable[[], bool]] = {}
        self.address = ""

    def __enter__(self) -> "Service":
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        log.info("stopping")
        self._stack.close()
        log.info("stopped")

    def health(self) -> Mapping[str, bool]:
        """Whether each part lives."""
        return {name: alive() for name, alive in self._alive.items()}

    def wait(self, stop: threading.Event) -> str:
        """Wait until asked to stop, or until a part died: its name, else ""."""
        while not stop.wait(SUPERVISION_S):
            for name, lives in self.health().items():
                if not lives:
                    return name
        return ""

    def _start(self) -> None:
        config, stack = self._config, self._stack
        store = stack.enter_context(Store(config.daemon.data_dir))
        roots = [_scan_root(section) for section in config.watch]
        left = store.write(lambda db: catalogue.sync_roots(db, [root.root for root in roots]))
        limits = Limits(config.daemon.max_megapixels * 1_000_000)
        pool = stack.enter_context(
            WorkerPool(
                config.daemon.workers or os.cpu_count() or 1,
                WorkerLimits(config.daemon.time_limit_s, config.daemon.memory_mb * 2**20),
            )
        )
        settings = LiveSettings(store, config)
        views = Views(store, pool, limits)
        detector = Detector(store, pool, views, settings.detect_parameters)
        detector.concerned(left)
        scanner = Scanner(store, pool, roots, limits, detector.update)
        runner = Runner(store, {JobKind.SCAN: scanner.run, JobKind.DETECT: detector.run})
        runner.start()
        stack.callback(runner.stop)
        watcher = self._watch(store)
        scanner.report_fresh_to(watcher.touch, config.daemon.settle_s)
        watcher.start()
        stack.callback(watcher.stop)
        scheduler = self._schedule(store)
        server = Server(
            make_app(store, self._services(settings, views, scheduler, watcher)),
            config.web.host,
            config.web.port,
        )
        server.start()
        stack.callback(server.stop)
        self._alive |= {
            "index": lambda: store.writer_alive,
            "jobs": lambda: runner.alive,
            "decoding": lambda: pool.alive,
            "watching": lambda: watcher.alive,
            "schedules": lambda: scheduler.alive,
            "page": lambda: server.alive,
        }
        self.address = server.address

    def _watch(self, store: Store) -> Watcher:
        """Everything the watcher tells becomes a scan job; one that names its files is not kept waiting."""
        daemon = self._config.daemon
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

        times = WatchTimes(settle_s=daemon.settle_s, reconcile_s=daemon.scan_interval_h * 3600)
        return Watcher(watched, settled, reconcile, root_state, times)

    def _schedule(self, store: Store) -> Scheduler:
        config = self._config
        wanted = {"detect": (JobKind.DETECT, config.detect.schedule)}
        given = {name: one for name, one in wanted.items() if one[1]}
        store.write(lambda db: sync_file_schedules(db, given))
        scheduler = Scheduler(store)
        scheduler.start()
        self._stack.callback(scheduler.stop)
        return scheduler

    def _services(self, settings: LiveSettings, views: Views, scheduler: Scheduler, watcher: Watcher) -> Services:
        web = self._config.web
        return Services(
            version=VERSION,
            started_ns=time.time_ns(),
            settings=settings,
            make_view=views.make,
            make_crop=views.crop,
            health=self.health,
            now_ns=time.time_ns,
            next_run_ns=scheduler.next_run_ns,
            schedules_changed=scheduler.refresh,
            root_mode=lambda path: str(coverage.mode) if (coverage := watcher.coverage().get(path)) else "",
            keeper_criteria=settings.keeper_criteria,
            web=WebAccess(web.host, web.port, web.token, web.language, web.names),
        )


def _scan_root(section: WatchSection) -> ScanRoot:
    root = WatchRoot(section.path, section.protected, section.priority)
    return ScanRoot(root, section.recursive, section.exclude)
