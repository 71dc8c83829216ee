"""Every screen of the page at three sizes, in both languages and both themes, for people to look at: `make screens`.

A real service over landscapes drawn for it, with decisions made and applied, a search in an unwatched folder, a broken
file and a measured compression. What a program can see is printed: what is wider than the window, words cut off in a
button, keys that were not translated, and what axe-core finds. The pictures, and one sheet of them for each screen, are
put in build/screens/.
"""

import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from screenshots import BROWSERS, FLAGS, draw_photos, keep

from daemon.client import Client
from daemon.configuration.config import load
from daemon.service import Service
from support.accessibility import violations
from support.scenery import landscape
from support.serving import until, write_config

OUT = Path(__file__).parents[2] / "build" / "screens"
SIZES = ((390, 844), (1366, 768), (2560, 1440))
LANGUAGES = ("en-GB", "fr-FR")
THEMES = ("light", "dark")
SHEET_WIDTHS = {390: 260, 1366: 640, 2560: 900}

# What is in sight; pictures further down or aside are not asked for.
LOADED = """() => [...document.querySelectorAll("main img")].every((image) => {
    const { left, top } = image.getBoundingClientRect();
    return image.complete || top > innerHeight || left > innerWidth || !image.offsetParent;
})"""
# The machine may be busy with other things.
PATIENCE_MS = 120_000

Prepare = Callable[[Page], object]

# What overflows or is cut off, and texts that are keys. What may scroll sideways is left out.
FAULTS = """() => {
    const found = [];
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width + 1) found.push(`wider than the window: ${
        [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width + 1)
            .slice(0, 2).map((e) => e.outerHTML.slice(0, 90)).join(" | ")}`);
    for (const e of document.querySelectorAll("button, a.button, h1:not(.sr), h2:not(.sr), dt, dd, label")) {
        const style = getComputedStyle(e);
        if (e.offsetParent && e.clientWidth && e.scrollWidth > e.clientWidth + 1 && style.overflowX !== "visible"
            && style.textOverflow !== "ellipsis") found.push(`cut off: ${e.outerHTML.slice(0, 120)}`);
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim();
        if (/^[a-z_]+(\\.[a-z_]+)+$/.test(text) && !/\\.(jpg|json|toml)$/.test(text)
            && !walker.currentNode.parentElement.closest("code, script, style"))
            found.push(`a key: ${text}`);
    }
    return found;
}"""


def main() -> None:
    browser_path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser_path is None:
        raise SystemExit(f"No browser found ({', '.join(BROWSERS)}).")
    wanted = sys.argv[1:]
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="comparimg-screens-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        if not wanted or "start" in wanted:
            empty = Path(folder, "empty")
            empty.mkdir()
            (empty / "comparimg.toml").write_text(f'[daemon]\ndata_dir = "{empty}/data"\n[web]\nport = 0\n')
            with Service(load(empty / "comparimg.toml", {})) as service:
                take_all(browser, service.address.rstrip("/"), {"start": ("/", nothing)})
        photos = Path(folder, "Pictures")
        draw_photos(photos)
        with Service(load(write_config(Path(folder), photos, workers=2), {})) as service:
            client = Client(service.address)
            screens = screens_of(client, Path(folder))
            chosen = {name: screen for name, screen in screens.items() if not wanted or name in wanted}
            take_all(browser, service.address.rstrip("/"), chosen)
        browser.close()


def nothing(page: Page) -> None:
    pass


def finished(client: Client, job: Any) -> Any:
    until(lambda: client.get(f"jobs/{job['id']}")["state"] not in ("queued", "running"), 300)
    return client.get(f"jobs/{job['id']}")


