"""What the camera wrote beside a picture, as JSON; nothing for those of old. Frozen: later changes are migrations."""

STATEMENTS = ("ALTER TABLE content ADD COLUMN record TEXT NOT NULL DEFAULT '{}'",)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
