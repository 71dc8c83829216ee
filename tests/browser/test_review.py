"""A review from the first group to the trash and back: the real service, real files, and a person at the keyboard."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import SqliteDatabase
from playwright.sync_api import Locator, Page, expect

from daemon.client import Client
from daemon.service import Service
from index.database import schema
from index.database.records import jobs
from index.model import Description, JobKind, Kind, Turn
from support.pictures import photograph, save
from support.serving import config_over, until
from support.touch import swipe_up
from support.trashes import plant
from support.weblibrary import NOW_NS, Library, add_pictures

Open = Callable[..., Page]
Serve = Callable[..., Any]
GROUPS = 10


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten pictures, each with a copy: equal bytes by turns with a smaller one."""
    folder = tmp_path / "photos"
    for number in range(GROUPS):
        picture = photograph(number, 480, 360)
        original = save(picture, folder / "2019" / f"IMG {number}.jpg", quality=92)
        copy = folder / "phone" / f"copy {number}.jpg"
        if number % 2:
            save(picture.resize((240, 180)), copy, quality=80)
        else:
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(original, copy)
    return folder


@pytest.fixture
def service(tmp_path: Path, photos: Path) -> Iterator[Service]:
    with Service(config_over(tmp_path, photos)) as started:
        client = Client(started.address)
        until(lambda: client.get("status")["totals"]["images"] == 2 * GROUPS and not client.get("status")["jobs"])
        client.post("jobs", {"kind": "detect"})
        until(lambda: client.get("review")["groups"] == GROUPS and not client.get("status")["jobs"])
        yield started


def files_in(folder: Path) -> dict[str, bytes]:
    """The pictures below a folder, by name; what is in a trash is not in the folder."""
    paths = (path for path in sorted(folder.rglob("*.jpg")) if not any(part.startswith(".") for part in path.parts))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_ten_groups_by_keyboard_alone_applied_and_undone(service: Service, photos: Path, visit: Open) -> None:
    before = files_in(photos)
    page = visit()
    page.goto(service.address)
    expect(page.locator(".card")).to_have_count(GROUPS)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    progress = page.locator(".review-progress")
    expect(progress).to_contain_text("0 of 10 decided")
    # The first two by hand, one of them undone and decided otherwise; then the proposals as fast as keys are pressed.
    page.keyboard.press("1")
    page.keyboard.press("k")
    page.keyboard.press("2")
    page.keyboard.press("d")
    expect(page.locator(".pane .mark-trash.mark")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(".pane .mark-trash.mark")).to_have_count(0)
    page.keyboard.press("2")
    page.keyboard.press("x")
    page.keyboard.press("n")
    for _ in range(GROUPS - 1):
        page.keyboard.press("a")
    expect(page.get_by_role("heading", name="10 of 10 decided")).to_be_visible()
    assert files_in(photos) == before
    page.keyboard.press("Enter")
    apply = page.get_by_role("button", name="Apply")
    expect(page.locator(".steps-list li")).to_have_count(GROUPS)
    # Enter pressed once too often applies nothing.
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    apply.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Undo all")).to_be_visible()
    expect(page.locator(".state-of-done")).to_have_count(GROUPS)
    left = files_in(photos)
    assert len(left) == GROUPS
    assert left.items() <= before.items()
    page.get_by_role("button", name="Undo", exact=True).first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".state-of-undone")).to_have_count(1)
    assert len(files_in(photos)) == GROUPS + 1
    page.get_by_role("button", name="Undo all").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Enter")
    expect(page.locator(".state-of-undone")).to_have_count(GROUPS)
    assert files_in(photos) == before


PHONE: Any = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def use(hand: str, control: Locator) -> None:
    control.tap() if hand == "touch" else control.click()


