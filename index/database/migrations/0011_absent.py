"""Contents without a file, until they are back and matched anew. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE absent (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        detection_id INTEGER NOT NULL REFERENCES detection (id) ON DELETE CASCADE,
        content_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        back INTEGER NOT NULL,
        UNIQUE (detection_id, content_id)
    )""",
    "CREATE INDEX absent_content ON absent (content_id)",
    "CREATE INDEX absent_back ON absent (detection_id) WHERE back",
    """INSERT INTO absent (detection_id, content_id, back)
        SELECT detection.id, content.id, 0 FROM detection, content
        WHERE NOT EXISTS (SELECT 1 FROM image WHERE image.content_id = content.id)""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
