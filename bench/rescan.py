"""A scan of a tree in which nothing changed, compared with `find` reading the same facts of the same files.

python -m bench.rescan [--files N] [--per-folder N] [--tree DIR]

Without --tree, empty files are made in a temporary folder. Each figure is the best of three, warm, in seconds of
processor time (the work is compared, not the disk or other programs), with those by the clock next to them. `find
-printf` with device, inode, size and time is the limit: it does what a scan has to do, and nothing else.
"""

import argparse
import hashlib
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from daemon.jobs.progress import NullProgress
from daemon.jobs.scan import Scanner
from daemon.jobs.scan_roots import ScanRoot
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.records import images
from index.database.records.images import WatchRoot
from index.database.records.jobs import ScanParameters
from index.database.records.readings import record_readings
from index.database.store import Store
from index.imaging.decoding.pictures import Limits
from index.imaging.discovery.walk import Exclusions, Walk
from index.model import Reading

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description="A scan of an unchanged tree against find.")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--per-folder", type=int, default=50)
    parser.add_argument("--tree", type=Path, help="a tree that is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="comparimg-rescan-") as folder:
        tree = options.tree or make_tree(Path(folder, "tree"), options.files, options.per_folder)
        measure(os.fsencode(tree), Path(folder, "data"))


def make_tree(top: Path, files: int, per_folder: int) -> Path:
    for number in range(files):
        folder = top / f"{number // per_folder // 100:04d}" / f"{number // per_folder % 100:02d}"
        if number % per_folder == 0:
            folder.mkdir(parents=True)
        (folder / f"IMG_{number:07d}.jpg").touch()
    return top


def measure(top: bytes, data_dir: Path) -> None:
    limit = best(lambda: find(top))
    files = sum(1 for _ in Walk(top, Exclusions(top)))
    print(f"{f'{files} files':<36}{'processor':>10}{'clock':>11}")
    print(f"{'find -printf':<36}{limit[0]:8.2f} s {limit[1]:8.2f} s")
    report("walk", best(lambda: sum(1 for _ in Walk(top, Exclusions(top)))), limit)
    with Store(data_dir) as store, WorkerPool(1, WorkerLimits(20, 2**30)) as pool:
        root = WatchRoot(top)
        store.write(lambda db: images.sync_roots(db, [root]))
        with store.read() as database:
            (row,) = images.watched_roots(database)
        seen = ((path, identity) for path, identity in Walk(top, Exclusions(top)))
        while readings := [Reading(*file, hashlib.sha256(file[0]).digest()) for file in itertools.islice(seen, 5000)]:
            store.write(partial(record_readings, root_id=row.id, readings=readings, now_ns=1))
        scanner = Scanner(store, pool, lambda: [ScanRoot(root)], Limits(), lambda progress: 0)
        before = peak_mib()
        scan = best(lambda: unchanged(scanner.run(NullProgress(), ScanParameters()), files))
        report("scan, against the rows of the index", scan, limit)
        print(f"peak memory {before:.0f} MiB before the scans, {peak_mib():.0f} MiB after")


def unchanged(outcome: Mapping[str, Any], files: int) -> None:
    if outcome["unchanged"] != files or outcome["read"]:
        sys.exit("the tree changed while it was measured")


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def find(top: bytes) -> None:
    command = [b"find", top, b"-type", b"f", b"-printf", b"%D %i %s %T@ %p\\n"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def best(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of processor time, our own and that of what we started, and by the clock."""
    times = []
    for _ in range(ROUNDS):
        start_s, start = time.perf_counter(), os.times()
        work()
        end = os.times()
        times.append((sum(end[:4]) - sum(start[:4]), time.perf_counter() - start_s))
    return min(cpu_s for cpu_s, _ in times), min(clock_s for _, clock_s in times)


def report(what: str, times: tuple[float, float], limit: tuple[float, float]) -> None:
    # The clock of the processor ticks every hundredth of a second: a few files take none.
    ratio = times[0] / max(limit[0], 0.01)
    print(f"{what:<36}{times[0]:8.2f} s {times[1]:8.2f} s {ratio:8.2f} times the processor time of find")


if __name__ == "__main__":
    main()
