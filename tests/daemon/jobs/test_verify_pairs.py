"""What is in the way of looking at a pair costs that pair, for a time, and no other."""

import errno
import os
import re
import signal
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pytest

from daemon.jobs import quarantine, verify_pairs
from daemon.jobs.detect import Detector
from daemon.jobs.previews import Previews
from daemon.jobs.progress import NullProgress, Portion
from daemon.jobs.scan_roots import ScanRoot
from daemon.processes.verify_task import PairTask
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.database.records import images
from index.database.records import quarantine as records
from index.database.records.deferred_pairs import CandidatePair
from index.database.records.images import WatchRoot
from index.database.records.jobs import DetectJobParameters
from index.database.records.quarantine import TRIES
from index.errors import Cancelled, NoRoom, StoreError
from index.imaging.decoding.pictures import Limits
from index.imaging.verification.edit_evidence import VERIFIER
from index.messages import text
from index.model import Depth, DetectParameters, RootState, Turn
from support import poisoned
from support.inline_pool import InlinePool
from support.library import Library
from support.pictures import photograph, save
from support.program import Program, run_poisoned

LIMITS = Limits(max_pixels=50_000_000)


class Desk:
    """A library with a detector; `matched()` gives the names of the files of each match."""

    def __init__(self, library: Library, pool: WorkerPool | None = None) -> None:
        self.library = library
        self.photos = library.photos
        self.pool = pool or library.pool
        self.views = library.store.data_dir / "views"
        self.open()

    def open(self) -> None:
        """As at a start."""
        views = Previews(self.library.store, self.pool, LIMITS)
        self.detector = Detector(self.library.store, self.pool, views, DetectParameters)
        quarantine.recover(self.library.store)

    def copies(self, seed: int, *widths: int) -> None:
        picture = photograph(seed, 640, 480)
        for width in widths:
            save(picture.resize((width, width * 3 // 4)), self.photos / f"{seed}-{width}.jpg", quality=85)

    def update(self) -> None:
        self.library.scan()
        self.detector.update(NullProgress())

    def matched(self) -> set[tuple[str, ...]]:
        with self.library.store.read() as database:
            pairs = database.execute_sql("SELECT a_id, b_id FROM match").fetchall()
        names = {content_id: name.removesuffix(".jpg") for name, content_id in self.library.images().items()}
        return {tuple(sorted((names[a], names[b]))) for a, b in pairs}

    def later(self) -> int:
        return self.count("unjudged")

    def failures(self) -> list[int]:
        with self.library.store.read() as database:
            counts = database.execute_sql(
                "SELECT crashes FROM quarantine WHERE work = ? AND crashes > 0 ORDER BY crashes", (VERIFIER,)
            ).fetchall()
        return [count for (count,) in counts]

    def count(self, rows: str) -> int:
        with self.library.store.read() as database:
            return int(database.execute_sql(f"SELECT count(*) FROM {rows}").fetchone()[0])

    def sum(self, column: str) -> int:
        """Of the tallies of the detection."""
        with self.library.store.read() as database:
            return int(database.execute_sql(f"SELECT total({column}) FROM tally").fetchone()[0])


@pytest.fixture(autouse=True)
def every_pair_of_first_members_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what leads from one to the other follows: few pictures are enough for many pairs."""
    monkeypatch.setattr("index.imaging.grouping.groups.HELD_BACK", -10)


@pytest.fixture
def desk(library: Library) -> Desk:
    return Desk(library)


@pytest.fixture
def hasty(library: Library) -> Iterator[Desk]:
    """One whose workers are given no longer than it takes to load what they need."""
    with WorkerPool(2, WorkerLimits(time_limit_s=8, memory_bytes=2 * 2**30)) as pool:
        yield Desk(library, pool)


@pytest.mark.slow
@pytest.mark.fault("a pair of pictures by which decoding processes die or hang: given up by name, all others compared")
@pytest.mark.parametrize(
    "judge", [poisoned.judge_or_crash, pytest.param(poisoned.judge_or_hang, marks=pytest.mark.slow)]
)
def test_a_pair_that_workers_die_of_is_given_up_with_a_word(
    hasty: Desk, judge: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(verify_pairs, "verify_pair", judge)
    hasty.copies(1, 640, 320)
    hasty.copies(2, 640, poisoned.WIDTH)
    hasty.update()
    assert hasty.matched() == {("1-320", "1-640")}, "all others are compared"
    assert hasty.later() == 1
    for _ in range(TRIES):
        hasty.update()
    assert hasty.matched() == {("1-320", "1-640")}
    assert hasty.later() == 0
    messages = [record.getMessage() for record in caplog.records if "were not compared" in record.getMessage()]
    assert len(messages) == TRIES
    assert all(str(hasty.photos / "2-333.jpg") in line and len(line) < 500 for line in messages)
    monkeypatch.undo()
    lost = sum(hasty.pool.losses.values())
    hasty.detector.run(NullProgress(), DetectJobParameters())
    assert sum(hasty.pool.losses.values()) == lost, "it is paid for three times and no more"


def test_a_pair_that_workers_died_of_by_chance_is_judged_in_the_end(
    hasty: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_pairs, "verify_pair", poisoned.judge_or_crash)
    hasty.copies(2, 640, poisoned.WIDTH)
    hasty.update()
    assert (hasty.matched(), hasty.failures()) == (set(), [1])
    monkeypatch.undo()
    hasty.update()
    assert hasty.matched() == {("2-333", "2-640")}
    assert (hasty.later(), hasty.failures()) == (0, [])


class RecordedProgress(NullProgress):
    """Notes how far a job says it is in each phase, and of how much."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int | None]] = []
        self.steps: list[list[int]] = []

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        self.phases.append((phase, total))
        self.steps.append([])

    def advance(self, steps: int = 1) -> None:
        if steps:
            self.steps[-1].append(steps)


def test_progress_goes_on_while_the_many_pairs_of_a_few_pictures_are_looked_at(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_pairs, "PREPARED_AT_ONCE", 2)
    desk.copies(1, 640, 600, 560, 520)
    desk.library.scan()
    progress = RecordedProgress()
    desk.detector.update(progress)
    assert len(desk.matched()) == 6
    taken = dict(zip(progress.phases, progress.steps, strict=True))
    # Each phase counts pictures once, however many pairs they make, and comes to its end.
    for phase in ("matching", "verifying", "tracing"):
        totals = [total for name, total in taken if name == phase]
        assert totals
        assert all(sum(taken[phase, total]) == total for total in totals), phase
    assert len(taken["verifying", 4]) > 1


def test_a_portion_never_goes_back_and_ends_with_all_its_steps() -> None:
    progress = RecordedProgress()
    progress.begin("matching", 100)
    portion = Portion(progress, 100)
    portion.advance()
    portion.expect(4)
    portion.advance(2)
    portion.expect(40)
    portion.advance(30)
    portion.end()
    assert sum(progress.steps[0]) == 100
    assert progress.steps[0][0] == 50
    idle = Portion(progress)
    idle.expect(2)
    idle.advance(2)
    idle.end()
    assert sum(progress.steps[0]) == 100


@pytest.mark.fault("views cut to nothing by a power loss, or deleted while pictures are compared: made again")
@pytest.mark.parametrize("depth", list(Depth))
def test_views_that_are_empty_are_made_again(desk: Desk, depth: Depth) -> None:
    desk.copies(1, 640, 320)
    desk.library.scan()
    desk.detector.run(NullProgress(), DetectJobParameters(depth=depth))
    for view in desk.views.rglob("*.jpg"):
        os.truncate(view, 0)
    desk.copies(1, 400)
    desk.update()
    assert len(desk.matched()) == 3


@pytest.mark.parametrize("spoil", [Path.unlink, lambda view: view.write_bytes(b"\xff\xd8 no picture \xff\xd9")])
@pytest.mark.parametrize("depth", list(Depth))
def test_views_that_go_while_they_are_looked_at_are_made_again(
    desk: Desk, spoil: Any, depth: Depth, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure, spoilt = Previews.ensure, []

    def meddled(self: Previews, *arguments: Any) -> Any:
        found = ensure(self, *arguments)
        for path in found[0].values():
            if path not in spoilt:
                spoilt.append(path)
                spoil(path)
        return found

    monkeypatch.setattr(Previews, "ensure", meddled)
    desk.copies(1, 640, 320)
    desk.library.scan()
    desk.detector.run(NullProgress(), DetectJobParameters(depth=depth))
    assert len(spoilt) == 2
    assert desk.matched() == {("1-320", "1-640")}


@pytest.mark.fault("a folder offline while a copy of what is in it comes: compared when it is back")
def test_a_picture_that_is_out_of_reach_is_compared_when_it_is_back(desk: Desk, tmp_path: Path) -> None:
    away = tmp_path / "away"
    save(photograph(1, 640, 480), away / "1-640.jpg", quality=92)
    desk.library.watch(*(ScanRoot(WatchRoot(bytes(folder))) for folder in (desk.photos, away)))
    save(photograph(9, 320, 240), desk.photos / "alone.jpg")
    desk.update()
    desk.library.store.write(lambda db: images.set_state_of_root_at(db, bytes(away), RootState.OFFLINE, text("gone")))
    desk.copies(1, 320)
    desk.library.scan(desk.photos / "1-320.jpg")
    for _ in range(TRIES + 1):
        desk.detector.update(NullProgress())
    assert (desk.count("match"), desk.later()) == (0, 1)
    desk.library.store.write(lambda db: images.set_state_of_root_at(db, bytes(away), RootState.ONLINE, None))
    desk.detector.update(NullProgress())
    assert (desk.count("match"), desk.later(), desk.count("duplicate_group")) == (1, 0, 1)
    assert desk.sum("proposed") == desk.sum("near") == 1, "it is counted once"


def test_a_picture_that_cannot_be_read_now_is_compared_when_it_can(desk: Desk) -> None:
    desk.copies(1, 640, 320)
    desk.library.scan()
    hidden = (desk.photos / "1-640.jpg").rename(desk.photos / "elsewhere")
    desk.detector.update(NullProgress())
    assert (desk.matched(), desk.later(), desk.failures()) == (set(), 1, [])
    hidden.rename(desk.photos / "1-640.jpg")
    desk.detector.update(NullProgress())
    assert desk.matched() == {("1-320", "1-640")}


@pytest.mark.fault("the cache of views full or closed: the job waits or fails with a word, and no pair is passed over")
@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, NoRoom), (errno.EROFS, StoreError)])
def test_views_that_cannot_be_kept_end_the_job_and_lose_no_pair(
    library: Library, number: int, error: type[StoreError], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(library, cast(WorkerPool, InlinePool(1, WorkerLimits())))
    desk.copies(1, 640, 320)
    desk.library.scan()

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as refusing:
        refusing.setattr(os, "replace", refuse)
        with pytest.raises(error, match=re.escape(os.strerror(number))) as raised:
            desk.detector.update(NullProgress())
    assert isinstance(raised.value, NoRoom) == (error is NoRoom)
    assert str(desk.views) in str(raised.value)
    assert raised.value.hint
    desk.detector.update(NullProgress())
    assert desk.matched() == {("1-320", "1-640")}


def test_a_view_that_cannot_be_kept_is_shown_all_the_same(desk: Desk) -> None:
    desk.copies(1, 640)
    desk.library.scan()
    desk.views.write_text("in the way")
    (content_id,) = desk.library.images().values()
    assert content_id is not None
    assert Previews(desk.library.store, desk.pool, LIMITS).make(content_id).startswith(b"\xff\xd8")


def test_a_digest_of_pixels_that_could_not_be_made_for_a_moment_is_made_later(desk: Desk) -> None:
    picture = photograph(1, 640, 480)
    save(picture, desk.photos / "a.png")
    save(picture, desk.photos / "b.bmp")
    desk.library.scan()
    hidden = (desk.photos / "a.png").rename(desk.photos / "elsewhere")
    desk.detector.update(NullProgress())
    hidden.rename(desk.photos / "a.png")
    desk.detector.update(NullProgress())
    assert desk.count("match WHERE kind = 'pixels'") == 1


def test_pairs_at_which_the_service_ended_come_last_and_each_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2, 3):
        desk.copies(seed, 640, 320)
    desk.library.scan()
    pairs = [tuple(sorted((a, b))) for a, b in zip(*[iter(desk.library.images().values())] * 2, strict=True)]
    for chunk in (pairs[:2], pairs[:1]):
        desk.library.store.write(lambda db, chunk=chunk: records.start(db, VERIFIER, chunk))
        desk.open()
    handed_out: list[list[tuple[int, int]]] = []
    run = desk.pool.run

    def watched(function: Any, items: Any, lane: Any = None) -> Any:
        chunk = list(items)
        if chunk and isinstance(chunk[0][1], PairTask):
            handed_out.append([pair for pair, _ in chunk])
        return run(function, chunk, lane)

    monkeypatch.setattr(desk.pool, "run", watched)
    desk.detector.update(NullProgress())
    assert handed_out == [[pairs[2]], [pairs[1]], [pairs[0]]]
    assert (len(desk.matched()), desk.failures(), desk.count("quarantine")) == (3, [], 0)


def test_the_pairs_of_one_set_of_copies_are_handed_out_in_a_row(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that each of its previews is read once."""
    for width in (640, 560, 480):
        # The ids of one set are apart.
        for seed in (1, 2):
            desk.copies(seed, width)
        desk.library.scan()
    set_of = {content_id: name[0] for name, content_id in desk.library.images().items()}
    handed_out: list[list[str]] = []
    run = desk.pool.run

    def watched(function: Any, items: Any, lane: Any = None) -> Any:
        chunk = list(items)
        handed_out.append([set_of[pair[0]] for pair, task in chunk if isinstance(task, PairTask)])
        return run(function, chunk, lane)

    monkeypatch.setattr(desk.pool, "run", watched)
    desk.detector.update(NullProgress())
    assert sorted(chain.from_iterable(handed_out)) == ["1"] * 3 + ["2"] * 3
    assert all(sets in (sorted(sets), sorted(sets, reverse=True)) for sets in handed_out)


def test_a_job_that_is_cancelled_holds_nothing_against_its_pairs(desk: Desk) -> None:
    class Stopped(NullProgress):
        def checkpoint(self) -> None:
            raise Cancelled(text("on request"))

    desk.copies(1, 640, 320)
    desk.library.scan()
    with pytest.raises(Cancelled):
        desk.detector.update(Stopped())
    assert (desk.failures(), desk.count("quarantine")) == ([], 0)


@pytest.mark.slow
@pytest.mark.fault("a pair that ends the whole service: given up by name the third time, all others compared")
def test_the_service_is_ended_three_times_by_a_pair_and_then_no_more(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for seed, width in ((1, 320), (2, poisoned.WIDTH), (3, 320)):
        picture = photograph(seed, 640, 480)
        save(picture, photos / f"{seed}.jpg", quality=92)
        save(picture.resize((width, width * 3 // 4)), photos / f"{seed} small.jpg", quality=85)
    program = Program(tmp_path, photos, workers=2)
    ends = [run_poisoned(program, "judge", "duplicate_group") for _ in range(TRIES + 1)]
    assert ends == [-signal.SIGKILL] * TRIES + [0], program.log.read_text()[-3000:]
    assert len(program.ask("SELECT * FROM duplicate_group")) == 2
    log = program.log.read_text()
    assert f"{photos / '2 small.jpg'} and {photos / '2.jpg'} were not compared" in log or (
        f"{photos / '2.jpg'} and {photos / '2 small.jpg'} were not compared" in log
    )
    assert program.ask("SELECT work, crashes FROM quarantine") == [(VERIFIER, TRIES)]
    program.check_index()


def test_the_most_alike_are_compared_first_and_the_pairs_of_one_picture_together() -> None:
    def pair(a_id: int, b_id: int, cosine: float | None) -> CandidatePair:
        return CandidatePair(a_id, b_id, 0, Turn.NONE, cosine=cosine)

    far, near, nearer, turned = pair(1, 2, 0.7), pair(3, 4, 0.8), pair(3, 6, 0.9), pair(7, 8, None)
    between = pair(4, 6, 0.85)
    lanes = verify_pairs._lanes([one.pair for one in (far, near, nearer, turned, between)])
    assert verify_pairs._ranked([far, near, between, nearer, turned], lanes) == [turned, nearer, near, between, far]
