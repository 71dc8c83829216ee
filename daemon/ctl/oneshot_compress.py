"""`comparimg-ctl compress` without a daemon: runs the job of the service on the named files, with a separate index.

The index is kept, so that a second run does nothing, and `undo` finds what to restore. Folders that any configuration
protects are refused here, too.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.configuration import protected_folders
from daemon.configuration.config import Config
from daemon.configuration.reserved_folders import exclusion_patterns, objection
from daemon.files.protected_paths import Claim, ManagedFolders
from daemon.jobs import changed_decoders, quarantine
from daemon.jobs.compress import Compressor, Processes
from daemon.jobs.journal import Journal
from daemon.jobs.progress import Progress
from daemon.jobs.scan import Scanner
from daemon.jobs.scan_roots import ScanRoot
from daemon.jobs.sort import Rescan
from daemon.jobs.undo import Undoer
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.records import batches, compressions, images
from index.database.records.batches import Step, StepState
from index.database.records.compressions import CompressionRecord
from index.database.records.images import WatchRoot
from index.database.records.jobs import CompressParameters, ScanParameters, UndoParameters
from index.database.store import Store
from index.errors import NotFound, UsageError
from index.imaging.decoding.pictures import Limits
from index.imaging.discovery.walk import Exclusions, Walk
from index.imaging.encoding import compression
from index.messages import Message, of_json
from index.settings import SETTINGS

# The endings of the original script, and others that can be compressed.
ENDINGS = (b".png", b".jpg", b".jpeg", b".bmp", b".webp")
# Defaults for omitted options. A daemon's configuration does not change them.
DEFAULTS = {definition.key: definition.default for definition in SETTINGS}


@dataclass(frozen=True, slots=True)
class Run:
    """The outcome of one run: that of the job, the record of every file, the files that are not pictures with the
    reason, and the number of files below the size threshold."""

    outcome: Mapping[str, Any]
    files: list[CompressionRecord]
    problems: list[tuple[bytes, str, Message | None]]
    small: int


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """A folder in this user's state folder, not in the cache, since it is needed to restore the originals."""
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
    """Compress the named files, and those in a folder. Raises UsageError for missing and reserved ones."""
    data_dirs = [os.fsencode(data_dir), os.fsencode(config.daemon.data_dir)]
    top = None if folder is None else _real_folder(folder, data_dirs)
    named = _real_files(files, data_dirs)
    recursive = bool(parameters.recursive)
    least_bytes = int((parameters.size_threshold_mb or 0) * 2**20)
    tops = sorted({*([] if top is None else [top]), *map(os.path.dirname, named)})
    pictures = sorted({*named, *([] if top is None else _pictures_in(top, recursive, data_dirs))})
    large = [path for path in pictures if os.path.getsize(path) >= least_bytes]
    with open_runtime(data_dir, tops, config) as runtime:
        runtime.rescan(progress, large)
        wanted = [os.fsdecode(path) for path in large]
        outcome = runtime.compressor.run(NullContext(progress), _with_files(parameters, wanted)) if wanted else {}
        with runtime.store.read() as database:
            batch_id = outcome.get("batch")
            reports = [] if batch_id is None else compressions.page(database, batch_id, (), None, 10**6).items
            problems = _problems(database, large, {report.path for report in reports})
    return Run(outcome, reports, problems, len(pictures) - len(large))


def has_index(data_dir: Path) -> bool:
    """Whether a data folder has an index."""
    return (data_dir / "index.sqlite3").exists()


def undo(
    batch_id: int | None, steps: Sequence[int], data_dir: Path, config: Config, progress: Progress
) -> Mapping[str, Any]:
    """Undo a run, by default the last one. Returns the outcome of an undo job. Raises NotFound."""
    with _existing_runtime(data_dir, config) as runtime:
        chosen = _batch(runtime, batch_id)
        outcome = runtime.undoer.undo(NullContext(progress), UndoParameters(batch=chosen, steps=list(steps)))
        runtime.compressor.recover()
        return {**outcome, "undone": chosen}


def plan_undo(batch_id: int | None, steps: Sequence[int], data_dir: Path, config: Config) -> list[Step]:
    """The steps that `undo` would undo."""
    with _existing_runtime(data_dir, config) as runtime:
        chosen = _batch(runtime, batch_id)
        with runtime.store.read() as database:
            return batches.steps_of(database, chosen, (StepState.DONE,), steps)


@contextmanager
def _existing_runtime(data_dir: Path, config: Config) -> Iterator["LocalRuntime"]:
    if not has_index(data_dir):
        raise NotFound("ctl.nothing_compressed")
    with open_runtime(data_dir, [], config) as runtime:
        yield runtime


def _batch(runtime: "LocalRuntime", batch_id: int | None) -> int:
    with runtime.store.read() as database:
        return batches.batch(database, batch_id or batches.latest_to_undo(database)).id


