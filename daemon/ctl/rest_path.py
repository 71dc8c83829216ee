"""Paths of REST, made of what people give on the command line: every part quoted, in this one place."""

import os
import urllib.parse

from index.errors import UsageError

# More than any id or name that the daemon gives.
LONGEST_SEGMENT_BYTES = 1000


def at(*segments: object) -> str:
    """The path of REST made of these, quoted: `at("groups", key)`. Raises UsageError for what can be no part of one."""
    return "/".join(map(_quoted, segments))


def _quoted(segment: object) -> str:
    """Bytes that are no UTF-8 as they are. A slash would lead elsewhere, quoted or not: servers take it for one."""
    raw = os.fsencode(str(segment))
    if not raw or b"/" in raw or b"\0" in raw or raw in (b".", b".."):
        raise UsageError(f"{str(segment)!r} can be no id or name.")
    if len(raw) > LONGEST_SEGMENT_BYTES:
        raise UsageError(f"{str(segment)[:20]!r}... is too long for an id or name.")
    return urllib.parse.quote(raw, safe="")
