"""Settling: each story of a file that changes, and when it is taken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.watching.debounce import STORM_FACTOR, Debouncer, is_fresh, topmost
from index.model import Identity

DELAY_S = 3.0
TICK_S = 0.5


def file(size_bytes: int, mtime_ns: int = 0, inode: int = 1) -> Identity:
    return Identity(1, inode, size_bytes, mtime_ns)


class Desk:
    """A settler, the disk it looks at, and a clock that ticks; `taken` has each path with the time it was taken."""

    def __init__(self, **options) -> None:
        self.settler = Debouncer(DELAY_S, [b"/p"], **options)
        self.disk: dict[bytes, Identity] = {}
        self.looks = 0
        self.now_s = 100.0
        self.taken: list[tuple[float, bytes]] = []

    def look(self, path: bytes) -> Identity | None:
        self.looks += 1
        return self.disk.get(path)

    def run_until(self, s: float) -> None:
        while self.now_s < 100 + s:
            self.now_s += TICK_S
            self.taken += [(self.now_s - 100, path) for path in sorted(self.settler.due(self.now_s, self.look))]

    def happen(self, path: bytes, identity: Identity | None, heard: bool = True) -> None:
        """A file becomes this (None: was removed), and an event reports it or does not."""
        self.disk.pop(path, None)
        if identity is not None:
            self.disk[path] = identity
        if heard:
            self.settler.touch(path, self.now_s)


A, B, PART = b"/p/a.jpg", b"/p/b.jpg", b"/p/.a.jpg.part"

# (when, path, what it becomes, whether an event reports it) ... -> (when, path) of each taking
STORIES = {
    "a file is dropped": ([(0, A, file(9), True)], [(3.0, A)]),
    "created, then closed a second later": ([(0, A, file(0), True), (1, A, file(9, 1), True)], [(4.0, A)]),
    "two events for one write": ([(0, A, file(9), True), (0, A, file(9), True)], [(3.0, A)]),
    "written in chunks with pauses, each reported": (
        [(0, A, file(1, 1), True), (2, A, file(2, 2), True), (4, A, file(3, 3), True)],
        [(7.0, A)],
    ),
    "grows without a word": (
        [(0, A, file(1, 1), True), (1, A, file(2, 2), False), (4, A, file(3, 3), False)],
        [(9.0, A)],
    ),
    "changes its time alone": ([(0, A, file(1, 1), True), (1, A, file(1, 2), False)], [(6.0, A)]),
    "a pause longer than the delay: taken twice": (
        [(0, A, file(1, 1), True), (5, A, file(2, 2), True)],
        [(3.0, A), (8.0, A)],
    ),
    "deleted": ([(0, A, None, True)], [(3.0, A)]),
    "deleted before it was stable": ([(0, A, file(9), True), (1, A, None, True)], [(4.0, A)]),
    "deleted without a word": ([(0, A, file(9), True), (1, A, None, False)], [(6.0, A)]),
    "an editor saves by rename": (
        [(0, PART, file(9, 1, 2), True), (1, PART, None, True), (1, A, file(9, 1, 2), True)],
        [(4.0, PART), (4.0, A)],
    ),
    "an editor deletes, then writes again": ([(0, A, None, True), (0.5, A, file(9, 1, 2), True)], [(3.5, A)]),
    "moved: both names at once": ([(0, A, None, True), (0, B, file(9), True)], [(3.0, A), (3.0, B)]),
    "two files do not wait for each other": ([(0, A, file(1), True), (2, B, file(2), True)], [(3.0, A), (5.0, B)]),
    "replaced by another of the same size and time": (
        [(0, A, file(9, 1, 2), True), (1, A, file(9, 1, 3), False)],
        [(6.0, A)],
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_stories(story):
    events, expected = STORIES[story]
    desk = Desk()
    for when_s, path, identity, heard in events:
        desk.run_until(when_s)
        desk.happen(path, identity, heard)
    desk.run_until(30)
    assert sorted(desk.taken) == sorted(expected)
    assert len(desk.settler) == 0
    assert desk.settler.next_due_s() is None


def test_a_file_that_is_written_again_and_again_waits_for_its_end():
    desk = Desk()
    for second in range(60):
        desk.run_until(second)
        desk.happen(A, file(second))
    desk.run_until(80)
    assert desk.taken == [(62.0, A)]


def test_a_folder_moved_in_is_taken_without_what_is_below_it():
    desk = Desk()
    for path in (b"/p/new", b"/p/new/a.jpg", b"/p/new/deep/b.jpg", b"/p/newer.jpg"):
        desk.happen(path, None if path == b"/p/new" else file(1))
    desk.run_until(10)
    assert desk.taken == [(3.0, b"/p/new"), (3.0, b"/p/newer.jpg")]


def test_a_stalled_thread_still_looks_twice():
    desk = Desk()
    desk.happen(A, file(1))
    assert desk.settler.due(desk.now_s + 60, desk.look) == frozenset()
    desk.happen(A, file(2), heard=False)
    assert desk.settler.due(desk.now_s + 64, desk.look) == frozenset()
    assert desk.settler.due(desk.now_s + 68, desk.look) == {A}


def test_a_flood_is_gathered_in_its_folders():
    desk = Desk(at_most=100)
    for number in range(1000):
        desk.happen(b"/p/%d/%d.jpg" % (number % 7, number), file(number))
    assert len(desk.settler) < 110
    desk.run_until(STORM_FACTOR * DELAY_S + 5)
    assert {path for _, path in desk.taken} == {b"/p/%d" % number for number in range(7)}
    assert max(when_s for when_s, _ in desk.taken) <= STORM_FACTOR * DELAY_S


def test_a_flood_everywhere_is_gathered_in_the_root_and_no_higher():
    desk = Desk(at_most=100)
    for number in range(5000):
        desk.happen(b"/p/%d/%d/a.jpg" % (number % 500, number), file(number))
        assert len(desk.settler) <= 101
    desk.run_until(100)
    assert desk.taken[0][1] == b"/p"
    assert desk.looks < 1000


def test_after_the_flood_single_files_are_taken_again():
    desk = Desk(at_most=10)
    for number in range(50):
        desk.happen(b"/p/x/%d.jpg" % number, file(number))
    desk.run_until(STORM_FACTOR * DELAY_S + 1)
    desk.taken.clear()
    desk.happen(b"/p/x/late.jpg", file(1))
    desk.run_until(STORM_FACTOR * DELAY_S + 6)
    assert [path for _, path in desk.taken] == [b"/p/x/late.jpg"]


def test_what_waits_below_a_lost_root_is_forgotten():
    desk = Desk()
    for path in (A, b"/p/x/c.jpg", b"/q/d.jpg", b"/pp.jpg"):
        desk.happen(path, file(1))
    desk.settler.forget_below(b"/p")
    desk.run_until(10)
    assert [path for _, path in desk.taken] == [b"/pp.jpg", b"/q/d.jpg"]


def test_at_the_end_everything_that_waits_is_given():
    desk = Desk(at_most=10)
    for number in range(11):
        desk.happen(b"/p/x/%d.jpg" % number, file(number))
    desk.happen(A, file(1))
    assert desk.settler.drain() == {b"/p/x", A}
    assert len(desk.settler) == 0
    assert desk.settler.next_due_s() is None


def test_when_to_look_next():
    debouncer = Debouncer(DELAY_S)
    debouncer.touch(A, 10.0)
    assert debouncer.next_due_s() == 0.0
    debouncer.due(10.0, lambda path: None)
    assert debouncer.next_due_s() == 13.0


@pytest.mark.parametrize(
    ("age_s", "fresh"), [(0, True), (2.9, True), (3.1, False), (86400, False), (-1, True), (-3600, False)]
)
def test_what_a_walk_comes_upon_fresh(age_s, fresh):
    now_ns = 1_700_000_000 * 10**9
    assert is_fresh(file(1, now_ns - int(age_s * 1e9)), now_ns, DELAY_S) == fresh


def test_topmost():
    paths = [b"/p/a", b"/p/a/b", b"/p/ab", b"/p/c/d/e", b"/p/c"]
    assert topmost(paths) == {b"/p/a", b"/p/ab", b"/p/c"}
    assert topmost([b"/", b"/p"]) == {b"/"}
    assert topmost([]) == frozenset()


paths = st.sampled_from([b"/p/%c/%d.jpg" % (97 + folder, number) for folder in range(4) for number in range(5)])


@given(st.lists(st.tuples(st.floats(0, 4), paths, st.integers(0, 3), st.booleans()), max_size=40), st.integers(3, 30))
@settings(max_examples=150)
def test_whatever_happens_the_last_word_on_each_path_is_taken(events, at_most):
    desk = Desk(at_most=at_most)
    touched: dict[bytes, float] = {}
    at_s = 0.0
    for pause_s, path, size_bytes, there in events:
        at_s += pause_s
        desk.run_until(at_s)
        desk.happen(path, file(size_bytes) if there else None)
        touched[path] = desk.now_s - 100
    desk.run_until(at_s + STORM_FACTOR * DELAY_S + 10)
    assert len(desk.settler) == 0
    for path, when_s in touched.items():
        covering = [taken_s for taken_s, folder in desk.taken if path == folder or path.startswith(folder + b"/")]
        assert max(covering) >= when_s
