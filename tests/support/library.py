"""A watched folder with an index of its own and what scans it, for the tests of what lives."""

from pathlib import Path

from daemon.jobs.progress import NullProgress
from daemon.jobs.scan import Scanner
from daemon.jobs.scan_roots import ScanRoot
from daemon.processes.worker_pool import WorkerPool
from index.database.records import images, matches
from index.database.records.images import WatchRoot
from index.database.records.jobs import ScanParameters
from index.database.store import Store
from index.imaging.decoding.pictures import Limits
from index.messages import of_json


class Library:
    """A watched folder `photos` with its index; `scan()` gives the outcome of a scan job."""

    def __init__(self, folder: Path, pool: WorkerPool) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.store = Store(folder / "data")
        self.pool = pool
        self.watch(ScanRoot(WatchRoot(str(self.photos).encode())))

    def watch(self, *roots: ScanRoot) -> None:
        self.store.write(lambda db: images.sync_roots(db, [root.root for root in roots]))
        self.scanner = Scanner(self.store, self.pool, lambda: roots, Limits(max_pixels=50_000_000), lambda _: 0)

    def scan(self, *paths: Path) -> dict:
        names = [str(path) for path in paths]
        return dict(self.scanner.run(NullProgress(), ScanParameters(paths=names)))

    def images(self) -> dict[str, int | None]:
        """Path below the folder -> content id, for every image row."""
        with self.store.read() as database:
            rows = database.execute_sql("SELECT path, content_id FROM image ORDER BY path").fetchall()
        start = len(str(self.photos)) + 1
        return {path.decode("utf-8", "surrogateescape")[start:]: content for path, content in rows}

    def concerned(self) -> set[int]:
        """The contents whose groups are to be rebuilt."""
        with self.store.read() as database:
            return matches.stale_contents(database)

    def problems(self) -> dict[str, str]:
        with self.store.read() as database:
            rows = database.execute_sql("SELECT path, reason FROM problem ORDER BY path").fetchall()
        start = len(str(self.photos)) + 1
        return {path.decode("utf-8", "surrogateescape")[start:]: reason for path, reason in rows}

    def root_states(self) -> dict[str, tuple[str, str]]:
        with self.store.read() as database:
            rows = database.execute_sql("SELECT path, state, reason FROM root WHERE watched").fetchall()
        return {path.decode(): (state, str(of_json(reason) or "")) for path, state, reason in rows}
