"""Setting everything up on the page, from an empty index and without a configuration file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from daemon.client import Client
from daemon.configuration.config import for_photos
from daemon.service import Service
from index.database.records import jobs
from index.errors import ComparImgError
from index.model import JobKind, JobState
from support.accessibility import violations
from support.serving import write_config
from support.weblibrary import NOW_NS, add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]


def home_at(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name in ("Pictures/2019", "Pictures/2020", "Music"):
        (home / name).mkdir(parents=True)
    return home


def test_the_first_start_asks_for_the_folder(serve: Serve, visit: Open, tmp_path: Path) -> None:
    home = home_at(tmp_path)
    site = serve(watched=False, detected=False, toml=f"[web]\nbrowse = ['{home}']\n")
    page = visit(but="Failed to load resource")
    page.goto(site.address)
    expect(page.get_by_role("heading", name="Which folder holds your photographs?")).to_be_visible()
    field = page.get_by_role("combobox", name="Folder")
    # What does not exist is refused, and what was typed stays.
    field.fill(f"{home}/nonexistent")
    page.get_by_role("button", name="Watch this folder").click()
    expect(page.get_by_role("alert")).to_contain_text(f"There is no folder {home}/nonexistent")
    expect(field).to_have_value(f"{home}/nonexistent")
    # Completed by keyboard, opened by a click.
    field.fill(f"{home}/pic")
    expect(page.locator(".folder-list li")).to_have_text(["Up one folder", "Pictures"])
    field.press("ArrowUp")
    field.press("Enter")
    expect(field).to_have_value(f"{home}/Pictures/")
    expect(page.locator(".folder-list li")).to_have_text(["Up one folder", "2019", "2020"])
    page.get_by_role("option", name="2020").click()
    expect(field).to_have_value(f"{home}/Pictures/2020/")
    page.get_by_role("option", name="Up one folder").click()
    expect(field).to_have_value(f"{home}/Pictures/")
    assert violations(page) == []
    page.get_by_role("button", name="Watch this folder").click()
    expect(page.locator(".watched")).to_contain_text("Pictures")
    assert site.daemon.folders_changed == 1


def test_a_first_scan_is_seen_to_go_on(serve: Serve, visit: Open) -> None:
    site = serve(detected=False)
    page = visit()
    page.goto(site.address)
    empty = page.locator(".empty h2")
    expect(empty).to_have_text("No image found so far")
    site.store.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "start"))
    row = site.store.write(lambda db: jobs.take_next(db, NOW_NS, 0))
    site.store.write(lambda db: jobs.update(db, row["id"], phase="indexing", done=4, total=100))
    expect(empty).to_have_text("Reading your images")
    expect(page.locator(".empty button")).to_have_count(0)
    site.library.add_image(site.library.add_content(1), "a.jpg")
    expect(page.locator(".watched li .quiet")).to_have_text("1 image")
    site.store.write(lambda db: jobs.update(db, row["id"], phase="matching", done=0, total=None))
    expect(empty).to_have_text("Searching for duplicates")
    site.store.write(lambda db: jobs.update(db, row["id"], state=JobState.DONE, finished_ns=NOW_NS))
    expect(empty).to_have_text("Ready to search")


def test_folders_are_added_changed_and_removed(serve: Serve, visit: Open, tmp_path: Path) -> None:
    home = home_at(tmp_path)
    configured = tmp_path / "photos"
    site = serve(toml=f"[web]\nbrowse = ['{home}']\n[[watch]]\npath = '{configured}'\nprotected = true\n")
    page = visit(but="Failed to load resource")
    page.goto(f"{site.address}/folders")
    # What the file has is changed, and neither removed nor unprotected.
    own = page.locator(".root", has_text="photos")
    expect(own).to_contain_text("from comparimg.toml")
    expect(own.get_by_role("button", name="Remove…")).to_have_count(0)
    own.get_by_role("button", name="Change…").click()
    expect(page.get_by_label("Protect this folder")).to_be_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add a folder…").click()
    dialog = page.get_by_role("dialog", name="Watch a folder")
    dialog.get_by_role("combobox", name="Folder").fill(str(home / "Pictures"))
    dialog.get_by_text("More…").click()
    dialog.get_by_label("Exclude").fill("*.tmp\nold/*")
    assert violations(page) == []
    dialog.get_by_role("button", name="Watch this folder").click()
    added = page.locator(".root", has_text="Pictures")
    expect(added).to_contain_text("added here")
    expect(added).to_contain_text("*.tmp, old/*")
    expect(dialog).to_have_count(0)
    added.get_by_role("button", name="Change…").click()
    page.get_by_label("Protect this folder").check()
    page.get_by_role("button", name="Save").click()
    expect(added).to_contain_text("Protected: never changed")
    expect(added).to_contain_text("*.tmp, old/*")
    added.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Stop watching").click()
    expect(added).to_have_count(0)
    assert (home / "Pictures" / "2019").is_dir()


def test_a_destination_is_made_where_it_is_needed(serve: Serve, visit: Open, tmp_path: Path) -> None:
    home = home_at(tmp_path)
    site = serve(toml=f"[web]\nbrowse = ['{home}']\n[[watch]]\npath = '{tmp_path}/photos'\n")
    (key, _) = add_pictures(site.library, 2)
    page = visit()
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".act")).to_have_count(4)
    page.keyboard.press("m")
    dialog = page.get_by_role("dialog", name="New destination")
    dialog.get_by_role("combobox", name="Folder").fill(f"{home}/Best of 2019")
    expect(dialog.get_by_label("Name")).to_have_value("Best of 2019")
    with page.expect_response("**/decisions"):
        dialog.get_by_role("button", name="Create").click()
    assert (home / "Best of 2019").is_dir()
    expect(page.get_by_text("Best of 2019").first).to_be_visible()
    # From then on it is offered, with another new one.
    page.keyboard.press("m")
    expect(page.get_by_role("dialog").locator(".choice")).to_have_count(2)
    page.keyboard.press("Escape")
    page.goto(f"{site.address}/rules")
    page.get_by_text("to a folder", exact=True).click()
    expect(page.get_by_label("Destination").locator("option")).to_have_count(2)


def test_without_the_right_no_folder_is_shown(serve: Serve, visit: Open) -> None:
    site = serve(watched=False, detected=False, names=("photos.example.org",))
    page = visit(but="Failed to load resource", locale="fr-FR")
    page.goto(site.address)
    expect(page.locator(".first-folder")).to_contain_text("exigent un jeton")
    expect(page.locator(".folder-list li")).to_have_count(0)


def test_a_folder_named_at_start_says_so(visit: Open, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    elsewhere = write_config(tmp_path, tmp_path / "elsewhere")
    with Service(for_photos(photos, elsewhere, {})) as service:
        client = Client(service.address)
        (root,) = client.get("roots")["items"]
        assert (root["path"], root["origin"]) == (str(photos), "start")
        with pytest.raises(ComparImgError, match="was named when the service was started"):
            client.delete(f"roots/{root['id']}")
        for locale, text in (("en-GB", "given at start"), ("fr-FR", "indiqué au démarrage")):
            page = visit(locale=locale)
            page.goto(f"{service.address}folders")
            expect(page.locator(".root")).to_contain_text(text)
            expect(page.locator(".root")).not_to_contain_text("comparimg.toml")


def test_the_reference_of_rest_is_marked_as_english(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit(locale="fr-FR")
    page.goto(f"{site.address}/api")
    expect(page.locator("main .quiet").first).to_contain_text("Cette référence est en anglais")
    expect(page.get_by_role("heading", name="Interface REST")).to_be_visible()
    unmarked = "(all) => all.filter((one) => one.closest('[lang]').lang !== 'en').length"
    assert page.locator("main summary span").evaluate_all(unmarked) == 0
    assert page.locator("main h1").evaluate_all(unmarked) == 1
    expect(page.locator("main .quiet code").first).to_have_text("next")
    expect(page.locator("main .quiet").first).not_to_contain_text("`")
