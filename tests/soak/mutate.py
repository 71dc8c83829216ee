"""All files of a folder, and broken ones made of them, through the running program: is each accounted for?

    make mutate FOLDER=DIR [COUNT=10000] [SEED=1]

The files are copied first; the folder itself is only read. Accounted for is a file that is an image of the index, or a
problem, or both; or that is passed over, as its name or its first bytes say that it is no image.
"""

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from daemon.client import Client
from index.imaging.discovery.file_types import may_be_image
from index.imaging.discovery.walk import Exclusions, Walk, holds_image
from support.mutations import mutate
from support.program import Program, wait_until_idle

LARGEST_BYTES = 4 * 2**20
PATIENCE_S = 3 * 3600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=10.0, help="seconds that one file may take")
    options = parser.parse_args()
    if not options.folder.is_dir():
        print(f"There is no folder {options.folder}.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="comparimg-mutate-") as place:
        photos = Path(place, "photos")
        shutil.copytree(options.folder, photos / "as they are", symlinks=True)
        made = make(photos / "as they are", photos / "changed", options.count, options.seed)
        print(f"{made} changed files of seed {options.seed}, made of those in {options.folder}", flush=True)
        limits = f"time_limit_s = {options.time_limit}\nmemory_mb = 2048"
        program = Program(Path(place), photos, workers=os.cpu_count() or 1, settings={"daemon": limits})
        return through(program)


def make(source: Path, target: Path, count: int, seed: int) -> int:
    """Write `count` changed files; how many there are."""
    chance = random.Random(seed)
    files = sorted(path for path in source.rglob("*") if path.is_file() and path.stat().st_size <= LARGEST_BYTES)
    datas = [path.read_bytes() for path in files]
    for number in range(count):
        chosen = chance.randrange(len(files))
        path = target / f"{number // 500:03}" / f"{number:06}{files[chosen].suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutate(chance, datas[chosen], datas))
    return count


def through(program: Program) -> int:
    """Let the program index its folder, and print what happened to each file; the exit code."""
    began_s = time.monotonic()
    with program.running() as (process, address):
        jobs = wait_until_idle(address, PATIENCE_S)
        took_s = time.monotonic() - began_s
        alive = process.poll() is None and Client(address).get("status")["healthy"]
        process.terminate()
        stopped = process.wait(60) == 0
    top = os.fsencode(program.photos)
    seen = {path for path, _ in Walk(top, Exclusions(top))}
    images = {bytes(path) for (path,) in program.ask("SELECT path FROM image")}
    problems = {bytes(path): reason for path, reason in program.ask("SELECT path, reason FROM problem")}
    passed = {path for path in seen - images - set(problems) if not holds_image(top, path)}
    lost = seen - images - set(problems) - passed
    everything = sum(1 for path in program.photos.rglob("*") if path.is_file())
    other = sum(not may_be_image(path.name.encode(errors="surrogateescape")) for path in program.photos.rglob("*"))
    log = program.log.read_text()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = [
        ("files", everything),
        ("of these with a name that is no image's", other),
        ("passed over by their first bytes", len(passed)),
        ("images", len(images - set(problems))),
        ("images or files with a problem", len(problems)),
        *((f"  {reason}", count) for reason, count in Counter(problems.values()).most_common()),
        ("not accounted for", len(lost)),
        ("decoding processes lost and replaced", log.count("a decoding process was lost")),
        ("errors in the log", log.count(" ERROR ") + log.count(" CRITICAL ") + log.count("Traceback")),
    ]
    for what, count in rows:
        print(f"{what:<48}{count:>8}")
    print(f"{'seconds':<48}{took_s:>8.0f}")
    print(f"{'largest process, MB':<48}{children.ru_maxrss / 1024:>8.0f}")
    print(f"jobs: {dict(Counter(job['state'] for job in jobs))}; alive and healthy: {alive}; stopped with 0: {stopped}")
    for path in sorted(lost)[:20]:
        print("NOT ACCOUNTED FOR", path, file=sys.stderr)
    return 0 if alive and stopped and not lost and all(job["state"] == "done" for job in jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
