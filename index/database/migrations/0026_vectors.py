"""The vectors of contents, and the state of the model that makes them. Frozen: later changes are migrations.

`vector` holds int8 rows, one for each turn; an empty one where none could be made. `embedding_model` has one row.
"""

STATEMENTS = (
    """CREATE TABLE vector (
        content_id INTEGER NOT NULL REFERENCES content (id) ON DELETE CASCADE,
        model TEXT NOT NULL,
        turns INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (content_id, model)
    )""",
    """CREATE TABLE embedding_model (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        path TEXT NOT NULL,
        key TEXT NOT NULL,
        dimensions INTEGER NOT NULL,
        milliseconds REAL NOT NULL,
        failure TEXT NOT NULL,
        checked_ns INTEGER NOT NULL
    )""",
    "ALTER TABLE unjudged ADD COLUMN cosine REAL",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
