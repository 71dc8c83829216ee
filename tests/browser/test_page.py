"""The page as people meet it: a real browser, a real server, real pictures."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from index.database import schema
from index.database.records import jobs
from index.messages import Message, text
from index.model import JobKind, JobState
from index.settings import BY_KEY
from support.weblibrary import NOW_NS, add_pictures
from webui.services import EffectiveSetting

Open = Callable[..., Page]
Serve = Callable[..., Any]


def test_groups_are_shown_with_real_thumbnails_facts_and_evidence(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pictures(site.library)
    page = visit()
    page.goto(site.address)
    expect(page).to_have_title("Duplicates · ComparImg")
    expect(page.locator(".card")).to_have_count(6)
    first, second, third = (page.locator(".card").nth(place) for place in range(3))
    expect(first.locator("h3")).to_have_text("holiday 0.jpg")
    expect(first.locator(".evidence")).to_have_text("Half the size, JPEG 92 to 75")
    expect(second.locator(".evidence")).to_have_text("Mirrored, JPEG 92 to 75")
    expect(third.locator(".evidence")).to_have_text("Identical, byte for byte")
    expect(third.locator(".chip")).to_have_text("Exact")
    expect(page.locator("[data-figure=reclaimable]")).to_have_text("21 MB")
    expect(page.locator(".watched")).to_contain_text("photos")
    page.wait_for_function("() => [...document.querySelectorAll('.card img')].slice(0, 4).every(i => i.naturalWidth)")
    assert site.daemon.views_made


def test_filters_order_and_search_are_in_the_address_and_come_back(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pictures(site.library)
    page = visit()
    page.goto(site.address)
    page.get_by_role("button", name="Exact").click()
    expect(page.locator(".card")).to_have_count(2)
    assert "kind=exact" in page.url
    page.get_by_label("Sort by", exact=True).focus()
    page.get_by_label("Sort by", exact=True).select_option("size")
    expect(page.locator("main[aria-busy=false]")).to_be_visible()
    assert "sort=size" in page.url
    expect(page.get_by_label("Sort by", exact=True)).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("holiday 5")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    page.go_back()
    expect(page.locator(".card")).to_have_count(2)
    page.get_by_role("searchbox").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing matches these filters")).to_be_visible()
    page.get_by_role("button", name="Show all groups").click()
    expect(page.locator(".card")).to_have_count(6)


def test_a_group_is_walked_through_by_keyboard(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library)
    page = visit()
    page.goto(site.address)
    page.locator(".card .pair").nth(1).click()
    expect(page).to_have_url(re.compile(f"/groups/{keys[1]}"))
    heading = page.get_by_role("heading", level=1)
    expect(page.locator(".pane figcaption").first).to_contain_text("holiday 1.jpg")
    page.wait_for_function("() => [...document.querySelectorAll('.layer .whole')].every(i => i.naturalWidth >= 320)")
    page.keyboard.press("n")
    expect(heading).to_have_text("holiday 2.jpg")
    page.keyboard.press("p")
    page.keyboard.press("p")
    expect(heading).to_have_text("holiday 0.jpg")
    expect(page.get_by_title("Previous group (p)")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator(".card")).to_have_count(6)


def test_two_pictures_are_compared_in_four_ways(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit()
    page.goto(f"{site.address}/groups/{keys[1]}")
    page.wait_for_function("() => [...document.querySelectorAll('.layer .whole')].every(i => i.naturalWidth >= 320)")
    zoom = page.get_by_label("Zoom", exact=True)
    expect(zoom).to_have_text("Fit")
    # The mirrored copy is over its original, the other way round than it is stored.
    script = "[...document.querySelectorAll('.layer')].map((l) => new DOMMatrix(l.style.transform).a)"
    transforms = page.evaluate(script)
    assert transforms[0] > 0 > transforms[1]
    page.keyboard.press("z")
    expect(zoom).not_to_have_text("Fit")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("z")
    expect(zoom).to_have_text("Fit")
    page.keyboard.press("f")
    expect(page.locator(".pane-b")).to_be_visible()
    expect(page.locator(".pane-a")).to_be_hidden()
    page.keyboard.press("f")
    expect(page.locator(".pane-a")).to_be_visible()
    page.keyboard.press("v")
    page.get_by_role("slider").press("Home")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "0")
    page.keyboard.press("v")
    expect(page.locator(".difference-text")).to_contain_text("differs")
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Ignore brightness and contrast")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator(".compare")).to_have_attribute("data-mode", "difference")


@pytest.mark.parametrize(("locale", "button"), [("en-GB", "Find duplicates…"), ("fr-FR", "Chercher les doublons…")])
def test_a_dialog_is_as_wide_as_a_phone(serve: Serve, visit: Open, locale: str, button: str) -> None:
    site = serve()
    add_pictures(site.library, 1)
    page = visit(locale=locale, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.goto(site.address)
    page.get_by_role("button", name=button).tap()
    expect(page.get_by_role("dialog")).to_be_visible()
    beyond = """[...document.querySelectorAll("dialog[open] *")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.textContent)"""
    assert page.evaluate(beyond) == []
    page.get_by_role("dialog").get_by_role("button").first.tap()
    page.keyboard.press("?")
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)


def test_a_phone_decides_by_touch_and_swipes_on(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 3)
    page = visit(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.goto(f"{site.address}/groups/{keys[0]}")
    page.get_by_role("button", name="Put small 0.jpg in the trash").tap()
    expect(page.locator(".pane-b .mark-trash.mark")).to_be_visible()
    for button in page.locator(".actions-bar button, .quick-mark").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    swipe(page, 250, 40)
    expect(page.get_by_role("heading", level=1)).to_have_text("holiday 1.jpg")
    swipe(page, 40, 250)
    expect(page.get_by_role("heading", level=1)).to_have_text("holiday 0.jpg")
    expect(page.locator(".pane-b .mark-trash.mark")).to_be_visible()


def swipe(page: Page, start: int, end: int) -> None:
    """A finger across the pictures."""
    touch = page.context.new_cdp_session(page)
    steps = [start + (end - start) * step // 5 for step in range(6)]
    for place, x in enumerate(steps):
        kind = "touchMove" if place else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": 220}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_group_is_denied_and_the_verdict_revoked(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 3)
    page = visit()
    page.goto(f"{site.address}/groups/{keys[0]}")
    page.get_by_role("button", name="Different").click()
    page.get_by_role("dialog").get_by_role("button", name="Alternates").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("holiday 1.jpg")
    with site.store.read() as database:
        assert schema.Verdict.select(schema.Verdict.label).scalar(database) == "alternates"
    page.goto(f"{site.address}/verdicts")
    expect(page.locator(".batches li")).to_contain_text("alternates")
    page.goto(f"{site.address}/groups/{keys[1]}")
    expect(page.locator(".compare")).to_be_visible()
    # Undo outlives a reload, and goes to where it undid.
    page.keyboard.press("u")
    expect(page.get_by_role("heading", level=1)).to_have_text("holiday 0.jpg")
    with site.store.read() as database:
        assert schema.Verdict.select().count(database) == 0
    page.goto(f"{site.address}/groups/{keys[2]}")
    expect(page.get_by_role("heading", level=1)).to_have_text("holiday 2.jpg")
    expect(page.get_by_role("button", name="Different")).to_have_count(0)


def test_a_new_group_and_a_new_problem_appear_without_a_reload(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit()
    page.goto(site.address)
    expect(page.get_by_role("heading", name="No image found so far")).to_be_visible()
    expect(page.locator("[data-live=live]")).to_be_visible()
    add_pictures(site.library, 1)
    expect(page.locator(".card")).to_have_count(1)
    content = site.library.add_content(99, failure="truncated")
    site.library.add_image(content, "one more.jpg")
    site.library.add_group(content)
    page.get_by_role("button", name="The list has changed").click()
    expect(page.locator(".card")).to_have_count(2)
    site.library.add_problem("broken.jpg")
    expect(page.locator("[data-count=problems]")).to_have_text("1")
    page.get_by_role("link", name="Library").click()
    page.get_by_role("link", name="Problems").click()
    expect(page.locator(".problems")).to_contain_text("broken.jpg")
    expect(page.locator(".problems")).to_contain_text("truncated")


def test_progress_is_live_and_a_job_can_be_cancelled(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit()
    page.goto(f"{site.address}/activity")
    site.store.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "user"))
    expect(page.get_by_text("1 job is waiting")).to_be_visible()
    running = {"state": JobState.RUNNING, "started_ns": NOW_NS, "phase": "indexing", "total": 1000, "rate": 50.0}
    site.store.write(lambda db: jobs.update(db, 1, done=250, **running))
    line = page.locator(".job-line")
    expect(line).to_contain_text("250 of 1,000 · 50 per second · 15 s left")
    site.store.write(lambda db: jobs.update(db, 1, done=900, rate=0.5))
    expect(line).to_contain_text("900 of 1,000 · 3 min left")
    expect(page.locator("table.jobs")).to_contain_text("running")
    line.get_by_role("button", name="Cancel").click()
    expect(line).to_contain_text("stopping")
    with site.store.read() as database:
        assert jobs.read(database, 1)["cancel_requested"]
    site.store.write(lambda db: jobs.update(db, 1, state=JobState.CANCELLED, finished_ns=NOW_NS))
    expect(line).to_have_count(0)
    expect(page.locator("table.jobs")).to_contain_text("cancelled")


def test_a_detection_is_configured_and_started(serve: Serve, visit: Open) -> None:
    site = serve()
    (site.library.folder / "2019").mkdir()
    page = visit()
    page.goto(site.address)
    page.get_by_role("button", name="Find duplicates…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("output")).to_have_text("80 of 256 bits")
    dialog.get_by_text("Coarse").click()
    expect(dialog.locator("output")).to_have_text("20 of 64 bits")
    dialog.get_by_label("Tolerance").fill("3")
    expect(dialog.locator("#tolerance-help")).to_contain_text("resized or recompressed")
    dialog.get_by_label("Find mirrored and rotated copies").uncheck()
    dialog.get_by_text("Any folder…").click()
    dialog.get_by_label("Folder to search in").fill(str(site.library.folder / "2019"))
    dialog.get_by_role("button", name="Start").click()
    expect(page.get_by_text("The search for duplicates will start.")).to_be_visible()
    with site.store.read() as database:
        kept = json.loads(jobs.read(database, 1)["parameters"])
    assert kept == {
        "hsize": 8, "tolerance": 3, "turns": False, "verify": True, "depth": "fast", "method": "auto",
        "folders": [str(site.library.folder / "2019")],
    }  # fmt: skip


def test_a_dialog_that_is_left_starts_nothing(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit()
    page.goto(site.address)
    for leave in ("Cancel", "Close"):
        page.get_by_role("button", name="Find duplicates…").click()
        page.get_by_role("dialog").get_by_role("button", name=leave).click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Find duplicates…").click()
    page.keyboard.press("Escape")
    with site.store.read() as database:
        assert schema.Job.select().count(database) == 0


def test_schedules_and_settings_are_changed(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit()
    page.goto(f"{site.address}/activity")
    expect(page.get_by_text("null")).to_have_count(0)
    page.get_by_placeholder("Name").fill("every night")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".schedules")).to_contain_text("every day at 03:00")
    page.get_by_role("switch", name="every night is on").click()
    expect(page.locator(".schedules")).to_contain_text("off")
    page.get_by_role("button", name="Delete every night").click()
    expect(page.locator(".schedules")).to_have_count(0)
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Tolerance").fill("40")
    page.get_by_label("Tolerance").press("Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert site.daemon.settings.values == {"detect.tolerance": 40}


def test_the_duplicates_are_downloaded_in_each_form(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit()
    page.goto(f"{site.address}/settings")
    for name, suffix in (("JSON", "json"), ("CSV", "csv"), ("text (as fdupes)", "txt")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        assert download.value.suggested_filename == f"duplicates.{suffix}"
        assert download.value.failure() is None


def settings_of_words() -> list[EffectiveSetting]:
    return [
        EffectiveSetting(one.key, "str", one.choices[1], one.default, "default", text("words"), "Help.",
                         choices=one.choices)
        for one in (BY_KEY["detect.method"], BY_KEY["detect.depth"], BY_KEY["compress.target"])
    ]  # fmt: skip


def test_the_words_among_which_a_setting_chooses_are_translated(
    serve: Serve, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = settings_of_words()
    site = serve()
    monkeypatch.setattr(site.daemon.settings, "all_settings", lambda: words)
    page = visit(locale="fr-FR")
    page.goto(f"{site.address}/settings")
    expect(page.locator("#setting-detect-method option:checked")).to_have_text("Par leurs empreintes")
    shown = page.locator("[id^=setting-] option").all_text_contents()
    assert len(shown) == sum(len(one.choices) for one in words)
    assert {str(choice) for one in words for choice in one.choices} & set(shown) == set()


VIEWS = (
    "/", "/groups/{key}", "/rules", "/plan", "/history", "/trash", "/verdicts", "/library", "/compress", "/folders",
    "/activity", "/problems", "/settings", "/api",
)  # fmt: skip


@pytest.mark.slow
def test_a_narrow_screen_never_scrolls_sideways(serve: Serve, visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    site = serve()
    monkeypatch.setattr(site.daemon.settings, "all_settings", settings_of_words)
    keys = add_pictures(site.library, 2)
    page = visit(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True, locale="fr-FR")
    too_wide = {}
    for path in VIEWS:
        page.goto(site.address + path.format(key=keys[1]))
        page.wait_for_selector("main[aria-busy=false] > :not(.loading)")
        for width in (360, 760):
            page.set_viewport_size({"width": width, "height": 740})
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                too_wide[path, width] = wide
    assert too_wide == {}


def test_french_is_chosen_by_the_browser_and_english_by_the_reader(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pictures(site.library, 2)
    page = visit(locale="fr-FR")
    page.goto(site.address)
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("button", name="Chercher les doublons…")).to_be_visible()
    expect(page.locator(".card .evidence").nth(1)).to_contain_text("En miroir")
    # One space before the sign, in figures of the page as in sentences of the service.
    page.locator(".card a.pair").first.click()
    certainty = page.locator(".verdict small").first.text_content()
    assert re.search("sûre à \\d+\u202f%", certainty or ""), certainty
    page.get_by_label("Langue").select_option("en")
    expect(page.get_by_role("button", name="Accept")).to_be_visible()


@pytest.mark.attack("markup and scripts in file names, in a real browser")
def test_a_hostile_file_name_is_text_and_nothing_else(serve: Serve, visit: Open) -> None:
    site = serve()
    content = site.library.add_content(1, failure="truncated")
    site.library.add_image(content, "<img src=x onerror=alert(1)>\u202egpj.exe\n{n}.jpg")
    site.library.add_group(content)
    page = visit()
    page.goto(site.address)
    expect(page.locator(".card h3")).to_have_text("<img src=x onerror=alert(1)>␣gpj.exe␣{n}.jpg")
    assert page.locator("img[src=x]").count() == 0


def test_the_token_is_asked_for_and_a_wrong_one_is_refused(serve: Serve, visit: Open) -> None:
    site = serve(token="s3cret")
    page = visit()
    page.goto(site.address)
    expect(page).to_have_url(f"{site.address}/login")
    box = page.locator("form").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] / 2 == pytest.approx(640, abs=2)
    page.get_by_label("Token").fill("s3cret")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Find duplicates…")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_label("Language").select_option("fr")
    button = page.get_by_role("button", name="Se déconnecter").bounding_box()
    dot = page.locator("[data-live]").bounding_box()
    assert button is not None
    assert dot is not None
    assert button["height"] < 45
    assert dot["x"] > 60
    page.get_by_label("Langue").select_option("en")
    expect(page.get_by_role("link", name="ComparImg", exact=True)).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{site.address}/login")


def test_an_address_that_is_no_page_says_so_and_leads_back(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit()
    page.goto(f"{site.address}//compress")
    expect(page.get_by_text("There is no page at this address.")).to_be_visible()
    page.get_by_role("link", name="All duplicates").click()
    expect(page).to_have_title("Duplicates · ComparImg")


@pytest.mark.slow
def test_every_control_has_a_name_and_every_picture_a_text(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit()
    for path in ("/", f"/groups/{keys[0]}", "/library", "/compress", "/folders", "/activity", "/problems", "/settings"):
        page.goto(site.address + path)
        page.wait_for_selector("main h1, main h2")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, a[href], input, select")].filter((e) => e.checkVisibility()
            && !(e.innerText.trim() || e.getAttribute("aria-label") || e.labels?.length || e.querySelector("img[alt]")))
            .map((e) => e.outerHTML)"""
        )
        assert nameless == []
        assert page.evaluate("[...document.images].every((i) => i.hasAttribute('alt'))")
        assert page.locator("h1").count() == 1


