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
            description="Only images that match their reference in these kinds; default for text: exact,pixels",
        ),
    ] = ""


class ResultParameters(Answer, frozen=True, kw_only=True):
    """The parameters of the detection."""

    algorithm: Annotated[str, Meta(description="The perceptual hash")]
    hsize: Annotated[Literal[8, 16, 32], Meta(description="The hash has hsize x hsize bits")]
    tolerance: Annotated[Count, Meta(description="The largest distance, in bits, at which two images are compared")]
    turns: Annotated[bool, Meta(description="Whether mirrored and turned copies were searched for")]
    verify: Annotated[bool, Meta(description="Whether the pictures were compared, and not only their hashes")]
    depth: Literal["fast", "thorough"]
    method: Annotated[str, Meta(description="Which pairs were compared: hash, hash+model, hash,model or model")]
    tolerance_lowered_for: Annotated[
        Count | UnsetType, Meta(description="The number of images for which the tolerance was lowered, if it was")
    ] = UNSET


class ResultImage(Answer, frozen=True, kw_only=True):
    """An image of a group. The reference has no `kind`, `distance`, `turn` and `evidence`."""

    path: EscapedPath
    reference: Annotated[bool, Meta(description="Whether all other images of the group match this one")]
    bytes: Annotated[Count, Meta(description="The size of the file")]
    width: Count
    height: Count
    digest: Annotated[str, Meta(description="BLAKE3 of the file, in hexadecimal")]
    hash: Annotated[str, Meta(description='The perceptual hash as imagehash prints it; "" if there is none')]
    frames: Annotated[Count, Meta(description="Frames of an animation, or pages")]
    bit_depth: Annotated[Count, Meta(description="Bits per channel")]
    attachments: list[Attachment]
    damage: Annotated[str | None, Meta(description="The complaint of the decoder")]
    taken: Annotated[str | None, Meta(description="Capture date as in the file, without a time zone")]
    description: Description
    kind: Kind | UnsetType = UNSET
    distance: Annotated[Count | UnsetType, Meta(description="Number of bits by which its hash differs")] = UNSET
    turn: Annotated[Turn | UnsetType, Meta(description="Applied to the reference, it gives this image")] = UNSET
    evidence: Annotated[
        dict[str, Any] | UnsetType, Meta(description="What was measured between the reference and this image")
    ] = UNSET
    sentence: Annotated[
        dict[str, str] | UnsetType,
        Meta(description="What was done to the proposed image to get this one, by language"),
    ] = UNSET


class ResultSpeaking(Answer, frozen=True, kw_only=True):
    """The evidence that one image is the original of another, by paths."""

    speaks_for: EscapedPath
    against: EscapedPath
    findings: list[str]
    sentence: Annotated[dict[str, str], Meta(description="The findings as sentences, by language")]


class ResultProposal(Answer, frozen=True, kw_only=True):
    """The proposal of a group: the image to keep."""

    path: EscapedPath
    decided_by: Annotated[str, Meta(description="The criterion that decided")]
    tie: Annotated[bool, Meta(description="Whether it is uncertain which image is the original")]
    certainty: Annotated[float | None, Meta(description="The probability that the image is the original, from 0 to 1")]
    original_absent: Annotated[bool, Meta(description="Whether a proof speaks against every image of the group")]
    reasons: list[Reason]
    speaking: list[ResultSpeaking]


class ResultGroup(Answer, frozen=True, kw_only=True):
    """Images offered for one decision; the first is the reference."""

    id: Annotated[
        str, Meta(description="Derived from the digest of the reference, and stable as long as the reference is")
    ]
    kind: Annotated[Kind, Meta(description="The least certain kind of its matches")]
    scene: Annotated[bool, Meta(description="Other exposures, texts or colours of one scene: no image is a copy")]
    proposal: ResultProposal | None
    images: list[ResultImage]


class ResultProblem(Answer, frozen=True, kw_only=True):
    """A file that could not be read as a picture."""

    path: EscapedPath
    reason: Annotated[str, Meta(description="The category: truncated, corrupt, too_large and so on")]
    message: str


class ResultFile(Answer, frozen=True, kw_only=True):
    """The format comparimg/1. Equal files give an equal result."""

    format: Literal["comparimg/1"]
    created: Annotated[str, Meta(description="When the detection was finished: ISO 8601, UTC")]
    parameters: ResultParameters
    groups: list[ResultGroup]
    problems: list[ResultProblem]
    skipped: Annotated[
        dict[str, dict[str, int]],
        Meta(description="Numbers of files that were left out because of their name, by kind and ending"),
    ]
