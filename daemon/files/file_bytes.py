"""EDGE: reads, compares and copies the bytes of open files. Any thread."""

import contextlib
import os
import stat
from typing import Final

from blake3 import blake3

from index import operating_system

PIECE_BYTES: Final = 2**20


def digest_of(descriptor: int) -> bytes:
    """The content digest of an open file, equal to pictures.digest."""
    hasher = blake3()
    os.lseek(descriptor, 0, os.SEEK_SET)
    while piece := os.read(descriptor, PIECE_BYTES):
        hasher.update(piece)
    return bytes(hasher.digest())


def are_equal(first: int, second: int) -> bool:
    """Whether two open files hold the same bytes, by comparing them all."""
    for descriptor in (first, second):
        os.lseek(descriptor, 0, os.SEEK_SET)
    while True:
        pieces = [_read_fully(descriptor) for descriptor in (first, second)]
        if pieces[0] != pieces[1]:
            return False
        if not pieces[0]:
            return True


def write_fully(descriptor: int, data: bytes) -> None:
    """Write all the data: write(2) may write less than it was given."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def copy_bytes(source: int, target: int) -> None:
    """Copy all bytes of an open file to the current position of another open file."""
    os.lseek(source, 0, os.SEEK_SET)
    while piece := os.read(source, PIECE_BYTES):
        write_fully(target, piece)


def copy_attributes(source: int, target: int) -> None:
    """Copy times and, where possible, mode, owner and extended attributes."""
    status = os.fstat(source)
    with contextlib.suppress(OSError):
        operating_system.copy_extended_attributes(source, target)
    with contextlib.suppress(OSError):
        os.fchown(target, status.st_uid, status.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def sync_and_drop_cache(descriptor: int) -> None:
    """Sync a file to the disk, and drop it from the page cache."""
    operating_system.sync(descriptor)
    # Otherwise a later read would return the cached bytes, not what the disk has stored.
    operating_system.drop_cache(descriptor)


def _read_fully(descriptor: int) -> bytes:
    """Read a whole block, or the rest of the file: read(2) may return less than was requested."""
    piece = b""
    while len(piece) < PIECE_BYTES and (more := os.read(descriptor, PIECE_BYTES - len(piece))):
        piece += more
    return piece
