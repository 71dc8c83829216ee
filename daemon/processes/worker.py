"""The child's side of a worker process: receives (function, argument), answers with the value or a failure.

Imports as little as possible: a function is imported when it is first requested, by its reference.
"""

import contextlib
import pickle
import signal
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from daemon.malloc import hold_buffers
from daemon.processes.channel import Channel
from index import operating_system
from index.errors import PictureError
from index.messages import Message, text

NICENESS = 5
MESSAGE_LENGTH = 300


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
    with contextlib.suppress(EOFError, OSError):
        channel.send(b"")
        while True:
            for message in channel.receive():
                channel.send(_answer(message))


def of_item(function: Callable[[Any], Any], keyed: tuple[Any, Any]) -> Any:
    """Apply a function to the second part of a pair; the first is the key of the item."""
    return function(keyed[1])


def _answer(message: bytes) -> bytes:
    try:
        function, argument = pickle.loads(message)
    except Exception as error:  # noqa: BLE001 - a failed import, for any reason, is not the fault of a picture
        return pickle.dumps((Answer.UNUSABLE, _describe(error)))
    try:
        return pickle.dumps((Answer.DONE, function(argument)), pickle.HIGHEST_PROTOCOL)
    except PictureError as error:
        return pickle.dumps((Answer.FAILED, (error.reason, error.message)))
    except MemoryError:
        return pickle.dumps((Answer.FAILED, ("out_of_memory", Message("picture.out_of_memory"))))
    except Exception as error:  # noqa: BLE001 - any failure only fails this one file
        return pickle.dumps((Answer.FAILED, ("crashed", text(_describe(error)))))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
