"""Decisions on many groups at once: accept the proposals, keep every image, or declare them not duplicates.

When a proposal is accepted, the other images are put in the trash, moved to a destination, or replaced by hard links to
identical kept images. Existing decisions are kept; only images without a decision get one. A group stays undecided if
it is not certain which image is the original, if an image would be removed that has something the kept ones lack, or if
the proposed image was decided against by hand.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from peewee import SqliteDatabase

from index.database.queries import denial_regrouping, proposals, rule_application
from index.database.queries.group_filter import GroupFilter
from index.database.queries.listing import ChosenGroup, chosen_groups
from index.database.records import rule_runs, verdicts
from index.database.records.images import chunks
from index.database.records.rule_runs import DecisionRow
from index.errors import NotFound, StoreError
from index.imaging.grouping.keeper import KeeperCandidate, holds_what_is_lost, propose_keeper, untouched
from index.imaging.originality.standing import Standing
from index.model import Choice, Kind

ACCEPT, KEEP, MOVE, LINK = "accept", "keep", "move", "link"
DENIALS = verdicts.LABELS
# What happens to the images that are not kept.
GOING: Final = {ACCEPT: Choice.TRASH, MOVE: Choice.MOVE, LINK: Choice.LINK}
ACTIONS = (*GOING, KEEP, *DENIALS)
# Groups that one change decides on.
GROUPS_AT_ONCE = 500
EQUAL = (Kind.EXACT, Kind.PIXELS)

Write = Callable[[Callable[[SqliteDatabase], Any]], Any]


@dataclass(slots=True)
class BulkEffect:
    """The effect of a request: the number of groups, of removed images and their bytes, of groups left undecided, and
    the groups by kind. It can be revoked by `run_id` (decisions), `batch` (verdicts) or `clearing` (cleared decisions);
    these are 0 and "" in a preview. When clearing, `images` are those that were decided. `looked_at` groups of
    `selected` ones were examined: if these differ, the numbers are estimates."""

    groups: int = 0
    images: int = 0
    bytes: int = 0
    left_open: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    run_id: int = 0
    batch: str = ""
    clearing: int = 0
    selected: int = 0
    looked_at: int = 0


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """What to do (one of ACTIONS) with the selected groups, or with those of `keys` in the library or limited search
    that `chosen` names. `criteria` are those of the proposals, `destination` is where images are moved."""

    action: str
    chosen: GroupFilter
    keys: Sequence[str] | None = None
    criteria: Sequence[str] | None = None
    destination: str = ""


class _Completion(NamedTuple):
    """The choices for the images of one group that have none; None if it stays undecided."""

    group: ChosenGroup
    choices: Mapping[int, Choice] | None


class _Known(NamedTuple):
    """A file of a group: the digest of its bytes, its size, and its decision, if it has one for these bytes."""

    digest: bytes
    size_bytes: int
    choice: Choice | None


def preview(database: SqliteDatabase, request: BulkRequest, gone: Callable[[], bool] = lambda: False) -> BulkEffect:
    """What a request would decide. For more groups of a filter than a request can answer for, an estimate (see
    rule_application.answered_from). It stops once the client is `gone`."""
    groups = _groups(database, request)
    is_counted = request.action in DENIALS or request.keys is not None
    looked_at = groups if is_counted else rule_application.answered_from(groups)
    effect = BulkEffect(selected=len(groups), looked_at=len(looked_at))
    for portion in chunks(looked_at, GROUPS_AT_ONCE):
        if gone():
            break
        add_effect(database, request, portion, effect)
    rule_application.estimate(effect, ("groups", "images", "bytes", "left_open"), "kinds")
    return effect


def is_for_a_job(request: BulkRequest, selected: int) -> bool:
    """Whether a request on this many groups of a filter must be made as a job."""
    return request.keys is None and selected > rule_application.ANSWERED_AT_ONCE


def portions(database: SqliteDatabase, request: BulkRequest) -> list[Sequence[ChosenGroup]]:
    """All groups that a request may decide on, in portions for `add_effect`."""
    return list(chunks(_groups(database, request), GROUPS_AT_ONCE))


def add_effect(
    database: SqliteDatabase, request: BulkRequest, portion: Sequence[ChosenGroup], effect: BulkEffect
) -> None:
    """Add what a request would decide on the groups of a portion."""
    if request.action in DENIALS:
        effect.groups += len(portion)
        effect.kinds.update(group.kind for group in portion)
        return
    known = _known(database, portion)
    for completion in _completions(database, request, portion, known):
        _count(effect, completion, known)


class BulkApplication:
    """One request carried out in portions, each in its own transaction: `begin` returns the portions, `decide` decides
    on one, `end` adds up. A request that does not reach its end is rolled back.

    Verdicts are those of `batch`; a restarted job continues with its batch.
    """

    def __init__(self, request: BulkRequest, now_ns: int, job_id: int | None = None, batch: str = "") -> None:
        self._request = request
        self._now_ns = now_ns
        self._job_id = job_id
        self._bare: set[int] = set()
        self.effect = BulkEffect()
        if request.action in DENIALS:
            self.effect.batch = batch or verdicts.new_batch()

    def begin(self, database: SqliteDatabase) -> list[Sequence[ChosenGroup]]:
        """Start the run. Returns the groups in portions for `decide`."""
        found = portions(database, self._request)
        self.effect.selected = self.effect.looked_at = sum(map(len, found))
        if not self.effect.batch:
            self.effect.run_id = rule_runs.start(database, _described(self._request), self._now_ns, self._job_id)
        return found

    def decide(self, portion: Sequence[ChosenGroup], database: SqliteDatabase) -> None:
        """Decide on the groups of one portion in their present state."""
        if self.effect.batch:
            _deny(self.effect, self._request, portion, self._now_ns, database)
            return
        known = _known(database, portion)
        rows: list[DecisionRow] = []
        touched: list[int] = []
        run_id = self.effect.run_id
        for completion in _completions(database, self._request, portion, known):
            _count(self.effect, completion, known)
            for image_id, choice in (completion.choices or {}).items():
                digest = known[completion.group.id, image_id].digest
                place = self._request.destination if choice is Choice.MOVE else ""
                rows.append((image_id, choice, place, "user", "", run_id, digest, self._now_ns))
                touched.append(image_id)
        self._bare.update(rule_runs.store(database, run_id, rows, touched))

    def end(self, database: SqliteDatabase) -> BulkEffect:
        """Store what the run decided, and return it."""
        effect = self.effect
        if not effect.batch:
            effect.groups -= len(self._bare)
            effect.left_open += len(self._bare)
            effect.images, effect.bytes = rule_runs.finish(database, effect.run_id, effect.groups)
        return effect

    def roll_back(self, write: Write) -> None:
        """Undo a run that cannot continue. If that fails too, the next start does it."""
        with contextlib.suppress(StoreError):
            if self.effect.run_id:
                rule_runs.roll_back(write, self.effect.run_id)
            elif self.effect.groups:
                write(partial(_revoke, self.effect.batch, self._now_ns))


def apply(write: Write, request: BulkRequest, now_ns: int) -> BulkEffect:
    """Carry out a request. `write` makes one change (Store.write); it is called for each portion of groups."""
    application = BulkApplication(request, now_ns)
    try:
        for portion in write(application.begin):
            write(partial(application.decide, portion))
        effect: BulkEffect = write(application.end)
    except Exception:
        application.roll_back(write)
        raise
    return effect


def _groups(database: SqliteDatabase, request: BulkRequest) -> list[ChosenGroup]:
    """The selected groups that the action applies to. Raises NotFound for one that does not exist."""
    groups = chosen_groups(database, request.chosen, request.keys)
    if request.keys is not None and len(groups) < len(set(request.keys)):
        gone = set(request.keys).difference(group.key for group in groups)
        raise NotFound("group.unknown", group=min(gone))
    if request.action in DENIALS:
        # Identical files are always duplicates.
        return [group for group in groups if group.kind != Kind.EXACT]
    if request.action in GOING:
        groups = [group for group in groups if not group.scene]
    return [group for group in groups if not group.decided]


def _known(database: SqliteDatabase, portion: Sequence[ChosenGroup]) -> dict[tuple[int, int], _Known]:
    """The files of some groups, by group and by the id of each of their images. A decision on any path of a file counts
    for all."""
    rows = database.execute_sql(
        "SELECT m.group_id, i.id, i.device, i.inode, c.digest, i.size_bytes, d.choice FROM member m"
        " JOIN image i ON i.content_id = m.content_id JOIN root r ON r.id = i.root_id AND r.watched"
        " JOIN content c ON c.id = i.content_id LEFT JOIN decision d ON d.image_id = i.id AND d.digest = c.digest"
        f" WHERE m.group_id IN ({','.join('?' * len(portion))})",
        [group.id for group in portion],
    ).fetchall()
    choice_of = {(device, inode): Choice(choice) for _, _, device, inode, _, _, choice in rows if choice is not None}
    return {
        (group_id, image_id): _Known(bytes(digest), size_bytes, choice_of.get((device, inode)))
        for group_id, image_id, device, inode, digest, size_bytes, _ in rows
    }


def _completions(
    database: SqliteDatabase,
    request: BulkRequest,
    portion: Sequence[ChosenGroup],
    known: Mapping[tuple[int, int], _Known],
) -> Iterator[_Completion]:
    """The choices for the groups of a portion; groups without undecided images are left out."""
    found = _candidates(database, portion, request.action)
    # If groups share an image, the first decides on it.
    made: dict[int, Choice] = {}
    for group in portion:
        files, standing = found.get(group.id, ([], None))
        decided = {file.image_id: known[group.id, file.image_id].choice or made.get(file.image_id) for file in files}
        if all(decided.values()):
            continue
        if request.action == KEEP:
            choices: dict[int, Choice] | None = {image_id: Choice.KEEP for image_id in decided if not decided[image_id]}
        else:
            choices = _accepted(files, standing, request.criteria, decided)
            if choices is not None and request.action != ACCEPT:
                digests = {image_id: known[group.id, image_id].digest for image_id in decided}
                choices = _instead_of_trash(GOING[request.action], choices, decided, digests)
        made.update(choices or {})
        yield _Completion(group, choices)


def _candidates(
    database: SqliteDatabase, portion: Sequence[ChosenGroup], action: str
) -> dict[int, tuple[list[KeeperCandidate], Standing | None]]:
    """The files of each group, and the standing of its pictures. If all are kept or show equal pixels, nothing depends
    on which picture is the original, and the standing is not read."""
    lean = [group.id for group in portion if action == KEEP or group.kind in EQUAL]
    others = [group.id for group in portion if action != KEEP and group.kind not in EQUAL]
    found: dict[int, tuple[list[KeeperCandidate], Standing | None]] = {}
    if lean:
        for group_id, files in proposals.equal_candidates(database, lean, by_bytes=action == KEEP).items():
            found[group_id] = [file for _, file in files], None
    if others:
        for group_id, (files, standing) in proposals.candidates(database, others).items():
            found[group_id] = [file for _, file in files], standing
    return found


def _accepted(
    files: Sequence[KeeperCandidate],
    standing: Standing | None,
    criteria: Sequence[str] | None,
    decided: Mapping[int, Choice | None],
) -> dict[int, Choice] | None:
    """The choices for the images without a decision: the proposed and the protected ones are kept, the others trashed.
    None if the group stays undecided."""
    proposal = propose_keeper(files, criteria, standing)
    if proposal.tie:
        return None
    still_open = [file for file in files if not decided[file.image_id]]
    stays = untouched(files) | {proposal.image_id}
    keeping = {file.image_id for file in files if file.image_id == proposal.image_id or file.protected}
    if Choice.KEEP not in decided.values() and not any(file.image_id in keeping for file in still_open):
        # The proposed image is removed: a single other image is kept without doubt, several are not.
        return {still_open[0].image_id: Choice.KEEP} if len(still_open) == 1 else None
    kept = next(file for file in files if file.image_id == proposal.image_id)
    going = [file for file in still_open if file.image_id not in stays]
    if any(holds_what_is_lost(file, kept) for file in going):
        return None
    return {file.image_id: Choice.KEEP if file.image_id in stays else Choice.TRASH for file in still_open}


def _instead_of_trash(
    action: Choice,
    choices: Mapping[int, Choice],
    decided: Mapping[int, Choice | None],
    digests: Mapping[int, bytes],
) -> dict[int, Choice] | None:
    """The choices with `action` in place of the trash. Links are made only of files identical to an image that stays;
    the others stay undecided. None for a group without any such file."""
    stays = {image_id for image_id, choice in {**decided, **choices}.items() if choice is Choice.KEEP}
    equal = {digests[image_id] for image_id in stays}
    made = {
        image_id: action if choice is Choice.TRASH else choice
        for image_id, choice in choices.items()
        if choice is Choice.KEEP or action is not Choice.LINK or digests[image_id] in equal
    }
    return made if any(choice is action for choice in made.values()) else None


def _count(effect: BulkEffect, completion: _Completion, known: Mapping[tuple[int, int], _Known]) -> None:
    group, choices = completion
    if choices is None:
        effect.left_open += 1
        return
    going = [image_id for image_id, choice in choices.items() if choice is not Choice.KEEP]
    effect.groups += 1
    effect.kinds[group.kind] += 1
    effect.images += len(going)
    effect.bytes += sum(known[group.id, image_id].size_bytes for image_id in going)


def _deny(
    effect: BulkEffect,
    request: BulkRequest,
    portion: Sequence[ChosenGroup],
    now_ns: int,
    database: SqliteDatabase,
) -> None:
    """Declare the groups of a portion not duplicates, and rebuild the groups concerned."""
    change = verdicts.deny_groups(database, [group.id for group in portion], request.action, now_ns, effect.batch)
    denial_regrouping.regroup(database, change.content_ids, now_ns)
    effect.groups += len(portion)
    effect.kinds.update(group.kind for group in portion)


def _revoke(batch: str, now_ns: int, database: SqliteDatabase) -> None:
    """Revoke the verdicts of an unfinished run, and rebuild the groups concerned."""
    change = verdicts.revoke_batch(database, batch)
    denial_regrouping.regroup(database, change.content_ids, now_ns)


def _described(request: BulkRequest) -> dict[str, Any]:
    chosen = request.chosen
    if request.keys is not None:
        return {"action": request.action, "selected": len(request.keys), "search": chosen.search}
    return {
        "action": request.action,
        "kinds": list(chosen.kinds),
        "path": chosen.path.decode("utf-8", "surrogateescape"),
        "root": chosen.root_id,
        "search": chosen.search,
    }
