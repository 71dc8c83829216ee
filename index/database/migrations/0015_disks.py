"""The file systems of watched folders, images of those that are away, marker files. Frozen: later ones change it."""

STATEMENTS = (
    """CREATE TABLE disk (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        root_id INTEGER NOT NULL REFERENCES root (id) ON DELETE CASCADE,
        folder BLOB NOT NULL,
        identity TEXT NOT NULL,
        place BLOB NOT NULL,
        present INTEGER NOT NULL,
        seen_ns INTEGER NOT NULL,
        UNIQUE (root_id, folder, identity, place)
    )""",
    # Of an image and its decision, as they were.
    """CREATE TABLE disk_image (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        disk_id INTEGER NOT NULL REFERENCES disk (id) ON DELETE CASCADE,
        path BLOB NOT NULL,
        device INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        content_id INTEGER REFERENCES content (id) ON DELETE SET NULL,
        digest BLOB NOT NULL,
        choice TEXT NOT NULL,
        destination TEXT NOT NULL,
        origin TEXT NOT NULL,
        criterion TEXT NOT NULL,
        order_id INTEGER REFERENCES rule_order (id) ON DELETE SET NULL,
        decided_for BLOB NOT NULL,
        decided_ns INTEGER NOT NULL,
        UNIQUE (disk_id, path)
    )""",
    "CREATE INDEX disk_image_path ON disk_image (path)",
    "CREATE INDEX disk_image_content ON disk_image (content_id)",
    "CREATE INDEX disk_image_order ON disk_image (order_id)",
    # `protected` is what holds: by the configuration, or by a marker file that was found.
    "ALTER TABLE root ADD COLUMN configured INTEGER NOT NULL DEFAULT 0",
    "UPDATE root SET configured = protected",
)


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
