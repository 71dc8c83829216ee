"""The quality of a JPEG that a picture was before; 0 for those of old. Frozen: later changes are migrations."""

STATEMENTS = ("ALTER TABLE content ADD COLUMN earlier_quality INTEGER NOT NULL DEFAULT 0",)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
