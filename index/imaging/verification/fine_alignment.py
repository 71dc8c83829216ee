"""PURE: an alignment in the coarse frame -> the same at a finer scale, and the details that the fine gates compare.

The map is corrected where that makes the pictures agree better.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np

from index.imaging.verification import transforms
from index.imaging.verification.alignment import Aligned, Prepared, rescaled
from index.imaging.verification.bends import bent_px
from index.imaging.verification.clipping import clipped_in_one
from index.imaging.verification.colours import Colours, aligned_views, compare_colours
from index.imaging.verification.edges import beyond_each
from index.imaging.verification.gate_thresholds import EXPOSURE, REGISTRATION
from index.imaging.verification.graphics import FINE_FRAME
from index.imaging.verification.places import Place, differ_nowhere, lies_within, places
from index.imaging.verification.registration import Registration, register
from index.imaging.verification.sharpness import Sharpness, sharpness
from index.imaging.verification.similarity import Similarity, compare
from index.imaging.verification.spots import spots
from index.imaging.verification.transforms import Grey, Map, Mask

# Of a small place, so much is clipped in one picture alone.
MOSTLY: Final = 0.5


@dataclass(frozen=True, eq=False)
class FineAlignment:
    """Two pictures aligned in the fine frame of the second: `first` is the first as registered, `where` both show the
    same thing, `covered` where the first covers the second; `enlarged` is the factor by which the map enlarges the
    first. `coarse` is the alignment in the coarse frame, corrected. `beyond_px` is how far each shows the scene beyond
    an edge of the other, as `edges.beyond_each` has it."""

    pictures: tuple[Prepared, Prepared]
    coarse: Aligned
    registration: Registration
    first: Grey
    second: Grey
    covered: Mask
    where: Mask
    transform: Map
    enlarged: float
    beyond_px: float
    palette: bool = False
    coloured: bool = True

    @property
    def side(self) -> float:
        """The longer side of what both show, in pixels of the coarser of the two."""
        rows, columns = np.nonzero(self.covered.any(axis=1))[0], np.nonzero(self.covered.any(axis=0))[0]
        longer = max(np.ptp(rows), np.ptp(columns)) + 1 if len(rows) else 0
        return float(longer / max(1.0, self.enlarged))

    @cached_property
    def shown(self) -> Mask | tuple[slice, slice]:
        """`where` as an index: of most copies it is a rectangle, which is taken without a copy."""
        left, top, width, height = cv2.boundingRect(self.where.view(np.uint8))
        if np.count_nonzero(self.where) < width * height:
            return self.where
        return slice(top, top + height), slice(left, left + width)

    @cached_property
    def same_tone(self) -> bool:
        """Whether brightness and contrast are unchanged."""
        first, second = (picture[self.shown] for picture in (self.first, self.second))
        if not first.size:
            return False
        contrast = float((second.std() + 1) / (first.std() + 1))
        level = abs(float(second.mean() - first.mean()))
        limit = REGISTRATION.same_contrast
        return level < REGISTRATION.same_level and 1 / limit < contrast < limit

    @cached_property
    def sharpness(self) -> Sharpness:
        """The strength of the second's fine detail relative to the first's."""
        return sharpness(self.first, self.second, self.shown)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where the pictures differ."""
        alike = self.registration.alike
        if alike is None:
            return places(self.first, self.second, self.covered, self.where)
        small = self._not_clipped(spots(alike, self.second, self.covered))
        if differ_nowhere(alike, self.second, self.covered):
            return small
        found = places(self.first, self.second, self.covered, self.where, alike)
        return found + tuple(spot for spot in small if not any(lies_within(spot, place) for place in found))

    def _not_clipped(self, found: tuple[Place, ...]) -> tuple[Place, ...]:
        """The small places but those in which another tone has clipped a colour."""
        first, second = (picture.view for picture in self.pictures)
        if not found or first is None or second is None or self.same_tone:
            return found
        clipped = clipped_in_one(*aligned_views(self.coarse, first, second))
        height, width = clipped.shape
        kept = []
        for place in found:
            left, top, right, bottom = place.box
            rows = slice(int(top * height), int(bottom * height) + 1)
            columns = slice(int(left * width), int(right * width) + 1)
            if clipped[rows, columns].mean() < MOSTLY:
                kept.append(place)
        return tuple(kept)

    @cached_property
    def colours(self) -> Colours:
        """Whether their colours follow one mapping, where nothing was added; not compared where they are not
        `coloured`."""
        if not self.coloured:
            return Colours()
        boxes = tuple(place.box for place in self.places)
        sharpened = self.sharpness.ratio > REGISTRATION.other_sharpness
        return compare_colours(self.coarse, *self.pictures, boxes, palette=self.palette, sharpened=sharpened)

    @property
    def tilted(self) -> bool:
        """Whether the map turns the first by more than a pixel or so at the edges, and so has smoothed its noise."""
        across = float(np.abs(self.coarse.transform[[0, 1], [1, 0]]).max())
        return across > EXPOSURE.max_tilt * self.enlarged

    def bent_px(self, *, stretched: bool) -> float:
        """How far the map bends what both show, as `bends.bent_px` has it."""
        registration = self.registration
        return bent_px(self.transform, registration.motion, registration.centres, stretched=stretched)

    @property
    def shift_px(self) -> float:
        """The shift of details in pixels of the coarser of the two."""
        return self.registration.shift_px / max(1.0, self.enlarged)

    @property
    def sure_shift_px(self) -> float:
        """The least that it is, in the same pixels, whatever chance adds to the median of few blocks."""
        return self.registration.sure_px / max(1.0, self.enlarged)


def align_finely(
    aligned: Aligned, first: Prepared, second: Prepared, *, palette: bool = False, coloured: bool = True
) -> FineAlignment:
    """Register two pictures at the finer scale, beginning with the map of the coarse one. `palette` is whether one had
    to do with few colours, `coloured` whether both are large enough for their colours to be compared."""
    fine_first, fine_second = first.frame(FINE_FRAME, aligned.turn), second.frame(FINE_FRAME)
    transform = rescaled(
        aligned.transform, aligned.first.shape, aligned.second.shape, fine_first.shape, fine_second.shape
    )
    covered = transforms.inside(transforms.covered(fine_first.shape, fine_second.shape, transform))
    where = covered & _agreeing(aligned.similarity, fine_second.shape)
    registration = register(fine_first, fine_second, transform, where)
    if aligned.similarity.different.any():
        finer = cv2.resize(registration.warped, aligned.second.shape[::-1], interpolation=cv2.INTER_AREA)
        corrected = replace(
            aligned, warped=finer, similarity=compare(finer, aligned.second, transforms.inside(aligned.covered))
        )
        aligned = corrected if corrected.score > aligned.score else aligned
    enlarged = float(np.sqrt(abs(np.linalg.det(transform[:2, :2]))))
    return FineAlignment(
        (first, second),
        aligned,
        registration,
        registration.warped,
        fine_second,
        covered,
        where,
        transform,
        enlarged,
        beyond_each(fine_first, fine_second, transform, registration.bend),
        palette,
        coloured,
    )


def _agreeing(similarity: Similarity, shape: tuple[int, ...]) -> Mask:
    """Where the pictures do not differ, less one block around each place that does: stamps must not be registered."""
    near_different = cv2.dilate(similarity.different.astype(np.uint8), np.ones((3, 3), np.uint8))
    return cv2.resize(1 - near_different, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