def test_messages_of_the_service_are_shown_in_french(serve: Serve, visit: Open) -> None:
    site = serve()
    library = site.library
    library.add_problem("a.jpg", message=Message("picture.truncated", format="JPEG"))
    library.add_problem(
        "b.png",
        "corrupt",
        message=Message("picture.corrupt_with_reason", format="PNG", problem="Unknown compression method 120"),
    )
    library.add_problem(
        "c.bmp", "too_large", message=Message("picture.too_many_pixels", format="BMP", megapixels=12885, limit=500)
    )
    library.add_problem("d.jpg", "unreadable", message=Message("picture.unreadable", error=Message("os.EACCES")))
    page = visit(but="Failed to load resource", locale="fr-FR")
    page.goto(f"{site.address}/problems")
    messages = page.locator(".problems li > div:nth-child(2) small")
    expect(messages).to_have_text(
        [
            "ne peut pas être lu : permission refusée",
            "BMP de 12885 mégapixels, au-delà de la limite de 500",
            "fichier PNG endommagé : Unknown compression method 120",
            "fichier JPEG tronqué",
        ]
    )
    page.goto(f"{site.address}/groups/12345")
    expect(page.locator("main p").first).to_have_text(
        "Le groupe 12345 n’existe pas. Il a pu changer depuis l’affichage de la liste."
    )


