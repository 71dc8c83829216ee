"""REST paths made from arguments of the command line. Only this module quotes them."""

import os
import urllib.parse
from pathlib import Path

from index.errors import UsageError

# Longer than any id or name of the daemon.
LONGEST_SEGMENT_BYTES = 1000


def at(*segments: object) -> str:
    """The REST path with these segments, quoted: `at("groups", key)`. Raises UsageError for an invalid segment."""
    return "/".join(map(_quoted, segments))


def uri_of(folder: Path) -> str:
    """The address of a folder for REST. It is absolute, and bytes that are not UTF-8 are preserved."""
    return Path(os.path.abspath(folder.expanduser())).as_uri()


def _quoted(segment: object) -> str:
    """A segment with its bytes percent-encoded. A slash is refused: servers treat even a quoted one as a separator."""
    raw = os.fsencode(str(segment))
    if not raw or b"/" in raw or b"\0" in raw or raw in (b".", b".."):
        raise UsageError("ctl.no_id", text=str(segment))
    if len(raw) > LONGEST_SEGMENT_BYTES:
        raise UsageError("ctl.id_too_long", text=str(segment)[:20])
    return urllib.parse.quote(raw, safe="")
