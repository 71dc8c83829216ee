"""The child's side of a decoding process: takes (function, argument), answers with the value or why there is none.

Imports as little as it can: a function is imported when it is first asked for, by its reference.
"""

import contextlib
import ctypes
import os
import resource
import signal
from multiprocessing.connection import Connection

from index.errors import PictureError

PR_SET_PDEATHSIG = 1
NICENESS = 5


def serve(descriptor: int, memory_bytes: int, parent: int) -> None:
    """Answer until the other end is closed."""
    # A decoder that hangs never sees the pipe close; the kernel ends it with its parent.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(descriptor)
    while True:
        try:
            function, argument = connection.recv()
        except EOFError:
            return
        connection.send(_answer(function, argument))


def _answer(function: object, argument: object) -> tuple[bool, object]:
    try:
        return True, function(argument)  # type: ignore[operator]
    except PictureError as error:
        return False, (error.reason, error.message)
    except MemoryError:
        return False, ("out_of_memory", "needs more memory than a worker may use")
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs this one file
        return False, ("crashed", f"{type(error).__name__}: {error}"[:300])
