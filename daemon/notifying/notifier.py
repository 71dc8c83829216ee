"""Sends notices of events, as a digest, by a program or a webhook. Thread: comparimg-notifier.

Events are read from the index since a watermark that is stored there. So no event is reported twice, and a notice that
could not be delivered is sent later. Nothing else waits for a notice, and a failure costs only a line in the log.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from daemon.configuration.config import Config, NotifySection
from daemon.notifying.notices import TEST, Notice, notice_of, payload, wait_s
from daemon.notifying.transports import NotDelivered, call_webhook, run_program
from daemon.version import VERSION
from index.database.records import notifications
from index.database.store import Store
from index.errors import StoreClosed, StoreError, UsageError
from index.messages import Message
from index.model import EventSummary, NoticeWatermark

log = logging.getLogger(__name__)

CHECK_EVERY_S: Final = 5.0
RETRY_S: Final = 60.0
LONGEST_RETRY_S: Final = 3600.0


class Notifier:
    """Sends the events of the index as notices. `address` is the address of the page."""

    def __init__(self, store: Store, config: Config, address: str, now_ns: Callable[[], int] = time.time_ns) -> None:
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
        """Use the recipients and events of another configuration."""
        self._settings: NotifySection = config.notify
        self._language = config.web.language or "en"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def test(self) -> dict[str, Message | None]:
        """Send a test notification. Returns the failure of each transport, None if it was delivered. Raises
        UsageError."""
        if not self._transports():
            raise UsageError("notice.no_transport")
        return self._deliver(self._payload(TEST, is_test=True))

    # The notifier's thread

    def _run(self) -> None:
        seen = -1
        while not self._stop.wait(CHECK_EVERY_S):
            # There is nothing new, and no notice waits.
            if self._store.revision == seen and self._first_s is None:
                continue
            seen = self._store.revision
            try:
                self.check()
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("the events for notices cannot be read: %s", error)
            except Exception:
                log.exception("the notices failed, and are retried")

    def check(self) -> None:
        """Read new events, and send a notice if one is due."""
        if not self._transports():
            self._clear_watermark()
            return
        now_ns = self._now_ns()
        watermark, summary = self._read(now_ns)
        notice = notice_of(watermark, summary, self._settings.events)
        if notice is None:
            self._first_s = None
            return
        now_s = now_ns / 1e9
        # A clock that was set back must not delay notices.
        self._first_s = now_s if self._first_s is None else min(self._first_s, now_s)
        self._not_before_s = min(self._not_before_s, now_s + LONGEST_RETRY_S)
        interval_s = self._settings.interval_min * 60
        if (
            wait_s(self._first_s, watermark.sent_ns / 1e9, now_s, interval_s, notice.urgent)
            or now_s < self._not_before_s
        ):
            return
        failed = {name: reasons for name, reasons in self._deliver(self._payload(notice)).items() if reasons}
        if len(failed) == len(self._transports()):
            self._failures += 1
            pause_s = min(RETRY_S * 2 ** (self._failures - 1), LONGEST_RETRY_S)
            self._not_before_s = now_s + pause_s
            reasons = "; ".join(map(str, failed.values()))
            log.warning("a notice was not delivered (%s); it is retried in %.0f s", reasons, pause_s)
            return
        if failed:
            log.warning("a notice was not delivered everywhere: %s", "; ".join(map(str, failed.values())))
        self._failures, self._first_s = 0, None
        to = NoticeWatermark(now_ns, now_ns, {root.path: root.state for root in summary.roots})
        self._store.write(lambda database: notifications.set_watermark(database, to))

    def _read(self, now_ns: int) -> tuple[NoticeWatermark, EventSummary]:
        with self._store.read() as database:
            watermark = notifications.read_watermark(database)
            if watermark is None or watermark.until_ns > now_ns:
                # This is the first start ever, or the clock was set back: start from now.
                watermark = NoticeWatermark(
                    now_ns, 0, {root.path: root.state for root in notifications.events_since(database, now_ns).roots}
                )
                is_new = True
            else:
                is_new = False
            summary = notifications.events_since(database, watermark.until_ns)
        if is_new:
            self._store.write(lambda db: notifications.set_watermark(db, watermark))
        return watermark, summary

    def _clear_watermark(self) -> None:
        """Clear the watermark: later notices start from that time."""
        with self._store.read() as database:
            watermark = notifications.read_watermark(database)
        if watermark is not None:
            self._store.write(notifications.clear_watermark)

    def _transports(self) -> list[str]:
        return [name for name in ("command", "webhook") if getattr(self._settings, name)]

    def _deliver(self, message: Mapping[str, Any]) -> dict[str, Message | None]:
        """Send by every transport. Returns the reason of each failure, None if the notification was delivered."""
        ended: dict[str, Message | None] = {}
        for name in self._transports():
            try:
                if name == "command":
                    run_program(self._settings.command, message, self._language, self._stop.is_set)
                else:
                    call_webhook(self._settings.webhook, message, self._settings.webhook_format, self._language)
                ended[name] = None
            except NotDelivered as error:
                ended[name] = error.message
        return ended

    def _payload(self, notice: Notice, is_test: bool = False) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return payload(notice, socket.gethostname(), VERSION, at, self._address, is_test)
