"""PURE: a rule that decides about whole groups: which images it keeps, which give way, and what decided.

The image to keep is the one that ordered criteria propose (index.grouping.keeper). Only images whose match to it is of
the kinds asked for give way; where no criterion told the best apart, the group is a tie and is left to a person unless
the rule says otherwise. A pair of folders is a rule of its own: what is in the one gives way to what is in the other.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from index.grouping.keeper import Candidate, propose_keeper
from index.model import KINDS, Choice, Kind

# What no criterion can be sure of is a person's to decide, unless they ask for it.
USUAL_KINDS = (Kind.EXACT, Kind.PIXELS, Kind.NEAR)
FOLDERS = "folders"


@dataclass(frozen=True, slots=True)
class Rule:
    """`criteria` None means those of the settings. `keep` and `give_way` are folders, b"" where the rule has none;
    `decides_ties` lets the path decide where nothing else does."""

    choice: Choice
    destination: str = ""
    criteria: tuple[str, ...] | None = None
    kinds: tuple[Kind, ...] = USUAL_KINDS
    decides_ties: bool = False
    keep: bytes = b""
    give_way: bytes = b""


@dataclass(frozen=True, slots=True)
class RuledFile:
    """A file of a group: its content, how that matches the group's reference, the device it is on, the digest of its
    bytes, and whether a person decided about it."""

    candidate: Candidate
    content_id: int
    kind: Kind
    device: int
    digest: bytes
    decided_by_user: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule says of a group: `keepers` stay, `victims` go. Without victims, a tie that it leaves open."""

    keepers: tuple[int, ...]
    victims: tuple[int, ...]
    decided_by: str
    value: str
    tie: bool = False


def judge(rule: Rule, files: Sequence[RuledFile]) -> list[Ruling]:
    """What the rule says of one group, its reference first among its contents; nothing where it does not apply.

    Of a group for which a person has decided anything nothing is said.
    """
    if any(file.decided_by_user for file in files):
        return []
    if rule.keep and rule.give_way:
        rulings = _by_folders(rule, files)
    elif tuple(rule.kinds) == (Kind.EXACT,):
        by_content = defaultdict(list)
        for file in files:
            by_content[file.content_id].append(file)
        rulings = [ruling for equal in by_content.values() for ruling in _by_criteria(rule, equal)]
    else:
        rulings = _by_criteria(rule, [file for file in files if file.kind in {*rule.kinds, Kind.EXACT}])
    return [ruling for ruling in rulings if ruling.victims or ruling.tie]


def _by_criteria(rule: Rule, files: Sequence[RuledFile]) -> list[Ruling]:
    if len(files) < 2:
        return []
    proposal = propose_keeper([file.candidate for file in files], rule.criteria)
    keeper = next(file for file in files if file.candidate.image_id == proposal.image_id)
    victims = _victims(rule, [keeper], files)
    value = proposal.reasons[-1].value if proposal.reasons else ""
    if proposal.tie and not rule.decides_ties:
        return [Ruling((), (), proposal.decided_by, value, tie=True)] if victims else []
    return [Ruling((proposal.image_id,), victims, proposal.decided_by, value, proposal.tie)]


def _by_folders(rule: Rule, files: Sequence[RuledFile]) -> list[Ruling]:
    kept = [file for file in files if _is_below(file.candidate.path, rule.keep)]
    giving_way = [
        file for file in files if _is_below(file.candidate.path, rule.give_way) and file not in kept
    ]
    victims = _victims(rule, kept, giving_way)
    keepers = tuple(file.candidate.image_id for file in kept)
    return [Ruling(keepers, victims, FOLDERS, rule.keep.decode("utf-8", "replace"))] if victims else []


def _victims(rule: Rule, kept: Sequence[RuledFile], files: Collection[RuledFile]) -> tuple[int, ...]:
    """The files that give way to any of those kept: not protected, matched to it as the rule asks for."""
    found = []
    for file in files:
        if file in kept or file.candidate.protected:
            continue
        if any(_relation(file, keeper) in rule.kinds and _can(rule, file, keeper) for keeper in kept):
            found.append(file.candidate.image_id)
    return tuple(found)


def _can(rule: Rule, file: RuledFile, keeper: RuledFile) -> bool:
    """Only equal bytes on one file system can be one file."""
    if rule.choice is not Choice.LINK:
        return True
    return file.content_id == keeper.content_id and file.device == keeper.device and not keeper.candidate.protected


def _relation(one: RuledFile, other: RuledFile) -> Kind:
    """How two images match: both were compared to the reference only, so the less sure of both."""
    if one.content_id == other.content_id:
        return Kind.EXACT
    return max(one.kind, other.kind, key=KINDS.index)


def _is_below(path: bytes, folder: bytes) -> bool:
    return path.startswith(folder.rstrip(b"/") + b"/")
