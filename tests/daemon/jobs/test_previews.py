"""Previews that are made for a job, and removed when they take too much room."""

from daemon.jobs.previews import Previews
from daemon.jobs.progress import NullProgress
from index.imaging.decoding.pictures import Limits, preview_on_black
from support.library import Library
from support.pictures import photograph, save


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
        assert len(list(folder.rglob("*.jpg"))) == len(asked), "those of the call before are gone"


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
