"""Pairs that no group depends on are not compared, until what they were compared with is removed or denied."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from daemon.jobs.progress import NullProgress
from index.database.queries import denial_regrouping
from index.database.records import jobs, matches, verdicts
from index.database.records.jobs import DetectJobParameters
from support.detections import Detections
from support.library import Library
from support.pictures import photograph, save

WIDTHS = (800, 760, 720, 680, 640, 600, 560)


# Fewer than there are in use, so that few pictures are enough.
COMPARED = 3


@pytest.fixture(autouse=True)
def compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.imaging.grouping.groups.COMPARED", COMPARED)


@pytest.fixture
def detections(library: Library) -> Detections:
    """One picture in seven sizes, whose 21 pairs are all proposed, and another one."""
    save(photograph(4), library.photos / "other.jpg")
    picture = photograph(3, 800, 600)
    for width in WIDTHS:
        small = picture.resize((width, width * 3 // 4), Image.Resampling.LANCZOS)
        save(small, library.photos / f"{width}.jpg", quality=88)
    return Detections(library)


def rows(detections: Detections, table: str) -> int:
    with detections.library.store.read() as database:
        return int(database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0])


def shown(detections: Detections) -> list[set[str]]:
    return [set(group) for group in detections.groups()]


def names(*widths: int) -> set[str]:
    return {f"{width}.jpg" for width in widths}


def deny(detections: Detections, one: int, other: int) -> None:
    """As the page does."""

    def change(database: Any) -> None:
        made = verdicts.deny_images(database, pair, "not_duplicates", "", 0)
        denial_regrouping.regroup(database, made.content_ids, 0)

    with detections.library.store.read() as database:
        rows_of = database.execute_sql("SELECT path, id FROM image").fetchall()
    image_ids = {Path(bytes(path).decode()).name: image_id for path, image_id in rows_of}
    pair = [image_ids[f"{width}.jpg"] for width in (one, other)]
    detections.library.store.write(change)


def test_only_the_pairs_with_the_reference_are_compared_where_the_others_follow(detections: Detections) -> None:
    detections.scan()
    assert shown(detections) == [names(*WIDTHS)]
    asked = detections.pool.asked.count("verify_pair")
    assert asked == len(WIDTHS) - 1
    assert rows(detections, "match") == asked
    assert rows(detections, "assumed") == len(WIDTHS) * (len(WIDTHS) - 1) // 2 - asked


def test_first_members_are_compared_with_all_others_where_they_do_not_follow(detections: Detections) -> None:
    for width in WIDTHS[1:]:
        with Image.open(detections.photos / f"{width}.jpg") as picture:
            part = picture.crop((0, 0, picture.width * 31 // 32, picture.height * 31 // 32))
        save(part, detections.photos / f"{width}.jpg", quality=88)
    detections.scan()
    assert shown(detections) == [names(*WIDTHS)]
    asked = detections.pool.asked.count("verify_pair")
    assert asked == sum(len(WIDTHS) - 1 - place for place in range(COMPARED))


def test_what_is_left_when_the_compared_ones_are_gone_is_compared(detections: Detections) -> None:
    detections.scan()
    for width in WIDTHS[: COMPARED + 1]:
        (detections.photos / f"{width}.jpg").unlink()
    detections.scan()
    left = WIDTHS[COMPARED + 1 :]
    assert shown(detections) == [names(*left)]
    assert detections.detect()["groups"] == detections.result()["groups"]


@pytest.mark.parametrize("order", [WIDTHS, WIDTHS[::-1], (640, 800, 560, 720, 600, 760, 680)])
def test_the_order_of_arrival_has_no_say(detections: Detections, order: tuple[int, ...], tmp_path: Path) -> None:
    detections.scan()
    at_once = detections.result()["groups"]
    for width in WIDTHS:
        (detections.photos / f"{width}.jpg").rename(tmp_path / f"{width}.jpg")
    detections.scan()
    assert shown(detections) == []
    for width in order:
        (tmp_path / f"{width}.jpg").rename(detections.photos / f"{width}.jpg")
        detections.scan()
    assert detections.result()["groups"] == at_once


def test_a_denied_pair_has_others_compared_by_the_next_update(detections: Detections) -> None:
    detections.scan()
    # The last is no copy of the three that it was compared with.
    for width in WIDTHS[:COMPARED]:
        deny(detections, width, WIDTHS[-1])
    together = names(*WIDTHS[:-1])
    assert shown(detections) == [together], "nothing is shown that was not compared"
    with detections.library.store.read() as database:
        assert matches.stale_contents(database)
    detections.scan()
    groups = shown(detections)
    assert together in groups
    assert sum(f"{WIDTHS[-1]}.jpg" in group for group in groups) == 1
    with detections.library.store.read() as database:
        assert not matches.stale_contents(database)


def queued(detections: Detections) -> list[str]:
    with detections.library.store.read() as database:
        rows_of = database.execute_sql("SELECT kind, parameters FROM job WHERE state = 'queued'").fetchall()
    return [f"{kind} {parameters}" for kind, parameters in rows_of]


def test_verdicts_queue_a_job_that_verifies_what_the_group_then_depends_on(detections: Detections) -> None:
    detections.scan()
    for width in WIDTHS[:COMPARED]:
        deny(detections, width, WIDTHS[-1])
    assert shown(detections) == [names(*WIDTHS[:-1])]
    assert queued(detections) == ['detect {"undecided": true}']
    detections.pool.asked.clear()
    parameters = jobs.check_parameters("detect", {"undecided": True})
    assert isinstance(parameters, DetectJobParameters)
    outcome = detections.detector.run(NullProgress(), parameters)
    assert outcome["groups_changed"] > 0
    asked = detections.pool.asked.count("verify_pair")
    denied, others = COMPARED + 1, len(WIDTHS) - COMPARED - 1
    assert 0 < asked <= denied * (denied - 1) // 2 + denied * others, "only pairs of those with a verdict"
    groups = shown(detections)
    assert sum(f"{WIDTHS[-1]}.jpg" in group for group in groups) == 1
    with detections.library.store.read() as database:
        assert not matches.stale_contents(database)
    assert detections.detect()["groups"] == detections.result()["groups"]
    assert {frozenset(group) for group in shown(detections)} == {frozenset(group) for group in groups}


def test_a_verdict_on_a_group_that_is_verified_as_a_whole_queues_nothing(detections: Detections) -> None:
    for width in WIDTHS[2:]:
        (detections.photos / f"{width}.jpg").unlink()
    detections.scan()
    deny(detections, WIDTHS[0], WIDTHS[1])
    assert queued(detections) == []
