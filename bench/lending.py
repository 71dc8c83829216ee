"""The processor time of verifying pairs on another machine, compared with verifying them at home.

The same pairs are verified by a pool at home, then by a worker over the loopback that gets all of them. The time of
whole processes is counted: of the service with the process that listens, and of the worker in addition to its pool.
"""

import os

# As in the workers: the threads of a matrix product would be counted, and wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import tempfile
import time
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
from PIL import Image

from daemon.processes.verify_task import PairTask, verify_pair
from daemon.processes.worker import of_item
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import Limits
from index.model import Facts, Turn
from samples.photographs import add_folder, photographs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.lending import HeldBack, Lending
from support.pictures import photograph

LONG_SIDE = 1024
# Pairs that are verified before anything is measured.
WARMING = 20
LIMITS = WorkerLimits(60.0, 2 * 2**30)
Task = tuple[tuple[int, int], PairTask]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_folder(parser)
    parser.add_argument("--pictures", type=int, default=40, help="as many of them, or made as many")
    parser.add_argument("--copies", type=int, default=4, help="of each, and pairs with as many other pictures")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.folder:
        originals = [picture for _, picture in islice(photographs(options.folder, LONG_SIDE, 1), options.pictures)]
    else:
        originals = [photograph(seed, LONG_SIDE, LONG_SIDE * 3 // 4) for seed in range(options.pictures)]
    with tempfile.TemporaryDirectory() as place:
        tasks, kb = pairs_of(originals, options.copies, Path(place))
        print(f"{len(tasks)} pairs of {options.folder or 'made pictures'}, views of {kb:.0f} KB")
        verifying, home = at_home(tasks)
        print("\n| | ms a pair |\n|---|---|")
        print(f"| verifying it, at home | {verifying:.2f} |\n| the service's part of that | {home:.2f} |")
        parts = lent(tasks, Path(place))
        for name, milliseconds in parts.items():
            print(f"| {name} | {milliseconds:.2f} |")
        added = sum(parts.values()) - parts["verifying it, on the worker"] - home
        print(f"\nadded by lending: {added:.2f} ms a pair, {100 * added / verifying:.1f} % of verifying it")


def pairs_of(originals: list[Image.Image], copies: int, place: Path) -> tuple[list[Task], float]:
    """Each picture with copies of it, of other sizes and qualities, and with others; the mean size of a view."""
    views: list[tuple[str, Facts]] = []
    for number, original in enumerate(originals):
        for copy in range(copies):
            image = original if not copy else original.resize([side * (10 - copy) // 10 for side in original.size])
            file = place / "file.jpg"
            image.save(file, quality=92 - 6 * copy)
            view = place / f"{number}-{copy}.jpg"
            view.write_bytes(pictures.preview(file.read_bytes(), Limits()))
            views.append((str(view), Facts("JPEG", *image.size, jpeg_quality=92 - 6 * copy)))
    chosen = []
    for number in range(len(originals)):
        first = number * copies
        chosen += [(first, first + copy) for copy in range(1, copies)]
        chosen += [(first, (number + other) % len(originals) * copies) for other in range(1, copies)]
    tasks = [
        ((a, b), PairTask(a, b, views[a][0], views[b][0], views[a][1], views[b][1], Turn.NONE))
        for a, b in sorted(chosen)
    ]
    return tasks, sum(Path(view).stat().st_size for view, _ in views) / len(views) / 1000


def at_home(tasks: list[Task]) -> tuple[float, float]:
    """Milliseconds per pair in the process that verifies, and here."""
    with WorkerPool(1, LIMITS) as pool:
        run(pool, tasks[:WARMING])
        child = children_of(os.getpid())
        before, started_s = {pid: seconds_of(pid) for pid in child}, time.process_time()
        run(pool, tasks)
        here_s = time.process_time() - started_s
        there_s = sum(seconds_of(pid) - before[pid] for pid in child)
    return 1000 * there_s / len(tasks), 1000 * here_s / len(tasks)


def lent(tasks: list[Task], place: Path) -> dict[str, float]:
    """Milliseconds per pair in each process that takes part."""
    lending = Lending(place, HeldBack(1, LIMITS))
    try:
        lending.start("worker")
        run(lending.pool, tasks[:WARMING])
        worker = lending.processes["worker"].pid
        gate = lending.lender.gate_pid
        assert gate is not None
        processes = {"the process that listens": gate, "the worker beside its pool": worker}
        verifiers = children_of(worker)
        before = {pid: seconds_of(pid) for pid in (*processes.values(), *verifiers)}
        started_s = time.process_time()
        run(lending.pool, tasks)
        here_s = time.process_time() - started_s
        took = {pid: seconds_of(pid) - before[pid] for pid in before}
        assert sum(lending.done().values()) == len(tasks) + len(tasks[:WARMING]), "some were done at home"
    finally:
        lending.close()
    seconds = {name: took[pid] for name, pid in processes.items()}
    seconds = {"the service": here_s, **seconds, "verifying it, on the worker": sum(took[pid] for pid in verifiers)}
    return {name: 1000 * of_one / len(tasks) for name, of_one in seconds.items()}


def run(pool: WorkerPool, tasks: list[Task]) -> None:
    for outcome in pool.run(partial(of_item, verify_pair), tasks):
        assert outcome.failure is None, outcome.failure


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def seconds_of(pid: int) -> float:
    """The processor time of a process's threads, in nanoseconds: that of the process is counted in ticks of ten
    milliseconds, as much as some of these parts take in total."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


if __name__ == "__main__":
    main()
