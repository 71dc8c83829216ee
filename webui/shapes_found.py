"""The JSON shapes of what was found, as a whole, and of what was said to be no duplicates."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from index.model import Kind, Turn
from webui.shapes import Answer, Body, Count, EscapedPath, Path, Query, Reason, RowId, TakenPath, Time

# The result file


class ResultImage(Answer, frozen=True, kw_only=True):
    """Of the reference, `kind` and what follows is left out."""

    path: EscapedPath
    reference: bool
    bytes: Count
    width: Count
    height: Count
    digest: str
    hash: str
    kind: Kind | UnsetType = UNSET
    distance: Count | UnsetType = UNSET
    turn: Turn | UnsetType = UNSET
    evidence: dict[str, Any] | UnsetType = UNSET


class ResultProposal(Answer, frozen=True, kw_only=True):
    """As the proposal of a group, the image by its path."""

    path: EscapedPath
    decided_by: str
    tie: bool
    reasons: list[Reason]


class ResultGroup(Answer, frozen=True, kw_only=True):
    id: str
    kind: Kind
    proposal: ResultProposal | None
    images: list[ResultImage]


class ResultProblem(Answer, frozen=True, kw_only=True):
    path: EscapedPath
    reason: str
    message: str


class ResultFile(Answer, frozen=True, kw_only=True):
    """The format comparimg/1: equal files give an equal result."""

    format: Literal["comparimg/1"]
    created: str
    parameters: dict[str, Any]
    groups: list[ResultGroup]
    problems: list[ResultProblem]


# Verdicts


class NewVerdict(Body, frozen=True, kw_only=True):
    """That the images of a group are no duplicates: all of them, or those among `images`."""

    label: Literal["not_duplicates", "alternates"] = "not_duplicates"
    note: Annotated[str, Meta(max_length=1000)] = ""
    images: Annotated[tuple[RowId, ...], Meta(max_length=10_000, description="All where none is named")] = ()


class NewPairVerdict(Body, frozen=True, kw_only=True):
    """That some images are no duplicates of one another, whatever groups they are in: two or more, by id or by path."""

    label: Literal["not_duplicates", "alternates"] = "not_duplicates"
    note: Annotated[str, Meta(max_length=1000)] = ""
    images: Annotated[tuple[RowId, ...], Meta(max_length=1000)] = ()
    paths: Annotated[tuple[TakenPath, ...], Meta(max_length=1000)] = ()


class VerdictChange(Answer, frozen=True, kw_only=True):
    """What an order changed: `pairs` of contents, taken back together under the name `batch`."""

    batch: str
    pairs: Count


class Verdict(Answer, frozen=True, kw_only=True):
    """Two contents, by digest, that are no duplicates; `paths` are the files that hold each of them now."""

    id: RowId
    batch: str
    label: Literal["not_duplicates", "alternates"]
    note: str
    created: Time
    digests: list[str]
    paths: list[list[Path]]


class VerdictList(Answer, frozen=True, kw_only=True):
    items: list[Verdict]
    next: str | None
    total: Count


# Calibration


class Interval(Answer, frozen=True, kw_only=True):
    """A number of pairs that is expected, and what it is between in 95 of 100 cases."""

    low: float
    guess: float
    high: float


class ExpectedWrong(Answer, frozen=True, kw_only=True):
    """Pairs of different pictures: `proposed` within the tolerance, and `let_through` by the verifier after that."""

    tolerance: Count
    counted: Annotated[bool, Meta(description="`proposed` is what the last detection proposed, and no estimate")]
    proposed: Interval
    let_through: Interval


class Calibration(Answer, frozen=True, kw_only=True):
    """Measured on `pairs` drawn at random among `images`; the verifier took `accepted` of `judged` for the same."""

    hsize: int
    turns: bool
    measured: Annotated[Time | None, Meta(description="null before the first detection: then there are no items")]
    images: Count
    pairs: Count
    judged: Count
    accepted: Count
    items: list[ExpectedWrong]


class CalibrationQuery(Query, frozen=True, kw_only=True):
    hsize: Literal["8", "16", "32"] = "16"
    tolerance: Annotated[int, Meta(ge=-1, le=1024, description="Every one up to 2/5 of the bits where left out")] = -1
    turns: bool = True
