"""PURE: a rule that decides on whole groups: which images it keeps, which are removed, and what decided.

The image to keep is the one that ordered criteria propose (grouping.keeper). Only images whose match to it is of one of
the requested kinds are removed. If it is not certain which picture is the original, or no criterion decides, the group
is a tie and is left to a person, unless the rule decides ties. A pair of folders is a rule of its own: images in one
are removed in favour of images in the other.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from index.imaging.grouping.keeper import KeeperCandidate, holds_what_is_lost, propose_keeper
from index.imaging.originality.standing import Standing
from index.model import KINDS, Choice, Kind

# Equality is proven, and nothing else is: a person decides on `near` or `possible` matches, unless they include these.
USUAL_KINDS = (Kind.EXACT, Kind.PIXELS)
FOLDERS = "folders"
TRASHED_BEFORE = "trashed_before"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule does. `criteria` None means those of the settings. `keep` and `give_way` are folders, b"" if the rule
    has none; `decides_ties` keeps the proposed image even if it is not certain. With `trashed_before`, only files are
    removed whose bytes were put in the trash before, and all others are kept."""

    choice: Choice
    destination: str = ""
    criteria: tuple[str, ...] | None = None
    kinds: tuple[Kind, ...] = USUAL_KINDS
    decides_ties: bool = False
    keep: bytes = b""
    give_way: bytes = b""
    trashed_before: bool = False

    @property
    def is_about_equal_pixels(self) -> bool:
        """Whether it concerns only files that show the same pixels as the reference of their group: any of these may
        stay, and nothing depends on which picture is the original."""
        return not (self.keep and self.give_way) and {Kind.EXACT, Kind.PIXELS}.issuperset(self.kinds)


def described(rule: Rule) -> dict[str, Any]:
    """A rule as plain data. Paths are texts in which bytes that are not UTF-8 are lone surrogates."""
    return {
        "choice": rule.choice,
        "destination": rule.destination,
        "criteria": None if rule.criteria is None else list(rule.criteria),
        "kinds": list(rule.kinds),
        "ties": "decide" if rule.decides_ties else "ask",
        "keep": rule.keep.decode("utf-8", "surrogateescape"),
        "give_way": rule.give_way.decode("utf-8", "surrogateescape"),
        "trashed_before": rule.trashed_before,
    }


def rule_of(fields: Mapping[str, Any]) -> Rule:
    """The rule for which `described` returned these fields."""
    return Rule(
        choice=Choice(fields["choice"]),
        destination=fields["destination"],
        criteria=None if fields["criteria"] is None else tuple(fields["criteria"]),
        kinds=tuple(Kind(kind) for kind in fields["kinds"]),
        decides_ties=fields["ties"] == "decide",
        keep=fields["keep"].encode("utf-8", "surrogateescape"),
        give_way=fields["give_way"].encode("utf-8", "surrogateescape"),
        trashed_before=fields["trashed_before"],
    )


