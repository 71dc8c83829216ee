"""Pictures that no file has are compared with nothing, and with everything once they are back."""

import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageEnhance

from daemon.jobs import candidate_index
from daemon.jobs.detect import Detector
from daemon.jobs.previews import Previews
from daemon.jobs.progress import NullProgress
from index.database.records import missing_contents
from index.database.records.matches import dump_parameters
from index.database.store import Store
from index.database.upkeep import upgrade
from index.imaging.candidates.search import hash_index
from index.imaging.decoding.pictures import Limits
from index.model import Depth, DetectParameters
from support.detections import Detections
from support.library import Library
from support.pictures import photograph

DEPTHS = pytest.mark.parametrize("depth", [Depth.FAST, Depth.THOROUGH])


@pytest.fixture
def detections(library: Library) -> Detections:
    return Detections(library)


def frame(number: int, seed: int = 1) -> bytes:
    """The same scene, each time with other bytes."""
    buffer = io.BytesIO()
    ImageEnhance.Brightness(photograph(seed)).enhance(1 + number / 100).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(10**18, 10**18 + random.randrange(10**9)))


def settle(detections: Detections, depth: Depth) -> None:
    detections.library.scan()
    detections.detector.update(NullProgress()) if depth is Depth.FAST else detections.detect(depth=depth)


def noted(detections: Detections) -> list[tuple[int, int]]:
    with detections.library.store.read() as database:
        return database.execute_sql("SELECT content_id, back FROM absent ORDER BY content_id").fetchall()  # type: ignore[no-any-return]


def proposed(detections: Detections) -> int:
    with detections.library.store.read() as database:
        (count,) = database.execute_sql("SELECT sum(proposed) FROM tally").fetchone()
    return int(count or 0)


def restart(detections: Detections) -> None:
    """As after a restart of the service: another detector over the same index."""
    views = Previews(detections.library.store, detections.pool, Limits(max_pixels=50_000_000))  # type: ignore[arg-type]
    detections.detector = Detector(detections.library.store, detections.pool, views, DetectParameters)  # type: ignore[arg-type]


@DEPTHS
def test_a_file_that_is_overwritten_again_and_again_is_compared_with_what_is_there(
    detections: Detections, depth: Depth
) -> None:
    put(detections.photos / "kept.jpg", frame(0))
    put(detections.photos / "other.jpg", frame(0, seed=2))
    settle(detections, depth)
    for number in range(1, 8):
        put(detections.photos / "latest.jpg", frame(number))
        detections.pool.asked.clear()
        detections.scan()
        assert detections.pool.asked.count("verify_pair") == 1, number
        assert [set(group) for group in detections.groups()] == [{"kept.jpg", "latest.jpg"}]
    assert len(noted(detections)) == 6
    assert proposed(detections) == 7


