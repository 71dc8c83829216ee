"""The reclaimable bytes of groups according to their proposals: what is freed once a person accepts.

A rebuilt group has an estimate at first, the bytes of all images but the reference.
"""

import json
from collections.abc import Collection, Sequence

from peewee import SqliteDatabase

from index.database.queries import proposals
from index.database.records.images import chunks
from index.imaging.grouping.keeper import propose_keeper


def mark_estimated(
    database: SqliteDatabase, detection_id: int, criteria: Sequence[str], content_ids: Collection[int]
) -> None:
    """Record that the proposals for the groups of these contents may have changed; or those of all groups of a
    detection, if the criteria or the folders have changed since."""
    roots = database.execute_sql("SELECT id, protected, priority, temporary FROM root WHERE watched ORDER BY id")
    proposed_by = json.dumps([list(criteria), roots.fetchall()])
    known = database.execute_sql("SELECT proposed_by FROM detection WHERE id = ?", (detection_id,)).fetchone()[0]
    if known != proposed_by:
        database.execute_sql("UPDATE detection SET proposed_by = ? WHERE id = ?", (proposed_by, detection_id))
        question = "UPDATE duplicate_group SET estimated = 1 WHERE detection_id = ? AND NOT estimated"
        database.execute_sql(question, (detection_id,))
        return
    for chunk in chunks(content_ids):
        database.execute_sql(
            "UPDATE duplicate_group SET estimated = 1 WHERE id IN"
            f" (SELECT group_id FROM member WHERE content_id IN ({','.join('?' * len(chunk))}))",
            chunk,
        )


def estimated(database: SqliteDatabase, detection_id: int) -> list[int]:
    """The row ids of the groups of a detection whose bytes are an estimate."""
    question = "SELECT id FROM duplicate_group WHERE detection_id = ? AND estimated"
    return [row[0] for row in database.execute_sql(question, (detection_id,))]


def promised(database: SqliteDatabase, group_ids: Sequence[int], criteria: Sequence[str]) -> dict[int, int]:
    """The bytes that each of these groups frees: of all its files except the proposed one and protected ones. A scene
    has no proposal."""
    freed = dict.fromkeys(group_ids, 0)
    marks = ",".join("?" * len(group_ids))
    scenes = database.execute_sql(f"SELECT id FROM duplicate_group WHERE scene AND id IN ({marks})", group_ids)
    of_scenes = {row[0] for row in scenes}
    copies = [group_id for group_id in group_ids if group_id not in of_scenes]
    for group_id, (of_contents, standing) in proposals.candidates(database, copies).items():
        files = [file for _, file in of_contents]
        kept = propose_keeper(files, criteria, standing).image_id
        freed[group_id] = sum(file.size_bytes for file in files if file.image_id != kept and not file.protected)
    return freed


def store(database: SqliteDatabase, freed: dict[int, int]) -> None:
    """Store the bytes that groups free, by row id."""
    database.connection().executemany(
        "UPDATE duplicate_group SET reclaimable_bytes = ?, estimated = 0 WHERE id = ?",
        [(size_bytes, group_id) for group_id, size_bytes in freed.items()],
    )
