"""Groups that hold no copies; none of those of old. Frozen: later changes are migrations."""

STATEMENTS = ("ALTER TABLE duplicate_group ADD COLUMN scene INTEGER NOT NULL DEFAULT 0",)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