def test_many_that_are_gone_do_not_hide_the_one_that_is_there(
    detections: Detections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is paired with a bounded number of those before it."""
    monkeypatch.setattr(hash_index, "MOST", 2)
    monkeypatch.setattr(hash_index.HashIndex.pairs, "__kwdefaults__", {"most": 2})
    put(detections.photos / "kept.jpg", frame(30))
    detections.scan()
    for number in range(4):
        put(detections.photos / "latest.jpg", frame(number))
        detections.scan()
    put(detections.photos / "latest.jpg", frame(2) + b" ")
    detections.scan()
    assert [set(group) for group in detections.groups()] == [{"kept.jpg", "latest.jpg"}]


@DEPTHS
@pytest.mark.parametrize("between", [lambda _: None, restart])
def test_what_comes_back_is_compared_with_what_came_meanwhile(
    detections: Detections, depth: Depth, between: Callable[[Detections], None]
) -> None:
    put(detections.photos / "first.jpg", frame(1))
    put(detections.photos / "unlike.jpg", frame(1, seed=3))
    settle(detections, depth)
    (detections.photos / "first.jpg").unlink()
    detections.scan()
    put(detections.photos / "second.jpg", frame(2))
    detections.scan()
    between(detections)
    assert detections.groups() == []
    assert len(noted(detections)) == 1
    put(detections.photos / "back.jpg", frame(1))
    detections.scan()
    assert [set(group) for group in detections.groups()] == [{"back.jpg", "second.jpg"}]
    assert noted(detections) == []
    # And again, with nothing new: it was counted once.
    counted = proposed(detections)
    for name, data in (("second.jpg", frame(2)), ("back.jpg", frame(1))):
        (detections.photos / name).unlink()
        detections.scan()
        between(detections)
        put(detections.photos / name, data)
        detections.pool.asked.clear()
        detections.scan()
        assert "verify_pair" not in detections.pool.asked
        assert [set(group) for group in detections.groups()] == [{"back.jpg", "second.jpg"}]
    assert proposed(detections) == counted == 1
    assert noted(detections) == []


@pytest.mark.parametrize("another", [True, False], ids=["another came", "nothing came"])
def test_a_new_picture_that_is_gone_before_it_is_matched_is_matched_when_it_is_back(
    detections: Detections, another: bool
) -> None:
    put(detections.photos / "first.jpg", frame(1))
    detections.scan()
    put(detections.photos / "second.jpg", frame(2))
    detections.library.scan()
    (detections.photos / "second.jpg").unlink()
    detections.library.scan()
    if another:
        put(detections.photos / "third.jpg", frame(3))
    detections.pool.asked.clear()
    detections.scan()
    assert detections.pool.asked.count("verify_pair") == another
    put(detections.photos / "second.jpg", frame(2))
    detections.scan()
    there = {"first.jpg", "second.jpg", "third.jpg"} if another else {"first.jpg", "second.jpg"}
    assert [set(group) for group in detections.groups()] == [there]
    # Each with the reference; how the others differ follows from that.
    assert proposed(detections) == len(there) - 1


def test_what_is_lost_while_it_is_being_matched_is_noted(
    detections: Detections, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(detections.photos / "first.jpg", frame(1))
    detections.scan()
    put(detections.photos / "second.jpg", frame(2))
    detections.library.scan()
    meant = candidate_index.CandidateIndex.add_block

    def lost_meanwhile(self: Any, *given: Any) -> Any:
        (detections.photos / "second.jpg").unlink(missing_ok=True)
        detections.library.scan()
        return meant(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(candidate_index.CandidateIndex, "add_block", lost_meanwhile)
        detections.detector.update(NullProgress())
    assert detections.groups() == []
    put(detections.photos / "third.jpg", frame(3))
    detections.pool.asked.clear()
    detections.scan()
    assert detections.pool.asked.count("verify_pair") == 1
    put(detections.photos / "second.jpg", frame(2))
    detections.scan()
    assert [set(group) for group in detections.groups()] == [{"first.jpg", "second.jpg", "third.jpg"}]


def test_a_stop_while_what_is_back_is_matched_costs_nothing(
    detections: Detections, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(detections.photos / "first.jpg", frame(1))
    detections.scan()
    (detections.photos / "first.jpg").unlink()
    put(detections.photos / "second.jpg", frame(2))
    detections.scan()
    put(detections.photos / "first.jpg", frame(1))
    detections.library.scan()

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(missing_contents, "mark_matched", stop)
        with pytest.raises(KeyboardInterrupt):
            detections.detector.update(NullProgress())
    detections.detector.update(NullProgress())
    assert [set(group) for group in detections.groups()] == [{"first.jpg", "second.jpg"}]
    assert noted(detections) == []
    put(detections.photos / "third.jpg", frame(3))
    detections.pool.asked.clear()
    detections.scan()
    assert detections.pool.asked.count("verify_pair") == 2


@pytest.mark.slow
@pytest.mark.parametrize("left_at_least", [candidate_index.REMOVED_AT_LEAST, 1])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_and_goes_the_groups_are_those_of_a_detection_from_zero(
    detections: Detections, monkeypatch: pytest.MonkeyPatch, seed: int, left_at_least: int
) -> None:
    """Also where the index in memory is loaded again all the time."""
    monkeypatch.setattr(candidate_index, "REMOVED_AT_LEAST", left_at_least)
    chance = random.Random(seed)
    pool = [frame(number, which) for which in (1, 2, 3) for number in range(4)]
    for _ in range(25):
        path = detections.photos / f"{chance.randrange(8)}.jpg"
        if path.exists() and chance.random() < 0.5:
            path.unlink()
        else:
            put(path, chance.choice(pool))
        if chance.random() < 0.7:
            detections.scan()
        elif chance.random() < 0.3:
            detections.library.scan()
            restart(detections)
        elif chance.random() < 0.3:
            detections.detect()
    detections.scan()
    result = detections.result()
    assert result["groups"]
    assert detections.detect() == result
    with detections.library.store.read() as database:
        lost = database.execute_sql(
            "SELECT id FROM content WHERE id NOT IN (SELECT content_id FROM image) ORDER BY id"
        ).fetchall()
    assert noted(detections) == [(content_id, 0) for (content_id,) in lost]


def test_an_upgraded_index_records_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        before = tmp_path / "before"
        before.mkdir()
        for script in sorted(upgrade.MIGRATIONS.glob("00*.py")):
            if script.name < "0011":
                (before / script.name).write_bytes(script.read_bytes())
        patch.setattr(upgrade, "MIGRATIONS", before)
        with Store(tmp_path / "data") as store:
            there, gone = 1, 2

            def add_files(database: Any) -> None:
                """With the columns of then."""
                database.execute_sql(
                    "INSERT INTO detection (id, parameters, created_ns, finished_ns, watermark, current, calibration)"
                    " VALUES (1, ?, 1, 1, 0, 1, '{}')",
                    (dump_parameters(DetectParameters()),),
                )
                for content_id in (there, gone):
                    database.execute_sql(
                        "INSERT INTO content (id, digest, size_bytes, format, width, height, mode, orientation, taken,"
                        " camera, jpeg_quality, earlier_quality, detail, frames, metadata, scheme, failure,"
                        " failure_message) VALUES (?, ?, 9, 'JPEG', 8, 8, 'RGB', 1, '', '', 92, 0, 50, 1, '', 'test',"
                        " '', '')",
                        (content_id, bytes([content_id])),
                    )
                database.execute_sql("INSERT INTO root VALUES (1, x'2f', 0, 0, 1, 'online', '', NULL, NULL)")
                database.execute_sql("INSERT INTO image VALUES (1, 1, x'2f61', 1, 1, 1, 1, ?, 1)", (there,))

            store.write(add_files)
    with Store(tmp_path / "data") as store, store.read() as database:
        assert database.execute_sql("SELECT detection_id, content_id, back FROM absent").fetchall() == [(1, gone, 0)]