@pytest.mark.slow
@pytest.mark.parametrize("hand", ["mouse", "touch"])
def test_ten_groups_applied_and_undone(service: Service, photos: Path, visit: Open, hand: str) -> None:
    before = files_in(photos)
    client = Client(service.address)
    proposed = {group["id"]: group["proposal"]["image"] for group in client.pages("groups")}
    page = visit(**PHONE) if hand == "touch" else visit()
    page.goto(service.address)
    use(hand, page.locator(".card a.pair").first)
    page.locator(".review").wait_for()
    disagreed = []
    for number in range(GROUPS):
        expect(page.locator(".review-progress")).to_contain_text(f"{number} of {GROUPS} decided")
        group = page.url.rsplit("/", 1)[-1]
        if number % 2:
            disagreed.append(group)
            if hand == "touch":
                swipe_up(page, page.locator(".pane-b"))
            else:
                page.locator(".pane-b .keep-only").click()
        else:
            use(hand, page.locator(".actions-bar [data-act=accept]"))
        if number < GROUPS - 1:
            page.wait_for_function("(before) => !location.pathname.endsWith(before)", arg=group)
    expect(page.get_by_role("heading", name=f"{GROUPS} of {GROUPS} decided")).to_be_visible()
    for group, keeper in proposed.items():
        choices = {one["image"]: one["choice"] for one in client.get(f"groups/{group}/decisions")["items"]}
        assert choices.pop(keeper) == ("trash" if group in disagreed else "keep")
        assert list(choices.values()) == ["keep" if group in disagreed else "trash"]
    assert files_in(photos) == before
    use(hand, page.locator("a.button.primary", has_text="Apply"))
    expect(page.locator(".steps-list li")).to_have_count(GROUPS)
    use(hand, page.get_by_role("button", name="Apply", exact=True))
    use(hand, page.get_by_role("dialog").get_by_role("button", name="Apply", exact=True))
    expect(page.locator(".state-of-done")).to_have_count(GROUPS)
    assert len(files_in(photos)) == GROUPS
    use(hand, page.get_by_role("button", name="Undo all"))
    use(hand, page.get_by_role("dialog").locator("button.primary, button.choice").first)
    expect(page.locator(".state-of-undone")).to_have_count(GROUPS)
    assert files_in(photos) == before


def test_a_long_name_gives_way_to_the_figures_of_the_review(serve: Serve, visit: Open) -> None:
    site = serve()
    first, second = site.library.add_content(1), site.library.add_content(2)
    site.library.add_image(first, 40 * "long " + ".jpg")
    site.library.add_image(second, 40 * "other " + ".jpg")
    key = site.library.add_group(first, (second, Kind.NEAR, 4, Turn.NONE))
    page = visit(but="Failed to load resource")
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".review-head .review-progress")).to_contain_text("of 1 decided")
    for width in (1440, 1280, 1024, 760, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        figures, steps = (page.locator(f".review-head .{name}").bounding_box() for name in ("review-progress", "steps"))
        assert figures is not None
        assert steps is not None
        on_the_left = figures["x"] + figures["width"] <= steps["x"]
        above, below = sorted((figures, steps), key=lambda box: box["y"])
        assert on_the_left or above["y"] + above["height"] <= below["y"], width


def test_a_path_of_any_length_leaves_the_facts_in_sight_on_a_phone(serve: Serve, visit: Open) -> None:
    site = serve()
    described = Description(
        taken="2019-07-14T10:31:02", dated_by="name", keywords=("Tom", "mer"), hierarchies=("animal|chat|Tom",),
        rating=4, caption="<b>Au bord de la mer</b> " * 80, place=(47.5, -8.25),
        location=("", "Brest", "", "France"),
    )  # fmt: skip
    near, far = site.library.add_content(1, description=described), site.library.add_content(2)
    site.library.add_image(near, "near.jpg")
    site.library.add_image(far, "/".join(["a folder " + 150 * "x"] * 12 + [150 * "y" + ".jpg"]))
    key = site.library.add_group(near, (far, Kind.NEAR, 4, Turn.NONE))
    page = visit(but="Failed to load resource", viewport={"width": 390, "height": 844}, locale="fr-FR")
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".compare-facts")).to_be_visible()
    assert page.locator(".compare-facts").evaluate("(table) => table.offsetHeight") < 1400
    for shown in ("(nom du fichier)", "animal › chat › Tom, mer", "★★★★", "Brest, France (47.5000, -8.2500)", "<b>Au"):
        expect(page.locator(".compare-facts")).to_contain_text(shown)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = "(labels) => labels.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
    assert page.locator(".act > span").evaluate_all(cut) == []


def test_a_plan_behind_another_job_says_so(serve: Serve, visit: Open) -> None:
    site = serve()
    key = add_pictures(site.library, 1)[0]
    site.store.write(lambda db: jobs.add(db, JobKind.SCAN, {}, "user"))
    site.store.write(lambda db: jobs.take_next(db, NOW_NS, 0))
    page = visit()
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".compare")).to_be_visible()
    with page.expect_response("**/decisions"):
        page.keyboard.press("a")
    page.goto(f"{site.address}/plan")
    expect(page.get_by_text("Another job is running; this one is waiting.")).to_be_visible()


