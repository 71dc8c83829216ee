"""What a worker process does with the messages that have arrived: stage by stage with several, or one by one."""

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from daemon.processes import worker
from daemon.processes.worker import Answer, alone, of_item, set_stages
from support.misbehaviour import same

done: list[str] = []


def begin(item: int) -> int:
    done.append(f"begin {item}")
    if item == 13:
        raise ValueError("no luck")
    return item


def end(item: int) -> int:
    done.append(f"end {item}")
    return -item


def both(item: int) -> int:
    return end(begin(item))


set_stages(both, begin, end)


@pytest.fixture(autouse=True)
def _nothing_done() -> Iterator[None]:
    done.clear()
    yield
    done.clear()


def answers(function: Callable[..., Any], items: list[Any]) -> list[list[Any]]:
    messages = [pickle.dumps((function, item)) for item in items]
    return [[pickle.loads(answer) for answer in together] for together in worker._answers(messages)]


def test_each_stage_is_applied_to_all_that_arrived() -> None:
    assert answers(both, [1, 2, 3]) == [[(Answer.DONE, -1), (Answer.DONE, -2), (Answer.DONE, -3)]]
    assert done == ["begin 1", "begin 2", "begin 3", "end 1", "end 2", "end 3"]


def test_items_with_keys_are_done_together_as_well() -> None:
    keyed = [("a", 1), ("b", 2)]
    assert answers(partial(of_item, both), keyed) == [[(Answer.DONE, -1), (Answer.DONE, -2)]]
    assert done == ["begin 1", "begin 2", "end 1", "end 2"]


def test_a_failure_in_a_stage_costs_one_item() -> None:
    ((first, failed, last),) = answers(both, [1, 13, 2])
    assert (first, last) == ((Answer.DONE, -1), (Answer.DONE, -2))
    assert failed[0] is Answer.FAILED
    assert "end 13" not in done


def test_no_more_than_some_are_done_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "TOGETHER_AT_MOST", 2)
    assert list(map(len, answers(both, [1, 2, 3, 4, 5]))) == [2, 2, 1]


def test_none_joins_those_that_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "TOGETHER_S", 0.0)
    assert answers(both, [1, 2]) == [[(Answer.DONE, -1)], [(Answer.DONE, -2)]]
    assert done == ["begin 1", "end 1", "begin 2", "end 2"]


def test_what_must_be_alone_is_done_alone() -> None:
    assert answers(alone, [(both, 1), (both, 2)]) == [[(Answer.DONE, -1)], [(Answer.DONE, -2)]]
    assert done == ["begin 1", "end 1", "begin 2", "end 2"]


def test_other_functions_are_applied_one_by_one() -> None:
    assert answers(same, [1, 2]) == [[(Answer.DONE, 1)], [(Answer.DONE, 2)]]


def test_a_message_that_cannot_be_read_is_answered_in_its_turn() -> None:
    messages = [pickle.dumps((both, 1)), b"no pickle", pickle.dumps((both, 2))]
    kinds = [[pickle.loads(answer)[0] for answer in together] for together in worker._answers(messages)]
    assert kinds == [[Answer.DONE], [Answer.UNUSABLE], [Answer.DONE]]
