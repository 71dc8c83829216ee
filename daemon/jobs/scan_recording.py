"""The second stage of a scan: records what needs no reading, such as moves and deletions, and the state of the root."""

import os
import time
from collections.abc import Collection, Mapping
from typing import Any

from daemon.files.protected_paths import ManagedFolders
from daemon.jobs.scan_comparing import Comparison
from index.database.records import disks, images, markers, matches
from index.database.store import Store
from index.imaging.discovery.reconcile import ScanPlan
from index.imaging.discovery.walk import Walk
from index.messages import Message
from index.model import Identity, RootState


def record_offline(store: Store, root_id: int, reason: Message) -> None:
    """The root cannot be scanned: its images stay in the index."""
    store.write(lambda db: images.set_root_state(db, root_id, RootState.OFFLINE, reason))


def record_changes(store: Store, root: Any, comparison: Comparison, now_ns: int) -> dict[bytes, Identity]:
    """Record all changes that need no reading, and return the files to read. `root` is the row of the root."""
    plan = comparison.plan

    def record(database: Any) -> Collection[bytes]:
        linked, touched = _record_files(database, root.id, plan, now_ns)
        if root.state != RootState.ONLINE or root.device != comparison.device:
            images.set_root_state(database, root.id, RootState.ONLINE, device=comparison.device)
        is_whole = comparison.walk is not None
        images.record_unreadable(database, root.id, comparison.unreadable, now_ns, afresh=is_whole)
        matches.mark_stale(database, touched)
        return linked

    linked = store.write(record)
    return {path: identity for path, identity in plan.to_read.items() if path not in linked}


def _record_files(
    database: Any, root_id: int, plan: ScanPlan, now_ns: int
) -> tuple[Mapping[bytes, int], Collection[int]]:
    """The files whose content is known by their identity, with that content, and the contents concerned by changes."""
    # All are looked up before the first row changes: two files may have swapped their names.
    linked = {
        path: content_id
        for path, identity in plan.to_read.items()
        if (content_id := images.content_with_identity(database, identity)) is not None
    }
    touched: set[int] = set()
    for old_device, new_device in plan.renumbered.items():
        images.renumber_device(database, root_id, old_device, new_device)
    for path, content_id in linked.items():
        touched |= images.link_image(database, root_id, path, plan.to_read[path], content_id, now_ns)
    # A job of the watcher may have run since the comparison, and moved or replaced what it found.
    gone = plan.missing | {move.old: move.identity for move in plan.moved}
    still_known = images.unchanged_paths(database, gone)
    for move in plan.moved:
        if move.old in still_known:
            touched |= images.move_image(database, move.old, move.new, root_id)
    touched |= images.forget_images(database, still_known.intersection(plan.missing))
    return linked, touched


def record_end(store: Store, root_id: int, path: bytes, walk: Walk | None) -> None:
    """After the files were read, record that images set aside with another disk are here after all, and that the root
    at this path was walked, if all of it was."""
    with store.read() as database:
        waiting = any(disk.root_id == root_id for disk in disks.away_disks(database))
    is_marked = walk is not None and ManagedFolders.of({}).protection_of(os.path.join(path, b"-")) is not None

    def record(database: Any) -> None:
        if waiting:
            matches.mark_stale(database, disks.carry_over(database, root_id))
        if walk is not None:
            matches.mark_stale(database, markers.record(database, root_id, is_marked))
            images.set_root_walked(database, root_id, time.time_ns(), walk.skipped)

    if waiting or walk is not None:
        store.write(record)
