"""Rules over the groups of the index: what one would decide, and deciding so.

A rule says nothing of groups that a person has decided anything about, and takes the place of earlier rules' decisions.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import SqliteDatabase

from index.grouping.rules import Rule, RuledFile, Ruling, judge
from index.model import Choice, Kind
from index.queries import proposals
from index.queries.listing import GroupFilter, ids_of_groups
from index.records import decisions
from index.records.catalogue import chunks
from index.records.decisions import AWAY
from index.schema import RuleOrder

SAMPLE = 12
# Groups looked at in one statement.
AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Sampled:
    """One group that a rule decides about; images are told by id and path. Of several that stay, the first."""

    key: str
    keeper: tuple[int, bytes]
    victims: tuple[tuple[int, bytes], ...]
    decided_by: str
    value: str


@dataclass(slots=True)
class Effect:
    """What a rule decides: over how many groups and images, how many bytes those are, how many ties it leaves to a
    person, and how many groups each criterion decided. `order_id` is 0 where nothing was done."""

    groups: int = 0
    images: int = 0
    bytes: int = 0
    undecided_ties: int = 0
    by_criterion: Counter[str] = field(default_factory=Counter)
    sample: list[Sampled] = field(default_factory=list)
    order_id: int = 0


def preview(
    database: SqliteDatabase, rule: Rule, chosen: GroupFilter, gone: Callable[[], bool] = lambda: False
) -> Effect:
    """What the rule would decide. Among many groups that takes long: it leaves off when whoever asked is `gone`."""
    effect = Effect()
    for key, files, rulings in _ruled(database, rule, chosen, gone):
        _count(effect, key, files, rulings)
    return effect


def apply(database: SqliteDatabase, rule: Rule, chosen: GroupFilter, now_ns: int) -> Effect:
    """Decide as the rule says, and keep it as an order that can be taken back as a whole."""
    effect = Effect()
    effect.order_id = int(
        RuleOrder.insert(rule=_told(rule), created_ns=now_ns, groups=0, images=0, bytes=0).execute(database)
    )
    touched: list[int] = []
    rows: list[tuple[Any, ...]] = []
    for key, files, rulings in _ruled(database, rule, chosen):
        made = _rows(rule, files, rulings, effect.order_id, now_ns)
        if made:
            touched += files
            rows += made
        _count(effect, key, files, rulings)
    # Earlier rules' decisions on these groups give way.
    decisions.drop(database, touched)
    for some in chunks(rows, 60):
        database.execute_sql(
            "INSERT OR REPLACE INTO decision"
            " (image_id, choice, destination, origin, criterion, order_id, digest, decided_ns)"
            f" VALUES {','.join(['(?, ?, ?, ?, ?, ?, ?, ?)'] * len(some))}",
            [value for row in some for value in row],
        )
    groups = decisions.groups_of_images(database, touched)
    # Where two groups share an image, what each keeps may be what the other gives up.
    bare = decisions.without_keeper(database, groups)
    if bare:
        decisions.drop(database, _images_of_order_in(database, effect.order_id, bare))
        groups |= bare
    decisions.recount(database, groups)
    effect.images, effect.bytes = database.execute_sql(
        "SELECT count(*), coalesce(sum(i.size_bytes), 0) FROM decision d JOIN image i ON i.id = d.image_id"
        f" WHERE d.order_id = ? AND d.choice IN ({_quoted(AWAY)})",
        (effect.order_id,),
    ).fetchone()
    effect.groups -= len(bare)
    RuleOrder.update(groups=effect.groups, images=effect.images, bytes=effect.bytes).where(
        RuleOrder.id == effect.order_id
    ).execute(database)
    return effect


def _ruled(
    database: SqliteDatabase, rule: Rule, chosen: GroupFilter, gone: Callable[[], bool] = lambda: False
) -> Iterator[tuple[str, dict[int, RuledFile], list[Ruling]]]:
    """Every group of which the rule says something, by its public id, with its files by image."""
    for some in chunks(ids_of_groups(database, chosen), AT_A_TIME):
        if gone():
            return
        keys = dict(some)
        for group_id, files in _files(database, list(keys)).items():
            rulings = judge(rule, files)
            if rulings:
                yield keys[group_id], {file.candidate.image_id: file for file in files}, rulings


def _files(database: SqliteDatabase, group_ids: Sequence[int]) -> dict[int, list[RuledFile]]:
    marks = ",".join("?" * len(group_ids))
    kinds: dict[tuple[int, int], Kind] = {
        (group_id, content_id): Kind(kind)
        for group_id, content_id, kind in database.execute_sql(
            f"SELECT group_id, content_id, kind FROM member WHERE group_id IN ({marks})", group_ids
        )
    }
    rows = database.execute_sql(
        "SELECT i.id, i.device, c.digest, d.origin FROM member m JOIN image i ON i.content_id = m.content_id"
        " JOIN content c ON c.id = i.content_id"
        " LEFT JOIN decision d ON d.image_id = i.id AND d.digest = c.digest"
        f" WHERE m.group_id IN ({marks})",
        group_ids,
    )
    known = {image_id: (device, digest, origin == "user") for image_id, device, digest, origin in rows}
    return {
        group_id: [
            RuledFile(candidate, content_id, kinds[group_id, content_id], *known[candidate.image_id])
            for content_id, candidate in files
        ]
        for group_id, files in proposals.candidates(database, group_ids).items()
    }


def _count(effect: Effect, key: str, files: dict[int, RuledFile], rulings: Sequence[Ruling]) -> None:
    decided = [ruling for ruling in rulings if ruling.victims]
    effect.undecided_ties += any(not ruling.victims for ruling in rulings)
    if not decided:
        return
    effect.groups += 1
    effect.by_criterion[decided[0].decided_by] += 1
    victims = [image_id for ruling in decided for image_id in ruling.victims]
    effect.images += len(victims)
    effect.bytes += sum(files[image_id].candidate.size_bytes for image_id in victims)
    if len(effect.sample) < SAMPLE:
        first = decided[0]
        keeper = first.keepers[0]
        effect.sample.append(
            Sampled(
                key,
                (keeper, files[keeper].candidate.path),
                tuple((image_id, files[image_id].candidate.path) for image_id in first.victims),
                first.decided_by,
                first.value,
            )
        )


def _rows(
    rule: Rule, files: dict[int, RuledFile], rulings: Iterable[Ruling], order_id: int, now_ns: int
) -> list[tuple[Any, ...]]:
    """The decisions of one group as rows: image, choice, destination, origin, criterion, order, digest, when."""
    found = []
    for ruling in rulings:
        if ruling.victims:
            decided = [(image_id, Choice.KEEP, "") for image_id in ruling.keepers]
            decided += [(image_id, rule.choice, rule.destination) for image_id in ruling.victims]
            found += [
                (image_id, choice, destination, "rule", ruling.decided_by, order_id, files[image_id].digest, now_ns)
                for image_id, choice, destination in decided
            ]
    return found


def _images_of_order_in(database: SqliteDatabase, order_id: int, group_ids: Iterable[int]) -> list[int]:
    found: list[int] = []
    for some in chunks(group_ids):
        rows = database.execute_sql(
            "SELECT d.image_id FROM decision d JOIN image i ON i.id = d.image_id"
            f" JOIN member m ON m.content_id = i.content_id WHERE d.order_id = ?"
            f" AND m.group_id IN ({','.join('?' * len(some))})",
            (order_id, *some),
        )
        found += [row[0] for row in rows]
    return found


def _told(rule: Rule) -> str:
    told: dict[str, Any] = {
        "choice": rule.choice,
        "destination": rule.destination,
        "criteria": list(rule.criteria or ()),
        "kinds": list(rule.kinds),
        "ties": "decide" if rule.decides_ties else "ask",
        "keep": rule.keep.decode("utf-8", "surrogateescape"),
        "give_way": rule.give_way.decode("utf-8", "surrogateescape"),
    }
    return json.dumps(told, sort_keys=True)


def _quoted(choices: Iterable[Choice]) -> str:
    return ",".join(f"'{choice}'" for choice in choices)
