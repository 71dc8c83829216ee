"""EDGE: reads and writes the lines of a trash's manifest. Any text editor can read them; nothing in them is trusted.

A manifest may be damaged, cut off, of any size, or forged: it is read in pieces from where the last reading ended,
lines that are too long are skipped, and every value in a line is checked. See discovery.trash_places for the paths to
which a file may be restored.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from index.imaging.discovery.trash_places import below, holder_of, is_absolute, is_trash_name, is_visible

NAME: Final = b"manifest.jsonl"
EVENTS: Final = frozenset({"trash", "restored", "emptied"})
# The longest line that we write has 52 KB: two paths of 4,096 bytes that are not UTF-8.
LONGEST_LINE_BYTES: Final = 64 * 2**10
PIECE_BYTES: Final = 256 * 2**10
DIGEST_BYTES: Final = 32
HIGHEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a manifest: what happened to the file at `place`. Events: trash, restored, emptied. `relative` is the
    path of the file relative to the folder that holds the trash, b"" if the line does not give it."""

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
    """The lines of an open file from a position on, each with the position after it. A line that is too long is given
    as b"".

    If the last line is incomplete, the position is the one before it; if it is also too long, the position up to which
    it was skipped. Reading ends after `most_bytes` or a little more.
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


def parse(trash_folder: bytes, line: bytes) -> Entry | None:
    """The entry in a line of the manifest of a trash folder, None if ComparImg cannot have written the line."""
    try:
        values = json.loads(line)
        return _entry(trash_folder, values) if isinstance(values, dict) else None
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None


def line_of(trash_folder: bytes, entry: Entry, mark: Mapping[str, Any] | None = None) -> bytes:
    """The line for an entry, with its line feed. `mark` has the fields that identify the index that writes it."""
    relative = below(holder_of(trash_folder), entry.path)
    values = {
        "at": datetime.fromtimestamp(entry.at_ns // 10**9, UTC).isoformat(),
        "event": entry.event,
        "file": os.fsdecode(entry.place[len(trash_folder) + 1 :]),
        **({} if relative is None else {"path": os.fsdecode(relative)}),
        "from": os.fsdecode(entry.path),
        "bytes": entry.size_bytes,
        "mtime_ns": entry.mtime_ns,
        "inode": entry.inode,
        "blake3": entry.digest.hex(),
        "batch": entry.batch_id,
        **(mark or {}),
    }
    return json.dumps(values, ensure_ascii=True).encode() + b"\n"


def _entry(trash_folder: bytes, values: dict[str, Any]) -> Entry:
    event, name, path = values["event"], _bytes(values["file"]), _bytes(values["from"])
    if event not in EVENTS or not is_trash_name(name) or not is_absolute(path):
        raise ValueError
    at = datetime.fromisoformat(values["at"])
    at_s = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    relative = _bytes(values.get("path", ""))
    return Entry(
        event=event,
        place=os.path.join(trash_folder, name),
        path=path,
        size_bytes=_integer(values["bytes"], 0),
        mtime_ns=_integer(values["mtime_ns"], -HIGHEST),
        # An inode number beyond 63 bits is stored as its two's complement.
        inode=_integer(values["inode"], -HIGHEST - 1),
        digest=_digest(values["blake3"]),
        batch_id=_integer(values["batch"], 0),
        at_ns=_integer(at_s * 10**9, 0),
        relative=relative if is_visible(relative) else b"",
    )


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    return os.fsencode(text)


def _integer(value: Any, least: int) -> int:
    if type(value) is not int or not least <= value <= HIGHEST:
        raise ValueError
    return value


def _digest(text: Any) -> bytes:
    """A digest, b"" if it is invalid: then the file can be restored, but not removed."""
    try:
        digest = bytes.fromhex(text)
    except (TypeError, ValueError):
        return b""
    return digest if len(digest) == DIGEST_BYTES else b""
