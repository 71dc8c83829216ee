"""Contents without a file are forgotten in the end, and never one that is referred to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.database import journal_schema, schema
from index.database.records import content_gc
from index.database.store import Store
from index.model import Kind, Turn
from support.weblibrary import NOW_NS, Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        yield made


def left(library: Library) -> list[int]:
    with library.store.read() as database:
        return [row[0] for row in database.execute_sql("SELECT id FROM content ORDER BY id")]


def forget(library: Library, before_ns: int = NOW_NS + 1) -> list[bytes]:
    return library.write(lambda db: content_gc.collect(db, before_ns))  # type: ignore[no-any-return]


def digest_of(library: Library, content_id: int) -> bytes:
    with library.store.read() as database:
        (stored,) = database.execute_sql("SELECT digest FROM content WHERE id = ?", (content_id,)).fetchone()
    return bytes(stored)


def test_a_content_is_forgotten_with_all_that_was_made_of_it_once_it_was_long_without_a_file(library: Library) -> None:
    kept, gone = library.add_content(1), library.add_content(2)
    library.add_image(kept, "a.jpg")
    values = {"kind": "near", "turn": "none", "confidence": 1.0, "evidence": "{}"}
    library.write(lambda db: schema.Judgement.insert(a=kept, b=gone, verifier="v", **values).execute(db))
    library.write(
        lambda db: schema.Match.insert(detection=library.detection_id, a=kept, b=gone, distance=1, **values).execute(db)
    )
    library.write(lambda db: schema.Feature.insert(content=gone, scheme="s", blob=b"x").execute(db))
    assert forget(library) == []
    library.write(lambda db: content_gc.record_missing(db, NOW_NS))
    assert forget(library, NOW_NS) == []
    digest = digest_of(library, gone)
    assert forget(library) == [digest]
    assert left(library) == [kept]
    with library.store.read() as database:
        for table in ("judgement", "match", "feature"):
            assert database.execute_sql(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


def test_a_content_that_came_back_starts_a_new_retention_period(library: Library) -> None:
    content = library.add_content(1)
    library.write(lambda db: content_gc.record_missing(db, NOW_NS))
    image = library.add_image(content, "a.jpg")
    assert forget(library) == []
    library.write(lambda db: content_gc.record_missing(db, NOW_NS + 5))
    library.write(lambda db: schema.Image.delete().where(schema.Image.id == image).execute(db))
    library.write(lambda db: content_gc.record_missing(db, NOW_NS + 9))
    assert forget(library, NOW_NS + 9) == []
    assert len(forget(library, NOW_NS + 10)) == 1


def by_verdict(db: Any, digest: bytes) -> None:
    schema.Verdict.insert(
        a_digest=b"0" * 32, b_digest=digest, label="not_duplicates", created_ns=NOW_NS
    ).execute(db)  # fmt: skip


def by_trash(db: Any, digest: bytes) -> None:
    journal_schema.TrashItem.insert(
        place=b"/photos/.trash/x", path=b"/photos/x", inode=1, size_bytes=1, mtime_ns=1, digest=digest,
        trashed_ns=NOW_NS, state="in_trash",
    ).execute(db)  # fmt: skip


def by_compression(db: Any, digest: bytes) -> None:
    journal_schema.Compression.insert(
        state="done", path=b"/photos/x", source_digest=digest, source_bytes=1, options_key="{}", made_ns=NOW_NS
    ).execute(db)


@pytest.mark.parametrize("needed", [by_verdict, by_trash, by_compression])
def test_a_content_that_is_referred_to_stays(library: Library, needed: Any) -> None:
    content = library.add_content(1)
    library.write(lambda db: needed(db, digest_of(library, content)))
    library.write(lambda db: content_gc.record_missing(db, NOW_NS))
    assert forget(library) == []
    assert left(library) == [content]


def test_a_member_of_a_group_stays(library: Library) -> None:
    first, second = library.add_content(1), library.add_content(2)
    library.add_group(first, (second, Kind.NEAR, 3, Turn.NONE))
    library.write(lambda db: content_gc.record_missing(db, NOW_NS))
    assert forget(library) == []


def test_many_are_forgotten_in_portions(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_gc, "AT_ONCE", 3)
    for seed in range(5):
        library.add_content(seed)
    library.write(lambda db: content_gc.record_missing(db, NOW_NS))
    assert [len(forget(library)) for _ in range(3)] == [3, 2, 0]
