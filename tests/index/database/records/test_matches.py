"""Matches to groups in the index: what comes piece by piece ends as what comes at once."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peewee import SqliteDatabase

from index.database.records import images, matches, regrouping
from index.database.records.images import WatchRoot
from index.database.records.matches import MatchResult
from index.database.records.readings import record_readings
from index.database.schema import DuplicateGroup, Member, Verdict
from index.database.store import Store
from index.model import Depth, DetectParameters, Facts, Identity, Kind, Reading, Turn


def digest(name: str) -> bytes:
    return name.encode().ljust(32, b".")


def reading(path: str, name: str, inode: int, size: int = 100) -> Reading:
    return Reading(path.encode(), Identity(1, inode, size, 1000 + inode), digest(name), Facts("PNG", 10, 10))


def groups(database: SqliteDatabase) -> list[tuple]:
    """Every group as data without row ids."""
    rows = []
    for group in DuplicateGroup.select().order_by(DuplicateGroup.key).execute(database):
        members = Member.select().where(Member.group == group.id).order_by(Member.position).execute(database)
        rows.append((
            group.key, group.kind, group.images, group.size_bytes, group.reclaimable_bytes, group.confidence,
            [(m.content_id, m.position, m.kind, m.distance, m.turn) for m in members],
        ))  # fmt: skip
    return rows


@pytest.fixture
def index(tmp_path: Path):
    with Store(tmp_path / "data") as store:
        store.write(lambda db: images.sync_roots(db, [WatchRoot(b"/p")]))
        yield store


def add(store: Store, *readings: Reading) -> set[int]:
    return store.write(lambda db: record_readings(db, 1, readings, now_ns=5))


def begin(store: Store, parameters: DetectParameters | None = None) -> int:
    detection = store.write(lambda db: matches.start_detection(db, parameters or DetectParameters(), 1))
    store.write(lambda db: matches.make_current(db, detection, 2))
    return detection


def match(a: int, b: int, kind: Kind = Kind.NEAR, turn: Turn = Turn.NONE, distance: int = 3) -> MatchResult:
    return MatchResult(a, b, kind, distance, turn, 0.9, {"scale": 0.5})


def test_copies_become_a_group_and_leave_it(index: Store):
    detection = begin(index)
    touched = add(index, reading("/p/a", "x", 1), reading("/p/b", "x", 2), reading("/p/c", "y", 3))
    index.write(lambda db: regrouping.regroup(db, detection, touched, 1))
    with index.read() as db:
        assert groups(db) == [(digest("x").hex()[:16], "exact", 2, 200, 100, 1.0, [(1, 0, "exact", 0, "none")])]
    gone = index.write(lambda db: images.forget_images(db, [b"/p/b"]))
    index.write(lambda db: regrouping.regroup(db, detection, gone, 1))
    with index.read() as db:
        assert groups(db) == []


def test_hard_links_are_one_image(index: Store):
    detection = begin(index)
    touched = add(index, reading("/p/a", "x", 1), reading("/p/b", "x", 1))
    index.write(lambda db: regrouping.regroup(db, detection, touched, 1))
    with index.read() as db:
        assert groups(db) == []


def test_the_turn_leads_from_the_reference(index: Store):
    detection = begin(index)
    add(index, reading("/p/a", "small", 1, 10), reading("/p/b", "large", 2, 99))
    touched = index.write(lambda db: matches.record_matches(db, detection, [match(1, 2, turn=Turn.ROTATE_90)]))
    index.write(lambda db: regrouping.regroup(db, detection, touched, 1))
    with index.read() as db:
        ((_, kind, images, _, reclaimable, _, members),) = groups(db)
    assert (kind, images, reclaimable) == ("near", 2, 10)
    assert members == [(2, 0, "exact", 0, "none"), (1, 1, "near", 3, "rotate_270")]


def test_a_group_that_does_not_change_is_not_written(index: Store):
    detection = begin(index)
    touched = add(index, reading("/p/a", "x", 1), reading("/p/b", "x", 2))
    assert index.write(lambda db: regrouping.regroup(db, detection, touched, 1)) == 1
    assert index.write(lambda db: regrouping.regroup(db, detection, touched, 2)) == 0


def test_contents_of_a_root_that_left_the_configuration_are_not_offered(index: Store):
    detection = begin(index)
    touched = add(index, reading("/p/a", "x", 1), reading("/p/b", "x", 2))
    index.write(lambda db: regrouping.regroup(db, detection, touched, 1))
    left = index.write(lambda db: images.sync_roots(db, []))
    assert left == touched
    index.write(lambda db: regrouping.regroup(db, detection, left, 1))
    with index.read() as db:
        assert groups(db) == []


def test_folders_limit_the_groups(index: Store):
    detection = begin(index, DetectParameters(folders=("/p/in",)))
    touched = add(index, reading("/p/in/a", "x", 1), reading("/p/in2/b", "x", 2))
    index.write(lambda db: regrouping.regroup(db, detection, touched, 1))
    with index.read() as db:
        assert groups(db) == []
    touched = add(index, reading("/p/in/c", "x", 3))
    index.write(lambda db: regrouping.regroup(db, detection, touched, 1))
    with index.read() as db:
        assert [group[2] for group in groups(db)] == [2]


def test_parameters_survive_the_round_trip():
    parameters = DetectParameters(hsize=8, tolerance=3, depth=Depth.THOROUGH, folders=("/a", "/b"))
    assert matches.load_parameters(matches.dump_parameters(parameters)) == parameters


def test_a_detection_that_a_crash_left_is_taken_up(index: Store):
    first = index.write(lambda db: matches.start_detection(db, DetectParameters(), 1))
    assert index.write(lambda db: matches.start_detection(db, DetectParameters(), 2)) == first
    assert index.write(lambda db: matches.start_detection(db, DetectParameters(hsize=8), 2)) != first
    index.write(lambda db: matches.make_current(db, first, 3))
    assert index.write(lambda db: matches.start_detection(db, DetectParameters(), 4)) != first


SIZE = 8
steps = st.lists(
    st.one_of(
        st.tuples(st.just("file"), st.integers(0, SIZE - 1), st.integers(0, 3)),
        st.tuples(st.just("gone"), st.integers(0, SIZE - 1), st.integers(0, 3)),
        st.tuples(st.sampled_from(["near", "pixels", "possible"]), st.integers(1, SIZE), st.integers(1, SIZE)),
        st.tuples(st.just("verdict"), st.integers(1, SIZE), st.integers(1, SIZE)),
    ),
    max_size=25,
)


@pytest.mark.slow
@given(steps)
@settings(max_examples=60, deadline=None)
def test_step_by_step_gives_the_groups_of_a_full_pass(actions):
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        store.write(lambda db: images.sync_roots(db, [WatchRoot(b"/p")]))
        detection = begin(store)
        add(store, *(reading(f"/p/{n}.0", str(n), 10 * n + 1) for n in range(SIZE)))

        def step(db: SqliteDatabase, action: str, x: int, y: int) -> None:
            if action == "file":
                touched = record_readings(db, 1, [reading(f"/p/{x}.{y}", str(x), 10 * x + y)], 1)
            elif action == "gone":
                touched = images.forget_images(db, [f"/p/{x}.{y}".encode()])
            elif action == "verdict":
                names = sorted([digest(str(x - 1)), digest(str(y - 1))])
                Verdict.insert(
                    a_digest=names[0], b_digest=names[1], label="not_duplicates", created_ns=1
                ).on_conflict_ignore().execute(db)
                touched = {x, y}
            elif x != y:
                touched = matches.record_matches(db, detection, [match(min(x, y), max(x, y), Kind(action))])
            else:
                return
            regrouping.regroup(db, detection, touched, 1)

        for action in actions:
            store.write(lambda db, action=action: step(db, *action))
        with store.read() as db:
            piecewise = groups(db)
        store.write(lambda db: DuplicateGroup.delete().execute(db))
        store.write(lambda db: regrouping.regroup_all(db, detection, 1))
        with store.read() as db:
            assert groups(db) == piecewise
