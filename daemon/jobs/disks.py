"""Detects another disk at a watch root, or at a mount point in it.

The images of the previous disk are set aside until it is back, and those of the new one are indexed. Used by the scan,
in the runner's thread.
"""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.files.file_systems import DiskMatch, compare, location_of, mount_points
from daemon.files.mounts import read_mounts
from index.database.records import disks, matches
from index.database.records.disks import DiskLocation
from index.database.store import Store
from index.imaging.discovery import descent
from index.imaging.discovery.walk import Exclusions, RootUnavailable, Walk, holds_image, is_at_or_below
from index.messages import Message
from index.model import Identity
from index.paths import display

log = logging.getLogger(__name__)

OTHER_DISK = Message("root.other_disk")
EMPTY = Message("root.empty_kept")


@dataclass(frozen=True, slots=True)
class DiskContext:
    """A watch root and how it is walked."""

    root_id: int
    path: bytes
    recursive: bool
    exclusions: Exclusions
    nested: tuple[bytes, ...]

    def walk(self, folder: bytes) -> Walk:
        """The walk of the root, or of a folder in it."""
        return Walk(folder, self.exclusions, self.recursive, self.nested, self.path)

    def locations(self, known: Iterable[bytes]) -> dict[bytes, DiskLocation]:
        """The disk and place of the root, of each mount point that its walk visits, and of the `known` folders that
        exist. Raises OSError."""
        mounts = read_mounts()
        below = [folder for folder in (*mount_points(self.path, mounts), *known) if self.goes_into(folder)]
        there = [folder for folder in dict.fromkeys(below) if os.path.isdir(folder)]
        return {folder: location_of(folder, mounts) for folder in (self.path, *there)}

    def goes_into(self, folder: bytes) -> bool:
        """Whether a walk of the root visits a folder below it."""
        skipped = self.exclusions.excludes_path(folder) or any(is_at_or_below(folder, top) for top in self.nested)
        return folder != self.path and self.recursive and not skipped


@dataclass(frozen=True, slots=True)
class DiskChanges:
    """The disks of a root and of the mount points in it. `away` are folders whose state is unknown, with the reason.
    `changed` is whether images were set aside or restored, `is_known` whether the root is on the same disk as before,
    or on one that is known to be another."""

    now: Mapping[bytes, DiskLocation]
    changed: bool = False
    is_known: bool = False
    away: Mapping[bytes, Message] = field(default_factory=dict)


def check(store: Store, root: DiskContext) -> DiskChanges:
    """Compare the disks with those in the index, and set aside or restore images. Raises RootUnavailable if another
    disk without any image is in the place of the root, and OSError."""
    with store.read() as database:
        known = disks.present_disks(database, root.root_id)
    now = root.locations(known)
    away: dict[bytes, Message] = {}
    exchanged: dict[bytes, DiskLocation] = {}
    is_known = False
    for folder in [root.path, *sorted(inner for inner in {*known, *now} if root.goes_into(inner))]:
        before, after = _location_at(known, folder), _location_at(now, folder)
        if before is None or after is None:
            continue
        match = _compare(store, root, before, after)
        is_known = is_known or (folder == root.path and match in (DiskMatch.SAME, DiskMatch.OTHER))
        if match is not DiskMatch.OTHER:
            continue
        if folder in now and (reason := _why_no_images(root, folder)) is None:
            exchanged[folder] = before
        elif _sample(store, root, folder):
            if folder == root.path:
                raise RootUnavailable(reason or OTHER_DISK)
            away[folder] = OTHER_DISK
    if exchanged:
        _exchange(store, root, exchanged, now, {*known, *now})
    return DiskChanges(now, bool(exchanged), is_known, away)


def record_locations(store: Store, root: DiskContext, changes: DiskChanges) -> None:
    """After a successful walk: record the disk of each folder. Raises RootUnavailable if one has changed since, and
    OSError."""
    with store.read() as database:
        known = disks.present_disks(database, root.root_id)
    again = root.locations(known)
    for folder, location in changes.now.items():
        after = _location_at(again, folder)
        if after is None or after.identity != location.identity:
            raise RootUnavailable("root.exchanged")
    fresh = [
        location
        for folder, location in changes.now.items()
        if location.identity and folder not in changes.away and known.get(folder) != location
    ]
    if fresh:
        now_ns = time.time_ns()

        def record(database: Any) -> None:
            for location in fresh:
                disks.record(database, root.root_id, location, now_ns)

        store.write(record)


def _location_at(locations: Mapping[bytes, DiskLocation], folder: bytes) -> DiskLocation | None:
    """The disk and place of a folder: its own entry, or derived from that of the nearest folder above it."""
    above = [other for other in locations if is_at_or_below(folder, other)]
    if not above:
        return None
    nearest = locations[max(above, key=len)]
    below = folder[len(nearest.folder.rstrip(b"/")) :]
    return DiskLocation(folder, nearest.identity, (nearest.place.rstrip(b"/") + below) or b"/")


def _compare(store: Store, root: DiskContext, before: DiskLocation, now: DiskLocation) -> DiskMatch:
    match = compare(before, now)
    if match is not DiskMatch.PERHAPS:
        return match
    sample = _sample(store, root, before.folder)
    there = sum(_is_there(root.path, path, identity) for path, identity in sample.items())
    return DiskMatch.SAME if sample and 2 * there >= len(sample) else DiskMatch.OTHER


def _sample(store: Store, root: DiskContext, folder: bytes) -> Mapping[bytes, Identity]:
    with store.read() as database:
        return disks.sample(database, root.root_id, folder)


def _is_there(root: bytes, path: bytes, identity: Identity) -> bool:
    try:
        present = Identity.of(descent.status(root, path))
    except OSError:
        return False
    return present._replace(device=identity.device) == identity


def _why_no_images(root: DiskContext, folder: bytes) -> Message | None:
    """Why a folder counts as one without images; None if it has some."""
    walk = root.walk(folder)
    try:
        if any(holds_image(root.path, path) for path, _ in walk):
            return None
    except RootUnavailable as error:
        return error.message
    return EMPTY if walk.is_empty else OTHER_DISK


def _exchange(
    store: Store,
    root: DiskContext,
    exchanged: Mapping[bytes, DiskLocation],
    now: Mapping[bytes, DiskLocation],
    every: set[bytes],
) -> None:
    now_ns = time.time_ns()
    devices = {folder: descent.status(root.path, folder).st_dev for folder in exchanged}

    def exchange(database: Any) -> None:
        touched: set[int] = set()
        for folder, before in exchanged.items():
            deeper = [other for other in every if other != folder and is_at_or_below(other, folder)]
            touched |= disks.set_aside(database, root.root_id, before, deeper, now_ns)
            disks.record(database, root.root_id, now[folder], now_ns)
        for folder in exchanged:
            touched |= disks.restore(database, root.root_id, now[folder], devices[folder], now_ns)
        matches.mark_stale(database, touched)

    store.write(exchange)
    for folder in exchanged:
        log.warning("another disk is mounted at %s: the images of the previous one are set aside", display(folder))
