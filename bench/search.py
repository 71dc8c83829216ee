"""How fast candidate pairs are found: all pairs of many hashes, one hash against many, with numba and without.

The hashes are those of made-up spectra whose frequencies hang together about as those of photographs do: one pair of
unrelated ones in some ten thousand is within 80 of 256 bits.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from index.imaging.candidates.search import hash_index, numba_search
from index.imaging.candidates.search.hash_index import HashIndex
from index.imaging.candidates.search.hash_rows import Bytes, Rows
from index.model import default_tolerance

MANY = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="hashes of which all pairs are compared (numba)")
    parser.add_argument("--rows-plain", type=int, default=20_000, help="the same, by numpy alone")
    parser.add_argument("--hsize", type=int, default=16)
    parser.add_argument("--tolerance", type=int, help="in bits; the default of the hsize where it is left out")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    tolerance = options.tolerance if options.tolerance is not None else default_tolerance(options.hsize)
    print(f"hsize {options.hsize}, tolerance {tolerance}, 8 turns, {options.threads} threads\n")
    print("| all pairs, engine | hashes | found | seconds | of processors | ns of one a pair | 1,000,000 hashes |")
    print("|---|---|---|---|---|---|---|")
    for engine, count in (("numba", options.rows), ("numpy", options.rows_plain)):
        join(engine, HashIndex(options.hsize, threads=options.threads), spectra(count, options.hsize), tolerance)
    print("\n| one against 1,000,000, engine | milliseconds, best of 50 | median | worst |")
    print("|---|---|---|---|")
    index = HashIndex(options.hsize)
    sample = spectra(min(options.rows, 100_000), options.hsize)

    def append() -> None:
        for _ in range(MANY // len(sample)):
            index.extend(sample)

    appended_s, _ = timed(append)
    for engine in ("numba", "numpy"):
        probe(engine, index, spectra(50, options.hsize, seed=1), tolerance)
    rows = Rows(options.hsize)
    rows.extend(sample)
    arrays = (rows.hashes, rows.planes, rows.slack, rows.present)
    print(f"\nmemory: {sum(array.nbytes for array in arrays) / len(rows.hashes):.0f} bytes an image", end="; ")
    print(f"all of this in {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print(f"appending: {appended_s / len(index) * 1e6:.1f} microseconds an image")
    print(f"loading numba and what it compiled: {loading_s():.1f} s, once a process")


def join(engine: str, index: HashIndex, hashes: Bytes, tolerance: int) -> None:
    index.extend(hashes)
    use(engine)
    index.near(hashes[:1], tolerance)
    pair_count = 0

    def whole() -> None:
        nonlocal pair_count
        pair_count = sum(len(pairs) for pairs in index.pairs(0, tolerance))

    seconds, busy_s = timed(whole)
    pairs = len(index) * (len(index) - 1) / 2
    minutes = seconds / pairs * MANY * (MANY - 1) / 2 / 60
    whether = "" if len(index) == MANY else ", extrapolated"
    print(f"| {engine} | {len(index):,} | {pair_count:,} | {seconds:.1f} | {busy_s:.1f} |", end=" ")
    print(f"{busy_s / pairs * 1e9:.2f} | {minutes:.1f} min{whether} |")


def probe(engine: str, index: HashIndex, hashes: Bytes, tolerance: int) -> None:
    use(engine)
    index.near(hashes[:1], tolerance)
    times_ms = sorted(timed(partial(index.near, hash_[None], tolerance))[0] * 1e3 for hash_ in hashes)
    print(f"| {engine} | {times_ms[0]:.1f} | {times_ms[len(times_ms) // 2]:.1f} | {times_ms[-1]:.1f} |")


def use(engine: str) -> None:
    """Let every search, however small, go through one engine."""
    vars(hash_index).update(WORTH_COMPILING=0, _compiled=lambda: numba_search.nearest if engine == "numba" else None)


def spectra(count: int, hsize: int, seed: int = 0) -> Bytes:
    """Hashes in 4 flips, uint8 (count, 4, hsize*hsize/8)."""
    rng = np.random.default_rng(seed)
    together = np.random.default_rng(2).standard_normal((4, hsize * hsize), np.float32) / 4
    odd = np.where(np.arange(hsize) % 2, -1, 1).astype(np.float32)
    flips: list[Any] = [np.ones(hsize * hsize), np.tile(odd, hsize), np.repeat(odd, hsize), np.outer(odd, odd).ravel()]
    signs = np.stack(flips).astype(np.float32)
    parts = []
    for low in range(0, count, 10_000):
        size = min(10_000, count - low)
        own = rng.standard_normal((size, hsize * hsize), np.float32)
        rows = signs * (own + rng.standard_normal((size, 4), np.float32) @ together)[:, None]
        middle = hsize * hsize // 2
        parts.append(np.packbits(rows > np.partition(rows, middle - 1)[..., middle - 1 : middle], axis=2))
    return np.concatenate(parts)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and seconds of all processors together, which other work on the machine changes less."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def loading_s() -> float:
    """Seconds for the first search in a new process, numba's code being on disk already, over those for numpy's."""
    script = """if True:
        import sys, time
        import numpy as np
        from index.imaging.candidates.search import hash_index
        index = hash_index.HashIndex(16)
        index.extend(np.zeros((1, 4, 32), np.uint8))
        start = time.perf_counter()
        hash_index.WORTH_COMPILING = 0
        index.near(np.zeros((1, 4, 32), np.uint8), 0)
        print(time.perf_counter() - start)
    """
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
