"""One table for all work that may crash its worker or the service. Frozen: later changes are migrations.

It takes the rows of `suspect` (files being read) and `attempt` (contents and pairs), with what was counted and what
was under way.
"""

STATEMENTS = (
    """CREATE TABLE quarantine (
        work TEXT NOT NULL,
        item BLOB NOT NULL,
        version TEXT NOT NULL,
        a_id INTEGER REFERENCES content (id) ON DELETE CASCADE,
        b_id INTEGER REFERENCES content (id) ON DELETE CASCADE,
        started INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        PRIMARY KEY (work, item)
    ) WITHOUT ROWID""",
    "CREATE INDEX quarantine_a_content ON quarantine (a_id) WHERE a_id IS NOT NULL",
    "CREATE INDEX quarantine_b_content ON quarantine (b_id) WHERE b_id IS NOT NULL",
    """INSERT INTO quarantine (work, item, version, a_id, b_id, started, crashes)
        SELECT 'read', path, '', NULL, NULL, being_read, crashes FROM suspect""",
    # A single content was a pair with itself.
    """INSERT INTO quarantine (work, item, version, a_id, b_id, started, crashes)
        SELECT verifier, CAST(a_id AS BLOB), '', a_id, NULL, being_judged, failures FROM attempt WHERE a_id = b_id""",
    """INSERT INTO quarantine (work, item, version, a_id, b_id, started, crashes)
        SELECT verifier, CAST(a_id || '-' || b_id AS BLOB), '', a_id, b_id, being_judged, failures
        FROM attempt WHERE a_id <> b_id""",
    "DROP TABLE suspect",
    "DROP TABLE attempt",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
