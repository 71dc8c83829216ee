"""The decisions that steps carried out, for their undoing. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE carried_out (
        step_id INTEGER PRIMARY KEY REFERENCES step (id) ON DELETE CASCADE,
        choice TEXT NOT NULL,
        destination TEXT NOT NULL,
        origin TEXT NOT NULL,
        criterion TEXT NOT NULL,
        order_id INTEGER REFERENCES rule_order (id) ON DELETE SET NULL,
        digest BLOB NOT NULL,
        decided_ns INTEGER NOT NULL
    )""",
    "CREATE INDEX carried_out_order ON carried_out (order_id) WHERE order_id IS NOT NULL",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
