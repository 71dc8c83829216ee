"""PURE: from when on a picture goes on beyond a part of it, and how many pairs that tells apart.

Written by python -m fitting.surroundings.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {
        "border": "1 of 498",
        "letterbox": "0 of 484",
        "instant print": "0 of 498",
        "viewer": "1 of 494",
        "page": "0 of 497",
        "part anywhere": "481 of 482",
        "part of the middle": "471 of 472",
        "ratio": "335 of 338",
    },
    "judged_on": {
        "border": "0 of 499",
        "letterbox": "2 of 486",
        "instant print": "1 of 500",
        "viewer": "2 of 498",
        "page": "1 of 495",
        "part anywhere": "475 of 476",
        "part of the middle": "463 of 466",
        "ratio": "348 of 348",
    },
}

FITTED: Final[dict[str, float]] = {"follows": 0.1, "goes_on": 0.15}
