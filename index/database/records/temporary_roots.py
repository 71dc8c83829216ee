"""Temporary roots: folders outside the watched ones, indexed for one limited search and removed with it.

Such a root is a row of `root` that is `watched`, so that the search shows its images, and protected, so that nothing is
done to them. Decisions on its images wait until the folder is watched, and are deleted with the search. Everything that
concerns the library leaves temporary roots out. TEMPORARY is a folder that was never watched. RETURNED is one that was:
its images and decisions stay in case it is watched again.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from peewee import SqliteDatabase

from index.database.records.decisions import AWAY
from index.database.records.images import forget_images
from index.database.records.matches import RETIRED, load_parameters
from index.database.schema import Detection, Image, Job, Problem, Root
from index.imaging.discovery.walk import is_at_or_below
from index.model import JobKind, JobState

TEMPORARY: Final = 1
RETURNED: Final = 2
# Added to one of the two values above if the folders below are left out.
FLAT: Final = 4


def add(database: SqliteDatabase, path: bytes, recursive: bool = True) -> None:
    """Index a folder for a search, with or without the folders below it. A watched folder stays as it is."""
    values = {"watched": True, "protected": True, "configured": True}
    depth = 0 if recursive else FLAT
    row = next(iter(Root.select().where(Root.path == path).execute(database)), None)
    if row is None:
        Root.insert(path=path, temporary=TEMPORARY + depth, **values).execute(database)
    elif row.temporary or not row.watched:
        kind = row.temporary & ~FLAT or RETURNED
        Root.update(temporary=kind + depth, **values).where(Root.id == row.id).execute(database)


def depths(database: SqliteDatabase) -> dict[bytes, bool]:
    """The temporary roots by path, with whether each includes the folders below it."""
    rows = Root.select(Root.path, Root.temporary).where(Root.watched, Root.temporary > 0).order_by(Root.path).tuples()
    return {bytes(path): not temporary & FLAT for path, temporary in rows.execute(database)}


@dataclass(frozen=True, slots=True)
class WaitingFolder:
    """A temporary root with images that are decided to go. They stay until the folder is watched."""

    path: bytes
    recursive: bool
    images: int


def waiting(database: SqliteDatabase) -> list[WaitingFolder]:
    """The temporary roots with images that are decided to go, ordered by path."""
    rows = database.execute_sql(
        "SELECT r.path, r.temporary, count(*) FROM root r JOIN image i ON i.root_id = r.id"
        " JOIN content c ON c.id = i.content_id JOIN decision d ON d.image_id = i.id AND d.digest = c.digest"
        f" WHERE r.watched AND r.temporary > 0 AND d.choice IN ({','.join('?' * len(AWAY))})"
        " GROUP BY r.id ORDER BY r.path",
        AWAY,
    )
    return [WaitingFolder(bytes(path), not temporary & FLAT, images) for path, temporary, images in rows]


def drop_unused(database: SqliteDatabase) -> set[int]:
    """Drop the temporary roots that no search uses, whether shown, waiting or running. Returns the contents of their
    images."""
    needed = _searched_folders(database)
    touched: set[int] = set()
    for row in list(Root.select().where(Root.temporary > 0).execute(database)):
        if any(is_at_or_below(folder, bytes(row.path)) for folder in needed):
            continue
        images = [
            bytes(path) for (path,) in Image.select(Image.path).where(Image.root == row.id).tuples().execute(database)
        ]
        if row.temporary & RETURNED:
            contents = Image.select(Image.content).where(Image.root == row.id, Image.content.is_null(False))
            touched.update(content_id for (content_id,) in contents.tuples().execute(database))
            values: dict[str, Any] = {"watched": False, "temporary": 0, "configured": False}
            Root.update(**values).where(Root.id == row.id).execute(database)
        else:
            touched |= forget_images(database, images)
            # Also the problems of files that never became images.
            Problem.delete().where(Problem.root == row.id).execute(database)
            Root.delete().where(Root.id == row.id).execute(database)
    return touched


def _searched_folders(database: SqliteDatabase) -> list[bytes]:
    folders: list[str] = []
    for (text,) in (
        Detection.select(Detection.parameters).where(Detection.parameters != RETIRED).tuples().execute(database)
    ):
        folders += load_parameters(text).folders
    pending: Sequence[str] = (JobState.QUEUED, JobState.RUNNING)
    jobs = Job.select(Job.parameters).where(Job.kind == JobKind.DETECT, Job.state.in_(pending))
    for (text,) in jobs.tuples().execute(database):
        folders += json.loads(text).get("folders", [])
    return [os.fsencode(folder) for folder in folders]
