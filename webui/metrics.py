"""GET /metrics: the state of the service in Prometheus' text format.

Nothing is counted here. The values are read from the index and the parts of the service at each request. So they
survive a restart, and cost nothing in between.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from index.database.queries import job_listing, listing, statistics
from index.database.store import Store
from webui.routes import Call, Reply, Route
from webui.schemas import path_text
from webui.services import Services

PREFIX = "comparimg"


def get_metrics(call: Call) -> Reply:
    registry = CollectorRegistry()
    registry.register(_MetricsCollector(call.store, call.services))
    ProcessCollector(registry=registry)
    return Reply(generate_latest(registry), CONTENT_TYPE_LATEST)


class _MetricsCollector(Collector):
    def __init__(self, store: Store, services: Services) -> None:
        self._store = store
        self._services = services

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(PREFIX, "The service", {"version": self._services.version})
        yield _gauge("part_alive", "Whether a part of the service is alive and makes progress", ["part"],
                     {(name,): float(alive) for name, alive in self._services.health().items()})  # fmt: skip
        yield from self._index()
        yield from self._jobs()
        yield from self._roots()
        losses = CounterMetricFamily(
            f"{PREFIX}_worker_restarts", "Decoding processes that were lost and replaced", labels=["reason"]
        )
        for reason, count in self._services.worker_losses().items():
            losses.add_metric([reason], count)
        yield losses
        yield _gauge("index_bytes", "Size of the index on disk", [], {(): _size(self._store)})
        space = os.statvfs(self._store.data_dir)
        yield _gauge(
            "data_free_bytes", "Free space on the disk of the index", [], {(): space.f_bavail * space.f_frsize}
        )

    def _index(self) -> Iterator[Metric]:
        with self._store.read() as database:
            totals = listing.totals(database)
            kinds = statistics.by_kind(database)
            reasons = job_listing.reasons_of_problems(database)
            decided = job_listing.groups_by_decided(database)
        yield _gauge("images", "Image files in the index", [], {(): totals.images})
        yield _gauge("image_bytes", "Total size of the image files", [], {(): totals.size_bytes})
        yield _gauge("groups", "Groups of duplicates", ["kind"], {(figures.kind,): figures.groups for figures in kinds})
        yield _gauge("groups_decided", "Groups by whether their images are decided", ["decided"],
                     {(name,): count for name, count in decided.items()})  # fmt: skip
        yield _gauge("duplicates", "Images in groups, not counting one of each group", [], {(): totals.duplicates})
        yield _gauge("reclaimable_bytes", "Size of the copies", ["kind"],
                     {(figures.kind,): figures.reclaimable_bytes for figures in kinds})  # fmt: skip
        yield _gauge("problems", "Files that could not be read as pictures", ["reason"],
                     {(reason,): count for reason, count in reasons.items()})  # fmt: skip

    def _jobs(self) -> Iterator[Metric]:
        with self._store.read() as database:
            states = job_listing.jobs_by_kind_and_state(database)
            last_jobs = job_listing.last_jobs(database)
        yield _gauge("jobs", "Jobs in the history", ["kind", "state"], states)
        yield _gauge("jobs_waiting", "Jobs in the queue", [],
                     {(): sum(count for (_, state), count in states.items() if state == "queued")})  # fmt: skip
        yield _gauge("job_last_duration_seconds", "Duration of the last job of a kind", ["kind", "state"],
                     {(row.kind, row.state): (row.finished_ns - row.started_ns) / 1e9
                      for row in last_jobs})  # fmt: skip
        yield _gauge("job_last_finished_timestamp_seconds", "When the last job of a kind ended", ["kind", "state"],
                     {(row.kind, row.state): row.finished_ns / 1e9 for row in last_jobs})  # fmt: skip

    def _roots(self) -> Iterator[Metric]:
        with self._store.read() as database:
            rows = listing.roots(database)
        watches = {row.path: self._services.root_watch(row.path) for row in rows}
        for name, help_, value in (
            ("root_online", "Whether a watched folder is online", lambda row: float(row.state == "online")),
            (
                "root_native",
                "Whether the system reports changes in the folder",
                lambda row: float(watches[row.path].mode == "native"),
            ),
            ("root_watched_folders", "Subfolders that are watched", lambda row: watches[row.path].folders),
            ("root_images", "Images in the folder", lambda row: row.images),
            ("root_bytes", "Total size of its images", lambda row: row.size_bytes),
            ("root_problems", "Files in the folder that could not be read", lambda row: row.problems),
            (
                "root_walked_timestamp_seconds",
                "When the folder was last scanned",
                lambda row: (row.walked_ns or 0) / 1e9,
            ),
        ):
            # path_text: a label must be UTF-8, but a path may be any bytes.
            yield _gauge(name, help_, ["root"], {(path_text(row.path),): value(row) for row in rows})


def _gauge(name: str, help_: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", help_, labels=labels)
    for given, value in values.items():
        family.add_metric(list(given), value)
    return family


def _size(store: Store) -> int:
    total = 0
    for ending in ("", "-wal"):
        try:
            total += os.stat(f"{store.path}{ending}").st_size
        except OSError:
            continue
    return total


ROUTES = (
    Route(
        "GET", "/metrics", get_metrics, "The state of the service, for Prometheus", "status",
        media_types=(CONTENT_TYPE_LATEST,),
    ),
)  # fmt: skip
