"""A real Chromium, and a real server over an index with real pictures behind it."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from index.database.store import Store
from support.weblibrary import Daemon, Library, jpeg_bytes
from webui.app import make_app
from webui.server import Server

# As root in a container there is no sandbox to be had; the rest keeps the browser from calling home.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# A machine for tests may be busy with others; what never happens is reported late, and that is all it costs.
TIMEOUT_MS = 30_000
# A service worker would cost each of the many servers its own process; the test of it asks for it.
BLOCKED = "Service Worker registration blocked by Playwright"
USUAL: Any = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "service_workers": "block"}
expect.set_options(timeout=TIMEOUT_MS)


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


class SharedPage:
    """One page for all tests that open a usual one: a new context costs Chromium more than what is done in it."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._page: Page | None = None
        self._lent = False

    def lend(self) -> Page | None:
        """The page, as if it were new; None while a test has it."""
        if self._lent:
            return None
        if self._page is None or self._page.is_closed():
            self._page = self._browser.new_context(**USUAL).new_page()
        self._lent = True
        return self._page

    def take_back(self) -> None:
        """Forget what the test left in the page: what is stored, cookies, sizes and media."""
        if self._page is None or not self._lent:
            return
        self._lent = False
        if self._page.is_closed():
            return
        if self._page.url.startswith("http"):
            self._page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
        self._page.goto("about:blank")
        self._page.context.clear_cookies()
        self._page.set_viewport_size(USUAL["viewport"])
        self._page.emulate_media(color_scheme="light", reduced_motion="no-preference")


@pytest.fixture(scope="session")
def shared_page(browser: Browser) -> SharedPage:
    return SharedPage(browser)


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

    def start(watched: bool = True, detected: bool = True, toml: str = "", **web: Any) -> Site:
        folder = tmp_path / "photos"
        folder.mkdir()
        store = Store(tmp_path / "data")
        library = Library(store, folder)
        if watched:
            library.add_root()
        if detected:
            library.add_detection()
        daemon = PictureDaemon(toml=toml)
        daemon.store = store
        server = Server(make_app(store, daemon.services(store, **web)), "127.0.0.1", 0)
        server.start()
        started.append((server, store))
        return Site(f"http://127.0.0.1:{server.port}", library, store, daemon)

    yield start
    for server, store in started:
        server.stop()
        store.close()


@pytest.fixture
def visit(browser: Browser, shared_page: SharedPage) -> Iterator[Callable[..., Page]]:
    """Opens pages, with options in contexts of their own; the test fails when one of them complains on its console, but
    for what holds the word `but`."""
    contexts: list[BrowserContext] = []
    listening: list[tuple[Page, Callable[[Any], None], Callable[[Any], None]]] = []
    complaints: list[str] = []

    def open_page(but: str = "", **options: Any) -> Page:
        def on_error(error: Any) -> None:
            note(str(error))

        def on_console(message: Any) -> None:
            if message.type in ("error", "warning"):
                note(message.text, message.location["url"])

        def note(text: str, url: str = "") -> None:
            if text != BLOCKED and (not but or but not in text):
                complaints.append(f"{text} {url}".strip())

        page = None if options else shared_page.lend()
        if page is None:
            contexts.append(browser.new_context(**{**USUAL, **options}))
            page = contexts[-1].new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", on_error)
        page.on("console", on_console)
        listening.append((page, on_error, on_console))
        return page

    yield open_page
    for page, on_error, on_console in listening:
        page.remove_listener("pageerror", on_error)
        page.remove_listener("console", on_console)
    shared_page.take_back()
    for context in contexts:
        context.close()
    assert complaints == []
