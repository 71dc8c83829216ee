"""Pictures that take with them the process that handles them, or all of the service. By the width of the picture, or
where nobody knows that yet, by the name of the file.

    python -m support.poisoned WHEN PYTHON -m daemon [ARGUMENT ...]

runs the program that is named behind it, `python -m daemon ...`, as if such pictures ended all of it when they are read
(`index`), seen (`view`), described (`describe`), compared (`judge`) or made smaller (`compress`).
"""

import os
import runpy
import signal
import sys

from PIL import Image

from daemon.jobs import compress, proposing, scan, verifying, views
from daemon.processes.compressing import CompressTask, Made, compress_file
from daemon.processes.decoding import IndexTask, PictureTask, index_file, make_view
from daemon.processes.judging import PairTask, describe_view, judge_pair
from index.encoding.recompress import Left
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


def view_or_kill(task: PictureTask) -> None:
    if _is_so_wide(task.path):
        _kill_service()
    make_view(task)


def view_or_crash(task: PictureTask) -> None:
    if _is_so_wide(task.path):
        crash(task)
    make_view(task)


def describe_or_kill(path: str) -> bytes:
    if _is_so_wide(path):
        _kill_service()
    return describe_view(path)


def describe_or_crash(path: str) -> bytes:
    if _is_so_wide(path):
        crash(path)
    return describe_view(path)


def describe_or_hang(path: str) -> bytes:
    if _is_so_wide(path):
        hang(path)
    return describe_view(path)


def compress_or_kill(task: CompressTask) -> Made | Left:
    if _is_so_wide(task.source.path):
        _kill_service()
    return compress_file(task)


def _is_poison(task: PairTask) -> bool:
    return WIDTH in (task.first_facts.width, task.second_facts.width)


def _is_so_wide(path: str | bytes) -> bool:
    with Image.open(os.fsdecode(path)) as picture:
        return picture.width == WIDTH


def _kill_service() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


if __name__ == "__main__":
    from support import poisoned

    # By the name under which a decoding process finds it.
    owner, name, function = {
        "index": (scan, "index_file", poisoned.index_or_kill),
        "view": (views, "make_view", poisoned.view_or_kill),
        "describe": (proposing, "describe_view", poisoned.describe_or_kill),
        "compress": (compress, "compress_file", poisoned.compress_or_kill),
        "judge": (verifying, "judge_pair", poisoned.judge_or_kill),
    }[sys.argv[1]]
    setattr(owner, name, function)
    _, _, _, _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
