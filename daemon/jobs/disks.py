"""Another disk at a watched folder, or at a mount point in it: the images of the one before wait until it is back.

Those of the new one are indexed. Used by the scan, in the runner's thread.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.files.file_systems import Likeness, compare, mount_points, standing_of
from daemon.files.mounts import read_mounts
from index.images import descent
from index.images.walk import Exclusions, RootUnavailable, Walk, holds_image, is_at_or_below
from index.model import Identity
from index.records import disks, findings
from index.records.catalogue import display
from index.records.disks import Standing
from index.store import Store

log = logging.getLogger(__name__)

OTHER_DISK = "has another file system mounted, with none of the files that were here"


EMPTY = "is suddenly empty: its images stay in the index until files are back"


@dataclass(frozen=True, slots=True)
class Ground:
    """A watched root as it is walked: `walk` gives the walk of a folder in it."""

    root_id: int
    path: bytes
    recursive: bool
    exclusions: Exclusions
    nested: tuple[bytes, ...]
    walk: Callable[[bytes], Walk]

    def standings(self, known: Iterable[bytes]) -> dict[bytes, Standing]:
        """Where the root stands, each mount point that its walk comes to, and the folders known that are there. Raises
        OSError."""
        mounts = read_mounts()
        below = [folder for folder in (*mount_points(self.path, mounts), *known) if self.goes_into(folder)]
        there = [folder for folder in dict.fromkeys(below) if os.path.isdir(folder)]
        return {folder: standing_of(folder, mounts) for folder in (self.path, *there)}

    def goes_into(self, folder: bytes) -> bool:
        """Whether a walk of the root comes to a folder below it."""
        passed_over = self.exclusions.excludes_path(folder) or any(is_at_or_below(folder, top) for top in self.nested)
        return folder != self.path and self.recursive and not passed_over


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a root and the mount points in it stand. `away` are folders of which nothing can be concluded, with the
    reason; `changed` tells that images were put aside or brought back, `is_known` that the root stands where it did,
    or on another disk that was told from the first."""

    now: Mapping[bytes, Standing]
    changed: bool = False
    is_known: bool = False
    away: Mapping[bytes, str] = field(default_factory=dict)


def look(store: Store, ground: Ground) -> Seen:
    """Compare with what is known, put aside and bring back. Raises RootUnavailable where another disk without any image
    is in the root's place, and OSError."""
    with store.read() as database:
        known = disks.present(database, ground.root_id)
    now = ground.standings(known)
    away: dict[bytes, str] = {}
    exchanged: dict[bytes, Standing] = {}
    is_known = False
    for folder in [ground.path, *sorted(one for one in {*known, *now} if ground.goes_into(one))]:
        before, after = _at(known, folder), _at(now, folder)
        if before is None or after is None:
            continue
        likeness = _likeness(store, ground, before, after)
        is_known = is_known or (folder == ground.path and likeness in (Likeness.SAME, Likeness.OTHER))
        if likeness is not Likeness.OTHER:
            continue
        if folder in now and (reason := _why_nothing(ground, folder)) is None:
            exchanged[folder] = before
        elif _sample(store, ground, folder):
            if folder == ground.path:
                raise RootUnavailable(reason or OTHER_DISK)
            away[folder] = OTHER_DISK
    if exchanged:
        _exchange(store, ground, exchanged, now, {*known, *now})
    return Seen(now, bool(exchanged), is_known, away)


def keep(store: Store, ground: Ground, seen: Seen) -> None:
    """The walk went well: write down where everything stands. Raises RootUnavailable where it stands elsewhere by now,
    and OSError."""
    with store.read() as database:
        known = disks.present(database, ground.root_id)
    again = ground.standings(known)
    for folder, standing in seen.now.items():
        after = _at(again, folder)
        if after is None or after.identity != standing.identity:
            raise RootUnavailable("was exchanged for another disk while it was walked")
    fresh = [
        standing
        for folder, standing in seen.now.items()
        if standing.identity and folder not in seen.away and known.get(folder) != standing
    ]
    if fresh:
        now_ns = time.time_ns()

        def record(database: Any) -> None:
            for standing in fresh:
                disks.record(database, ground.root_id, standing, now_ns)

        store.write(record)


def carry_over(store: Store, root_id: int) -> None:
    """After a walk: what is there with the same bytes at the same path needs nothing put aside for it."""
    with store.read() as database:
        waiting = any(disk.root_id == root_id for disk in disks.away(database))
    if waiting:
        store.write(lambda db: findings.concern(db, disks.carry_over(db, root_id)))


def _at(standings: Mapping[bytes, Standing], folder: bytes) -> Standing | None:
    """Where a folder stands: what is told of it, or on what the nearest folder above it stands."""
    above = [one for one in standings if is_at_or_below(folder, one)]
    if not above:
        return None
    nearest = standings[max(above, key=len)]
    below = folder[len(nearest.folder.rstrip(b"/")) :]
    return Standing(folder, nearest.identity, (nearest.place.rstrip(b"/") + below) or b"/")


def _likeness(store: Store, ground: Ground, before: Standing, now: Standing) -> Likeness:
    found = compare(before, now)
    if found is not Likeness.PERHAPS:
        return found
    some = _sample(store, ground, before.folder)
    there = sum(_is_there(ground.path, path, identity) for path, identity in some.items())
    return Likeness.SAME if some and 2 * there >= len(some) else Likeness.OTHER


def _sample(store: Store, ground: Ground, folder: bytes) -> Mapping[bytes, Identity]:
    with store.read() as database:
        return disks.sample(database, ground.root_id, folder)


def _is_there(root: bytes, path: bytes, identity: Identity) -> bool:
    try:
        found = Identity.of(descent.status(root, path))
    except OSError:
        return False
    return found._replace(device=identity.device) == identity


def _why_nothing(ground: Ground, folder: bytes) -> str | None:
    """Why a folder counts as one without images, None where it has one."""
    walk = ground.walk(folder)
    try:
        if any(holds_image(ground.path, path) for path, _ in walk):
            return None
    except RootUnavailable as error:
        return error.message
    return EMPTY if walk.is_empty else OTHER_DISK


def _exchange(
    store: Store, ground: Ground, exchanged: Mapping[bytes, Standing], now: Mapping[bytes, Standing], every: set[bytes]
) -> None:
    now_ns = time.time_ns()
    devices = {folder: descent.status(ground.path, folder).st_dev for folder in exchanged}

    def exchange(database: Any) -> None:
        touched: set[int] = set()
        for folder, before in exchanged.items():
            deeper = [other for other in every if other != folder and is_at_or_below(other, folder)]
            touched |= disks.put_away(database, ground.root_id, before, deeper, now_ns)
            disks.record(database, ground.root_id, now[folder], now_ns)
        for folder in exchanged:
            touched |= disks.bring_back(database, ground.root_id, now[folder], devices[folder], now_ns)
        findings.concern(database, touched)

    store.write(exchange)
    for folder in exchanged:
        log.warning("another disk is mounted at %s: the images of the one before are put aside", display(folder))
