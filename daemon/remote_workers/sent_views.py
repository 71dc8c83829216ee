"""The views that one worker was sent. Each is sent once, as long as it is among the most recent ones.

A view gets a number when it is first sent; the worker finds it again by that number. A worker keeps more views than are
remembered here (see scratch). If it lacks one nevertheless, the tasks of that batch are returned.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Final

from daemon.remote_workers.wire import View
from index.imaging.decoding.pictures import JPEG_END, preview_on_black

# A view takes 40 KB; one of pure noise takes 350.
MOST_VIEW_BYTES: Final = 2**19
JPEG_START: Final = b"\xff\xd8"
REMEMBERED: Final = 256

Key = tuple[str, bool]


class SentViews:
    """The views that one worker has. For each batch, call `note` before the next one begins."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[Key, int] = OrderedDict()
        self._last = -1

    def number(self, key: Key) -> int | None:
        """The number of a view, None if the worker does not have it."""
        return self._numbers.get(key)

    def new_number(self) -> int:
        self._last += 1
        return self._last

    def note(self, batch: "Views") -> None:
        """Record that the batch was sent."""
        for key, view in zip(batch.keys, batch.sent, strict=True):
            self._numbers[key] = view.number
            self._numbers.move_to_end(key)
        while len(self._numbers) > REMEMBERED:
            self._numbers.popitem(last=False)


class Views:
    """The views of one batch, for a worker that already has some of them."""

    def __init__(self, has: SentViews) -> None:
        self.sent: list[View] = []
        self.keys: list[Key] = []
        self._has = has
        self._places: dict[Key, int] = {}

    def add(self, path: str, with_black: bool = False) -> int:
        """Add a view. Returns its index in the batch. Raises OSError and ValueError if it cannot be read."""
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
    """The bytes of a view. Raises OSError and ValueError. The worker checks them more closely."""
    view = path.read_bytes()
    if len(view) > MOST_VIEW_BYTES or not view.startswith(JPEG_START) or not view.endswith(JPEG_END):
        raise ValueError("no whole view")
    return view
