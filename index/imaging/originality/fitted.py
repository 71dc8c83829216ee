"""The weights that were fitted, from the file beside this module: weights.json."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources


@lru_cache(maxsize=1)
def weights() -> Mapping[str, float]:
    """The weight of each proof and sign, in log-odds for its full strength."""
    text = resources.files(__package__ or "").joinpath("weights.json").read_text("utf-8")
    return {name: float(value) for name, value in json.loads(text)["weights"].items()}
