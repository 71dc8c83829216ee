"""Candidate pairs that no group depends on, and that are not verified. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE assumed (
        detection_id INTEGER NOT NULL REFERENCES detection (id) ON DELETE CASCADE,
        a_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        distance INTEGER NOT NULL,
        turn TEXT,
        by_part INTEGER NOT NULL,
        cosine REAL,
        PRIMARY KEY (detection_id, a_id, b_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX assumed_b ON assumed (detection_id, b_id)",
    # What is deleted with its content is found by this.
    "CREATE INDEX assumed_of_a ON assumed (a_id)",
    "CREATE INDEX assumed_of_b ON assumed (b_id)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
