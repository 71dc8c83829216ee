"""Tells people what happened, in a quiet digest, by a program or a web hook. Thread: comparimg-notifier.

What happened is read from the index, up to a mark that is kept there: nothing is told twice, and what happened while
nobody could be told is told later. Nobody waits for it, and whatever goes wrong costs a line in the log.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from daemon.configuration.config import Config, NotifySection
from daemon.notifying.messengers import NotDelivered, call_hook, run_program
from daemon.notifying.notices import TEST, Notice, notice_of, payload, wait_s
from daemon.version import VERSION
from index.errors import StoreClosed, StoreError, UsageError
from index.records import happenings
from index.records.news import Happened, Mark
from index.store import Store

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
TRY_AGAIN_S: Final = 60.0
TRY_AGAIN_AT_MOST_S: Final = 3600.0


class Notifier:
    """Between the index and whoever is to be told. `address` is where the page is."""

    def __init__(
        self, store: Store, config: Config, address: str, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._store = store
        self._now_ns = now_ns
        self._address = address
        self.configure(config)
        self._stop = threading.Event()
        self._first_s: float | None = None
        self._failures = 0
        self._not_before_s = 0.0
        self._thread = threading.Thread(target=self._run, name="comparimg-notifier")

    def configure(self, config: Config) -> None:
        """Tell whom, and of what, another configuration says."""
        self._settings: NotifySection = config.notify
        self._language = config.web.language or "en"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def test(self) -> dict[str, str]:
        """Send a notice that says nothing; what became of it by messenger, "" where it arrived. Raises UsageError."""
        if not self._messengers():
            raise UsageError("Nobody is to be told.", "Set command or webhook under [notify] in comparimg.toml.")
        return self._deliver(self._payload(TEST, is_test=True))

    # The notifier's thread

    def _run(self) -> None:
        seen = -1
        while not self._stop.wait(LOOK_EVERY_S):
            # Nothing new, and nothing that waits to be told.
            if self._store.revision == seen and self._first_s is None:
                continue
            seen = self._store.revision
            try:
                self.look()
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("what happened cannot be looked up: %s", error)
            except Exception:
                log.exception("the notices failed, and are tried again")

    def look(self) -> None:
        """Look at what happened, and tell it when it is time to."""
        if not self._messengers():
            self._forget()
            return
        now_ns = self._now_ns()
        mark, happened = self._read(now_ns)
        notice = notice_of(mark, happened, self._settings.events)
        if notice is None:
            self._first_s = None
            return
        now_s = now_ns / 1e9
        # A clock that is set back must not silence anybody.
        self._first_s = now_s if self._first_s is None else min(self._first_s, now_s)
        self._not_before_s = min(self._not_before_s, now_s + TRY_AGAIN_AT_MOST_S)
        interval_s = self._settings.interval_min * 60
        if wait_s(self._first_s, mark.sent_ns / 1e9, now_s, interval_s, notice.urgent) or now_s < self._not_before_s:
            return
        failed = {name: told for name, told in self._deliver(self._payload(notice)).items() if told}
        if len(failed) == len(self._messengers()):
            self._failures += 1
            pause_s = min(TRY_AGAIN_S * 2 ** (self._failures - 1), TRY_AGAIN_AT_MOST_S)
            self._not_before_s = now_s + pause_s
            told = "; ".join(failed.values())
            log.warning("a notice did not arrive (%s); it is tried again in %.0f s", told, pause_s)
            return
        if failed:
            log.warning("a notice arrived in part only: %s", "; ".join(failed.values()))
        self._failures, self._first_s = 0, None
        to = Mark(now_ns, now_ns, {root.path: root.state for root in happened.roots})
        self._store.write(lambda database: happenings.set_mark(database, to))

    def _read(self, now_ns: int) -> tuple[Mark, Happened]:
        with self._store.read() as database:
            mark = happenings.mark(database)
            if mark is None or mark.until_ns > now_ns:
                # The first start ever, or a clock that was set back: from here on.
                mark = Mark(now_ns, 0, {root.path: root.state for root in happenings.since(database, now_ns).roots})
                is_new = True
            else:
                is_new = False
            happened = happenings.since(database, mark.until_ns)
        if is_new:
            self._store.write(lambda db: happenings.set_mark(db, mark))
        return mark, happened

    def _forget(self) -> None:
        """Whoever is told later is told from then on."""
        with self._store.read() as database:
            mark = happenings.mark(database)
        if mark is not None:
            self._store.write(happenings.drop_mark)

    def _messengers(self) -> list[str]:
        return [name for name in ("command", "webhook") if getattr(self._settings, name)]

    def _deliver(self, told: Mapping[str, Any]) -> dict[str, str]:
        """By every messenger there is: "" where it arrived, else why it did not."""
        ended = {}
        for name in self._messengers():
            try:
                if name == "command":
                    run_program(self._settings.command, told, self._language, self._stop.is_set)
                else:
                    call_hook(self._settings.webhook, told)
                ended[name] = ""
            except NotDelivered as error:
                ended[name] = str(error)
        return ended

    def _payload(self, notice: Notice, is_test: bool = False) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return payload(notice, socket.gethostname(), VERSION, at, self._address, is_test)
