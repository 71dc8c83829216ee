"""The decisions of many groups cleared at once, after a count, in portions, and undone as a whole."""

import contextlib
from collections.abc import Sequence
from functools import partial

from peewee import SqliteDatabase

from index.database.queries.bulk_decisions import GROUPS_AT_ONCE, BulkEffect
from index.database.queries.group_filter import GroupFilter
from index.database.queries.listing import ChosenGroup, chosen_groups
from index.database.records import cleared_decisions
from index.database.records.cleared_decisions import Write
from index.database.records.images import chunks
from index.errors import StoreError


def preview(database: SqliteDatabase, chosen: GroupFilter, keys: Sequence[str] | None) -> BulkEffect:
    """How many decisions would be cleared, in how many groups. `keys` are as in chosen_groups."""
    _, effect = _decided_groups(database, chosen, keys)
    return effect


def apply(write: Write, chosen: GroupFilter, keys: Sequence[str] | None, now_ns: int) -> BulkEffect:
    """Clear the decisions. `write` makes one change (Store.write); it is called for each portion."""

    def begin(database: SqliteDatabase) -> tuple[list[ChosenGroup], BulkEffect]:
        groups, effect = _decided_groups(database, chosen, keys)
        effect.clearing = cleared_decisions.start(database, now_ns) if groups else 0
        return groups, effect

    begun: tuple[list[ChosenGroup], BulkEffect] = write(begin)
    groups, effect = begun
    try:
        for portion in chunks([group.id for group in groups], GROUPS_AT_ONCE):
            write(partial(cleared_decisions.set_aside, clearing_id=effect.clearing, group_ids=portion))
        if groups:
            write(lambda database: cleared_decisions.finish(database, effect.clearing))
    except Exception:
        if effect.clearing:
            with contextlib.suppress(StoreError):
                cleared_decisions.put_back(write, effect.clearing)
        raise
    return effect


def _decided_groups(
    database: SqliteDatabase, chosen: GroupFilter, keys: Sequence[str] | None
) -> tuple[list[ChosenGroup], BulkEffect]:
    """The selected groups with a decision, and how many of their images are decided."""
    decided: list[ChosenGroup] = []
    effect = BulkEffect()
    images: set[int] = set()
    for portion in chunks(chosen_groups(database, chosen, keys)):
        rows = database.execute_sql(
            "SELECT m.group_id, d.image_id FROM member m JOIN image i ON i.content_id = m.content_id"
            f" JOIN decision d ON d.image_id = i.id WHERE m.group_id IN ({','.join('?' * len(portion))})",
            [group.id for group in portion],
        ).fetchall()
        images.update(image_id for _, image_id in rows)
        with_decision = {group_id for group_id, _ in rows}
        decided += [group for group in portion if group.id in with_decision]
    effect.groups, effect.images = len(decided), len(images)
    effect.selected = effect.looked_at = len(decided)
    effect.kinds.update(group.kind for group in decided)
    return decided, effect
