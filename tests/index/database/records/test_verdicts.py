"""Verdicts: by content, for pairs and groups, surviving what happens to files, and revoked whole."""

from pathlib import Path

import pytest

from index.database.records import images, matches, regrouping, verdicts
from index.database.records.images import WatchRoot
from index.database.records.matches import MatchResult
from index.database.records.readings import record_readings
from index.database.schema import DuplicateGroup, Verdict
from index.database.store import Store
from index.errors import NotFound, UsageError
from index.model import DetectParameters, Facts, Identity, Kind, Reading, Turn


def digest(name: str) -> bytes:
    return name.encode().ljust(32, b".")


def reading(path: str, name: str, inode: int) -> Reading:
    return Reading(path.encode(), Identity(1, inode, 100, inode), digest(name), Facts("PNG", 10, 10))


class Library:
    """An index with contents a, b, c (ids 1, 2, 3) that all match one another."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.write(lambda db: images.sync_roots(db, [WatchRoot(b"/p")]))
        self.detection = self.detect(DetectParameters())
        self.add(reading("/p/a", "a", 1), reading("/p/b", "b", 2), reading("/p/c", "c", 3))
        self.match((1, 2), (1, 3), (2, 3))

    def detect(self, parameters: DetectParameters) -> int:
        detection = self.store.write(lambda db: matches.start_detection(db, parameters, 1))
        self.store.write(lambda db: matches.make_current(db, detection, 2))
        return detection

    def add(self, *readings: Reading) -> None:
        touched = self.store.write(lambda db: record_readings(db, 1, readings, 5))
        self.regroup(touched)

    def match(self, *pairs: tuple[int, int]) -> None:
        found = [MatchResult(a, b, Kind.NEAR, 3, Turn.NONE, 0.9, {}) for a, b in pairs]
        self.regroup(self.store.write(lambda db: matches.record_matches(db, self.detection, found)))

    def regroup(self, touched) -> None:
        self.store.write(lambda db: regrouping.regroup(db, self.detection, touched, 6))

    def deny(self, *pairs: str) -> verdicts.Change:
        digests = [(digest(pair[0]), digest(pair[1])) for pair in pairs]
        change = self.store.write(lambda db: verdicts.deny_pairs(db, digests, "not_duplicates", "", 7))
        self.regroup(change.content_ids)
        return change

    def groups(self) -> list[tuple[str, set[int]]]:
        with self.store.read() as db:
            rows = list(DuplicateGroup.select().order_by(DuplicateGroup.key).execute(db))
            return [(row.key, set(verdicts._members(db, self.detection, row.key))) for row in rows]


@pytest.fixture
def library(tmp_path: Path):
    with Store(tmp_path / "data") as store:
        yield Library(store)


KEYS = {name: digest(name).hex()[:16] for name in "abcd"}


def test_a_denied_pair_is_offered_no_more_and_comes_back_when_revoked(library: Library):
    assert library.groups() == [(KEYS["a"], {1, 2, 3})]
    change = library.deny("ab", "ac")
    assert library.groups() == [(KEYS["b"], {2, 3})]
    library.regroup(library.store.write(lambda db: verdicts.revoke_batch(db, change.batch)).content_ids)
    assert library.groups() == [(KEYS["a"], {1, 2, 3})]


def test_a_denied_group_is_re_opened_only_by_what_is_new(library: Library):
    change = library.store.write(
        lambda db: verdicts.deny_group(db, library.detection, KEYS["a"], [], "alternates", "twins", 7)
    )
    library.regroup(change.content_ids)
    assert (change.pairs, library.groups()) == (3, [])
    library.add(reading("/p/d", "d", 4))
    library.match((2, 4))
    assert library.groups() == [(KEYS["b"], {2, 4})]


def test_a_verdict_outlives_moves_rescans_and_other_parameters(library: Library):
    library.deny("ab", "ac", "bc")
    library.regroup(library.store.write(lambda db: images.move_image(db, b"/p/a", b"/p/new", 1)))
    library.regroup(library.store.write(lambda db: images.forget_images(db, [b"/p/b"])))
    library.add(reading("/p/deep/b", "b", 99))
    library.detection = library.detect(DetectParameters(hsize=8, tolerance=9))
    library.match((1, 2), (1, 3), (2, 3))
    assert library.groups() == []


def test_two_denied_pictures_are_not_brought_together_by_a_third(library: Library):
    """a and b are denied; c matches both, and is offered with each."""
    library.deny("ab")
    assert library.groups() == [(KEYS["a"], {1, 3}), (KEYS["c"], {2, 3})]
    library.deny("ac")
    assert library.groups() == [(KEYS["b"], {2, 3})]


def test_images_are_denied_whatever_groups_they_are_in(library: Library):
    deny = lambda *ids: library.store.write(  # noqa: E731
        lambda db: verdicts.deny_images(db, ids, "alternates", "", 7)
    )
    library.regroup(deny(1, 3, 2).content_ids)
    assert library.groups() == []
    with pytest.raises(NotFound, match="image 9"):
        deny(1, 9)
    with pytest.raises(UsageError, match="Identical files"):
        deny(1, 1)


def test_verdicts_follow_a_content_to_the_one_that_takes_its_place(library: Library):
    batch = library.deny("ab", "ac").batch
    library.add(reading("/p/small", "d", 4))
    library.match((2, 4), (3, 4))
    assert library.groups() == [(KEYS["b"], {2, 3, 4})]
    change = library.store.write(lambda db: verdicts.carry_over(db, digest("a"), digest("d")))
    library.regroup(change.content_ids)
    assert change.pairs == 2
    assert library.groups() == [(KEYS["b"], {2, 3})]
    # What was said of the old stays, following twice says nothing new, and all is revoked together.
    library.store.write(lambda db: verdicts.carry_over(db, digest("a"), digest("d")))
    with library.store.read() as db:
        assert Verdict.select().count(db) == 4
    library.store.write(lambda db: verdicts.revoke_batch(db, batch))
    with library.store.read() as db:
        assert Verdict.select().count(db) == 0


def test_a_verdict_is_not_followed_to_the_content_it_is_about(library: Library):
    library.deny("ab")
    change = library.store.write(lambda db: verdicts.carry_over(db, digest("a"), digest("b")))
    assert change.pairs == 0


def test_one_verdict_of_many_is_revoked_alone(library: Library):
    library.deny("ab", "ac", "bc")
    with library.store.read() as db:
        (row,) = Verdict.select().where(Verdict.a_digest == digest("b")).execute(db)
    library.regroup(library.store.write(lambda db: verdicts.revoke(db, row.id)).content_ids)
    assert library.groups() == [(KEYS["b"], {2, 3})]


def test_what_cannot_be(library: Library):
    with pytest.raises(NotFound):
        library.store.write(lambda db: verdicts.deny_group(db, library.detection, "nope", [], "alternates", "", 1))
    with pytest.raises(NotFound):
        library.store.write(lambda db: verdicts.revoke(db, 77))
    with pytest.raises(NotFound):
        library.store.write(lambda db: verdicts.revoke_batch(db, "x"))
    with pytest.raises(UsageError, match="not a label"):
        library.store.write(lambda db: verdicts.deny_pairs(db, [], "maybe", "", 1))
    with pytest.raises(UsageError, match="Identical files"):
        library.store.write(lambda db: verdicts.deny_group(db, library.detection, KEYS["a"], [1], "alternates", "", 1))
