"""What worker processes are asked to do: read and decode one file, make its view, digest its pixels."""

import contextlib
import os
from dataclasses import dataclass
from typing import Final

from daemon.files import safe_files
from index.candidates.fingerprint import hash_grey
from index.candidates.parts import part_hashes
from index.errors import PictureError
from index.images import pictures
from index.images.sidecar import Telling, told_by
from index.model import Identity, Reading

# What a task may carry of known digests: 8 KB. Beyond, copies among files of one size are decoded again.
KNOWN_AT_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class IndexTask:
    """A file to index, below the watched folder `top`. `identity` is what the walk saw; `known` the digests of the
    contents with its size."""

    path: bytes
    top: bytes
    identity: Identity
    known: frozenset[bytes]
    limits: pictures.Limits


@dataclass(frozen=True, slots=True)
class PictureTask:
    """A file below the watched folder `top` that holds a known content: `digest` is checked, as it may have changed
    since it was indexed."""

    path: bytes
    top: bytes
    digest: bytes
    limits: pictures.Limits
    target: str = ""


def index_file(task: IndexTask) -> Reading:
    """Read a file once; decode it unless its bytes are known. A failure is part of what is told."""
    try:
        data, identity = pictures.read(task.path, task.limits.max_bytes, task.top)
    except PictureError as error:
        return Reading(task.path, task.identity, failure=error.reason, message=error.message)
    digest = pictures.digest(data)
    if digest in task.known:
        return Reading(task.path, identity, digest)
    try:
        decoded = pictures.decode(data, task.limits)
        hashes, parts = hash_grey(decoded.grey, decoded.box), part_hashes(decoded.grey, decoded.box)
        return Reading(task.path, identity, digest, decoded.facts, hashes, parts)
    except PictureError as error:
        return Reading(task.path, identity, digest, failure=error.reason, message=error.message)


def view_of(task: PictureTask) -> bytes:
    """The view of a picture. Raises PictureError."""
    return pictures.view(_read_known(task), task.limits)


def make_view(task: PictureTask) -> None:
    """Write the view of a picture to the file `target`, whole or not at all. Raises PictureError, also where it cannot
    be written: `no_space` or `unwritable`."""
    view = view_of(task)
    partial = f"{task.target}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(task.target), exist_ok=True)
        with open(partial, "wb") as file:
            file.write(view)
        os.replace(partial, task.target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        reason = "no_space" if error.errno in safe_files.NO_SPACE else "unwritable"
        raise PictureError(reason, f"its view cannot be kept: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class CropTask:
    """A part of a picture, by left, top, width and height in pixels as it is shown; at most `side` pixels come back."""

    picture: PictureTask
    box: tuple[int, int, int, int]
    side: int


def make_crop(task: CropTask) -> bytes:
    """A part of a picture as a JPEG. Raises PictureError."""
    return pictures.crop(_read_known(task.picture), task.box, task.side, task.picture.limits)


def check_picture(task: PictureTask) -> Identity:
    """The identity of a file that holds the content it should and can be decoded. Raises PictureError."""
    data, identity = pictures.read(task.path, task.limits.max_bytes, task.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "is not what it was when it was indexed")
    pictures.decode(data, task.limits)
    return identity


def read_telling(task: PictureTask) -> Telling:
    """What a picture tells of itself besides its pixels. Raises PictureError."""
    with pictures.opened(_read_known(task), task.limits) as image:
        return told_by(image)


def pixel_digest(task: PictureTask) -> bytes:
    """The digest of a picture's pixels. Raises PictureError."""
    return pictures.pixel_digest(_read_known(task), task.limits)


def _read_known(task: PictureTask) -> bytes:
    data, _ = pictures.read(task.path, task.limits.max_bytes, task.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "is not what it was when it was indexed")
    return data
