"""PURE: the coefficients of a picture, and a quantisation table -> whether it was coded with that table before.

A JPEG stores each coefficient of a block as a multiple of an entry of its table. In a picture made from it (saved
again, as a PNG, brighter, with a caption) the coefficients still lie near those multiples, and what the later file's
own steps make of that is known: some of its multiples are taken more often than a smooth distribution would, others
less (Lukas and Fridrich, Estimation of Primary Quantization Matrix in Double Compressed JPEG Images, 2003). The earlier
table need not be guessed here: it is that of the other file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.imaging.originality.block_traces import BIN, BINS, COEFFICIENTS, COUNTS, ZIGZAG, Histograms
from index.imaging.thresholds import threshold

Values = NDArray[np.float64]

# Of the periodic pattern: as many parts as are not lost by rounding.
HARMONICS: Final = 8
LEAST_HARMONIC: Final = 1e-3
UNCHANGED: Final = np.ones(1)
LARGEST: Final = BINS * BIN
# A modulation below leaves values that no file has; those of noise beyond the model are not that rare.
LEAST_MODULATION: Final = 0.02


@dataclass(frozen=True, slots=True)
class CodingLimits:
    """When coefficients are examined for an earlier table."""

    min_step: float = threshold(1.5, "levels", "Finer steps are lost by rounding to pixels.")
    max_step: float = threshold(32.0, "levels", "Coarser ones leave too few multiples up to 64.")
    rounding: float = threshold(0.45, "levels", "Of a coefficient, by rounding to pixels and colours in between.")
    most_for_one: float = threshold(400.0, "values", "Of one coefficient; more do not make it more certain.")
    min_for_one: float = threshold(12.0, "values", "Of one coefficient; fewer say nothing.")
    min_contrast: float = threshold(0.002, "variance", "Of the modulation; a flatter one cannot be seen.")


CODING: Final = CodingLimits()


class Shares(NamedTuple):
    """For each of some gains: `share` is 0 where the coefficients know nothing of the table, 1 where they lie as if
    coded with it before, with a standard deviation of 1 / sqrt(`information`). Both are (gains,)."""

    share: Values
    information: Values


class _Cells(NamedTuple):
    """The counts of one coefficient in some cells, and a smooth distribution through them."""

    counts: Values
    smooth: Values


def coding_shares(
    histograms: Histograms,
    own: Sequence[int],
    table: Sequence[int],
    *,
    transposed: bool,
    gains: Values = UNCHANGED,
    noise: float = 0.0,
) -> Shares:
    """How far an earlier coding with `table` shows in the coefficients of one grid of a picture, for each gain by which
    its contrast may have been changed since.

    `own` is the file's own table; () where it is no JPEG, or its own grid is another one: then its coding is `noise` of
    so many levels. Tables are in zigzag order; `transposed` says that the picture was turned by a quarter since.
    """
    found, expected = np.zeros(gains.size), np.zeros(gains.size)
    rounding = float(np.hypot(CODING.rounding, noise))
    for number, (row, column) in enumerate(COEFFICIENTS):
        steps: Values = np.multiply(gains, float(table[ZIGZAG[(column, row) if transposed else (row, column)]]))
        step_of_own = own[ZIGZAG[row, column]] if own else 0
        width = step_of_own or BIN
        usable = (steps >= CODING.min_step) & (steps <= CODING.max_step) & (steps != step_of_own)
        if not usable.any():
            continue
        # From the middle between the first two multiples on, since all small values are multiples of zero.
        first = max(1, math.ceil(float(steps[usable].min()) / 2 / width - 1e-9))
        counts = COUNTS[histograms[number]].astype(np.float64)
        cells = _smoothed((_folding(step_of_own) @ counts if step_of_own else counts)[first:], width)
        if cells is None:
            continue
        places: Values = np.arange(first, first + cells.counts.size, dtype=np.float64) * width
        beyond = places >= steps[:, None] / 2 - 1e-9
        smooth, counts = beyond * cells.smooth, beyond * cells.counts
        total = counts.sum(axis=1)
        usable &= (total >= CODING.min_for_one) & (np.count_nonzero(counts, axis=1) > 1)
        waves = _modulation(tuple(steps.tolist()), width, rounding, first, cells.counts.size)
        smooth /= np.maximum(smooth.sum(axis=1), 1e-12)[:, None]
        waves = waves / np.maximum((smooth * waves).sum(axis=1), 1e-12)[:, None] - 1
        contrast = (smooth * waves**2).sum(axis=1)
        weight = np.minimum(total, CODING.most_for_one) * (usable & (contrast >= CODING.min_contrast))
        found += weight * (counts * waves).sum(axis=1) / np.maximum(total, 1.0)
        expected += weight * contrast
    return Shares(found / np.maximum(expected, 1e-12), expected)


def _smoothed(counts: Values, width: float) -> _Cells | None:
    """The counts with a smooth distribution through them: how many values are larger falls like an exponential of
    their size and its root, which what lies on multiples of a step leaves as it is."""
    if counts.sum() < CODING.min_for_one or np.count_nonzero(counts) < 2 or counts.size < 3:
        return None
    larger = np.cumsum(counts[::-1])[::-1]
    shown = larger > 0
    edges = np.arange(1, counts.size + 2) * width
    powers = np.stack([np.ones_like(edges), np.sqrt(edges), edges], axis=1)[:, : None if shown.sum() > 3 else 2]
    weight = np.sqrt(larger[shown])
    rows = powers[:-1][shown]
    # By the normal equations: three columns of this range lose no digit that counts.
    weighted = rows * weight[:, None]
    fitted = np.linalg.solve(weighted.T @ weighted, weighted.T @ (np.log(larger[shown]) * weight))
    above = np.exp(np.clip(powers @ fitted, -50, 50))
    return _Cells(counts, np.maximum(above[:-1] - above[1:], 1e-9))


# Tables have small whole steps, so that most were met before; each entry takes 2 KB, or 40 KB with many gains.
@lru_cache(maxsize=1024)
def _modulation(steps: tuple[float, ...], width: float, rounding: float, first: int, cells: int) -> Values:
    """How often each of some cells of `width`, from number `first` on, is taken by values that lie around multiples of
    each step, 1 on average, (steps, cells). Not to be changed."""
    places = np.arange(first, first + cells, dtype=np.float64) * width
    each = np.asarray(steps)
    harmonics = np.arange(1, HARMONICS + 1)[:, None]
    strength = np.exp(-2 * (np.pi * rounding * harmonics / each) ** 2)
    strength *= 2 * np.sinc(harmonics * width / each) * (strength.max(axis=1, keepdims=True) >= LEAST_HARMONIC)
    waves = np.cos(harmonics[..., None] * (2 * np.pi * places / each[:, None]))
    shares = 1 + np.einsum("hs,hsc->sc", strength, waves)
    return np.asarray(np.maximum(shares, LEAST_MODULATION), np.float64)


@lru_cache(maxsize=256)
def _folding(own: int) -> Values:
    """How much of each bin of a histogram lies in the cell around each multiple of a step, (cells, BINS)."""
    middle = np.arange(int(LARGEST / own))[:, None] * own
    bins = np.arange(BINS) * BIN
    low, high = np.maximum(bins - BIN / 2, middle - own / 2), np.minimum(bins + BIN / 2, middle + own / 2)
    return np.asarray(np.maximum(0.0, high - low) / BIN, np.float64)
