"""What a rule decides over all groups: the same with the reading of what it does not need left out."""

from pathlib import Path
from typing import Any

import pytest

from index.database.queries import proposals, rule_application
from index.database.queries.group_filter import GroupFilter
from index.database.records import decisions, rule_runs
from index.database.store import Store
from index.imaging.grouping.keeper import CRITERIA
from index.imaging.grouping.rules import Rule, RuledFile, judge
from index.model import Choice, Kind, Turn
from support.random_groups import add_random_groups
from support.weblibrary import Library


@pytest.mark.parametrize("kinds", [(Kind.EXACT,), (Kind.PIXELS,), (Kind.EXACT, Kind.PIXELS)])
@pytest.mark.parametrize("criteria", [None, tuple(name for name in CRITERIA if name != "original"), ("whole", "size")])
def test_a_rule_about_equal_pixels_needs_to_know_of_no_other(
    tmp_path: Path, kinds: tuple[Kind, ...], criteria: tuple[str, ...] | None
) -> None:
    rule = Rule(Choice.TRASH, criteria=criteria, kinds=kinds)
    with Store(tmp_path / "data") as store:
        library = Library(store, Path("/photos"))
        library.add_root()
        library.add_detection()
        add_random_groups(library, seed=len(kinds) + len(criteria or ()))
        with store.read() as database:
            chosen = rule_application._groups(database, rule, GroupFilter())
            lean = {key: rulings for key, _, rulings in rule_application._ruled(database, rule, chosen)}
            groups = database.execute_sql("SELECT id, key FROM duplicate_group").fetchall()
            kind_of = {
                (group_id, content_id): Kind(kind)
                for group_id, content_id, kind in database.execute_sql("SELECT group_id, content_id, kind FROM member")
            }
            whole = {}
            found = proposals.candidates(database, [group_id for group_id, _ in groups])
            for group_id, key in groups:
                files, standing = found[group_id]
                ruled = [
                    RuledFile(candidate, content_id, kind_of[group_id, content_id], 1, b"", decided_by_user=False)
                    for content_id, candidate in files
                ]
                if rulings := judge(rule, ruled, standing):
                    whole[key] = rulings
    assert len(whole) > 10
    assert lean == whole


def decided(store: Store) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    with store.read() as database:
        rows = database.execute_sql("SELECT image_id, choice, criterion FROM decision ORDER BY image_id").fetchall()
        return rows, database.execute_sql("SELECT key, decided FROM duplicate_group ORDER BY key").fetchall()


@pytest.mark.parametrize("kinds", [(Kind.EXACT, Kind.PIXELS), (Kind.EXACT, Kind.PIXELS, Kind.NEAR)])
@pytest.mark.parametrize("shared", [False, True])
def test_portions_decide_as_all_at_once_and_are_revoked_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[Kind, ...], shared: bool
) -> None:
    """Where groups share images, what one decides may take the keeper of another: then the order counts, and each
    change leaves every group an image that stays."""
    rule = Rule(Choice.TRASH, kinds=kinds, decides_ties=True)
    results = []
    for portion in (1000, 1, 7):
        monkeypatch.setattr(rule_application, "GROUPS_AT_ONCE", portion)
        with Store(tmp_path / f"data{portion}") as store:
            library = Library(store, Path("/photos"))
            library.add_root()
            library.add_detection()
            add_random_groups(library, seed=3)
            with store.read() as database:
                question = "SELECT content_id FROM member WHERE position = 0 ORDER BY group_id"
                contents = [row[0] for row in database.execute_sql(question).fetchall()]
            for first, second in zip(contents[::3], contents[1::3], strict=False) if shared else ():
                members = [(second, Kind.PIXELS, 3, Turn.NONE)]
                library.add_group(first, *members, key=f"again {first:05}", evidence={}, images=3)
            writes = []

            def write(change: Any, store: Store = store, writes: list[Any] = writes) -> Any:
                writes.append(change)
                result = store.write(change)
                with store.read() as database:
                    groups = [row[0] for row in database.execute_sql("SELECT id FROM duplicate_group").fetchall()]
                    assert decisions.without_keeper(database, groups) == set()
                return result

            effect = rule_application.apply(write, rule, GroupFilter(), 5)
            assert (len(writes) > 3) == (portion < 1000)
            results.append((*decided(store), effect.groups, effect.images, effect.bytes))
            assert effect.images > 10
            assert rule_runs.revoke(store.write, effect.run_id) == len(results[-1][0])
            assert decided(store)[0] == []
    assert shared or results[0] == results[1] == results[2]
