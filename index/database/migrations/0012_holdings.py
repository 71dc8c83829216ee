"""What each root holds, counted as rows come and go, not when asked. Frozen: later changes are migrations."""

STATEMENTS = (
    """CREATE TABLE holding (
        root_id INTEGER PRIMARY KEY REFERENCES root (id) ON DELETE CASCADE,
        images INTEGER NOT NULL DEFAULT 0,
        size_bytes INTEGER NOT NULL DEFAULT 0,
        problems INTEGER NOT NULL DEFAULT 0
    )""",
    """INSERT INTO holding SELECT id,
        (SELECT count(*) FROM image WHERE root_id = root.id),
        (SELECT coalesce(sum(size_bytes), 0) FROM image WHERE root_id = root.id),
        (SELECT count(*) FROM problem WHERE root_id = root.id) FROM root""",
    "CREATE TRIGGER root_added AFTER INSERT ON root BEGIN INSERT INTO holding (root_id) VALUES (new.id); END",
    """CREATE TRIGGER image_added AFTER INSERT ON image BEGIN
        UPDATE holding SET images = images + 1, size_bytes = size_bytes + new.size_bytes WHERE root_id = new.root_id;
    END""",
    """CREATE TRIGGER image_removed AFTER DELETE ON image BEGIN
        UPDATE holding SET images = images - 1, size_bytes = size_bytes - old.size_bytes WHERE root_id = old.root_id;
    END""",
    """CREATE TRIGGER image_changed AFTER UPDATE OF root_id, size_bytes ON image
        WHEN old.root_id <> new.root_id OR old.size_bytes <> new.size_bytes BEGIN
        UPDATE holding SET images = images - 1, size_bytes = size_bytes - old.size_bytes WHERE root_id = old.root_id;
        UPDATE holding SET images = images + 1, size_bytes = size_bytes + new.size_bytes WHERE root_id = new.root_id;
    END""",
    """CREATE TRIGGER problem_added AFTER INSERT ON problem BEGIN
        UPDATE holding SET problems = problems + 1 WHERE root_id = new.root_id;
    END""",
    """CREATE TRIGGER problem_removed AFTER DELETE ON problem BEGIN
        UPDATE holding SET problems = problems - 1 WHERE root_id = old.root_id;
    END""",
    """CREATE TRIGGER problem_changed AFTER UPDATE OF root_id ON problem WHEN old.root_id <> new.root_id BEGIN
        UPDATE holding SET problems = problems - 1 WHERE root_id = old.root_id;
        UPDATE holding SET problems = problems + 1 WHERE root_id = new.root_id;
    END""",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
