"""Contents found by the date of their capture. Frozen: later changes are migrations."""

STATEMENTS = ("CREATE INDEX content_taken ON content (taken) WHERE taken > ''",)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
