"""Pictures that take with them the process that handles them, or all of the service. By the width of the picture, or
where that is not known yet, by the name of the file.

    python -m support.poisoned WHEN PYTHON -m daemon [ARGUMENT ...]

runs the program that is named behind it, `python -m daemon ...`, as if such pictures ended all of it when they are read
(`index`), seen (`view`), digested (`pixels`), described (`describe`), compared (`judge`) or made smaller (`compress`).
"""

import os
import runpy
import signal
import sys

from PIL import Image

from daemon.jobs import compress, feature_candidates, previews, scan_reading, verify_pairs
from daemon.processes.compress_task import CompressResult, CompressTask, compress_file
from daemon.processes.decode_task import IndexTask, PictureTask, index_file, make_preview, pixel_digest
from daemon.processes.verify_task import PairTask, describe_preview, verify_pair
from index.imaging.encoding.recompress import Skipped
from index.imaging.verification.verify import Judgement
from index.model import Reading
from support.misbehaviour import crash, hang

POISON = b"poison"
WIDTH = 333


def index_or_kill(task: IndexTask) -> Reading:
    """Reads a file, unless it takes with it the service that the process belongs to."""
    if os.path.basename(task.path).startswith(POISON) and os.path.getsize(task.path):
        _kill_service()
    return index_file(task)


def index_or_die(task: IndexTask) -> Reading:
    if os.path.basename(task.path).startswith(POISON):
        _kill_worker()
    return index_file(task)


def pixels_or_kill(task: PictureTask) -> bytes:
    if os.path.basename(task.path).startswith(POISON):
        _kill_service()
    return pixel_digest(task)


def pixels_or_die(task: PictureTask) -> bytes:
    if os.path.basename(task.path).startswith(POISON):
        _kill_worker()
    return pixel_digest(task)


def judge_or_kill(task: PairTask) -> Judgement:
    """The same for a pair."""
    if _is_poison(task):
        _kill_service()
    return verify_pair(task)


def judge_or_crash(task: PairTask) -> Judgement:
    if _is_poison(task):
        crash(task)
    return verify_pair(task)


def judge_or_hang(task: PairTask) -> Judgement:
    if _is_poison(task):
        hang(task)
    return verify_pair(task)


def view_or_kill(task: PictureTask) -> None:
    if _is_so_wide(task.path):
        _kill_service()
    make_preview(task)


def view_or_crash(task: PictureTask) -> None:
    if _is_so_wide(task.path):
        crash(task)
    make_preview(task)


def describe_or_kill(path: str) -> bytes:
    if _is_so_wide(path):
        _kill_service()
    return describe_preview(path)


def describe_or_crash(path: str) -> bytes:
    if _is_so_wide(path):
        crash(path)
    return describe_preview(path)


def describe_or_hang(path: str) -> bytes:
    if _is_so_wide(path):
        hang(path)
    return describe_preview(path)


def compress_or_kill(task: CompressTask) -> CompressResult | Skipped:
    if _is_so_wide(task.source.path):
        _kill_service()
    return compress_file(task)


def compress_or_die(task: CompressTask) -> CompressResult | Skipped:
    if _is_so_wide(task.source.path):
        _kill_worker()
    return compress_file(task)


def _is_poison(task: PairTask) -> bool:
    return WIDTH in (task.first_facts.width, task.second_facts.width)


def _is_so_wide(path: str | bytes) -> bool:
    with Image.open(os.fsdecode(path)) as picture:
        return picture.width == WIDTH


def _kill_service() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


def _kill_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    from support import poisoned

    # By the name under which a decoding process finds it.
    owner, name, function = {
        "index": (scan_reading, "index_file", poisoned.index_or_kill),
        "view": (previews, "make_preview", poisoned.view_or_kill),
        "pixels": (verify_pairs, "pixel_digest", poisoned.pixels_or_kill),
        "describe": (feature_candidates, "describe_preview", poisoned.describe_or_kill),
        "compress": (compress, "compress_file", poisoned.compress_or_kill),
        "judge": (verify_pairs, "verify_pair", poisoned.judge_or_kill),
    }[sys.argv[1]]
    setattr(owner, name, function)
    _, _, _, _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
