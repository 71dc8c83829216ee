"""The digest of the file that a step puts in place. Frozen: later changes are migrations."""

STATEMENTS = ("ALTER TABLE step ADD COLUMN made_digest BLOB NOT NULL DEFAULT x''",)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
