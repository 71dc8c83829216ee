"""Sets up the log: to the systemd journal with priorities, to a rotating file, or to standard error.

One record is one line, whatever it contains: a file may be called "a\\n2026-01-01 ERROR all is lost". Only a traceback
takes several lines.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path

from index.errors import ConfigError
from index.messages import Message, of_os_error

FILE_BYTES = 10 * 2**20
FILES_KEPT = 5
LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# The journal adds the time.
JOURNAL_LINE = "%(name)s: %(message)s"
# Priorities of syslog(3), which sd-daemon(3) expects before a line.
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class OneLine(logging.Formatter):
    """A message with control characters, and bytes that are not UTF-8, escaped."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = plain(record.message)
        return super().formatMessage(record)


class JournalLine(OneLine):
    """A line with its priority in front, which systemd removes."""

    def format(self, record: logging.LogRecord) -> str:
        priority = PRIORITIES.get(record.levelno, 6)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def plain(text: str) -> str:
    """A text, escaped to one line of characters that any encoding of a log can hold."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda match: ascii(match[0])[1:-1], text)
    return text.encode("utf-8", "backslashreplace").decode()


def set_up(level: str, file: Path | None, environ: Mapping[str, str] = os.environ) -> None:
    """Send the log of the whole process to `file`, or to standard error if it is None. Raises ConfigError."""
    handler: logging.Handler
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handler = RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                "daemon.log_file", [Message("config.log_unwritable", file=file, error=of_os_error(error))]
            ) from error
        handler.setFormatter(OneLine(LINE))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JournalLine(JOURNAL_LINE) if is_journal(environ) else OneLine(LINE))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    set_level(level)


def set_level(level: str) -> None:
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(number)
    # At INFO it logs a line every minute for every schedule that it checks.
    logging.getLogger("apscheduler").setLevel(max(number, logging.WARNING))
    # It logs a normal stop as an error. Lost events are reported by daemon.watching.
    logging.getLogger("watchdog.observers.inotify").setLevel(logging.CRITICAL)


def is_journal(environ: Mapping[str, str]) -> bool:
    """Whether our standard error is the journal. The variable alone does not prove it: it may be inherited from a
    parent process."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
