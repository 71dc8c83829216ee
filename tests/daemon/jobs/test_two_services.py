"""Two services with indexes of their own on one folder: neither removes the copy that the other one keeps."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.files import replacement
from daemon.processes.worker_pool import WorkerPool
from support.sorting import Desk


@pytest.fixture
def second(desk: Desk, tmp_path: Path, pool: WorkerPool) -> Iterator[Desk]:
    """Another service on the folder of the first."""
    (tmp_path / "second").mkdir()
    made = Desk(tmp_path / "second", pool, roots=[str(desk.photos)])
    made.store.write(lambda db: db.execute_sql("UPDATE lineage SET index_id = ?", (secrets.token_hex(16),)))
    yield made
    made.close()


@pytest.mark.parametrize("choices", [("trash", "trash"), ("trash", "move"), ("move", "trash"), ("link", "trash")])
def test_opposite_decisions_at_the_same_moment_leave_a_copy(
    desk: Desk, second: Desk, monkeypatch: pytest.MonkeyPatch, choices: tuple[str, str]
) -> None:
    ours = desk.picture("photos/a.jpg", 1)
    theirs = desk.copy(ours, "photos/b.jpg")
    for service in (desk, second):
        service.scan()
    desk.decide({ours: choices[0], theirs: "keep"})
    second.decide({theirs: choices[1], ours: "keep"})
    outcomes: list[dict[str, Any]] = []
    for name in ("move_away", "replace_file"):
        renames = getattr(replacement, name)

        def late(*args: Any, renames: Any = renames) -> Any:
            # All checks of the first service have passed, and its rename is next.
            monkeypatch.undo()
            outcomes.append(second.sort())
            return renames(*args)

        monkeypatch.setattr(replacement, name, late)
    desk.sort()
    assert outcomes[0]["refused"] == {"in_use": 1}, outcomes
    (refused,) = [step for step in second.steps(outcomes[0]["batch"]) if step.reason]
    assert refused.path == bytes(theirs)
    assert theirs.exists()
    # Afterwards the second has no copy that could stay, and its decision is refused again.
    again = second.sort()
    if choices[0] == "link":
        assert ours.exists()
    else:
        assert again["trash"] == again["move"] == 0
        assert theirs.exists()


def test_a_copy_that_another_process_moves_is_not_relied_on(desk: Desk, pair: tuple[Path, Path]) -> None:
    kept, copy = pair
    desk.decide({copy: "trash"})
    with kept.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        outcome = desk.sort()
        assert outcome["refused"] == {"in_use": 1}
        (step,) = desk.steps(outcome["batch"])
        assert step.message is not None
        assert os.fsdecode(kept) in str(step.message.params)
        assert copy.exists()
    assert desk.sort()["trash"] == 1, "the decision is kept, and carried out once the lock has ended"


def test_a_file_that_another_process_keeps_stays(desk: Desk, pair: tuple[Path, Path]) -> None:
    _, copy = pair
    desk.decide({copy: "trash"})
    with copy.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert desk.sort()["refused"] == {"in_use": 1}
        assert copy.exists()
    assert desk.sort()["trash"] == 1


@pytest.mark.parametrize("is_cached", [False, True], ids=["gone", "cached"])
@pytest.mark.parametrize("choice", ["trash", "move"])
def test_a_file_that_is_shown_twice_is_moved_back(
    desk: Desk, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, choice: str, is_cached: bool
) -> None:
    kept, copy = pair
    hidden = kept.with_name("hidden")
    desk.decide({copy: choice})
    move_away, restore_name = replacement.move_away, replacement.restore_name

    def move_both(*args: Any) -> None:
        move_away(*args)
        if is_cached:
            kept.chmod(0o600)  # The time of the inode changes, as by a rename. The name is still in a cache.
        else:
            kept.rename(hidden)

    def restore_both(*args: Any) -> None:
        restore_name(*args)
        if not is_cached:
            hidden.rename(kept)

    monkeypatch.setattr(replacement, "move_away", move_both)
    monkeypatch.setattr(replacement, "restore_name", restore_both)
    outcome = desk.sort()
    assert outcome["refused"] == {"same_file": 1}
    assert kept.exists() and copy.exists()
    monkeypatch.undo()
    assert desk.sort()[choice] == 1, "the decision is kept"
