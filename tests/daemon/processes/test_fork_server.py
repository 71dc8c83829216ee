"""Processes that a fork server starts are as well isolated as others, and import nothing."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from daemon.processes.fork_server import ForkServer
from index import operating_system

pytestmark = pytest.mark.skipif(not operating_system.IS_LINUX, reason="other systems start processes on their own")

TESTS = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "support.forked_orders"]


def results(*works: tuple[str, list[Any]], count: int = 1) -> list[Any]:
    """What the orders came to, and last the number of processes that were lost."""
    places = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    command = [*COMMAND, str(count), json.dumps(works)]
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": places}
    )
    assert ran.returncode == 0, ran.stderr
    found: list[Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (("crash", None), "crashed"),
        (("exit", 3), "crashed"),
        (("hang", None), "timed_out"),
        (("eat", 2**33), "out_of_memory"),
        (("fail", "a broken scan"), "corrupt"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_a_failure_costs_one_item(order: tuple[str, Any], reason: str) -> None:
    before, after = [("answer", number) for number in range(5)], [("answer", number) for number in range(5, 40)]
    (ends, _) = results(("obey", [*before, order, *after]))
    assert ends == [*range(5), reason, *range(5, 40)]


def test_a_process_has_the_modules_and_not_the_files_of_the_program() -> None:
    ((modules,), (files,), (nice,), (threads,), lost) = results(
        ("loaded", [["numpy", "cv2"]]), ("open_files", [0]), ("is_nice", [0]), ("opencv_threads", [0])
    )
    assert modules == ["numpy", "cv2"]
    # The standard streams, the socket to the program, and the descriptor with which they are listed.
    assert files == 5
    assert nice[0] >= 5 and nice[1]
    assert (threads, lost) == (1, 0)


def test_several_processes_work_side_by_side() -> None:
    (ids, ends, _) = results(("process_id", list(range(200))), ("same", list(range(500))), count=2)
    assert len(set(ids)) == 2
    assert ends == list(range(500))


def test_without_its_server_a_process_is_started_on_its_own() -> None:
    (before, after, lost) = results(("same", [1, 2]), ("lose the server", []), ("same", [3, 4]))
    assert (before, after) == ([1, 2], [3, 4])
    assert lost == 1


def test_no_process_outlives_the_program() -> None:
    places = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    code = (
        "import os; from daemon.processes.fork_server import ForkServer\n"
        "from daemon.processes.worker_pool import WorkerLimits, WorkerPool\n"
        "from support.misbehaviour import process_id\n"
        "import cv2\n"
        "forks = ForkServer.fork()\n"
        "pool = WorkerPool(1, WorkerLimits(), forks)\n"
        "print(pool.call(process_id, 0), forks.process_id, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, text=True, timeout=60, env=os.environ | {"PYTHONPATH": places}
    )
    until_s = time.monotonic() + 20
    running = [Path("/proc", number) for number in ran.stdout.split()]
    assert len(running) == 2
    while any(_runs(process) for process in running):
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_no_program_with_threads_is_forked() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert ForkServer.fork() is None
    finally:
        ended.set()
        thread.join()


def _runs(process: Path) -> bool:
    """Whether a process runs; one that is only not waited for yet has ended."""
    try:
        return process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
