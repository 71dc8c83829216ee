"""The icons of the installed page in webui/static, drawn again from icon.svg by `make icons`."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).parents[2] / "webui" / "static"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAPER = "#f5f4f0"
# Launchers cut a maskable icon to a shape of theirs, and iOS rounds the corners: these have a background to the edge.
# Each is (side in pixels, share of the side that the picture takes, background).
ICONS = {
    "icon-192": (192, 1.0, "transparent"),
    "icon-512": (512, 1.0, "transparent"),
    "icon-maskable-512": (512, 0.72, PAPER),
    "icon-180": (180, 0.82, PAPER),
}


def main() -> None:
    svg = (STATIC / "icon.svg").read_text("utf-8")
    executable = next(found for name in BROWSERS if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for name, (side, share, background) in ICONS.items():
            page = browser.new_page(viewport={"width": side, "height": side})
            page.set_content(
                f"<style>body {{ margin: 0; height: 100vh; display: grid; place-items: center; }}"
                f"body {{ background: {background} }} svg {{ width: {100 * share}vw }}</style>{svg}"
            )
            page.screenshot(path=STATIC / f"{name}.png", omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