class NullContext:
    """A job context without a runner: it only reports progress."""

    job_id = 0

    def __init__(self, progress: Progress) -> None:
        self.begin = progress.begin
        self.advance = progress.advance
        self.checkpoint = progress.checkpoint


@dataclass(frozen=True, slots=True)
class LocalRuntime:
    """An index and the parts that work on it, for one run."""

    store: Store
    compressor: Compressor
    undoer: Undoer
    rescan: Rescan


@contextmanager
def open_runtime(data_dir: Path, tops: Sequence[bytes], config: Config) -> Iterator[LocalRuntime]:
    """Open the index with these folders and those of earlier runs. An interrupted run is recovered first. Raises
    ConfigError if a configuration that may protect the folders cannot be read."""

    def claims() -> list[Claim]:
        return protected_folders.claims(config.source, data_dir)

    claims()  # checked first: a configuration that cannot be read might protect everything
    limits = Limits(config.daemon.max_megapixels * 1_000_000)
    processes = Processes(
        config.daemon.workers, WorkerLimits(config.daemon.time_limit_s, config.daemon.memory_mb * 2**20)
    )
    with ExitStack() as stack:
        store = stack.enter_context(Store(data_dir))
        pool = stack.enter_context(WorkerPool(processes.count, processes.limits))
        roots = [ScanRoot(WatchRoot(top)) for top in tops]
        store.write(lambda db: images.sync_roots(db, [root.root for root in roots]))
        if tops:
            changed_decoders.reread_failures(store, pool)
        scanner = Scanner(store, pool, lambda: roots, limits, lambda progress: 0)

        def rescan(progress: Progress, paths: Sequence[bytes]) -> None:
            scanner.run(progress, ScanParameters(paths=[os.fsdecode(path) for path in paths]))

        def managed_folders() -> ManagedFolders:
            with store.read() as database:
                known = images.all_roots(database)
            return ManagedFolders.of(known, claims=claims)

        compressor = Compressor(store, processes, limits, lambda: DEFAULTS, managed_folders, rescan)
        quarantine.recover(store)
        Journal(store, managed_folders()).recover()
        compressor.recover()
        yield LocalRuntime(store, compressor, Undoer(store, lambda: (), rescan, claims=claims), rescan)


def _with_files(parameters: CompressParameters, files: list[str]) -> CompressParameters:
    given = {name: getattr(parameters, name) for name in parameters.__struct_fields__}
    return CompressParameters(**{**given, "files": files, "folders": []})


def _real_folder(folder: Path, data_dirs: Sequence[bytes]) -> bytes:
    if not folder.is_dir():
        raise UsageError("ctl.no_folder", path=folder, field="directory")
    if problem := objection(os.fsencode(folder.absolute()), data_dirs):
        raise UsageError("ctl.folder_unusable", path=folder, problem=problem, field="directory")
    return os.fsencode(os.path.realpath(folder))


def _real_files(files: Iterable[Path], data_dirs: Sequence[bytes]) -> list[bytes]:
    """The files, with links in their folders resolved. Raises UsageError if one is missing or in a reserved folder."""
    paths = []
    for file in files:
        if file.is_dir():
            raise UsageError("ctl.is_folder", path=file, field="files")
        if not file.is_file():
            raise UsageError("ctl.file_missing", path=file, field="files")
        folder = os.path.realpath(os.fsencode(file.absolute().parent))
        if problem := objection(os.fsencode(file.absolute()), data_dirs):
            raise UsageError("ctl.folder_unusable", path=file, problem=problem, field="files")
        paths.append(os.path.join(folder, os.fsencode(file.name)))
    return sorted(set(paths))


def _pictures_in(top: bytes, recursive: bool, data_dirs: Sequence[bytes]) -> list[bytes]:
    """The pictures in a folder, except the results of earlier runs next to their source."""
    walk = Walk(top, Exclusions(top, exclusion_patterns(top, data_dirs)), recursive)
    paths = [path for path, _ in walk if path.lower().endswith(ENDINGS)]
    return [path for path in paths if not os.path.splitext(path)[0].endswith(compression.SUFFIX)]


def _problems(database: Any, paths: Iterable[bytes], reported: set[bytes]) -> list[tuple[bytes, str, Message | None]]:
    """Why files without a record were not compressed: because of the problem that the scan recorded, or because the
    scan skipped them."""
    problems: list[tuple[bytes, str, Message | None]] = []
    for path in paths:
        if path in reported:
            continue
        row = database.execute_sql("SELECT reason, message FROM problem WHERE path = ?", (path,)).fetchone()
        if row is not None:
            problems.append((path, row[0], of_json(row[1])))
        elif database.execute_sql("SELECT 1 FROM image WHERE path = ?", (path,)).fetchone() is None:
            problems.append((path, "passed_over", Message("ctl.passed_over")))
    return problems
