"""Groups rebuilt in portions: the same as at once, hidden until they are complete, and safe to interrupt."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.database.queries import group_files
from index.database.records import decisions, images, matches, regrouping
from index.database.records.decisions import DecisionRequest
from index.database.records.images import WatchRoot
from index.database.records.matches import MatchResult
from index.database.records.readings import record_readings
from index.database.schema import DuplicateGroup, Member, Verdict
from index.database.store import Store
from index.model import Choice, DetectParameters, Facts, Identity, Kind, Reading, Turn

COUNT = 120


def digest(number: int) -> bytes:
    return b"%03d" % number + b"." * 29


def groups(store: Store, detection: int) -> list[tuple[Any, ...]]:
    with store.read() as database:
        found = []
        rows = DuplicateGroup.select().where(DuplicateGroup.detection == detection).order_by(DuplicateGroup.key)
        for row in rows.execute(database):
            members = Member.select().where(Member.group == row.id).order_by(Member.position).tuples().execute(database)
            found.append((row.key, row.kind, row.images, row.size_bytes, row.confidence, row.scene,
                          [member[1:] for member in members]))  # fmt: skip
        return found


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Contents with one file or two."""
    with Store(tmp_path / "data") as opened:
        opened.write(lambda db: images.sync_roots(db, [WatchRoot(b"/p")]))
        readings = [
            Reading(f"/p/{n}.{i}".encode(), Identity(1, 10 * n + i, 100 + n, n), digest(n), Facts("PNG", n + 1, 9))
            for n in range(COUNT)
            for i in range(1 + n % 3 // 2)
        ]
        opened.write(lambda db: record_readings(db, 1, readings, now_ns=5))
        yield opened


def start(store: Store, parameters: DetectParameters) -> int:
    """A detection with all matches, and no groups yet."""
    chance = random.Random(7)
    found = []
    for _ in range(COUNT):
        a, b = sorted(chance.sample(range(1, COUNT + 1), 2))
        if b - a < 12:
            kind = chance.choice([Kind.PIXELS, Kind.NEAR, Kind.NEAR, Kind.POSSIBLE])
            turn = chance.choice([Turn.NONE, Turn.ROTATE_90])
            reason = {"reason": "exposure"} if kind is Kind.POSSIBLE else {}
            found.append(MatchResult(a, b, kind, chance.randint(0, 9), turn, chance.random(), reason))

    def record(database: Any) -> int:
        detection = matches.start_detection(database, parameters, 1)
        matches.mark_stale(database, matches.record_matches(database, detection, found))
        return int(detection)

    return store.write(record)


def portions(store: Store, detection: int) -> list[list[int]]:
    with store.read() as database:
        return list(regrouping.portions(database, detection))


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_the_label_of_a_component_is_its_lowest_node(count: int, pairs: list[tuple[int, int]]) -> None:
    pairs = [(a % count, b % count) for a, b in pairs]
    neighbours = defaultdict(set)
    for a, b in pairs:
        neighbours[a].add(b)
        neighbours[b].add(a)
    expected = []
    for node in range(count):
        reached, border = {node}, [node]
        while border:
            new = neighbours[border.pop()] - reached
            reached |= new
            border += new
        expected.append(min(reached))
    labels = regrouping.component_labels(count, np.array(pairs, np.int64).reshape(-1, 2))
    assert labels.tolist() == expected


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_portions_hold_each_component_whole_and_give_the_same_groups(
    store: Store, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    detection = start(store, DetectParameters())
    store.write(lambda db: regrouping.regroup(db, detection, range(1, COUNT + 1), 1))
    at_once = groups(store, detection)
    assert len(at_once) > 30
    store.write(lambda db: DuplicateGroup.delete().execute(db))
    monkeypatch.setattr(regrouping, "PORTION", size)
    parts = portions(store, detection)
    assert len(parts) == 1 if size == 1000 else len(parts) > 1
    contents = [content for part in parts for content in part]
    assert len(contents) == len(set(contents))
    for part in reversed(parts):
        store.write(lambda db, part=part: regrouping.rebuild(db, detection, part, 1))
    assert groups(store, detection) == at_once
    for part in portions(store, detection):
        changed = store.write(lambda db, part=part: regrouping.rebuild(db, detection, part, 2))
        assert changed == 0, "once more changes nothing"


def test_what_is_half_rebuilt_is_seen_by_no_one_and_completed_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a kill between two portions leaves it."""
    old = start(store, DetectParameters(hsize=8))
    store.write(lambda db: regrouping.regroup_all(db, old, 1))
    store.write(lambda db: matches.make_current(db, old, 2))
    store.write(matches.clear_stale)
    shown = groups(store, old)
    key, _, _, _, _, _, members = next(group for group in shown if len(group[-1]) > 1)
    with store.read() as database:
        (image,) = database.execute_sql("SELECT min(id) FROM image WHERE content_id = ?", (members[1][0],)).fetchone()
    store.write(lambda db: decisions.decide(db, key, [DecisionRequest(image, Choice.TRASH)], 3))
    monkeypatch.setattr(regrouping, "PORTION", 10)
    new = start(store, DetectParameters())
    with store.read() as database:
        stale = matches.stale_contents(database)
    store.write(matches.set_stale_aside)
    parts = portions(store, new)
    for part in parts[: len(parts) // 2]:
        store.write(lambda db, part=part: regrouping.rebuild(db, new, part, 4))
    assert groups(store, old) == shown
    assert 0 < len(groups(store, new)) < len(shown)
    with store.read() as database:
        contents = group_files.decided_contents(database)
        seen = group_files.groups_with(database, group_files.with_group_members(database, contents))
        assert [group.key for group in seen].count(key) == 1
        assert matches.stale_contents(database) == stale != set(), "stopped here, they are still stale"
    assert store.write(lambda db: matches.start_detection(db, DetectParameters(), 5)) == new, "it is continued"
    for part in portions(store, new):
        store.write(lambda db, part=part: regrouping.rebuild(db, new, part, 6))
    assert groups(store, new) == shown


def test_what_changes_while_portions_are_rebuilt_is_in_the_result(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regrouping, "PORTION", 10)
    new = start(store, DetectParameters())
    store.write(matches.set_stale_aside)
    parts = portions(store, new)
    for part in parts:
        store.write(lambda db, part=part: regrouping.rebuild(db, new, part, 4))
    key, _, _, _, _, _, members = next(group for group in groups(store, new) if len(group[-1]) == 2)
    denied = sorted(digest(member[0] - 1) for member in members)

    def deny(database: Any) -> None:
        Verdict.insert(a_digest=denied[0], b_digest=denied[1], label="not_duplicates", created_ns=1).execute(database)
        regrouping.regroup_shown(database, [member[0] for member in members], 5)
        gone = images.forget_images(database, [b"/p/2.0", b"/p/2.1"])
        matches.mark_stale(database, gone)

    store.write(deny)
    with store.read() as database:
        late = matches.stale_since(database)
    assert late == {3}
    store.write(lambda db: regrouping.regroup(db, new, late, 6))
    piecewise = groups(store, new)
    assert key not in {group[0] for group in piecewise if len(group[-1]) == 2}
    store.write(lambda db: DuplicateGroup.delete().execute(db))
    store.write(lambda db: regrouping.regroup_all(db, new, 7))
    assert groups(store, new) == piecewise


def test_a_detection_that_was_replaced_is_deleted_in_portions_and_never_continued(store: Store) -> None:
    old = start(store, DetectParameters())
    store.write(lambda db: regrouping.regroup_all(db, old, 1))
    store.write(lambda db: matches.make_current(db, old, 2))
    new = start(store, DetectParameters(hsize=8))
    store.write(lambda db: matches.make_current(db, new, 3))
    with store.read() as database:
        assert matches.searches(database) == matches.unfinished(database) == []
    again = store.write(lambda db: matches.start_detection(db, DetectParameters(), 4))
    assert again not in (old, new)
    portions_deleted = 0
    while store.write(lambda db: matches.delete_retired(db, 10)):
        portions_deleted += 1
    assert portions_deleted > 5
    with store.read() as database:
        for table in ("detection", "match", "duplicate_group"):
            column = "id" if table == "detection" else "detection_id"
            rows = database.execute_sql(f"SELECT count(*) FROM {table} WHERE {column} = ?", (old,))
            assert rows.fetchone() == (0,), table
