"""JSON schemas of rules, their effect and their runs."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from index.messages import Message
from webui.api.decision_schemas import DestinationName
from webui.schemas import Answer, Body, Count, Path, RowId, TakenPath, Time

GoingName = Literal["trash", "move", "link"]


class RuleFolders(Body, frozen=True, kw_only=True):
    """Images in `give_way` are removed in favour of those in `keep`."""

    keep: Annotated[TakenPath, Meta(min_length=1)]
    give_way: Annotated[TakenPath, Meta(min_length=1)]


class RuleFilter(Body, frozen=True, kw_only=True):
    """Groups with an image in this root, or in this folder (or with this in its path)."""

    root: RowId | None = None
    path: TakenPath = ""


class Rule(Body, frozen=True, kw_only=True):
    """A rule that decides whole groups. Groups in which a person has decided anything are skipped."""

    choice: GoingName
    destination: DestinationName | None = None
    criteria: Annotated[
        list[str],
        Meta(max_length=50, description="Criteria, highest priority first; default: those of the setting sort.rules"),
    ] | UnsetType = UNSET  # fmt: skip
    kinds: Annotated[
        list[Literal["exact", "pixels", "near", "possible"]], Meta(min_length=1, max_length=4)
    ] | UnsetType = UNSET  # fmt: skip
    ties: Annotated[
        Literal["ask", "decide"], Meta(description="If only the path differs: ask a person, or decide by the path")
    ] = "ask"  # fmt: skip
    folders: RuleFolders | None = None
    trashed_before: Annotated[
        bool, Meta(description="Only files whose bytes were in the trash before give way, and to all others")
    ] = False  # fmt: skip
    filter: RuleFilter | None = None


class RuleJob(Rule, frozen=True, kw_only=True):
    """A rule for a job; with `dry_run` it only counts what it would decide."""

    dry_run: bool = False


class SampleImage(Answer, frozen=True, kw_only=True):
    id: RowId
    path: Path


class Sample(Answer, frozen=True, kw_only=True):
    """One of the groups, and the criterion that decided in it."""

    group: str
    keeper: SampleImage
    victims: list[SampleImage]
    decided_by: str
    value: str


class RuleEffect(Answer, frozen=True, kw_only=True):
    """The effect of a rule: the number of groups and images, the bytes of these, and the ties left to a person. If
    fewer groups were examined than are selected, the numbers are estimates."""

    groups: Count
    images: Count
    bytes: Count
    undecided_ties: Count
    by_criterion: Annotated[dict[str, int], Meta(description="The number of groups that each criterion decided")]
    sample: list[Sample]
    selected: Annotated[Count, Meta(description="Groups that the rule may decide about")]
    looked_at: Annotated[Count, Meta(description="Of these, those that were examined")]
    order: Annotated[int | None, Meta(description="Id for revoking the decisions; null in a preview")] = None


class RuleRun(Answer, frozen=True, kw_only=True):
    """One application of a rule. `open` counts its decisions that are not carried out yet."""

    id: RowId
    created: Time
    rule: dict[str, Any]
    groups: Count
    images: Count
    bytes: Count
    open: Count


class RuleRunList(Answer, frozen=True, kw_only=True):
    items: list[RuleRun]
    next: str | None
    total: Count


class RuleRunRevoked(Answer, frozen=True, kw_only=True):
    decisions: Annotated[Count, Meta(description="The number of revoked decisions")]


RuleName = Annotated[
    str,
    Meta(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$", extra={"accepted": Message("accepted.rule_name")}),
]


class NewNamedRule(Body, frozen=True, kw_only=True):
    """A rule to be stored under a name."""

    name: RuleName
    rule: Rule
    after_detection: Annotated[bool, Meta(description="Run it after each detection; it carries nothing out")] = False
    beyond_equal: Annotated[bool, Meta(description="Allow this for kinds beyond exact and pixels")] = False


class NamedRuleChange(Body, frozen=True, kw_only=True):
    name: RuleName | UnsetType = UNSET
    rule: Rule | UnsetType = UNSET
    after_detection: bool | UnsetType = UNSET
    beyond_equal: bool | UnsetType = UNSET


class NamedRule(Answer, frozen=True, kw_only=True):
    """A stored rule. If its decisions are revoked, it no longer runs after detections."""

    id: RowId
    name: str
    rule: Annotated[dict[str, Any], Meta(description="In the form of a request")]
    after_detection: bool
    beyond_equal: bool


class NamedRuleList(Answer, frozen=True, kw_only=True):
    items: list[NamedRule]
