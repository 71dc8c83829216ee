"""Server-sent events: what is new, told to pages as soon as it is committed. One web thread for each open stream.

A stream sleeps until the index changes, looks at every topic and sends those that differ from what it sent last: a
client that was away misses nothing, and a burst of changes costs one look, which all streams share. The number of
streams is bounded, because each holds a thread; so is their life, because a connection may die without a word.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from index.errors import StoreClosed
from index.store import Store
from webui.refusals import Refusal

STREAMS_AT_MOST = 8
HEARTBEAT_S = 12.0
LIFETIME_S = 15 * 60.0
# Nobody sees more than two changes a second.
SHORTEST_PAUSE_S = 0.5
# A look sums up the groups. Pages that are left open are worth a tenth of a processor at most, however many those are.
PAUSE_FOR_A_LOOK = 9.0
# How long a stream may take to notice that the service stops or its reader is gone.
LONGEST_WAIT_S = 1.0


class EventStreams:
    """The open streams of one app."""

    def __init__(self, store: Store, look: Callable[[], Mapping[str, Any]], lifetime_s: float = LIFETIME_S) -> None:
        """`look` gives every topic with its present state as plain data."""
        self.store = store
        self.lifetime_s = lifetime_s
        self.stopping = threading.Event()
        self._places = threading.BoundedSemaphore(STREAMS_AT_MOST)
        self._look = look
        self._looking = threading.Lock()
        self._seen: tuple[int, Mapping[str, Any]] = (-1, {})
        self._next_look_s = 0.0

    def open(self, gone: Callable[[], bool]) -> "EventStream":
        """A new stream, until its reader is `gone`. Raises Refusal with 503 when there are too many; the page then
        asks now and then instead."""
        if self.stopping.is_set() or not self._places.acquire(blocking=False):
            raise Refusal(
                503,
                "too_many_streams",
                f"{STREAMS_AT_MOST} pages are following already.",
                "Ask for the status now and then instead.",
                headers={"Retry-After": "30"},
            )
        return EventStream(self, gone, self._places.release)

    def close(self) -> None:
        """End every stream within a second, and refuse new ones."""
        self.stopping.set()

    def pause_s(self) -> float:
        """How long it is until the topics are looked at again."""
        return max(0.0, self._next_look_s - time.monotonic())

    def topics(self) -> tuple[int, Mapping[str, Any]]:
        """Every topic, and the revision of the store at which it was looked at: before the pause is over, the last."""
        with self._looking:
            start_s = time.monotonic()
            if start_s >= self._next_look_s:
                # Taken before the look: what is committed meanwhile is looked at again.
                revision = self.store.revision
                self._seen = revision, self._look()
                end_s = time.monotonic()
                self._next_look_s = end_s + max(SHORTEST_PAUSE_S, PAUSE_FOR_A_LOOK * (end_s - start_s))
            return self._seen


class EventStream:
    """The bytes of one stream; whoever iterates over it closes it."""

    def __init__(self, streams: EventStreams, gone: Callable[[], bool], release: Callable[[], None]) -> None:
        self._streams = streams
        self._gone = gone
        self._release: Callable[[], None] | None = release
        self._sent: dict[str, Any] = {}
        self._revision = -1
        self._ends_s = time.monotonic() + streams.lifetime_s

    def __iter__(self) -> "EventStream":
        return self

    def __next__(self) -> bytes:
        """The next events, or a comment as a sign of life; StopIteration when the stream has lived long enough."""
        quiet_until_s = time.monotonic() + HEARTBEAT_S
        store, stopping = self._streams.store, self._streams.stopping
        try:
            while not stopping.is_set() and not self._gone() and time.monotonic() < self._ends_s:
                if store.wait_for_change(self._revision, LONGEST_WAIT_S) > self._revision:
                    # Who has just come is told at once how things were a moment ago.
                    if self._revision >= 0 and stopping.wait(self._streams.pause_s()):
                        break
                    news = self._news()
                    if news:
                        return news
                if time.monotonic() >= quiet_until_s:
                    return b": still here\n\n"
        except StoreClosed:
            pass
        raise StopIteration

    def close(self) -> None:
        """Give the place back. May be called again."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def _news(self) -> bytes:
        greeting = b"retry: 3000\n\n" if self._revision < 0 else b""
        self._revision, now = self._streams.topics()
        changed = {topic: state for topic, state in now.items() if self._sent.get(topic) != state}
        self._sent = dict(now)
        return greeting + b"".join(
            f"event: {topic}\ndata: {json.dumps(state)}\n\n".encode() for topic, state in changed.items()
        )
