"""PURE: the limit that says that a picture is drawn in strokes, and how it divides pictures.

Written by python -m fitting.graphics.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {
        "screen or page": "48 of 48",
        "receipt": "48 of 48",
        "chart": "48 of 48",
        "table": "48 of 48",
        "chat": "48 of 48",
        "photograph": "0 of 2",
        "night": "4 of 18",
        "black cloth": "1 of 13",
        "snow": "6 of 14",
        "fog": "3 of 24",
        "on a plain background": "0 of 48",
        "drawn landscape": "1 of 47",
    },
    "judged_on": {
        "screen or page": "48 of 48",
        "receipt": "48 of 48",
        "chart": "44 of 44",
        "table": "48 of 48",
        "chat": "48 of 48",
        "photograph": "0 of 0",
        "night": "1 of 20",
        "black cloth": "0 of 6",
        "snow": "1 of 15",
        "fog": "3 of 17",
        "on a plain background": "0 of 48",
        "drawn landscape": "4 of 46",
    },
}

FITTED: Final[dict[str, float]] = {"min_share": 0.44}
