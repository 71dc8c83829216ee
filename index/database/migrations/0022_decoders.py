"""The decoders under which files were read, and what was skipped by name. Frozen: later changes are migrations.

Files that failed before have no set: they are tried again at the next start.
"""

STATEMENTS = (
    "CREATE TABLE decoder_set (id INTEGER PRIMARY KEY, decoders TEXT NOT NULL)",
    "ALTER TABLE root ADD COLUMN skipped TEXT NOT NULL DEFAULT '{}'",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
