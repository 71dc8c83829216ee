"""`comparimg-ctl compress` without a daemon: the same job over an index of its own, on what the command line names.

The index is kept, so that a second run does nothing and `undo` finds what to bring back. Folders that any
configuration protects are refused here too.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.configuration import protected
from daemon.configuration.config import Config
from daemon.configuration.places import patterns_without, why_not
from daemon.files.grounds import Claim, Grounds
from daemon.jobs import tries
from daemon.jobs.compress import Compressor, Processes
from daemon.jobs.journal import Journal
from daemon.jobs.progress import Progress
from daemon.jobs.scan import Scanner, ScanRoot
from daemon.jobs.sort import Rescan
from daemon.jobs.undo import Undoer
from daemon.processes.workers import WorkerLimits, WorkerPool
from index.encoding import compression
from index.errors import NotFound, UsageError
from index.images.pictures import Limits
from index.images.walk import Exclusions, Walk
from index.records import batches, catalogue, compressions
from index.records.batches import Step, StepState
from index.records.catalogue import WatchRoot
from index.records.compressions import Told
from index.records.jobs import CompressParameters, ScanParameters, UndoParameters
from index.settings import SETTINGS
from index.store import Store

# As the original has them, and what else makes sense.
ENDINGS = (b".png", b".jpg", b".jpeg", b".bmp", b".webp")
# What the command line does not say is as the original has it, whatever the configuration of a daemon.
DEFAULTS = {definition.key: definition.default for definition in SETTINGS}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did: the job's outcome, the report of every file, and files that are no pictures with the reason."""

    outcome: Mapping[str, Any]
    files: list[Told]
    problems: list[tuple[bytes, str, str]]
    small: int


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The state of this user, which is kept: it tells how to bring originals back."""
    state = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "comparimg" / "compress"


def compress(
    folder: Path | None,
    files: Sequence[Path],
    parameters: CompressParameters,
    data_dir: Path,
    config: Config,
    progress: Progress,
) -> Run:
    """Make files smaller: those named, and those in a folder. Raises UsageError for what is not there."""
    data_dirs = [os.fsencode(data_dir), os.fsencode(config.daemon.data_dir)]
    top = None if folder is None else _real_folder(folder, data_dirs)
    named = _real_files(files, data_dirs)
    recursive = bool(parameters.recursive)
    least_bytes = int((parameters.size_threshold_mb or 0) * 2**20)
    tops = sorted({*([] if top is None else [top]), *map(os.path.dirname, named)})
    found = sorted({*named, *([] if top is None else _found_in(top, recursive, data_dirs))})
    large = [path for path in found if os.path.getsize(path) >= least_bytes]
    with opened(data_dir, tops, config) as bench:
        bench.rescan(progress, large)
        wanted = [os.fsdecode(path) for path in large]
        told = bench.compressor.run(Alone(progress), _with_files(parameters, wanted)) if wanted else {}
        with bench.store.read() as database:
            batch_id = told.get("batch")
            reports = [] if batch_id is None else compressions.page(database, batch_id, (), None, 10**6).items
            problems = _problems(database, large, {report.path for report in reports})
    return Run(told, reports, problems, len(found) - len(large))


def is_there(data_dir: Path) -> bool:
    """Whether anything is remembered in a folder."""
    return (data_dir / "index.sqlite3").exists()


def undo(
    batch_id: int | None, steps: Sequence[int], data_dir: Path, config: Config, progress: Progress
) -> Mapping[str, Any]:
    """Bring back what a run did, the last one where none is named: the outcome of an undo job. Raises NotFound."""
    with _to_undo(data_dir, config) as bench:
        chosen = _batch(bench, batch_id)
        outcome = bench.undoer.undo(Alone(progress), UndoParameters(batch=chosen, steps=list(steps)))
        bench.compressor.recover()
        return {**outcome, "undone": chosen}


def would_come_back(batch_id: int | None, steps: Sequence[int], data_dir: Path, config: Config) -> list[Step]:
    """The steps that `undo` would take back."""
    with _to_undo(data_dir, config) as bench:
        chosen = _batch(bench, batch_id)
        with bench.store.read() as database:
            return batches.steps_of(database, chosen, (StepState.DONE,), steps)


@contextmanager
def _to_undo(data_dir: Path, config: Config) -> Iterator["Bench"]:
    if not is_there(data_dir):
        raise NotFound("There is nothing to undo: nothing was compressed without a daemon.")
    with opened(data_dir, [], config) as bench:
        yield bench


def _batch(bench: "Bench", batch_id: int | None) -> int:
    with bench.store.read() as database:
        return batches.batch(database, batch_id or batches.latest_to_undo(database)).id


class Alone:
    """The progress of work that no runner runs."""

    job_id = 0

    def __init__(self, progress: Progress) -> None:
        self.begin = progress.begin
        self.advance = progress.advance
        self.checkpoint = progress.checkpoint


@dataclass(frozen=True, slots=True)
class Bench:
    """An index with what works on it, for one run."""

    store: Store
    compressor: Compressor
    undoer: Undoer
    rescan: Rescan


@contextmanager
def opened(data_dir: Path, tops: Sequence[bytes], config: Config) -> Iterator[Bench]:
    """The index, with these folders and those of earlier runs; what a crash cut off is settled first. Raises
    ConfigError where a configuration that may protect them cannot be read."""

    def claims() -> list[Claim]:
        return protected.claims(config.source, data_dir)

    claims()  # before anything is read: what cannot be read might protect all of it
    limits = Limits(config.daemon.max_megapixels * 1_000_000)
    processes = Processes(
        config.daemon.workers, WorkerLimits(config.daemon.time_limit_s, config.daemon.memory_mb * 2**20)
    )
    with ExitStack() as stack:
        store = stack.enter_context(Store(data_dir))
        pool = stack.enter_context(WorkerPool(processes.count, processes.limits))
        roots = [ScanRoot(WatchRoot(top)) for top in tops]
        store.write(lambda db: catalogue.sync_roots(db, [root.root for root in roots]))
        scanner = Scanner(store, pool, roots, limits, lambda progress: 0)

        def rescan(progress: Progress, paths: Sequence[bytes]) -> None:
            scanner.run(progress, ScanParameters(paths=[os.fsdecode(path) for path in paths]))

        def grounds() -> Grounds:
            with store.read() as database:
                known = catalogue.every_root(database)
            return Grounds.of(known, claims=claims)

        compressor = Compressor(store, processes, limits, lambda: DEFAULTS, grounds, rescan)
        scanner.recover()
        tries.recover(store)
        Journal(store, grounds()).recover()
        compressor.recover()
        yield Bench(store, compressor, Undoer(store, lambda: (), rescan, claims=claims), rescan)


def _with_files(parameters: CompressParameters, files: list[str]) -> CompressParameters:
    given = {name: getattr(parameters, name) for name in parameters.__struct_fields__}
    return CompressParameters(**{**given, "files": files, "folders": []})


def _real_folder(folder: Path, data_dirs: Sequence[bytes]) -> bytes:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", field="directory")
    if told := why_not(os.fsencode(folder.absolute()), data_dirs):
        raise UsageError(f"{folder} {told}.", field="directory")
    return os.fsencode(os.path.realpath(folder))


def _real_files(files: Iterable[Path], data_dirs: Sequence[bytes]) -> list[bytes]:
    """The files by paths without links in their folders. Raises UsageError where one is not there, or no picture of
    anybody's."""
    found = []
    for file in files:
        if file.is_dir():
            raise UsageError(f"{file} is a folder.", "Name it with -p.", field="files")
        if not file.is_file():
            raise UsageError(f"There is no file {file}.", field="files")
        folder = os.path.realpath(os.fsencode(file.absolute().parent))
        if told := why_not(os.fsencode(file.absolute()), data_dirs):
            raise UsageError(f"{file} {told}.", field="files")
        found.append(os.path.join(folder, os.fsencode(file.name)))
    return sorted(set(found))


def _found_in(top: bytes, recursive: bool, data_dirs: Sequence[bytes]) -> list[bytes]:
    """The pictures in a folder; not those that an earlier run put beside their source."""
    walk = Walk(top, Exclusions(top, patterns_without(top, data_dirs)), recursive)
    paths = [path for path, _ in walk if path.lower().endswith(ENDINGS)]
    return [path for path in paths if not os.path.splitext(path)[0].endswith(compression.SUFFIX)]


def _problems(database: Any, paths: Iterable[bytes], told: set[bytes]) -> list[tuple[bytes, str, str]]:
    """Why files without a report were not taken: what the scan said of them, or that it did not look at them."""
    found = []
    for path in paths:
        if path in told:
            continue
        row = database.execute_sql("SELECT reason, message FROM problem WHERE path = ?", (path,)).fetchone()
        if row is not None:
            found.append((path, *row))
        elif database.execute_sql("SELECT 1 FROM image WHERE path = ?", (path,)).fetchone() is None:
            found.append((path, "passed_over", "it is hidden, a link, or does not look like a picture"))
    return found
