"""The first stage of a scan: lists what is on disk in a watched root and compares it with the index."""

import os
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from daemon.jobs import disks
from daemon.jobs.disks import DiskContext
from daemon.jobs.progress import Progress
from daemon.jobs.scan_listing import list_paths, list_walk
from index.database.records import images
from index.database.store import Store
from index.imaging.discovery import descent
from index.imaging.discovery.reconcile import ScanPlan, offline_reason, reconcile
from index.imaging.discovery.walk import RootUnavailable, Walk, holds_image, is_at_or_below
from index.messages import Message
from index.model import Identity


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, and what could not be examined, with the reason. `device` is that of the root, `walk` the walk of
    all of it; None if only some paths were compared."""

    plan: ScanPlan
    unreadable: Mapping[bytes, Message]
    device: int
    walk: Walk | None


def compare(
    store: Store, progress: Progress, context: DiskContext, known_device: int | None, paths: Sequence[bytes] | None
) -> Comparison:
    """Compare these paths in a root, or all of it if none are given or another disk may be mounted.

    `known_device` is the root's device number in the index. Raises RootUnavailable and OSError if nothing can be
    concluded from what is there.
    """
    device = os.stat(context.path).st_dev
    changes = disks.check(store, context)
    walk = None
    # A root that returned under another device number must be recognised by a walk of all of it.
    if paths is None or context.path in paths or known_device not in (None, device) or changes.changed:
        walk = context.walk(context.path)
        listing = list_walk(progress, walk)
    else:
        listing = list_paths(progress, context, paths)
    with store.read() as database:
        known: Iterable[tuple[bytes, Identity]]
        if walk is not None:
            known = images.known_in_order(database, context.root_id)
        else:
            known = _known_at(database, context, paths or ())
        plan = reconcile(
            listing.files,
            known,
            ChainMap(dict(changes.away), listing.unreadable),
            listing.mounts,
            admit=partial(holds_image, context.path),
            is_behind_link=descent.link_finder(context.path),
        )
    if walk is not None:
        reason = offline_reason(plan, walk.is_empty, device, None if changes.is_known else known_device)
        if reason is not None:
            raise RootUnavailable(reason)
    disks.record_locations(store, context, changes)
    return Comparison(plan, listing.unreadable, device, walk)


def _known_at(database: Any, context: DiskContext, paths: Iterable[bytes]) -> list[tuple[bytes, Identity]]:
    """The images of the root at and below these paths, ascending by path."""
    known: dict[bytes, Identity] = {}
    for path in paths:
        known |= images.known_below(database, path)
    return sorted(file for file in known.items() if not any(is_at_or_below(file[0], top) for top in context.nested))
