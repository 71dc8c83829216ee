"""What each action on the page requests from the server, over a large generated index: requests, bytes and processor
time.

python -m bench.actions [--groups 20000 --images 200000]

A browser acts like a user; the server runs in its own process, whose threads are measured by the kernel. The median of
several rounds. Needs Chromium and the packages of the tests.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from bench import page as rows
from index.database import path_parts
from index.database.store import Store
from index.imaging.decoding.pictures import preview_path
from webui.app import make_app
from webui.server import Server

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROUNDS = 5
# Until the server has done what follows from a request.
REST_S = 0.7
PATIENCE_MS = 180_000
OF_ITSELF = ("/api/v1/events", "/static/", "/locale/", "/thumbnail", "/content", "/crop")


def main() -> None:
    parser = argparse.ArgumentParser(description="What each action on the page asks of the server.")
    parser.add_argument("--groups", type=int, default=20_000)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--serve", type=Path, help="serve the index in this folder, until the input ends")
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve)
        return
    browser_path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser_path is None:
        print(f"Not measured: no browser found ({', '.join(BROWSERS)}).")
        return
    with tempfile.TemporaryDirectory(prefix="comparimg-actions-") as folder:
        data = Path(folder) / "data"
        with Store(data):
            pass
        rows.fill(data / "index.sqlite3", options.groups, options.images)
        with Store(data) as store:
            store.write(lambda db: path_parts.index_changes(db, 1))
        keep_previews(data, options.groups)
        command = [sys.executable, "-m", "bench.actions", "--serve", str(data)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdin is not None
            address = server.stdout.readline().strip()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
                print(f"{options.groups:,} groups, {options.images:,} images\n")
                print("| action | requests | kB | processor, ms | until shown, ms |\n|---|---|---|---|---|")
                Hand(browser.new_page(viewport={"width": 1366, "height": 768}), address, server.pid).do_all()
                browser.close()
            server.stdin.close()


def keep_previews(data: Path, groups: int) -> None:
    """Give every image of a group its preview, as a detection does for each picture that it compares."""
    preview = data / "preview.jpg"
    Image.new("RGB", (512, 384), "gray").save(preview, quality=80)
    for number in range(2, 2 * groups + 2):
        path = preview_path(data / "views", rows.digest(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(preview, path)


def serve(data: Path) -> None:
    with Store(data) as store:
        server = Server(make_app(store, rows.services()), "127.0.0.1", 0)
        server.start()
        print(f"http://127.0.0.1:{server.port}", flush=True)
        sys.stdin.read()
        server.stop()


class Hand:
    """Acts on the page, and prints what the actions requested from the server."""

    def __init__(self, page: Page, address: str, pid: int) -> None:
        self._page = page
        self._address = address
        self._pid = pid
        self._requests: list[int] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("response", lambda response: self._note(response.url, response.headers.get("content-length")))

    def do_all(self) -> None:
        page = self._page
        self.measure("open the list", lambda: page.goto(self._address), ".card")
        self.measure("go on in the list", self._scroll, None)
        self.measure("near matches only", lambda: self._open("/?kind=near"), ".card")
        self.measure("search by a part of a name", lambda: self._open("/?path=img_00012"), ".card")
        self._open("/")
        page.wait_for_selector(".card")
        page.locator(".card a.pair").first.click()
        page.wait_for_selector(".review")
        self.measure("go to the next group (n)", lambda: self._walk("n"), ".review")
        self.measure("accept, and go on (a)", lambda: self._walk("a"), ".review")
        self.measure("keep one alone, and go on (Shift+K)", lambda: self._walk("Shift+K"), ".review")
        self.measure("mark one image (2, d)", self._mark, ".review")
        self.measure("undo (u)", lambda: page.keyboard.press("u"), ".review")
        self.measure("back to the list (Escape)", self._escape, ".card", 1)
        self.measure("count what accepting all would do", self._count, "dialog[open]", 1)
        page.keyboard.press("Escape")
        self._open("/")
        self.measure("the rules, with a preview", lambda: self._open("/rules"), "main[aria-busy=false] .samples", 1)
        self.measure("the charts of the library", lambda: self._open("/library"), "main[aria-busy=false] .panel", 1)

    def _mark(self) -> None:
        for key in ("2", "d"):
            self._page.keyboard.press(key)

    def measure(self, name: str, action: Callable[[], object], shown: str | None, rounds: int = ROUNDS) -> None:
        """Do something several times, and print the medians. `shown` appears when it is done."""
        counts, sizes, busy, waits = [], [], [], []
        for _ in range(rounds):
            self._page.wait_for_timeout(1000 * REST_S)
            self._requests = []
            before, began = self._busy_ns(), time.monotonic()
            action()
            if shown is not None:
                self._page.wait_for_selector(shown)
            waits.append(1000 * (time.monotonic() - began))
            self._page.wait_for_timeout(1000 * REST_S)
            busy.append((self._busy_ns() - before) / 1e6)
            counts.append(len(self._requests))
            sizes.append(sum(self._requests) / 1000)
        figures = (f"{statistics.median(values):.0f}" for values in (counts, sizes, busy, waits))
        print(f"| {name} | {' | '.join(figures)} |", flush=True)

    def _note(self, url: str, length: str | None) -> None:
        if not any(part in url for part in OF_ITSELF):
            self._requests.append(int(length or 0))

    def _busy_ns(self) -> int:
        tasks = Path(f"/proc/{self._pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks)

    def _open(self, path: str) -> None:
        self._page.goto(self._address + path)

    def _scroll(self) -> None:
        cards = self._page.locator(".card").count()
        self._page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
        self._page.wait_for_function("(n) => document.querySelectorAll('.card').length > n", arg=cards)

    def _walk(self, key: str) -> None:
        before = self._page.url
        self._page.keyboard.press(key)
        self._page.wait_for_function("(before) => location.href !== before", arg=before)

    def _escape(self) -> None:
        self._page.keyboard.press("Escape")

    def _count(self) -> None:
        self._page.keyboard.press("Control+a")
        self._page.locator(".select-bar .primary").click()


if __name__ == "__main__":
    main()
