"""The decisions that one request cleared in many groups, for its undoing. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE clearing (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created_ns INTEGER NOT NULL,
        finished INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE cleared_decision (
        clearing_id INTEGER NOT NULL REFERENCES clearing (id) ON DELETE CASCADE,
        image_id INTEGER NOT NULL REFERENCES image (id) ON DELETE CASCADE,
        choice TEXT NOT NULL,
        destination TEXT NOT NULL,
        origin TEXT NOT NULL,
        criterion TEXT NOT NULL,
        order_id INTEGER REFERENCES rule_order (id) ON DELETE SET NULL,
        digest BLOB NOT NULL,
        decided_ns INTEGER NOT NULL,
        PRIMARY KEY (clearing_id, image_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX cleared_decision_image ON cleared_decision (image_id)",
    "CREATE INDEX cleared_decision_order ON cleared_decision (order_id) WHERE order_id IS NOT NULL",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
