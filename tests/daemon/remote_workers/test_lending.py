"""Pairs that are compared on other machines: the same answers, each once, whatever becomes of the machines."""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.processes.verify_task import describe_preview, verify_pair
from daemon.processes.worker import of_item
from daemon.remote_workers import lender as lender_module
from daemon.remote_workers import wire
from support.lending import HeldBack, Lending, wait_for
from support.lent_pairs import Pairs, gather

# Each waits for programs that are started, stopped or left without an answer.
pytestmark = pytest.mark.slow

Lend = Callable[..., Lending]


def judged_while(lending: Lending, pairs: Pairs, happens: Callable[[], Any]) -> dict[Any, Any]:
    """What the pool says of every pair, while something happens to ann, who has some of them."""
    outcomes = lending.pool.run(partial(of_item, verify_pair), pairs.tasks)
    first = [next(outcomes)]
    wait_for(lambda: lending.away("ann"))
    happens()
    return gather([*first, *outcomes])


def test_a_worker_says_what_is_said_at_home(lend: Lend, pairs: Pairs) -> None:
    lending = lend(pool=HeldBack)
    lending.start("ann")
    assert pairs.judge(lending.pool) == pairs.expected
    assert lending.done() == {"ann": len(pairs.tasks)}
    views = sorted({task.first_view for _, task in pairs.tasks})
    features = {outcome.item: outcome.value for outcome in lending.pool.run(describe_preview, views)}
    assert features == {view: describe_preview(view) for view in views}
    status = lending.lender.status()
    assert status.listening and status.isolated
    lending.roster.remove("ann")
    lending.wait_for()
    assert wait_for(lending.processes["ann"].poll) == 1
    assert "revoked" in lending.log("ann")


def test_home_and_a_worker_share_the_work(lend: Lend, pairs: Pairs) -> None:
    lending = lend()
    lending.start("ann")
    assert pairs.judge(lending.pool) == pairs.expected
    at_home = lending.lender.status().home_done["verify"]
    assert at_home + lending.done().get("ann", 0) == len(pairs.tasks)
    assert at_home, "the processors here keep working"


def test_what_a_person_waits_for_stays_at_home(lend: Lend, pairs: Pairs) -> None:
    lending = lend(pool=HeldBack)
    lending.start("ann")
    _, task = pairs.tasks[0]
    assert lending.pool.call(verify_pair, task).kind is not None
    assert lending.done() == {}


def test_a_view_that_cannot_be_read_is_the_affair_of_the_service(lend: Lend, pairs: Pairs, tmp_path: Path) -> None:
    lending = lend(pool=HeldBack)
    lending.start("ann")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    outcomes = {o.item: o for o in lending.pool.run(describe_preview, [str(broken), str(tmp_path / "none.jpg")])}
    assert {outcome.failure and outcome.failure.reason for outcome in outcomes.values()} == {"no_view"}
    assert lending.connected() == {"ann"}


@pytest.mark.fault("a worker is killed")
def test_a_worker_that_is_killed_loses_nothing(lend: Lend, pairs: Pairs) -> None:
    lending = lend()
    lending.start("ann", "bob", "cleo")
    assert judged_while(lending, pairs, lambda: lending.signal("ann", signal.SIGKILL)) == pairs.expected
    lending.wait_for("bob", "cleo")
    # The work is all done; it comes again and is as good as before.
    lending.processes.pop("ann").wait()
    lending.join("ann")
    lending.wait_for("ann", "bob", "cleo")
    assert pairs.judge(lending.pool) == pairs.expected


