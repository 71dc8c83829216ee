"""Many groups decided about at once: as their proposals say one by one, and never against what a person decided."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.database.queries import bulk_decisions, proposals
from index.database.queries.bulk_decisions import BulkRequest
from index.database.queries.group_filter import GroupFilter
from index.database.records import decisions, rule_runs
from index.database.records.decisions import DecisionRequest, NoKeeper
from index.database.store import Store
from index.imaging.grouping.keeper import holds_what_is_lost
from index.model import Choice, Kind, Turn
from support.random_groups import add_random_groups
from support.weblibrary import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Store(tmp_path / "data") as store:
        made = Library(store, Path("/photos"))
        made.add_root()
        made.add_detection()
        yield made


def choices(library: Library) -> dict[int, tuple[str, int | None]]:
    with library.store.read() as database:
        rows = database.execute_sql("SELECT image_id, choice, order_id FROM decision").fetchall()
    return {image_id: (choice, order) for image_id, choice, order in rows}


def decide_some(library: Library, chance: random.Random) -> None:
    """Marks of a person, as far as they leave each group an image."""
    with library.store.read() as database:
        groups = database.execute_sql(
            "SELECT g.key, i.id FROM duplicate_group g JOIN member m ON m.group_id = g.id"
            " JOIN image i ON i.content_id = m.content_id"
        ).fetchall()
    for key, image_id in groups:
        if chance.random() < 0.25:
            wanted = [DecisionRequest(image_id, chance.choice([Choice.KEEP, Choice.TRASH]))]
            try:
                library.write(lambda db, key=key, wanted=wanted: decisions.decide(db, key, wanted, 1))
            except NoKeeper:
                continue


@pytest.mark.parametrize("seed", range(3))
def test_accepting_all_completes_what_a_person_has_marked_as_the_proposals_say(library: Library, seed: int) -> None:
    chance = random.Random(seed)
    add_random_groups(library, seed)
    decide_some(library, chance)
    before = choices(library)
    assert before
    with library.store.read() as database:
        groups = database.execute_sql("SELECT id, key, decided >= images FROM duplicate_group").fetchall()
        outlines = proposals.outlines(database, [row[0] for row in groups])
        files_of = {group_id: found[0] for group_id, found in proposals.candidates(database, list(outlines)).items()}
        request = BulkRequest("accept", GroupFilter(decided=("none", "partly")))
        previewed = bulk_decisions.preview(database, request)
    effect = bulk_decisions.apply(library.store.write, request, 5)
    after = choices(library)
    assert {image_id: after[image_id] for image_id in before} == before
    new = {image_id: choice for image_id, (choice, order) in after.items() if order == effect.run_id}
    assert len(new) > 10
    open_groups = 0
    for group_id, _, is_decided in groups:
        files = [file for _, file in files_of[group_id]]
        undecided = [file for file in files if file.image_id not in before]
        made = {file.image_id: new[file.image_id] for file in undecided if file.image_id in new}
        if is_decided or not undecided:
            assert made == {}
            continue
        proposal = outlines[group_id].proposal
        kept = next(file for file in files if file.image_id == proposal.image_id)
        is_kept = kept in undecided or any(before.get(file.image_id, ("",))[0] == "keep" for file in files)
        going = [file for file in undecided if file is not kept]
        if proposal.tie or (not is_kept and len(undecided) > 1):
            expected = {}
        elif not is_kept:
            expected = {undecided[0].image_id: "keep"}
        elif any(holds_what_is_lost(file, kept) for file in going):
            expected = {}
        else:
            expected = {file.image_id: "keep" if file is kept else "trash" for file in undecided}
        open_groups += not expected
        assert made == expected
    assert (effect.groups, effect.left_open) == (len(groups) - sum(row[2] for row in groups) - open_groups, open_groups)
    assert (previewed.groups, previewed.images, previewed.bytes, previewed.left_open, previewed.kinds) == (
        effect.groups, effect.images, effect.bytes, effect.left_open, effect.kinds,
    )  # fmt: skip
    assert rule_runs.revoke(library.write, effect.run_id) == len(new)
    assert choices(library) == before


@pytest.mark.parametrize("portion", [1, 500])
def test_groups_that_share_images_each_keep_one(
    library: Library, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_decisions, "GROUPS_AT_ONCE", portion)
    add_random_groups(library, 3)
    with library.store.read() as database:
        contents = [r[0] for r in database.execute_sql("SELECT content_id FROM member WHERE position = 0").fetchall()]
    for first, second in zip(contents[::3], contents[1::3], strict=False):
        library.add_group(first, (second, Kind.PIXELS, 3, Turn.NONE), key=f"again {first:05}", evidence={}, images=3)
    effect = bulk_decisions.apply(library.store.write, BulkRequest("accept", GroupFilter()), 5)
    with library.store.read() as database:
        groups = database.execute_sql("SELECT id, decided FROM duplicate_group").fetchall()
        assert decisions.without_keeper(database, [row[0] for row in groups]) == set()
        (stored,) = database.execute_sql("SELECT groups FROM rule_order").fetchone()
    assert effect.groups == stored > 10
    rule_runs.revoke(library.write, effect.run_id)
    with library.store.read() as database:
        assert database.execute_sql("SELECT sum(decided) FROM duplicate_group").fetchone() == (0,)
