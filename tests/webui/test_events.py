"""The streams of events: what they look at, how often, and that they share it."""

import pytest

from webui import events
from webui.events import EventStreams


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


class Index:
    """As much of a store as streams ask for: its revision."""

    revision = 1

    def wait_for_change(self, seen: int, _: float) -> int:
        return self.revision


class Looks:
    """A look at the topics that takes as long as `takes_s` says."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.takes_s = 0.0
        self.count = 0

    def __call__(self) -> dict[str, dict[str, int]]:
        self.count += 1
        self.clock.now_s += self.takes_s
        return {"en": {"looks": self.count}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(events, "time", made)
    return made


def test_all_streams_share_one_look(clock: Clock) -> None:
    looks = Looks(clock)
    streams = EventStreams(Index(), looks)  # type: ignore[arg-type]
    opened = [streams.open(lambda: False) for _ in range(3)]
    assert {next(stream) for stream in opened} == {b"retry: 3000\n\nevent: looks\ndata: 1\n\n"}
    assert looks.count == 1


def test_an_expensive_look_is_taken_seldom(clock: Clock) -> None:
    looks, index = Looks(clock), Index()
    streams = EventStreams(index, looks)  # type: ignore[arg-type]
    assert streams.topics() == (1, {"en": {"looks": 1}})
    assert streams.pause_s() == events.SHORTEST_PAUSE_S
    clock.now_s += events.SHORTEST_PAUSE_S
    looks.takes_s, index.revision = 2.0, 2
    assert streams.topics() == (2, {"en": {"looks": 2}})
    assert streams.pause_s() == 2.0 * events.PAUSE_FACTOR
    index.revision = 3
    clock.now_s += 10.0
    assert streams.topics() == (2, {"en": {"looks": 2}}), "not before its time"
    clock.now_s += 10.0
    assert streams.topics() == (3, {"en": {"looks": 3}})


def test_what_changes_during_a_look_is_looked_at_again(clock: Clock) -> None:
    index = Index()

    def look() -> dict[str, int]:
        index.revision += 1
        return {"revision": index.revision}

    streams = EventStreams(index, look)  # type: ignore[arg-type]
    assert streams.topics() == (1, {"revision": 2})
    clock.now_s += events.SHORTEST_PAUSE_S
    assert streams.topics() == (2, {"revision": 3})
