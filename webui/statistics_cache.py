"""The figures for charts, kept for a while: whoever finds them old makes them anew, the others are not kept waiting."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from index.store import Store

# How old figures may be while the index changes; where nothing changed they are as good as new.
FRESH_NS = 30 * 10**9
KEPT = 200


class Figures:
    """Answers by key, each with the revision of the index and the time it was made at. Any web thread asks."""

    def __init__(self, store: Store, elapsed_ns: Callable[[], int]) -> None:
        self._store = store
        self._elapsed_ns = elapsed_ns
        self._guard = threading.Lock()
        self._kept: OrderedDict[Any, tuple[int, int, Any]] = OrderedDict()
        self._under_way: set[Any] = set()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """What was made for this key, or is made now."""
        revision, elapsed_ns = self._store.revision, self._elapsed_ns()
        with self._guard:
            known = self._kept.get(key)
            fresh = known is not None and (known[0] == revision or elapsed_ns - known[1] < FRESH_NS)
            if known is not None and (fresh or key in self._under_way):
                return known[2]
            self._under_way.add(key)
        try:
            made = make()
            with self._guard:
                self._kept[key] = (revision, elapsed_ns, made)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return made
        finally:
            with self._guard:
                self._under_way.discard(key)
