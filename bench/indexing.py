"""Indexing against the least it could cost: a bare loop of scaled decoding over the same files, on the same cores.

    python -m bench.indexing [DIR]     (or PHOTOS=DIR make bench)

Without a folder, 60 synthetic photographs of 12 megapixels and 300 of a third of one are made first. The two are run
in turn, three times, and the ratio is printed: 1.0 would be indexing for nothing. Indexing is the whole of it: walk,
read, digest, decode, three hashes in all turns, facts, and the rows in SQLite. A second scan of the unchanged folder
and the peak memory are printed too.
"""

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from daemon.jobs.progress import NullProgress
from daemon.jobs.scan import Scanner
from daemon.jobs.scan_roots import ScanRoot
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.records import images
from index.database.records.images import WatchRoot
from index.database.records.jobs import ScanParameters
from index.database.store import Store
from index.imaging.decoding.pictures import Limits
from samples.photographs import add_folder, files_of

ROUNDS = 3
MOST = 400
CORES = os.cpu_count() or 1
SUFFIXES = {".jpg", ".jpeg"}


def make_pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Photograph-like JPEGs: coarse shapes, fine noise, all different."""
    folder.mkdir(parents=True)
    for number in range(count):
        random = np.random.default_rng(number)
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        grain = random.normal(0, 6, (size[1], size[0], 1))
        Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(
            folder / f"{number}.jpg", quality=90
        )


def decode(path: str) -> None:
    with Image.open(path) as image:
        image.draft("L", (256, 256))
        image.load()


def decode_all(bare: ProcessPoolExecutor, files: list[str]) -> None:
    list(bare.map(decode, files, chunksize=4))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, folder: Path) -> None:
    files = [str(path) for path in files_of(folder, SUFFIXES, MOST)]
    root = ScanRoot(WatchRoot(os.fsencode(folder)))
    ratios, rates, rescans = [], [], []
    with WorkerPool(CORES, WorkerLimits()) as pool, ProcessPoolExecutor(CORES) as bare:
        list(bare.map(decode, files[: 4 * CORES]))
        list(pool.run(abs, range(4 * CORES)))
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as data, Store(Path(data)) as store:
                store.write(lambda db: images.sync_roots(db, [root.root]))
                scanner = Scanner(store, pool, lambda: [root], Limits(), lambda progress: 0)
                least = timed(partial(decode_all, bare, files))
                whole = timed(partial(scanner.run, NullProgress(), ScanParameters()))
                rescans.append(timed(partial(scanner.run, NullProgress(), ScanParameters())))
            ratios.append(least / whole)
            rates.append(len(files) / whole)
    print(
        f"{name:28} {len(files):6} files  {statistics.median(rates):8.1f} a second"
        f"  {statistics.median(ratios):5.2f} of bare scaled decoding"
        f"  rescan {1e6 * statistics.median(rescans) / len(files):.0f} us a file"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder(parser, f"photographs, of which {MOST} are copied at most")
    options = parser.parse_args()
    print(f"{CORES} cores, median of {ROUNDS} rounds, indexing and bare decoding in turn")
    with tempfile.TemporaryDirectory(prefix="comparimg-indexing-") as folder:
        if options.folder:
            for number, path in enumerate(files_of(options.folder, SUFFIXES, MOST)):
                shutil.copyfile(path, Path(folder) / f"{number}{path.suffix}")
            measure(options.folder.name, Path(folder))
        else:
            make_pictures(Path(folder) / "large", 60, (4000, 3000))
            make_pictures(Path(folder) / "small", 300, (640, 480))
            measure("12 megapixels", Path(folder) / "large")
            measure("0.3 megapixels", Path(folder) / "small")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"peak memory: {peak[0] // 1024} MB here, {peak[1] // 1024} MB in the largest worker")


if __name__ == "__main__":
    main()
