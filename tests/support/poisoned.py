"""Runs the program that is named behind this one, `python -m daemon ...`, as if some pictures ended all of it.

    python -m support.poisoned PYTHON -m daemon [ARGUMENT ...]
"""

import os
import runpy
import signal
import sys

from daemon.jobs import scan
from daemon.processes.decoding import IndexTask, index_file
from index.model import Reading

POISON = b"poison"


def index_or_kill(task: IndexTask) -> Reading:
    """Reads a file, unless it takes with it the service that the process belongs to."""
    if os.path.basename(task.path).startswith(POISON) and os.path.getsize(task.path):
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    return index_file(task)


if __name__ == "__main__":
    from support import poisoned

    # By the name under which a decoding process finds it.
    scan.index_file = poisoned.index_or_kill
    _, _, _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
