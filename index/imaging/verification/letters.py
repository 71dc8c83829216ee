"""PURE: two aligned graphics -> in how many places other letters stand, at a size at which these can be read.

In a frame of 448 pixels a line of a screen is four pixels high: another word or number is a grey like the one before.
So graphics are compared once more, in previews of up to 1,024 pixels. Tone and sharpness are matched, as in `places`;
another word leaves a residual in a small window that neither resampling nor JPEG leaves anywhere: these leave it at all
letters alike, and what is far beyond the usual is another letter.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from index.imaging.thresholds import threshold
from index.imaging.turning import turned
from index.imaging.verification import transforms
from index.imaging.verification.alignment import Aligned, rescaled
from index.imaging.verification.graphics import reduced
from index.imaging.verification.letter_limits import FITTED
from index.imaging.verification.registration import matched, register, smoothed
from index.imaging.verification.transforms import Grey, Mask


@dataclass(frozen=True, slots=True)
class LetterLimits:
    """Where letters differ. A "residual" is the deviation that a window has from the other picture's after the best
    change of brightness and contrast."""

    min_residual: float = threshold(FITTED["min_residual"], "levels", "Fitted on rendered screens and pages.")
    over_usual: float = threshold(
        FITTED["over_usual"], "times the 90 % quantile", "Of the residuals at letters; fitted on the same."
    )
    min_deviation: float = threshold(10.0, "levels", "Windows that vary less have no letters.")
    min_letters: int = threshold(50, "pixels", "Fewer windows with letters say nothing of what is usual.")
    min_pixels: int = threshold(6, "pixels", "Fewer are chance.")


LETTERS: Final = LetterLimits()

# The side of a window: less than a letter and its neighbours.
WINDOW: Final = 9
# What the window divides by in its correlation, so that flat windows have none.
LEAST_VARIANCE: Final = 16.0
# Places nearer to one another are one, as the letters of a word are. In pixels.
APART: Final = 15


def differing_letters(aligned: Aligned, letters: tuple[NDArray[np.uint8], NDArray[np.uint8]], where: Mask) -> int:
    """In how many places two graphics show other letters. `letters` are both in greys, uint8 (height, width), at a size
    at which they can be read; `where` both show the same, in any frame of the second."""
    side = min(max(picture.shape) for picture in letters)
    first, second = turned(reduced(letters[0], side), aligned.turn), reduced(letters[1], side)
    transform = rescaled(aligned.transform, aligned.first.shape, aligned.second.shape, first.shape, second.shape)
    covered = transforms.inside(transforms.covered(first.shape, second.shape, transform))
    size = second.shape[::-1]
    same = covered & (cv2.resize(where.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)
    inner = _inner(covered)
    if not same.any() or not inner.any():
        return 0
    # Most copies lie where the coarser frame says, and have one tone.
    warped = transforms.warp(first, second.shape, transform)
    if residual_is_below(LETTERS.min_residual, smoothed(warped), second, inner):
        return 0
    if not _places(matched(warped, second, same), second, inner):
        return 0
    registered = register(first, second, transform, same)
    alike = matched(registered.warped, second, same) if registered.alike is None else registered.alike
    return _places(alike, second, inner)


def strongest(alike: Grey, second: Grey, inner: Mask, least: float) -> tuple[Grey, float]:
    """The residual around each pixel, 0 where not `inner`, and what is usual of it at letters, the 90 % quantile. The
    latter is 0 where no residual is beyond `least`, since nothing is compared with it then."""
    smooth, window = smoothed(second), (WINDOW, WINDOW)
    mean, mean_second = cv2.blur(alike, window), cv2.blur(smooth, window)
    of_first = np.maximum(cv2.blur(alike * alike, window) - mean * mean, 0)
    of_second = np.maximum(cv2.blur(smooth * smooth, window) - mean_second * mean_second, 0)
    both = cv2.blur(alike * smooth, window) - mean * mean_second
    unlike = 1 - np.maximum(both, 0) ** 2 / (of_first * of_second + LEAST_VARIANCE)
    larger = np.maximum(of_first, of_second)
    residual = np.sqrt(np.maximum(larger * unlike, 0)) * inner
    if float(residual.max()) <= least:
        return np.asarray(residual, np.float32), 0.0
    at_letters = residual[inner & (larger > LETTERS.min_deviation**2)]
    usual = float(np.quantile(at_letters, 0.9)) if len(at_letters) >= LETTERS.min_letters else 0.0
    return np.asarray(residual, np.float32), usual


def _places(alike: Grey, second: Grey, inner: Mask) -> int:
    if residual_is_below(LETTERS.min_residual, alike, second, inner):
        return 0
    residual, usual = strongest(alike, second, inner, LETTERS.min_residual)
    return places_beyond(residual, max(LETTERS.min_residual, LETTERS.over_usual * usual))


def residual_is_below(limit: float, alike: Grey, second: Grey, inner: Mask) -> bool:
    """Whether no residual can be beyond a limit: it is at most the root mean square of the difference."""
    difference = cv2.absdiff(alike, smoothed(second))
    large = cv2.blur(cv2.multiply(difference, difference), (WINDOW, WINDOW)) > limit**2
    return not bool((large & inner).any())


def places_beyond(residual: Grey, limit: float) -> int:
    """In how many places the residual is beyond a limit."""
    beyond = (residual > limit).astype(np.uint8)
    if not beyond.any():
        return 0
    grown = cv2.dilate(beyond, np.ones((APART, APART), np.uint8))
    _, labels = cv2.connectedComponents(grown, connectivity=8)
    return int((np.bincount(labels[beyond > 0]) >= LETTERS.min_pixels).sum())


def _inner(covered: Mask) -> Mask:
    """What is covered but for a rim, which was interpolated."""
    inside = np.pad(covered[1:-1, 1:-1].astype(np.uint8), 1)
    return np.asarray(cv2.erode(inside, np.ones((WINDOW, WINDOW), np.uint8)) > 0)
