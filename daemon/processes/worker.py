"""The child's side of a decoding process: takes (function, argument), answers with the value or why there is none.

Imports as little as it can: a function is imported when it is first asked for, by its reference.
"""

import contextlib
import ctypes
import os
import pickle
import resource
import signal
import socket
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from daemon.processes.channel import Channel
from index.errors import PictureError

PR_SET_PDEATHSIG = 1
NICENESS = 5
MESSAGE_LENGTH = 300


class Answer(IntEnum):
    """What the first part of an answer says of the second."""

    DONE = 0  # the value
    FAILED = 1  # a reason and a message: it is the item's fault
    UNUSABLE = 2  # a message: this process could not even look at the item


def serve(descriptor: int, memory_bytes: int, parent: int) -> None:
    """Say that it is ready, then answer until the other end is closed."""
    # A decoder that hangs never sees the socket close; the kernel ends it with the thread that started it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    # Where the machine itself runs out of memory, this is what the kernel should end, not the service.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    channel = Channel(socket.socket(fileno=descriptor))
    with contextlib.suppress(EOFError, OSError):
        channel.send(b"")
        while True:
            for message in channel.receive():
                channel.send(_answer(message))


def of_item(function: Callable[[Any], Any], named: tuple[int, Any]) -> Any:
    """Apply a function to an item that comes behind a number."""
    return function(named[1])


def _answer(message: bytes) -> bytes:
    try:
        function, argument = pickle.loads(message)
    except Exception as error:  # noqa: BLE001 - an import that fails, for whatever reason, is nobody's picture
        return pickle.dumps((Answer.UNUSABLE, _told(error)))
    try:
        return pickle.dumps((Answer.DONE, function(argument)), pickle.HIGHEST_PROTOCOL)
    except PictureError as error:
        return pickle.dumps((Answer.FAILED, (error.reason, error.message)))
    except MemoryError:
        return pickle.dumps((Answer.FAILED, ("out_of_memory", "needs more memory than a worker may use")))
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs this one file
        return pickle.dumps((Answer.FAILED, ("crashed", _told(error))))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
