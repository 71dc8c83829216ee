"""Files that are being read are known at the next start, and held against none for longer than needed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from index.records import suspects
from index.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data") as opened:
        yield opened


def held(store: Store) -> dict[bytes, int]:
    with store.read() as database:
        return suspects.crashes(database)


def note(store: Store, change: Callable[..., Any], *paths: bytes) -> None:
    store.write(lambda db: change(db, paths))


def test_what_was_being_read_at_a_crash_is_counted_and_what_was_read_is_not(store: Store) -> None:
    note(store, suspects.begin, b"/a", b"/b", b"/\xff")
    note(store, suspects.clear, b"/b")
    assert held(store) == {}
    assert store.write(suspects.note_crash) == [b"/a", b"/\xff"]
    assert store.write(suspects.note_crash) == []
    assert held(store) == {b"/a": 1, b"/\xff": 1}


def test_crashes_add_up_until_the_file_is_read(store: Store) -> None:
    for count in (1, 2):
        note(store, suspects.begin, b"/a")
        store.write(suspects.note_crash)
        assert held(store) == {b"/a": count}
    note(store, suspects.begin, b"/a")
    note(store, suspects.clear, b"/a")
    assert held(store) == {}


def test_a_stop_as_asked_is_no_crash_and_takes_back_none(store: Store) -> None:
    note(store, suspects.begin, b"/a")
    store.write(suspects.note_crash)
    note(store, suspects.begin, b"/a", b"/b")
    note(store, suspects.leave, b"/a", b"/b")
    assert store.write(suspects.note_crash) == []
    assert held(store) == {b"/a": 1}
