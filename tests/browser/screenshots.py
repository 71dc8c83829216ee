"""The pictures of the page in docs/, made again by `make screenshots`: a real service over landscapes drawn for it.

Look at every picture before you commit it: people judge them, no test does.
"""

import io
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from playwright.sync_api import Browser, Page, sync_playwright

from daemon.client import Client
from daemon.configuration.config import load
from daemon.service import Service
from support.scenery import landscape
from support.serving import until, write_config

DOCS = Path(__file__).parents[2] / "docs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP, PHONE = (1440, 900), (390, 844)
MOST_BYTES = 300_000
PLACES = ("Lofoten", "Brittany", "Dolomites", "Highlands")
MODEL, TAKEN, EXIF = 0x0110, 0x9003, 0x8769


def main() -> None:
    browser_path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser_path is None:
        raise SystemExit(f"No browser found ({', '.join(BROWSERS)}).")
    with tempfile.TemporaryDirectory(prefix="comparimg-screenshots-") as folder:
        photos = Path(folder, "Pictures")
        draw_photos(photos)
        with Service(load(write_config(Path(folder), photos, workers=2), {})) as service:
            client = Client(service.address)
            until(lambda: client.get("status")["totals"]["images"] > 0 and not client.get("status")["jobs"], 300)
            client.post("jobs", {"kind": "detect"})
            until(lambda: client.get("review")["groups"] > 0 and not client.get("status")["jobs"], 300)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
                take_pictures(browser, service.address.rstrip("/"), client)
                browser.close()


def draw_photos(folder: Path) -> None:
    """Journeys of some years, and what phones, backups and friends made of them."""
    for number in range(32):
        tall = number % 5 == 4
        picture = landscape(number, *((1500, 2000) if tall else (2400, 1600)))
        year, place = 2014 + number % 11, PLACES[number // 2 % 4]
        name = f"DSCF{4100 + 7 * number}"
        original = keep(picture, folder / str(year) / place / f"{name}.jpg", 93, exif_of(number, year))
        match number % 8:
            case 0 | 4:
                copy = folder / "Backup" / place / original.name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(original, copy)
            case 1:
                keep(reduced(picture, 1 / 2), folder / "Phone" / f"IMG-{year}0612-WA0{number:03}.jpg", 74)
            case 2:
                keep(ImageOps.mirror(picture), folder / "Phone" / f"{name} mirrored.jpg", 85)
            case 3:
                keep(reduced(picture, 2 / 3), folder / "Export" / f"{name} web.jpg", 82)
                keep(ImageEnhance.Brightness(picture).enhance(1.14), folder / "Export" / f"{name} bright.jpg", 88)
                keep(reduced(picture, 1 / 3), folder / "Phone" / f"{name} small.jpg", 70)
                shutil.copy2(original, folder / "Export" / f"{name} (2).jpg")
            case 5:
                keep(reduced(picture.rotate(90, expand=True), 1 / 2), folder / "Scans" / f"{name}.jpg", 80)
            case 6:
                keep(stamped(picture, f"{place} {year}"), folder / "From friends" / f"{name}.jpg", 86)
            case _:
                width, height = picture.size
                part = picture.crop((width // 12, height // 10, width * 11 // 12, height * 19 // 20))
                keep(part, folder / "From friends" / f"{name} cropped.jpg", 88)


def reduced(picture: Image.Image, share: float) -> Image.Image:
    return picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.LANCZOS)


def keep(picture: Image.Image, path: Path, quality: int, exif: Image.Exif | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=quality, **({} if exif is None else {"exif": exif}))
    return path


def exif_of(number: int, year: int) -> Image.Exif:
    exif = Image.Exif()
    exif[MODEL] = "FUJIFILM X-T4"
    exif.get_ifd(EXIF)[TAKEN] = f"{year}:{1 + number * 5 % 12:02}:{3 + number % 25:02} 18:24:00"
    return exif


def stamped(picture: Image.Image, text: str) -> Image.Image:
    copy = picture.copy()
    draw = ImageDraw.Draw(copy)
    draw.text((copy.width - 800, copy.height - 150), text, fill=(250, 246, 232), font_size=84)
    return copy


def take_pictures(browser: Browser, address: str, client: Client) -> None:
    groups = {
        Path(image["path"]).name: group
        for group in client.get("groups", limit=50)["items"]
        for image in group["images"]["items"]
    }
    mirrored = next(group for name, group in groups.items() if "mirrored" in name)
    # What has gained a text is no copy: it is among the variants.
    with_text = next(
        group
        for group in client.get("groups", scenes="only", limit=50)["items"]
        for image in group["images"]["items"]
        if Path(image["path"]).parent.name == "From friends" and "cropped" not in image["path"]
    )
    many = next(group for name, group in groups.items() if "web" in name)
    page = open_page(browser, f"{address}/groups/{mirrored['id']}", DESKTOP)
    page.keyboard.press("2")
    page.keyboard.press("d")
    keep_picture("review", shot(page))
    page = open_page(browser, f"{address}/groups/{with_text['id']}", DESKTOP, color_scheme="dark")
    for _ in range(3):
        page.keyboard.press("v")
    keep_picture("difference", shot(page))
    page = open_page(browser, f"{address}/rules", DESKTOP)
    page.wait_for_selector(".samples .thumbs img")
    keep_picture("rules", shot(page))
    kinds = ["exact", "pixels", "near"]
    client.post("rules/apply", {"choice": "trash", "kinds": kinds, "ties": "decide", "filter": {"path": "Phone/"}})
    keep_picture("page", shot(open_page(browser, f"{address}/?kind=near", DESKTOP)))
    phone = {"is_mobile": True, "has_touch": True}
    sides = [
        shot(open_page(browser, f"{address}/groups/{many['id']}", PHONE, **phone)),
        shot(open_page(browser, f"{address}/library", PHONE, color_scheme="dark", locale="fr-FR", **phone)),
    ]
    both = Image.new("RGB", (2 * PHONE[0] + 24, PHONE[1]), "white")
    both.paste(sides[0], (0, 0))
    both.paste(sides[1], (PHONE[0] + 24, 0))
    keep_picture("phone", both)


def open_page(browser: Browser, address: str, size: tuple[int, int], **options: Any) -> Page:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **{"locale": "en-GB", **options})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("main[aria-busy=false]")
    return page


def shot(page: Page) -> Image.Image:
    page.wait_for_function("() => [...document.querySelectorAll('main .pane img')].every((image) => image.complete)")
    # What fades in has faded in.
    time.sleep(1)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def keep_picture(name: str, picture: Image.Image) -> None:
    target = DOCS / f"{name}.webp"
    picture.save(target, quality=82, method=6)
    size = target.stat().st_size
    sys.stdout.write(f"{target.relative_to(DOCS.parent)}: {size / 1000:.0f} kB\n")
    if size > MOST_BYTES:
        raise SystemExit(f"{target} is larger than {MOST_BYTES / 1000:.0f} kB")


if __name__ == "__main__":
    main()
