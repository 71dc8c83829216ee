"""The paged questions: nothing twice, nothing left out, whatever comes and goes in between."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import SqliteDatabase

from index.database import schema
from index.database.queries import job_listing, listing
from index.database.queries.group_filter import GroupFilter
from index.database.queries.job_listing import ProblemFilter
from index.database.queries.listing import GROUP_SORTS
from index.database.records import images, sql_paging
from index.database.records.schedules import NewSchedule, add
from index.database.store import Store
from index.errors import NotFound, UsageError
from index.model import Kind, Turn
from support.weblibrary import NOW_NS, Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        yield made


def add_groups(library: Library, count: int) -> list[str]:
    """Groups of two, with figures that have many ties."""
    keys = []
    for number in range(count):
        first = library.add_content(2 * number)
        second = library.add_content(2 * number + 1)
        library.add_image(first, f"{number % 3}/a{number}.jpg")
        library.add_image(second, f"{number % 3}/b{number}.jpg")
        keys.append(
            library.add_group(
                first, (second, list(Kind)[number % 4], number, Turn.NONE), images=2 + number % 2,
                reclaimable_bytes=number % 4, size_bytes=number % 3, confidence=number % 5 / 4, newest_ns=number % 2,
            )
        )  # fmt: skip
    return keys


CHANGES = st.lists(
    st.tuples(st.sampled_from(["write", "move", "remove", "problem", "resolve"]), st.integers(0, 5), st.integers(1, 2)),
    max_size=30,
)


@given(changes=CHANGES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stored_counts_of_roots_equal_a_full_count_after_any_changes(library: Library, changes) -> None:
    def change(database: SqliteDatabase) -> None:
        schema.Root.insert(path=b"/other").on_conflict_ignore().execute(database)
        schema.Image.delete().execute(database)
        schema.Problem.delete().execute(database)
        for number, (what, place, root) in enumerate(changes):
            path = b"/%d" % place
            match what:
                case "write":
                    values = {"root": root, "device": 1, "inode": place, "size_bytes": number, "mtime_ns": 1,
                              "indexed_ns": 1}  # fmt: skip
                    upsert = schema.Image.insert(path=path, **values)
                    upsert.on_conflict(conflict_target=[schema.Image.path], update=values).execute(database)
                case "move":
                    schema.Image.update(root=root).where(schema.Image.path == path).execute(database)
                    schema.Problem.update(root=root).where(schema.Problem.path == path).execute(database)
                case "remove":
                    schema.Image.delete().where(schema.Image.path == path).execute(database)
                case "problem":
                    images.record_problem(database, root, path, "corrupt", None, 1)
                case "resolve":
                    schema.Problem.delete().where(schema.Problem.path == path).execute(database)

    library.write(change)
    with library.store.read() as database:
        counted = database.execute_sql(
            "SELECT r.id, (SELECT count(*) FROM image WHERE root_id = r.id),"
            " (SELECT coalesce(sum(size_bytes), 0) FROM image WHERE root_id = r.id),"
            " (SELECT count(*) FROM problem WHERE root_id = r.id) FROM root r WHERE r.watched ORDER BY r.path"
        ).fetchall()
        assert [(one.id, one.images, one.size_bytes, one.problems) for one in listing.roots(database)] == counted


def test_counting_images_reads_no_row_of_an_image(library: Library) -> None:
    asked: list[str] = []
    with library.store.read() as database:
        database.connection().set_trace_callback(asked.append)
        listing.totals(database)
        database.connection().set_trace_callback(None)
        assert asked
        assert all(" image" not in statement for statement in asked)


def all_pages(library: Library, sort: str, ascending: bool, limit: int, chosen: GroupFilter) -> list[listing.GroupRow]:
    found: list[listing.GroupRow] = []
    after = None
    with library.store.read() as database:
        while True:
            page = listing.groups_page(database, chosen, sort, ascending, after, limit)
            found += page.items
            after = page.after
            if after is None:
                return found


@pytest.mark.parametrize("sort", GROUP_SORTS)
@pytest.mark.parametrize("ascending", [False, True])
def test_pages_together_are_the_whole_sorted_list(library: Library, sort: str, ascending: bool) -> None:
    keys = add_groups(library, 13)
    whole = all_pages(library, sort, ascending, 200, GroupFilter())
    assert {row.key for row in whole} == set(keys)
    values = [(getattr(row, GROUP_SORTS[sort]), row.key) for row in whole]
    assert values == sorted(values, reverse=not ascending)
    for limit in (1, 4, 13):
        assert all_pages(library, sort, ascending, limit, GroupFilter()) == whole


def test_a_page_stays_where_it_was_while_groups_come_and_go_before_it(library: Library) -> None:
    add_groups(library, 9)
    with library.store.read() as database:
        first = listing.groups_page(database, GroupFilter(), "reclaimable", limit=4)
        rest = listing.groups_page(database, GroupFilter(), "reclaimable", after=first.after)
    gone = first.items[1].key
    library.write(lambda db: schema.DuplicateGroup.delete().where(schema.DuplicateGroup.key == gone).execute(db))
    content = library.add_content(100)
    library.add_image(content, "new.jpg")
    library.add_group(content, reclaimable_bytes=10**9)
    with library.store.read() as database:
        assert listing.groups_page(database, GroupFilter(), "reclaimable", after=first.after).items == rest.items


def test_a_place_whose_group_is_gone_still_leads_on(library: Library) -> None:
    add_groups(library, 6)
    with library.store.read() as database:
        first = listing.groups_page(database, GroupFilter(), "size", limit=3)
        rest = listing.groups_page(database, GroupFilter(), "size", after=first.after)
    library.write(
        lambda db: schema.DuplicateGroup.delete().where(schema.DuplicateGroup.key == first.items[-1].key).execute(db)
    )
    with library.store.read() as database:
        assert listing.groups_page(database, GroupFilter(), "size", after=first.after).items == rest.items


@pytest.mark.parametrize(
    ("chosen", "wanted"),
    [
        (GroupFilter(kinds=("exact", "near")), lambda number: number % 4 in (0, 2)),
        (GroupFilter(min_images=3), lambda number: number % 2 == 1),
        (GroupFilter(root_id=1), lambda number: True),
        (GroupFilter(root_id=2), lambda number: False),
        (GroupFilter(path=b"/photos/1"), lambda number: number % 3 == 1),
        (GroupFilter(path=b"/photos/1/"), lambda number: number % 3 == 1),
        (GroupFilter(path=b"/photos/1/a4.jpg"), lambda number: number == 4),
        (GroupFilter(path=b"/photo"), lambda number: False),
        (GroupFilter(path=b"B7.JPG"), lambda number: number == 7),
        (GroupFilter(path=b"%"), lambda number: False),
        (GroupFilter(kinds=("near",), root_id=1, path=b"2/"), lambda number: number % 4 == 2 and number % 3 == 2),
    ],
)
def test_filters_choose_groups(library: Library, chosen: GroupFilter, wanted: object) -> None:
    keys = add_groups(library, 12)
    expected = {key for number, key in enumerate(keys) if wanted(number)}  # type: ignore[operator]
    assert {row.key for row in all_pages(library, "reclaimable", False, 5, chosen)} == expected
    with library.store.read() as database:
        assert listing.groups_page(database, chosen).total == len(expected)


def test_only_the_groups_of_the_current_detection_are_listed(library: Library) -> None:
    (key,) = add_groups(library, 1)
    library.write(lambda db: schema.Detection.update(current=False).execute(db))
    with library.store.read() as database:
        assert listing.groups_page(database, GroupFilter()).total == 0
        assert listing.totals(database).groups == 0
        assert listing.current_parameters(database) is None
        with pytest.raises(NotFound):
            listing.group(database, key)


def test_neighbours_walk_through_the_list_and_end_at_its_ends(library: Library) -> None:
    add_groups(library, 10)
    for sort in GROUP_SORTS:
        for ascending in (False, True):
            keys = [row.key for row in all_pages(library, sort, ascending, 200, GroupFilter())]
            with library.store.read() as database:
                for place, key in enumerate(keys):
                    here = listing.group(database, key)
                    before, after = listing.neighbours(database, GroupFilter(), sort, ascending, here)
                    assert before == (keys[place - 1] if place else None)
                    assert after == (keys[place + 1] if place + 1 < len(keys) else None)


# Members


def test_members_come_reference_first_and_one_for_each_file(library: Library) -> None:
    reference, near = library.add_content(1), library.add_content(2)
    library.add_image(reference, "z.jpg", inode=1)
    library.add_image(reference, "b.jpg", inode=2)
    library.add_image(reference, "c.jpg", inode=2)
    library.add_image(near, "a.jpg", inode=3)
    library.add_image(near, "d.jpg", inode=4)
    key = library.add_group(reference, (near, Kind.NEAR, 5, Turn.ROTATE_90), evidence={"scale": 0.25})
    with library.store.read() as database:
        group_id = listing.group(database, key).id
        members = listing.members(database, [group_id], 10)[group_id]
    rows = [(member.file.path.rsplit(b"/")[-1], member.place, member.kind, member.distance) for member in members]
    assert rows == [
        (b"b.jpg", 0, "exact", 0), (b"z.jpg", 0, "exact", 0), (b"a.jpg", 1, "near", 5), (b"d.jpg", 1, "near", 5)
    ]  # fmt: skip
    first, copy, other, other_copy = members
    assert first.file.also_at == (b"/photos/c.jpg",)
    assert (first.copy_of, copy.copy_of, other.copy_of, other_copy.copy_of) == (
        None,
        first.file.id,
        None,
        other.file.id,
    )
    assert (other.turn, other.evidence, other.confidence) == ("rotate_90", {"scale": 0.25}, 0.97)


def test_evidence_starts_from_the_reference_whichever_content_came_first(library: Library) -> None:
    for reference, other, scale in ((1, 2, 0.5), (4, 3, 2.0)):
        for content in sorted((reference, other)):
            library.add_image(library.add_content(content), f"{content}.jpg")
        library.add_group(reference, (other, Kind.NEAR, 5, Turn.NONE), evidence={"scale": 0.5, "jpeg": [90, 70]})
        with library.store.read() as database:
            group_id = listing.groups_page(database, GroupFilter(), "date", True).items[0].id
            found = [m for m in listing.members(database, [1, 2, group_id], 10).get(reference // 3 + 1, []) if m.place]
        assert [member.evidence["scale"] for member in found] == [scale]
        assert [member.evidence["jpeg"][0] for member in found] == [90 if scale == 0.5 else 70]


def test_members_of_a_huge_group_are_cut_and_go_on(library: Library) -> None:
    contents = [library.add_content(number) for number in range(2)]
    for number in range(30):
        library.add_image(contents[number % 2], f"{number:02}.jpg")
    key = library.add_group(contents[0], (contents[1], Kind.NEAR, 1, Turn.NONE), images=30)
    with library.store.read() as database:
        group_id = listing.group(database, key).id
        whole = listing.members(database, [group_id], 100)[group_id]
        found: list[listing.MemberRow] = []
        while len(found) < 30:
            after = (found[-1].place, found[-1].file.path) if found else None
            found += listing.members(database, [group_id], 7, after)[group_id]
    assert found == whole
    assert len({member.file.id for member in found}) == 30


def test_members_are_those_of_watched_roots_and_of_the_folders_searched(library: Library) -> None:
    library.write(lambda db: schema.Detection.delete().execute(db))
    library.add_detection(folders=("/photos/in", "/photos/one.jpg"))
    content = library.add_content(1)
    other_root = library.add_root(Path("/gone"), watched=False)
    for name in ("in/a.jpg", "inner/b.jpg", "one.jpg", "out.jpg"):
        library.add_image(content, name)
    library.add_image(content, "in/c.jpg", root_id=other_root)
    key = library.add_group(content)
    with library.store.read() as database:
        group_id = listing.group(database, key).id
        found = listing.members(database, [group_id], 10)[group_id]
    assert [member.file.path for member in found] == [b"/photos/in/a.jpg", b"/photos/one.jpg"]


# Problems, schedules, folders


def test_problems_with_the_same_timestamp_are_all_listed(library: Library) -> None:
    for number in range(7):
        library.add_problem(f"{number}.jpg", at_ns=NOW_NS)
    with library.store.read() as database:
        seen: set[int] = set()
        after = None
        while True:
            page = job_listing.problems_page(database, ProblemFilter(), after, limit=2)
            seen |= {row.id for row in page.items}
            after = page.after
            if after is None:
                break
    assert len(seen) == 7


def test_a_schedule_with_a_taken_name_is_refused(library: Library) -> None:
    new = NewSchedule("nightly", "scan", "every 6h")
    library.write(lambda db: add(db, new, NOW_NS))
    with pytest.raises(UsageError):
        library.write(lambda db: add(db, new, NOW_NS))


names = st.lists(st.binary(min_size=1, max_size=3).filter(lambda name: not {0, 47} & set(name)), min_size=1, max_size=3)


@given(folder=names, path=names)
def test_below_a_folder_means_the_folder_itself_or_a_path_through_it(folder: list[bytes], path: list[bytes]) -> None:
    asked, stored = b"/" + b"/".join(folder), b"/" + b"/".join(path)
    _, (itself, low, high) = sql_paging.at_or_below("path", asked)
    assert (stored == itself or low < stored < high) == (path[: len(folder)] == folder)


@pytest.mark.parametrize("sort", GROUP_SORTS)
@pytest.mark.parametrize("ascending", [False, True])
def test_a_page_is_read_where_it_begins_and_not_sorted_again(library: Library, sort: str, ascending: bool) -> None:
    asked: list[str] = []
    with library.store.read() as database:
        database.connection().set_trace_callback(asked.append)
        listing.groups_page(database, GroupFilter(kinds=("near",)), sort, ascending, after=(1, "k"))
        database.connection().set_trace_callback(None)
        (question,) = (text for text in asked if "ORDER BY" in text)
        plan = [row[3] for row in database.execute_sql(f"EXPLAIN QUERY PLAN {question}")]
    assert any(step.startswith("SEARCH g USING INDEX group_") for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
