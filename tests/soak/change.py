"""The running program while its folder never comes to rest: memory, threads, open files and the index over time.

    make soak [SECONDS=600] [SEED=1]

Files are added, overwritten, renamed, copied and deleted all the time, and the page is asked for all it shows. Fails
where the memory at the end is more than a tenth above what it was at half-time, or the index is not the disk.
"""

import argparse
import contextlib
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from daemon.client import Client
from index.errors import ComparImgError
from support.kills import variants
from support.processes import cpu_s, family, rss_mb, threads_and_files
from support.program import Program, wait_until_idle
from support.serving import until

SAMPLES = 40
PICTURES = 120
FILES = 600
PAUSE_S = 0.03
NEW_EVERY_S = 3.0
GROWTH = 1.1


class Change:
    """A thread that never leaves the folder alone."""

    def __init__(self, photos: Path, seed: int) -> None:
        self.deeds = 0
        self._photos = photos
        self._chance = random.Random(seed)
        self._pool = [data for number in range(PICTURES) for data in variants(number)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="change")
        self._number = 0
        self._new_s = time.monotonic()
        for _ in range(FILES):
            self._add()

    def __enter__(self) -> "Change":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            there = [path for path in self._photos.rglob("*.jpg") if path.is_file()]
            deed = self._chance.choice([self._add, self._overwrite, self._rename, self._move_folder, self._delete])
            if len(there) > FILES + 50:
                deed = self._delete
            elif len(there) < FILES - 50:
                deed = self._add
            with contextlib.suppress(OSError):
                deed(*(() if deed in (self._add, self._move_folder) else (self._chance.choice(there),)))
            self.deeds += 1

    def _data(self) -> bytes:
        if time.monotonic() - self._new_s < NEW_EVERY_S:
            return self._chance.choice(self._pool)
        self._new_s = time.monotonic()
        return self._chance.choice(self._pool) + self._chance.randbytes(8)

    def _add(self) -> None:
        self._number += 1
        folder = self._photos / f"d{self._chance.randrange(12)}" / f"e{self._chance.randrange(4)}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self._number:07}.jpg").write_bytes(self._data())

    def _overwrite(self, path: Path) -> None:
        path.write_bytes(self._data())

    def _rename(self, path: Path) -> None:
        self._number += 1
        path.rename(path.with_name(f"{self._number:07}.jpg"))

    def _move_folder(self) -> None:
        folders = sorted(self._photos.glob("*/*/"))
        target = self._photos / f"d{self._chance.randrange(12)}" / f"m{self._chance.randrange(1000)}"
        self._chance.choice(folders).rename(target)

    def _delete(self, path: Path) -> None:
        path.unlink()


def look_at_the_page(address: str, stop: threading.Event) -> None:
    client = Client(address)
    while not stop.wait(0.5):
        with contextlib.suppress(ComparImgError, OSError, ValueError):
            client.get("status")
            groups = client.get("groups", limit=20)["items"]
            if groups:
                client.get(f"groups/{groups[0]['id']}")
            client.get("problems")
            client.get("jobs", limit=20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="comparimg-soak-") as place:
        photos = Path(place, "photos")
        photos.mkdir()
        change = Change(photos, options.seed)
        program = Program(Path(place), photos)
        with program.running() as (process, address):
            wait_until_idle(address, 600)
            stop = threading.Event()
            page = threading.Thread(target=look_at_the_page, args=(address, stop), name="page")
            page.start()
            try:
                with change:
                    curve = sample(program, process.pid, change, options.seconds)
            finally:
                stop.set()
                page.join()
            return conclude(program, address, curve, change)


def sample(program: Program, process_id: int, change: Change, seconds: float) -> list[float]:
    """Print a line of figures now and then; the memory of the service, in MB."""
    print(f"{'s':>6}{'changes':>9}{'service MB':>12}{'all MB':>8}{'threads':>9}{'open':>6}{'index MB':>10}{'CPU s':>8}")
    began_s, curve = time.monotonic(), []
    for number in range(SAMPLES + 1):
        time.sleep(max(0.0, began_s + number * seconds / SAMPLES - time.monotonic()))
        everyone = family(process_id)
        curve.append(rss_mb(process_id))
        threads, files = threads_and_files(process_id)
        index_mb = sum(file.stat().st_size for file in program.index.parent.glob("index.sqlite3*")) / 2**20
        print(
            f"{time.monotonic() - began_s:6.0f}{change.deeds:9}{curve[-1]:12.1f}{sum(map(rss_mb, everyone)):8.0f}"
            f"{threads:9}{files:6}{index_mb:10.1f}{sum(map(cpu_s, everyone)):8.1f}  {'#' * round(curve[-1] / 5)}",
            flush=True,
        )
    return curve


def conclude(program: Program, address: str, curve: list[float], change: Change) -> int:
    there = {os.fsencode(path) for path in program.photos.rglob("*.jpg")}
    rows: set[bytes] = set()

    def equal() -> bool:
        rows.clear()
        rows.update(bytes(path) for (path,) in program.ask("SELECT path FROM image"))
        return rows == there

    with contextlib.suppress(AssertionError):
        until(equal, 120)
    wait_until_idle(address, 600)
    program.check_index()
    half, end = statistics.median(curve[len(curve) // 2 - 2 :][:5]), statistics.median(curve[-5:])
    errors = program.log.read_text().count(" ERROR ") + program.log.read_text().count("Traceback")
    print(f"\n{change.deeds} changes; service {half:.1f} MB at half-time, {end:.1f} MB at the end; {errors} errors")
    print(f"the index is the disk: {rows == there} ({len(rows)} images, {len(there)} files)")
    return 0 if rows == there and end < half * GROWTH and not errors else 1


if __name__ == "__main__":
    sys.exit(main())
