"""What shows the origin of two contents by way of a third one. Frozen: later changes are migrations.

`via_id` is the content that both were compared with, or the first of the two where they were compared with each other.
What is there was found by earlier rules, and is found again.
"""

STATEMENTS = (
    "DROP TABLE origin",
    """CREATE TABLE origin (
        a_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        via_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        version TEXT NOT NULL,
        findings TEXT NOT NULL,
        PRIMARY KEY (a_id, b_id, via_id)
    ) WITHOUT ROWID""",
    # What is deleted with its content is found by these.
    "CREATE INDEX origin_b ON origin (b_id)",
    "CREATE INDEX origin_via ON origin (via_id)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
