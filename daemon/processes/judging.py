"""What worker processes are asked of views: are these two the same picture, what are the features of this one?

A worker keeps what it prepared of the last views, since the pairs of one picture come one after the other.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from index.candidates.feature_places import placings
from index.candidates.features import Described, describe, enlargement
from index.candidates.framing import LEAST_PX, Map, inner_box, laid_by_frame
from index.errors import PictureError
from index.model import Facts, Kind, Turn
from index.verification.verify import Gate, Judgement, Prepared, judge, prepare

PREPARED_KEPT = 48
# The reason where a view cannot be read, which can be made anew.
NO_VIEW = "no_view"
# How far inside a frame what it surrounds is free of it, in pixels.
RIM_PX = 4


@dataclass(frozen=True, slots=True)
class PairTask:
    """Two contents to compare, by the files of their views; `turn` is what the hashes suggest, if anything, `by_part`
    whether one is like a part of the other, and what their local features do is told by these, if given."""

    first_id: int
    second_id: int
    first_view: str
    second_view: str
    first_facts: Facts
    second_facts: Facts
    turn: Turn | None
    by_part: bool = False
    first_features: bytes = b""
    second_features: bytes = b""


def judge_pair(task: PairTask) -> Judgement:
    """The verifier's word on one pair. Raises PictureError where a view cannot be read."""
    first, second = _prepared(task.first_view), _prepared(task.second_view)
    if task.by_part:
        placed = placed_by_frame(first, second)
    else:
        described = Described.from_bytes(task.first_features), Described.from_bytes(task.second_features)
        placed = placed_in_views(first, second, *described)
    return judge_framed(first, second, (task.first_facts, task.second_facts), task.turn, placed)


def judge_framed(
    first: Prepared, second: Prepared, facts: tuple[Facts, Facts], turn: Turn | None, placed: tuple[Map, ...] | None
) -> Judgement:
    """The verifier's word on two pictures, and where both are in a frame on what is inside as well: two faint pictures
    in one border have nothing to be compared by but the border."""
    said = judge(first, second, *facts, turn, placed)
    if said.kind is not Kind.NEAR:
        return said
    insides = _inside(first), _inside(second)
    if insides[0] is None or insides[1] is None:
        return said
    alone = judge(insides[0], insides[1], *facts, said.turn)
    # All but the finest details, of which the whole picture has more.
    same = any(gate.name == "registration" for gate in alone.gates)
    gate = Gate("inside", float(same), 1.0, passed=same)
    if gate.passed:
        return replace(said, gates=(*said.gates, gate))
    return replace(said, kind=Kind.POSSIBLE, confidence=min(said.confidence, 0.5), gates=(*said.gates, gate))


def _inside(picture: Prepared) -> Prepared | None:
    """What the frame of a picture surrounds, None where it has none or next to nothing in it."""
    box = inner_box(picture.grey)
    if box is None:
        return None
    left, top, right, bottom = (round(edge) for edge in box)
    if min(right - left, bottom - top) < LEAST_PX:
        return None
    grey = picture.grey[top + RIM_PX : bottom - RIM_PX, left + RIM_PX : right - RIM_PX]
    return Prepared(np.ascontiguousarray(grey), picture.colourful, picture.warmth)


def placed_by_frame(first: Prepared, second: Prepared) -> tuple[Map, ...]:
    """How the frame of one says that the first lies over the second, from pixels to pixels of their views."""
    over = laid_by_frame(first.grey, second.grey)
    return () if over is None else (over,)


def placed_in_views(
    first: Prepared, second: Prepared, of_first: Described, of_second: Described
) -> tuple[Map, ...]:
    """How local features say that the first may lie over the second, from pixels to pixels of their views."""
    larger_first, larger_second = enlargement(first.grey.shape), enlargement(second.grey.shape)
    enlarge, reduce = np.diag([larger_first, larger_first, 1]), np.diag([1 / larger_second, 1 / larger_second, 1])
    return tuple(reduce @ over @ enlarge for over in placings(of_first, of_second))


def describe_view(path: str) -> bytes:
    """The local features of one view. Raises PictureError where it cannot be read."""
    return describe(_prepared(path).grey).to_bytes()


@lru_cache(maxsize=PREPARED_KEPT)
def _prepared(path: str) -> Prepared:
    cv2.setNumThreads(1)
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise PictureError(NO_VIEW, f"its view cannot be read: {error.strerror}") from error
    pixels: Any = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
    if pixels is None:
        raise PictureError(NO_VIEW, "its view is broken")
    return prepare(pixels)
