"""The task of worker processes in a compression: compress one file and write the result next to it.

The result is a temporary file, synced and read back from the disk, with the source's times, mode, owner and extended
attributes; the journal renames it. The source is only ever read.
"""

import errno
import os
from dataclasses import dataclass, replace

from daemon.files import safe_files
from daemon.files.safe_files import FileRef
from index.errors import PictureError
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import Limits
from index.imaging.encoding.compression import CompressionOptions
from index.imaging.encoding.recompress import Recompressed, Skipped, recompress
from index.model import Identity


@dataclass(frozen=True, slots=True)
class CompressTask:
    """A file with a known content. `temp` is where the result goes; None if it is only measured."""

    source: FileRef
    digest: bytes
    size_bytes: int
    options: CompressionOptions
    limits: Limits
    temp: FileRef | None = None


@dataclass(frozen=True, slots=True)
class CompressResult:
    """A result, without its bytes, and the temporary file that holds them."""

    smaller: Recompressed
    size_bytes: int
    digest: bytes
    identity: Identity | None


def compress_file(task: CompressTask) -> CompressResult | Skipped:
    """Compress a file. Raises PictureError, also if the result cannot be written: `no_space` or `unwritable`."""
    data, _ = pictures.read(task.source.path, task.limits.max_bytes, task.source.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "picture.changed_since_indexed")
    result = recompress(data, task.options, task.limits)
    if isinstance(result, Skipped):
        return result
    identity = None if task.temp is None else _write_result(result.data, task.source, task.temp)
    return CompressResult(replace(result, data=b""), len(result.data), pictures.digest(result.data), identity)


def compressed_bytes(task: CompressTask) -> bytes:
    """The bytes of the result, which is not written. Raises PictureError, also if there would be no result."""
    data, _ = pictures.read(task.source.path, task.limits.max_bytes, task.source.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "picture.changed_since_measured")
    result = recompress(data, task.options, task.limits)
    if isinstance(result, Skipped):
        raise PictureError(result.reason, result.message)
    return result.data


def _write_result(data: bytes, source: FileRef, temp: FileRef) -> Identity:
    try:
        with safe_files.opened_file(source) as like:
            try:
                return safe_files.write_new(data, like, temp)
            except FileExistsError:
                # Written by this task, in a process that ended before it could answer.
                return _existing_result(data, temp)
    except OSError as error:
        reason = "no_space" if error.errno in safe_files.NO_SPACE else "unwritable"
        cause = error.strerror or os.strerror(error.errno or 0)
        raise PictureError(reason, "picture.result_not_written", error=cause) from error


def _existing_result(data: bytes, temp: FileRef) -> Identity:
    with safe_files.opened_file(temp) as made:
        if safe_files.digest_of(made) != pictures.digest(data):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        return Identity.of(os.fstat(made))
