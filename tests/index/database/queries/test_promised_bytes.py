"""What a group promises is what it frees once its proposal is accepted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.database.queries import promised_bytes, proposals
from index.database.store import Store
from index.imaging.grouping.keeper import CRITERIA
from index.model import Kind, Turn
from support.weblibrary import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        yield made


def pair(library: Library, **group: Any) -> None:
    """The reference has 900 bytes and is a part of the other, which has 700 and is proposed."""
    contents = [library.add_content(1), library.add_content(2)]
    for content, size_bytes in zip(contents, (900, 700), strict=True):
        library.add_image(content, f"{content}.jpg", size_bytes=size_bytes)
    evidence = {"crop": {"of": "second", "box": [0.1, 0.1, 0.9, 0.9]}}
    library.add_group(contents[0], (contents[1], Kind.NEAR, 5, Turn.NONE), evidence=evidence, images=2, **group)


def settle(library: Library, criteria: tuple[str, ...] = tuple(CRITERIA), contents: tuple[int, ...] = ()) -> int:
    """How many groups were examined."""
    detection = library.detection_id
    library.store.write(lambda db: promised_bytes.mark_estimated(db, detection, criteria, contents))
    with library.store.read() as database:
        groups = promised_bytes.estimated(database, detection)
        freed = promised_bytes.promised(database, groups, criteria)
    library.store.write(lambda db: promised_bytes.store(db, freed))
    return len(groups)


def promise(library: Library) -> int:
    with library.store.read() as database:
        (row,) = database.execute_sql("SELECT reclaimable_bytes FROM duplicate_group").fetchall()
    return int(row[0])


def test_the_proposed_image_stays_whichever_is_the_reference(library: Library) -> None:
    pair(library)
    assert settle(library) == 1
    with library.store.read() as database:
        (outline,) = proposals.outlines(database, [1]).values()
        (kept,) = database.execute_sql(
            "SELECT size_bytes FROM image WHERE id = ?", (outline.proposal.image_id,)
        ).fetchone()
    assert (kept, promise(library)) == (700, 900)


def test_nothing_is_examined_twice_but_what_changed_and_all_with_other_criteria_or_folders(library: Library) -> None:
    pair(library)
    assert [settle(library), settle(library)] == [1, 0]
    assert settle(library, contents=(2,)) == 1
    assert [settle(library, ("size",)), settle(library, ("size",))] == [1, 0]
    library.store.write(lambda db: db.execute_sql("UPDATE root SET protected = 1"))
    assert settle(library, ("size",)) == 1
    # Nothing in a protected folder is ever freed.
    assert promise(library) == 0


def test_a_scene_frees_nothing(library: Library) -> None:
    pair(library, scene=True)
    assert settle(library) == 1
    assert promise(library) == 0
