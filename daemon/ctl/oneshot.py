"""`comparimg-ctl detect` without a daemon: the parts of the service, assembled for one run in this process.

The index is kept, so that a second run reads only what has changed. All folders share it.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from daemon.configuration.config import Config, defaults
from daemon.configuration.config import default_data_dir as service_data_dir
from daemon.configuration.reserved_folders import exclusion_patterns, objection
from daemon.jobs import changed_decoders, quarantine
from daemon.jobs.detect import Detector
from daemon.jobs.embedding_model import EmbeddingModel
from daemon.jobs.previews import Previews
from daemon.jobs.progress import Progress
from daemon.jobs.scan import Scanner
from daemon.jobs.scan_roots import ScanRoot
from daemon.processes.fork_server import ForkServer
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.queries import result_file
from index.database.records import images, matches, vectors
from index.database.records.images import WatchRoot
from index.database.records.jobs import DetectJobParameters, ScanParameters
from index.database.store import Store
from index.errors import UsageError
from index.imaging.decoding.pictures import Limits
from index.model import DetectParameters, Method


@dataclass(frozen=True, slots=True)
class OneShot:
    """The outcome of one run: the result in the format comparimg/1, and the outcome of the scan."""

    result: dict[str, Any]
    scan: dict[str, Any]


def default_data_dir() -> Path:
    """A folder other than the daemon's, since a running daemon locks its index."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "comparimg" / "detect"


def detect(
    folders: Sequence[Path],
    wanted: DetectJobParameters,
    data_dir: Path,
    progress: Progress,
    config: Config | None = None,
) -> OneShot:
    """Index folders and find the duplicates in them, with the processes and the model of a configuration, by default
    one without a file. Raises UsageError for missing and reserved folders, and if the requested method needs a model
    that cannot be used."""
    data_dirs = [os.fsencode(data_dir), os.fsencode(os.path.expanduser(service_data_dir(os.environ)))]
    roots = [
        ScanRoot(WatchRoot(path), exclude=exclusion_patterns(path, data_dirs)) for path in _distinct(folders, data_dirs)
    ]
    limits = Limits()
    config = config or defaults()
    workers = config.daemon.workers
    worker_limits = WorkerLimits(config.daemon.time_limit_s, config.daemon.memory_mb * 2**20)
    with ExitStack() as stack:
        # Before the index is opened, whose files and thread a fork must not have.
        forks = ForkServer.fork()
        if forks is not None:
            stack.enter_context(forks)
        store = stack.enter_context(Store(data_dir))
        pool = stack.enter_context(WorkerPool(workers, worker_limits, forks))
        store.write(lambda db: matches.mark_stale(db, images.sync_roots(db, [root.root for root in roots])))
        changed_decoders.reread_failures(store, pool)
        model_pool = stack.enter_context(WorkerPool(workers, worker_limits, forks))
        embedding = EmbeddingModel(store, model_pool, config.model)
        detector = Detector(
            store, pool, Previews(store, pool, limits), partial(DetectParameters, sized_for=0), embedding
        )
        scanner = Scanner(store, pool, lambda: roots, limits, lambda _: 0)
        quarantine.recover(store)
        scan = scanner.run(progress, ScanParameters())
        detector.bring_up_to_date(progress, wanted)
        if wanted.method not in (None, Method.AUTO, Method.HASH):
            _require_model(store)
        with store.read() as database:
            return OneShot(result_file.result(database), dict(scan))


def _require_model(store: Store) -> None:
    """Raises UsageError if the requested model cannot be used: a requested method is not replaced by another one
    silently."""
    with store.read() as database:
        state = vectors.model_state(database)
    if state is None:
        raise UsageError("model.none")
    if state.failure is not None:
        raise UsageError("model.unusable", problem=state.failure)


def _distinct(folders: Sequence[Path], data_dirs: Sequence[bytes]) -> list[bytes]:
    """The real paths of folders, each once. Raises UsageError for missing and reserved folders."""
    paths = []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError("ctl.no_folder", path=folder, field="DIR")
        if problem := objection(os.fsencode(folder.absolute()), data_dirs):
            raise UsageError("ctl.folder_unusable", path=folder, problem=problem, field="DIR")
        paths.append(os.fsencode(os.path.realpath(folder)))
    return sorted(set(paths))
