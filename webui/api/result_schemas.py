"""JSON schemas of the result file, format comparimg/1."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from index.model import Kind, Turn
from webui.api.group_schemas import Reason
from webui.api.image_schemas import Attachment, Description
from webui.schemas import Answer, Count, EscapedPath, Query


class DuplicatesQuery(Query, frozen=True, kw_only=True):
    format: Annotated[
        Literal["json", "csv", "text"],
        Meta(
            description="json; csv with a row for each image; text with the paths of each group, as fdupes prints them"
        ),
    ] = "json"
    kind: Annotated[
        str,
        Meta(
            pattern=r"^((exact|pixels|near|possible)(,(exact|pixels|near|possible))*)?$",
            description="Images that match their reference in these ways; text without it: exact,pixels",
        ),
    ] = ""


class ResultImage(Answer, frozen=True, kw_only=True):
    """An image of a group. The reference has no `kind`, `distance`, `turn` and `evidence`."""

    path: EscapedPath
    reference: bool
    bytes: Count
    width: Count
    height: Count
    digest: str
    hash: str
    frames: Count
    bit_depth: Count
    attachments: list[Attachment]
    damage: str | None
    taken: str | None
    description: Description
    kind: Kind | UnsetType = UNSET
    distance: Count | UnsetType = UNSET
    turn: Turn | UnsetType = UNSET
    evidence: dict[str, Any] | UnsetType = UNSET


class ResultSpeaking(Answer, frozen=True, kw_only=True):
    """What speaks for an image being the original of another one, by paths."""

    speaks_for: EscapedPath
    against: EscapedPath
    findings: list[str]
    sentence: dict[str, str]


class ResultProposal(Answer, frozen=True, kw_only=True):
    """The proposal of a group, with the path of the image."""

    path: EscapedPath
    decided_by: str
    tie: bool
    certainty: float | None
    original_absent: bool
    reasons: list[Reason]
    speaking: list[ResultSpeaking]


class ResultGroup(Answer, frozen=True, kw_only=True):
    id: str
    kind: Kind
    scene: Annotated[bool, Meta(description="Other exposures, texts or colours of one scene: no image is a copy")]
    proposal: ResultProposal | None
    images: list[ResultImage]


class ResultProblem(Answer, frozen=True, kw_only=True):
    path: EscapedPath
    reason: str
    message: str


class ResultFile(Answer, frozen=True, kw_only=True):
    """The format comparimg/1. Equal files give an equal result."""

    format: Literal["comparimg/1"]
    created: str
    parameters: dict[str, Any]
    groups: list[ResultGroup]
    problems: list[ResultProblem]
    skipped: Annotated[
        dict[str, dict[str, int]], Meta(description="Files that their name left out, by kind and ending")
    ]
