"""PURE: the agreement of what is faint where no hash proposes a pair, and how many pairs pass with it.

Written by python -m fitting.faint.
"""

from typing import Any, Final

FIGURES: Final[dict[str, Any]] = {"chosen_on": {"copies": "160 of 160"}, "judged_on": {"copies": "168 of 169"}}

FITTED: Final[dict[str, float]] = {"min_agreement": 0.5}
