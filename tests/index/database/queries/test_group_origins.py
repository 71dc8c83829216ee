"""Which pairs of a group are compared by their origin, and which of its contents are one picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.database import schema
from index.database.queries import group_origins
from index.database.records import origins
from index.database.store import Store
from index.imaging.originality.pair_evidence import VERSION
from index.model import Kind, Turn
from support.weblibrary import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        yield made


def match(library: Library, a: int, b: int, kind: Kind) -> None:
    """A match that says nothing more than its kind."""
    library.write(
        lambda db: schema.Match.insert(
            detection=library.detection_id, a=a, b=b, kind=kind, distance=5, turn=Turn.NONE, confidence=0.9,
            evidence="{}",
        ).execute(db)
    )  # fmt: skip


def opened(library: Library, *concerned: int) -> set[tuple[int, int]]:
    with library.store.read() as database:
        found = origins.open_pairs(database, library.detection_id, "a version", concerned or None)
    return {(pair.a_id, pair.b_id) for pair in found}


@pytest.mark.parametrize("reference", [0, 1, 2])
def test_members_that_match_each_other_only_possibly_are_compared_as_well(library: Library, reference: int) -> None:
    contents = [library.add_content(number) for number in (1, 2, 3)]
    first, second = (content for place, content in enumerate(contents) if place != reference)
    near = [(content, Kind.NEAR, 5, Turn.NONE) for content in (first, second)]
    library.add_group(contents[reference], *near)
    match(library, first, second, Kind.POSSIBLE)
    assert (first, second) in opened(library)
    assert (first, second) in opened(library, second)
    library.write(lambda db: db.execute_sql("UPDATE match SET kind = 'possible'"))
    assert opened(library) == set()


def test_a_possible_match_of_two_groups_is_not_compared(library: Library) -> None:
    one, its_copy, other, its_other_copy = (library.add_content(number) for number in range(1, 5))
    library.add_group(one, (its_copy, Kind.NEAR, 5, Turn.NONE))
    library.add_group(other, (its_other_copy, Kind.NEAR, 5, Turn.NONE))
    match(library, one, other, Kind.POSSIBLE)
    assert opened(library) == {(one, its_copy), (other, its_other_copy)}


def test_contents_with_equal_pixels_are_one_picture_wherever_they_stand_in_a_group(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last two match the reference only nearly, and each other by every pixel."""
    monkeypatch.setattr(group_origins, "COMPARED", 3)
    contents = [library.add_content(number) for number in range(1, 7)]
    library.add_group(contents[0], *((content, Kind.NEAR, 5, Turn.NONE) for content in contents[1:]))
    match(library, contents[4], contents[5], Kind.PIXELS)
    match(library, contents[3], contents[4], Kind.NEAR)
    with library.store.read() as database:
        (of_group,) = group_origins.pairs(database, [1]).values()
    assert {(pair.a_id, pair.b_id) for pair in of_group if pair.kind is Kind.PIXELS} == {(contents[4], contents[5])}
    assert (contents[3], contents[4]) not in {(pair.a_id, pair.b_id) for pair in of_group}
    pictures = group_origins.pictures(contents, of_group)
    assert [pictures[content] for content in contents] == [0, 1, 2, 3, 4, 4]


def test_members_that_were_not_compared_follow_from_the_reference_of_their_group(library: Library) -> None:
    """The reference is the middle one; the other two were not compared with each other."""
    first, reference, last = (library.add_content(number) for number in (1, 2, 3))
    near = [(content, Kind.NEAR, 5, Turn.NONE) for content in (first, last)]
    library.add_group(reference, *near, evidence={"scale": 0.5})
    with library.store.read() as database:
        members = origins.open_members(database, library.detection_id, VERSION)
        (pair,) = origins.led_by(database, library.detection_id, members)
    assert (pair.a_id, pair.b_id, pair.via_id) == (first, last, reference)
    assert [evidence["scale"] for evidence in pair.evidence] == [2.0, 0.5]
    found = {(first, last, reference): ({"detail": 1.0}, {})}
    library.write(lambda db: origins.store_findings(db, VERSION, found))
    with library.store.read() as database:
        assert origins.open_members(database, library.detection_id, VERSION, [last]) == []
        (of_group,) = group_origins.pairs(database, [1]).values()
        (composed,) = (pair for pair in of_group if (pair.a_id, pair.b_id) == (first, last))
        assert group_origins.evidence_from(first, of_group).keys() == {reference}, "no evidence that is shown"
        assert group_origins.findings({}, [composed]) == {}
        assert origins.open_members(database, library.detection_id, "another", [first]) == members
    assert '"detail"' in composed.findings
    # What was found by way of another reference is not read.
    library.write(lambda db: db.execute_sql("UPDATE origin SET via_id = a_id"))
    with library.store.read() as database:
        assert origins.open_members(database, library.detection_id, VERSION) == members


@pytest.mark.parametrize(
    ("evidence", "by_reference"),
    [
        ({"similarity": 0.9, "scale": 0.5, "sharpness": 1.4}, True),
        ({"similarity": 0.9, "crop": {"of": "first", "box": [0.0, 0.0, 0.5, 0.5]}}, False),
        ({"similarity": 0.9, "noise": 0.5}, False),
        ({"similarity": 0.9, "changed": 0.1}, False),
        ({}, False),
    ],
)
def test_the_match_of_two_members_is_read_where_it_says_more(
    library: Library, evidence: dict[str, Any], by_reference: bool
) -> None:
    """Where it does not, it has no say whether it happens to be known. What was not verified leads nowhere."""
    contents = [library.add_content(number) for number in (1, 2, 3)]
    library.add_group(contents[0], *((content, Kind.NEAR, 5, Turn.NONE) for content in contents[1:]), evidence=evidence)
    match(library, contents[1], contents[2], Kind.NEAR)
    with library.store.read() as database:
        assert len(origins.open_members(database, library.detection_id, VERSION)) == by_reference
        (of_group,) = group_origins.pairs(database, [1]).values()
    read = {(pair.a_id, pair.b_id) for pair in of_group}
    assert ((contents[1], contents[2]) in read) is not by_reference


def test_equal_pixels_of_two_members_are_read_whatever_leads_to_them(library: Library) -> None:
    contents = [library.add_content(number) for number in (1, 2, 3)]
    library.add_group(contents[0], *((content, Kind.NEAR, 5, Turn.NONE) for content in contents[1:]))
    match(library, contents[1], contents[2], Kind.PIXELS)
    with library.store.read() as database:
        assert origins.open_members(database, library.detection_id, VERSION) == []
        (of_group,) = group_origins.pairs(database, [1]).values()
    assert (contents[1], contents[2]) in {(pair.a_id, pair.b_id) for pair in of_group}


@pytest.mark.parametrize(("kinds", "compared"), [((Kind.PIXELS, Kind.PIXELS), 0), ((Kind.PIXELS, Kind.NEAR), 1)])
def test_equal_pixels_need_no_comparison(library: Library, kinds: tuple[Kind, Kind], compared: int) -> None:
    contents = [library.add_content(number) for number in (1, 2, 3)]
    members = zip(contents[1:], kinds, strict=True)
    library.add_group(contents[0], *((content, kind, 0, Turn.NONE) for content, kind in members))
    with library.store.read() as database:
        assert len(origins.open_members(database, library.detection_id, VERSION)) == compared
