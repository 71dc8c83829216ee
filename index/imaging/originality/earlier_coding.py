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
# Results are cached for up to this many gains. More gains occur only if the tone was changed, and never repeat.
FEW_GAINS: Final = 2
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


@dataclass(frozen=True, slots=True)
class TableLikelihood:
    """The shares of tables that copies of a picture show, and other pictures of its group."""

    kept: float = threshold(0.45, "share of copies", "The others show nothing of it: an edit took it away.")
    middle: float = threshold(0.8, "share", "The mean of those that show it.")
    spread: float = threshold(0.25, "share", "Their standard deviation.")
    chance: float = threshold(0.1, "share", "The standard deviation of pictures that were not made from the other.")
    by_information: float = threshold(4.7, "share", "The same for an information of 1; it falls with its root.")


TABLE: Final = TableLikelihood()


class Shares(NamedTuple):
    """For each of some gains: `share` is 0 where the coefficients know nothing of the table, 1 where they lie as if
    coded with it before, with a standard deviation of 1 / sqrt(`information`). Both are (gains,)."""

    share: Values
    information: Values


@dataclass(frozen=True, eq=False)
class _Examined:
    """What a table asks of the coefficients `numbers`, (k,), whatever the picture: everything but its histograms. Their
    values lie in cells of a `width` each, (k,), as many as the longest needs.

    `bins` and `shares`, (k, cells + 1), say where in a cumulated histogram each cell begins and ends. `places`, (k,
    cells), are the middles of cells, `held` those that there are. `usable`, (k, gains), is whether the step can be
    examined, `beyond`, (k, gains, cells), the cells from the middle between its first two multiples on, and `waves`
    how often each is taken by values around its multiples."""

    numbers: NDArray[np.intp]
    bins: NDArray[np.intp]
    shares: Values
    powers: Values
    held: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    beyond: NDArray[np.bool_]
    waves: Values


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
    examine = _kept if gains.size <= FEW_GAINS else _examined
    asked = examine(tuple(own), tuple(table), transposed, tuple(gains.tolist()), noise)
    if not asked.numbers.size:
        return Shares(np.zeros(gains.size), np.zeros(gains.size))
    counts = _in_cells(histograms, asked)
    smooth, known = _smoothed(counts, asked)
    counted, expected = asked.beyond * counts[:, None], asked.beyond * smooth[:, None]
    total = counted.sum(axis=2)
    usable = asked.usable & known[:, None] & (total >= CODING.min_for_one) & ((counted != 0).sum(axis=2) > 1)
    expected /= np.maximum(expected.sum(axis=2), 1e-12)[..., None]
    waves = asked.waves / np.maximum((expected * asked.waves).sum(axis=2), 1e-12)[..., None] - 1
    contrast = (expected * waves**2).sum(axis=2)
    weight = np.minimum(total, CODING.most_for_one) * (usable & (contrast >= CODING.min_contrast))
    found = (weight * (counted * waves).sum(axis=2) / np.maximum(total, 1.0)).sum(axis=0)
    information = (weight * contrast).sum(axis=0)
    return Shares(found / np.maximum(information, 1e-12), information)


def table_likelihood(share: float, information: float) -> float:
    """The log-likelihood of a share of a table, relative to that of a picture that was not made from the other one."""
    chance = math.hypot(TABLE.chance, TABLE.by_information / math.sqrt(max(information, 1.0)))
    spread = math.hypot(TABLE.spread, chance)
    # A tenth is of chance four times as wide.
    by_chance = 0.9 * _normal(share / chance) / chance + 0.1 * _normal(share / (4 * chance)) / (4 * chance)
    shown = _normal((share - TABLE.middle) / spread) / spread
    return math.log(1 - TABLE.kept + TABLE.kept * shown / max(by_chance, 1e-9))


def _normal(value: float) -> float:
    return math.exp(-0.5 * value * value) / math.sqrt(2 * math.pi)


def _in_cells(histograms: Histograms, asked: _Examined) -> Values:
    """How many values lie in each cell, (k, cells)."""
    counts = np.zeros((asked.numbers.size, BINS + 1))
    counts[:, :BINS] = COUNTS[histograms[asked.numbers]]
    below = np.cumsum(counts, axis=1) - counts
    rows = np.arange(asked.numbers.size)[:, None]
    # Within a bin, values are spread evenly.
    cumulated = below[rows, asked.bins] + asked.shares * counts[rows, asked.bins]
    return np.asarray(np.diff(cumulated, axis=1) * asked.held)


