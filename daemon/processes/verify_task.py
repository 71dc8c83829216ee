"""The tasks of worker processes on previews: verify a pair, describe local features.

A worker caches the last prepared previews, since the pairs of one picture are verified in a row.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from index.errors import PictureError
from index.imaging.candidates.border_detection import BORDER, Map, content_box, transform_by_frame
from index.imaging.candidates.features.descriptors import FeatureSet, describe, enlargement
from index.imaging.candidates.features.geometric_verification import ransac_transforms
from index.imaging.decoding.pictures import preview_on_black
from index.imaging.verification.alignment import VIEW_SIDE
from index.imaging.verification.coarse_gates import is_graphic
from index.imaging.verification.similarity import BLOCKS
from index.imaging.verification.verify import Gate, Judgement, Prepared, judge, prepare
from index.messages import of_os_error
from index.model import RAW_FORMATS, Facts, Kind, Turn

# With what is computed of each once, 5 MB; most sets of copies are smaller.
PREPARED_KEPT = 12
# The reason if a preview cannot be read; it can be made again.
NO_VIEW = "no_view"
# The distance from the inner edge of a frame at which the picture is free of it, in pixels.
RIM_PX = 4


@dataclass(frozen=True, slots=True)
class PairTask:
    """Two contents to compare, by the files of their previews. `turn` is the one that the hashes suggest, if any,
    `by_part` whether one is similar to a part of the other, `by_model` whether only a model proposed the pair. The
    features are given if they proposed it."""

    first_id: int
    second_id: int
    first_view: str
    second_view: str
    first_facts: Facts
    second_facts: Facts
    turn: Turn | None
    by_part: bool = False
    by_model: bool = False
    first_features: bytes = b""
    second_features: bytes = b""


def verify_pair(task: PairTask) -> Judgement:
    """The verifier's judgement of one pair. Raises PictureError if a preview cannot be read."""
    first = _load_readable(task.first_view, task.first_facts)
    second = _load_readable(task.second_view, task.second_facts)
    placed: tuple[Map, ...] | None
    if task.by_part:
        placed = transforms_by_frame(first, second)
    else:
        described = FeatureSet.from_bytes(task.first_features), FeatureSet.from_bytes(task.second_features)
        placed = transforms_in_previews(first, second, *described)
    if task.by_model and not placed:
        # A model does not show where they agree: that is searched for.
        placed = None
    facts = task.first_facts, task.second_facts
    judgement = verify_inside_frames(first, second, facts, task.turn, placed)
    if task.by_model and placed and judgement.kind is None:
        placed, judgement = None, verify_inside_frames(first, second, facts, task.turn, None)
    if judgement.kind is not Kind.NEAR or not all(file.transparent for file in facts):
        return judgement
    on_black = [_load_prepared(str(preview_on_black(Path(view)))) for view in (task.first_view, task.second_view)]
    return verify_on_black(judgement, on_black[0], on_black[1], facts, placed)


def verify_on_black(
    judgement: Judgement, first: Prepared, second: Prepared, facts: tuple[Facts, Facts], placed: tuple[Map, ...] | None
) -> Judgement:
    """The verifier's judgement of two pictures that are both partly transparent, and near on white: white parts are
    visible on black only."""
    flat = [float(picture.grey.std()) < BLOCKS.flat for picture in (first, second)]
    if all(flat):
        return judgement
    same = not any(flat) and judge(first, second, *facts, judgement.turn, placed).kind is Kind.NEAR
    return _with_gate(judgement, Gate("background", float(same), 1.0, passed=same))


def verify_inside_frames(
    first: Prepared, second: Prepared, facts: tuple[Facts, Facts], turn: Turn | None, placed: tuple[Map, ...] | None
) -> Judgement:
    """The verifier's judgement of two pictures. If both have a frame, what is inside is verified as well: of two faint
    pictures in the same border, only the border would be compared."""
    judgement = judge(first, second, *facts, turn, placed)
    if judgement.kind is not Kind.NEAR:
        return judgement
    insides = _inside(first), _inside(second)
    if insides[0] is None or insides[1] is None:
        return judgement
    alone = judge(insides[0], insides[1], *facts, judgement.turn)
    # It is enough that the inside reaches the registration gate: the gates after it need the finest details, of which
    # the whole picture has more.
    same = any(gate.name == "registration" for gate in alone.gates)
    return _with_gate(judgement, Gate("inside", float(same), 1.0, passed=same))


def _with_gate(judgement: Judgement, gate: Gate) -> Judgement:
    """The judgement with one more gate: possible at most if it is not passed."""
    gates = (*judgement.gates, gate)
    if gate.passed:
        return replace(judgement, gates=gates)
    return replace(judgement, kind=Kind.POSSIBLE, confidence=min(judgement.confidence, 0.5), gates=gates)


@lru_cache(maxsize=PREPARED_KEPT)
def _inside(picture: Prepared) -> Prepared | None:
    """The part of a picture inside its frame; None if it has no frame or that part is too small."""
    box = content_box(picture.grey)
    if box is None:
        return None
    left, top, right, bottom = (round(edge) for edge in box)
    if min(right - left, bottom - top) < BORDER.min_px:
        return None
    inside = np.s_[top + RIM_PX : bottom - RIM_PX, left + RIM_PX : right - RIM_PX]
    view = None if picture.view is None else np.ascontiguousarray(picture.view[inside])
    return Prepared(np.ascontiguousarray(picture.grey[inside]), picture.colourful, picture.warmth, view)


def transforms_by_frame(first: Prepared, second: Prepared) -> tuple[Map, ...]:
    """The transform from the first to the second that the frame of one suggests, in pixels of their previews."""
    over = transform_by_frame(first.grey, second.grey)
    return () if over is None else (over,)


def transforms_in_previews(
    first: Prepared, second: Prepared, of_first: FeatureSet, of_second: FeatureSet
) -> tuple[Map, ...]:
    """The transforms from the first to the second that local features suggest, in pixels of their previews."""
    larger_first, larger_second = enlargement(first.grey.shape), enlargement(second.grey.shape)
    enlarge, reduce = np.diag([larger_first, larger_first, 1]), np.diag([1 / larger_second, 1 / larger_second, 1])
    return tuple(reduce @ over @ enlarge for over in ransac_transforms(of_first, of_second))


def describe_preview(path: str) -> bytes:
    """The local features of one preview. Raises PictureError if it cannot be read."""
    return describe(_load_prepared(path).grey).to_bytes()


def _load_readable(path: str, facts: Facts) -> Prepared:
    """A prepared preview. Raises PictureError also for one of a graphic that was made before letters were compared."""
    prepared = _load_prepared(path)
    was_reduced = max(prepared.grey.shape) == VIEW_SIDE < max(facts.width, facts.height)
    was_reduced = was_reduced and facts.format not in RAW_FORMATS
    if was_reduced and prepared.larger is None and is_graphic(prepared, prepared):
        _load_prepared.cache_clear()
        raise PictureError(NO_VIEW, "picture.preview_broken")
    return prepared


@lru_cache(maxsize=PREPARED_KEPT)
def _load_prepared(path: str) -> Prepared:
    cv2.setNumThreads(1)
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise PictureError(NO_VIEW, "picture.preview_unreadable", error=of_os_error(error)) from error
    pixels: Any = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
    if pixels is None:
        raise PictureError(NO_VIEW, "picture.preview_broken")
    return prepare(pixels)
