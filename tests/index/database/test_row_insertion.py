"""Rows inserted without peewee's making of a statement for each."""

from pathlib import Path

from index.database.row_insertion import insert_row
from index.database.schema import Content, Region
from index.database.store import Store
from index.model import Attachment, CameraRecord, Description

GIVEN = {
    "size_bytes": 7,
    "width": 640,
    "record": CameraRecord("Example", declared=(64, 48)),
    "description": Description(title="Été", keywords=("a", "b")),
    "attachments": (Attachment("mpf", 3, "0a"),),
    "transparent": True,
    "hash8": b"\x00\xff",
}


def test_a_row_is_the_one_that_peewee_inserts(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for values in (GIVEN, {"size_bytes": 1}):
            first, second = (values | {"digest": bytes([len(values), number])} for number in (1, 2))
            peewees = store.write(lambda db, row=first: Content.insert(**row).execute(db))
            ours = store.write(lambda db, row=second: insert_row(db, Content, row))
            assert ours == peewees + 1
            with store.read() as database:
                rows = [
                    database.execute_sql("SELECT * FROM content WHERE id = ?", (row,)).fetchone()
                    for row in (peewees, ours)
                ]
            # All but the id and the digest.
            assert rows[0][2:] == rows[1][2:]


def test_a_row_refers_to_another(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        content = store.write(lambda db: insert_row(db, Content, {"digest": b"\x01", "size_bytes": 1}))
        bits = {"hash8": b"\x08", "hash16": b"\x16", "hash32": b"\x32"}
        region = store.write(lambda db: insert_row(db, Region, {"content": content, "role": "inside"} | bits))
        with store.read() as database:
            (row,) = Region.select().where(Region.id == region).execute(database)
            assert (row.content_id, row.role, bytes(row.hash16)) == (content, "inside", b"\x16")
