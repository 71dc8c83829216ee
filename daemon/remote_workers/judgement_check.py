"""PURE: checks that the results of a worker on another machine are of the right form before they are used.

Every value has a type and bounds, and no text of a worker is kept: what the evidence says about the files is known here
and added here. An invited worker may still judge wrongly, but its answer cannot do anything else.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta

from index.imaging.candidates.features.descriptors import DETECTED
from index.imaging.verification import reasons
from index.imaging.verification.edit_evidence import of_files
from index.imaging.verification.verify import Judgement
from index.model import Facts, Kind, Turn

# The size of a descriptor and its position (imaging.candidates.features.descriptors).
FEATURE_BYTES: Final = 40
# A pair that is only possibly the same picture has at most this confidence.
POSSIBLE_AT_MOST: Final = 0.5
REASONS: Final = frozenset((reasons.EXPOSURE, reasons.TEXT, reasons.COLOUR, reasons.UNCLEAR))

# The bounds also refuse NaN and infinity: no comparison with them holds.
Share = Annotated[float, Meta(ge=0, le=1)]
Factor = Annotated[float, Meta(ge=0, le=10_000)]
Level = Annotated[float, Meta(ge=-100_000, le=100_000)]
Side = Literal["first", "second"]
Box = tuple[float, float, float, float]


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class _Crop(_Plain, frozen=True):
    of: Side
    box: Box


class _Tone(_Plain, frozen=True):
    brightness: Level | None = None
    contrast: Factor | None = None
    grey: Side | None = None
    saturation: Factor | None = None
    warmth: Level | None = None


class _Evidence(_Plain, frozen=True):
    """The measurements on the pixels, as edit_evidence describes them."""

    turn: Turn | None = None
    scale: Factor | None = None
    stretch: Factor | None = None
    crop: _Crop | None = None
    frame: Side | None = None
    tilt: Level | None = None
    tone: _Tone | None = None
    sharpness: Factor | None = None
    noise: Factor | None = None
    changed: Share | None = None
    where: dict[Side, Box] | None = None
    reason: str | None = None
    similarity: Share | None = None


class _Judged(_Plain, frozen=True):
    kind: Kind | None
    confidence: Share
    turn: Turn
    evidence: _Evidence


FIELDS: Final = frozenset(_Evidence.__struct_fields__)
_decoder: Final = msgspec.json.Decoder(_Judged)


def judgement_to_bytes(judgement: Judgement) -> bytes:
    """A judgement as JSON, without what is taken from the facts of the files, and without its gates, which are not
    stored."""
    return msgspec.json.encode(
        {
            "kind": judgement.kind,
            "confidence": float(judgement.confidence),
            "turn": judgement.turn,
            "evidence": {name: value for name, value in judgement.evidence.items() if name in FIELDS},
        },
        enc_hook=_as_number,
    )


def judgement_of_bytes(data: bytes, first: Facts, second: Facts) -> Judgement:
    """Read the judgement of two pictures with these facts. Raises ValueError if it is invalid."""
    try:
        judged = _decoder.decode(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    _check_evidence(judged)
    # The numbers are decoded again as they were written: the types turn all of them into floats.
    evidence: dict[str, Any] = msgspec.json.decode(data)["evidence"]
    if judged.kind is not None:
        evidence |= of_files(first, second)
    return Judgement(judged.kind, judged.confidence, judged.turn, evidence, ())


def features_of_bytes(data: bytes) -> bytes:
    """Check the local features of one picture. Raises ValueError if they are invalid."""
    if len(data) % FEATURE_BYTES or len(data) > FEATURE_BYTES * DETECTED:
        raise ValueError(f"no features: {len(data)} bytes")
    return data


def vectors_of_bytes(data: bytes, turns: int, dimensions: int) -> bytes:
    """Check the vectors of one picture in so many turns. Raises ValueError if they are invalid."""
    if dimensions <= 0 or len(data) != turns * dimensions:
        raise ValueError(f"no {turns} vectors of {dimensions}: {len(data)} bytes")
    rows = np.frombuffer(data, np.int8).reshape(turns, dimensions)
    # vector_of scales each vector so that its largest component is 127 or -127.
    if not (np.abs(rows.astype(np.int16)).max(axis=1) == 127).all():
        raise ValueError("vectors of another length")
    return data


def _check_evidence(judged: _Judged) -> None:
    evidence = judged.evidence
    if judged.kind is None:
        if evidence != _Evidence() or judged.confidence:
            raise ValueError("evidence of nothing")
        return
    if judged.kind not in (Kind.NEAR, Kind.POSSIBLE):
        raise ValueError(f"no verifier says {judged.kind}")
    if judged.kind is Kind.POSSIBLE and judged.confidence > POSSIBLE_AT_MOST:
        raise ValueError("too sure of what is possible")
    if evidence.reason is not None and (evidence.reason not in REASONS or judged.kind is not Kind.POSSIBLE):
        raise ValueError("no such reason")
    if evidence.turn not in (None, judged.turn):
        raise ValueError("two turns")
    boxes = [*(evidence.where or {}).values(), *([evidence.crop.box] if evidence.crop else [])]
    if not all(-1 <= edge <= 2 for box in boxes for edge in box):
        raise ValueError("a place outside of its picture")
    if evidence.stretch == 0:
        raise ValueError("stretched to nothing")


def _as_number(value: Any) -> Any:
    """Convert the numbers that numpy computed."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain data")
