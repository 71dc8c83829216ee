"""A library with a detector as the service composes them, for the tests of what is found."""

from collections.abc import Callable
from functools import partial
from typing import Any

from daemon.jobs.detect import Detector
from daemon.jobs.previews import LIMIT_BYTES, Previews
from daemon.jobs.progress import NullProgress
from index.database.queries import result_file
from index.database.records.jobs import DetectJobParameters
from index.imaging.decoding.pictures import Limits
from index.model import DetectParameters
from support.library import Library


class CountingPool:
    """The pool, and the names of the functions that its processes were asked to run."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.asked: list[str] = []

    def run(self, function: Callable[..., Any], items: Any, *others: Any, **named: Any) -> Any:
        applied = function.args[0] if isinstance(function, partial) else function

        def counted() -> Any:
            for item in items:
                self.asked.append(applied.__name__)
                yield item

        return self._pool.run(function, counted(), *others, **named)

    def call(self, function: Callable[..., Any], item: Any) -> Any:
        self.asked.append(function.__name__)
        return self._pool.call(function, item)


class Detections:
    """A library with a detector as the service composes them."""

    def __init__(self, library: Library, preview_bytes: int = LIMIT_BYTES) -> None:
        self.library = library
        self.photos = library.photos
        self.pool = CountingPool(library.pool)
        limits = Limits(max_pixels=50_000_000)
        views = Previews(library.store, self.pool, limits, preview_bytes)  # type: ignore[arg-type]
        self.detector = Detector(library.store, self.pool, views, DetectParameters)  # type: ignore[arg-type]

    def scan(self) -> None:
        """Scan, and match what is new as the scanner does."""
        self.library.scan()
        self.detector.update(NullProgress())

    def detect(self, **wanted: Any) -> dict[str, Any]:
        self.detector.run(NullProgress(), DetectJobParameters(**wanted))
        return self.result()

    def result(self) -> dict[str, Any]:
        """The result with paths below the folder, without the time it was made at."""
        with self.library.store.read() as database:
            result = result_file.result(database)
        del result["created"]
        start = len(str(self.photos)) + 1
        for group in result["groups"]:
            # Nothing is proposed of a scene.
            proposal = group["proposal"] or {"path": "", "speaking": []}
            for image in (proposal, *group["images"]):
                image["path"] = image["path"][start:]
            for entry in proposal["speaking"]:
                entry |= {name: entry[name][start:] for name in ("speaks_for", "against")}
        return result

    def groups(self) -> list[dict[str, str]]:
        """Path -> kind ("" for the reference) of every group."""
        return [
            {image["path"]: image.get("kind", "") for image in group["images"]} for group in self.result()["groups"]
        ]
