"""The tasks of worker processes that decode: hash one file, make its preview or a crop, digest its pixels."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from daemon.processes.worker import set_stages
from index.errors import PictureError
from index.imaging.candidates.crop_hashes import inside_and_deskewed, nine_tenths
from index.imaging.candidates.perceptual_hash import hash_grey
from index.imaging.decoding import pictures
from index.imaging.decoding import pixel_digest as digests
from index.messages import of_os_error
from index.model import Hashes, Identity, Reading, Sent

# The most known digests in a task: 8 KB. Beyond that, copies among files of one size are decoded again.
KNOWN_AT_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class IndexTask(Sent):
    """A file to index, below the watch root `top`. `identity` is that of the walk; `known` are the digests of the known
    contents of this size."""

    path: bytes
    top: bytes
    identity: Identity
    known: frozenset[bytes]
    limits: pictures.Limits


@dataclass(frozen=True, slots=True)
class PictureTask(Sent):
    """A file with a known content, below the watch root `top`: `digest` is checked, since it may have changed since it
    was indexed."""

    path: bytes
    top: bytes
    digest: bytes
    limits: pictures.Limits
    target: str = ""


def index_file(task: IndexTask) -> Reading:
    """Read a file once; decode it unless its bytes are known. A failure is part of the result."""
    reading: Any = task
    for stage in INDEXING:
        reading = stage(reading)
    return cast(Reading, reading)


@dataclass(slots=True)
class _Begun:
    """A file whose picture was decoded, and what was made of that so far."""

    path: bytes
    identity: Identity
    digest: bytes
    opened: pictures.Opened
    picture: pictures.Decoded | None = None
    hashes: Hashes | None = None
    parts: dict[str, Hashes] = field(default_factory=dict)


def _read_and_decode(task: IndexTask) -> Reading | _Begun:
    try:
        data, identity = pictures.read(task.path, task.limits.max_bytes, task.top)
    except PictureError as error:
        return Reading(task.path, task.identity, failure=error.reason, message=error.message)
    digest = pictures.digest(data)
    if digest in task.known:
        return Reading(task.path, identity, digest)
    try:
        opened = pictures.decode_pixels(data, task.limits)
    except PictureError as error:
        return Reading(task.path, identity, digest, failure=error.reason, message=error.message)
    return _Begun(task.path, identity, digest, opened)


def _measure(begun: Reading | _Begun) -> Reading | _Begun:
    if isinstance(begun, _Begun):
        begun.picture = pictures.measured(begun.opened)
    return begun


def _hash_whole(begun: Reading | _Begun) -> Reading | _Begun:
    if isinstance(begun, _Begun) and begun.picture is not None:
        begun.hashes = hash_grey(begun.picture.grey, begun.picture.box)
    return begun


def _hash_nine_tenths(begun: Reading | _Begun) -> Reading | _Begun:
    if isinstance(begun, _Begun) and begun.picture is not None:
        begun.parts |= nine_tenths(begun.picture.grey, begun.picture.box)
    return begun


def _hash_inside(begun: Reading | _Begun) -> Reading:
    if isinstance(begun, Reading):
        return begun
    picture = begun.picture
    assert picture is not None
    parts = begun.parts | inside_and_deskewed(picture.grey, picture.box)
    return Reading(begun.path, begun.identity, begun.digest, picture.facts, begun.hashes, parts)


INDEXING: Final = (_read_and_decode, _measure, _hash_whole, _hash_nine_tenths, _hash_inside)
set_stages(index_file, *INDEXING)


def preview_of(task: PictureTask) -> bytes:
    """The preview of a picture. Raises PictureError."""
    return pictures.preview(read_known(task), task.limits)


def make_preview(task: PictureTask) -> None:
    """Write the preview of a picture to the file `target`, and next to it that of a transparent picture on black, each
    atomically. Raises PictureError, also if one cannot be written: `no_space` or `unwritable`."""
    view, *on_black = pictures.previews(read_known(task), task.limits)
    for black in on_black:
        _write(str(pictures.preview_on_black(Path(task.target))), black)
    _write(task.target, view)


def _write(target: str, preview: bytes) -> None:
    partial = f"{target}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(partial, "wb") as file:
            file.write(preview)
        os.replace(partial, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        # A process that only indexes needs nothing else of it, and each process that starts would import it.
        from daemon.files.removal import NO_SPACE  # noqa: PLC0415

        reason = "no_space" if error.errno in NO_SPACE else "unwritable"
        raise PictureError(reason, "picture.preview_not_kept", error=of_os_error(error)) from error


@dataclass(frozen=True, slots=True)
class CropTask:
    """A part of a picture, by left, top, width and height in pixels as it is shown. The result has at most `side`
    pixels on each side."""

    picture: PictureTask
    box: tuple[int, int, int, int]
    side: int


def make_crop(task: CropTask) -> bytes:
    """A part of a picture as a JPEG. Raises PictureError."""
    return pictures.crop(read_known(task.picture), task.box, task.side, task.picture.limits)


def check_picture(task: PictureTask) -> Identity:
    """The identity of a file that has the expected content and can be decoded. Raises PictureError."""
    data, identity = pictures.read(task.path, task.limits.max_bytes, task.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "picture.changed_since_indexed")
    pictures.decode(data, task.limits)
    return identity


def pixel_digest(task: PictureTask) -> bytes:
    """The digest of a picture's pixels. Raises PictureError."""
    return digests.pixel_digest(read_known(task), task.limits)


def code_digest(task: PictureTask) -> bytes:
    """The digest of what determines a picture's pixels, without decoding them; b"" if only the pixels can show it.

    Raises PictureError.
    """
    return digests.code_digest(read_known(task), task.limits)


def read_known(task: PictureTask) -> bytes:
    data, _ = pictures.read(task.path, task.limits.max_bytes, task.top)
    if pictures.digest(data) != task.digest:
        raise PictureError("changed", "picture.changed_since_indexed")
    return data
