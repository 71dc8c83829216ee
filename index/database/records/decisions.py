"""Decisions: what to do with each image of a group. Each is stored with the digest of the bytes it was made for.

A decision follows its image through renames and rescans. If the bytes have changed, it is stale: it is shown as stale,
does not count, and is not carried out. No change here may leave a group without an image that stays; the sort job
checks this again on the files themselves.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from peewee import SqliteDatabase

from index.database.journal_schema import Step
from index.database.records.images import chunks
from index.database.schema import Decision, Verdict
from index.errors import ComparImgError, NotFound, UsageError
from index.messages import Message
from index.model import Choice

# The choices that remove an image from its path.
AWAY = (Choice.TRASH, Choice.MOVE, Choice.LINK)

# Groups of detections that are shown: of the library, or of a limited search. Unfinished and replaced detections may
# have groups, too.
SHOWN = "g.detection_id IN (SELECT id FROM detection WHERE finished_ns IS NOT NULL)"
_OF_SEARCH = "duplicate_group g JOIN detection t ON t.id = g.detection_id AND (t.id = ? OR (? = 0 AND t.current))"
_VALID = "decision d JOIN image i ON i.id = d.image_id JOIN content c ON c.id = i.content_id AND c.digest = d.digest"


class NoKeeper(ComparImgError):
    """A decision that would leave a group without an image that stays."""


class Protected(ComparImgError):
    """A decision to change a protected file."""


class NotExact(ComparImgError):
    """A decision to replace an image by a hard link although no image that stays has the same bytes."""


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """A requested decision on one image. `choice` None makes it undecided."""

    image_id: int
    choice: Choice | None
    destination: str = ""


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """The decision on one image. `origin` is "user" or "rule"; `criterion` is the criterion of a rule that decided."""

    image_id: int
    choice: Choice
    destination: str
    origin: str
    criterion: str
    decided_ns: int
    stale: bool


@dataclass(frozen=True, slots=True)
class Review:
    """The progress of a review: the number of current groups, how many of them are fully decided, the bytes that the
    others could free, the bytes that the decisions would free, and the number of images that the sort job would
    change."""

    groups: int
    decided: int
    reclaimable_bytes: int
    planned_bytes: int
    images_to_act: int


def decide(database: SqliteDatabase, key: str, wanted: Sequence[DecisionRequest], now_ns: int, search: int = 0) -> None:
    """Store decisions on images of one group, of the library or of a limited search: all of them or none.

    Raises NotFound (no such group), UsageError (an image outside the group), Protected, NotExact, NoKeeper.
    """
    files = _files_of_group(database, key, search)
    for request in wanted:
        if request.image_id not in files:
            raise UsageError("decision.not_in_group", image=request.image_id, group=key, field="decisions")
        if request.choice in AWAY and files[request.image_id].protected:
            raise Protected("decision.protected", image=request.image_id)
    rows = [
        {"image": request.image_id, "choice": request.choice, "destination": request.destination, "origin": "user",
         "digest": files[request.image_id].digest, "decided_ns": now_ns}
        for request in wanted
        if request.choice is not None
    ]  # fmt: skip
    clear(database, [request.image_id for request in wanted])
    for chunk in chunks(rows, 80):
        Decision.insert_many(chunk).execute(database)
    groups = groups_of_images(database, [request.image_id for request in wanted])
    for bare in without_keeper(database, groups):
        (name,) = database.execute_sql("SELECT key FROM duplicate_group WHERE id = ?", (bare,)).fetchone()
        message = Message("decision.no_keeper")
        if name != key:
            message = Message("decision.no_keeper_elsewhere", group=name)
        raise NoKeeper(message)
    _check_links(database, files, wanted)
    # A person who decides sees the whole group: the other decisions in it rely on what stays now, too.
    record_keepers(database, groups, files)
    recount(database, groups)


def of_images(database: SqliteDatabase, image_ids: Iterable[int]) -> dict[int, StoredDecision]:
    """The decisions on these images, by image id."""
    decisions: dict[int, StoredDecision] = {}
    for chunk in chunks(image_ids):
        rows = database.execute_sql(
            "SELECT d.image_id, d.choice, d.destination, d.origin, d.criterion, d.decided_ns,"
            " d.digest IS NOT (SELECT c.digest FROM content c WHERE c.id = i.content_id)"
            f" FROM decision d JOIN image i ON i.id = d.image_id WHERE d.image_id IN ({','.join('?' * len(chunk))})",
            chunk,
        )
        for image_id, choice, destination, origin, criterion, decided_ns, stale in rows:
            decisions[image_id] = StoredDecision(
                image_id, Choice(choice), destination, origin, criterion, decided_ns, bool(stale)
            )
    return decisions


def of_group(database: SqliteDatabase, key: str, search: int = 0) -> list[StoredDecision]:
    """The decisions on the images of a group, ordered by image id. Raises NotFound."""
    files = _files_of_group(database, key, search)
    return sorted(of_images(database, files).values(), key=lambda decision: decision.image_id)


def clear(database: SqliteDatabase, image_ids: Iterable[int]) -> None:
    """Make images undecided."""
    for chunk in chunks(image_ids):
        database.execute_sql(f"DELETE FROM decision WHERE image_id IN ({','.join('?' * len(chunk))})", chunk)


def clear_one(database: SqliteDatabase, image_id: int) -> None:
    """Make one image undecided, in whatever groups it is."""
    groups = groups_of_images(database, [image_id])
    clear(database, [image_id])
    recount(database, groups)


def groups_of_images(database: SqliteDatabase, image_ids: Iterable[int]) -> set[int]:
    """The row ids of all groups that contain one of these images, including those of limited searches."""
    group_ids: set[int] = set()
    for chunk in chunks(image_ids):
        rows = database.execute_sql(
            "SELECT DISTINCT m.group_id FROM image i JOIN member m ON m.content_id = i.content_id"
            f" WHERE i.id IN ({','.join('?' * len(chunk))})",
            chunk,
        )
        group_ids.update(row[0] for row in rows)
    return group_ids


def recount(database: SqliteDatabase, group_ids: Iterable[int]) -> None:
    """Update the number of decided images of groups."""
    for chunk in chunks(group_ids):
        marks = ",".join("?" * len(chunk))
        counts = dict(
            database.execute_sql(
                f"SELECT m.group_id, count(DISTINCT i.inode) FROM {_VALID}"
                " JOIN root r ON r.id = i.root_id AND r.watched"
                " JOIN member m ON m.content_id = i.content_id JOIN duplicate_group g ON g.id = m.group_id"
                f" WHERE m.group_id IN ({marks})"
                " AND (NOT r.temporary OR g.detection_id IN (SELECT id FROM detection WHERE NOT current))"
                " GROUP BY m.group_id",
                chunk,
            ).fetchall()
        )
        stored = database.execute_sql(
            f"SELECT id, decided FROM duplicate_group WHERE id IN ({marks})", chunk
        ).fetchall()
        database.connection().executemany(
            "UPDATE duplicate_group SET decided = ? WHERE id = ?",
            [(counts.get(group_id, 0), group_id) for group_id, was in stored if counts.get(group_id, 0) != was],
        )


def without_keeper(database: SqliteDatabase, group_ids: Collection[int]) -> set[int]:
    """The groups that would have no file left at its path, or none in a watched folder although they had one there. A
    file with several paths counts once."""
    bare: set[int] = set()
    away = ",".join(f"'{choice}'" for choice in AWAY)
    for chunk in chunks(group_ids):
        rows = database.execute_sql(
            "SELECT f.group_id FROM (SELECT m.group_id group_id,"
            f" max(d.choice IN ({away}) AND d.digest = c.digest) goes, max(NOT r.temporary) own"
            f" FROM duplicate_group g JOIN member m ON m.group_id = g.id AND {SHOWN}"
            " JOIN image i ON i.content_id = m.content_id JOIN content c ON c.id = i.content_id"
            " JOIN root r ON r.id = i.root_id AND r.watched LEFT JOIN decision d ON d.image_id = i.id"
            f" WHERE g.id IN ({','.join('?' * len(chunk))}) GROUP BY m.group_id, i.device, i.inode) f"
            " GROUP BY f.group_id HAVING count(*) = sum(coalesce(f.goes, 0))"
            " OR (max(f.own) AND sum(f.own) = sum(f.own AND coalesce(f.goes, 0)))",
            chunk,
        )
        bare.update(row[0] for row in rows)
    return bare


def clear_without_keeper(database: SqliteDatabase, image_ids: Collection[int]) -> set[int]:
    """Of the decisions on these images, clear those that leave a group without an image that stays, and update the
    counts of decided images. Returns the images that were cleared."""
    groups = groups_of_images(database, image_ids)
    bare = without_keeper(database, groups)
    cleared = {image for image in image_ids if bare & groups_of_images(database, [image])} if bare else set()
    clear(database, cleared)
    record_keepers(database, groups, image_ids)
    recount(database, groups)
    return cleared


def record_keepers(database: SqliteDatabase, group_ids: Iterable[int], image_ids: Collection[int]) -> None:
    """Record for those of these images that are decided to be trashed which image of these groups stays: one with the
    same bytes, else one decided to be kept, else the one with the most pixels. The sort job relies on it.

    Other decisions in the groups follow if what they rely on is still there, so a decision never comes to rely on an
    image that arrived after it.
    """
    wanted = set(image_ids)
    best: dict[int, tuple[tuple[bool, bool, int], bytes]] = {}
    recorded: dict[int, bytes | None] = {}
    present: set[bytes] = set()
    for files in _files_of_groups(database, group_ids):
        away = {file.inode for file in files if file.choice in AWAY}
        staying = {
            file.digest: (False, file.choice is Choice.KEEP, file.pixels) for file in files if file.inode not in away
        }
        present.update(file.digest for file in files)
        if not staying:
            continue
        first = max(staying, key=staying.__getitem__)
        for victim in files:
            if victim.choice is Choice.TRASH:
                ranked = (staying[first], first)
                if victim.digest in staying:
                    ranked = ((True, *staying[victim.digest][1:]), victim.digest)
                best[victim.image_id] = max(ranked, best.get(victim.image_id, ranked))
                recorded[victim.image_id] = victim.keeper
    changed = [
        (keeper, image_id)
        for image_id, (_, keeper) in best.items()
        if keeper != recorded[image_id] and (image_id in wanted or recorded[image_id] in present)
    ]
    database.connection().executemany("UPDATE decision SET keeper = ? WHERE image_id = ?", changed)


class _Decided(NamedTuple):
    """A file of a group, with its decision, if it has one that is not stale."""

    image_id: int
    inode: tuple[int, int]
    digest: bytes
    pixels: int
    choice: Choice | None
    keeper: bytes | None


def _files_of_groups(database: SqliteDatabase, group_ids: Iterable[int]) -> Iterator[list[_Decided]]:
    """The files of each of these groups in folders that are watched for the library."""
    for chunk in chunks(group_ids):
        files: dict[int, list[_Decided]] = {}
        rows = database.execute_sql(
            "SELECT m.group_id, i.id, i.device, i.inode, c.digest, c.width * c.height,"
            " CASE WHEN d.digest = c.digest THEN d.choice END, d.keeper"
            f" FROM duplicate_group g CROSS JOIN member m ON m.group_id = g.id AND {SHOWN}"
            " JOIN image i ON i.content_id = m.content_id JOIN content c ON c.id = i.content_id"
            " JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
            f" LEFT JOIN decision d ON d.image_id = i.id WHERE g.id IN ({','.join('?' * len(chunk))})",
            chunk,
        )
        for group_id, image_id, device, inode, digest, pixels, choice, keeper in rows:
            file = _Decided(
                image_id, (device, inode), bytes(digest), pixels, Choice(choice) if choice else None,
                None if keeper is None else bytes(keeper),
            )  # fmt: skip
            files.setdefault(group_id, []).append(file)
        yield from files.values()


def revision(database: SqliteDatabase) -> str:
    """A text that changes with each decision made, changed or cleared."""
    count, last_ns = database.execute_sql("SELECT count(*), coalesce(max(decided_ns), 0) FROM decision").fetchone()
    return f"{count}-{last_ns}"


def review(database: SqliteDatabase) -> Review:
    """The progress of deciding on the current groups. Scenes are left out, since nothing is proposed for them."""
    groups, decided, reclaimable = database.execute_sql(
        "SELECT count(*), coalesce(sum(g.decided >= g.images), 0),"
        " coalesce(sum(CASE WHEN g.decided < g.images THEN g.reclaimable_bytes ELSE 0 END), 0)"
        " FROM duplicate_group g WHERE g.detection_id = (SELECT id FROM detection WHERE current) AND g.scene = 0"
    ).fetchone()
    freeing = f"'{Choice.TRASH}', '{Choice.LINK}'"
    # What is planned in groups that are still open is no longer among what they could free.
    (begun,) = database.execute_sql(
        "SELECT coalesce(sum(i.size_bytes), 0) FROM duplicate_group g CROSS JOIN member m ON m.group_id = g.id"
        " JOIN image i ON i.content_id = m.content_id JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
        " JOIN content c ON c.id = i.content_id JOIN decision d ON d.image_id = i.id AND d.digest = c.digest"
        " WHERE g.detection_id = (SELECT id FROM detection WHERE current) AND g.scene = 0"
        f" AND g.decided > 0 AND g.decided < g.images AND d.choice IN ({freeing})"
    ).fetchone()
    away = ",".join(f"'{choice}'" for choice in AWAY)
    images, size = database.execute_sql(
        f"SELECT count(*), coalesce(sum(CASE WHEN d.choice IN ({freeing}) THEN i.size_bytes ELSE 0 END), 0)"
        f" FROM {_VALID} JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary WHERE d.choice IN ({away})"
    ).fetchone()
    return Review(groups, decided, max(0, reclaimable - begun), size, images)


def has_user_decisions(database: SqliteDatabase) -> bool:
    """Whether the index holds data that no scan can restore: a decision, a verdict, or a step on a file."""
    return any(table.select().limit(1).exists(database) for table in (Decision, Verdict, Step))


@dataclass(frozen=True, slots=True)
class _File:
    image_id: int
    digest: bytes
    protected: bool


def _files_of_group(database: SqliteDatabase, key: str, search: int) -> dict[int, _File]:
    """The images of a group of the library, or of a limited search. A file is protected if any of its paths is. Raises
    NotFound."""
    rows = database.execute_sql(
        # A temporary root protects its files from the sort job only: decisions on them wait until the folder is
        # watched.
        "SELECT i.id, c.digest, (SELECT max(r2.protected AND NOT (r2.temporary AND r2.id = r.id))"
        " FROM image i2 CROSS JOIN root r2 ON r2.id = i2.root_id"
        " AND r2.watched WHERE i2.device = i.device AND i2.inode = i.inode)"
        # CROSS JOIN keeps SQLite from starting with all members, or all images of a root.
        f" FROM {_OF_SEARCH} CROSS JOIN member m ON m.group_id = g.id JOIN image i ON i.content_id = m.content_id"
        " JOIN content c ON c.id = i.content_id JOIN root r ON r.id = i.root_id AND r.watched"
        " AND (NOT r.temporary OR ?) WHERE g.key = ?",
        (search, search, search, key),
    ).fetchall()
    if not rows:
        raise NotFound("group.unknown", group=key)
    return {image_id: _File(image_id, bytes(digest), bool(protected)) for image_id, digest, protected in rows}


def _check_links(database: SqliteDatabase, files: dict[int, _File], wanted: Sequence[DecisionRequest]) -> None:
    """Raises NotExact if an image would be replaced by a hard link and no kept image has its bytes."""
    linked = [request.image_id for request in wanted if request.choice is Choice.LINK]
    if linked:
        decided = of_images(database, files)
        stay = {
            file.digest
            for file in files.values()
            if file.image_id not in decided or decided[file.image_id].choice not in AWAY
        }
        for image_id in linked:
            if files[image_id].digest not in stay:
                raise NotExact("decision.not_exact", image=image_id)
