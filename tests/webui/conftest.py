"""Fixtures of the web part: an index of rows and an app over it."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.store import Store


def _load_builder() -> Any:
    """The builder beside this file, which tests import as `webui_builder`: tests are no packages."""
    name = "webui_builder"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("builder.py"))
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


builder = _load_builder()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def library(store: Store, tmp_path: Path) -> Any:
    """An index with one watched root, which is a real and empty folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    made = builder.Library(store, folder)
    made.add_root()
    made.add_detection()
    return made


@pytest.fixture
def daemon() -> Any:
    return builder.Daemon()


@pytest.fixture
def client(store: Store, daemon: Any) -> Iterator[Any]:
    made = builder.make_client(store, daemon)
    yield made
    made.app.close()
