"""PURE: how far a map may bend a picture, and how many pairs pass with it.

Written by python -m fitting.bends.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {"copies": "61 of 61", "copies, by hash": "8 of 8", "two views": "0 of 8"},
    "judged_on": {"copies": "60 of 62", "copies, by hash": "4 of 4", "two views": "0 of 3"},
}

FITTED: Final[dict[str, float]] = {"max_px": 0.15}
