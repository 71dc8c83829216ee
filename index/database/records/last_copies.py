"""Files in the trash whose picture has no other copy in the index: what was kept instead no longer exists."""

from collections.abc import Iterable
from typing import Final

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.records.trash_items import Item
from index.model import Kind, default_tolerance

# The hash that is compared, and the bytes of one of its rows.
HSIZE: Final = 16
HASH_BYTES: Final = HSIZE * HSIZE // 8

_OF_LIBRARY = "JOIN root r ON r.id = i.root_id AND NOT r.temporary"
_SURE = f"('{Kind.EXACT}', '{Kind.PIXELS}', '{Kind.NEAR}')"
_MADE = "('done', 'undone')"
# `l` is the step of the image: a companion is a last copy where its image is. A file that was never an image, such as
# a sidecar that was written again, is none; of one known only from a manifest, nothing says what it was. The original
# of a file moved to another disk has its copy there, perhaps outside the library.
_ASKED = (
    "SELECT t.id AS item, CASE l.action WHEN 'trash' THEN l.digest ELSE t.digest END AS digest, l.keeper AS keeper,"
    " s.id AS step, s.companion_of_id AS leader, t.adopted OR coalesce(l.keeper, x'') <> x'' AS counts"
    " FROM trash_item t LEFT JOIN step s ON s.id = t.step_id AND NOT t.adopted"
    " LEFT JOIN step l ON l.id = coalesce(s.companion_of_id, s.id)"
    " WHERE t.id IN ({}) AND coalesce(s.action, '') <> 'move'"
)
# `kept` has the paths at which the picture should still be: that of the image that was kept, and that of the result of
# the compression. A kept image that was renamed has the digest of the item, or was compared with it; the picture before
# or after a compression is the same one.
_LAST = (
    f"WITH RECURSIVE asked AS MATERIALIZED ({_ASKED}), picture (item, digest) AS ("
    " SELECT item, digest FROM asked"
    " UNION SELECT p.item, k.result_digest FROM picture p"
    f" CROSS JOIN compression k ON k.source_digest = p.digest AND k.state IN {_MADE}"
    " UNION SELECT p.item, k.source_digest FROM picture p"
    f" CROSS JOIN compression k ON k.result_digest = p.digest AND k.state IN {_MADE}"
    "), kept AS (SELECT item, digest, keeper AS path, counts FROM asked"
    " UNION ALL SELECT a.item, a.digest, k.result_path, a.counts FROM asked a"
    " CROSS JOIN compression k ON k.source_digest = a.digest"
    " WHERE k.step_id IN (a.step, a.leader) AND k.state = 'done'"
    "), same AS MATERIALIZED (SELECT p.item, c.id FROM picture p CROSS JOIN content c ON c.digest = p.digest)"
    " SELECT a.item, i.id IS NOT NULL, there.hash16, gone.hash16 FROM kept a"
    " LEFT JOIN image i ON i.path = a.path"
    " AND NOT EXISTS (SELECT 1 FROM root r WHERE r.id = i.root_id AND r.temporary)"
    " LEFT JOIN content there ON there.id = i.content_id LEFT JOIN content gone ON gone.digest = a.digest"
    " WHERE (a.counts OR EXISTS (SELECT 1 FROM content c WHERE c.digest = a.digest))"
    " AND a.item NOT IN ("
    f" SELECT p.item FROM same p CROSS JOIN image i ON i.content_id = p.id {_OF_LIBRARY}"
    " UNION ALL SELECT p.item FROM same p CROSS JOIN judgement j ON j.a_id = p.id"
    f" CROSS JOIN image i ON i.content_id = j.b_id {_OF_LIBRARY} WHERE j.kind IN {_SURE}"
    " UNION ALL SELECT p.item FROM same p CROSS JOIN judgement j ON j.b_id = p.id"
    f" CROSS JOIN image i ON i.content_id = j.a_id {_OF_LIBRARY} WHERE j.kind IN {_SURE})"
)


def among(database: SqliteDatabase, items: Iterable[Item]) -> set[int]:
    """The ids of those of these items that are last copies. An item known only from a manifest is one unless the index
    has its bytes, or compared them: what was kept instead is not recorded there."""
    found: set[int] = set()
    for chunk in chunks(item.id for item in items):
        rows = database.execute_sql(_LAST.format(",".join("?" * len(chunk))), chunk).fetchall()
        found.update(item for item, *_ in rows)
        found.difference_update(item for item, there, *hashes in rows if there and not _differ(*hashes))
    return found


def _differ(there: bytes | None, gone: bytes | None) -> bool:
    """Whether the picture at the path of the one that was kept is another one now, as where a camera counts its files
    from the start again. An edited one is similar; without hashes it counts as the same."""
    if not there or not gone:
        return False
    first = int.from_bytes(there[:HASH_BYTES], "big")
    rows = (gone[start : start + HASH_BYTES] for start in range(0, len(gone), HASH_BYTES))
    return all((first ^ int.from_bytes(row, "big")).bit_count() > default_tolerance(HSIZE) for row in rows)
