"""What shall become of each image of a group: kept by image, for the bytes it was decided about.

A decision goes with its image through renames and rescans. Where the bytes have changed since, it is stale: it is shown
as such, counts for nothing, and is not carried out. No change here may leave a group without an image that stays; the
sort job looks again at the files themselves.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.errors import ComparImgError, NotFound, UsageError
from index.model import Choice
from index.records.catalogue import chunks
from index.schema import Decision, RuleOrder, Step, Verdict

# Those that take an image from its place.
AWAY = (Choice.TRASH, Choice.MOVE, Choice.LINK)

_CURRENT = "duplicate_group g JOIN detection t ON t.id = g.detection_id AND t.current"
_VALID = "decision d JOIN image i ON i.id = d.image_id JOIN content c ON c.id = i.content_id AND c.digest = d.digest"


class NoKeeper(ComparImgError):
    """A decision that would leave a group without an image that stays."""


class Protected(ComparImgError):
    """A decision to change what is protected."""


class NotExact(ComparImgError):
    """A decision to link an image to which no image that stays is equal."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be decided of one image; `choice` None makes it undecided."""

    image_id: int
    choice: Choice | None
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision on one image. `origin` is "user" or "rule"; `criterion` what decided in the rule."""

    image_id: int
    choice: Choice
    destination: str
    origin: str
    criterion: str
    decided_ns: int
    stale: bool


@dataclass(frozen=True, slots=True)
class Review:
    """How far the deciding is: of the current groups, how many are decided fully; bytes that the others could free,
    and that what is decided would; how many images the sort job would act on."""

    groups: int
    decided: int
    reclaimable_bytes: int
    planned_bytes: int
    images_to_act: int


def decide(database: SqliteDatabase, key: str, wanted: Sequence[Wanted], now_ns: int) -> None:
    """Decide about images of a group of the current detection: all that is wanted, or none of it.

    Raises NotFound (no such group), UsageError (an image that is none of its), Protected, NotExact, NoKeeper.
    """
    files = _files_of_group(database, key)
    for one in wanted:
        if one.image_id not in files:
            raise UsageError(f"The image {one.image_id} is not in the group {key}.", field="decisions")
        if one.choice in AWAY and files[one.image_id].protected:
            raise Protected(
                f"The image {one.image_id} is in a protected folder, which is never changed.",
                "It can be kept, and the others of the group be decided about.",
            )
    rows = [
        {"image": one.image_id, "choice": one.choice, "destination": one.destination, "origin": "user",
         "digest": files[one.image_id].digest, "decided_ns": now_ns}
        for one in wanted
        if one.choice is not None
    ]  # fmt: skip
    drop(database, [one.image_id for one in wanted])
    for some in chunks(rows, 80):
        Decision.insert_many(some).execute(database)
    groups = groups_of_images(database, [one.image_id for one in wanted])
    for bare in without_keeper(database, groups):
        (name,) = database.execute_sql("SELECT key FROM duplicate_group WHERE id = ?", (bare,)).fetchone()
        told = "No image of the group would stay."
        if name != key:
            told = f"No image would stay of the group {name}, which has an image in common with this one."
        raise NoKeeper(told, "Keep one of them, or leave one undecided.")
    _check_links(database, files, wanted)
    recount(database, groups)


def of_images(database: SqliteDatabase, image_ids: Iterable[int]) -> dict[int, Decided]:
    """The decisions on these images, by image."""
    found: dict[int, Decided] = {}
    for some in chunks(image_ids):
        rows = database.execute_sql(
            "SELECT d.image_id, d.choice, d.destination, d.origin, d.criterion, d.decided_ns,"
            " d.digest IS NOT (SELECT c.digest FROM content c WHERE c.id = i.content_id)"
            f" FROM decision d JOIN image i ON i.id = d.image_id WHERE d.image_id IN ({','.join('?' * len(some))})",
            some,
        )
        for image_id, choice, destination, origin, criterion, decided_ns, stale in rows:
            found[image_id] = Decided(
                image_id, Choice(choice), destination, origin, criterion, decided_ns, bool(stale)
            )
    return found


def of_group(database: SqliteDatabase, key: str) -> list[Decided]:
    """The decisions on the images of a group, by image. Raises NotFound."""
    return sorted(of_images(database, _files_of_group(database, key)).values(), key=lambda one: one.image_id)


def drop(database: SqliteDatabase, image_ids: Iterable[int]) -> None:
    """Make images undecided."""
    for some in chunks(image_ids):
        Decision.delete().where(Decision.image.in_(some)).execute(database)


def groups_of_images(database: SqliteDatabase, image_ids: Iterable[int]) -> set[int]:
    """The current groups (row ids) that hold any of these images."""
    found: set[int] = set()
    for some in chunks(image_ids):
        rows = database.execute_sql(
            "SELECT DISTINCT m.group_id FROM image i JOIN member m ON m.content_id = i.content_id"
            " JOIN duplicate_group g ON g.id = m.group_id JOIN detection t ON t.id = g.detection_id AND t.current"
            f" WHERE i.id IN ({','.join('?' * len(some))})",
            some,
        )
        found.update(row[0] for row in rows)
    return found


def recount(database: SqliteDatabase, group_ids: Iterable[int]) -> None:
    """Bring the number of decided images of groups up to date."""
    for some in chunks(group_ids):
        marks = ",".join("?" * len(some))
        counts = dict(
            database.execute_sql(
                f"SELECT m.group_id, count(DISTINCT i.inode) FROM {_VALID}"
                " JOIN root r ON r.id = i.root_id AND r.watched JOIN member m ON m.content_id = i.content_id"
                f" WHERE m.group_id IN ({marks}) GROUP BY m.group_id",
                some,
            ).fetchall()
        )
        for group_id, decided in database.execute_sql(
            f"SELECT id, decided FROM duplicate_group WHERE id IN ({marks})", some
        ).fetchall():
            if counts.get(group_id, 0) != decided:
                database.execute_sql(
                    "UPDATE duplicate_group SET decided = ? WHERE id = ?", (counts.get(group_id, 0), group_id)
                )


def without_keeper(database: SqliteDatabase, group_ids: Collection[int]) -> set[int]:
    """Those of these groups of which no file would stay. The same file reached twice is one."""
    found: set[int] = set()
    away = ",".join(f"'{choice}'" for choice in AWAY)
    for some in chunks(group_ids):
        rows = database.execute_sql(
            "SELECT f.group_id FROM (SELECT m.group_id group_id,"
            f" max(d.choice IN ({away}) AND d.digest = c.digest) goes"
            " FROM member m JOIN image i ON i.content_id = m.content_id JOIN content c ON c.id = i.content_id"
            " JOIN root r ON r.id = i.root_id AND r.watched LEFT JOIN decision d ON d.image_id = i.id"
            f" WHERE m.group_id IN ({','.join('?' * len(some))}) GROUP BY m.group_id, i.device, i.inode) f"
            " GROUP BY f.group_id HAVING count(*) = sum(coalesce(f.goes, 0))",
            some,
        )
        found.update(row[0] for row in rows)
    return found


def review(database: SqliteDatabase) -> Review:
    """How far the deciding about the current groups is."""
    groups, decided, reclaimable = database.execute_sql(
        "SELECT count(*), coalesce(sum(g.decided >= g.images), 0),"
        f" coalesce(sum(CASE WHEN g.decided < g.images THEN g.reclaimable_bytes ELSE 0 END), 0) FROM {_CURRENT}"
    ).fetchone()
    freeing = f"'{Choice.TRASH}', '{Choice.LINK}'"
    away = ",".join(f"'{choice}'" for choice in AWAY)
    images, size = database.execute_sql(
        f"SELECT count(*), coalesce(sum(CASE WHEN d.choice IN ({freeing}) THEN i.size_bytes ELSE 0 END), 0)"
        f" FROM {_VALID} JOIN root r ON r.id = i.root_id AND r.watched WHERE d.choice IN ({away})"
    ).fetchone()
    return Review(groups, decided, reclaimable, size, images)


@dataclass(frozen=True, slots=True)
class Order:
    """One application of a rule: what it decided, and how many of its decisions are not carried out yet."""

    id: int
    rule: str
    created_ns: int
    groups: int
    images: int
    bytes: int
    pending: int


def any_by_people(database: SqliteDatabase) -> bool:
    """Whether the index holds what no scan can bring back: a decision, a verdict, a step on a file."""
    return any(table.select().limit(1).exists(database) for table in (Decision, Verdict, Step))


def orders(database: SqliteDatabase, before_id: int | None, limit: int) -> tuple[list[Order], int]:
    """The applications of rules below an id, the newest first, and how many there are in all."""
    rows = database.execute_sql(
        "SELECT o.id, o.rule, o.created_ns, o.groups, o.images, o.bytes,"
        f" (SELECT count(*) FROM decision d WHERE d.order_id = o.id AND d.choice != '{Choice.KEEP}')"
        " FROM rule_order o WHERE o.id < ? ORDER BY o.id DESC LIMIT ?",
        (2**62 if before_id is None else before_id, limit),
    )
    return [Order(*row) for row in rows], RuleOrder.select().count(database)


def revoke_order(database: SqliteDatabase, order_id: int) -> int:
    """Take back the decisions of one application of a rule that were not carried out, and forget it; how many those
    were. Raises NotFound."""
    if not RuleOrder.select().where(RuleOrder.id == order_id).count(database):
        raise NotFound(f"There is no order {order_id}.")
    rows = Decision.select(Decision.image).where(Decision.order == order_id).tuples().execute(database)
    image_ids = [row[0] for row in rows]
    groups = groups_of_images(database, image_ids)
    drop(database, image_ids)
    RuleOrder.delete().where(RuleOrder.id == order_id).execute(database)
    recount(database, groups)
    return len(image_ids)


@dataclass(frozen=True, slots=True)
class _File:
    image_id: int
    digest: bytes
    protected: bool


def _files_of_group(database: SqliteDatabase, key: str) -> dict[int, _File]:
    """The images of a current group; what protects one way to a file protects the file. Raises NotFound."""
    rows = database.execute_sql(
        "SELECT i.id, c.digest, (SELECT max(r2.protected) FROM image i2 CROSS JOIN root r2 ON r2.id = i2.root_id"
        " AND r2.watched WHERE i2.device = i.device AND i2.inode = i.inode)"
        # CROSS keeps SQLite from beginning with all members, or all images of a root.
        f" FROM {_CURRENT} CROSS JOIN member m ON m.group_id = g.id JOIN image i ON i.content_id = m.content_id"
        " JOIN content c ON c.id = i.content_id JOIN root r ON r.id = i.root_id AND r.watched WHERE g.key = ?",
        (key,),
    ).fetchall()
    if not rows:
        raise NotFound(f"There is no group {key}.", "It may have changed since it was listed.")
    return {image_id: _File(image_id, bytes(digest), bool(protected)) for image_id, digest, protected in rows}


def _check_links(database: SqliteDatabase, files: dict[int, _File], wanted: Sequence[Wanted]) -> None:
    """Raises NotExact where an image is to be linked and no image that stays has its bytes."""
    linked = [one.image_id for one in wanted if one.choice is Choice.LINK]
    if linked:
        decided = of_images(database, files)
        stay = {
            file.digest
            for file in files.values()
            if file.image_id not in decided or decided[file.image_id].choice not in AWAY
        }
        for image_id in linked:
            if files[image_id].digest not in stay:
                raise NotExact(
                    f"No image that stays has the same bytes as the image {image_id}.",
                    "Only an exact duplicate can be replaced by a hard link.",
                )
