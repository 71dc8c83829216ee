"""EDGE: the folders that cannot be watched, moved to, or used by a command: trashes and data folders."""

import glob
import os
from collections.abc import Iterable

from daemon.files.mounts import path_in_file_system, read_mounts
from index.imaging.discovery.trash_places import NAME
from index.imaging.discovery.walk import is_at_or_below
from index.messages import Message


def objection(folder: bytes, data_dirs: Iterable[bytes]) -> Message | None:
    """Why a folder is reserved, whatever path leads to it; None if it is not."""
    real = os.path.realpath(folder)
    place = path_in_file_system(real, read_mounts())
    if any(_names_trash(path) for path in (folder, real, place[1] if place else b"")):
        return Message("config.in_trash")
    for data_dir in data_dirs:
        if is_at_or_below(real, os.path.realpath(data_dir)):
            return Message("config.in_data_folder", path=os.fsdecode(data_dir))
    return None


def exclusion_patterns(folder: bytes, data_dirs: Iterable[bytes]) -> tuple[bytes, ...]:
    """Patterns for walk.Exclusions that keep the walk of a folder out of the data folders in it."""
    top = os.path.realpath(folder).rstrip(b"/")
    inside = [real for real in map(os.path.realpath, data_dirs) if real.startswith(top + b"/")]
    # With the slash in front, it is a path below the folder, not a name anywhere in it.
    return tuple(glob.escape(real[len(top) :]) for real in inside)


def _names_trash(path: bytes) -> bool:
    # On a file system that ignores case, any spelling names the trash.
    return NAME in path.lower().split(b"/")
