"""PURE: the limits that say that letters differ, and how many pairs pass with them.

Written by python -m fitting.letters.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {
        "JPEG 40 to 70": "6 of 6",
        "JPEG 80 to 95": "6 of 6",
        "WebP 60 to 90": "6 of 6",
        "enlarged": "6 of 6",
        "half the size": "6 of 6",
        "page, one word": "0 of 4",
        "reduced": "6 of 6",
        "screen, one number": "0 of 6",
        "screen, one word": "0 of 5",
    },
    "judged_on": {
        "JPEG 40 to 70": "6 of 6",
        "JPEG 80 to 95": "6 of 6",
        "WebP 60 to 90": "6 of 6",
        "enlarged": "6 of 6",
        "half the size": "6 of 6",
        "page, one word": "0 of 5",
        "reduced": "6 of 6",
        "screen, one number": "0 of 6",
        "screen, one word": "0 of 4",
    },
}

FITTED: Final[dict[str, float]] = {"min_residual": 10.0, "over_usual": 3.5}
