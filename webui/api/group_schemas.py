"""JSON schemas of groups: their images, the proposal, the filters of the list."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from index.messages import Message
from index.model import Kind, Turn
from webui.api.decision_schemas import Decision
from webui.api.image_schemas import Image
from webui.schemas import Answer, Count, Cursor, Limit, Query, RowId, TakenPath, Time

SortName = Literal["reclaimable", "size", "confidence", "date"]
OrderName = Literal["desc", "asc"]
Day = Annotated[str, Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$", extra={"accepted": Message("accepted.day")})]


class Member(Image, frozen=True, kw_only=True):
    """An image of a group. `kind`, `distance`, `turn`, `confidence` and `evidence` describe its match with the
    reference of the group. `copy_of` is an image of the group with the same bytes."""

    reference: bool
    kind: Kind
    distance: Count
    turn: Turn
    confidence: float
    evidence: Annotated[dict[str, Any], Meta(description="The turn from the reference to this image")]
    sentence: Annotated[
        dict[str, str] | None,
        Meta(description="What was done to the proposed image to get this one, by language; null for identical bytes"),
    ]
    copy_of: RowId | None
    compressed_from: Annotated[int | None, Meta(description="The image on this page from which it was compressed")]
    decision: Decision | None


class MemberList(Answer, frozen=True, kw_only=True):
    items: list[Member]
    next: str | None
    total: Count


class Weakest(Answer, frozen=True, kw_only=True):
    """The least certain match of a group: an image, and how it matches the reference."""

    image: RowId
    kind: Kind
    confidence: float
    distance: Count


class Reason(Answer, frozen=True, kw_only=True):
    """A criterion that narrowed the choice to `left` of `of` images. `value` is the value of the images left."""

    criterion: str
    left: Count
    of: Count
    value: Annotated[str, Meta(description='"4000x3000", a number of bytes, a time; "" if there is none')]


class Speaking(Answer, frozen=True, kw_only=True):
    """The evidence that one image is the original of another."""

    image: RowId
    other: RowId
    findings: Annotated[list[str], Meta(description="Names of the findings, most important first")]
    sentence: Annotated[dict[str, str], Meta(description="As a sentence, by language")]


class Proposal(Answer, frozen=True, kw_only=True):
    """The image that the criteria of the setting `sort.rules` would keep."""

    image: RowId
    decided_by: Annotated[str, Meta(description="The last criterion that was needed")]
    tie: Annotated[
        bool, Meta(description="Whether it is uncertain which image is the original, so that a person should decide")
    ]
    certainty: Annotated[
        float | None, Meta(description="The probability that the kept image is the original; null if it was not needed")
    ]
    original_absent: Annotated[
        bool, Meta(description="There is proof against every image: the original is not in the group")
    ]
    reasons: list[Reason]
    speaking: list[Speaking]


class Group(Answer, frozen=True, kw_only=True):
    """Images offered for one decision, the reference first."""

    id: str
    kind: Kind
    confidence: float
    size_bytes: Count
    reclaimable_bytes: Count
    newest: Time
    changed: Time
    decided: Annotated[Literal["none", "partly", "fully"], Meta(description="The number of its images with a decision")]
    scene: Annotated[bool, Meta(description="Other exposures, texts or colours of one scene: no image is a copy")]
    proposal: Annotated[
        Proposal | None, Meta(description="null for a scene, and while the files of the group are being moved")
    ]
    weakest: Annotated[Weakest | None, Meta(description="null if all images have the same bytes")]
    images: MemberList


class GroupList(Answer, frozen=True, kw_only=True):
    items: list[Group]
    next: str | None
    previous: Annotated[str | None, Meta(description="The cursor of the previous page, null if there is none")]
    total: Count
    scenes: Annotated[Count, Meta(description="The number of scenes")]
    kinds: Annotated[dict[str, int], Meta(description="The number of each kind, with the other filters")]


class GroupDetail(Group, frozen=True, kw_only=True):
    previous: Annotated[str | None, Meta(description="The previous group in the requested list")]
    following: Annotated[str | None, Meta(description="The next group in the requested list")]


class GroupChoice(Query, frozen=True, kw_only=True):
    kind: Annotated[
        str,
        Meta(
            pattern=r"^((exact|pixels|near|possible)(,(exact|pixels|near|possible))*)?$",
            description="Match kinds, separated by commas",
        ),
    ] = ""
    root: Annotated[RowId, Meta(description="Groups with an image in this root")] | UnsetType = UNSET
    path: Annotated[TakenPath, Meta(description="Groups with an image in this folder, or with this in its path")] = ""
    min_images: Annotated[int, Meta(ge=2, le=1_000_000)] = 2
    decided: Annotated[
        str,
        Meta(
            pattern=r"^((none|partly|fully)(,(none|partly|fully))*)?$",
            description="Whether its images are decided: states, separated by commas",
        ),
    ] = ""
    search: (
        Annotated[RowId, Meta(description="Only those of this limited search, instead of the library")] | UnsetType
    ) = UNSET
    scenes: Annotated[
        Literal["without", "only", "with"], Meta(description="Groups of duplicates, of scenes, or both")
    ] = "without"
    taken_from: Annotated[Day, Meta(description="With an image taken on this day or later, YYYY-MM-DD")] = ""
    taken_until: Annotated[Day, Meta(description="With an image taken on this day or earlier, YYYY-MM-DD")] = ""
    sort: SortName = "reclaimable"
    order: OrderName = "desc"


class GroupListQuery(GroupChoice, frozen=True, kw_only=True):
    cursor: Annotated[Cursor, Meta(description="`next` of the previous page, or `previous` of the next page")] = ""
    around: Annotated[
        str,
        Meta(
            max_length=100,
            description="A group id: the page has the groups around its place, whether it is listed or not",
        ),
    ] = ""
    limit: Limit = 50
    images: Annotated[
        int,
        Meta(ge=1, le=50, description="The number of images to list for each group, in addition to the proposed one"),
    ] = 6


class GroupQuery(GroupChoice, frozen=True, kw_only=True):
    cursor: Annotated[Cursor, Meta(description="`next` of the previous images of this group")] = ""
    limit: Limit = 100
