"""The tasks of worker processes on metadata: read sidecars, unite the metadata of several pictures."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from daemon.processes.decode_task import PictureTask, read_known
from index.errors import PictureError
from index.imaging.decoding import pictures, xmp_properties
from index.imaging.decoding.description import combined_description, merged_descriptions, missing_from, read_sidecar
from index.imaging.decoding.embedded_description import read_description
from index.imaging.decoding.sidecar import Unreadable, new_sidecar, with_more
from index.imaging.discovery.companions import TAKEOUT_ENDING, is_described_by
from index.model import Description, Identity


@dataclass(frozen=True, slots=True)
class SidecarFile:
    """A sidecar at `path`, below the watch root `top`. `name` is the name that shows its kind."""

    path: bytes
    top: bytes
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Described:
    """A picture, by the name that it has or had, and its sidecars."""

    picture: PictureTask
    name: bytes
    sidecars: tuple[SidecarFile, ...] = ()


@dataclass(frozen=True, slots=True)
class UniteTask:
    """The removed pictures, and the kept one. `sidecar` is the sidecar of the kept one to which their metadata is
    added; None for a new one."""

    keeper: Described
    going: tuple[Described, ...]
    sidecar: SidecarFile | None = None


@dataclass(frozen=True, slots=True)
class United:
    """The bytes of a sidecar, and the file that they were made from: None and b"" for none."""

    data: bytes
    identity: Identity | None = None
    digest: bytes = b""


def read_sidecars(sidecars: tuple[SidecarFile, ...]) -> Description:
    """The metadata in all sidecars of one picture; unreadable ones are skipped."""
    # Takeout's JSON last: an XMP sidecar contains what a person edited.
    ordered = sorted(sidecars, key=lambda file: (file.name or file.path).lower().endswith(TAKEOUT_ENDING))
    return merged_descriptions(*_readable(ordered))


def unite(task: UniteTask) -> United | None:
    """The sidecar of the keeper with metadata that only the others have; None if there is none.

    Raises PictureError if the keeper or its sidecar cannot be read, or nothing can be added to that. Unreadable files
    of the others are skipped.
    """
    known = _described(task.keeper)
    others = []
    for going in task.going:
        with contextlib.suppress(PictureError):
            others.append(_described(going))
    # Of several ratings the highest: a picture that was once worth five stars is still.
    rating = max((other.rating for other in others if other.rating), default=None)
    more = missing_from(known, replace(merged_descriptions(*others), rating=rating))
    if more == Description():
        return None
    if task.sidecar is None:
        return United(new_sidecar(more, known))
    data, identity = pictures.read(task.sidecar.path, xmp_properties.MOST_BYTES, task.sidecar.top)
    try:
        return United(with_more(data, more, known), identity, pictures.digest(data))
    except (Unreadable, UnicodeError) as error:
        raise PictureError("unreadable", "picture.sidecar_unreadable") from error


def _described(picture: Described) -> Description:
    with pictures.opened(read_known(picture.picture), picture.picture.limits) as image:
        own = read_description(image)
    return combined_description(own, read_sidecars(picture.sidecars), picture.name)


def _readable(sidecars: Iterable[SidecarFile]) -> Iterable[Description]:
    for file in sidecars:
        name = file.name or os.path.basename(file.path)
        if is_described_by(name):
            with contextlib.suppress(PictureError):
                data, _ = pictures.read(file.path, xmp_properties.MOST_BYTES, file.top)
                yield read_sidecar(name, data)
