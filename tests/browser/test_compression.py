"""Compression on the page, over a real service: planned, compared under the slider, applied and undone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from daemon.client import Client
from daemon.service import Service
from support.pictures import photograph, save
from support.serving import config_over, until

Open = Callable[..., Page]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    save(photograph(1, 700, 500), folder / "beach.jpg", quality=97)
    save(photograph(2, 700, 500), folder / "below" / "hills.png", compress_level=1)
    return folder


@pytest.fixture
def address(tmp_path: Path, photos: Path) -> Iterator[str]:
    with Service(config_over(tmp_path, photos)) as service:
        client = Client(service.address)
        until(lambda: client.get("status")["totals"]["images"] == 2 and not client.get("status")["jobs"])
        yield service.address.rstrip("/")


@pytest.mark.slow
def test_a_compression_is_planned_compared_applied_and_undone(photos: Path, address: str, visit: Open) -> None:
    before = {file: file.read_bytes() for file in photos.rglob("*.*g")}
    page = visit()
    page.goto(f"{address}/compress")
    # By default small files are left alone, and the page reports it.
    page.get_by_role("button", name="Measure the savings").click()
    expect(page.get_by_text("2 pictures are below the size limit")).to_be_visible()
    page.get_by_text("High quality").click()
    page.get_by_label("Skip files under (MB)").fill("0")
    page.get_by_label("Maximum size (px)").fill("")
    page.get_by_text("Replace", exact=True).click()
    page.get_by_role("button", name="Measure the savings").click()
    lines = page.locator(".compressions li")
    expect(lines).to_have_count(2)
    expect(page.locator(".big")).to_contain_text("Possible savings")
    assert {file: file.read_bytes() for file in before} == before
    # Both pictures under the slider: the one after is made for it.
    page.get_by_role("button", name="Compare beach.jpg before and after").click()
    layers = page.locator(".compare-sheet .layer img.whole")
    expect(layers).to_have_count(2)
    shown = layers.evaluate_all("(images) => images.map((image) => [image.naturalWidth, image.naturalHeight])")
    assert shown == [[700, 500], [700, 500]]
    page.get_by_role("button", name="Slider").click()
    expect(page.get_by_role("slider")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".compare-sheet")).to_have_count(0)
    # Applied only after it was confirmed, and undone.
    page.get_by_role("button", name="Compress", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Compress").click()
    expect(page.locator(".big")).to_contain_text("Savings")
    expect(lines).to_have_count(2)
    assert all(file.stat().st_size < len(data) for file, data in before.items())
    page.get_by_role("button", name="Undo").first.click()
    expect(page.locator(".big")).to_contain_text("Undone")
    assert {file: file.read_bytes() for file in before} == before


def test_every_pixel_stays_only_where_the_size_does(address: str, visit: Open) -> None:
    page = visit()
    page.goto(f"{address}/compress")
    size = page.get_by_label("Maximum size (px)")
    page.get_by_text("High quality").click()
    # Nothing is scaled down unless it is requested, and then the numbers are shown before.
    expect(size).to_have_value("")
    size.fill("350x350")
    page.get_by_label("Skip files under (MB)").fill("0")
    page.get_by_role("button", name="Compress", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 pictures lose 75% of the pixels: the largest, 700 × 500, becomes 350 × 250.")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_text("Lossless", exact=True).click()
    expect(size).to_be_disabled()
    expect(size).to_have_value("")
    with page.expect_request(lambda request: request.method == "POST" and request.url.endswith("/jobs")) as asked:
        page.get_by_role("button", name="Measure the savings").click()
    assert asked.value.post_data_json["parameters"]["resolution"] == ""
