"""The search of a model's vectors: what it takes at a million pictures, and what it finds among many photographs.

    python -m bench.vectors [--rows N]               time and memory, of vectors that are made up
    python -m bench.vectors FOLDER [--among N]       copies of photographs among regions of the others in the folder

The model is the one that ships. A region is a window of a photograph, 35 to 90 % of its sides, anywhere and in any
turn. No copy's photograph gives regions, so that all of these are strangers. PHOTOS is not read: it takes long.
"""

import argparse
import itertools
import multiprocessing
import random
import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from daemon.processes.model_task import SHIPPED
from index.imaging.embedding import inference
from index.imaging.embedding.cosine_limits import CosineLimits
from index.imaging.embedding.model_input import ModelOptions
from index.imaging.embedding.preprocessing import to_input
from index.imaging.embedding.vector_index import PROPOSALS, VectorIndex
from index.imaging.embedding.vectors import Rows, vector_of
from samples.edits import EDITS
from samples.photographs import photographs

MANY: Final = 1_000_000
LONG_SIDE: Final = 512
DIMENSIONS: Final = 256
# Rows of the join at a million that are run: it takes the same for each of them.
SAMPLE: Final = 2_000
# Where the verifier is not asked, so that the nearest are seen whatever their cosine.
ANY: Final = CosineLimits(-1, -1, -1)
TURNS: Final = (None, *Image.Transpose)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="photographs that the model was not trained on")
    parser.add_argument("--among", type=int, default=100_000, help="so many regions")
    parser.add_argument("--copied", type=int, default=100, help="photographs whose copies are searched for")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=int, default=MANY, help="made-up vectors")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if options.folder:
        recall(options.folder, options.among, options.copied, options.seed, options.processes)
    else:
        cost(options.rows, options.threads)


# Time and memory


def made_up(count: int, seed: int) -> Rows:
    """Vectors in some thousand clusters, (count, DIMENSIONS), int8."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(4096, DIMENSIONS)).astype(np.float32)
    values = centres[chance.integers(0, len(centres), count)]
    values += chance.normal(0, 1.5, values.shape).astype(np.float32)
    scaled: Rows = np.rint(values * (127 / np.abs(values).max(axis=1, keepdims=True))).astype(np.int8)
    return scaled


def cost(rows: int, threads: int) -> None:
    """Print the cost of a join of some sizes, one picture against all, and the memory."""
    # The compiled code is loaded before anything is measured.
    warm = VectorIndex(DIMENSIONS, threads=threads)
    warm.extend(made_up(30_000, 1))
    list(warm.earlier(made_up(1_000, 2), np.full(1_000, len(warm))))
    before = resident_mb()
    index = VectorIndex(DIMENSIONS, threads=threads)
    print("| vectors | all of them with those before | of the processor, s |\n|---|---|---|")
    for part in range(0, rows, 100_000):
        added = made_up(min(100_000, rows - part), part)
        started = time.process_time()
        index.extend(added)
        extended_s = time.process_time() - started
        if len(index) in (100_000, 200_000):
            queries = np.concatenate([index.vector(row)[None] for row in range(len(index))])
            chosen = slice(None) if len(index) == 100_000 else slice(None, None, 4)
            ends = np.arange(len(index))[chosen]
            joined_s = timed(index, queries[chosen], ends) * (1 if len(index) == 100_000 else 4)
            print(
                f"| {len(index)} | {'run' if len(index) == 100_000 else 'one in four of them run'} | {joined_s:.0f} |"
            )
            del queries
        del added
    print(f"| appending the last {len(index) - part} | | {extended_s:.2f} |")
    sample = made_up(SAMPLE, -1 % MANY)
    each_s = timed(index, sample, np.full(SAMPLE, len(index))) / SAMPLE
    # Half of the comparisons, but all of the ranking.
    most_s = each_s * len(index)
    print(f"| {len(index)} | from {SAMPLE} rows against all | {most_s / 2:.0f} to {most_s:.0f} |")
    took = []
    for one in sample[:200]:
        started = time.perf_counter()
        list(index.earlier(one[None], np.array([len(index)])))
        took.append(1000 * (time.perf_counter() - started))
    print(f"\none against {len(index)}: {np.median(took):.1f} ms in the median, {max(took):.1f} at most of 200")
    print(f"memory: {resident_mb() - before:.0f} MB more than before")


def timed(index: VectorIndex, queries: Rows, ends: np.ndarray) -> float:
    """Seconds of the processor, all threads."""
    started = time.process_time()
    for _ in index.earlier(queries, ends):
        pass
    return time.process_time() - started


def resident_mb() -> float:
    """The present memory of the process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


