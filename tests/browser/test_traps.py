"""What must not happen to a person on the page: the real service over real files, started once for all of these."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from daemon.client import Client
from daemon.service import Service
from support.accessibility import violations
from support.pictures import photograph, save
from support.serving import config_over, until
from support.touch import swipe_up

Open = Callable[..., Page]
PAIRS = 4


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Four pictures, each with a smaller copy; a fifth with two."""
    place = tmp_path_factory.mktemp("traps")
    photos = place / "photos"
    for number in range(PAIRS + 1):
        picture = photograph(number, 480, 360)
        save(picture, photos / "2019" / f"IMG {number}.jpg", quality=92)
        save(picture.resize((240, 180)), photos / "phone" / f"small {number}.jpg", quality=80)
    shutil.copyfile(photos / "phone" / f"small {PAIRS}.jpg", photos / "phone" / "again.jpg")
    save(photograph(0, 480, 360).resize((300, 225)), photos / "2019" / "second 0.jpg", quality=70)
    with Service(config_over(place, photos)) as started:
        client = Client(started.address)
        idle(client, lambda: client.get("status")["totals"]["images"] == 2 * PAIRS + 4)
        client.post("jobs", {"kind": "detect"})
        idle(client, lambda: client.get("review")["groups"] == PAIRS + 1)
        yield started


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of the service; what was decided is taken back at the end."""
    made = Client(service.address)
    yield made
    for group in made.pages("groups", None):
        changes = [{"image": image["id"], "choice": "undecided"} for image in group["images"]["items"]]
        made.put(f"groups/{group['id']}/decisions", {"decisions": changes})


def idle(client: Client, happened: Callable[[], bool] = lambda: True) -> None:
    until(lambda: happened() and not client.get("status")["jobs"])


def groups_of(client: Client, images: int) -> list[Any]:
    return [group for group in client.get("groups")["items"] if group["images"]["total"] == images]


def choices(client: Client, group: Any) -> dict[int, str]:
    return {item["image"]: item["choice"] for item in client.get(f"groups/{group['id']}/decisions")["items"]}


@pytest.mark.slow
def test_a_search_in_one_folder_keeps_the_groups_of_the_library(client: Client, service: Service, visit: Open) -> None:
    before = [group["id"] for group in client.get("groups")["items"]]
    page = visit(but="400")
    page.goto(service.address)
    expect(page.locator(".card")).to_have_count(PAIRS + 1)
    page.get_by_role("button", name="Find duplicates…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Any folder…").click()
    folder = dialog.get_by_label("Folder to search in")
    folder.fill("/nonexistent")
    dialog.get_by_role("button", name="Start").click()
    # What was typed is still there to be corrected.
    expect(dialog.get_by_role("alert")).to_contain_text("There is no folder /nonexistent.")
    (root,) = client.get("roots")["items"]
    folder.fill(f"{root['path']}/2019")
    dialog.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Only in 2019")).to_be_visible()
    expect(page.locator(".card")).to_have_count(1)
    assert [group["id"] for group in client.get("groups")["items"]] == before
    # A group of the search is reviewed within it.
    page.locator(".card .pair").first.click()
    expect(page.locator(".review-head")).to_contain_text("2 images")
    with page.expect_response("**/decisions?search=*"):
        page.keyboard.press("Shift+K")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Only in 2019")).to_be_visible()
    expect(page.locator(".card .mark")).to_have_count(2)
    page.get_by_role("link", name="Whole library").click()
    expect(page.locator(".card")).to_have_count(PAIRS + 1)
    expect(page.get_by_role("link", name="Search in 2019: 1 group")).to_be_visible()
    page.get_by_role("button", name="Dismiss this search").click()
    expect(page.locator(".search-line")).to_have_count(0)
    expect(page.locator(".card")).to_have_count(PAIRS + 1)


def test_any_folder_is_searched_and_watched_in_one_click(
    client: Client, service: Service, visit: Open, tmp_path: Path
) -> None:
    first = save(photograph(77), tmp_path / "stick" / "a.png")
    save(photograph(77).resize((320, 240)), first.with_name("b.jpg"))
    groups = [group["id"] for group in client.get("groups")["items"]]
    page = visit(but="Failed to load resource")
    page.goto(service.address)
    page.get_by_role("button", name="Find duplicates…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Any folder…").click()
    dialog.get_by_label("Folder to search in").fill(str(tmp_path / "stick"))
    dialog.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Only in stick")).to_be_visible()
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".temporary")).to_contain_text("This folder is not watched")
    assert [group["id"] for group in client.get("groups")["items"]] == groups
    assert len(client.get("roots")["items"]) == 1
    # Its groups are accepted on their cards, too.
    page.locator(".card").get_by_role("button", name="Accept").click()
    expect(page.locator(".card .mark")).to_have_count(2)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".card .mark")).to_have_count(0)
    # What is decided in it waits, and Apply offers to watch the folder before it goes on.
    page.locator(".card .pair").first.click()
    with page.expect_response("**/decisions?search=*"):
        page.keyboard.press("Shift+K")
    page.goto(f"{service.address}plan")
    expect(page.locator(".temporary")).to_contain_text(f"1 image to be changed in {tmp_path / 'stick'}")
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)
    page.get_by_role("button", name="Watch this folder").click()
    expect(page.locator(".steps-list li")).to_have_count(1)
    expect(page.locator(".temporary")).to_have_count(0)
    expect(page.get_by_role("button", name="Apply")).to_be_enabled()
    page.goto(service.address)
    page.get_by_role("link", name="Search in stick").click()
    expect(page.get_by_text("Only in stick")).to_be_visible()
    expect(page.locator(".temporary")).to_have_count(0)
    (added,) = [root for root in client.get("roots")["items"] if root["origin"] == "page"]
    assert added["path"] == str(tmp_path / "stick")
    client.delete(f"roots/{added['id']}")
    page.get_by_role("button", name="Dismiss this search").click()
    expect(page.locator(".search-head")).to_have_count(0)


def test_accepting_completes_what_a_person_marked(client: Client, service: Service, visit: Open) -> None:
    group = groups_of(client, 3)[0]
    proposed = group["proposal"]["image"]
    others = [image["id"] for image in group["images"]["items"] if image["id"] != proposed]
    page = visit(but="409")
    page.goto(f"{service.address}groups/{group['id']}")
    # Numbers go from left to right and the proposed image is the first.
    expect(page.locator(".compare-facts .heading .number")).to_have_text(["1", "2"])
    expect(page.locator(".compare-facts thead th").first).to_contain_text("proposed")
    page.keyboard.press("2")
    page.keyboard.press("k")
    with page.expect_response("**/decisions"):
        page.keyboard.press("a")
    until(lambda: len(choices(client, group)) == 3)
    kept = choices(client, group)
    assert kept[proposed] == "keep"
    assert sorted(kept[image] for image in others) == ["keep", "trash"]


def test_the_proposal_does_not_bring_back_what_a_person_trashed(client: Client, service: Service, visit: Open) -> None:
    group = groups_of(client, 2)[0]
    proposed = group["proposal"]["image"]
    page = visit()
    page.goto(f"{service.address}groups/{group['id']}")
    # Keys that are pressed before the images are there act on none of them.
    expect(page.locator(".compare-facts thead th").first).to_contain_text("proposed")
    page.keyboard.press("1")
    with page.expect_response("**/decisions"):
        page.keyboard.press("d")
    with page.expect_response("**/decisions"):
        page.keyboard.press("a")
    until(lambda: len(choices(client, group)) == 2)
    assert choices(client, group)[proposed] == "trash"
    assert sorted(choices(client, group).values()) == ["keep", "trash"]


def test_the_picture_that_a_key_hits_has_a_ring(client: Client, service: Service, visit: Open) -> None:
    group = groups_of(client, 2)[1]
    page = visit()
    page.goto(f"{service.address}groups/{group['id']}")
    ringed = page.locator(".pane.selected")
    for key, number, pane in (("", "2", "pane-b"), ("1", "1", "pane-a"), ("2", "2", "pane-b")):
        if key:
            page.keyboard.press(key)
        expect(ringed.locator(".number")).to_have_text(re.compile(number))
        expect(ringed).to_have_class(re.compile(pane))
        assert ringed.evaluate("(pane) => getComputedStyle(pane, '::after').borderTopWidth") == "3px"
    page.keyboard.press("k")
    expect(page.locator(".pane-b .mark-keep.mark")).to_be_visible()


@pytest.mark.slow
def test_one_key_one_click_and_one_swipe_keep_a_picture_alone(client: Client, service: Service, visit: Open) -> None:
    first, second, third = groups_of(client, 2)[:3]
    page = visit(has_touch=True)
    page.goto(f"{service.address}groups/{first['id']}")
    heading = page.get_by_role("heading", level=1)
    name = heading.text_content()
    page.keyboard.press("1")
    page.keyboard.press("Shift+K")
    expect(heading).not_to_have_text(str(name))
    page.goto(f"{service.address}groups/{second['id']}")
    page.locator(".pane-b .keep-only").click()
    page.goto(f"{service.address}groups/{third['id']}")
    swipe_up(page, page.locator(".pane-a"))
    until(lambda: all(len(choices(client, group)) == 2 for group in (first, second, third)))
    for group, kept in ((first, True), (second, False), (third, True)):
        proposed = group["proposal"]["image"]
        assert (choices(client, group)[proposed] == "keep") is kept
        assert sorted(choices(client, group).values()) == ["keep", "trash"]


def test_undo_brings_the_decisions_back_unless_they_are_to_be_made_again(
    client: Client, service: Service, visit: Open
) -> None:
    group = groups_of(client, 2)[0]
    proposed = group["proposal"]["image"]
    (other,) = (image["id"] for image in group["images"]["items"] if image["id"] != proposed)
    marks = [{"image": proposed, "choice": "keep"}, {"image": other, "choice": "trash"}]
    client.put(f"groups/{group['id']}/decisions", {"decisions": marks})
    page = visit()
    for answer, left in (("Undo, keep decisions", ["keep", "trash"]), ("Undo and decide again", [])):
        job = client.post("jobs", {"kind": "sort", "parameters": {"dry_run": False}})
        idle(client)
        batch = client.get(f"jobs/{job['id']}")["outcome"]["batch"]
        page.goto(f"{service.address}history/{batch}")
        page.get_by_role("button", name="Undo all").click()
        page.get_by_role("dialog").get_by_role("button", name=re.compile(answer)).click()
        expect(page.locator(".state-of-undone")).to_have_count(1)
        idle(client)
        assert sorted(choices(client, group).values()) == left


def test_pictures_stand_where_decisions_end_and_one_can_be_taken_out(
    client: Client, service: Service, visit: Open
) -> None:
    groups = groups_of(client, 2)[:2]
    for group in groups:
        marks = [
            {"image": image["id"], "choice": "keep" if image["id"] == group["proposal"]["image"] else "trash"}
            for image in group["images"]["items"]
        ]
        client.put(f"groups/{group['id']}/decisions", {"decisions": marks})
    known = client.get("batches")["total"]
    carried_out = client.get("jobs?kind=sort&plans=without")["total"]
    page = visit()
    page.goto(f"{service.address}plan")
    lines = page.locator(".steps-list li")
    expect(lines).to_have_count(2)
    loaded = (
        "(count) => [...document.querySelectorAll('.views img')].filter((one) => one.naturalWidth).length === count"
    )
    page.wait_for_function(loaded, arg=4)
    page.get_by_role("button", name="Leave out").first.click()
    expect(lines).to_have_count(1)
    assert client.get("review")["images_to_act"] == 1
    # Looking at the plan, twice by now, is no event in the history, and no line of the activity.
    assert client.get("batches")["total"] == known
    page.goto(f"{service.address}activity")
    expect(page.locator(".jobs tbody tr").first).to_be_visible()
    expect(page.locator(".jobs tbody tr", has_text="Apply decisions")).to_have_count(carried_out)
    job = client.post("jobs", {"kind": "sort", "parameters": {"dry_run": False}})
    idle(client)
    page.goto(f"{service.address}trash")
    page.wait_for_function(loaded, arg=2)
    page.goto(f"{service.address}history")
    expect(page.locator(".history-list li").first.locator("img.there")).to_have_count(2)
    batch = client.get(f"jobs/{job['id']}")["outcome"]["batch"]
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{service.address}history/{batch}")
    page.wait_for_function(loaded, arg=2)
    assert violations(page) == []
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".state-of-undone")).to_have_count(1)
    idle(client)
