"""Pairs that are being judged, and those that could not be looked at yet. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE attempt (
        a_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        verifier TEXT NOT NULL,
        being_judged INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        PRIMARY KEY (a_id, b_id, verifier)
    ) WITHOUT ROWID""",
    "CREATE INDEX attempt_b_content ON attempt (b_id)",
    """CREATE TABLE unjudged (
        detection_id INTEGER NOT NULL REFERENCES detection (id) ON DELETE CASCADE,
        a_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        distance INTEGER NOT NULL,
        turn TEXT,
        by_part INTEGER NOT NULL,
        PRIMARY KEY (detection_id, a_id, b_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX unjudged_a_content ON unjudged (a_id)",
    "CREATE INDEX unjudged_b_content ON unjudged (b_id)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