def screens_of(client: Client, folder: Path) -> dict[str, tuple[str, Prepare]]:
    """The screens by name: the address, and what to do there. The index has something for each of them."""
    (folder / "Pictures" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0no picture")
    for number in range(3):
        keep(landscape(80 + number, 1200, 800), folder / "Stick" / f"{number}.jpg", 90)
        keep(landscape(80 + number, 600, 400), folder / "Stick" / f"{number} small.jpg", 80)
    until(lambda: client.get("status")["totals"]["images"] > 0 and not client.get("status")["jobs"], 300)
    finished(client, client.post("jobs", {"kind": "detect"}))
    by_name = {
        Path(image["path"]).name: group["id"]
        for group in client.get("groups", limit=50)["items"]
        for image in group["images"]["items"]
    }
    many = next(group for name, group in by_name.items() if "web" in name)
    scene = client.get("groups", scenes="only", limit=1)["items"][0]["id"]
    client.post("decisions/apply", {"action": "accept"}, path="Backup")
    (folder / "best").mkdir()
    client.post("destinations", {"name": "Best", "path": str(folder / "best")})
    finished(client, client.post("jobs", {"kind": "sort"}))
    client.post("rules/apply", {"choice": "trash", "kinds": ["exact", "near"], "ties": "decide",
                                "filter": {"path": "Phone/"}})  # fmt: skip
    finished(client, client.post("searches", {"folder": str(folder / "Stick")}))
    search = client.get("searches")["items"][0]["id"]
    batch = client.get("batches")["items"][0]["id"]
    client.post(f"groups/{scene}/not-duplicates", {"label": "alternates"})
    other_scene = client.get("groups", scenes="only", limit=1)["items"]
    scene = other_scene[0]["id"] if other_scene else scene
    left = client.get("groups", decided="none", limit=50)["items"]
    pair = next(group["id"] for group in left if group["images"]["total"] == 2)
    finished(
        client,
        client.post(
            "jobs",
            {"kind": "compress", "parameters": {"dry_run": True, "folders": [str(folder / "Pictures" / "Phone")]}},
        ),
    )

    def press(*keys: str) -> Prepare:
        def prepare(page: Page) -> None:
            for key in keys:
                page.keyboard.press(key)

        return prepare

    def click(selector: str) -> Prepare:
        return lambda page: page.locator(selector).first.click()

    return {
        "list": ("/", nothing),
        "selected": ("/", press("Control+a")),
        "bulk": (
            "/",
            lambda page: (page.keyboard.press("Control+a"), click(".select-bar .buttons > :nth-child(4)")(page)),
        ),
        "filtered": ("/?kind=possible&path=nowhere", nothing),
        "scenes": ("/?scenes=only", nothing),
        "search": (f"/?search={search}", nothing),
        "find": ("/", click(".hero .actions button")),
        "pair": (f"/groups/{pair}", nothing),
        "difference": (f"/groups/{pair}", press("v", "v", "v")),
        "many": (f"/groups/{many}", press("2")),
        "survey": (f"/groups/{many}", press("g")),
        "scene": (f"/groups/{scene}", nothing),
        "keys": (f"/groups/{pair}", press("?")),
        "denial": (f"/groups/{many}", press("b")),
        "move": (f"/groups/{pair}", press("2", "m")),
        "end": ("/end", nothing),
        "rules": ("/rules", lambda page: page.wait_for_selector(".samples .thumbs img")),
        "plan": ("/plan", lambda page: page.wait_for_selector(".steps-list li")),
        "history": ("/history", nothing),
        "batch": (f"/history/{batch}", nothing),
        "trash": ("/trash", nothing),
        "verdicts": ("/verdicts", nothing),
        "library": ("/library", nothing),
        "folders": ("/folders", nothing),
        "add_folder": ("/folders", click("main button.primary")),
        "compress": ("/compress", nothing),
        "activity": ("/activity", nothing),
        "problems": ("/problems", nothing),
        "settings": ("/settings", nothing),
        "api": ("/api", nothing),
    }


def variants() -> Iterator[tuple[tuple[int, int], str, str]]:
    for size in SIZES:
        for language in LANGUAGES:
            for theme in THEMES:
                yield size, language, theme


def take_all(browser: Browser, address: str, screens: dict[str, tuple[str, Prepare]]) -> None:
    """Take the pictures of these screens, and print what a program sees in them."""
    pictures: dict[str, list[Image.Image]] = {name: [] for name in screens}
    for size, language, theme in variants():
        is_phone = size[0] < 500
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            is_mobile=is_phone,
            has_touch=is_phone,
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        for name, (path, prepare) in screens.items():
            label = f"{name} {size[0]} {language[:2]} {theme}"
            page.goto(address + path)
            page.wait_for_selector("main[aria-busy=false] > :not(.loading)")
            try:
                prepare(page)
            except PlaywrightError as error:
                sys.stdout.write(f"{label}: {str(error).splitlines()[0]}\n")
            page.wait_for_function(LOADED)
            time.sleep(0.4)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.save(OUT / f"{label.replace(' ', '-')}.png")
            pictures[name].append(picture)
            faults = list(page.evaluate(FAULTS))
            if language == LANGUAGES[0]:
                faults += violations(page) if theme == THEMES[0] else violations(page, "color-contrast")
            for fault in faults:
                sys.stdout.write(f"{label}: {fault}\n")
            sys.stdout.flush()
        context.close()
    for name, taken in pictures.items():
        sheet_of(taken).save(OUT / f"sheet-{name}.png")


def sheet_of(pictures: list[Image.Image]) -> Image.Image:
    """All variants of one screen: a row for each size."""
    reduced = []
    for picture in pictures:
        width = SHEET_WIDTHS[picture.width]
        reduced.append(picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS))
    rows = [reduced[start : start + 4] for start in range(0, len(reduced), 4)]
    width = max(sum(picture.width + 8 for picture in row) for row in rows)
    sheet = Image.new("RGB", (width, sum(row[0].height + 8 for row in rows)), "magenta")
    top = 0
    for row in rows:
        left = 0
        for picture in row:
            sheet.paste(picture, (left, top))
            left += picture.width + 8
        top += row[0].height + 8
    return sheet


if __name__ == "__main__":
    main()