def test_what_is_refused_goes_back_and_says_why(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 1)
    page = visit(but="409")
    page.goto(f"{site.address}/groups/{keys[0]}")
    expect(page.locator(".compare")).to_be_visible()
    with page.expect_response("**/decisions"):
        page.keyboard.press("1")
        page.keyboard.press("d")
    expect(page.locator(".pane .mark-trash.mark")).to_have_count(1)
    with page.expect_response("**/decisions"):
        page.keyboard.press("2")
        page.keyboard.press("d")
    expect(page.locator(".toast.wrong")).to_contain_text("At least one image of a group must be kept")
    expect(page.locator(".pane .mark-trash.mark")).to_have_count(1)


@pytest.mark.slow
def test_the_trash_is_emptied_while_one_watches(service: Service, photos: Path, visit: Open) -> None:
    client = Client(service.address)
    client.post("rules/apply", {"choice": "trash", "kinds": ["exact", "pixels", "near"], "ties": "decide"})
    client.post("jobs", {"kind": "sort", "parameters": {"dry_run": False}})
    until(lambda: client.get("trash")["total"] == GROUPS and not client.get("status")["jobs"])
    page = visit()
    page.goto(f"{service.address}trash")
    head = page.get_by_role("heading", level=2)
    expect(head).to_contain_text("10 files")
    page.get_by_role("button", name="Restore").first.click()
    expect(page.locator(".toast")).to_contain_text("was restored")
    expect(head).to_contain_text("9 files")
    # What the settings spare is spared unless all is asked for.
    page.get_by_role("button", name="Empty the trash").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("more than 30 days ago will be deleted")
    dialog.get_by_role("combobox").select_option("0")
    expect(dialog).to_contain_text("9 files will be deleted permanently")
    dialog.get_by_role("textbox").fill("delete")
    dialog.get_by_role("button", name="Empty the trash").click()
    expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()
    expect(page.locator(".toast").last).to_contain_text("9 files were deleted permanently")


def test_a_place_that_a_manifest_chose_is_shown_and_confirmed(tmp_path: Path, visit: Open) -> None:
    folder = tmp_path / "photos"
    save(photograph(1), folder / "a.jpg")
    plant(folder, "b/1-stick.jpg", **{"from": "/media/stick/2020/stick.jpg", "path": "2020/stick.jpg"})
    with Service(config_over(tmp_path, folder)) as service:
        client = Client(service.address)
        until(lambda: client.get("trash")["total"] == 1 and not client.get("status")["jobs"])
        page = visit()
        page.goto(f"{service.address}trash")
        page.get_by_role("button", name="Restore stick.jpg").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("/media/stick/2020/stick.jpg")
        expect(dialog).to_contain_text(str(folder / "2020" / "stick.jpg"))
        dialog.get_by_role("button", name="Cancel").click()
        assert not (folder / "2020").exists()
        page.get_by_role("button", name="Restore stick.jpg").click()
        dialog.get_by_role("button", name="Restore there").click()
        expect(page.locator(".toast")).to_contain_text(f"was restored to {folder / '2020'}")
    assert (folder / "2020" / "stick.jpg").read_bytes() == b"data"


def test_a_quality_that_an_earlier_jpeg_did_not_have_is_not_the_better_one(serve: Serve, visit: Open) -> None:
    site = serve()
    once = site.library.add_content(1, jpeg_quality=60)
    again = site.library.add_content(2, jpeg_quality=95, earlier_quality=59)
    for content, name in ((once, "once.jpg"), (again, "again.jpg")):
        site.library.add_image(content, name)
    key = site.library.add_group(again, (once, Kind.NEAR, 4, Turn.NONE))
    page = visit(but="Failed to load resource")
    page.goto(f"{site.address}/groups/{key}")
    row = page.get_by_role("row", name="Format, quality")
    expect(row).to_contain_text("JPEG 95, previously JPEG 59")
    expect(row.locator(".best")).to_contain_text("JPEG 60")
    expect(page.locator(".proposal")).to_contain_text("the other was compressed more")


