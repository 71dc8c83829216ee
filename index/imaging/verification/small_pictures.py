"""PURE: two aligned small pictures -> by how much they differ anywhere.

Pictograms of one set are drawn alike: another skin, another hair, another hand of a clock is a small part, and another
picture. In pictures so small every difference of colour or shape counts, but for what encoding leaves.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from index.imaging.thresholds import threshold
from index.imaging.verification.alignment import Aligned, Prepared
from index.imaging.verification.colours import aligned_views
from index.imaging.verification.transforms import EDGE_PX
from index.model import Facts


@dataclass(frozen=True, slots=True)
class SmallLimits:
    """Which pictures are small, and how far they may differ."""

    max_side_px: int = threshold(160, "pixels", "The longer side of both.")
    max_difference: float = threshold(20.0, "levels", "Of the mean of 3 by 3 pixels in any of red, green and blue.")


SMALL: Final = SmallLimits()


def are_small(first: Facts, second: Facts) -> bool:
    """Whether both are so small that every difference counts: without the losses of a JPEG, as pictograms are kept."""
    return all(
        0 < max(file.width, file.height) <= SMALL.max_side_px and not file.jpeg_quality for file in (first, second)
    )


def difference(aligned: Aligned, first: Prepared, second: Prepared) -> tuple[float, float]:
    """The largest difference, in levels: in any colour, and in grey."""
    if first.view is None or second.view is None:
        return 0.0, 0.0
    values = [np.asarray(view, np.float32) for view in aligned_views(aligned, first.view, second.view)]
    apart = np.abs(cv2.blur(values[1] - values[0], (3, 3)))[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX]
    grey = np.abs(cv2.blur(aligned.second - aligned.warped, (3, 3)))[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX]
    return float(apart.max(initial=0)), float(grey.max(initial=0))
