"""A file that takes the whole service with it is found out, reported by name, and costs no other file."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from daemon.jobs import quarantine, scan_reading
from daemon.jobs.scan_roots import ScanRoot
from index.database.records import quarantine as records
from index.database.records.images import WatchRoot
from index.database.records.quarantine import TRIES
from index.messages import of_json
from index.model import FileVersion, Identity
from support import poisoned
from support.library import Library
from support.pictures import photograph, save
from support.program import Program, run_poisoned

PICTURES = 9


def version(file: Path) -> FileVersion:
    return FileVersion.of(bytes(file), Identity.of(file.stat()))


def held(library: Library) -> dict[bytes, int]:
    with library.store.read() as database:
        rows = database.execute_sql("SELECT item, crashes FROM quarantine WHERE work = 'read'").fetchall()
    return {bytes(path): count for path, count in rows}


def crash_over(library: Library, *files: Path, times: int = 1) -> None:
    """As if the service had ended while it read these."""
    for _ in range(times):
        library.store.write(lambda db: records.start(db, "read", [version(file) for file in files]))
        quarantine.recover(library.store)


def test_nothing_is_held_against_files_that_were_read(library: Library) -> None:
    save(photograph(1, 80, 60), library.photos / "a.jpg")
    (library.photos / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    library.scan()
    quarantine.recover(library.store)
    assert held(library) == {}


def test_suspects_are_read_after_all_others_and_each_alone(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [save(photograph(number, 80, 60), library.photos / f"{number}.jpg") for number in range(5)]
    crash_over(library, files[0], files[1])
    crash_over(library, files[0])
    handed_out: list[list[bytes]] = []
    run = library.pool.run

    def watched(function, items, lane):  # type: ignore[no-untyped-def]
        handed_out.append([])
        items = (handed_out[-1].append(os.path.basename(item[1].path)) or item for item in items)
        return run(function, items, lane)

    monkeypatch.setattr(library.pool, "run", watched)
    assert library.scan()["read"] == len(files)
    assert [names for names in handed_out if names] == [[b"2.jpg", b"3.jpg", b"4.jpg"], [b"1.jpg"], [b"0.jpg"]]
    assert held(library) == {}


def test_copies_among_suspects_are_decoded_once(library: Library) -> None:
    first = save(photograph(1, 80, 60), library.photos / "a.jpg")
    copies = [library.photos / f"copy {number}.jpg" for number in range(3)]
    for copy in copies:
        shutil.copyfile(first, copy)
    crash_over(library, first, *copies)
    outcome = library.scan()
    assert (outcome["read"], outcome["known"]) == (1, 3)


def test_the_third_time_it_is_a_problem_by_name_and_read_again_only_when_it_changes(library: Library) -> None:
    poison = save(photograph(1, 80, 60), library.photos / "poison.jpg")
    save(photograph(2, 80, 60), library.photos / "b.jpg")
    crash_over(library, poison, times=TRIES)
    outcome = library.scan()
    assert (outcome["read"], outcome["problems"]) == (1, 1)
    assert library.problems() == {"poison.jpg": "crashed"}
    assert library.scan()["unchanged"] == 2
    save(photograph(3, 80, 60), poison)
    assert library.scan()["read"] == 1
    assert library.problems() == {}


@pytest.mark.fault("a file by which the process dies that reads it: a problem by name, all others indexed")
def test_a_file_by_which_its_worker_dies_is_a_problem_until_it_changes(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = save(photograph(1, 80, 60), library.photos / "poison.jpg")
    save(photograph(2, 80, 60), library.photos / "b.jpg")
    with monkeypatch.context() as deadly:
        deadly.setattr(scan_reading, "index_file", poisoned.index_or_die)
        lost = sum(library.pool.losses.values())
        assert library.scan()["problems"] == 1
        assert sum(library.pool.losses.values()) == lost + 2, "the first time it might be chance"
        assert library.problems() == {"poison.jpg": "crashed"}
        assert library.images()["b.jpg"] is not None
        assert library.scan()["unchanged"] == 2
    assert held(library) == {}, "the problem is what keeps it from being read again"
    save(photograph(3, 80, 60), poison)
    assert library.scan()["read"] == 1
    assert library.problems() == {}


def test_a_file_that_changed_since_a_crash_starts_afresh(library: Library) -> None:
    poison = save(photograph(1, 80, 60), library.photos / "poison.jpg")
    crash_over(library, poison, times=TRIES)
    save(photograph(3, 80, 60), poison)
    assert library.scan()["read"] == 1
    assert library.problems() == {}
    assert held(library) == {}


def test_a_file_of_another_root_is_left_to_that_root(library: Library, tmp_path: Path) -> None:
    other = tmp_path / "other"
    there = save(photograph(1, 80, 60), other / "a.jpg")
    here = save(photograph(2, 80, 60), library.photos / "b.jpg")
    library.watch(*(ScanRoot(WatchRoot(bytes(folder))) for folder in (library.photos, other)))
    crash_over(library, there, here)
    assert library.scan(here)["read"] == 1
    assert held(library) == {bytes(there): 1}


@pytest.mark.slow
@pytest.mark.fault("a file whose reading ends the whole service: reported by name, all others indexed")
def test_the_service_is_ended_three_times_by_a_file_and_then_no_more(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in range(PICTURES):
        save(photograph(number, 80, 60), photos / f"{number}.jpg")
    poison = save(photograph(99, 80, 60), photos / "poison.jpg")
    program = Program(tmp_path, photos, workers=2)
    ends = [run_poisoned(program, "index", "problem") for _ in range(TRIES + 1)]
    assert ends == [-signal.SIGKILL] * TRIES + [0], program.log.read_text()[-3000:]
    read = {os.path.basename(path): content for path, content in program.ask("SELECT path, content_id FROM image")}
    assert read.pop(b"poison.jpg") is None
    assert len(read) == PICTURES
    assert None not in read.values()
    ((path, reason, message),) = program.ask("SELECT path, reason, message FROM problem")
    assert (path, reason) == (bytes(poison), "crashed")
    assert "ended 3 times" in str(of_json(message))
    assert program.ask("SELECT * FROM quarantine") == []
