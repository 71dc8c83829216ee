"""EDGE: which folders cannot be watched, moved to, or worked on by a single command: trashes and data folders."""

import glob
import os
from collections.abc import Iterable

from daemon.files.mounts import place_in_file_system, read_mounts
from index.images.trash_places import NAME
from index.images.walk import is_at_or_below


def why_not(folder: bytes, data_dirs: Iterable[bytes]) -> str:
    """Why a folder holds nobody's pictures, by whatever way it is reached; "" where it may hold some."""
    real = os.path.realpath(folder)
    place = place_in_file_system(real, read_mounts())
    if any(_names_trash(path) for path in (folder, real, place[1] if place else b"")):
        return "is in a trash; accepted: a folder outside it"
    for data_dir in data_dirs:
        if is_at_or_below(real, os.path.realpath(data_dir)):
            return f"is in the data folder {os.fsdecode(data_dir)}; accepted: a folder outside it"
    return ""


def patterns_without(folder: bytes, data_dirs: Iterable[bytes]) -> tuple[bytes, ...]:
    """Patterns of index.images.walk.Exclusions that keep a walk of a folder out of the data folders in it."""
    top = os.path.realpath(folder).rstrip(b"/")
    inside = [real for real in map(os.path.realpath, data_dirs) if real.startswith(top + b"/")]
    # The slash in front makes it a path below the folder, not a name anywhere in it.
    return tuple(glob.escape(real[len(top) :]) for real in inside)


def _names_trash(path: bytes) -> bool:
    # Where case makes no difference, any spelling names it.
    return NAME in path.lower().split(b"/")
