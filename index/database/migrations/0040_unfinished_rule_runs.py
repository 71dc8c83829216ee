"""Rule runs that are not finished, and the decisions that they replaced until they are.

Frozen: later changes are migrations. A run belongs to a job, or was made within one request; a crash leaves it
unfinished, and the next start has the job do it again or takes it back.
"""

STATEMENTS = (
    "ALTER TABLE rule_order ADD COLUMN job_id INTEGER",
    "ALTER TABLE rule_order ADD COLUMN finished INTEGER NOT NULL DEFAULT 1",
    """CREATE TABLE replaced_decision (
        run_id INTEGER NOT NULL REFERENCES rule_order (id) ON DELETE CASCADE,
        image_id INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
        choice TEXT NOT NULL,
        destination TEXT NOT NULL,
        origin TEXT NOT NULL,
        criterion TEXT NOT NULL,
        order_id INTEGER REFERENCES rule_order (id) ON DELETE SET NULL,
        digest BLOB NOT NULL,
        decided_ns INTEGER NOT NULL,
        PRIMARY KEY (run_id, image_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX replaced_decision_image ON replaced_decision (image_id)",
    "CREATE INDEX replaced_decision_order ON replaced_decision (order_id)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
