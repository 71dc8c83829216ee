"""Composition root: starts the parts in the order of their dependencies, waits, reloads the configuration, stops.

If a part dies, the service logs which one, stops, and exits with a code other than zero, so that its supervisor starts
a new process. Thread: main.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum

from daemon import logs
from daemon.components import component_versions
from daemon.configuration import tokens
from daemon.configuration.config import JOB_SYSTEM_KEYS, Config, changed_keys, keys_needing_restart
from daemon.folder_setup import FolderSetup
from daemon.health import RUNNER_LIMIT_S, HealthMonitor
from daemon.index_backup import IndexBackup
from daemon.job_system import JobSystem
from daemon.jobs.scheduler import Scheduler, sync_file_schedules
from daemon.live_settings import LiveSettings
from daemon.malloc import trim
from daemon.notifying.notifier import Notifier
from daemon.sd_notify import SystemdNotifier
from daemon.uptime import UptimeRecorder, boot_time
from daemon.version import VERSION
from index.database.store import Store
from index.errors import ConfigError
from index.messages import Message
from index.model import JobKind
from webui.app import WebApp, make_app
from webui.server import Server
from webui.services import Lending, RootWatch, Services, WebAccess

log = logging.getLogger(__name__)

SUPERVISION_S = 1.0
# Months of small changes fragment the heaps.
TRIM_EVERY_S = 600.0
# The migration of a large index takes minutes, and should not be interrupted.
START_AT_MOST_S = 3600.0


class SignalRequest(StrEnum):
    """A request to the service, sent as a signal."""

    STOP = "stop"
    RELOAD = "reload"


class Service:
    """One running daemon. `address` is known after it is entered."""

    def __init__(self, config: Config, manager: SystemdNotifier | None = None) -> None:
        self._config = self._in_effect = config
        self._manager = manager or SystemdNotifier({})
        self._stack = ExitStack()
        self._alive: dict[str, Callable[[], bool]] = {}
        # Set by any thread. The main thread then starts watching the new folders.
        self._folders_changed = threading.Event()
        self.address = ""

    def __enter__(self) -> "Service":
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        self._manager.ready(self._status_line())
        return self

    def __exit__(self, *_: object) -> None:
        log.info("stopping")
        self._manager.stopping()
        self._stack.close()
        log.info("stopped")

    def health(self) -> Mapping[str, bool]:
        """For each part, whether it is alive and makes progress."""
        problems = self._health.problems
        return {name: alive() and name not in problems for name, alive in self._parts().items()}

    def wait(self, asked: "queue.SimpleQueue[SignalRequest]", reread: Callable[[], Config] | None = None) -> str:
        """Wait until a stop is requested, or until a part has died. Returns the name of the dead part, or "". `reread`
        returns the new configuration for a reload."""
        notified_s, trimmed_s = 0.0, time.monotonic()
        while True:
            try:
                match asked.get(timeout=SUPERVISION_S):
                    case SignalRequest.STOP:
                        return ""
                    case SignalRequest.RELOAD if reread is not None:
                        self._reload_from_file(reread)
            except queue.Empty:
                pass
            for name, alive in self._parts().items():
                if not alive():
                    if self._store.fault:
                        log.critical("%s", self._store.fault)
                    return name
            if self._folders_changed.is_set():
                self._folders_changed.clear()
                self.reload(self._config)
            self._health.check()
            self._scheduler.check_clock()
            self._uptime.record_if_due()
            self._store.renew_lock()
            if time.monotonic() - trimmed_s >= TRIM_EVERY_S:
                trimmed_s = time.monotonic()
                trim()
            every_s = self._manager.sign_every_s
            if every_s is not None and not self._health.hangs and time.monotonic() - notified_s >= every_s:
                notified_s = time.monotonic()
                self._manager.alive()
                self._manager.status(self._status_line())

    def reload(self, config: Config) -> tuple[str, ...]:
        """Use another configuration from now on. Returns the changed keys that need a restart."""
        before, self._config = self._config, config
        changed = changed_keys(before, config)
        if changed & {"daemon.log"}:
            logs.set_level(config.daemon.log)
        self._settings.configure(config)
        self._app.set_access(_access(config))
        self._notifier.configure(config)
        if any(key.endswith(".schedule") for key in changed):
            self._sync_schedules()
            self._scheduler.refresh()
        # These include the folders that were added or changed on the page.
        effective = self._settings.effective()
        changed_parts = changed_keys(self._in_effect, effective) & JOB_SYSTEM_KEYS
        if changed_parts == {"watch"}:
            self._in_effect = effective
            log.info("the watched folders changed")
            self._job_system.watch(effective)
        elif changed_parts:
            log.info("the configuration changed: %s", ", ".join(sorted(changed_parts)))
            self._close_job_system()
            self._open_job_system()
        return keys_needing_restart(before, config)

    def _reload_from_file(self, reread: Callable[[], Config]) -> None:
        self._manager.reloading()
        try:
            left = self.reload(reread())
        except ConfigError as error:
            log.error(
                "the configuration was not reloaded, the previous one stays: %s", "; ".join(map(str, error.problems))
            )
            self._manager.ready("The new configuration is wrong, the one before holds")
        else:
            status = self._status_line()
            log.info("the configuration was reloaded")
            if left:
                log.warning("a restart is needed for %s", ", ".join(left))
                status += f"; a restart is needed for {', '.join(left)}"
            self._manager.ready(status)

    def _start(self) -> None:
        config, stack = self._config, self._stack
        self._manager.allow(START_AT_MOST_S, "Opening the index")
        self._store = stack.enter_context(Store(config.daemon.data_dir, config.daemon.backups, check_later=True))
        self._uptime = UptimeRecorder(self._store)
        self._uptime.record()
        stack.callback(self._uptime.record)
        self._settings = LiveSettings(self._store, config)
        self._folders = FolderSetup(self._store, self._settings, self._folders_changed.set)
        self._open_job_system()
        if not self._in_effect.watch:
            log.warning("no folder is watched: add one on the page, or name some in comparimg.toml")
        stack.callback(self._close_job_system)
        self._sync_schedules()
        self._scheduler = Scheduler(self._store)
        self._scheduler.start()
        stack.callback(self._scheduler.stop)
        self._app: WebApp = make_app(self._store, self._services())
        self._server = Server(self._app, config.web.host, config.web.port)
        self._server.start()
        stack.callback(self._server.stop)
        self._alive |= {
            "index": lambda: self._store.writer_alive and not self._store.fault,
            "schedules": lambda: self._scheduler.alive,
            "page": lambda: self._server.alive,
        }
        if config.daemon.backups:
            backup = stack.enter_context(IndexBackup(self._store))
            self._alive["copies"] = lambda: backup.alive
        self.address = self._server.address
        self._notifier = Notifier(self._store, config, self.address)
        self._notifier.start()
        stack.callback(self._notifier.stop)

    def _open_job_system(self) -> None:
        config = self._in_effect = self._settings.effective()
        self._job_system = JobSystem(self._store, self._settings, config)
        limit_s = max(RUNNER_LIMIT_S, 3 * config.daemon.time_limit_s)
        self._health = HealthMonitor(
            lambda: self._store.submit(lambda database: None), lambda: self._job_system.runner.silence_s, limit_s
        )
        try:
            self._job_system.open()
        except BaseException:
            self._job_system.close()
            raise

    # These use the present job system: a reload may replace it, so no reference is kept.

    def _close_job_system(self) -> None:
        self._job_system.close()

    def _parts(self) -> Mapping[str, Callable[[], bool]]:
        return {**self._alive, **self._job_system.parts}

    def _make_preview(self, content_id: int) -> bytes:
        return self._job_system.previews.make(content_id)

    def _make_crop(self, content_id: int, box: tuple[int, int, int, int], side: int) -> bytes:
        return self._job_system.previews.crop(content_id, box, side)

    def _recompress(self, row_id: int) -> bytes:
        return self._job_system.recompress(row_id)

    def _root_watch(self, path: bytes) -> RootWatch:
        seen = self._job_system.coverage(path)
        return RootWatch(str(seen.mode), seen.folders, seen.note) if seen else RootWatch()

    def _test_notices(self) -> Mapping[str, Message | None]:
        return self._notifier.test()

    def _worker_losses(self) -> Mapping[str, int]:
        return self._job_system.pool.losses

    def _lending(self) -> Lending:
        return self._job_system.lending()

    def _sync_schedules(self) -> None:
        wanted = {
            "detect": (JobKind.DETECT, self._config.detect.schedule),
            "compress": (JobKind.COMPRESS, self._config.compress.schedule),
        }
        given = {name: schedule for name, schedule in wanted.items() if schedule[1]}
        self._store.write(lambda db: sync_file_schedules(db, given))

    def _services(self) -> Services:
        return Services(
            version=VERSION,
            component_versions=component_versions(),
            started_ns=time.time_ns(),
            settings=self._settings,
            make_preview=self._make_preview,
            make_crop=self._make_crop,
            health=self.health,
            now_ns=time.time_ns,
            next_run_ns=self._scheduler.next_run_ns,
            schedules_changed=self._scheduler.refresh,
            folders=self._folders,
            root_watch=self._root_watch,
            worker_losses=self._worker_losses,
            lending=self._lending,
            test_notices=self._test_notices,
            keeper_criteria=self._settings.keeper_criteria,
            destinations=self._settings.destinations,
            index_restored=bool(self._store.recovered),
            index_put_back=lambda: bool(self._store.put_back),
            recompress=self._recompress,
            retention_days=self._settings.retention_days,
            boot_time=boot_time,
            web=_access(self._config),
        )

    def _status_line(self) -> str:
        """The state of the service, in a line for `systemctl status`."""
        problems = self._health.problems
        if problems:
            return "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        folders = len(self._in_effect.watch)
        return f"At {self.address}, watching {folders} folder{'' if folders == 1 else 's'}"


def _access(config: Config) -> WebAccess:
    web = config.web
    return WebAccess(
        web.host, web.port, tokens.required(config), web.language, web.names, web.auth_header, web.auth_proxies
    )
