"""Finds out, for matching pictures, what shows which was made from which, and reads the files next to images in groups.

In the runner's thread only. Each content of a near match is decoded once, by a worker, and its trace is stored. Pairs
are compared by their traces, also in the workers.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final

from daemon.files.safe_files import FileRef
from daemon.files.siblings import Folder, describing
from daemon.jobs.previews import OUT_OF_REACH, Previews
from daemon.jobs.progress import Portion, Progress
from daemon.jobs.quarantine import Quarantine
from daemon.processes.decode_task import PictureTask
from daemon.processes.description_task import SidecarFile, read_sidecars
from daemon.processes.origin_task import OriginTask, compare_origins, trace_picture
from daemon.processes.worker import of_item
from daemon.processes.worker_pool import Outcome, WorkerPool
from index.database.records import images, origins
from index.database.records.origins import OpenPair
from index.database.records.quarantine import LOSSES
from index.database.store import Store
from index.imaging.discovery.companions import companions_of
from index.imaging.originality.pair_evidence import VERSION as FINDINGS
from index.imaging.originality.trace import VERSION as TRACES
from index.model import Description

# Pairs that are compared together, and stored in one commit.
AT_ONCE: Final = 400
# Reasons that are not properties of the picture, but of the moment.
PASSING: Final = frozenset({OUT_OF_REACH, "unreadable", "changed"})


class Origins:
    """Keeps the findings on the origin of matched pictures complete."""

    def __init__(self, store: Store, pool: WorkerPool, previews: Previews) -> None:
        self._store = store
        self._pool = pool
        self._previews = previews
        self._traced = Quarantine[int](store, pool, TRACES, "traced")

    def complete(self, progress: Progress, detection_id: int, content_ids: Collection[int] | None = None) -> None:
        """Examine the matches within the groups of a detection that were not examined yet; only those of these
        contents, if any are given. Files that cannot be read now are left for later."""
        with self._store.read() as database:
            pairs = origins.open_pairs(database, detection_id, FINDINGS, content_ids)
        if not pairs:
            return
        progress.begin("tracing", len(pairs))
        for chunk in images.chunks(pairs, AT_ONCE):
            portion = Portion(progress, len(chunk))
            self._compare(portion, chunk)
            portion.end()

    def complete_groups(
        self, progress: Progress, detection_id: int, content_ids: Collection[int] | None = None
    ) -> None:
        """Examine the members of groups that were not compared with each other, through their relations to the
        reference; only those of the groups of these contents, if any are given. No picture is read for that."""
        with self._store.read() as database:
            members = origins.open_members(database, detection_id, FINDINGS, content_ids)
        if not members:
            return
        progress.begin("tracing", len(members))
        for chunk in images.chunks(members, AT_ONCE):
            with self._store.read() as database:
                pairs = origins.led_by(database, detection_id, chunk)
            portion = Portion(progress, len(chunk))
            self._compare(portion, pairs)
            portion.end()

    def _compare(self, progress: Portion, pairs: Sequence[OpenPair]) -> None:
        concerned = {content_id for pair in pairs for content_id in (pair.a_id, pair.b_id)}
        with self._store.read() as database:
            traces = origins.traces(database, concerned, TRACES)
            facts = {key: images.facts_of(row) for key, row in images.contents(database, concerned).items()}
        missing = concerned - set(traces)
        calm, suspects = self._traced.split(sorted(missing))
        tasks = self._previews.pixel_tasks(missing)
        # Tracing a picture means decoding it; comparing two traces costs next to nothing.
        progress.expect(len(tasks))
        outcomes = self._traced.run(
            trace_picture, ((key, tasks[key]) for key in (*calm, *suspects) if key in tasks), _record_traces
        )
        with closing(outcomes):
            for outcome in outcomes:
                progress.advance()
                if _is_final(outcome):
                    traces[outcome.item[0]] = outcome.value or b""
        ready = [
            (
                (p.a_id, p.b_id, p.via_id),
                OriginTask(traces[p.a_id], traces[p.b_id], facts[p.a_id], facts[p.b_id], p.evidence),
            )
            for p in pairs
            if p.a_id in traces and p.b_id in traces and p.a_id in facts and p.b_id in facts
        ]
        found: dict[origins.Compared, tuple[Mapping[str, float], Mapping[str, float]]] = {}
        compared = self._pool.run(partial(of_item, compare_origins), ready)
        with closing(compared):
            for pair in compared:
                progress.checkpoint()
                if pair.value is not None:
                    found[pair.item[0]] = pair.value
        self._store.write(lambda database: origins.store_findings(database, FINDINGS, found))

    def look_beside(self, progress: Progress, content_ids: Collection[int] | None = None) -> None:
        """Record which images of groups have companions, and the metadata in their sidecars; only those of these
        contents, if any are given."""
        with self._store.read() as database:
            shown = origins.images_in_groups(database, content_ids)
        by_folder: dict[tuple[bytes, bytes], list[tuple[int, bytes]]] = defaultdict(list)
        for image_id, path, root in shown:
            folder, name = os.path.split(path)
            by_folder[root, folder].append((image_id, name))
        bonds: dict[int, Sequence[str]] = {}
        sidecars: dict[int, tuple[SidecarFile, ...]] = {}
        for (root, folder), files in by_folder.items():
            progress.checkpoint()
            try:
                listed = Folder.of(FileRef(root, os.path.join(folder, files[0][1])))
            except OSError:
                # The folder is unreachable: what was seen there before still counts.
                continue
            for image_id, name in files:
                found = companions_of(name, listed.related(name), listed.fold)
                bonds[image_id] = sorted({str(companion.bond) for companion in found})
                if described := describing(name, found, listed.fold):
                    sidecars[image_id] = tuple(SidecarFile(os.path.join(folder, own), root) for own in described)
        said: dict[int, Description] = {}
        read = self._pool.run(partial(of_item, read_sidecars), sidecars.items())
        with closing(read):
            for outcome in read:
                progress.checkpoint()
                if outcome.value is not None:
                    said[outcome.item[0]] = outcome.value
        self._store.write(lambda database: origins.store_companions(database, bonds, said))


def _is_final(outcome: Outcome[tuple[int, PictureTask], bytes]) -> bool:
    """Whether there is a trace, or never will be."""
    return outcome.failure is None or outcome.failure.reason not in PASSING | LOSSES


def _record_traces(database: Any, outcomes: Iterable[Outcome[tuple[int, PictureTask], bytes]]) -> None:
    """Store traces, b"" for pictures of which none can be made."""
    made = {outcome.item[0]: outcome.value or b"" for outcome in outcomes if _is_final(outcome)}
    origins.store_traces(database, TRACES, made)
