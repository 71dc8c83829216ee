"""PURE: a registered map -> how far it is from one that shifts, turns and resizes alone.

Who crops, frames, turns or resizes a picture keeps its form. Two photographs of a flat thing, such as a chart, a poster
or a distant tower, have another form each, since the camera stood elsewhere or its lens is another: one is wider in a
corner, or wider than it is high, by a pixel or less. All that is compared else follows that form, and so agrees.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.verification import transforms
from index.imaging.verification.bend_limits import FITTED
from index.imaging.verification.transforms import Map


@dataclass(frozen=True, slots=True)
class Bends:
    """The root mean square of the distances between a map and the nearest that does not bend, in pixels of the coarser
    picture."""

    max_px: float = threshold(
        FITTED["max_px"],
        "pixels",
        "Where the noise is not compared and, if a hash proposes the pair, fine detail correlates by less than"
        " min_coherence of Registration. Fitted on parts, frames and copies of all kinds.",
    )
    clear_stretch: float = threshold(
        1.03, "ratio of the sides", "Who stretches a picture does so by more; two views of one thing differ by less."
    )


BENDS: Final = Bends()

# Fewer points say nothing of a form.
LEAST_POINTS: Final = 6
# Against a division by nothing.
LEAST_SCALE: Final = 1e-9


def bent_px(
    transform: Map, motion: NDArray[np.float32] | None, points: NDArray[np.float64], *, stretched: bool
) -> float:
    """How far a map bends what it moves, in pixels of the coarser of the two pictures, where details were measured; 0
    if in too few places. A clear stretch or slant is no bend; where the picture may be `stretched`, none is.

    `transform` leads from the first to the second, in whose frame `points`, float64 (n, 2), are x and y, and `motion`
    is float32 (2, height, width): what was added to the map, as `transforms.warp_nonrigid` takes it, None for nothing.
    """
    if len(points) < LEAST_POINTS:
        return 0.0
    x, y = points.T
    seen = np.stack([x, y, np.ones_like(x)])
    if motion is not None:
        seen[:2] += motion[:, y.astype(int), x.astype(int)]
    back = transforms.inverted(transform)
    if back is None:
        return 0.0
    placed = back @ seen
    # As complex numbers, what shifts, turns and resizes is one factor and one addition; a stretch adds a mirrored part.
    first, second = (placed[0] + 1j * placed[1]) / placed[2], x + 1j * y
    first, second = first - first.mean(), second - second.mean()
    turned, mirrored = np.linalg.lstsq(np.stack([second, second.conj()], axis=1), first, rcond=None)[0]
    stretch = (abs(turned) + abs(mirrored)) / max(abs(turned) - abs(mirrored), LEAST_SCALE)
    if not stretched and stretch < BENDS.clear_stretch:
        turned, mirrored = np.vdot(second, first) / np.vdot(second, second), 0.0
    left = first - turned * second - mirrored * second.conj()
    return float(np.sqrt(np.mean(np.abs(left) ** 2))) / max(1.0, float(abs(turned)))
