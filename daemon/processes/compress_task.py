"""What worker processes are asked to do by a compression: make one file smaller and write the result beside it.

The result is a temporary file, on the disk and read back from there, with the source's times, mode, owner and extended
attributes; the journal gives it its name. The source is only ever read.
"""

import errno
import os
from dataclasses import dataclass, replace

from daemon.files import safe_files
from daemon.files.safe_files import Spot
from index.encoding.compression import Wish
from index.encoding.recompress import Left, Smaller, recompress
from index.errors import PictureError
from index.images import pictures
from index.images.pictures import Limits
from index.model import Identity


@dataclass(frozen=True, slots=True)
class CompressTask:
    """A file that holds a known content. `temp` is where the result goes; None where it is only measured."""

    source: Spot
    digest: bytes
    size_bytes: int
    wish: Wish
    limits: Limits
    temp: Spot | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A result, without its bytes, and the temporary file that holds them."""

    smaller: Smaller
    size_bytes: int
    digest: bytes
    identity: Identity | None


def compress_file(task: CompressTask) -> Made | Left:
    """Raises PictureError, also where the result cannot be written: `no_space` or `unwritable`."""
    data, _ = pictures.read(task.source.path, task.limits.max_bytes, task.source.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "is not what it was when it was indexed")
    found = recompress(data, task.wish, task.limits)
    if isinstance(found, Left):
        return found
    identity = None if task.temp is None else _written(found.data, task.source, task.temp)
    return Made(replace(found, data=b""), len(found.data), pictures.digest(found.data), identity)


def compressed_bytes(task: CompressTask) -> bytes:
    """The bytes of what would be made. Raises PictureError, also where nothing would."""
    data, _ = pictures.read(task.source.path, task.limits.max_bytes, task.source.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "is not what it was when it was measured")
    found = recompress(data, task.wish, task.limits)
    if isinstance(found, Left):
        raise PictureError(found.reason, found.message)
    return found.data


def _written(data: bytes, source: Spot, temp: Spot) -> Identity:
    try:
        with safe_files.opened_file(source) as like:
            try:
                return safe_files.write_new(data, like, temp)
            except FileExistsError:
                # By this task, in a process that ended before it could answer.
                return _written_before(data, temp)
    except OSError as error:
        reason = "no_space" if error.errno in safe_files.NO_SPACE else "unwritable"
        words = error.strerror or os.strerror(error.errno or 0)
        raise PictureError(reason, f"the result cannot be written: {words}") from error


def _written_before(data: bytes, temp: Spot) -> Identity:
    with safe_files.opened_file(temp) as made:
        if safe_files.digest_of(made) != pictures.digest(data):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        return Identity.of(os.fstat(made))
