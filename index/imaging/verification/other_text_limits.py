"""PURE: the limits that say that there is another text in a place, and how many pairs pass with them.

Written by python -m fitting.other_texts.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {
        "another stamp": "3 of 20",
        "another word": "0 of 9",
        "band": "12 of 12",
        "caption": "17 of 17",
        "caption over a text": "3 of 3",
        "label": "11 of 11",
        "label over a text": "2 of 2",
        "logo": "11 of 11",
        "logo over a text": "3 of 3",
    },
    "judged_on": {
        "another stamp": "6 of 20",
        "another word": "2 of 13",
        "band": "14 of 14",
        "band over a text": "4 of 4",
        "caption": "11 of 11",
        "caption over a text": "1 of 1",
        "label": "8 of 8",
        "label over a text": "4 of 4",
        "logo": "9 of 9",
        "logo over a text": "5 of 5",
    },
}

FITTED: Final[dict[str, float]] = {"min_share": 0.15, "min_explained": 0.4}
