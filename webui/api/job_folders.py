"""The folders and files in the parameters of a job: each must be watched, and exist or be known to the index."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from peewee import SqliteDatabase

from index.database.records import folders
from index.errors import UsageError
from index.model import JobKind
from webui.schemas import path_bytes, path_text

# A path to scan may belong to a file that no longer exists. The scan notices that.
MUST_EXIST: Final = {"folders", "files"}
NAMES: Final = {
    JobKind.DETECT: ("folders",),
    JobKind.COMPRESS: ("folders", "files"),
    JobKind.SCAN: ("roots", "paths"),
}


def checked_paths(database: SqliteDatabase, kind: JobKind, given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The paths among the parameters of a job, surrogate-escaped as in the index. Raises UsageError for paths that are
    not watched, and for folders and files that do not exist."""
    return {
        name: [os.fsdecode(_checked(database, kind, name, path)) for path in _listed(given, name)]
        for name in NAMES.get(kind, ())
        if name in given
    }


def _listed(given: Mapping[str, Any], name: str) -> Sequence[str]:
    paths: Sequence[str] = given[name]
    return paths


def _checked(database: SqliteDatabase, kind: JobKind, name: str, text: str) -> bytes:
    field = f"parameters.{name}"
    path = path_bytes(text)
    if not path.startswith(b"/") or b"\0" in path:
        raise UsageError("job.not_absolute", path=path_text(path), field=field)
    path = b"/" + os.path.normpath(path).lstrip(b"/")
    # A folder that was indexed for a search can be searched again, and nothing else.
    is_known = folders.is_indexed if kind is JobKind.DETECT else folders.is_watched
    if not is_known(database, path):
        # The index has paths without links, but a person may give another path.
        path = os.path.realpath(path)
    if not is_known(database, path):
        raise UsageError("job.not_watched", path=path_text(path_bytes(text)), field=field)
    if name in MUST_EXIST and not os.path.lexists(path) and not folders.holds_images(database, path):
        raise UsageError("job.no_such_path", path=path_text(path), field=field)
    return path
