"""More facts of a content, and which version found them. Frozen: later changes are migrations.

The digests of pixels are made again: they did not cover all bits, nor more than one frame.
"""

STATEMENTS = (
    "ALTER TABLE content ADD COLUMN bit_depth INTEGER NOT NULL DEFAULT 8",
    "ALTER TABLE content ADD COLUMN transparent INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE content ADD COLUMN attachments TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE content ADD COLUMN damage TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE content ADD COLUMN facts_version INTEGER NOT NULL DEFAULT 0",
    "UPDATE content SET pixel_digest = NULL",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
