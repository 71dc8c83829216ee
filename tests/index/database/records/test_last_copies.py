"""Last copies in the trash: originals that compression replaced, and what it made before it was undone."""

from pathlib import Path
from typing import Any

import pytest
from peewee import Model, SqliteDatabase

from index.database.journal_schema import Batch, Compression, Step, TrashItem
from index.database.records import last_copies, trash_items
from index.database.records.batches import Action, BatchKind
from index.database.schema import Content, Image, Root
from index.database.store import Store

SOURCE, RESULT = b"s" * 32, b"r" * 32
FILE = {"device": 1, "size_bytes": 10, "mtime_ns": 1}


def insert(database: SqliteDatabase, table: type[Model], **values: Any) -> int:
    return int(table.insert(**values).execute(database))


def compress(store: Store, *, in_place: bool) -> int:
    """Compress /p/a.png, in place or into /p/a.webp, and index the result; the id of the original in the trash."""

    def write(database: SqliteDatabase) -> int:
        insert(database, Root, id=1, path=b"/p")
        insert(database, Batch, id=1, name="b", kind=BatchKind.COMPRESS, state="done", created_ns=1)
        step = {"batch": 1, "inode": 1, "digest": SOURCE, "state": "done", "path": b"/p/a.png", **FILE}
        action = Action.REPLACE if in_place else Action.CREATE
        insert(database, Step, id=1, action=action, made_digest=RESULT, **step)
        if not in_place:
            insert(database, Step, id=2, action=Action.TRASH, companion_of=1, **step)
        result_path = b"/p/a.png" if in_place else b"/p/a.webp"
        insert(
            database, Compression, batch=1, step=1, state="done", path=b"/p/a.png", result_path=result_path,
            source_digest=SOURCE, result_digest=RESULT, source_bytes=10, options_key="", made_ns=1,
        )  # fmt: skip
        for number, digest in enumerate((SOURCE, RESULT), 1):
            insert(database, Content, id=number, digest=digest, size_bytes=10)
        insert(database, Image, id=1, root=1, path=result_path, inode=2, content=2, indexed_ns=1, **FILE)
        return insert(
            database, TrashItem,
            place=b"/p/.comparimg-trash/x", path=b"/p/a.png", inode=1, size_bytes=10, mtime_ns=1, digest=SOURCE,
            trashed_ns=1, batch_id=1, step_id=1 if in_place else 2, state="in_trash",
        )  # fmt: skip

    return store.write(write)


def are_last(store: Store) -> set[int]:
    with store.read() as database:
        return last_copies.among(database, trash_items.in_trash(database))


@pytest.mark.parametrize("in_place", [True, False])
def test_the_original_of_a_compression_is_a_last_copy_when_the_result_is_gone(tmp_path: Path, in_place: bool) -> None:
    with Store(tmp_path / "data") as store:
        item = compress(store, in_place=in_place)
        assert are_last(store) == set()
        store.write(lambda db: Image.update(path=b"/p/renamed").execute(db))
        assert are_last(store) == set(), "the result has its digest under another name"
        store.write(lambda db: Image.delete().execute(db))
        assert are_last(store) == {item}


def test_a_result_that_was_saved_again_counts_by_its_path(tmp_path: Path) -> None:
    with Store(tmp_path / "data") as store:
        compress(store, in_place=True)
        saved = 3
        store.write(lambda db: insert(db, Content, id=saved, digest=b"e" * 32, size_bytes=10))
        store.write(lambda db: Image.update(content=saved).execute(db))
        assert are_last(store) == set()


@pytest.mark.parametrize("in_place", [True, False])
def test_another_picture_at_the_path_of_a_result_does_not_count(tmp_path: Path, in_place: bool) -> None:
    with Store(tmp_path / "data") as store:
        item = compress(store, in_place=in_place)
        other = 3
        store.write(lambda db: insert(db, Content, id=other, digest=b"e" * 32, size_bytes=10, hash16=b"\xff" * 32))
        store.write(lambda db: Content.update(hash16=b"\x00" * 32).where(Content.digest == SOURCE).execute(db))
        store.write(lambda db: Image.update(content=other).execute(db))
        assert are_last(store) == {item}


def test_a_sidecar_that_was_replaced_is_no_last_copy(tmp_path: Path) -> None:
    with Store(tmp_path / "data") as store:
        compress(store, in_place=True)
        store.write(lambda db: [table.delete().execute(db) for table in (Compression, Image, Content)])
        assert are_last(store) == set()
