"""How long the machine has been on, and since when each file is in the trash. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE uptime (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        boot TEXT NOT NULL,
        boottime_ns INTEGER NOT NULL,
        total_ns INTEGER NOT NULL
    )""",
    """CREATE TABLE trash_uptime (
        item_id INTEGER PRIMARY KEY REFERENCES trash_item (id) ON DELETE CASCADE,
        total_ns INTEGER NOT NULL
    )""",
    # A place that is used again holds a file that was put there later.
    """CREATE TRIGGER trash_item_again AFTER UPDATE OF trashed_ns ON trash_item
        WHEN old.trashed_ns <> new.trashed_ns BEGIN
        DELETE FROM trash_uptime WHERE item_id = new.id;
    END""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
