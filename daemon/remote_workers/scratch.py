"""A worker's own folder for the views that it was sent. Used by any thread.

A view is stored under the digest of its bytes, which is computed here. So a process that has prepared a picture before
recognises it, and no one else chooses a file name.
"""

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import blake3

from daemon.remote_workers.lendable import check_view
from daemon.remote_workers.wire import View
from index.imaging.decoding.pictures import preview_on_black

# 20 MB. The views of a batch stay at least until it is done. The service assumes a smaller number (see sent_views), so
# that views in transit do not matter.
KEPT: Final = 500
# Followed by the process id.
PREFIX: Final = "comparimg-worker-"
# A folder in memory; if there is none, the folder for temporary files is used.
MEMORY: Final = Path("/dev/shm")


class Scratch:
    """The views of one worker. `close` removes the folder."""

    def __init__(self, parent: Path | None = None) -> None:
        """Raises OSError."""
        if parent is None and os.access(MEMORY, os.W_OK):
            parent = MEMORY
        _remove_left(parent or Path(tempfile.gettempdir()))
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
        self._lock = threading.Lock()
        self._used: OrderedDict[Path, int] = OrderedDict()
        self._by_number: OrderedDict[int, Path] = OrderedDict()

    def add(self, views: Collection[View]) -> list[str]:
        """Store views, or find those sent before, and return their paths. They stay until `release`. Raises OSError,
        and ValueError for an invalid view or one that is not here."""
        paths: list[Path] = []
        try:
            for view in views:
                path = self._add(view) if view.jpeg else self._find(view.number)
                paths.append(path)
        except BaseException:
            self.release(map(str, paths))  # type: ignore[arg-type]
            raise
        return list(map(str, paths))

    def release(self, paths: Collection[str]) -> None:
        with self._lock:
            for path in map(Path, paths):
                self._used[path] -= 1
            unused = [path for path, users in self._used.items() if not users]
            for path in unused[: max(0, len(self._used) - KEPT)]:
                del self._used[path]
                _remove(path)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _add(self, view: View) -> Path:
        check_view(view.jpeg)
        if view.on_black:
            check_view(view.on_black)
        path = self._folder / f"{blake3.blake3(view.jpeg + view.on_black).hexdigest()}.jpg"
        with self._lock:
            if path not in self._used:
                try:
                    path.write_bytes(view.jpeg)
                    if view.on_black:
                        preview_on_black(path).write_bytes(view.on_black)
                except OSError:
                    _remove(path)
                    raise
                self._used[path] = 0
            self._by_number[view.number] = path
            self._use(view.number, path)
        return path

    def _find(self, number: int) -> Path:
        with self._lock:
            path = self._by_number.get(number)
            if path is None or path not in self._used:
                raise ValueError("a view that is not here")
            self._use(number, path)
        return path

    def _use(self, number: int, path: Path) -> None:
        self._used[path] += 1
        self._used.move_to_end(path)
        self._by_number.move_to_end(number)
        while len(self._by_number) > 2 * KEPT:
            self._by_number.popitem(last=False)


def _remove_left(parent: Path) -> None:
    """Remove the folders that killed workers of this user left behind."""
    for folder in parent.glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):
            if pid.isdecimal() and folder.lstat().st_uid == os.geteuid() and not _is_alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _remove(path: Path) -> None:
    for file in (path, preview_on_black(path)):
        with suppress(OSError):
            file.unlink()
