"""Figures of the whole index for charts: by kind of match, by format, by month, by folder. Reads only.

Each question goes through every image once; whoever shows the figures keeps them for a while.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.model import KINDS


@dataclass(frozen=True, slots=True)
class KindFigures:
    kind: str
    groups: int
    images: int
    size_bytes: int
    reclaimable_bytes: int


@dataclass(frozen=True, slots=True)
class FormatFigures:
    """`format` is "" for what could not be read as a picture."""

    format: str
    images: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """`month` is "2019-07", when the pictures were taken."""

    month: str
    images: int


@dataclass(frozen=True, slots=True)
class FolderFigures:
    """A folder with all below it. `reclaimable_bytes` are those of its images that are copies of another's reference;
    `folders` tells whether there are further ones in it."""

    path: bytes
    images: int
    size_bytes: int
    reclaimable_bytes: int
    folders: bool


def by_kind(database: SqliteDatabase) -> list[KindFigures]:
    """The groups of the current detection, the surest kind first."""
    rows = database.execute_sql(
        "SELECT g.kind, count(*), sum(g.images), sum(g.size_bytes), sum(g.reclaimable_bytes)"
        " FROM duplicate_group g JOIN detection d ON d.id = g.detection_id AND d.current GROUP BY g.kind"
    )
    return sorted((KindFigures(*row) for row in rows), key=lambda row: KINDS.index(row.kind))


def by_format_and_month(database: SqliteDatabase) -> tuple[list[FormatFigures], list[MonthFigures]]:
    """The images of watched roots by format, the largest first, and by month, of those whose date is known."""
    rows = database.execute_sql(
        "SELECT coalesce(c.format, ''), substr(coalesce(c.taken, ''), 1, 7), count(*), sum(i.size_bytes)"
        " FROM image i JOIN root r ON r.id = i.root_id AND r.watched LEFT JOIN content c ON c.id = i.content_id"
        " GROUP BY 1, 2"
    )
    formats: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    months: dict[str, int] = defaultdict(int)
    for picture_format, month, images, size_bytes in rows:
        formats[picture_format][0] += images
        formats[picture_format][1] += size_bytes
        if _is_month(month):
            months[month] += images
    found = [FormatFigures(name, images, size) for name, (images, size) in formats.items()]
    return (
        sorted(found, key=lambda row: (-row.size_bytes, row.format)),
        [MonthFigures(month, months[month]) for month in sorted(months)],
    )


def _is_month(text: str) -> bool:
    year, _, month = text.partition("-")
    return year.isdecimal() and len(year) == 4 and year > "1800" and month.isdecimal() and "01" <= month <= "12"


def folders_in(database: SqliteDatabase, folder: bytes) -> list[FolderFigures]:
    """The folders right below one, the largest first, and the folder itself for the images that lie in no other."""
    start = folder.rstrip(b"/") + b"/"
    # The name up to the next slash, "" for an image that lies here; then whether there is another slash.
    rest = "substr(i.path, :skip)"
    name = f"substr({rest}, 1, max(0, instr({rest}, X'2F') - 1))"
    deeper = f"instr(substr({rest}, instr({rest}, X'2F') + 1), X'2F') > 0"
    below = "i.path > :start AND i.path < :end AND i.root_id IN (SELECT id FROM root WHERE watched)"
    bound = {"skip": len(start) + 1, "start": start, "end": start[:-1] + b"0"}
    # Through the whole table: by the index on paths, each row would be fetched from another place, which takes eight
    # times as long for a million.
    sizes = database.execute_sql(
        f"SELECT {name}, count(*), sum(i.size_bytes), max({deeper}) FROM image i NOT INDEXED WHERE {below} GROUP BY 1",
        bound,
    ).fetchall()
    copies = dict(
        database.execute_sql(
            f"SELECT {name}, sum(i.size_bytes) FROM duplicate_group g"
            " JOIN detection d ON d.id = g.detection_id AND d.current"
            " CROSS JOIN member m ON m.group_id = g.id CROSS JOIN image i ON i.content_id = m.content_id"
            f" WHERE {below} AND (m.position > 0"
            " OR i.path > (SELECT min(path) FROM image WHERE content_id = m.content_id)) GROUP BY 1",
            bound,
        ).fetchall()
    )
    found = [
        FolderFigures(start + bytes(raw) if raw else start[:-1], images, size, copies.get(raw, 0), bool(raw and more))
        for raw, images, size, more in sizes
    ]
    return sorted(found, key=lambda row: (-row.size_bytes, row.path))


def roots(database: SqliteDatabase, paths: Sequence[bytes]) -> list[FolderFigures]:
    """The watched roots themselves, each with all below it."""
    found = []
    for path in paths:
        inside = folders_in(database, path)
        found.append(
            FolderFigures(
                path,
                sum(row.images for row in inside),
                sum(row.size_bytes for row in inside),
                sum(row.reclaimable_bytes for row in inside),
                any(row.path != path for row in inside),
            )
        )
    return sorted(found, key=lambda row: (-row.size_bytes, row.path))
