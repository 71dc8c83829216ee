"""Reading pictures in decoding processes, against a bare loop of scaled decoding over the same files.

    python -m bench.decode [DIR]     (or PHOTOS=DIR make bench)

Without a folder, synthetic photographs of 12, 2 and 0.2 megapixels are made first. The bare loop opens each file,
decodes it at the scale that indexing takes, and does nothing else; it runs in the same processes at the same priority,
each with its share of the files. The two are run in turn, five times. Processor time is what is compared first (it is
the work, whatever else the machine does), then the clock. The steps of one process are printed one by one, and the
memory of the processes. What the index does with the readings is for bench.indexing to measure.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench._steps import decode_all, steps_us
from daemon.processes.decode_task import IndexTask, index_file
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.imaging.decoding.pictures import Limits
from index.model import Identity
from samples.photographs import add_folder, files_of

ROUNDS = 5
MOST = 400
CORES = len(os.sched_getaffinity(0))
SUFFIXES = {".jpg", ".jpeg"}
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def make_pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Photograph-like JPEGs: coarse shapes, finer ones, grain; all different."""
    folder.mkdir()
    for number in range(count):
        random = np.random.default_rng(number)
        levels = random.normal(0, 6, (size[1], size[0], 3)) + 128
        for cells, strength in ((4, 60), (16, 30), (64, 12)):
            noise = Image.fromarray(random.normal(0, strength, (cells, cells)).astype(np.float32))
            levels += np.asarray(noise.resize(size, Image.Resampling.BICUBIC))[:, :, None]
        Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).save(folder / f"{number}.jpg", quality=85)


def spent_s() -> float:
    """Processor time of this process and of its children, those that have not ended."""
    total = time.process_time()
    for child in children():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) * TICK_S
    return total


def children() -> list[int]:
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def megabytes(pid: int | str, what: str) -> int:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status[what].split()[0]) // 1024


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of processor time and by the clock."""
    clock_s, cpu_s = time.perf_counter(), spent_s()
    work()
    return spent_s() - cpu_s, time.perf_counter() - clock_s


def measure(name: str, folder: Path) -> None:
    files = [os.fsencode(path) for path in files_of(folder, SUFFIXES, MOST)]
    shares = [files[number::CORES] for number in range(CORES)]
    tasks = [IndexTask(path, os.path.dirname(path), Identity(0, 0, 0, 0), frozenset(), Limits()) for path in files]

    def index() -> None:
        readings = [outcome.value for outcome in pool.run(index_file, tasks)]
        failed = [reading.message for reading in readings if reading is not None and reading.failure]
        if failed:
            sys.exit(f"{len(failed)} files cannot be read: {failed[0]}")

    with WorkerPool(CORES, WorkerLimits()) as pool:
        index()
        rounds = [(measured(lambda: list(pool.run(decode_all, shares))), measured(index)) for _ in range(ROUNDS)]
        cpu = statistics.median(bare[0] / whole[0] for bare, whole in rounds)
        clock = statistics.median(bare[1] / whole[1] for bare, whole in rounds)
        rate = len(files) / statistics.median(whole[1] for _, whole in rounds)
        print(f"{name}: {len(files)} files, {rate:.0f} a second in {CORES} processes")
        print(f"  of the bare loop: {cpu:.2f} by processor time, {clock:.2f} by the clock")
        peak = max(megabytes(child, "VmHWM") for child in children())
        print(f"  memory: {megabytes('self', 'VmRSS')} MB here, {peak} MB at most in a process")
        steps = pool.call(steps_us, files[:: max(1, len(files) // 40)])
        durations = ", ".join(f"{name} {us:.0f}" for name, us in steps.items())
        print(f"  microseconds a file, warm: {durations} (decode contains header)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_folder(parser, f"photographs, of which {MOST} are taken at most")
    options = parser.parse_args()
    if options.folder:
        measure(options.folder.name, options.folder)
        return
    with tempfile.TemporaryDirectory(prefix="comparimg-decode-") as folder:
        for megapixels, count, size in ((12, 30, (4000, 3000)), (2, 100, (1600, 1200)), (0.2, 400, (533, 400))):
            top = Path(folder, str(megapixels))
            make_pictures(top, count, size)
            measure(f"{megapixels} megapixels", top)


if __name__ == "__main__":
    main()
