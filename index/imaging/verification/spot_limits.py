"""PURE: the limits that say that a small place differs, and how many pairs pass with them.

Written by python -m fitting.spots.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {"copies": "214 of 214", "lock screen, another text": "0 of 20", "lock screen, copies": "50 of 50"},
    "judged_on": {"copies": "215 of 217", "lock screen, another text": "0 of 24", "lock screen, copies": "49 of 49"},
}

FITTED: Final[dict[str, float]] = {"min_residual": 9.0, "over_usual": 8.0}
