"""Decisions, the orders of rules, the journal of batches, and what is in the trash. Frozen."""

STATEMENTS = (
    # Of the bytes as they were when it was decided: another digest makes the decision stale.
    """CREATE TABLE decision (
        image_id INTEGER PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
        choice TEXT NOT NULL,
        destination TEXT NOT NULL,
        origin TEXT NOT NULL,
        criterion TEXT NOT NULL,
        order_id INTEGER REFERENCES rule_order (id) ON DELETE SET NULL,
        digest BLOB NOT NULL,
        decided_ns INTEGER NOT NULL
    )""",
    "CREATE INDEX decision_order ON decision (order_id)",
    """CREATE TABLE rule_order (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        rule TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        groups INTEGER NOT NULL,
        images INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    )""",
    """CREATE TABLE batch (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        job_id INTEGER,
        undo_of_id INTEGER REFERENCES batch (id),
        state TEXT NOT NULL,
        created_ns INTEGER NOT NULL,
        finished_ns INTEGER
    )""",
    "CREATE INDEX batch_job ON batch (job_id)",
    "CREATE INDEX batch_state ON batch (state)",
    # `made_*` tell the file that a step puts in place, where that is another than the one it is about.
    """CREATE TABLE step (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        batch_id INTEGER NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
        action TEXT NOT NULL,
        path BLOB NOT NULL,
        target BLOB NOT NULL,
        trash BLOB NOT NULL,
        temp BLOB NOT NULL,
        keeper BLOB NOT NULL,
        image_id INTEGER,
        group_key TEXT NOT NULL,
        companion_of_id INTEGER REFERENCES step (id),
        undo_of_id INTEGER REFERENCES step (id),
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        digest BLOB NOT NULL,
        made_inode INTEGER,
        made_size_bytes INTEGER,
        made_mtime_ns INTEGER,
        bytes INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        done_ns INTEGER
    )""",
    "CREATE INDEX step_batch ON step (batch_id, state)",
    "CREATE INDEX step_undo ON step (undo_of_id)",
    """CREATE TABLE trash_item (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        place BLOB NOT NULL UNIQUE,
        path BLOB NOT NULL,
        inode INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        digest BLOB NOT NULL,
        batch_id INTEGER,
        step_id INTEGER,
        trashed_ns INTEGER NOT NULL,
        state TEXT NOT NULL
    )""",
    "CREATE INDEX trash_item_state ON trash_item (state, trashed_ns, id)",
    "CREATE INDEX trash_item_step ON trash_item (step_id)",
    "ALTER TABLE duplicate_group ADD COLUMN decided INTEGER NOT NULL DEFAULT 0",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