@pytest.mark.fault("a worker hangs, or sleeps")
def test_a_worker_that_hangs_loses_nothing(lend: Lend, pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SILENCE_S", 4.0)
    lending = lend()
    lending.start("ann", "bob", "cleo")
    assert judged_while(lending, pairs, lambda: lending.signal("ann", signal.SIGSTOP)) == pairs.expected
    wait_for(lambda: "ann" not in lending.connected())
    lending.signal("ann", signal.SIGCONT)
    lending.wait_for("ann", "bob", "cleo")
    assert pairs.judge(lending.pool) == pairs.expected


@pytest.mark.fault("every worker is killed, and only home is left")
def test_all_workers_gone(lend: Lend, pairs: Pairs) -> None:
    lending = lend()
    lending.start("ann", "bob", "cleo")

    def kill() -> None:
        for name in ("ann", "bob", "cleo"):
            lending.signal(name, signal.SIGKILL)

    assert judged_while(lending, pairs, kill) == pairs.expected


@pytest.mark.fault("the process that listens is killed, or hangs")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hangs"])
def test_the_process_that_listens(
    lend: Lend, pairs: Pairs, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(wire, "SILENCE_S", 4.0)
    monkeypatch.setattr(lender_module, "RESTART_S", 0.1)
    lending = lend()
    lending.start("ann", "bob", "cleo")
    before = lending.lender.gate_pid
    assert before is not None
    assert judged_while(lending, pairs, lambda: os.kill(before, number)) == pairs.expected
    wait_for(lambda: lending.lender.gate_pid not in (None, before))
    lending.wait_for("ann", "bob", "cleo")
    assert pairs.judge(lending.pool) == pairs.expected


@pytest.mark.fault("the disk of a worker is full")
def test_a_worker_with_a_full_disk_gets_nothing(lend: Lend, pairs: Pairs) -> None:
    lending = lend()
    lending.start("bob", "cleo")
    lending.invite("ann")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    lending.join("ann", before=full)
    lending.wait_for("ann", "bob", "cleo")
    assert pairs.judge(lending.pool) == pairs.expected
    assert "ann" not in lending.done()
    assert lending.problem("ann") == "lending.unfit"
    assert lending.connected() == {"bob", "cleo"}


@pytest.mark.fault("a worker is revoked while it works")
def test_a_worker_that_is_revoked_while_it_works(lend: Lend, pairs: Pairs) -> None:
    lending = lend()
    lending.start("ann", "bob", "cleo")
    assert judged_while(lending, pairs, lambda: lending.roster.remove("ann")) == pairs.expected
    lending.wait_for("bob", "cleo")
    assert wait_for(lending.processes["ann"].poll) == 1


def test_a_lender_that_stops_brings_everything_home(lend: Lend, pairs: Pairs) -> None:
    lending = lend()
    lending.start("ann", "bob")
    assert judged_while(lending, pairs, lending.lender.stop) == pairs.expected
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("comparimg-lend")]


def test_a_faster_worker_does_more(lend: Lend, pairs: Pairs) -> None:
    lending = lend(pool=HeldBack)
    lending.start("fast", "slow")
    # It works a quarter of the time.
    stop = threading.Event()

    def slow_down() -> None:
        while not stop.is_set():
            lending.signal("slow", signal.SIGSTOP)
            time.sleep(0.3)
            lending.signal("slow", signal.SIGCONT)
            time.sleep(0.1)

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        for _ in range(3):
            assert pairs.judge(lending.pool) == pairs.expected
    finally:
        stop.set()
        thread.join()
    done = lending.done()
    assert done["fast"] > done["slow"] > 0


def test_a_worker_leaves_no_files(lend: Lend, pairs: Pairs, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    lending = lend(pool=HeldBack)
    lending.invite("ann")
    lending.join("ann", "--processes", "1", "--scratch", str(scratch))
    lending.wait_for("ann")
    assert pairs.judge(lending.pool) == pairs.expected
    (folder,) = scratch.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    lending.signal("ann", signal.SIGKILL)
    lending.processes.pop("ann").wait()
    assert folder.exists()
    lending.join("ann", "--processes", "1", "--scratch", str(scratch))
    wait_for(lambda: lending.connected() and not folder.exists())
    lending.signal("ann", signal.SIGTERM)
    assert lending.processes["ann"].wait() == 0
    assert list(scratch.iterdir()) == []


OLD = """
from daemon.remote_workers import worker_session
worker_session.VERSION = "0.0.9"
from daemon.remote_workers.join import main
main()
"""


@pytest.mark.fault("a worker of another version, and one with the certificate of another service")
def test_workers_that_do_not_belong(lend: Lend, pairs: Pairs) -> None:
    lending, other = lend(), lend()
    lending.start("bob")
    lending.invite("ann")
    lending.join("ann", code=OLD)
    stranger = other.invite("cleo")
    other.lender.stop()
    file = lending.folder / "cleo.worker"
    file.write_bytes(msgspec.structs.replace(stranger, port=lending.port).to_bytes())
    lending.join("cleo")
    wait_for(lambda: "versions differ" in lending.log("ann"))
    wait_for(lambda: "not that of the service" in lending.log("cleo"))
    assert pairs.judge(lending.pool) == pairs.expected
    assert lending.connected() == {"bob"}
    assert lending.problem("ann") == "lending.version"