def test_a_page_in_french_shows_messages_in_french_whatever_the_browser_prefers(serve: Serve, visit: Open) -> None:
    site = serve()
    site.library.add_problem("a.jpg", message=Message("picture.truncated", format="JPEG"))
    site.library.write(
        lambda db: schema.Root.update(state="offline", reason=Message("root.silent")).where(True).execute(db)
    )
    page = visit(locale="en-US")
    page.context.add_cookies([{"name": "language", "value": "fr", "url": site.address}])
    page.goto(f"{site.address}/problems")
    expect(page.locator(".problems li > div:nth-child(2) small")).to_have_text("fichier JPEG tronqué")
    page.goto(f"{site.address}/folders")
    expect(page.locator("main .notice").first).to_contain_text("(ne répond pas)")


def test_a_filtered_list_is_offered_again_only_after_it_changed(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pictures(site.library, 3)
    page = visit()
    page.goto(f"{site.address}/?kind=near")
    expect(page.locator("[data-live=live]")).to_be_visible()
    fresh = page.get_by_role("button", name="The list has changed")
    expect(fresh).to_be_hidden()
    site.library.write(lambda db: schema.DuplicateGroup.update(changed_ns=NOW_NS + 10**9).execute(db))
    expect(fresh).to_be_visible()


def test_a_group_that_changes_under_the_review_keeps_its_selection(serve: Serve, visit: Open) -> None:
    site = serve()
    key = add_pictures(site.library, 1)[0]
    page = visit()
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator("[data-live=live]")).to_be_visible()
    selected = page.locator(".pane.selected .number")
    expect(selected).to_contain_text("2")
    page.keyboard.press("1")
    expect(selected).to_contain_text("1")
    page.locator(".review").evaluate("(element) => { element.dataset.before = '' }")
    site.library.write(lambda db: schema.DuplicateGroup.update(changed_ns=NOW_NS + 10**9).execute(db))
    expect(page.locator(".review[data-before]")).to_have_count(0)
    # The next key acts on what was selected before.
    expect(selected).to_contain_text("1")


def test_the_current_place_stays_visible_on_a_phone(serve: Serve, visit: Open) -> None:
    site = serve()
    page = visit(viewport={"width": 390, "height": 844}, locale="fr-FR")
    for place in ("problems", "verdicts", "compress"):
        page.goto(f"{site.address}/{place}")
        expect(page.locator(".subnav a[aria-current]")).to_be_in_viewport(ratio=0.95)
