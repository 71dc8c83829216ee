"""The limit on the previews that are kept."""

import os
import time
from pathlib import Path

import pytest

from daemon.jobs import preview_cache
from daemon.jobs.preview_cache import PreviewCache

DAY_S = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten previews of 1000 bytes, the first of them used ten days ago, the last today."""
    for number in range(10):
        preview = tmp_path / f"{number % 3:02}" / f"{number}.jpg"
        preview.parent.mkdir(exist_ok=True)
        preview.write_bytes(bytes(1000))
        used_s = time.time() - (10 - number) * DAY_S
        os.utime(preview, (used_s, used_s))
    return tmp_path


def left(folder: Path) -> list[int]:
    return sorted(int(preview.stem) for preview in folder.rglob("*.jpg"))


def test_those_used_least_recently_go(folder: Path) -> None:
    assert PreviewCache(folder, 5000).trim() == 6
    assert left(folder) == [6, 7, 8, 9]


def test_below_the_limit_all_stay(folder: Path) -> None:
    assert PreviewCache(folder, 10_000).trim() == 0
    assert len(left(folder)) == 10


def test_what_is_used_again_or_needed_stays(folder: Path) -> None:
    cache = PreviewCache(folder, 5000)
    cache.use([folder / "00" / "0.jpg", folder / "01" / "missing.jpg"])
    assert cache.trim({str(folder / "01" / "1.jpg")}) == 6
    assert left(folder) == [0, 1, 8, 9]


def test_the_folder_is_read_again_only_after_growth(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    scandir = os.scandir
    monkeypatch.setattr(preview_cache.os, "scandir", lambda path: read.append(path) or scandir(path))
    cache = PreviewCache(folder, 20_000)
    cache.trim()
    before = len(read)
    cache.grew(1000)
    cache.trim()
    assert len(read) == before
    cache.grew(1)
    cache.trim()
    assert len(read) == 2 * before


@pytest.mark.fault("the folder of the previews cannot be changed or is not there")
def test_what_cannot_be_removed_or_read_ends_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError(13, "read-only", path)

    monkeypatch.setattr(preview_cache.os, "unlink", refused)
    assert PreviewCache(folder, 5000).trim() == 0
    assert len(left(folder)) == 10
    assert PreviewCache(folder / "nowhere", 1).trim() == 0
