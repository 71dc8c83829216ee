"""Rules that are kept under a name, and may run after each detection; trashed files found by digest.

Frozen: later changes are migrations. What a named rule decided until `considered_ns` need not be looked at again.
"""

STATEMENTS = (
    """CREATE TABLE named_rule (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        rule TEXT NOT NULL,
        after_detection INTEGER NOT NULL DEFAULT 0,
        beyond_equal INTEGER NOT NULL DEFAULT 0,
        considered_ns INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX trash_item_digest ON trash_item (digest, trashed_ns)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
