"""What compression did to each file, and what it left alone. Frozen."""

STATEMENTS = (
    # Kept by content, so that a second run does nothing whatever became of the paths.
    """CREATE TABLE compression (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        batch_id INTEGER REFERENCES batch (id) ON DELETE CASCADE,
        step_id INTEGER REFERENCES step (id) ON DELETE SET NULL,
        state TEXT NOT NULL,
        path BLOB NOT NULL,
        result_path BLOB NOT NULL,
        source_digest BLOB NOT NULL,
        result_digest BLOB NOT NULL,
        source_bytes INTEGER NOT NULL,
        result_bytes INTEGER NOT NULL,
        source_size TEXT NOT NULL,
        result_size TEXT NOT NULL,
        format TEXT NOT NULL,
        lossless INTEGER NOT NULL,
        quality INTEGER NOT NULL,
        score REAL,
        target TEXT NOT NULL,
        wish TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        made_ns INTEGER NOT NULL
    )""",
    "CREATE INDEX compression_batch ON compression (batch_id, id)",
    "CREATE INDEX compression_source ON compression (source_digest)",
    "CREATE INDEX compression_result ON compression (result_digest)",
    "CREATE INDEX compression_state ON compression (state)",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