def _smoothed(counts: Values, asked: _Examined) -> tuple[Values, NDArray[np.bool_]]:
    """A smooth distribution through the counts of each coefficient, (k, cells), and whether they are enough for it,
    (k,): how many values are larger falls like an exponential of their size and its root, which what lies on multiples
    of a step leaves as it is."""
    known = (counts.sum(axis=1) >= CODING.min_for_one) & (np.count_nonzero(counts, axis=1) > 1)
    known &= asked.held.sum(axis=1) > 2
    larger = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    shown = larger > 0
    weight = np.sqrt(larger)[..., None]
    weighted = asked.powers[:, :-1] * weight
    # Of three values no more than two factors can be fitted.
    few = shown.sum(axis=1) <= 3
    weighted[few, :, 2] = 0
    # By the normal equations: three columns of this range lose no digit that counts.
    normal = weighted.swapaxes(1, 2) @ weighted
    normal[few, 2, 2] = 1
    normal[~known] = np.eye(3)
    right = weighted.swapaxes(1, 2) @ (np.log(np.where(shown, larger, 1.0))[..., None] * weight)
    fitted = np.linalg.solve(normal, right)
    above = np.exp(np.clip((asked.powers @ fitted)[..., 0], -50, 50))
    return np.maximum(above[:, :-1] - above[:, 1:], 1e-9) * asked.held, known


def _examined(
    own: tuple[int, ...], table: tuple[int, ...], transposed: bool, gains: tuple[float, ...], noise: float
) -> _Examined:
    places = [ZIGZAG[(column, row) if transposed else (row, column)] for row, column in COEFFICIENTS]
    steps = np.multiply.outer(np.array([float(table[place]) for place in places]), gains)
    of_own = np.array([own[ZIGZAG[place]] if own else 0 for place in COEFFICIENTS], np.float64)
    usable = (steps >= CODING.min_step) & (steps <= CODING.max_step) & (steps != of_own[:, None])
    numbers = np.flatnonzero(usable.any(axis=1))
    steps, of_own, usable = steps[numbers], of_own[numbers], usable[numbers]
    width = np.where(of_own > 0, of_own, BIN)
    # From the middle between the first two multiples on, since all small values are multiples of zero.
    least = np.where(usable, steps, np.inf).min(axis=1, initial=np.inf)
    first = np.maximum(1, np.ceil(least / 2 / width - 1e-9))
    cells = np.maximum(0, np.floor(LARGEST / width) - first)
    most = int(cells.max(initial=0))
    held = np.arange(most) < cells[:, None]
    middles = (first[:, None] + np.arange(most)) * width[:, None]
    edges = np.clip((first[:, None] + np.arange(most + 1) - 0.5) * width[:, None] / BIN + 0.5, 0, BINS)
    bins = np.floor(edges).astype(np.intp)
    beyond = (middles[:, None] >= steps[..., None] / 2 - 1e-9) & held[:, None]
    waves = _modulation(steps, width, float(np.hypot(CODING.rounding, noise)), middles)
    ends = np.arange(1, most + 2) * width[:, None]
    powers = np.stack([np.ones_like(ends), np.sqrt(ends), ends], axis=2)
    return _Examined(numbers, bins, edges - bins, powers, held, usable, beyond, waves)


# Most files have one of a few tables; 200 KB each.
_kept = lru_cache(maxsize=32)(_examined)


def _modulation(steps: Values, width: Values, rounding: float, places: Values) -> Values:
    """How often cells of a `width`, (k,), around `places`, (k, cells), are taken by values that lie around multiples of
    `steps`, (k, gains), 1 on average: (k, gains, cells)."""
    turns = np.cos(2 * np.pi * places[:, None] / steps[..., None])
    shares = np.ones_like(turns)
    # Each harmonic from the two before it.
    before, wave = np.ones_like(turns), turns
    for harmonic in range(1, HARMONICS + 1):
        strength = np.exp(-2 * (np.pi * rounding * harmonic / steps) ** 2)
        heard = strength.max(axis=1, keepdims=True) >= LEAST_HARMONIC
        if not heard.any():
            break
        strength *= 2 * np.sinc(harmonic * width[:, None] / steps) * heard
        shares += strength[..., None] * wave
        before, wave = wave, 2 * turns * wave - before
    return np.asarray(np.maximum(shares, LEAST_MODULATION))
