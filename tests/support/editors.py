"""A program that saves a picture again at given moments of an action, and what may be gone afterwards."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.files import removal

# Every system call by which an action changes names.
CALLS = ("link", "unlink", "rename", "mkdir", "rmdir")


class Editor:
    """Saves `path` by a new file that is renamed over it, as editors do, before or after certain changes.

    `saved` are the contents it saved, the newest last; `overwritten` those that its saves took the last name of.
    """

    def __init__(self, path: Path, moments: Collection[int]) -> None:
        self.path = path
        self.saved: list[bytes] = []
        self.overwritten: set[bytes] = set()
        self.changes = 0
        self._moments = moments
        # The real calls: what follows may be patched.
        self._rename = os.rename

    def save(self) -> None:
        data = b"save %d of an editor" % len(self.saved)
        if self.path.exists() and self._is_last_name():
            self.overwritten.add(self.path.read_bytes())
        fresh = self.path.with_name("fresh")
        fresh.write_bytes(data)
        self._rename(fresh, self.path)
        self.saved.append(data)

    def _is_last_name(self) -> bool:
        """Whether the file has no other name, but for one that was proven to be a second one and is being removed."""
        status = self.path.stat()
        going = self.path.parent.parent.rglob(".comparimg-*.removing/*")
        return status.st_nlink == 1 + sum(os.path.samestat(status, other.stat()) for other in going)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Save at the moments: the change n has the moments 2n, before it, and 2n + 1, after it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(removal, "renameat2", self._watching(removal.renameat2))
            for name in CALLS:
                patch.setattr(os, name, self._watching(getattr(os, name)))
            yield

    def _watching(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any, **named: Any) -> Any:
            number, self.changes = self.changes, self.changes + 1
            if 2 * number in self._moments:
                self.save()
            try:
                return change(*arguments, **named)
            finally:
                if 2 * number + 1 in self._moments:
                    self.save()

        return do
