"""The child's side of a worker process: receives (function, argument), answers with the value or a failure.

Imports as little as possible: a function is imported when it is first requested, by its reference.

A function may be in stages (`set_stages`). A stage is applied to several items that have arrived before the next one
is: the code and tables of one stage fit into the caches of a processor, those of all stages do not.
"""

import contextlib
import gc
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import Any, Final

from daemon.malloc import hold_buffers
from daemon.processes.channel import Channel
from index import operating_system
from index.errors import PictureError
from index.messages import Message, text

NICENESS = 5
MESSAGE_LENGTH = 300
# At most this many items go through the stages together. With 16, a small file takes as long as with 8.
TOGETHER_AT_MOST: Final = 8
# No further item joins them after this time in the first stage, so that they take little longer than the slowest of
# them would alone: the time limit is for each.
TOGETHER_S: Final = 0.05

# One thread each: the processes are the parallelism, and threads of BLAS, OpenCV or oxipng would fight over the same
# cores.
THREAD_COUNTS: Final = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "OPENCV_FOR_THREADS_NUM",
)  # fmt: skip
SINGLE_THREADED: Final = dict.fromkeys(THREAD_COUNTS, "1")

Function = Callable[[Any], Any]

_stages: Final[dict[Function, tuple[Function, ...]]] = {}


class Answer(IntEnum):
    """The first part of an answer: what the second part is."""

    DONE = 0  # the value
    FAILED = 1  # a reason and a message: the item is at fault
    UNUSABLE = 2  # a message: this process cannot process any item


def serve(descriptor: int, memory_bytes: int, parent: int) -> None:
    """Report that it is ready, then answer until the other end is closed."""
    # A decoder that hangs never sees the socket close; the kernel kills it with the thread that started it.
    operating_system.die_with_parent()
    if not operating_system.is_child_of(parent):
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    operating_system.be_nice(NICENESS)
    # If the machine runs out of memory, the kernel should kill this process, not the service.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")
    operating_system.limit_address_space(memory_bytes)
    hold_buffers()
    channel = Channel(operating_system.passed_socket(descriptor))
    # The first task imports hundreds of modules. To look for garbage among them takes a tenth of that time, each time.
    gc.disable()
    with contextlib.suppress(EOFError, OSError):
        channel.send(b"")
        while True:
            for answers in _answers(channel.receive()):
                channel.send(*answers)
            if not gc.isenabled():
                gc.freeze()
                gc.enable()


def set_stages(function: Function, *stages: Function) -> None:
    """Declare that a function does what these do, each applied to the result of the one before. Only the first may use
    decoders and files: what takes a process with it is searched for among all items that were together."""
    _stages[function] = stages


def is_staged(function: Function) -> bool:
    """Whether a process may apply a function to several items together."""
    return bool(_stages_of(function))


def alone(work: tuple[Function, Any]) -> Any:
    """Apply a function to an item, in no case together with others."""
    function, item = work
    return function(item)


def of_item(function: Callable[[Any], Any], keyed: tuple[Any, Any]) -> Any:
    """Apply a function to the second part of a pair; the first is the key of the item."""
    return function(keyed[1])


def _stages_of(function: Any) -> tuple[Function, ...]:
    return _stages.get(function.args[0] if _is_of_items(function) else function, ())


def _is_of_items(function: Any) -> bool:
    return getattr(function, "func", None) is of_item


def _answers(messages: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The answers to messages, in order; those to items that were together in one list."""
    works = deque(map(_work_of, messages))
    while works:
        function, argument = works.popleft()
        stages = _stages_of(function)
        if function is None:
            yield [argument]
        elif not stages:
            yield [_pickled(_applied(function, argument))]
        else:
            yield _answers_together(stages, function, argument, works)


def _answers_together(
    stages: Sequence[Function], function: Function, argument: Any, works: deque[tuple[Any, Any]]
) -> list[bytes]:
    """The answers for an item and those after it that go through the same stages, which are taken from `works`."""
    until_s = time.monotonic() + TOGETHER_S
    found = [_applied(stages[0], argument[1] if _is_of_items(function) else argument)]
    while works and len(found) < TOGETHER_AT_MOST and time.monotonic() < until_s:
        function, argument = works[0]
        if _stages_of(function) is not stages:
            break
        works.popleft()
        found.append(_applied(stages[0], argument[1] if _is_of_items(function) else argument))
    for stage in stages[1:]:
        found = [_applied(stage, value) if kind is Answer.DONE else (kind, value) for kind, value in found]
    return [_pickled(answer) for answer in found]


def _work_of(message: bytes) -> tuple[Any, Any]:
    """The function and the argument of a message; None and the answer if they cannot be loaded."""
    try:
        function, argument = pickle.loads(message)
        return function, argument
    except Exception as error:  # noqa: BLE001 - a failed import, for any reason, is not the fault of a picture
        return None, pickle.dumps((Answer.UNUSABLE, _describe(error)))


def _applied(function: Function, argument: Any) -> tuple[Answer, Any]:
    """The value of a function, or its failure."""
    try:
        return Answer.DONE, function(argument)
    except PictureError as error:
        return Answer.FAILED, (error.reason, error.message)
    except MemoryError:
        return Answer.FAILED, ("out_of_memory", Message("picture.out_of_memory"))
    except Exception as error:  # noqa: BLE001 - any failure only fails this one file
        return Answer.FAILED, ("crashed", text(_describe(error)))


def _pickled(answer: tuple[Answer, Any]) -> bytes:
    kind, pickled = _applied(lambda value: pickle.dumps(value, pickle.HIGHEST_PROTOCOL), answer)
    return pickled if kind is Answer.DONE else pickle.dumps((kind, pickled))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
