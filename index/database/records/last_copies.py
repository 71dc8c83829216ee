"""Files in the trash whose picture has no other copy in the index: the image kept instead no longer exists."""

from collections.abc import Iterable

from peewee import SqliteDatabase

from index.database.records.images import chunks
from index.database.records.trash_items import Item
from index.model import Kind

_OF_LIBRARY = "JOIN root r ON r.id = i.root_id AND NOT r.temporary"
_SURE = f"('{Kind.EXACT}', '{Kind.PIXELS}', '{Kind.NEAR}')"
# A companion is a last copy where its image is: `l` is the step of the image. A kept image that was renamed has the
# digest of the item, or was compared with it.
_LAST = (
    "SELECT s.id FROM step s JOIN step l ON l.id = coalesce(s.companion_of_id, s.id)"
    " LEFT JOIN content c ON c.digest = l.digest"
    " WHERE s.id IN ({}) AND l.action = 'trash' AND l.keeper <> x''"
    f" AND NOT EXISTS (SELECT 1 FROM image i {_OF_LIBRARY} WHERE i.path = l.keeper)"
    f" AND NOT EXISTS (SELECT 1 FROM image i {_OF_LIBRARY} WHERE i.content_id = c.id)"
    f" AND NOT EXISTS (SELECT 1 FROM judgement j JOIN image i ON i.content_id = j.b_id {_OF_LIBRARY}"
    f" WHERE j.a_id = c.id AND j.kind IN {_SURE})"
    f" AND NOT EXISTS (SELECT 1 FROM judgement j JOIN image i ON i.content_id = j.a_id {_OF_LIBRARY}"
    f" WHERE j.b_id = c.id AND j.kind IN {_SURE})"
)


def among(database: SqliteDatabase, items: Iterable[Item]) -> set[int]:
    """The ids of those of these items that are last copies. Items without a record of what was kept instead, such as
    those known from a manifest only, are not."""
    by_step = {item.step_id: item.id for item in items if item.step_id is not None and not item.adopted}
    found: set[int] = set()
    for chunk in chunks(by_step):
        rows = database.execute_sql(_LAST.format(",".join("?" * len(chunk))), chunk)
        found.update(by_step[step_id] for (step_id,) in rows)
    return found
