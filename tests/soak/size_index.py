"""What an index of millions costs: rebuilding its groups, rules over all of them, its start, its lists.

    make size-index [IMAGES=2000000 GROUPS=300000]

The index is made of rows, as bench.page makes them: no picture is read. Seconds are of the processor unless they say
otherwise; `longest` is the change that others waited for longest, by the clock.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import page
from index.database import path_parts
from index.database.queries import rule_application
from index.database.queries.group_filter import GroupFilter
from index.database.queries.rule_application import Effect
from index.database.records import regrouping, rule_runs
from index.database.store import Store
from index.imaging.candidates.search.hash_index import HashIndex
from index.imaging.grouping.rules import Rule
from index.model import Choice, Kind
from soak.size import Peak, report
from support.processes import rss_mb
from webui.app import make_app

NEAR = (Kind.EXACT, Kind.PIXELS, Kind.NEAR)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2_000_000)
    parser.add_argument("--groups", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, help="where the index is made; a temporary folder if it is left out")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        top = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="comparimg-index-")))
        data = top / "data"
        with Store(data):
            pass
        page.fill(data / "index.sqlite3", options.groups, options.images)
        began = time.process_time()
        with Store(data) as store:
            store.write(lambda db: path_parts.index_changes(db, 1))
        report("images, groups", f"{options.images:,}, {options.groups:,}")
        report("  bytes of the index, an image", f"{os.stat(data / 'index.sqlite3').st_size / options.images:.0f}")
        report("  seconds to index the parts of all names", f"{time.process_time() - began:.1f}")
        start(data)
        with Store(data) as store:
            groups(store)
            rules(store)
            lists(store)
        search(min(options.images, 1_000_000))
    return 0


class Changes:
    """Makes changes, and notes the longest."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.longest_s = 0.0

    def write(self, change: Callable[[Any], Any]) -> Any:
        began = time.monotonic()
        try:
            return self._store.write(change)
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - began)


def start(data: Path) -> None:
    began, busy = time.monotonic(), time.process_time()
    with Store(data, check_later=True) as store:
        report("start after a clean stop: seconds by the clock", f"{time.monotonic() - began:.2f}")
        store.wait_until_checked(600)
        report("  until the index is checked: by the clock, of processor",
               f"{time.monotonic() - began:.1f}, {time.process_time() - busy:.1f}")  # fmt: skip


def groups(store: Store) -> None:
    """Every group is built from nothing, and rebuilt without a change."""
    while store.write(lambda db: db.execute_sql(
        "DELETE FROM duplicate_group WHERE id IN (SELECT id FROM duplicate_group LIMIT 5000)"
    ).rowcount):  # fmt: skip
        pass
    for what in ("built from nothing", "rebuilt unchanged"):
        changes, before_mb, busy, peak = Changes(store), rss_mb(os.getpid()), time.process_time(), Peak()
        with peak, store.read() as database:
            changed = sum(
                changes.write(lambda db, portion=portion: regrouping.rebuild(db, 1, portion, 1))
                for portion in regrouping.portions(database, 1)
            )
        report(f"groups {what}: changed", f"{changed:,}")
        report("  seconds, longest", f"{time.process_time() - busy:.1f}, {changes.longest_s:.2f}")
        report("  memory", f"{peak.mb - before_mb:.0f} MB")


def rules(store: Store) -> None:
    """The preview of a request, which is an estimate where the groups are many, and what a job does."""
    for name, kinds in (("equal pixels", NEAR[:2]), ("near matches too", NEAR)):
        rule = Rule(Choice.TRASH, kinds=kinds, decides_ties=True)
        busy = time.process_time()
        with store.read() as database:
            effect = rule_application.preview(database, rule, GroupFilter())
        report(f"rule over all groups, {name}: decides about", f"{effect.groups:,}")
        report(f"  preview from {effect.looked_at:,} of {effect.selected:,}", f"{time.process_time() - busy:.1f}")
        busy, counted = time.process_time(), Effect()
        with store.read() as database:
            for portion in rule_application.portions(database, rule, GroupFilter()):
                rule_application.add_effect(database, rule, portion, counted)
        report("  count of all by a job", f"{time.process_time() - busy:.1f}")
        report("  estimate beside it: groups, bytes", f"{effect.groups / max(1, counted.groups):.3f},"
               f" {effect.bytes / max(1, counted.bytes):.3f}")  # fmt: skip
        changes, busy = Changes(store), time.process_time()
        effect = rule_application.apply(changes.write, rule, GroupFilter(), 1)
        report("  application by a job, longest", f"{time.process_time() - busy:.1f}, {changes.longest_s:.2f}")
        changes, busy = Changes(store), time.process_time()
        rule_runs.revoke(changes.write, effect.run_id)
        report("  undone, longest", f"{time.process_time() - busy:.1f}, {changes.longest_s:.2f}")


def lists(store: Store) -> None:
    app = make_app(store, page.services())
    print("\n| request | ms, median | worst | of the processor |\n|---|---|---|---|")
    for name, method, path, body in page.requests(app):
        page.show(name, lambda method=method, path=path, body=body: page.ask(app, method, path, body), 5)
    app.close()


def search(count: int) -> None:
    hashes = np.random.default_rng(0).integers(0, 256, (count, 4, 32), np.uint8)
    before_mb, index, peak = rss_mb(os.getpid()), HashIndex(16), Peak()
    with peak:
        for low in range(0, count, 10_000):
            index.extend(hashes[low : low + 10_000])
    print()
    report(f"search index of {count:,}: bytes an image while it grows", f"{(peak.mb - before_mb) * 2**20 / count:.0f}")


if __name__ == "__main__":
    sys.exit(main())
