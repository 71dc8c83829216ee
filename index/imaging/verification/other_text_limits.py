"""PURE: the limits that say that another text stands in a place, and how many pairs pass with them.

Written by python -m fitting.other_texts.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {}

FITTED: Final[dict[str, float]] = {"min_share": 0.2, "min_explained": 0.5}
