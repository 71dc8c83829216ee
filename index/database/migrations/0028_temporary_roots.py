"""Folders indexed for one limited search; none of those of old. Frozen: later changes are migrations."""

STATEMENTS = ("ALTER TABLE root ADD COLUMN temporary INTEGER NOT NULL DEFAULT 0",)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
