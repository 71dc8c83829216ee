"""JSON schemas of verdicts: pairs of contents that are not duplicates."""

from typing import Annotated, Literal

from msgspec import Meta

from webui.schemas import Answer, Body, Count, Path, RowId, TakenPath, Time


class NewVerdict(Body, frozen=True, kw_only=True):
    """States that images of a group are not duplicates: all of them, or those in `images`."""

    label: Literal["not_duplicates", "alternates"] = "not_duplicates"
    note: Annotated[str, Meta(max_length=1000)] = ""
    images: Annotated[tuple[RowId, ...], Meta(max_length=10_000, description="Default: all")] = ()


class NewPairVerdict(Body, frozen=True, kw_only=True):
    """States that two or more images, by id or path, are not duplicates of one another, whatever groups they are in."""

    label: Literal["not_duplicates", "alternates"] = "not_duplicates"
    note: Annotated[str, Meta(max_length=1000)] = ""
    images: Annotated[tuple[RowId, ...], Meta(max_length=1000)] = ()
    paths: Annotated[tuple[TakenPath, ...], Meta(max_length=1000)] = ()


class VerdictChange(Answer, frozen=True, kw_only=True):
    """The effect of a request: the number of `pairs` of contents. All verdicts of a `batch` can be revoked together."""

    batch: str
    pairs: Count


class Verdict(Answer, frozen=True, kw_only=True):
    """Two contents, by digest, that are not duplicates. `paths` are the present files of each."""

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
