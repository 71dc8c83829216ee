"""Contents found by the date of their capture, and the last decision found at once.

Frozen: later changes are migrations.
"""

STATEMENTS = (
    "CREATE INDEX content_taken ON content (taken) WHERE taken > ''",
    "CREATE INDEX decision_time ON decision (decided_ns)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
