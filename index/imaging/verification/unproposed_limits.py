"""PURE: the limits where no hash proposes a pair, and how many pairs pass with them.

Written by python -m fitting.unproposed.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {"chosen_on": {"copies": "554 of 556"}, "judged_on": {"copies": "560 of 563"}}

FITTED: Final[dict[str, float]] = {"many_blocks": 12, "unproposed": 0.8, "unproposed_uneven": 0.7}
