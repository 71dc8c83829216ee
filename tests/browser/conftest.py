"""A real Chromium, and a real server over an index with real pictures behind it."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from index.store import Store
from support.weblibrary import Daemon, Library, jpeg_bytes
from webui.app import make_app
from webui.server import Server

# As root in a container there is no sandbox to be had; the rest keeps the browser from calling home.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# A machine for tests may be busy with others; what never happens is told late, and that is all it costs.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@dataclass
class Site:
    """A running server and what is behind it."""

    address: str
    library: Library
    store: Store
    daemon: Daemon


class PictureDaemon(Daemon):
    """Makes views from the files, as the daemon's workers do."""

    store: Store

    def make_view(self, content_id: int) -> bytes:
        self.views_made.append(content_id)
        with self.store.read() as database:
            (path,) = database.execute_sql(
                "SELECT path FROM image WHERE content_id = ? ORDER BY path", (content_id,)
            ).fetchone()
        file = Path(path.decode())
        if not file.exists():
            return self.view
        with Image.open(io.BytesIO(file.read_bytes())) as picture:
            picture.thumbnail((512, 512))
            return jpeg_bytes(picture)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Starts servers over an index that is empty but for one watched folder, or not even that."""
    started: list[tuple[Server, Store]] = []

    def start(watched: bool = True, detected: bool = True, **web: Any) -> Site:
        folder = tmp_path / "photos"
        folder.mkdir()
        store = Store(tmp_path / "data")
        library = Library(store, folder)
        if watched:
            library.add_root()
        if detected:
            library.add_detection()
        daemon = PictureDaemon()
        daemon.store = store
        server = Server(make_app(store, daemon.services(**web)), "127.0.0.1", 0)
        server.start()
        started.append((server, store))
        return Site(f"http://127.0.0.1:{server.port}", library, store, daemon)

    yield start
    for server, store in started:
        server.stop()
        store.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages in contexts of their own; the test fails when one of them complains on its console, but for what
    holds the word `but`."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(but: str = "", **options: Any) -> Page:
        def note(text: str) -> None:
            if not but or but not in text:
                complaints.append(text)

        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", lambda told: note(told.text) if told.type in ("error", "warning") else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
