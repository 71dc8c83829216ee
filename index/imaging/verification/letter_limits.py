"""PURE: the limits that say that letters differ, and how many pairs pass with them.

Written by python -m fitting.letters.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {}

FITTED: Final[dict[str, float]] = {
    "min_residual": 12.0,
    "over_usual": 3.5,
}
