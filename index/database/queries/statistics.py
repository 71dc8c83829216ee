"""Statistics of the whole index for charts: by kind of match, by format, by month, by folder. Reads only.

Each query reads every image once, so the results are cached (webui.statistics_cache).
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
    """`format` is "" for files that could not be read as a picture."""

    format: str
    images: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """`month` is when the pictures were taken, as "2019-07"."""

    month: str
    images: int


@dataclass(frozen=True, slots=True)
class FolderFigures:
    """A folder with everything below it. `reclaimable_bytes` are those of images that are copies of the reference of
    their group; `folders` is whether it contains further folders."""

    path: bytes
    images: int
    size_bytes: int
    reclaimable_bytes: int
    folders: bool


def by_kind(database: SqliteDatabase) -> list[KindFigures]:
    """The groups of the current detection by kind, the most certain first."""
    rows = database.execute_sql(
        "SELECT g.kind, count(*), sum(g.images), sum(g.size_bytes), sum(g.reclaimable_bytes)"
        " FROM duplicate_group g JOIN detection d ON d.id = g.detection_id AND d.current GROUP BY g.kind"
    )
    return sorted((KindFigures(*row) for row in rows), key=lambda row: KINDS.index(row.kind))


def by_format_and_month(database: SqliteDatabase) -> tuple[list[FormatFigures], list[MonthFigures]]:
    """The images of watched roots by format, the largest first, and those with a date by month."""
    rows = database.execute_sql(
        "SELECT coalesce(c.format, ''),"
        " substr(coalesce(nullif(c.taken, ''), json_extract(c.description, '$.taken'), ''), 1, 7),"
        " count(*), sum(i.size_bytes)"
        " FROM image i JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
        " LEFT JOIN content c ON c.id = i.content_id"
        " GROUP BY 1, 2"
    )
    formats: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    months: dict[str, int] = defaultdict(int)
    for picture_format, month, images, size_bytes in rows:
        formats[picture_format][0] += images
        formats[picture_format][1] += size_bytes
        if _is_month(month):
            months[month] += images
    figures = [FormatFigures(name, images, size) for name, (images, size) in formats.items()]
    return (
        sorted(figures, key=lambda row: (-row.size_bytes, row.format)),
        [MonthFigures(month, months[month]) for month in sorted(months)],
    )


def _is_month(text: str) -> bool:
    year, _, month = text.partition("-")
    return year.isdecimal() and len(year) == 4 and year > "1800" and month.isdecimal() and "01" <= month <= "12"


def folders_in(database: SqliteDatabase, folder: bytes) -> list[FolderFigures]:
    """The subfolders of a folder, the largest first, and the folder itself for the images directly in it."""
    start = folder.rstrip(b"/") + b"/"
    # The name up to the next slash, "" for an image directly in the folder; then whether there is another slash.
    rest = "substr(i.path, :skip)"
    name = f"substr({rest}, 1, max(0, instr({rest}, X'2F') - 1))"
    deeper = f"instr(substr({rest}, instr({rest}, X'2F') + 1), X'2F') > 0"
    below = "i.path > :start AND i.path < :end AND i.root_id IN (SELECT id FROM root WHERE watched AND NOT temporary)"
    bound = {"skip": len(start) + 1, "start": start, "end": start[:-1] + b"0"}
    # A scan of the whole table: by the index on paths, each row would be fetched from another page, which takes eight
    # times as long for a million rows.
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
    figures = [
        FolderFigures(start + bytes(raw) if raw else start[:-1], images, size, copies.get(raw, 0), bool(raw and more))
        for raw, images, size, more in sizes
    ]
    return sorted(figures, key=lambda row: (-row.size_bytes, row.path))


def roots(database: SqliteDatabase, paths: Sequence[bytes]) -> list[FolderFigures]:
    """The watched roots themselves, each with everything below it."""
    figures = []
    for path in paths:
        inside = folders_in(database, path)
        figures.append(
            FolderFigures(
                path,
                sum(row.images for row in inside),
                sum(row.size_bytes for row in inside),
                sum(row.reclaimable_bytes for row in inside),
                any(row.path != path for row in inside),
            )
        )
    return sorted(figures, key=lambda row: (-row.size_bytes, row.path))
