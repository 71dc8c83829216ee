"""What shows which picture was made from which, and what stands beside images. Frozen: later changes are migrations.

`trace` holds what one decode of a content found, `origin` what two contents that match show of each other, `beside` the
kinds of companions of an image in a group.
"""

STATEMENTS = (
    """CREATE TABLE trace (
        content_id INTEGER PRIMARY KEY REFERENCES content (id) ON DELETE CASCADE,
        version TEXT NOT NULL,
        data BLOB NOT NULL
    )""",
    """CREATE TABLE origin (
        a_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        version TEXT NOT NULL,
        findings TEXT NOT NULL,
        PRIMARY KEY (a_id, b_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX origin_b ON origin (b_id)",
    """CREATE TABLE beside (
        image_id INTEGER PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
        bonds TEXT NOT NULL
    )""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