# Copies among regions


def region(picture: Image.Image, chance: random.Random) -> Image.Image:
    """A window of a picture, in any turn."""
    width, height = (round(side * chance.uniform(0.35, 0.9)) for side in picture.size)
    left, top = chance.randint(0, picture.width - width), chance.randint(0, picture.height - height)
    window = picture.crop((left, top, left + width, top + height))
    turn = chance.choice(TURNS)
    return window if turn is None else window.transpose(turn)


def regions_of(work: tuple[Path, int, int]) -> bytes:
    """The vectors of some regions of one photograph, of several one after the other."""
    path, count, seed = work
    model = shipped()
    with Image.open(path) as file:
        file.draft("RGB", (LONG_SIDE, LONG_SIDE))
        picture = file.convert("RGB")
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    chance = random.Random(f"{seed} {path.name}")
    return b"".join(vector(model, region(picture, chance)).tobytes() for _ in range(count))


_loaded: list[inference.Model] = []


def shipped() -> inference.Model:
    if not _loaded:
        _loaded.append(inference.load(str(SHIPPED), ModelOptions(), "cpu"))
    return _loaded[0]


def vector(model: inference.Model, picture: Image.Image) -> Rows:
    return vector_of(model.run(to_input(picture, model.input)))


def copies(folder: Path, copied: int, seed: int) -> Iterator[tuple[str, str, Rows]]:
    """The name, the kind of edit ("" for the original) and the vector."""
    model = shipped()
    for name, picture in itertools.islice(photographs(folder, LONG_SIDE, seed), copied):
        yield name, "", vector(model, picture)
        for kind, edit in EDITS.items():
            if "turned" not in kind:
                yield name, kind, vector(model, edit(picture, random.Random(f"{seed} {name} {kind}")))


def recall(folder: Path, among: int, copied: int, seed: int, processes: int) -> None:
    """Print how many copies have their original among the nearest, and among those that are proposed."""
    seen = list(copies(folder, copied, seed))
    names = {name for name, _, _ in seen}
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in names)
    each = -(-among // len(others))
    started = time.time()
    strangers: list[bytes] = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, made in enumerate(pool.imap(regions_of, ((path, each, seed) for path in others)), start=1):
            strangers.append(made)
            if done % 50 == 0:
                print(f"{done * each} regions after {time.time() - started:.0f} s", flush=True)
    rows = np.frombuffer(b"".join(strangers), np.int8).reshape(-1, DIMENSIONS)[:among]
    limits = shipped().limits
    print(f"{len(names)} photographs, {len(rows)} regions of {len(others)} others; limits {limits}\n")
    print("| copies | | first | of 5 | proposed |\n|---|---|---|---|---|")
    originals = [(name, one) for name, kind, one in seen if not kind]
    queries = [(name, kind, one) for name, kind, one in seen if kind]
    results = {
        which: nearest(originals, queries, rows, used) for which, used in (("any", ANY), ("limits", limits))
    }  # fmt: skip
    by_kind: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    for (_, kind, _), place, proposed in zip(queries, results["any"], results["limits"], strict=True):
        found = place == 0, place is not None, proposed is not None
        by_kind["all"].append(found)
        by_kind[kind].append(found)
    for kind, of_kind in by_kind.items():
        first, five, rule = np.mean(of_kind, axis=0)
        print(f"| {kind} | {len(of_kind)} | {first:.3f} | {five:.3f} | {rule:.3f} |")


def nearest(
    originals: Sequence[tuple[str, Rows]],
    queries: Sequence[tuple[str, str, Rows]],
    strangers: Rows,
    limits: CosineLimits,
) -> list[int | None]:
    """At which place of the PROPOSALS.nearest the original of each query is, from 0, or None."""
    index = VectorIndex(DIMENSIONS, limits)
    index.extend(np.stack([one for _, one in originals]))
    index.extend(strangers)
    rows = {name: row for row, (name, _) in enumerate(originals)}
    stacked = np.stack([one for _, _, one in queries])
    found = index.earlier(stacked, np.full(len(queries), len(index)))
    places: list[int | None] = []
    for (name, _, _), near in zip(queries, found, strict=True):
        found_at = (place for place, one in enumerate(near[: PROPOSALS.nearest]) if one.row == rows[name])
        places.append(next(found_at, None))
    return places


if __name__ == "__main__":
    main()
