"""A cache of statistics for charts. One request recalculates an old entry while others are still served from it."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from index.database.store import Store

# The maximum age of an entry while the index changes. Without changes it does not expire.
FRESH_NS = 30 * 10**9
MAX_ENTRIES = 200


class StatisticsCache:
    """Results by key, each with the revision of the index and the time at which it was calculated. Thread-safe."""

    def __init__(self, store: Store, elapsed_ns: Callable[[], int]) -> None:
        self._store = store
        self._elapsed_ns = elapsed_ns
        self._lock = threading.Lock()
        self._cache: OrderedDict[Any, tuple[int, int, Any]] = OrderedDict()
        self._under_way: set[Any] = set()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The cached result for this key, or the result of `make`."""
        revision, elapsed_ns = self._store.revision, self._elapsed_ns()
        with self._lock:
            known = self._cache.get(key)
            fresh = known is not None and (known[0] == revision or elapsed_ns - known[1] < FRESH_NS)
            if known is not None and (fresh or key in self._under_way):
                return known[2]
            self._under_way.add(key)
        try:
            made = make()
            with self._lock:
                self._cache[key] = (revision, elapsed_ns, made)
                while len(self._cache) > MAX_ENTRIES:
                    self._cache.popitem(last=False)
            return made
        finally:
            with self._lock:
                self._under_way.discard(key)
