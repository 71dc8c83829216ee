"""PURE: two grey pictures laid over each other -> how alike they are, block by block.

Blocks are compared by normalised correlation, the structure term of SSIM (Wang et al., Image Quality Assessment, 2004),
which brightness and contrast do not change. Blocks without texture say nothing and do not count.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

# float32, as OpenCV wants it; its stubs say so of nothing they return.
Grey = NDArray[Any]

# Side of a block in pixels of the common frame.
BLOCK: Final = 16
# Standard deviation, in grey levels, under which a block is flat: JPEG and sensor noise reach about 2.
FLAT: Final = 4.0
# What rounding to whole grey levels alone may correlate.
ROUNDING: Final = 0.25
# Fine detail that noise, JPEG and a thumbnail lose is smoothed away in both.
SMOOTHING_PX: Final = 1.2
# A block below this correlation shows something else.
DIFFERENT: Final = 0.55


@dataclass(frozen=True, slots=True)
class Similarity:
    """Blocks of a common frame compared. `correlation` is NaN where a block does not count (not covered or flat in
    both); shares are of the blocks that count."""

    correlation: NDArray[np.float32]
    covered: float
    textured: int

    @property
    def median(self) -> float:
        return self._quantile(0.5)

    @property
    def low(self) -> float:
        """The correlation that 90 % of the blocks exceed."""
        return self._quantile(0.1)

    @property
    def different(self) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            return self.correlation < DIFFERENT

    @property
    def different_share(self) -> float:
        return float(self.different.sum()) / max(1, self.textured)

    def _quantile(self, share: float) -> float:
        return float(np.nanquantile(self.correlation, share)) if self.textured else 0.0


def compare(first: Grey, second: Grey, covered: NDArray[np.bool_]) -> Similarity:
    """Compare two pictures of one shape, float32 (height, width), where `covered`."""
    height, width = (side // BLOCK * BLOCK for side in first.shape)
    if not height or not width:
        return Similarity(np.empty((0, 0), np.float32), 0.0, 0)
    a = _blocks(cv2.GaussianBlur(first, (0, 0), SMOOTHING_PX)[:height, :width])
    b = _blocks(cv2.GaussianBlur(second, (0, 0), SMOOTHING_PX)[:height, :width])
    inside = _blocks(covered[:height, :width]).all(axis=-1)
    a, b = _levelled(a), _levelled(b)
    spread_a, spread_b = np.sqrt((a * a).mean(axis=-1)), np.sqrt((b * b).mean(axis=-1))
    gain = _gain(spread_a[inside], spread_b[inside])
    counts = inside & ((spread_a > FLAT) | (spread_b > FLAT)) & ((spread_a * gain > FLAT) | (spread_b > FLAT * gain))
    # Where one picture is flat and the other is not, this is next to nothing, as it should be.
    correlation = (a * b).mean(axis=-1) / (spread_a * spread_b + ROUNDING)
    correlation = np.where(counts, correlation, np.nan).astype(np.float32)
    return Similarity(correlation, float(inside.mean()), int(counts.sum()))


def _levelled(blocks: Grey) -> Grey:
    """Blocks less the plane that fits each best: neither a vignette nor a shadow is structure."""
    blocks = blocks - blocks.mean(axis=-1, keepdims=True)
    across = np.tile(np.arange(BLOCK, dtype=np.float32) - (BLOCK - 1) / 2, BLOCK)
    down = np.repeat(np.arange(BLOCK, dtype=np.float32) - (BLOCK - 1) / 2, BLOCK)
    for slope in (across, down):
        blocks = blocks - (blocks @ slope)[..., None] * (slope / (slope @ slope))
    return blocks


def _gain(spread_a: Grey, spread_b: Grey) -> float:
    """How much contrast the second has for one of the first, over all blocks."""
    textured = (spread_a > FLAT) & (spread_b > FLAT / 4)
    if textured.sum() < 4:
        return 1.0
    return float(np.clip(np.median(spread_b[textured] / spread_a[textured]), 0.1, 10.0))


def _blocks(picture: NDArray[Any]) -> NDArray[Any]:
    """(height, width) -> (height/BLOCK, width/BLOCK, BLOCK*BLOCK)."""
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    return picture.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(rows, columns, BLOCK * BLOCK)
