"""The contents whose groups a change concerns, until they are made anew. Frozen: later changes are migrations.

In the transaction of the change: what only the memory of a job knew was lost with it, and a group kept a file that was
deleted while the service was killed.
"""

STATEMENTS = (
    "CREATE TABLE concerned (content_id INTEGER PRIMARY KEY REFERENCES content (id) ON DELETE CASCADE)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
