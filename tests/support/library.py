"""A watched folder with an index of its own and what scans it, for the tests of what lives."""

from pathlib import Path

from daemon.jobs.progress import Unwatched
from daemon.jobs.scan import Scanner, ScanRoot
from daemon.processes.workers import WorkerPool
from index.images.pictures import Limits
from index.records import catalogue, findings
from index.records.catalogue import WatchRoot
from index.records.jobs import ScanParameters
from index.store import Store


class Library:
    """A watched folder `photos` with its index; `scan()` gives the outcome of a scan job."""

    def __init__(self, folder: Path, pool: WorkerPool) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir()
        self.store = Store(folder / "data")
        self.pool = pool
        self.watch(ScanRoot(WatchRoot(str(self.photos).encode())))

    def watch(self, *roots: ScanRoot) -> None:
        self.store.write(lambda db: catalogue.sync_roots(db, [root.root for root in roots]))
        self.scanner = Scanner(self.store, self.pool, roots, Limits(max_pixels=50_000_000), lambda _: 0)

    def scan(self, *paths: Path) -> dict:
        names = [str(path) for path in paths]
        return dict(self.scanner.run(Unwatched(), ScanParameters(paths=names)))

    def images(self) -> dict[str, int | None]:
        """Path below the folder -> content id, for every image row."""
        with self.store.read() as database:
            rows = database.execute_sql("SELECT path, content_id FROM image ORDER BY path").fetchall()
        start = len(str(self.photos)) + 1
        return {path.decode("utf-8", "surrogateescape")[start:]: content for path, content in rows}

    def concerned(self) -> set[int]:
        """The contents whose groups are to be made anew."""
        with self.store.read() as database:
            return findings.concerned(database)

    def problems(self) -> dict[str, str]:
        with self.store.read() as database:
            rows = database.execute_sql("SELECT path, reason FROM problem ORDER BY path").fetchall()
        start = len(str(self.photos)) + 1
        return {path.decode("utf-8", "surrogateescape")[start:]: reason for path, reason in rows}

    def root_states(self) -> dict[str, tuple[str, str]]:
        with self.store.read() as database:
            rows = database.execute_sql("SELECT path, state, reason FROM root WHERE watched").fetchall()
        return {path.decode(): (state, reason) for path, state, reason in rows}
