"""What a large library costs: watching it, walking it, starting over it, and doing nothing with it.

    make size

Watching and walking are measured on 100,000 folders with 1,000,000 files of no bytes; starting and idling with the real
program over 100,000 such files in folders of 50, of which the index is filled beforehand as a first scan would have
(reading empty files says nothing of reading photographs: see bench.indexing for that), and over 200,000 folders with
nothing in them, which are more than most systems let a program watch.
"""

import argparse
import hashlib
import itertools
import os
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

from daemon.client import Client
from daemon.watching.inotify import FolderWatches, NativeRoot
from daemon.watching.watch_limits import max_user_watches, watches_at_most, watches_of_others
from index.database.records import images
from index.database.records.images import WatchRoot
from index.database.store import Store
from index.imaging.discovery.reconcile import reconcile
from index.imaging.discovery.walk import Exclusions, Walk
from index.model import Identity
from support.processes import cpu_s, family, rss_mb
from support.program import Program, wait_until_idle

IDLE_S = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folders", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--empty", type=int, default=200_000)
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds to do nothing for")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="comparimg-size-") as place:
        top = make(Path(place, "large"), options.folders, options.files)
        watch(top)
        walk(top)
        photos = Path(place, "photos")
        make(photos, options.known // 50, options.known)
        start_and_idle(Program(Path(place), photos), options.idle)
    with tempfile.TemporaryDirectory(prefix="comparimg-size-") as place:
        report("empty folders", str(options.empty))
        empty = Path(place, "empty")
        make(empty, options.empty, 0)
        start_and_idle(Program(Path(place), empty), options.idle)
    return 0


def make(top: Path, folders: int, files: int) -> bytes:
    """Folders a hundred to a folder, the files spread evenly."""
    each = files // folders
    for number in range(folders):
        folder = os.fsencode(top / f"{number // 10_000:03}" / f"{number // 100 % 100:02}" / f"{number % 100:02}")
        os.makedirs(folder)
        for file in range(each):
            os.close(os.open(b"%s/IMG_%04d.jpg" % (folder, file), os.O_CREAT | os.O_WRONLY))
    return os.fsencode(top)


def report(what: str, value: str) -> None:
    print(f"{what:<64}{value:>16}", flush=True)


def watch(top: bytes) -> None:
    limit, others = max_user_watches(), watches_of_others()
    report("inotify watches: the limit of a user", str(limit))
    report("  taken by other programs", str(others))
    report("  that ComparImg takes at most", str(watches_at_most()))
    before_mb, began_s, began_cpu = rss_mb(os.getpid()), time.monotonic(), time.process_time()
    watches = FolderWatches(watches_at_most)
    watches.start()
    root = NativeRoot(top, True, Exclusions(top), frozenset(), lambda paths, folders: None, lambda path, loss: None)
    try:
        watches.add(root)
        report("folders watched", str(watches.count()))
    except OSError as error:
        report("folders watched: none, the root is polled", error.strerror or "")
    report("  seconds by the clock, of processor", since(began_s, began_cpu))
    report("  memory", f"{rss_mb(os.getpid()) - before_mb:.0f} MB")
    began_s = time.monotonic()
    watches.stop()
    report("  seconds to release them", f"{time.monotonic() - began_s:.1f}")


def walk(top: bytes) -> None:
    before_mb, began_s, began_cpu = rss_mb(os.getpid()), time.monotonic(), time.process_time()
    peak = Peak()
    with peak:
        files = sum(1 for _ in Walk(top, Exclusions(top)))
    report("files walked", str(files))
    report("  seconds by the clock, of processor", since(began_s, began_cpu))
    report("  memory", f"{peak.mb - before_mb:.0f} MB")
    with tempfile.TemporaryDirectory(prefix="comparimg-size-") as place, Store(Path(place)) as store:
        root_id = fill(store, top)
        before_mb, began_s, began_cpu = rss_mb(os.getpid()), time.monotonic(), time.process_time()
        with peak, store.read() as database:
            plan = reconcile(Walk(top, Exclusions(top)), images.known_in_order(database, root_id))
        report("files compared with the index, unchanged", str(plan.unchanged))
        report("  seconds by the clock, of processor", since(began_s, began_cpu))
        report("  memory", f"{peak.mb - before_mb:.0f} MB")


def fill(store: Store, top: bytes) -> int:
    """The rows that a scan of these files would have made, each with bytes of its own."""
    store.write(lambda db: images.sync_roots(db, [WatchRoot(top)]))
    with store.read() as database:
        (row,) = images.watched_roots(database)
    seen = iter(Walk(top, Exclusions(top)))
    while chunk := list(itertools.islice(seen, 50_000)):
        store.write(lambda db, chunk=chunk: put(db.connection(), row.id, chunk))
    return int(row.id)


def put(database: sqlite3.Connection, root_id: int, files: list[tuple[bytes, Identity]]) -> None:
    """What records.readings would write, a hundred times as fast."""
    (last,) = database.execute("SELECT coalesce(max(id), 0) FROM content").fetchone()
    numbered = list(enumerate(files, start=last + 1))
    database.executemany(
        "INSERT INTO content (id, digest, size_bytes, format, width, height, mode, orientation, taken, camera,"
        " jpeg_quality, detail, frames, metadata, scheme, failure, failure_message)"
        " VALUES (?, ?, 0, 'JPEG', 4000, 3000, 'RGB', 1, '', '', 90, 100, 1, '', '', '', '')",
        [(number, hashlib.sha256(path).digest()) for number, (path, _) in numbered],
    )
    database.executemany(
        "INSERT INTO image (root_id, path, device, inode, size_bytes, mtime_ns, content_id, indexed_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        [(root_id, path, *identity, number) for number, (path, identity) in numbered],
    )


def start_and_idle(program: Program, idle_s: float) -> None:
    with Store(program.folder / "data") as store:
        fill(store, os.fsencode(program.photos))
    began_s = time.monotonic()
    with program.running() as (process, address):
        report("start: seconds until the page answers", f"{time.monotonic() - began_s:.1f}")
        jobs = wait_until_idle(address, 600)
        report("  until every folder is watched and every file compared", f"{time.monotonic() - began_s:.1f}")
        report("  seconds of processor until then", f"{sum(map(cpu_s, family(process.pid))):.1f}")
        outcome = jobs[0]["outcome"]
        report("  files, unchanged, read", f"{outcome['files']}, {outcome['unchanged']}, {outcome['read']}")
        time.sleep(5)
        before = sum(map(cpu_s, family(process.pid)))
        time.sleep(idle_s)
        spent_s = sum(map(cpu_s, family(process.pid))) - before
        report(f"idle: seconds of processor in {idle_s:.0f} s", f"{spent_s:.2f}")
        report("  of one core", f"{100 * spent_s / idle_s:.2f} %")
        report("  memory of the service, of all its processes", memory(process.pid))
        (root,) = Client(address).get("roots")["items"]
        report("  how the folder is watched", root["mode"])


def memory(process_id: int) -> str:
    return f"{rss_mb(process_id):.0f}, {sum(map(rss_mb, family(process_id))):.0f} MB"


def since(began_s: float, began_cpu: float) -> str:
    return f"{time.monotonic() - began_s:.1f}, {time.process_time() - began_cpu:.1f}"


class Peak:
    """The most memory that this process had while it was entered."""

    def __init__(self) -> None:
        self.mb = 0.0

    def __enter__(self) -> "Peak":
        self.mb = rss_mb(os.getpid())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            self.mb = max(self.mb, rss_mb(os.getpid()))


if __name__ == "__main__":
    sys.exit(main())
