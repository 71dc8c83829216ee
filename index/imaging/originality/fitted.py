"""The fitted values, from the file weights.json next to this module."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from index.imaging.originality.inheritance import GroupWeights


def weights() -> Mapping[str, float]:
    """The weight of each proof and sign, in log-odds for its full strength."""
    return _fitted()[0]


def group_weights() -> GroupWeights:
    """The weights of what a group has in common."""
    return _fitted()[1]


def second_weights() -> Mapping[str, float]:
    """The weight of each number of `group_evidence`, in log-odds."""
    return _fitted()[2]


@lru_cache(maxsize=1)
def _fitted() -> tuple[Mapping[str, float], GroupWeights, Mapping[str, float]]:
    text = resources.files(__package__ or "").joinpath("weights.json").read_text("utf-8")
    fields: dict[str, Any] = json.loads(text)
    of_pairs, second = ({name: float(value) for name, value in fields[key].items()} for key in ("weights", "second"))
    return of_pairs, GroupWeights(**fields["of_group"]), second
