"""Applies rules to the groups of the index, or previews what a rule would decide.

A rule skips groups in which a person has decided anything, and replaces the decisions of earlier rules.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from peewee import SqliteDatabase

from index.database import garbage
from index.database.queries import proposals
from index.database.queries.group_filter import GroupFilter
from index.database.queries.listing import ids_of_groups
from index.database.records import rule_runs, trash_items
from index.database.records.images import chunks
from index.database.records.rule_runs import DecisionRow
from index.errors import StoreError
from index.imaging.grouping.keeper import KeeperCandidate
from index.imaging.grouping.rules import Rule, RuledFile, Ruling, described, judge
from index.imaging.originality.standing import Standing
from index.model import Choice, Kind

SAMPLE = 60
# Groups that are read by one statement.
GROUPS_AT_ONCE = 200
# Up to this many groups, a request answers for each of them; more need a job. One takes 0.05 to 0.2 milliseconds.
ANSWERED_AT_ONCE = 10_000
# The number of groups from which a preview of more than that is estimated.
ESTIMATED_FROM = 2_500
KIND_OF = {str(kind): kind for kind in Kind}

Selected = TypeVar("Selected")


@dataclass(frozen=True, slots=True)
class SampleGroup:
    """One group that a rule decides on; each image is its id and path. `keeper` is the first of the keepers."""

    key: str
    keeper: tuple[int, bytes]
    victims: tuple[tuple[int, bytes], ...]
    decided_by: str
    value: str


@dataclass(slots=True)
class Effect:
    """What a rule decides: the number of groups, of images that are not kept and their bytes, of ties that are left to
    a person, and of groups by the criterion that decided. `run_id` is 0 in a preview. `looked_at` groups of `selected`
    ones were examined: if these differ, the numbers are estimates."""

    groups: int = 0
    images: int = 0
    bytes: int = 0
    undecided_ties: int = 0
    by_criterion: Counter[str] = field(default_factory=Counter)
    sample: list[SampleGroup] = field(default_factory=list)
    run_id: int = 0
    selected: int = 0
    looked_at: int = 0


def preview(
    database: SqliteDatabase, rule: Rule, chosen: GroupFilter, gone: Callable[[], bool] = lambda: False
) -> Effect:
    """What the rule would decide. For more than ANSWERED_AT_ONCE groups an estimate, from groups evenly spread in their
    order, those with the most reclaimable bytes first. It stops once the client is `gone`."""
    groups = _groups(database, rule, chosen)
    looked_at = answered_from(groups)
    effect = Effect(selected=len(groups), looked_at=len(looked_at))
    with garbage.paused():
        for portion in chunks(looked_at, GROUPS_AT_ONCE):
            if gone():
                break
            add_effect(database, rule, portion, effect)
    estimate(effect, ("groups", "images", "bytes", "undecided_ties"), "by_criterion")
    return effect


def is_for_a_job(database: SqliteDatabase, rule: Rule, chosen: GroupFilter) -> bool:
    """Whether the rule concerns more groups than a request should decide on."""
    return len(_groups(database, rule, chosen)) > ANSWERED_AT_ONCE


def portions(database: SqliteDatabase, rule: Rule, chosen: GroupFilter) -> list[Sequence[tuple[int, str]]]:
    """All groups that the rule may decide on, in portions for `add_effect`."""
    return list(chunks(_groups(database, rule, chosen), GROUPS_AT_ONCE))


def add_effect(database: SqliteDatabase, rule: Rule, portion: Sequence[tuple[int, str]], effect: Effect) -> None:
    """Add what the rule would decide on the groups of a portion."""
    for key, files, rulings in _ruled(database, rule, portion):
        _count(effect, key, files, rulings)


def answered_from(groups: Sequence[Selected]) -> Sequence[Selected]:
    """The groups from which a request answers what would be decided on all: all of them, or of more than
    ANSWERED_AT_ONCE some, each from the middle of an equal share of their order."""
    if len(groups) <= ANSWERED_AT_ONCE:
        return groups
    return [groups[(2 * number + 1) * len(groups) // (2 * ESTIMATED_FROM)] for number in range(ESTIMATED_FROM)]


class Examined(Protocol):
    """An effect of which `looked_at` groups of `selected` ones were examined."""

    selected: int
    looked_at: int


def estimate(effect: Examined, numbers: Sequence[str], counter: str) -> None:
    """Scale an effect on the groups examined to all that are selected: the numbers and the counter of these names."""
    if effect.looked_at < effect.selected:
        factor = effect.selected / effect.looked_at
        for name in numbers:
            setattr(effect, name, round(factor * getattr(effect, name)))
        counts: Counter[str] = getattr(effect, counter)
        setattr(effect, counter, Counter({name: round(factor * count) for name, count in counts.items()}))


class Application:
    """One application of a rule in portions, each in its own transaction, so that no other writer waits for all of
    them: `begin` returns the portions, `decide` makes the decisions of one, `end` adds up.

    Every portion leaves whole groups decided. A run that does not reach its end is rolled back (rule_runs.roll_back).
    """

    def __init__(self, rule: Rule, chosen: GroupFilter, now_ns: int, name: str = "", job_id: int | None = None) -> None:
        self._rule = rule
        self._name = name
        self._chosen = chosen
        self._now_ns = now_ns
        self._job_id = job_id
        self._bare: set[int] = set()
        self.effect = Effect()

    def begin(self, database: SqliteDatabase) -> list[Sequence[tuple[int, str]]]:
        """Start the rule run. Returns the groups in portions for `decide`."""
        self.effect.run_id = rule_runs.start(
            database,
            described(self._rule) | ({"name": self._name} if self._name else {}),
            self._now_ns,
            self._job_id,
        )
        found = portions(database, self._rule, self._chosen)
        self.effect.selected = self.effect.looked_at = sum(map(len, found))
        return found

    def decide(self, portion: Sequence[tuple[int, str]], database: SqliteDatabase) -> None:
        """Decide on the groups of one portion in their present state."""
        run_id = self.effect.run_id
        touched: list[int] = []
        rows: list[DecisionRow] = []
        with garbage.paused():
            for key, files, rulings in _ruled(database, self._rule, portion):
                made = _rows(self._rule, files, rulings, run_id, self._now_ns)
                if made:
                    touched += files
                    rows += made
                _count(self.effect, key, files, rulings)
        rule_runs.replace_earlier(database, run_id, touched)
        self._bare |= rule_runs.store(database, run_id, rows, touched)

    def end(self, database: SqliteDatabase) -> Effect:
        """Store what the run decided, and return it."""
        effect = self.effect
        effect.groups -= len(self._bare)
        effect.images, effect.bytes = rule_runs.finish(database, effect.run_id, effect.groups)
        return effect

    def roll_back(self, write: Callable[[Callable[[SqliteDatabase], Any]], Any]) -> None:
        """Undo a run that cannot continue. If that fails too, the next start does it."""
        if self.effect.run_id:
            with contextlib.suppress(StoreError):
                rule_runs.roll_back(write, self.effect.run_id)


def apply(
    write: Callable[[Callable[[SqliteDatabase], Any]], Any],
    rule: Rule,
    chosen: GroupFilter,
    now_ns: int,
    name: str = "",
) -> Effect:
    """Make the rule's decisions, as a rule run that can be revoked as a whole, of the rule with this name if it has
    one. `write` makes one change (Store.write); it is called for each portion of groups."""
    application = Application(rule, chosen, now_ns, name)
    try:
        for portion in write(application.begin):
            write(partial(application.decide, portion))
        effect: Effect = write(application.end)
    except Exception:
        application.roll_back(write)
        raise
    return effect


def _groups(database: SqliteDatabase, rule: Rule, chosen: GroupFilter) -> list[tuple[int, str]]:
    """The row ids and public ids of the groups that a rule may decide on."""
    # Of two files that are only similar, a rule about equal pixels can remove neither in favour of the other.
    passed_over = [kind for kind in Kind if rule.is_about_equal_pixels and kind not in (*rule.kinds, Kind.EXACT)]
    return ids_of_groups(database, chosen, passed_over)


def _ruled(
    database: SqliteDatabase, rule: Rule, portion: Sequence[tuple[int, str]]
) -> Iterator[tuple[str, dict[int, RuledFile], list[Ruling]]]:
    """Those of some groups to which the rule applies: the public id, the files by image id, and the rulings."""
    by_pixels = rule.is_about_equal_pixels
    by_bytes = by_pixels and tuple(rule.kinds) == (Kind.EXACT,)
    keys = dict(portion)
    for group_id, (files, standing) in _files(database, rule, list(keys), by_pixels, by_bytes).items():
        rulings = judge(rule, files, standing)
        if rulings:
            yield keys[group_id], {file.candidate.image_id: file for file in files}, rulings


def _files(
    database: SqliteDatabase, rule: Rule, group_ids: Sequence[int], by_pixels: bool, by_bytes: bool
) -> dict[int, tuple[list[RuledFile], Standing | None]]:
    """The files of each group in which no person has decided anything, or of all groups for a rule about what was
    trashed before, and the standing of its pictures. With `by_pixels` only those that show the pixels of the reference,
    or with `by_bytes` all, without a standing."""
    marks = ",".join("?" * len(group_ids))
    known: dict[tuple[int, int], tuple[Kind, int, bytes]] = {}
    by_user: set[int] = set()
    decided: dict[int, str] = {}
    for group_id, kind, image_id, device, digest, origin, choice in database.execute_sql(
        "SELECT m.group_id, m.kind, i.id, i.device, c.digest, d.origin, d.choice FROM member m"
        " JOIN image i ON i.content_id = m.content_id"
        " JOIN root r ON r.id = i.root_id AND r.watched AND NOT r.temporary"
        " JOIN content c ON c.id = i.content_id"
        " LEFT JOIN decision d ON d.image_id = i.id AND d.digest = c.digest"
        f" WHERE m.group_id IN ({marks})",
        group_ids,
    ):
        known[group_id, image_id] = KIND_OF[kind], device, digest
        if origin == "user":
            by_user.add(group_id)
            decided[image_id] = choice
    found: Mapping[int, tuple[list[tuple[int, KeeperCandidate]], Standing | None]]
    open_ids = [group_id for group_id in group_ids if rule.trashed_before or group_id not in by_user]
    if by_pixels:
        equal = proposals.equal_candidates(database, open_ids, by_bytes)
        found = {group_id: (files, None) for group_id, files in equal.items()}
    else:
        found = proposals.candidates(database, open_ids)
    images = [image_id for _, image_id in known] if rule.trashed_before else []
    trashed = trash_items.trashed_before(database, images)
    return {
        group_id: (
            [
                RuledFile(
                    candidate,
                    content_id,
                    *known[group_id, candidate.image_id],
                    decided_by_user=candidate.image_id in decided,
                    trashed_before=candidate.image_id in trashed,
                    stays=decided.get(candidate.image_id, Choice.KEEP) == Choice.KEEP,
                )
                for content_id, candidate in files
            ],
            standing,
        )
        for group_id, (files, standing) in found.items()
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
            SampleGroup(
                key,
                (keeper, files[keeper].candidate.path),
                tuple((image_id, files[image_id].candidate.path) for image_id in first.victims),
                first.decided_by,
                first.value,
            )
        )


def _rows(
    rule: Rule, files: dict[int, RuledFile], rulings: Iterable[Ruling], order_id: int, now_ns: int
) -> list[DecisionRow]:
    """The decisions of one group as rows of the table `decision`."""
    rows = []
    for ruling in rulings:
        if ruling.victims:
            decided = [(image_id, Choice.KEEP, "") for image_id in ruling.keepers]
            decided += [(image_id, rule.choice, rule.destination) for image_id in ruling.victims]
            rows += [
                (image_id, choice, destination, "rule", ruling.decided_by, order_id, files[image_id].digest, now_ns)
                for image_id, choice, destination in decided
                if not files[image_id].decided_by_user
            ]
    return rows
