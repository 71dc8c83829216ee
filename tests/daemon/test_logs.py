"""One record is one line, wherever the log goes."""

import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import logs
from index.errors import ConfigError


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, clock = root.handlers[:], root.level, logging.getLogger("apscheduler").level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)
    logging.getLogger("apscheduler").setLevel(clock)


def test_a_file_is_begun_again_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 10_000)
    file = tmp_path / "log" / "comparimg.log"
    logs.set_up("info", file)
    for number in range(2000):
        logging.getLogger("test").info("line %d", number)
        logging.getLogger("test").debug("no one asked")
    kept = sorted(path.name for path in file.parent.iterdir())
    assert kept == ["comparimg.log", *(f"comparimg.log.{number}" for number in range(1, logs.FILES_KEPT + 1))]
    assert sum(path.stat().st_size for path in file.parent.iterdir()) < 10_000 * (logs.FILES_KEPT + 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]+ INFO test: line 1999", file.read_text().splitlines()[-1])


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        logs.set_up("info", tmp_path / "file" / "comparimg.log")


def test_the_journal_gets_priorities_on_every_line_and_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as journal:
        monkeypatch.setattr(sys, "stderr", journal)
        status = os.fstat(journal.fileno())
        logs.set_up("debug", None, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        logging.getLogger("test").warning("watch out")
        try:
            raise ValueError("no")
        except ValueError:
            logging.getLogger("test").exception("it failed")
    lines = (tmp_path / "journal").read_text().splitlines()
    assert lines[0] == "<4>test: watch out"
    assert all(line.startswith("<3>") for line in lines[1:])
    assert lines[-1] == "<3>ValueError: no"


def test_the_journal_of_the_parent_process_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not logs.is_journal({})
    assert not logs.is_journal({"JOURNAL_STREAM": "1:2"})
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not logs.is_journal({"JOURNAL_STREAM": "1:2"})


def test_a_file_name_cannot_forge_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    logs.set_up("info", None, {})
    name = os.fsdecode(b"a\n2026-01-01 CRITICAL all is lost\x1b[2J\xff\xe2\x80\xa8")
    logging.getLogger("test").info("%s is read", name)
    (line,) = sys.stderr.getvalue().splitlines()  # type: ignore[attr-defined]
    assert r"a\n2026-01-01 CRITICAL all is lost\x1b[2J\udcff\u2028 is read" in line


def test_the_level_can_be_changed_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    logs.set_up("info", None, {})
    logs.set_level("error")
    logging.getLogger("test").warning("quiet")
    logging.getLogger("test").error("loud")
    assert sys.stderr.getvalue().endswith("ERROR test: loud\n")  # type: ignore[attr-defined]
    assert "quiet" not in sys.stderr.getvalue()  # type: ignore[attr-defined]
