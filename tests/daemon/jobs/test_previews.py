"""Previews that are made for a job, and removed when they take too much room."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.jobs.previews import Previews
from daemon.jobs.progress import NullProgress
from index.database.records import images, trash_items
from index.database.records.trash_items import Item
from index.errors import NotFound, PictureError
from index.imaging.decoding.pictures import Limits, preview_on_black
from support.library import Library
from support.pictures import photograph, save

JPEG_START = b"\xff\xd8"


def test_a_call_gets_all_its_previews_whatever_the_limit(library: Library) -> None:
    for seed in range(6):
        save(photograph(seed), library.photos / f"{seed}.png")
    library.scan()
    content_ids = [content_id for content_id in library.images().values() if content_id]
    previews = Previews(library.store, library.pool, Limits(), limit_bytes=1)
    folder = library.store.data_dir / "views"
    for asked in (content_ids[:4], content_ids[2:], content_ids):
        paths, failed = previews.ensure(asked, NullProgress())
        assert failed == {}
        assert sorted(paths) == sorted(asked)
        assert all(path.stat().st_size for path in paths.values())
        assert len(list(folder.rglob("*.jpg"))) == len(asked), "those of the call before were removed"


def test_what_a_call_needs_stays_with_its_preview_on_black(library: Library) -> None:
    clear = photograph(1).convert("RGBA")
    clear.putalpha(photograph(2).convert("L"))
    save(clear, library.photos / "clear.png")
    library.scan()
    (content_id,) = library.images().values()
    previews = Previews(library.store, library.pool, Limits(), limit_bytes=1)
    for _ in range(2):
        paths, _ = previews.ensure([content_id], NullProgress())
        assert preview_on_black(paths[content_id]).stat().st_size


def test_what_is_in_the_trash_is_shown_as_long_as_it_is_the_same_file(library: Library, tmp_path: Path) -> None:
    picture = save(photograph(1), library.photos / "a.png")
    library.scan()
    (content_id,) = library.images().values()
    assert content_id
    with library.store.read() as database:
        digest = bytes(images.contents(database, [content_id])[content_id].digest)
    place = library.photos / ".comparimg-trash" / "batch" / "1-a.png"
    place.parent.mkdir(parents=True)
    picture.rename(place)
    library.scan()
    previews = Previews(library.store, library.pool, Limits())
    with pytest.raises(NotFound):
        previews.make(content_id)
    status = place.stat()
    item = Item(bytes(place), bytes(picture), status.st_ino, status.st_size, status.st_mtime_ns, digest, 0)
    # What only a manifest knows is not opened.
    library.store.write(lambda db: trash_items.add(db, [replace(item, adopted=True)]))
    with pytest.raises(NotFound):
        previews.make(content_id)
    library.store.write(lambda db: trash_items.add(db, [item]))
    assert previews.make(content_id).startswith(JPEG_START)
    previews.forget([digest])
    # Neither another file in its place is shown, nor one that a link leads to.
    elsewhere = tmp_path / "elsewhere"
    place.parent.rename(elsewhere)
    place.parent.symlink_to(elsewhere)
    with pytest.raises(PictureError):
        previews.make(content_id)
    place.parent.unlink()
    elsewhere.rename(place.parent)
    save(photograph(2), place)
    with pytest.raises(PictureError):
        previews.make(content_id)
