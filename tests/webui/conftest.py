"""Fixtures of the web part: an index of rows and an app over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database.store import Store
from support.weblibrary import Daemon, Library, WebClient, make_client


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def library(store: Store, tmp_path: Path) -> Library:
    """An index with one watched root, which is a real and empty folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    made = Library(store, folder)
    made.add_root()
    made.add_detection()
    return made


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def client(store: Store, daemon: Daemon) -> Iterator[WebClient]:
    made = make_client(store, daemon)
    yield made
    made.app.close()
