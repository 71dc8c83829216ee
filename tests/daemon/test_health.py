"""A writer or a runner that hangs is distinguished from one that works, and from an index that is only locked."""

from concurrent.futures import Future

import pytest

from daemon.health import ASK_EVERY_S, RUNNER_LIMIT_S, WRITER_LIMIT_S, HealthMonitor
from index.errors import StoreClosed, StoreError
from index.messages import text


class Parts:
    """A writer and a runner by hand, and the clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.silence_s = 0.0
        self.asked: list[Future[None]] = []
        self.vitals = HealthMonitor(self.ask, lambda: self.silence_s, clock=lambda: self.now_s)

    def ask(self) -> "Future[None]":
        self.asked.append(Future())
        return self.asked[-1]

    def after(self, seconds: float) -> dict[str, str]:
        self.now_s += seconds
        self.vitals.check()
        return dict(self.vitals.problems)


def test_a_writer_that_answers_is_well_and_asked_now_and_then() -> None:
    parts = Parts()
    assert parts.after(1) == {}
    assert parts.asked == []
    for round_trip in range(1, 4):
        assert parts.after(ASK_EVERY_S) == {}
        assert len(parts.asked) == round_trip
        parts.asked[-1].set_result(None)
    assert not parts.vitals.hangs


def test_a_writer_that_does_not_answer_hangs_until_it_does(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts()
    parts.after(ASK_EVERY_S)
    assert parts.after(WRITER_LIMIT_S) == {}
    assert "index" in parts.after(1)
    assert parts.vitals.hangs
    parts.after(1)
    assert caplog.text.count("is not working") == 1
    parts.asked[-1].set_result(None)
    assert parts.after(1) == {}
    assert not parts.vitals.hangs
    assert "works again" in caplog.text


def test_a_locked_index_is_trouble_but_nothing_that_a_new_start_would_repair() -> None:
    parts = Parts()
    parts.after(ASK_EVERY_S)
    parts.asked[-1].set_exception(StoreError(text("the index is locked")))
    assert parts.after(1) == {"index": "the index is locked"}
    assert not parts.vitals.hangs
    assert parts.after(ASK_EVERY_S / 2) == {"index": "the index is locked"}
    parts.after(ASK_EVERY_S / 2)
    parts.asked[-1].set_result(None)
    assert parts.after(1) == {}


def test_a_closed_index_is_trouble() -> None:
    def refuse() -> "Future[None]":
        raise StoreClosed("The index is closed.")

    health = HealthMonitor(refuse, lambda: 0.0, clock=iter([0.0, ASK_EVERY_S]).__next__)
    health.check()
    assert health.problems == {"index": "The index is closed."}


def test_a_runner_that_is_silent_hangs() -> None:
    parts = Parts()
    parts.silence_s = RUNNER_LIMIT_S
    assert parts.after(1) == {}
    parts.silence_s += 1
    assert set(parts.after(1)) == {"jobs"}
    assert parts.vitals.hangs
    parts.silence_s = 0
    assert parts.after(1) == {}
