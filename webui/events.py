"""Server-sent events: changes of the index, sent to pages as soon as they are committed. Each stream uses a web thread.

A stream sleeps until the index changes. It then reads the state of every topic, and sends the topics that differ from
those it sent last. So a client that was disconnected misses nothing, and a burst of changes is read once, for all
streams. The number of streams is limited, since each occupies a thread. Their lifetime is limited, too, since a
connection may die unnoticed.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from index.database.store import Store
from index.errors import StoreClosed
from index.messages import LANGUAGES
from webui.http_errors import HttpError

STREAMS_AT_MOST = 8
HEARTBEAT_S = 12.0
LIFETIME_S = 15 * 60.0
# More than two updates a second would be invisible.
SHORTEST_PAUSE_S = 0.5
# Reading the topics sums up all groups. Pausing 9 times as long limits this to a tenth of a core, however many pages
# are open.
PAUSE_FACTOR = 9.0
# How long a stream may take to notice that the service is stopping or its client has disconnected.
LONGEST_WAIT_S = 1.0


class EventStreams:
    """The open streams of one app."""

    def __init__(
        self, store: Store, read_topics: Callable[[], Mapping[str, Mapping[str, Any]]], lifetime_s: float = LIFETIME_S
    ) -> None:
        """`read_topics` returns, by language, every topic with its present state as plain data."""
        self.store = store
        self.lifetime_s = lifetime_s
        self.stopping = threading.Event()
        self._slots = threading.BoundedSemaphore(STREAMS_AT_MOST)
        self._read_topics = read_topics
        self._lock = threading.Lock()
        self._last: tuple[int, Mapping[str, Mapping[str, Any]]] = (-1, {})
        self._next_read_s = 0.0

    def open(self, gone: Callable[[], bool], language: str = LANGUAGES[0]) -> "EventStream":
        """Open a stream in a language, until its client is `gone`. Raises HttpError with 503 if there are too many
        streams; the page then polls instead."""
        if self.stopping.is_set() or not self._slots.acquire(blocking=False):
            raise HttpError(
                503, "too_many_streams", "rest.too_many_streams", n=STREAMS_AT_MOST, headers={"Retry-After": "30"}
            )
        return EventStream(self, gone, self._slots.release, language)

    def close(self) -> None:
        """End every stream within a second, and refuse new ones."""
        self.stopping.set()

    def pause_s(self) -> float:
        """The time until the topics are read again, in seconds."""
        return max(0.0, self._next_read_s - time.monotonic())

    def topics(self) -> tuple[int, Mapping[str, Mapping[str, Any]]]:
        """The state of every topic by language, and the revision of the store at which it was read. It is read again
        after a pause."""
        with self._lock:
            start_s = time.monotonic()
            if start_s >= self._next_read_s:
                # Taken before reading, so that a change committed meanwhile causes another read.
                revision = self.store.revision
                self._last = revision, self._read_topics()
                end_s = time.monotonic()
                self._next_read_s = end_s + max(SHORTEST_PAUSE_S, PAUSE_FACTOR * (end_s - start_s))
            return self._last


class EventStream:
    """The bytes of one stream; the WSGI server iterates over it and closes it."""

    def __init__(
        self, streams: EventStreams, gone: Callable[[], bool], release: Callable[[], None], language: str
    ) -> None:
        self._streams = streams
        self._gone = gone
        self._language = language
        self._release: Callable[[], None] | None = release
        self._sent: dict[str, Any] = {}
        self._revision = -1
        self._ends_s = time.monotonic() + streams.lifetime_s

    def __iter__(self) -> "EventStream":
        return self

    def __next__(self) -> bytes:
        """The next events, or a comment as a heartbeat; StopIteration at the end of the stream's lifetime."""
        quiet_until_s = time.monotonic() + HEARTBEAT_S
        store, stopping = self._streams.store, self._streams.stopping
        try:
            while not stopping.is_set() and not self._gone() and time.monotonic() < self._ends_s:
                if store.wait_for_change(self._revision, LONGEST_WAIT_S) > self._revision:
                    # A new client gets the latest state at once, without the pause.
                    if self._revision >= 0 and stopping.wait(self._streams.pause_s()):
                        break
                    news = self._new_events()
                    if news:
                        return news
                if time.monotonic() >= quiet_until_s:
                    return b": still here\n\n"
        except StoreClosed:
            pass
        raise StopIteration

    def close(self) -> None:
        """Release the slot of the stream. May be called again."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def _new_events(self) -> bytes:
        greeting = b"retry: 3000\n\n" if self._revision < 0 else b""
        self._revision, by_language = self._streams.topics()
        now = by_language[self._language]
        changed = {topic: state for topic, state in now.items() if self._sent.get(topic) != state}
        self._sent = dict(now)
        return greeting + b"".join(
            f"event: {topic}\ndata: {json.dumps(state)}\n\n".encode() for topic, state in changed.items()
        )
