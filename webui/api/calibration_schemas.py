"""JSON schemas of the expected false matches by tolerance."""

from typing import Annotated, Literal

from msgspec import Meta

from webui.schemas import Answer, Count, Query, Time


class Interval(Answer, frozen=True, kw_only=True):
    """An expected number of pairs, and its 95 % confidence interval."""

    low: float
    guess: float
    high: float


class ExpectedWrong(Answer, frozen=True, kw_only=True):
    """Pairs of different pictures: `proposed` within the tolerance, and how many of these the verifier would accept
    (`let_through`)."""

    tolerance: Count
    counted: Annotated[bool, Meta(description="`proposed` is the count of the last detection, not an estimate")]
    proposed: Interval
    let_through: Interval


class ExpectedAtCosine(Answer, frozen=True, kw_only=True):
    """The number of unrelated pairs of the library whose cosine by the model is expected to be at least this."""

    cosine: float
    proposed: Interval


class Calibration(Answer, frozen=True, kw_only=True):
    """Measured on random `pairs` of `images`. Of the `judged` pairs, the verifier `accepted` some as the same
    picture."""

    hsize: int
    turns: bool
    measured: Annotated[Time | None, Meta(description="null before the first detection: then there are no items")]
    images: Count
    pairs: Count
    judged: Count
    accepted: Count
    items: list[ExpectedWrong]
    cosines: Annotated[list[ExpectedAtCosine], Meta(description="Empty if no model was used")]


class CalibrationQuery(Query, frozen=True, kw_only=True):
    hsize: Literal["8", "16", "32"] = "16"
    tolerance: Annotated[int, Meta(ge=-1, le=1024, description="Default: every tolerance up to 2/5 of the bits")] = -1
    turns: bool = True
