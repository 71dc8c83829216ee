"""`comparimg-ctl detect` without a daemon: the same parts, composed for one run in this process.

The index is kept, so that a second run reads only what changed; every folder it ever saw shares it.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.configuration.config import usual_data_dir
from daemon.configuration.places import patterns_without, why_not
from daemon.jobs import tries
from daemon.jobs.detect import Detector
from daemon.jobs.progress import Progress
from daemon.jobs.scan import Scanner, ScanRoot
from daemon.jobs.views import Views
from daemon.processes.workers import WorkerLimits, WorkerPool
from index.errors import UsageError
from index.images.pictures import Limits
from index.model import DetectParameters
from index.queries import report
from index.records import catalogue, findings
from index.records.catalogue import WatchRoot
from index.records.jobs import DetectJobParameters, ScanParameters
from index.store import Store


@dataclass(frozen=True, slots=True)
class OneShot:
    """What one run found: the result of format comparimg/1 and what the scan did."""

    result: dict[str, Any]
    scan: dict[str, Any]


def default_data_dir() -> Path:
    """Not the daemon's: one that runs holds its own index."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "comparimg" / "detect"


def detect(
    folders: Sequence[Path],
    wanted: DetectJobParameters,
    data_dir: Path,
    progress: Progress,
    workers: int,
) -> OneShot:
    """Index folders and find the duplicates in them. Raises UsageError for what is no folder of pictures."""
    data_dirs = [os.fsencode(data_dir), os.fsencode(os.path.expanduser(usual_data_dir(os.environ)))]
    roots = [
        ScanRoot(WatchRoot(path), exclude=patterns_without(path, data_dirs)) for path in _distinct(folders, data_dirs)
    ]
    limits = Limits()
    with ExitStack() as stack:
        store = stack.enter_context(Store(data_dir))
        pool = stack.enter_context(WorkerPool(workers, WorkerLimits()))
        store.write(lambda db: findings.concern(db, catalogue.sync_roots(db, [root.root for root in roots])))
        detector = Detector(store, pool, Views(store, pool, limits), DetectParameters)
        scanner = Scanner(store, pool, roots, limits, lambda _: 0)
        scanner.recover()
        tries.recover(store)
        scan = scanner.run(progress, ScanParameters())
        detector.bring_up_to_date(progress, wanted)
        with store.read() as database:
            return OneShot(report.result(database), dict(scan))


def _distinct(folders: Sequence[Path], data_dirs: Sequence[bytes]) -> list[bytes]:
    """The real paths of folders, each once. Raises UsageError for what is no folder of pictures."""
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder.", field="DIR")
        if told := why_not(os.fsencode(folder.absolute()), data_dirs):
            raise UsageError(f"{folder} {told}.", field="DIR")
        found.append(os.fsencode(os.path.realpath(folder)))
    return sorted(set(found))
