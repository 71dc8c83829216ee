"""A library with a detector as the service composes them, for the tests of what is found."""

from collections.abc import Callable
from functools import partial
from typing import Any

from daemon.jobs.detect import Detector
from daemon.jobs.progress import Unwatched
from daemon.jobs.views import Views
from index.images.pictures import Limits
from index.model import DetectParameters
from index.queries import report
from index.records.jobs import DetectJobParameters
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

    def __init__(self, library: Library) -> None:
        self.library = library
        self.photos = library.photos
        self.pool = CountingPool(library.pool)
        views = Views(library.store, self.pool, Limits(max_pixels=50_000_000))  # type: ignore[arg-type]
        self.detector = Detector(library.store, self.pool, views, DetectParameters)  # type: ignore[arg-type]

    def scan(self) -> None:
        """Scan, and match what is new as the scanner does."""
        self.library.scan()
        self.detector.update(Unwatched())

    def detect(self, **wanted: Any) -> dict[str, Any]:
        self.detector.run(Unwatched(), DetectJobParameters(**wanted))
        return self.result()

    def result(self) -> dict[str, Any]:
        """The result with paths below the folder, without the time it was made at."""
        with self.library.store.read() as database:
            found = report.result(database)
        del found["created"]
        start = len(str(self.photos)) + 1
        for group in found["groups"]:
            for told in (group["proposal"], *group["images"]):
                told["path"] = told["path"][start:]
        return found

    def groups(self) -> list[dict[str, str]]:
        """Path -> kind ("" for the reference) of every group."""
        return [
            {image["path"]: image.get("kind", "") for image in group["images"]} for group in self.result()["groups"]
        ]
