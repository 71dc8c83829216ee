"""The previews of contents on disk, by digest: what the verifier compares and the page shows. Made once, by workers.

A preview is made when a picture first has a candidate or is first shown. Pictures without either cost nothing.
"""

import logging
import os
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from daemon.jobs.preview_cache import PreviewCache
from daemon.jobs.quarantine import Quarantine
from daemon.processes.decode_task import CropTask, PictureTask, make_crop, make_preview, preview_of
from daemon.processes.worker_pool import WorkerPool
from index.database.records import images, trash_items
from index.database.store import Store
from index.errors import NoRoom, NotFound, PictureError, StoreError
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import Limits, preview_on_black, preview_path
from index.imaging.discovery.trash_places import holder_of, home_of
from index.model import RootState

log = logging.getLogger(__name__)

# A preview takes 34 to 43 KB: this is the size of 100,000.
LIMIT_BYTES: Final = 4000 * 2**20

# The reason if no file with a content exists or is online.
OUT_OF_REACH = "out_of_reach"
# The reasons if no preview can be written to the folder.
CANNOT_BE_KEPT = ("no_space", "unwritable")


class Advances(Protocol):
    def advance(self, steps: int = 1) -> None: ...


class Previews:
    """The folder `views` of the data folder, kept below `limit_bytes`. Any thread; `ensure` only one."""

    def __init__(self, store: Store, pool: WorkerPool, limits: Limits, limit_bytes: int = LIMIT_BYTES) -> None:
        self._store = store
        self._kept = Quarantine[int](store, pool, "view", "given a view")
        self._shown = Quarantine[int](store, pool, "shown", "shown")
        self._limits = limits
        self._folder = store.data_dir / "views"
        self._cache = PreviewCache(self._folder, limit_bytes)

    def make(self, content_id: int) -> bytes:
        """The JPEG of one content's preview, made before all waiting tasks. Raises PictureError and NotFound."""
        task = self._task(content_id)
        try:
            self._shown.call(make_preview, content_id, task)
            return Path(task.target).read_bytes()
        except PictureError as error:
            if error.reason not in CANNOT_BE_KEPT:
                raise
            log.warning("%s: %s", task.target, error.message)
        # On a full disk it is shown, but not stored.
        return self._shown.call(preview_of, content_id, task)

    def crop(self, content_id: int, box: tuple[int, int, int, int], side: int) -> bytes:
        """A part of one content's picture as a JPEG, made before all waiting tasks. Raises PictureError and
        NotFound."""
        return self._shown.call(make_crop, content_id, CropTask(self._task(content_id), box, side))

    def ensure(
        self, content_ids: Collection[int], progress: Advances
    ) -> tuple[dict[int, Path], dict[int, PictureError]]:
        """The previews of these contents as files, made if missing, and why the others have none. The progress advances
        by one for each. Raises NoRoom and StoreError if none can be stored. They stay at least until the next call."""
        with self._store.read() as database:
            rows = images.contents(database, content_ids)
        paths = {content_id: preview_path(self._folder, bytes(row.digest)) for content_id, row in rows.items()}
        needed = [file for path in paths.values() for file in (path, preview_on_black(path))]
        self._cache.use(needed)
        self._trim(set(map(str, needed)))
        missing = [content_id for content_id, path in paths.items() if not _is_whole(path)]
        tasks = self._tasks(missing)
        failed = {
            content_id: PictureError(OUT_OF_REACH, "picture.out_of_reach")
            for content_id in set(content_ids) - set(paths) | set(missing) - set(tasks)
        }
        progress.advance(len(set(content_ids)) - len(tasks))
        outcomes = self._kept.run(make_preview, tasks.items())
        with closing(outcomes):
            for outcome in outcomes:
                progress.advance()
                if outcome.failure is not None:
                    self._require_keeping(outcome.failure)
                    log.info("no preview of content %d: %s", outcome.item[0], outcome.failure.message)
                    failed[outcome.item[0]] = outcome.failure
                else:
                    self._cache.grew(_size_bytes(paths[outcome.item[0]]))
        return {content_id: path for content_id, path in paths.items() if content_id not in failed}, failed

    def _trim(self, needed: Collection[str]) -> None:
        if removed := self._cache.trim(needed):
            log.info("%d previews were removed for the limit on their size; they are made again when needed", removed)

    def _require_keeping(self, failure: PictureError) -> None:
        """Raises if no picture is at fault: without previews, every pair would count as judged."""
        if failure.reason in CANNOT_BE_KEPT:
            if failure.reason == "no_space":
                raise NoRoom("previews.no_room", folder=self._folder, problem=failure.message)
            raise StoreError("previews.unwritable", folder=self._folder, problem=failure.message)

    def forget(self, digests: Iterable[bytes]) -> None:
        """Remove the previews of these contents."""
        for digest in digests:
            preview = preview_path(self._folder, digest)
            preview.unlink(missing_ok=True)
            preview_on_black(preview).unlink(missing_ok=True)

    def pixel_tasks(self, content_ids: Collection[int]) -> dict[int, PictureTask]:
        """What a worker needs to digest the pixels of each content that can be read now."""
        return self._tasks(content_ids)

    def _task(self, content_id: int) -> PictureTask:
        task = self._tasks([content_id]).get(content_id) or self._trash_task(content_id)
        if task is None:
            raise NotFound("content.out_of_reach", content=content_id)
        return task

    def _trash_task(self, content_id: int) -> PictureTask | None:
        """The task for a file in a trash: it is opened below the folder that holds the trash without following a link,
        and only used if it has the digest that the index recorded."""
        with self._store.read() as database:
            rows = images.contents(database, [content_id])
            digest = bytes(rows[content_id].digest) if content_id in rows else b""
            place = trash_items.place_of(database, digest) if digest else None
        if place is None:
            return None
        target = preview_path(self._folder, digest)
        return PictureTask(place, holder_of(home_of(place)), digest, self._limits, str(target))

    def _tasks(self, content_ids: Collection[int]) -> dict[int, PictureTask]:
        with self._store.read() as database:
            rows = images.contents(database, content_ids)
            files = images.files_of(database, content_ids)
        tasks: dict[int, PictureTask] = {}
        for content_id, row in rows.items():
            present = [file for file in files.get(content_id, ()) if file.root_state == RootState.ONLINE]
            if present:
                target = preview_path(self._folder, bytes(row.digest))
                tasks[content_id] = PictureTask(
                    bytes(present[0].path), bytes(present[0].root_path), bytes(row.digest), self._limits, str(target)
                )
        return tasks


def _size_bytes(preview: Path) -> int:
    try:
        return preview.stat().st_size
    except OSError:
        return 0


def _is_whole(preview: Path) -> bool:
    """Whether a preview is complete: after a power loss, a file may have its name but not its bytes."""
    try:
        with preview.open("rb", buffering=0) as file:
            file.seek(-len(pictures.JPEG_END), os.SEEK_END)
            return file.read() == pictures.JPEG_END
    except OSError:
        return False
