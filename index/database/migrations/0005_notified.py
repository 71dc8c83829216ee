"""Up to where people were told what happened. Frozen: later changes are migrations."""

STATEMENTS = (
    "CREATE TABLE notified (id INTEGER PRIMARY KEY CHECK (id = 1), mark TEXT NOT NULL)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
