"""PURE: from when on a picture goes on beyond a part of it, and how many pairs that separates.

Written by python -m fitting.surroundings.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {
        "border": "0 of 150",
        "letterbox": "0 of 145",
        "instant print": "0 of 150",
        "viewer": "0 of 150",
        "page": "0 of 149",
        "part anywhere": "139 of 144",
        "part of the middle": "131 of 142",
        "ratio": "98 of 100",
    },
    "judged_on": {
        "border": "0 of 150",
        "letterbox": "0 of 142",
        "instant print": "0 of 150",
        "viewer": "0 of 149",
        "page": "0 of 149",
        "part anywhere": "137 of 143",
        "part of the middle": "130 of 138",
        "ratio": "97 of 104",
    },
}

FITTED: Final[dict[str, float]] = {"follows": 0.5, "goes_on": 0.25}
