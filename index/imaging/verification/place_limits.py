"""PURE: the limits that say that a place was added, and how many pairs pass with them.

Written by python -m fitting.places.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "photographs": [10, 10],
    "chosen_on": {
        "band": "9 of 10",
        "came": "2 of 10",
        "logo": "7 of 10",
        "mirrored": "0 of 7",
        "moved": "0 of 10",
        "moved under a caption": "2 of 10",
        "other": "1 of 10",
        "text": "5 of 6",
        "two captions": "1 of 10",
    },
    "judged_on": {
        "band": "9 of 10",
        "came": "1 of 10",
        "logo": "7 of 10",
        "mirrored": "0 of 9",
        "moved": "1 of 10",
        "moved under a caption": "0 of 10",
        "other": "0 of 10",
        "text": "6 of 9",
        "two captions": "0 of 10",
    },
}

FITTED: Final[dict[str, float]] = {
    "min_step": 5.0,
    "one_sided": 0.75,
    "one_sided_of_all": 0.8,
    "flat": 1.0,
    "very_flat": 0.5,
    "min_quiet": 0.35,
    "few_tones": 0.85,
    "shows_through": 0.58,
    "max_through": 11.0,
    "ink": 35.0,
    "thin_ink": 10.0,
    "thinnest_ink": 6.0,
    "ink_beneath": 36.0,
}
