"""Reconciling: any two states of a tree, compared and carried out, are equal; what is out of reach is not gone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.imaging.discovery.reconcile import ScanPlan, offline_reason, reconcile
from index.model import Identity

ROOT = b"/p"
HERE = {ROOT: 1}

Tree = dict[bytes, Identity]


def file(number: int, device: int = 1, mtime_ns: int = 0) -> Identity:
    return Identity(device, number, 100 + number, mtime_ns)


def compared(seen: Tree, known: Tree, unreadable=(), mounts=None, admit=lambda path: True) -> ScanPlan:
    return reconcile(sorted(seen.items()), sorted(known.items()), unreadable, mounts or HERE, admit)


def carried_out(plan: ScanPlan, known: Tree) -> Tree:
    """What the index holds after a plan."""
    rows = {
        path: identity._replace(device=plan.renumbered.get(identity.device, identity.device))
        for path, identity in known.items()
    }
    moved = {move.new: rows[move.old] for move in plan.moved}
    for path, identity in {**plan.missing, **{move.old: move.identity for move in plan.moved}}.items():
        assert rows.pop(path) == identity
    return rows | moved | plan.to_read


def paths(plan: ScanPlan) -> list[tuple[bytes, bytes]]:
    return [(move.old, move.new) for move in plan.moved]


def test_new_changed_moved_missing_and_unchanged():
    known = {b"/p/same": file(1), b"/p/old": file(2), b"/p/gone": file(3), b"/p/touched": file(4)}
    seen = {b"/p/same": file(1), b"/p/new/name": file(2), b"/p/touched": file(4, mtime_ns=9), b"/p/fresh": file(5)}
    plan = compared(seen, known)
    assert plan.to_read == {b"/p/fresh": file(5), b"/p/touched": file(4, mtime_ns=9)}
    assert paths(plan) == [(b"/p/old", b"/p/new/name")]
    assert plan.missing == {b"/p/gone": file(3)}
    assert (plan.unchanged, plan.seen, plan.known, plan.away) == (1, 4, 4, 0)


def test_one_name_taken_by_another_file_and_a_chain_of_renames():
    known = {b"/p/a": file(1), b"/p/b": file(2)}
    plan = compared({b"/p/b": file(1), b"/p/c": file(2)}, known)
    assert paths(plan) == [(b"/p/a", b"/p/b")]
    assert plan.to_read == {b"/p/c": file(2)}
    assert plan.missing == {}


def test_hard_links_are_no_moves_and_move_in_order():
    assert compared({b"/p/a": file(1), b"/p/b": file(1)}, {b"/p/a": file(1)}).moved == []
    plan = compared({b"/p/x/a": file(1), b"/p/x/b": file(1)}, {b"/p/a": file(1), b"/p/b": file(1)})
    assert paths(plan) == [(b"/p/a", b"/p/x/a"), (b"/p/b", b"/p/x/b")]


def test_what_lies_below_an_unreadable_folder_is_kept():
    known = {b"/p/a/b/1": file(1), b"/p/a/bb": file(2), b"/p/c": file(3)}
    plan = compared({}, known, unreadable={b"/p/a/b": "no", b"/p/c": "no"})
    assert list(plan.missing) == [b"/p/a/bb"]
    assert plan.away == 2


MOUNTED = {b"/p/a": file(1), b"/p/usb/x": file(2, device=7), b"/p/usb/y/z": file(3, device=7)}


@pytest.mark.parametrize(
    ("story", "seen", "mounts", "missing"),
    [
        ("all as it was", MOUNTED, {ROOT: 1, b"/p/usb": 7}, []),
        ("unmounted, its mount point empty", {b"/p/a": file(1)}, HERE, []),
        ("unmounted, another file in its mount point", {b"/p/a": file(1), b"/p/usb/x": file(9)}, HERE, []),
        ("emptied while mounted", {b"/p/a": file(1)}, {ROOT: 1, b"/p/usb": 7}, [b"/p/usb/x", b"/p/usb/y/z"]),
        ("another disk in its place", {b"/p/a": file(1)}, {ROOT: 1, b"/p/usb": 8}, []),
        ("also mounted elsewhere", {b"/p/a": file(1)}, {ROOT: 1, b"/p/other": 7}, []),
        ("a file beside it deleted", {}, HERE, [b"/p/a"]),
    ],
)
def test_a_disk_below_the_root(story, seen, mounts, missing):
    assert compared(seen, MOUNTED, mounts=mounts).missing.keys() == set(missing)


def test_a_disk_that_came_back_under_another_number():
    seen = {path: identity._replace(device=8) for path, identity in MOUNTED.items() if identity.device == 7}
    seen |= {b"/p/a": file(1), b"/p/usb/w": seen.pop(b"/p/usb/x")._replace(device=8)}
    plan = compared(seen, MOUNTED, mounts={ROOT: 1, b"/p/usb": 8})
    assert plan.renumbered == {7: 8}
    assert paths(plan) == [(b"/p/usb/x", b"/p/usb/w")]
    assert (plan.to_read, plan.missing, plan.unchanged) == ({}, {}, 2)


def test_a_number_that_is_still_in_use_was_not_changed():
    known = {b"/p/a": file(1), b"/p/usb/x": file(2, device=7)}
    seen = {b"/p/a": file(1), b"/p/usb/x": file(2, device=8), b"/p/other/x": file(2, device=7)}
    plan = compared(seen, known, mounts={ROOT: 1, b"/p/usb": 8, b"/p/other": 7})
    assert plan.renumbered == {}


def test_a_number_that_a_file_still_has_was_not_changed_though_no_mount_lists_it():
    known = {b"/p/sub/a": file(1, device=7), b"/p/x": file(2, device=7)}
    seen = {b"/p/sub/a": file(1, device=7), b"/p/x": file(2, device=1)}
    plan = compared(seen, known, mounts={ROOT: 1})
    assert plan.renumbered == {}
    assert plan.to_read == {b"/p/x": file(2, device=1)}


def test_what_is_not_admitted_counts_as_not_there():
    known = {b"/p/a": file(1), b"/p/b": file(2)}
    seen = {b"/p/a": file(1), b"/p/b": file(2, mtime_ns=5), b"/p/c": file(3)}
    asked = []
    plan = compared(seen, known, admit=lambda path: bool(asked.append(path)))
    assert asked == [b"/p/b", b"/p/c"]
    assert (plan.to_read, plan.missing) == ({}, {b"/p/b": file(2)})


def test_files_out_of_order_are_refused():
    wrong = [(b"/p/b", file(1)), (b"/p/a", file(2))]
    with pytest.raises(ValueError, match="ascending"):
        reconcile(wrong, [])
    with pytest.raises(ValueError, match="ascending"):
        reconcile([], wrong)


ABOUT = {b"/p/a": file(1), b"/p/b": file(2)}


@pytest.mark.parametrize(
    ("story", "seen", "known", "is_empty", "device", "recorded", "offline"),
    [
        ("a first walk of an empty folder", {}, {}, True, 1, None, False),
        ("suddenly empty", {}, ABOUT, True, 1, 1, True),
        ("all images deleted, other things left", {}, ABOUT, False, 1, 1, False),
        ("nine tenths deleted", {b"/p/a": file(1)}, ABOUT, False, 1, 1, False),
        ("another disk with none of the files", {b"/p/z": file(9, device=2)}, ABOUT, False, 2, 1, True),
        ("another disk with the same names", {b"/p/a": file(9, device=2)}, ABOUT, False, 2, 1, True),
        ("the same disk under another number", {b"/p/a": file(1, device=2)}, ABOUT, False, 2, 1, False),
        ("another disk where nothing was known", {b"/p/z": file(9, device=2)}, {}, False, 2, 1, False),
        ("what it stood on was never recorded", {b"/p/z": file(9)}, ABOUT, False, 1, None, False),
    ],
)
def test_when_a_root_is_offline(story, seen, known, is_empty, device, recorded, offline):
    plan = compared(seen, known, mounts={ROOT: device})
    assert bool(offline_reason(plan, is_empty, device, recorded)) == offline


# Laws

names = st.lists(st.sampled_from([b"a", b"b", b"a.jpg", b"a-", b"\xff"]), min_size=1, max_size=3).map(
    lambda parts: ROOT + b"/" + b"/".join(parts)
)
identities = st.builds(file, st.integers(0, 6), st.sampled_from([1, 1, 1, 7]), st.integers(0, 1))
trees = st.dictionaries(names, identities, max_size=12)
mount_tables = st.dictionaries(names, st.sampled_from([1, 7, 8]), max_size=2).map(lambda table: {ROOT: 1, **table})


@given(trees, trees, mount_tables, st.sets(names, max_size=2))
@settings(max_examples=300)
def test_carried_out_and_compared_again_nothing_is_left(seen, known, mounts, unreadable):
    first = compared(seen, known, unreadable, mounts)
    rows = carried_out(first, known)
    again = compared(seen, rows, unreadable, mounts)
    assert (again.to_read, again.moved, again.missing, again.renumbered) == ({}, [], {}, {})
    assert again.unchanged == len(seen)
    assert rows.items() >= seen.items()


@given(trees, trees)
@settings(max_examples=200)
def test_where_all_is_in_reach_the_index_ends_equal_to_the_disk(seen, known):
    everywhere = {path: identity.device for path, identity in known.items()} | {ROOT: 1}
    plan = compared(seen, known, mounts=everywhere)
    if not plan.renumbered:
        assert carried_out(plan, known) == seen


@given(trees, trees, mount_tables, st.sets(names, max_size=2))
def test_every_file_is_accounted_for_once(seen, known, mounts, unreadable):
    plan = compared(seen, known, unreadable, mounts)
    assert len(plan.to_read) + len(plan.moved) + plan.unchanged == len(seen) == plan.seen
    changed = len(plan.to_read.keys() & known.keys())
    moved_onto = len({move.new for move in plan.moved} & known.keys())
    assert plan.unchanged + changed + moved_onto + len(plan.moved) + len(plan.missing) + plan.away == plan.known
    assert list(plan.missing) == sorted(plan.missing)
