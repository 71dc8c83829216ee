"""The views that one worker was sent: each travels once, as long as it is among the last of them.

A view gets a number when it is first sent, by which the worker finds it again. A worker keeps more of them than are
remembered here (see scratch). One that it lacks all the same costs the tasks of its batch a way home.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Final

from daemon.remote_workers.wire import View
from index.imaging.decoding.pictures import JPEG_END, preview_on_black

# A view takes 40 KB; one of noise alone takes 350.
MOST_VIEW_BYTES: Final = 2**19
JPEG_START: Final = b"\xff\xd8"
REMEMBERED: Final = 256

Key = tuple[str, bool]


class SentViews:
    """What one worker has. For one batch after another: `note` the views of one before the next begins."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[Key, int] = OrderedDict()
        self._last = -1

    def number(self, key: Key) -> int | None:
        """The number of a view that the worker has."""
        return self._numbers.get(key)

    def new_number(self) -> int:
        self._last += 1
        return self._last

    def note(self, batch: "Views") -> None:
        """The batch is sent."""
        for key, view in zip(batch.keys, batch.sent, strict=True):
            self._numbers[key] = view.number
            self._numbers.move_to_end(key)
        while len(self._numbers) > REMEMBERED:
            self._numbers.popitem(last=False)


class Views:
    """The views of one batch, for a worker that has some of them already."""

    def __init__(self, has: SentViews) -> None:
        self.sent: list[View] = []
        self.keys: list[Key] = []
        self._has = has
        self._places: dict[Key, int] = {}

    def add(self, path: str, with_black: bool = False) -> int:
        """The place of a view in the batch. Raises OSError and ValueError where it cannot be read."""
        key = path, with_black
        if key not in self._places:
            view = self._view(key)
            self._places[key] = len(self.sent)
            self.sent.append(view)
            self.keys.append(key)
        return self._places[key]

    def _view(self, key: Key) -> View:
        number = self._has.number(key)
        if number is not None:
            return View(number)
        path, with_black = key
        black = _read(preview_on_black(Path(path))) if with_black else b""
        return View(self._has.new_number(), _read(Path(path)), black)


def _read(path: Path) -> bytes:
    """Raises OSError and ValueError; the worker looks closer."""
    view = path.read_bytes()
    if len(view) > MOST_VIEW_BYTES or not view.startswith(JPEG_START) or not view.endswith(JPEG_END):
        raise ValueError("no whole view")
    return view
