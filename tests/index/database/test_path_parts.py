"""Parts of paths by the index of trigrams: the same images as by reading every path."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database import path_parts, schema
from index.database.queries.group_filter import GroupFilter
from index.database.queries.listing import groups_page
from index.database.store import Store
from support.weblibrary import Library

NAMES = [
    b"2019/IMG_0001.jpg", b"2019/img_0002.JPG", "Été/Plage d'été.jpg".encode(), b'a "quoted" name.jpg',
    b"\xff\xfebroken.jpg",    "\u5bb6\u65cf\u5199\u771f.jpg".encode(), b"x.jpg", b"back\\slash%_*.jpg",
]  # fmt: skip
PARTS = [
    b"img_00", b"IMG", b"mg_0002.j", b"jpg", b"2019", b"g", b"", b'"quoted"', b"lage d'",
    "\u00c9t\u00e9".encode(), "\u00e9t\u00e9".encode(),
    "\u65cf\u5199\u771f".encode(), b"\xff\xfebr", b"broken", b"nothing", b"k\\sl", b"%_*", b"AND", b"photos/20",
]  # fmt: skip


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        for number, name in enumerate(NAMES):
            content = made.add_content(number)
            made.add_image(content, name)
            made.add_group(content)
        yield made


def index_all(library: Library) -> None:
    library.write(lambda db: path_parts.index_changes(db, 1))


def found(library: Library, part: bytes) -> list[str]:
    with library.store.read() as database:
        page = groups_page(database, GroupFilter(path=part, min_images=1, scenes=None), limit=100)
        assert page.total == len(page.items)
        return sorted(row.key for row in page.items)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_finds_what_reading_every_path_does(
    library: Library, monkeypatch: pytest.MonkeyPatch, part: bytes
) -> None:
    waiting = found(library, part)
    index_all(library)
    indexed = found(library, part)
    monkeypatch.setattr(path_parts, "TRIGRAM", 1_000)
    with library.store.read() as database:
        assert path_parts.images_with(database, part) is None
    assert waiting == indexed == found(library, part)


def test_what_is_renamed_and_removed_is_no_longer_found(library: Library) -> None:
    index_all(library)
    image = schema.Image
    library.write(lambda db: image.update(path=b"/photos/new_0001.png").where(image.id == 1).execute(db))
    library.write(lambda db: image.delete().where(image.id == 2).execute(db))
    library.write(lambda db: image.update(path=b"/photos/newer_0001.png").where(image.id == 1).execute(db))
    for indexed in (False, True):
        if indexed:
            index_all(library)
        assert found(library, b"img_000") == []
        assert len(found(library, b"newer_0001")) == 1
        assert found(library, b"photos/new_") == []
    with library.store.read() as database:
        for part, images in ((b"img_0001", []), (b"newer", [1])):
            term, *values = path_parts.images_with(database, part) or ("", "")
            rows = database.execute_sql(f"SELECT i.id FROM image i WHERE {term}", values).fetchall()
            assert [row[0] for row in rows] == images, "the index itself has forgotten them"


def test_many_changes_are_indexed_with_the_last_of_them(library: Library) -> None:
    def waiting() -> int:
        with library.store.read() as database:
            return int(database.execute_sql("SELECT count(*) FROM path_change").fetchone()[0])

    index_all(library)
    rows = [
        {"root": 1, "path": b"/photos/more/%d.jpg" % number, "device": 1, "inode": number, "size_bytes": 1,
         "mtime_ns": 1, "content": None, "indexed_ns": 1}
        for number in range(path_parts.AT_ONCE)
    ]  # fmt: skip
    library.write(lambda db: schema.Image.insert_many(rows[:-1]).execute(db))
    assert waiting() == path_parts.AT_ONCE - 1
    library.write(lambda db: schema.Image.insert_many(rows[-1:]).execute(db))
    assert waiting() == 0


def test_a_change_that_is_rolled_back_leaves_nothing(library: Library) -> None:
    index_all(library)

    def fail(database: object) -> None:
        schema.Image.update(path=b"/photos/other.jpg").where(schema.Image.id == 1).execute(database)
        path_parts.index_changes(database, 1)  # type: ignore[arg-type]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        library.write(fail)
    assert len(found(library, b"img_0001")) == 1
    assert found(library, b"other") == []
