"""A crash, a hang or a bomb costs the one file that caused it, and the pool goes on."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.processes import worker_pool
from daemon.processes.task_queue import Run
from daemon.processes.worker_pool import Outcome, WorkerLimits, WorkerPool, WorkersUnavailable
from daemon.remote_workers import lendable
from index.errors import PictureError
from support import lent_orders, misbehaviour
from support.lending import HeldBack, Lending
from support.misbehaviour import obey, obey_in_stages, same

LIMITS = WorkerLimits(time_limit_s=30, memory_bytes=2**30)


def value_or_failure(outcome: Outcome[Any, Any]) -> Any:
    return outcome.value if outcome.failure is None else outcome.failure.reason


def run(pool: WorkerPool, orders: list[tuple[str, Any]], how: Callable[[Any], Any] = obey) -> list[Any]:
    """What each order came to, in the order given."""
    ends = {id(outcome.item): value_or_failure(outcome) for outcome in pool.run(how, orders)}
    return [ends[id(order)] for order in orders]


@pytest.fixture
def single() -> Iterator[WorkerPool]:
    with WorkerPool(1, LIMITS) as pool:
        yield pool


@pytest.fixture(scope="module")
def lending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lending]:
    with pytest.MonkeyPatch.context() as patch:
        for name, work in lent_orders.ORDERS.items():
            patch.setitem(lendable.WORKS, name, work)  # type: ignore[arg-type]
        made = Lending(tmp_path_factory.mktemp("lent"), HeldBack(1, LIMITS), code=lent_orders.JOIN)
        made.start("worker")
        yield made
        made.close()


@pytest.fixture(scope="module")
def lent(lending: Lending) -> WorkerPool:
    """A pool whose tasks are done by a process of another machine, and at home where it cannot."""
    return lending.pool


@pytest.fixture(params=["processes", "lent"])
def either(request: pytest.FixtureRequest) -> WorkerPool:
    """What holds for a pool holds for one that lends."""
    found: WorkerPool = request.getfixturevalue("single" if request.param == "processes" else "lent")
    return found


def test_what_is_lent_is_done_by_the_other_machine(lent: WorkerPool, lending: Lending) -> None:
    before = lending.done().get("worker", 0)
    list(lent.run(same, range(1000)))
    assert lending.done()["worker"] > before


def test_every_item_is_answered_once(either: WorkerPool) -> None:
    outcomes = list(either.run(same, range(1000)))
    assert sorted(outcome.item for outcome in outcomes) == list(range(1000))
    assert all(outcome.value == outcome.item for outcome in outcomes)


def test_a_pool_whose_threads_start_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    start = threading.Thread.start

    def watched(thread: threading.Thread) -> None:
        seen.append(pool.alive)
        start(thread)
        seen.append(pool.alive)

    with WorkerPool(2, LIMITS) as pool:
        monkeypatch.setattr(threading.Thread, "start", watched)
        assert pool.call(same, 1) == 1
    assert seen == [True] * 4


def test_nothing_to_do(either: WorkerPool) -> None:
    assert list(either.run(same, [])) == []


def test_items_are_taken_as_needed(pool: WorkerPool) -> None:
    endless = itertools.count()
    outcomes = pool.run(same, endless)
    assert len(list(itertools.islice(outcomes, 50))) == 50
    outcomes.close()
    assert next(endless) <= 50 + 4 * worker_pool.AHEAD_AT_MOST * pool.count


def test_an_error_in_the_items_reaches_the_caller(either: WorkerPool) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError):
        list(either.run(same, items()))
    assert either.call(same, 2) == 2


def test_several_callers_share_the_pool(either: WorkerPool) -> None:
    results: dict[int, list[int]] = {}

    def work(number: int) -> None:
        results[number] = sorted(o.value for o in either.run(same, range(number, number + 300)))

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {1000 * n: list(range(1000 * n, 1000 * n + 300)) for n in range(4)}


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (("crash", None), "crashed"),
        (("exit", 3), "crashed"),
        (("eat", 2**31), "out_of_memory"),
        (("fail", "a broken scan"), "corrupt"),
        (("raise", ZeroDivisionError("in a decoder")), "crashed"),
        (("unanswerable", 1), "crashed"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_a_failure_costs_one_item(either: WorkerPool, order: tuple[str, Any], reason: str) -> None:
    before = [("answer", number) for number in range(5)]
    after = [("answer", number) for number in range(5, 40)]
    assert run(either, [*before, order, *after]) == [*range(5), reason, *range(5, 40)]
    assert either.alive


class Clock:
    """The pool's clock, put forward by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(worker_pool, "time", made)
    return made


