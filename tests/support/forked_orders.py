"""Runs orders (support.misbehaviour) in processes that a fork server starts, in a program of its own.

python -m support.forked_orders COUNT ORDERS       (ORDERS and the results as JSON)
"""

import json
import os
import sys
import time
from typing import Any

import cv2

from daemon.processes.fork_server import ForkServer
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from support.misbehaviour import is_nice, loaded, obey, open_files, opencv_threads, process_id, same

LIMITS = WorkerLimits(time_limit_s=5, memory_bytes=3 * 2**30)
FUNCTIONS = {function.__name__: function for function in (is_nice, loaded, obey, open_files, opencv_threads, process_id,
                                                          same)}  # fmt: skip


def main() -> None:
    count, works = int(sys.argv[1]), json.loads(sys.argv[2])
    cv2.setNumThreads(2)
    forks = ForkServer.fork()
    assert forks is not None
    results: list[Any] = []
    with open(os.devnull), forks, WorkerPool(count, LIMITS, forks) as pool:
        for name, items in works:
            if name == "lose the server":
                os.kill(forks.process_id, 9)
                os.waitid(os.P_PID, forks.process_id, os.WEXITED | os.WNOWAIT)
                time.sleep(0.2)
                continue
            ends = {}
            for outcome in pool.run(
                FUNCTIONS[name], [tuple(item) if isinstance(item, list) else item for item in items]
            ):
                ends[str(outcome.item)] = outcome.value if outcome.failure is None else str(outcome.failure.reason)
            results.append([ends[str(tuple(item) if isinstance(item, list) else item)] for item in items])
        results.append(sum(pool.losses.values()))
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
