"""Composition root: makes the parts in the order they need one another, waits, changes the configuration, unwinds.

When a part dies unasked the service says which, stops and ends with a code that is not zero: whoever supervises it
starts a clean process. Thread: main.
"""

import logging
import queue
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import StrEnum

from daemon import logs
from daemon.configuration import tokens
from daemon.configuration.config import Config
from daemon.configuration.reloading import WORKSHOP, changed_keys, needing_restart
from daemon.copier import Copier
from daemon.jobs.scheduler import Scheduler, sync_file_schedules
from daemon.memory import give_back
from daemon.notifying.notifier import Notifier
from daemon.overrides import LiveSettings
from daemon.service_manager import ServiceManager
from daemon.uptime import UptimeRecorder, boot_time
from daemon.version import VERSION
from daemon.vitals import RUNNER_LIMIT_S, Vitals
from daemon.workshop import Workshop
from index.errors import ConfigError
from index.model import JobKind
from index.store import Store
from webui.app import WebApp, make_app
from webui.server import Server
from webui.services import RootWatch, Services, WebAccess

log = logging.getLogger(__name__)

SUPERVISION_S = 1.0
# Months of small changes leave holes in the heaps.
GIVE_BACK_EVERY_S = 600.0
# A change of the tables of a large index takes minutes, and is better not cut off.
START_AT_MOST_S = 3600.0


class Asked(StrEnum):
    """What a signal asks of the service."""

    STOP = "stop"
    RELOAD = "reload"