@pytest.mark.parametrize("what", ["hang", "spin"])
def test_a_hang_costs_one_item(clock: Clock, single: WorkerPool, what: str) -> None:
    outcomes = single.run(obey, [("answer", 1), (what, None), ("answer", 2)])
    seen = [value_or_failure(next(outcomes))]
    clock.now_s += LIMITS.time_limit_s + 1
    assert seen + [value_or_failure(outcome) for outcome in outcomes] == [1, "timed_out", 2]


def test_the_time_limit_is_for_each_item_not_for_all_that_wait(
    clock: Clock, single: WorkerPool, tmp_path: Path
) -> None:
    slow = [("wait for", str(tmp_path / str(number))) for number in range(5)]
    outcomes = single.run(obey, slow)
    for _, path in slow:
        Path(path).touch()
        assert value_or_failure(next(outcomes)) == path
        clock.now_s += LIMITS.time_limit_s - 1


@pytest.mark.parametrize("name", ["single", pytest.param("lent", marks=pytest.mark.slow)])
def test_many_bad_items_cost_themselves_only(request: pytest.FixtureRequest, name: str) -> None:
    orders = [("exit", 1) if number % 7 == 3 else ("answer", number) for number in range(24)]
    assert run(request.getfixturevalue(name), orders) == ["crashed" if n % 7 == 3 else n for n in range(24)]


def test_bad_items_among_those_done_together_cost_themselves_only(single: WorkerPool) -> None:
    bad = {3: ("exit", 1), 9: ("raise", ValueError("odd")), 10: ("fail", "broken"), 17: ("crash", None)}
    orders = [bad.get(number, ("answer", number)) for number in range(24)]
    reasons = {3: "crashed", 9: "crashed", 10: "corrupt", 17: "crashed"}
    assert run(single, orders, obey_in_stages) == [reasons.get(number, number) for number in range(24)]
    assert single.losses == {"crashed": 6}, "at first it may be another one, then chance"


def test_good_items_among_those_done_together_survive_two_kills(single: WorkerPool, tmp_path: Path) -> None:
    orders = [("answer", 0), ("killed twice", str(tmp_path / "mark")), ("answer", 1), ("answer", 2)]
    assert run(single, orders, obey_in_stages) == [0, "third time", 1, 2]


