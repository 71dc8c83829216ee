"""What worker processes are asked of views: are these two the same picture, what are the features of this one?

A worker keeps what it prepared of the last views, since the pairs of one picture come one after the other.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from index.candidates.features import describe
from index.errors import PictureError
from index.model import Facts, Turn
from index.verification.verify import Judgement, Prepared, judge, prepare

PREPARED_KEPT = 48


@dataclass(frozen=True, slots=True)
class PairTask:
    """Two contents to compare, by the files of their views; `turn` is what the hashes suggest, if anything."""

    first_id: int
    second_id: int
    first_view: str
    second_view: str
    first_facts: Facts
    second_facts: Facts
    turn: Turn | None


def judge_pair(task: PairTask) -> Judgement:
    """The verifier's word on one pair. Raises PictureError where a view cannot be read."""
    first, second = _prepared(task.first_view), _prepared(task.second_view)
    return judge(first, second, task.first_facts, task.second_facts, task.turn)


def describe_view(path: str) -> bytes:
    """The local features of one view. Raises PictureError where it cannot be read."""
    return describe(_prepared(path).grey).to_bytes()


@lru_cache(maxsize=PREPARED_KEPT)
def _prepared(path: str) -> Prepared:
    cv2.setNumThreads(1)
    pixels: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise PictureError("corrupt", "the view cannot be read")
    return prepare(pixels)
