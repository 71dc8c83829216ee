"""The contents whose groups were stale when all began to be rebuilt. Frozen: later changes are migrations.

They are forgotten when that is complete; if it is not, their groups are still stale.
"""

STATEMENTS = (
    """CREATE TABLE concerned_before (
        content_id INTEGER PRIMARY KEY REFERENCES content (id) ON DELETE CASCADE
    )""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