def test_a_hang_among_those_done_together_costs_one_item(clock: Clock, single: WorkerPool, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    orders = [("answer", 1), ("append", (str(begun), "first")), ("hang", None), *(("answer", n) for n in range(20))]
    ended = threading.Event()

    def let_time_pass() -> None:
        while not ended.wait(0.3):
            if begun.exists():
                clock.now_s += LIMITS.time_limit_s + 1

    passing = threading.Thread(target=let_time_pass)
    passing.start()
    try:
        assert run(single, orders, obey_in_stages) == [1, "first", "timed_out", *range(20)]
    finally:
        ended.set()
        passing.join()


def test_what_was_killed_from_outside_together_with_others_is_tried_again(single: WorkerPool, tmp_path: Path) -> None:
    orders = [("answer", 0), ("killed once", str(tmp_path / "mark")), ("answer", 1), ("answer", 2)]
    assert run(single, orders, obey_in_stages) == [0, "second time", 1, 2]


def test_what_was_killed_from_outside_is_tried_again(either: WorkerPool, tmp_path: Path) -> None:
    assert run(either, [("killed once", str(tmp_path / "mark")), ("answer", 1)]) == ["second time", 1]


def test_a_process_killed_while_idle_is_replaced(single: WorkerPool) -> None:
    first = single.call(misbehaviour.process_id, None)
    os.kill(first, signal.SIGKILL)
    assert single.call(misbehaviour.process_id, None) != first


def test_a_failure_is_raised_by_call(either: WorkerPool) -> None:
    with pytest.raises(PictureError, match="a broken scan") as caught:
        either.call(obey, ("fail", "a broken scan"))
    assert caught.value.reason == "corrupt"


def test_a_call_goes_before_what_waits(single: WorkerPool, tmp_path: Path) -> None:
    gate, order = tmp_path / "gate", tmp_path / "order"
    items = [("wait for", str(gate))] + [("append", (str(order), number)) for number in range(20)]
    outcomes = single.run(obey, items)
    seen: list[Any] = []
    running = threading.Thread(target=lambda: seen.extend(value_or_failure(o) for o in outcomes))
    calling = threading.Thread(target=lambda: single.call(obey, ("append", (str(order), "now"))))
    running.start()
    while len(single.queue.tasks) != 20:  # the first item is being waited for and the others are behind it
        time.sleep(0.005)
    calling.start()
    while len(single.queue.tasks) != 21:
        time.sleep(0.005)
    gate.touch()
    calling.join()
    running.join()
    assert order.read_text().split() == ["now", *map(str, range(20))]
    assert len(seen) == 21


def test_closing_the_outcomes_leaves_the_rest_undone(either: WorkerPool, tmp_path: Path) -> None:
    notes = [("note", str(tmp_path / str(number))) for number in range(1000)]
    outcomes = either.run(obey, notes)
    next(outcomes)
    outcomes.close()
    assert either.call(same, "after") == "after"
    assert len(list(tmp_path.iterdir())) < 200


def test_who_waits_gets_the_error_that_the_pool_is_closed() -> None:
    pool = WorkerPool(2, LIMITS)
    outcomes = pool.run(obey, [("answer", 1), *[("hang", None)] * 5])
    assert value_or_failure(next(outcomes)) == 1
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            next(outcomes)
        except WorkersUnavailable as error:
            caught.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    pool.close()
    waiting.join()
    assert len(caught) == 1
    assert not pool.alive
    with pytest.raises(WorkersUnavailable):
        pool.call(same, 1)


def test_a_process_that_cannot_load_what_it_is_to_do_blames_no_file() -> None:
    with WorkerPool(1, LIMITS) as pool:
        with pytest.raises(WorkersUnavailable, match="no such decoder"):
            list(pool.run(same, [misbehaviour.Unreadable()]))
        assert not pool.alive


def test_processes_that_cannot_be_started_blame_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(worker_pool, "START_PAUSES_S", (0.0,))
    with WorkerPool(1, LIMITS) as pool:
        with pytest.raises(WorkersUnavailable, match="/nowhere/python"):
            list(pool.run(same, [1, 2, 3]))
        assert not pool.alive


def test_an_item_that_cannot_be_sent_is_the_callers_error(either: WorkerPool) -> None:
    with pytest.raises(Exception, match="pickle"):
        list(either.run(same, [lambda: None]))  # type: ignore[arg-type, return-value]
    assert either.call(same, 1) == 1


def test_items_larger_than_the_socket_holds(either: WorkerPool) -> None:
    items = [bytes([number]) * 2**20 for number in range(5)]
    assert sorted(o.value for o in either.run(same, items)) == items


def test_an_idle_process_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "IDLE_S", 0.05)
    with WorkerPool(1, LIMITS) as pool:
        first = pool.call(misbehaviour.process_id, None)
        while Path(f"/proc/{first}").exists():
            time.sleep(0.005)
        assert pool.call(misbehaviour.process_id, None) != first


def test_a_worker_is_nice_and_deaf_to_ctrl_c(single: WorkerPool) -> None:
    niceness, deaf = single.call(misbehaviour.is_nice, None)
    assert (niceness > os.nice(0) or niceness == 19) and deaf


def test_opencv_uses_one_thread_in_a_worker(single: WorkerPool) -> None:
    assert single.call(misbehaviour.opencv_threads, None) == 1


def test_a_worker_imports_what_it_is_asked_for_only(single: WorkerPool) -> None:
    names = ("numpy", "PIL", "cv2", "peewee", "bottle", "multiprocessing")
    assert single.call(misbehaviour.loaded, names) == []


@pytest.mark.parametrize("order", ["hang", "spin"])
def test_workers_end_with_their_parent(order: str, tmp_path: Path) -> None:
    parent = """
import sys
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from support.misbehaviour import obey, process_id
pool = WorkerPool(1, WorkerLimits())
print(pool.call(process_id, None), flush=True)
pool.call(obey, (sys.argv[1], None))
"""
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parents[3])])
    with subprocess.Popen(
        [sys.executable, "-c", parent, order], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    while Path(f"/proc/{worker}").exists() and " Z " not in Path(f"/proc/{worker}/stat").read_text():
        time.sleep(0.005)


def test_items_of_one_lane_go_to_one_process_as_long_as_it_has_the_time() -> None:
    with WorkerPool(2, LIMITS) as pool:
        waiting = Run()
        first, second = (worker_pool._WorkerHandle(LIMITS, lane) for lane in (0, 1))
        first.ahead = second.ahead = 3
        pool.queue.tasks.extend(waiting.task(same, number, number % 2) for number in range(6))
        assert [task.item for task in pool._pick(first)] == [0, 2, 4]
        assert [task.item for task in pool._pick(first)] == [1, 3], "it waits for none while there is work"
        assert [task.item for task in pool._pick(second)] == [5]
