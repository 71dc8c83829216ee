"""A file that takes the whole service with it is found out, told by name, and costs no other file."""

import os
import signal
from pathlib import Path

import pytest

from daemon.jobs.scan import ScanRoot
from index.records import suspects
from index.records.catalogue import WatchRoot
from support.library import Library
from support.pictures import photograph, save
from support.program import Program, run_poisoned

PICTURES = 9


def held(library: Library) -> dict[bytes, int]:
    with library.store.read() as database:
        return suspects.crashes(database)


def crash_over(library: Library, *files: Path, times: int = 1) -> None:
    for _ in range(times):
        library.store.write(lambda db: suspects.begin(db, [bytes(file) for file in files]))
        library.scanner.recover()


def test_nothing_is_held_against_files_that_were_read(library: Library) -> None:
    save(photograph(1, 80, 60), library.photos / "a.jpg")
    (library.photos / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    library.scan()
    library.scanner.recover()
    assert held(library) == {}


def test_suspects_are_read_after_all_others_and_each_alone(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [save(photograph(number, 80, 60), library.photos / f"{number}.jpg") for number in range(5)]
    crash_over(library, files[0], files[1])
    crash_over(library, files[0])
    handed_out: list[list[bytes]] = []
    run = library.pool.run

    def watched(function, items):  # type: ignore[no-untyped-def]
        handed_out.append([])
        return run(function, (handed_out[-1].append(os.path.basename(item.path)) or item for item in items))

    monkeypatch.setattr(library.pool, "run", watched)
    assert library.scan()["read"] == len(files)
    assert [some for some in handed_out if some] == [[b"2.jpg", b"3.jpg", b"4.jpg"], [b"1.jpg"], [b"0.jpg"]]
    assert held(library) == {}


def test_the_third_time_it_is_a_problem_by_name_and_read_again_only_when_it_changes(library: Library) -> None:
    poison = save(photograph(1, 80, 60), library.photos / "poison.jpg")
    save(photograph(2, 80, 60), library.photos / "b.jpg")
    crash_over(library, poison, times=suspects.CRASHES)
    outcome = library.scan()
    assert (outcome["read"], outcome["problems"]) == (1, 1)
    assert library.problems() == {"poison.jpg": "crashed"}
    assert library.scan()["unchanged"] == 2
    save(photograph(3, 80, 60), poison)
    assert library.scan()["read"] == 1
    assert library.problems() == {}


def test_a_file_of_another_root_is_left_to_that_root(library: Library, tmp_path: Path) -> None:
    other = tmp_path / "other"
    there = save(photograph(1, 80, 60), other / "a.jpg")
    here = save(photograph(2, 80, 60), library.photos / "b.jpg")
    library.watch(*(ScanRoot(WatchRoot(bytes(folder))) for folder in (library.photos, other)))
    crash_over(library, there, here)
    assert library.scan(here)["read"] == 1
    assert held(library) == {bytes(there): 1}


@pytest.mark.fault("a file whose reading ends the whole service: told by name, all others indexed")
def test_the_service_is_ended_three_times_by_a_file_and_then_no_more(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in range(PICTURES):
        save(photograph(number, 80, 60), photos / f"{number}.jpg")
    poison = save(photograph(99, 80, 60), photos / "poison.jpg")
    program = Program(tmp_path, photos, workers=2)
    ends = [run_poisoned(program, "index", "problem") for _ in range(suspects.CRASHES + 1)]
    assert ends == [-signal.SIGKILL] * suspects.CRASHES + [0], program.log.read_text()[-3000:]
    read = {os.path.basename(path): content for path, content in program.ask("SELECT path, content_id FROM image")}
    assert read.pop(b"poison.jpg") is None
    assert len(read) == PICTURES
    assert None not in read.values()
    ((path, reason, message),) = program.ask("SELECT path, reason, message FROM problem")
    assert (path, reason) == (bytes(poison), "crashed")
    assert "ended 3 times" in message
    assert program.ask("SELECT * FROM suspect") == []