def test_keys_work_by_their_place_and_can_be_switched_off(serve: Serve, visit: Open) -> None:
    site = serve()
    keys = add_pictures(site.library, 2)
    page = visit()
    page.goto(f"{site.address}/groups/{keys[0]}")
    selected = page.locator(".pane-b .number")
    expect(selected).to_have_text("2")
    dialog = page.get_by_role("dialog")
    page.keyboard.press("?")
    expect(dialog).to_contain_text("Accept the proposal")
    page.keyboard.press("?")
    expect(dialog).to_have_count(0)
    # The first key of the row of digits, as a French keyboard types it; then as the digit of a choice in a question.
    press = "dispatchEvent(new KeyboardEvent('keydown', {key: '&', code: 'Digit1', bubbles: true, cancelable: true}))"
    page.evaluate(press)
    page.keyboard.press("d")
    expect(page.locator(".pane-a .mark-trash.mark")).to_be_visible()
    page.keyboard.press("b")
    dialog.wait_for()
    page.keyboard.press("1")
    expect(page.get_by_role("heading", level=1)).to_have_text("holiday 1.jpg")
    page.keyboard.press("?")
    dialog.get_by_label("Single-character shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("d")
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card .mark")).to_have_count(0)


@pytest.mark.slow
def test_a_rule_over_five_hundred_groups_and_back(serve: Serve, visit: Open) -> None:
    site = serve()
    add_pairs(site.library, 500)
    page = visit()
    page.goto(f"{site.address}/rules")
    preview = page.get_by_label("Preview")
    expect(preview).to_contain_text("This rule decides nothing")
    page.get_by_text("Near", exact=True).click()
    # None of these is certain to be the original: the rule goes by the other criteria.
    page.get_by_role("button", name="Remove Original").click()
    expect(preview).to_contain_text("Metadata")
    expect(preview.locator(".big")).to_contain_text("500")
    page.get_by_role("button", name="Remove Metadata").click()
    expect(preview).not_to_contain_text("Metadata")
    page.get_by_text("become links", exact=True).click()
    expect(preview).to_contain_text("This rule decides nothing")
    page.get_by_text("to the trash", exact=True).click()
    page.get_by_role("button", name="Apply the rule").click()
    page.get_by_role("dialog").get_by_role("button", name="Apply the rule").click()
    expect(page.locator(".toast")).to_contain_text("500 groups decided")
    with site.store.read() as database:
        assert schema.Decision.select().count(database) >= 500
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    with site.store.read() as database:
        assert schema.Decision.select().count(database) == 0


def add_pairs(library: Library, count: int) -> None:
    """Pairs of a photograph and a worse copy without metadata, in one change."""
    better, worse = library.add_content(0), library.add_content(1, metadata="", jpeg_quality=70)
    library.add_image(better, "2019/0.jpg")
    library.add_image(worse, "phone/0.jpg", size_bytes=900)
    library.add_group(better, (worse, Kind.NEAR, 4, Turn.NONE), images=2)

    def multiply(database: SqliteDatabase) -> None:
        numbers = "WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 2 FROM n WHERE n < :last)"
        for table, changed in (
            ("content", {"id": "id + n", "digest": "CAST(hex(digest) || n AS BLOB)"}),
            ("image", {"id": "id + n", "content_id": "content_id + n", "inode": "inode + n",
                       "path": "CAST(CAST(path AS TEXT) || n AS BLOB)"}),
            ("duplicate_group", {"id": "id + n", "key": "key || n", "reference_id": "reference_id + n"}),
            ("member", {"group_id": "group_id + n", "content_id": "content_id + n"}),
            ("match", {"a_id": "a_id + n", "b_id": "b_id + n"}),
        ):  # fmt: skip
            columns = [row[1] for row in database.execute_sql(f"PRAGMA table_info({table})")]
            values = [changed.get(column, column) for column in columns]
            database.execute_sql(
                f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {', '.join(values)} FROM {table}, n",
                {"last": 2 * count - 2},
            )

    library.write(multiply)


def test_a_group_marked_near_does_not_open_on_two_identical_files(serve: Serve, visit: Open) -> None:
    site = serve()
    first, second = site.library.add_content(1), site.library.add_content(2)
    for name, content in (("a.jpg", first), ("a copy.jpg", first), ("near.jpg", second)):
        site.library.add_image(content, name)
    key = site.library.add_group(first, (second, Kind.NEAR, 4, Turn.NONE), images=3)
    page = visit(but="Failed to load resource")
    page.goto(f"{site.address}/groups/{key}")
    expect(page.locator(".compare-facts")).to_contain_text("near.jpg")
    expect(page.locator(".strip li")).to_have_count(3)
    expect(page.locator(".strip [aria-current=true]")).to_contain_text("2")
