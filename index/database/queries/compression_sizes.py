"""The effect of a maximum size on the pictures in some folders: how many would lose pixels. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass

from peewee import SqliteDatabase

from index.database.records.sql_paging import Where, at_or_below
from index.imaging.encoding.compression import TAKEN, CompressionOptions, fitted


@dataclass(frozen=True, slots=True)
class Reduction:
    """`pictures` of `files` lose pixels: `before` and `after` are their pixels in total, `widest` is the size of the
    one that loses most and `becomes` its new size, both (0, 0) if there is none."""

    files: int = 0
    pictures: int = 0
    before: int = 0
    after: int = 0
    widest: tuple[int, int] = (0, 0)
    becomes: tuple[int, int] = (0, 0)


def reduction(
    database: SqliteDatabase,
    options: CompressionOptions,
    least_bytes: int,
    folders: Sequence[bytes] = (),
    recursive: bool = False,
) -> Reduction:
    """For the files of at least `least_bytes` in the folders, or in all watched ones that are not protected."""
    where = Where(["r.watched", "NOT r.temporary", "NOT r.protected", "c.failure = ''"])
    where.add("i.size_bytes >= ?", least_bytes)
    where.add(f"c.format IN ({','.join('?' * len(TAKEN))})", *TAKEN)
    tops = [at_or_below("i.path", folder) for folder in folders]
    if tops:
        where.add(f"({' OR '.join(term for term, _ in tops)})", *(value for _, values in tops for value in values))
    if not recursive:
        # The rest of the path after the folder contains one slash only.
        bases = [folder.rstrip(b"/") for folder in folders]
        direct = "instr(substr(i.path, length(?) + 2), CAST('/' AS BLOB)) = 0"
        if bases:
            where.add(f"({' OR '.join([direct] * len(bases))})", *bases)
        else:
            where.add("instr(substr(i.path, length(r.path) + 2), CAST('/' AS BLOB)) = 0")
    rows = database.execute_sql(
        "SELECT c.width, c.height, count(*) FROM image i JOIN content c ON c.id = i.content_id"
        f" JOIN root r ON r.id = i.root_id WHERE {where} GROUP BY c.width, c.height",
        where.values,
    ).fetchall()
    files = pictures = before = after = most = 0
    widest = becomes = (0, 0)
    for width, height, count in rows:
        made = fitted(width, height, options)
        files += count
        lost = width * height - made[0] * made[1]
        if lost > 0:
            pictures += count
            before += count * width * height
            after += count * made[0] * made[1]
            if lost > most:
                most, widest, becomes = lost, (width, height), made
    return Reduction(files, pictures, before, after, widest, becomes)
