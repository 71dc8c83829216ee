"""PURE: from how many pictures on a corner counts less, and how many pairs are proposed then.

Written by python -m fitting.corners.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {
    "chosen_on": {
        "one photograph": [217, 200],
        "one photograph in many pictures": [2250, 2250],
        "a caption, an interface or a logo": [1828, 2179],
    },
    "judged_on": {
        "one photograph": [284, 269],
        "one photograph in many pictures": [2250, 2252],
        "a caption, an interface or a logo": [1424, 1829],
    },
}

FITTED: Final[dict[str, int]] = {"shared_by": 6}
