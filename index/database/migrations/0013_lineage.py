"""Which index this is, and a counter of what changes files. Frozen: later changes are migrations.

Triggers raise the counter in the transaction of the change itself, so that no code path can leave it out.
"""

CHANGES_FILES = "new.kind NOT IN ('scan', 'detect')"
RAISE = "BEGIN UPDATE lineage SET counter = counter + 1; END"

STATEMENTS = (
    """CREATE TABLE lineage (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        index_id TEXT NOT NULL,
        counter INTEGER NOT NULL,
        is_copy INTEGER NOT NULL,
        put_back_ns INTEGER,
        put_back TEXT NOT NULL
    )""",
    "INSERT INTO lineage VALUES (1, lower(hex(randomblob(16))), 0, 0, NULL, '')",
    f"CREATE TRIGGER job_counted AFTER INSERT ON job WHEN {CHANGES_FILES} {RAISE}",
    f"""CREATE TRIGGER job_change_counted AFTER UPDATE OF state, cancel_requested ON job WHEN {CHANGES_FILES}
        AND (new.state <> old.state OR new.cancel_requested <> old.cancel_requested) {RAISE}""",
    f"CREATE TRIGGER batch_counted AFTER INSERT ON batch {RAISE}",
    f"CREATE TRIGGER batch_change_counted AFTER UPDATE OF state ON batch WHEN new.state <> old.state {RAISE}",
    # Each time steps are begun: what a copy of the middle of a batch does not know.
    f"""CREATE TRIGGER step_counted AFTER UPDATE OF state ON step WHEN new.state = 'doing' AND old.state <> 'doing'
        {RAISE}""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
