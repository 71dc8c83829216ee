"""The views of contents on disk, by digest: what the verifier looks at and the page shows. Made once, by workers.

A view is made when a picture first has a candidate or is first shown; pictures without either cost nothing.
"""

import logging
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from daemon.jobs.tries import Tries
from daemon.processes.decoding import CropTask, PictureTask, make_crop, make_view, view_of
from daemon.processes.workers import WorkerPool
from index.errors import NoRoom, NotFound, PictureError, StoreError
from index.images import pictures
from index.images.pictures import Limits
from index.model import RootState
from index.records import catalogue
from index.store import Store

log = logging.getLogger(__name__)

# The reason where no file with a content is there or online.
OUT_OF_REACH = "out_of_reach"
# Those of a folder that takes no view.
CANNOT_BE_KEPT = ("no_space", "unwritable")


class Stepwise(Protocol):
    def advance(self, steps: int = 1) -> None: ...


class Views:
    """The folder `views` of the data folder. Any thread."""

    def __init__(self, store: Store, pool: WorkerPool, limits: Limits) -> None:
        self._store = store
        self._made = Tries(store, pool, "view", "given a view")
        self._shown = Tries(store, pool, "shown", "shown")
        self._limits = limits
        self._folder = store.data_dir / "views"

    def path_of(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / name[:2] / f"{name}.jpg"

    def make(self, content_id: int) -> bytes:
        """The JPEG of one content's view, before all that waits. Raises PictureError and NotFound."""
        task = self._task(content_id)
        try:
            self._shown.call(make_view, content_id, task)
            return Path(task.target).read_bytes()
        except PictureError as error:
            if error.reason not in CANNOT_BE_KEPT:
                raise
            log.warning("%s: %s", task.target, error.message)
        # A full disk costs the keeping, not the view.
        return self._shown.call(view_of, content_id, task)

    def crop(self, content_id: int, box: tuple[int, int, int, int], side: int) -> bytes:
        """A part of one content's picture as a JPEG, before all that waits. Raises PictureError and NotFound."""
        return self._shown.call(make_crop, content_id, CropTask(self._task(content_id), box, side))

    def ensure(
        self, content_ids: Collection[int], progress: Stepwise
    ) -> tuple[dict[int, Path], dict[int, PictureError]]:
        """The views of these contents as files, made where they are missing, and why there is none of the others.
        Raises NoRoom and StoreError where none can be kept."""
        with self._store.read() as database:
            rows = catalogue.contents(database, content_ids)
        found = {content_id: self.path_of(bytes(row.digest)) for content_id, row in rows.items()}
        missing = [content_id for content_id, path in found.items() if not _is_whole(path)]
        tasks = self._tasks(missing)
        failed = {
            content_id: PictureError(OUT_OF_REACH, "no file with it can be read now")
            for content_id in set(content_ids) - set(found) | set(missing) - set(tasks)
        }
        outcomes = self._made.run(make_view, tasks.items())
        try:
            for outcome in outcomes:
                progress.advance(0)
                if outcome.failure is not None:
                    self._require_keeping(outcome.failure)
                    log.info("no view of content %d: %s", outcome.item[0], outcome.failure.message)
                    failed[outcome.item[0]] = outcome.failure
        finally:
            outcomes.close()
        return {content_id: path for content_id, path in found.items() if content_id not in failed}, failed

    def _require_keeping(self, failure: PictureError) -> None:
        """Raises where it is no picture's fault: going on without views would take every pair for judged."""
        if failure.reason in CANNOT_BE_KEPT:
            words = f"The folder {self._folder} cannot be used: {failure.message}."
            if failure.reason == "no_space":
                raise NoRoom(words, "Make room on its disk.")
            raise StoreError(words, "See to it that ComparImg may write there; the next scan goes on.")

    def forget(self, digests: Iterable[bytes]) -> None:
        """Remove the views of contents that are known no more."""
        for digest in digests:
            self.path_of(digest).unlink(missing_ok=True)

    def pixel_tasks(self, content_ids: Collection[int]) -> dict[int, PictureTask]:
        """What a worker needs to digest the pixels of each content that can be read now."""
        return self._tasks(content_ids)

    def _task(self, content_id: int) -> PictureTask:
        tasks = self._tasks([content_id])
        if not tasks:
            raise NotFound(f"No file with the content {content_id} can be read now.")
        return tasks[content_id]

    def _tasks(self, content_ids: Collection[int]) -> dict[int, PictureTask]:
        with self._store.read() as database:
            rows = catalogue.contents(database, content_ids)
            files = catalogue.files_of(database, content_ids)
        tasks: dict[int, PictureTask] = {}
        for content_id, row in rows.items():
            present = [file for file in files.get(content_id, ()) if file.root_state == RootState.ONLINE]
            if present:
                target = self.path_of(bytes(row.digest))
                tasks[content_id] = PictureTask(
                    bytes(present[0].path), bytes(present[0].root_path), bytes(row.digest), self._limits, str(target)
                )
        return tasks


def _is_whole(view: Path) -> bool:
    """Whether a view is there to its end: the name of a file may outlive a power loss, and its bytes not."""
    try:
        with view.open("rb", buffering=0) as file:
            file.seek(-len(pictures.JPEG_END), os.SEEK_END)
            return file.read() == pictures.JPEG_END
    except OSError:
        return False
