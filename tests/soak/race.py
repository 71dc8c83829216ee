"""A real editor in a process of its own saves a picture at random moments of every action that changes it.

    make race ROUNDS=10000 SEED=1

Each round one action is done and settled, while the editor saves the file up to four times, each time by a new file
that is renamed over it. The newest save must have the path in the end. Ends with 1 where it has not, or where anything
is left under a temporary name.
"""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from daemon.files import actions, step_recovery
from daemon.files.protected_paths import ManagedFolders
from daemon.files.rescue import Rescue
from daemon.files.trash import NAME, Trashes
from index.database.records.batches import Action, Step
from index.errors import StepRefused
from index.imaging.decoding.pictures import digest
from index.model import Identity

OLD, NEW = b"the old picture", b"the new one"
ACTIONS = (Action.REPLACE, Action.LINK, Action.SWAP, Action.TRASH, Action.MOVE)
# Within which an editor begins after an action, and pauses between its saves.
MOST_DELAY_S = 0.0006
MOST_PAUSE_S = 0.0001


def edit() -> None:
    """The editor: for each line "path saves delay pause" it saves that often; then it reports it."""
    for line in sys.stdin:
        path, saves, delay, pause = line.rsplit(" ", 3)
        staged = []
        for number in range(int(saves)):
            staged.append(f"{path}-{number}")
            Path(staged[-1]).write_bytes(b"save %d" % number)
        print("ready", flush=True)
        sys.stdin.readline()
        _wait(float(delay))
        for name in staged:
            os.rename(name, path)
            _wait(float(pause))
        print("saved", flush=True)


def _wait(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def made(folder: Path, action: Action) -> Step:
    """The files of a step in a new folder, and the step."""
    trash = folder / os.fsdecode(NAME) / "b"
    for inner in (folder / "a", folder / "best", trash):
        inner.mkdir(parents=True)
    path, temp, kept = (folder / "a" / name for name in ("x.jpg", ".part", "kept.jpg"))
    place = trash / "1-x.jpg"
    path.write_bytes(OLD)
    step = Step(action, bytes(path), Identity.of(path.lstat()), digest(OLD), trash=bytes(place), temp=bytes(temp))
    if action is Action.MOVE:
        return replace(step, target=bytes(folder / "best" / "x.jpg"), trash=b"", temp=b"")
    if action is Action.REPLACE:
        temp.write_bytes(NEW)
        return replace(step, made=Identity.of(temp.lstat()), made_digest=digest(NEW))
    if action is Action.LINK:
        kept.write_bytes(OLD)
        return replace(step, keeper=bytes(kept), made=Identity.of(kept.lstat()))
    if action is Action.SWAP:
        path.rename(place)
        path.write_bytes(NEW)
        swapped = replace(step, target=bytes(trash / "2-x.jpg"), made_digest=digest(NEW))
        return replace(swapped, made=Identity.of(path.lstat()))
    return step


def played(folder: Path, action: Action, editor: "subprocess.Popen[str]", chance: random.Random) -> tuple[str, str]:
    """One round: how the action ended, and what was lost, or ""."""
    step = made(folder, action)
    folders = ManagedFolders.of({bytes(folder): False})
    rescue = Rescue(Trashes(folders), "race")
    saves = chance.randint(1, 4)
    path = folder / "a" / "x.jpg"
    assert editor.stdin is not None
    assert editor.stdout is not None
    editor.stdin.write(f"{path} {saves} {chance.uniform(0, MOST_DELAY_S)} {chance.uniform(0, MOST_PAUSE_S)}\n")
    editor.stdin.flush()
    editor.stdout.readline()
    editor.stdin.write("go\n")
    editor.stdin.flush()
    ended = "done"
    try:
        actions.perform(step, folders.file_ref, lambda _: None, rescue)
    except StepRefused as http_error:
        ended = http_error.reason
    except OSError as error:
        ended = type(error).__name__
    step_recovery.recover_step(step, folders.file_ref, rescue)
    editor.stdout.readline()
    newest = b"save %d" % (saves - 1)
    there = path.read_bytes() if path.exists() else b""
    if there != newest:
        everywhere = {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        return ended, f"{action}: the path holds {there!r}, not {newest!r}: {everywhere}"
    left = [name for name in os.listdir(folder / "a") if name.startswith(".") or "-" in name]
    return ended, f"{action}: left behind: {left}" if left else ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--editor", action="store_true")
    given = parser.parse_args()
    if given.editor:
        edit()
        return 0
    chance = random.Random(given.seed)
    ends: Counter[str] = Counter()
    losses = []
    command = [sys.executable, "-m", "soak.race", "--editor"]
    with (
        tempfile.TemporaryDirectory(prefix="comparimg-race-") as name,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as editor,
    ):
        for number in range(given.rounds):
            action = ACTIONS[number % len(ACTIONS)]
            ended, loss = played(Path(name) / str(number), action, editor, chance)
            ends[f"{action} {ended}"] += 1
            if loss:
                losses.append(loss)
        with contextlib.suppress(OSError):
            editor.communicate()
    for what, count in sorted(ends.items()):
        print(f"{what:20} {count:6}")
    print(f"{given.rounds} rounds, {len(losses)} with a loss", *losses[:5], sep="\n")
    return int(bool(losses))


if __name__ == "__main__":
    sys.exit(main())
