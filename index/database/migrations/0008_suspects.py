"""Files that are being read, and how often the service ended meanwhile. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE suspect (
        path BLOB NOT NULL PRIMARY KEY,
        being_read INTEGER NOT NULL,
        crashes INTEGER NOT NULL
    ) WITHOUT ROWID""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
