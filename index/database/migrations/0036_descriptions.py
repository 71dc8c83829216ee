"""What is written about pictures, in their files and in sidecars. Frozen: later changes are migrations."""

STATEMENTS = (
    "ALTER TABLE content ADD COLUMN description TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE beside ADD COLUMN description TEXT NOT NULL DEFAULT '{}'",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
