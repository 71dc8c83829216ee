"""The daily copy of the index: when it is due, by whatever clock, and that a failure is reported once."""

import logging
import time
from pathlib import Path

import pytest

from daemon.index_backup import FIRST_S, IndexBackup, is_due
from index.database import schema
from index.database.store import Store
from index.database.upkeep import backups
from support.serving import until

DAY_NS = 24 * 3600 * 10**9


@pytest.mark.parametrize(
    ("newest_ns", "now_ns", "running_s", "decided", "due"),
    [
        (None, DAY_NS, 0, False, False),
        (None, DAY_NS, 0, True, True),
        (None, DAY_NS, FIRST_S, False, True),
        (DAY_NS, DAY_NS + DAY_NS // 2, FIRST_S, False, False),
        (DAY_NS, 2 * DAY_NS, 0, False, True),
        (900 * DAY_NS, 3 * DAY_NS, 0, False, True),
    ],
    ids=["a new index", "people decided", "some minutes old", "half a day", "a day", "a clock that was years ahead"],
)
def test_when_a_copy_is_due(newest_ns: int | None, now_ns: int, running_s: float, decided: bool, due: bool) -> None:
    assert is_due(newest_ns, now_ns, running_s, decided) is due


def test_it_copies_when_the_day_is_over(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.back_up()
        now_ns = store.backups.newest_ns()
        assert now_ns is not None
        with IndexBackup(store, check_s=0.01, now_ns=lambda: now_ns + 2 * DAY_NS) as copier:
            until(lambda: len(store.backups.newest_first()) == 3)
            assert copier.alive
        assert not copier.alive


def test_the_first_copy_waits_only_until_people_decided_something(tmp_path: Path) -> None:
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        return time.time_ns()

    with Store(tmp_path) as store, IndexBackup(store, check_s=0.01, now_ns=look):
        until(lambda: looks > 5)
        assert store.backups.newest_first() == []
        verdict = {"a_digest": b"1" * 32, "b_digest": b"2" * 32, "label": "different", "created_ns": 1}
        store.write(lambda db: schema.Verdict.insert(verdict).execute(db))
        until(lambda: len(store.backups.newest_first()) == 1)
        after = looks
        until(lambda: looks > after + 5)
        assert len(store.backups.newest_first()) == 1


def test_a_full_disk_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def later() -> int:
        nonlocal looks
        looks += 1
        return 10**20

    with Store(tmp_path) as store:
        store.back_up()
        monkeypatch.setattr(backups, "SPARE_BYTES", 2**62)
        with caplog.at_level(logging.ERROR), IndexBackup(store, check_s=0.01, now_ns=later):
            until(lambda: looks > 5)
    assert ["Free some space there" in record.getMessage() for record in caplog.records] == [True]
