"""Pictures that take with them the process that handles them, or all of the service. By the names of files, or where a
task tells of none, by the width of the picture.

    python -m support.poisoned PYTHON -m daemon [ARGUMENT ...]

runs the program that is named behind it, `python -m daemon ...`, as if such pictures ended all of it.
"""

import os
import runpy
import signal
import sys

from daemon.jobs import scan, verifying
from daemon.processes.decoding import IndexTask, index_file
from daemon.processes.judging import PairTask, judge_pair
from index.model import Reading
from index.verification.verify import Judgement
from support.misbehaviour import crash, hang

POISON = b"poison"
WIDTH = 333


def index_or_kill(task: IndexTask) -> Reading:
    """Reads a file, unless it takes with it the service that the process belongs to."""
    if os.path.basename(task.path).startswith(POISON) and os.path.getsize(task.path):
        _kill_service()
    return index_file(task)


def judge_or_kill(task: PairTask) -> Judgement:
    """The same for a pair."""
    if _is_poison(task):
        _kill_service()
    return judge_pair(task)


def judge_or_crash(task: PairTask) -> Judgement:
    if _is_poison(task):
        crash(task)
    return judge_pair(task)


def judge_or_hang(task: PairTask) -> Judgement:
    if _is_poison(task):
        hang(task)
    return judge_pair(task)


def _is_poison(task: PairTask) -> bool:
    return WIDTH in (task.first_facts.width, task.second_facts.width)


def _kill_service() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


if __name__ == "__main__":
    from support import poisoned

    # By the name under which a decoding process finds it.
    scan.index_file = poisoned.index_or_kill
    verifying.judge_pair = poisoned.judge_or_kill
    _, _, _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
