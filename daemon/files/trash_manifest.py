"""EDGE: the manifest of a trash, line by line: written so that it needs no ComparImg to be read, and read warily.

A manifest may be broken, cut off, of any size, or made to deceive: it is read in pieces from where it was left, lines
that are too long are skipped, and every value in a line is checked. Nothing in it is trusted: see
index.images.trash_places for where a file may come back to.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from index.images.trash_places import below, holder_of, is_absolute, is_trash_name, is_visible

NAME: Final = b"manifest.jsonl"
EVENTS: Final = frozenset({"trash", "restored", "emptied"})
# The longest line of ours, with two paths of 4,096 bytes that are no UTF-8, has 52 KB.
LONGEST_LINE_BYTES: Final = 64 * 2**10
PIECE_BYTES: Final = 256 * 2**10
DIGEST_BYTES: Final = 32
HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a manifest: what happened to the file at `place`. Events: trash, restored, emptied. `relative` is
    the path from the folder that holds the trash, b"" where the line does not tell."""

    event: str
    place: bytes
    path: bytes
    size_bytes: int
    mtime_ns: int
    inode: int
    digest: bytes
    batch_id: int
    at_ns: int
    relative: bytes = b""


def read_lines(descriptor: int, start: int = 0, most_bytes: int | None = None) -> Iterator[tuple[bytes, int]]:
    """The lines of an open file from a position, each with the position behind it; b"" for one that is too long.

    A last line that is not ended comes with the position before it, one that is too long as far as it was skipped.
    Reading ends after `most_bytes` or a little more.
    """
    position = reading = start
    rest, skipping = b"", False
    while most_bytes is None or reading - start < most_bytes:
        piece = os.pread(descriptor, PIECE_BYTES, reading)
        if not piece:
            if rest:
                yield rest, position
            break
        reading += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            position += len(line) + 1
            yield b"" if skipping or len(line) > LONGEST_LINE_BYTES else line, position
            skipping = False
        if skipping or len(rest) > LONGEST_LINE_BYTES:
            position += len(rest)
            rest, skipping = b"", True
    if skipping:
        yield b"", position


def parse(home: bytes, line: bytes) -> Entry | None:
    """What a line of the manifest in a trash folder tells, None where it is none that ComparImg could have written."""
    try:
        told = json.loads(line)
        return _entry(home, told) if isinstance(told, dict) else None
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None


def line_of(home: bytes, entry: Entry, mark: Mapping[str, Any] | None = None) -> bytes:
    """The line for an entry, with its end; `mark` is what it tells of the index that writes it."""
    relative = below(holder_of(home), entry.path)
    told = {
        "at": datetime.fromtimestamp(entry.at_ns // 10**9, UTC).isoformat(),
        "event": entry.event,
        "file": os.fsdecode(entry.place[len(home) + 1 :]),
        **({} if relative is None else {"path": os.fsdecode(relative)}),
        "from": os.fsdecode(entry.path),
        "bytes": entry.size_bytes,
        "mtime_ns": entry.mtime_ns,
        "inode": entry.inode,
        "blake3": entry.digest.hex(),
        "batch": entry.batch_id,
        **(mark or {}),
    }
    return json.dumps(told, ensure_ascii=True).encode() + b"\n"


def _entry(home: bytes, told: dict[str, Any]) -> Entry:
    event, name, path = told["event"], _bytes(told["file"]), _bytes(told["from"])
    if event not in EVENTS or not is_trash_name(name) or not is_absolute(path):
        raise ValueError
    at = datetime.fromisoformat(told["at"])
    at_s = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    relative = _bytes(told.get("path", ""))
    return Entry(
        event=event,
        place=os.path.join(home, name),
        path=path,
        size_bytes=_whole(told["bytes"], 0),
        mtime_ns=_whole(told["mtime_ns"], -HIGHEST),
        # One beyond 63 bits is kept as its two's complement.
        inode=_whole(told["inode"], -HIGHEST - 1),
        digest=_digest(told["blake3"]),
        batch_id=_whole(told["batch"], 0),
        at_ns=_whole(at_s * 10**9, 0),
        relative=relative if is_visible(relative) else b"",
    )


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    return os.fsencode(text)


def _whole(value: Any, least: int) -> int:
    if type(value) is not int or not least <= value <= HIGHEST:
        raise ValueError
    return value


def _digest(text: Any) -> bytes:
    """A digest, b"" for what is none: the file can be restored, and not removed."""
    try:
        found = bytes.fromhex(text)
    except (TypeError, ValueError):
        return b""
    return found if len(found) == DIGEST_BYTES else b""
