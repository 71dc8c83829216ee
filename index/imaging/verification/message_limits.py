"""PURE: the limits that say that what was added is a message, and how many pairs pass with them.

Written by python -m fitting.messages.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {"band": "0 of 1", "label": "0 of 28", "message": "26 of 28", "text": "0 of 2"},
    "judged_on": {"band": "0 of 1", "label": "0 of 29", "message": "28 of 29", "text": "0 of 3"},
}

FITTED: Final[dict[str, float]] = {"min_lines": 0.03, "max_height": 0.3}
