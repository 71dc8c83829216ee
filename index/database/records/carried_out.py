"""Decisions that were carried out, stored with their steps, so that undoing a step also restores its decision."""

from collections.abc import Mapping, Sequence

from peewee import SqliteDatabase

from index.database.records import decisions
from index.database.records.images import chunks


def set_aside(database: SqliteDatabase, image_of: Mapping[int, int]) -> None:
    """Move the decisions on these images (step id -> image id) to their steps. The images are then undecided."""
    for chunk in chunks(image_of.items(), 200):
        marks = ",".join(["(?, ?)"] * len(chunk))
        database.execute_sql(
            "INSERT OR REPLACE INTO carried_out"
            " (step_id, choice, destination, origin, criterion, order_id, digest, decided_ns)"
            f" WITH done (step_id, image_id) AS (VALUES {marks})"
            " SELECT done.step_id, d.choice, d.destination, d.origin, d.criterion, d.order_id, d.digest, d.decided_ns"
            " FROM done JOIN decision d ON d.image_id = done.image_id",
            [value for pair in chunk for value in pair],
        )
    decisions.clear(database, image_of.values())


def put_back(database: SqliteDatabase, restored: Sequence[tuple[int, bytes]]) -> None:
    """Restore the decisions that these undone steps (step id and present path) carried out, if the same bytes are back.

    A newer decision is kept. A decision is not restored if it would leave a group without an image that stays.
    """
    back: list[int] = []
    for step_id, path in restored:
        row = database.execute_sql(
            "SELECT i.id FROM carried_out k JOIN image i ON i.path = ? JOIN content c ON c.id = i.content_id"
            " AND c.digest = k.digest WHERE k.step_id = ? AND NOT EXISTS"
            " (SELECT 1 FROM decision d WHERE d.image_id = i.id)",
            (path, step_id),
        ).fetchone()
        if row is not None:
            database.execute_sql(
                "INSERT INTO decision (image_id, choice, destination, origin, criterion, order_id, digest, decided_ns)"
                " SELECT ?, choice, destination, origin, criterion, order_id, digest, decided_ns FROM carried_out"
                " WHERE step_id = ?",
                (row[0], step_id),
            )
            back.append(row[0])
        database.execute_sql("DELETE FROM carried_out WHERE step_id = ?", (step_id,))
    groups = decisions.groups_of_images(database, back)
    for bare in decisions.without_keeper(database, groups):
        decisions.clear(database, [image for image in back if bare in decisions.groups_of_images(database, [image])])
    decisions.record_keepers(database, groups, back)
    decisions.recount(database, groups)


def forget(database: SqliteDatabase, restored: Sequence[tuple[int, bytes]]) -> None:
    """Make all images undecided in the groups to which these undone steps (step id and present path) restored files."""
    images: list[int] = []
    for paths in chunks([path for _, path in restored]):
        marks = ",".join("?" * len(paths))
        images += [row[0] for row in database.execute_sql(f"SELECT id FROM image WHERE path IN ({marks})", paths)]
    groups = decisions.groups_of_images(database, images)
    for chunk in chunks(groups):
        rows = database.execute_sql(
            f"SELECT i.id FROM duplicate_group g JOIN member m ON m.group_id = g.id AND {decisions.SHOWN}"
            f" JOIN image i ON i.content_id = m.content_id WHERE g.id IN ({','.join('?' * len(chunk))})",
            chunk,
        )
        images += [row[0] for row in rows]
    decisions.clear(database, images)
    for chunk in chunks([step_id for step_id, _ in restored]):
        marks = ",".join("?" * len(chunk))
        database.execute_sql(f"DELETE FROM carried_out WHERE step_id IN ({marks})", chunk)
    decisions.recount(database, groups)
