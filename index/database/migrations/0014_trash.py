"""Trash folders with how far each manifest was read, and which items only a manifest tells of.

What no step of this index put in the trash was taken from a manifest. Frozen: later changes are migrations.
"""

STATEMENTS = (
    "ALTER TABLE trash_item ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE trash_item ADD COLUMN elsewhere BLOB NOT NULL DEFAULT x''",
    "UPDATE trash_item SET adopted = 1 WHERE step_id IS NULL",
    """CREATE TABLE trash_home (
        folder BLOB NOT NULL PRIMARY KEY,
        inode INTEGER NOT NULL DEFAULT 0,
        size_bytes INTEGER NOT NULL DEFAULT 0,
        mtime_ns INTEGER NOT NULL DEFAULT 0,
        read_bytes INTEGER NOT NULL DEFAULT 0,
        tail BLOB NOT NULL DEFAULT x'',
        objection TEXT NOT NULL DEFAULT ''
    )""",
)
NAME = b"/.comparimg-trash/"


def up(migrator: object, db: object) -> None:
    for statement in STATEMENTS:
        db.execute_sql(statement)  # type: ignore[attr-defined]
    places = db.execute_sql("SELECT place FROM trash_item")  # type: ignore[attr-defined]
    folders = {bytes(place)[: bytes(place).index(NAME) + len(NAME) - 1] for (place,) in places if NAME in bytes(place)}
    for folder in sorted(folders):
        db.execute_sql("INSERT INTO trash_home (folder) VALUES (?)", (folder,))  # type: ignore[attr-defined]