class RuledFile(NamedTuple):
    """A file of a group: its content, how that matches the group's reference, its device, the digest of its bytes,
    whether a person decided on it, whether these bytes were put in the trash before it appeared. `stays` is False if
    that person decided to remove it."""

    candidate: KeeperCandidate
    content_id: int
    kind: Kind
    device: int
    digest: bytes
    decided_by_user: bool
    trashed_before: bool = False
    stays: bool = True


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision of a rule on a group: `keepers` stay, `victims` are removed. Without victims, a tie that it leaves
    undecided."""

    keepers: tuple[int, ...]
    victims: tuple[int, ...]
    decided_by: str
    value: str
    tie: bool = False


def judge(rule: Rule, files: Sequence[RuledFile], standing: Standing | None = None) -> list[Ruling]:
    """The rulings for one group, whose reference comes first among its contents; empty if the rule does not apply.
    `standing` is that of the group's pictures.

    A group in which a person has decided anything is left alone; but a file that returned from the trash is decided on,
    since the person has kept the others.
    """
    if any(file.decided_by_user for file in files) and not rule.trashed_before:
        return []
    if rule.trashed_before:
        rulings = _by_trash(rule, files)
    elif rule.keep and rule.give_way:
        rulings = _by_folders(rule, files)
    elif tuple(rule.kinds) == (Kind.EXACT,):
        by_content = defaultdict(list)
        for file in files:
            by_content[file.content_id].append(file)
        rulings = [ruling for equal in by_content.values() for ruling in _by_criteria(rule, equal, standing)]
    else:
        kinds = (*rule.kinds, Kind.EXACT)
        rulings = _by_criteria(rule, [file for file in files if file.kind in kinds], standing)
    return [ruling for ruling in rulings if ruling.victims or ruling.tie]


def _by_criteria(rule: Rule, files: Sequence[RuledFile], standing: Standing | None) -> list[Ruling]:
    if len(files) < 2:
        return []
    proposal = propose_keeper([file.candidate for file in files], rule.criteria, standing)
    keeper = next(file for file in files if file.candidate.image_id == proposal.image_id)
    victims = _victims(rule, [keeper], files)
    value = proposal.reasons[-1].value if proposal.reasons else ""
    if proposal.tie and not rule.decides_ties:
        return [Ruling((), (), proposal.decided_by, value, tie=True)] if victims else []
    return [Ruling((proposal.image_id,), victims, proposal.decided_by, value, proposal.tie)]


def _by_folders(rule: Rule, files: Sequence[RuledFile]) -> list[Ruling]:
    kept = [file for file in files if _is_below(file.candidate.path, rule.keep)]
    giving_way = [file for file in files if _is_below(file.candidate.path, rule.give_way) and file not in kept]
    victims = _victims(rule, kept, giving_way)
    keepers = tuple(file.candidate.image_id for file in kept)
    return [Ruling(keepers, victims, FOLDERS, rule.keep.decode("utf-8", "replace"))] if victims else []


def _by_trash(rule: Rule, files: Sequence[RuledFile]) -> list[Ruling]:
    """Files that returned from the trash are removed, and the others kept, within the folders of the rule if it has
    some."""
    kept = [file for file in files if not file.trashed_before and file.stays and _is_in(file, rule.keep)]
    back = [f for f in files if f.trashed_before and not f.decided_by_user and _is_in(f, rule.give_way)]
    victims = _victims(rule, kept, back)
    keepers = tuple(file.candidate.image_id for file in kept)
    return [Ruling(keepers, victims, TRASHED_BEFORE, "")] if victims else []


def _is_in(file: RuledFile, folder: bytes) -> bool:
    return not folder or _is_below(file.candidate.path, folder)


def _victims(rule: Rule, kept: Sequence[RuledFile], files: Collection[RuledFile]) -> tuple[int, ...]:
    """The files to remove in favour of any of those kept: not protected, and matched to it by a kind of the rule."""
    victims = []
    for file in files:
        if file in kept or file.candidate.protected:
            continue
        if any(_relation(file, keeper) in rule.kinds and _can(rule, file, keeper) for keeper in kept):
            victims.append(file.candidate.image_id)
    return tuple(victims)


def _can(rule: Rule, file: RuledFile, keeper: RuledFile) -> bool:
    """Whether the choice is possible: no image is removed in favour of one that lacks a part of it, in whatever folder
    it is, and only equal bytes on one file system can be hard links to one file."""
    if holds_what_is_lost(file.candidate, keeper.candidate):
        return False
    if rule.choice is not Choice.LINK:
        return True
    return file.content_id == keeper.content_id and file.device == keeper.device and not keeper.candidate.protected


def _relation(first: RuledFile, second: RuledFile) -> Kind:
    """How two images match: by the less certain of their matches to the reference, the only ones that were compared."""
    if first.content_id == second.content_id:
        return Kind.EXACT
    return max(first.kind, second.kind, key=KINDS.index)


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"/") + b"/")