class Service:
    """One running daemon. `address` is known once it is entered."""

    def __init__(self, config: Config, manager: ServiceManager | None = None) -> None:
        self._config = config
        self._manager = manager or ServiceManager({})
        self._stack = ExitStack()
        self._alive: dict[str, Callable[[], bool]] = {}
        self.address = ""

    def __enter__(self) -> "Service":
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        self._manager.ready(self._told())
        return self

    def __exit__(self, *_: object) -> None:
        log.info("stopping")
        self._manager.stopping()
        self._stack.close()
        log.info("stopped")

    def health(self) -> Mapping[str, bool]:
        """Whether each part lives and does its work."""
        trouble = self._vitals.trouble
        return {name: alive() and name not in trouble for name, alive in self._parts().items()}

    def wait(self, asked: "queue.SimpleQueue[Asked]", reread: Callable[[], Config] | None = None) -> str:
        """Wait until asked to stop, or until a part died: its name, else "". `reread` gives the new configuration
        where a reload is asked for."""
        signed_s, gave_back_s = 0.0, time.monotonic()
        while True:
            try:
                match asked.get(timeout=SUPERVISION_S):
                    case Asked.STOP:
                        return ""
                    case Asked.RELOAD if reread is not None:
                        self._reread(reread)
            except queue.Empty:
                pass
            for name, alive in self._parts().items():
                if not alive():
                    if self._store.fault:
                        log.critical("%s", self._store.fault)
                    return name
            self._vitals.look()
            self._scheduler.keep_up()
            self._uptime.keep_up()
            self._store.keep_lock()
            if time.monotonic() - gave_back_s >= GIVE_BACK_EVERY_S:
                gave_back_s = time.monotonic()
                give_back()
            every_s = self._manager.sign_every_s
            if every_s is not None and not self._vitals.hangs and time.monotonic() - signed_s >= every_s:
                signed_s = time.monotonic()
                self._manager.alive()
                self._manager.status(self._told())

    def reload(self, config: Config) -> tuple[str, ...]:
        """Let another configuration hold from now on; the keys that changed and need a restart."""
        changed = changed_keys(self._config, config)
        before, self._config = self._config, config
        if changed & {"daemon.log"}:
            logs.set_level(config.daemon.log)
        self._settings.configure(config)
        self._app.let_in(_access(config))
        self._notifier.configure(config)
        if any(key.endswith(".schedule") for key in changed):
            self._sync_schedules()
            self._scheduler.refresh()
        if changed & WORKSHOP:
            log.info("the configuration changed: %s", ", ".join(sorted(changed & WORKSHOP)))
            self._close_workshop()
            self._open_workshop()
        return needing_restart(before, config)

    def _reread(self, reread: Callable[[], Config]) -> None:
        self._manager.reloading()
        try:
            left = self.reload(reread())
        except ConfigError as error:
            log.error("the configuration was not reloaded, and the one before holds: %s", "; ".join(error.problems))
            self._manager.ready("The new configuration is wrong, the one before holds")
        else:
            status = self._told()
            log.info("the configuration was reloaded")
            if left:
                log.warning("a restart is needed for %s", ", ".join(left))
                status += f"; a restart is needed for {', '.join(left)}"
            self._manager.ready(status)

    def _start(self) -> None:
        config, stack = self._config, self._stack
        self._manager.allow(START_AT_MOST_S, "Opening the index")
        self._store = stack.enter_context(Store(config.daemon.data_dir, config.daemon.backups))
        self._uptime = UptimeRecorder(self._store)
        self._uptime.record()
        stack.callback(self._uptime.record)
        self._settings = LiveSettings(self._store, config)
        self._open_workshop()
        stack.callback(self._close_workshop)
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
            copier = stack.enter_context(Copier(self._store))
            self._alive["copies"] = lambda: copier.alive
        self.address = self._server.address
        self._notifier = Notifier(self._store, config, self.address)
        self._notifier.start()
        stack.callback(self._notifier.stop)

    def _open_workshop(self) -> None:
        config = self._config
        self._workshop = Workshop(self._store, self._settings, config)
        limit_s = max(RUNNER_LIMIT_S, 3 * config.daemon.time_limit_s)
        self._vitals = Vitals(
            lambda: self._store.submit(lambda database: None), lambda: self._workshop.runner.silence_s, limit_s
        )
        try:
            self._workshop.open()
        except BaseException:
            self._workshop.close()
            raise

    # The workshop of the moment: another one may take its place.

    def _close_workshop(self) -> None:
        self._workshop.close()

    def _parts(self) -> Mapping[str, Callable[[], bool]]:
        return {**self._alive, **self._workshop.parts}

    def _make_view(self, content_id: int) -> bytes:
        return self._workshop.views.make(content_id)

    def _make_crop(self, content_id: int, box: tuple[int, int, int, int], side: int) -> bytes:
        return self._workshop.views.crop(content_id, box, side)

    def _recompress(self, row_id: int) -> bytes:
        return self._workshop.recompress(row_id)

    def _root_watch(self, path: bytes) -> RootWatch:
        seen = self._workshop.coverage(path)
        return RootWatch(str(seen.mode), seen.folders, seen.note) if seen else RootWatch()

    def _test_notices(self) -> Mapping[str, str]:
        return self._notifier.test()

    def _worker_losses(self) -> Mapping[str, int]:
        return self._workshop.pool.losses

    def _sync_schedules(self) -> None:
        wanted = {
            "detect": (JobKind.DETECT, self._config.detect.schedule),
            "compress": (JobKind.COMPRESS, self._config.compress.schedule),
        }
        given = {name: one for name, one in wanted.items() if one[1]}
        self._store.write(lambda db: sync_file_schedules(db, given))

    def _services(self) -> Services:
        return Services(
            version=VERSION,
            started_ns=time.time_ns(),
            settings=self._settings,
            make_view=self._make_view,
            make_crop=self._make_crop,
            health=self.health,
            now_ns=time.time_ns,
            next_run_ns=self._scheduler.next_run_ns,
            schedules_changed=self._scheduler.refresh,
            root_watch=self._root_watch,
            worker_losses=self._worker_losses,
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

    def _told(self) -> str:
        """How it is, in a line for `systemctl status`."""
        trouble = self._vitals.trouble
        if trouble:
            return "; ".join(f"{name}: {told}" for name, told in trouble.items())
        folders = len(self._config.watch)
        return f"At {self.address}, watching {folders} folder{'' if folders == 1 else 's'}"


def _access(config: Config) -> WebAccess:
    web = config.web
    return WebAccess(web.host, web.port, tokens.required(config), web.language, web.names)
