"""The third stage of a scan: worker processes read and decode the files, and the index gets the results."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from daemon.jobs.progress import Progress
from daemon.jobs.quarantine import GIVEN_UP, Quarantine
from daemon.processes.decode_task import KNOWN_AT_MOST, IndexTask, index_file
from daemon.processes.worker_pool import Outcome, WorkerPool
from index.database.records import images, matches
from index.database.records.quarantine import TRIES
from index.database.records.readings import record_readings
from index.database.store import Store
from index.imaging.decoding.pictures import Limits
from index.messages import Message
from index.model import FileVersion, Identity, Reading

# Files whose known digests are looked up at a time.
LOOKED_UP_AT_ONCE: Final = 200


@dataclass(slots=True)
class ReadCounts:
    """How many files were read, how many of them had known bytes, and how many are problems."""

    read: int = 0
    known: int = 0
    problems: int = 0


class Reader:
    """Reads files into the index. A file on which the service crashed is read last and alone (see Quarantine)."""

    def __init__(self, store: Store, pool: WorkerPool, limits: Limits) -> None:
        self._store = store
        self._pool = pool
        self._limits = limits
        self._quarantine = Quarantine[FileVersion](store, pool, "read", "read", failures_are_recorded=True)

    def read(self, progress: Progress, top: bytes, root_id: int, files: Mapping[bytes, Identity]) -> ReadCounts:
        """Read files below the watched folder `top`, whose row is `root_id`. If it is stopped, what was decoded is
        kept."""
        counts = ReadCounts()
        progress.begin("indexing", len(files))
        calm, suspects = self._quarantine.split(FileVersion.of(path, identity) for path, identity in files.items())
        record = partial(_record, root_id=root_id)
        # Suspects one by one: one of them, too, may be a copy of a file read before it.
        for versions in (*_in_two_passes(calm), *([suspect] for suspect in suspects)):
            outcomes = self._quarantine.run(index_file, self._tasks(top, files, versions), record)
            with closing(outcomes):
                for outcome in outcomes:
                    _count(outcome, counts)
                    progress.advance()
        return counts

    def _tasks(
        self, top: bytes, files: Mapping[bytes, Identity], versions: Sequence[FileVersion]
    ) -> Iterator[tuple[FileVersion, IndexTask]]:
        """A worker's task for each file, looked up when its turn comes: by then a copy may have been read."""
        for chunk in images.chunks(versions, LOOKED_UP_AT_ONCE):
            with self._store.read() as database:
                known = images.digests_by_size(database, {version.size_bytes for version in chunk})
            for version in chunk:
                digests = frozenset(sorted(known.get(version.size_bytes, ()))[:KNOWN_AT_MOST])
                yield version, IndexTask(version.path, top, files[version.path], digests, self._limits)


ReadOutcome = Outcome[tuple[FileVersion, IndexTask], Reading]


def _in_two_passes(versions: Iterable[FileVersion]) -> tuple[list[FileVersion], list[FileVersion]]:
    """First one file of each size, then the others, which may be copies of a first one and then need no decoding."""
    first: dict[int, FileVersion] = {}
    others = [version for version in versions if first.setdefault(version.size_bytes, version) is not version]
    return list(first.values()), others


def _record(database: Any, outcomes: Iterable[ReadOutcome], root_id: int) -> None:
    readings = [_reading_of(outcome) for outcome in outcomes]
    matches.mark_stale(database, record_readings(database, root_id, readings, time.time_ns()))


def _reading_of(outcome: ReadOutcome) -> Reading:
    """What is recorded of a file. A failure of its worker is a problem until the file changes."""
    if outcome.value is not None:
        return outcome.value
    _, task = outcome.item
    assert outcome.failure is not None
    reason, message = outcome.failure.reason, outcome.failure.message
    if reason == GIVEN_UP:
        reason = "crashed"
        message = Message("picture.service_ended", n=TRIES)
    return Reading(task.path, task.identity, failure=reason, message=message)


def _count(outcome: ReadOutcome, counts: ReadCounts) -> None:
    reading = outcome.value
    counts.problems += reading is None or bool(reading.failure)
    if reading is not None and reading.facts is None and not reading.failure:
        counts.known += 1
    elif outcome.failure is None or outcome.failure.reason != GIVEN_UP:
        counts.read += 1
