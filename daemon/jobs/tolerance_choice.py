"""EDGE: what depends on the size of the library: a tolerance that is not set, and whether `thorough` is possible.

The tolerance follows from the distances measured in this library.
"""

import logging
from dataclasses import replace
from typing import Final

from index.database.records import random_pairs
from index.database.store import Store
from index.errors import UsageError
from index.imaging.candidates.perceptual_hash import LEAST_DETAIL, SCHEME
from index.imaging.candidates.tolerance_budget import affordable_tolerance, size_class
from index.model import Depth, DetectParameters

# With this many pictures, the local features take 2 GB of memory, and searching and verifying take hours of two cores
# (docs/measurements/search.md).
THOROUGH_AT_MOST: Final = 100_000

log = logging.getLogger(__name__)


def with_tolerance(store: Store, parameters: DetectParameters, pictures: int | None = None) -> DetectParameters:
    """The parameters with the tolerance for the present number of pictures, unless one was given. A search in some
    folders concerns few pictures, and has the default of its hash size."""
    if parameters.sized_for < 0 or parameters.folders:
        return replace(parameters, sized_for=-1)
    with store.read() as database:
        count = random_pairs.count(database, SCHEME, LEAST_DETAIL) if pictures is None else pictures
        power = size_class(count)
        way = parameters.hsize, parameters.turns
        distances = random_pairs.distances_among(database, SCHEME, LEAST_DETAIL, 1 << power, way) if power else []
    tolerance = affordable_tolerance(distances, power, parameters.hsize)
    if power != parameters.sized_for:
        log.info("the tolerance for more than %d pictures is %d of %d bits", 1 << power, tolerance, parameters.hsize**2)
    return replace(parameters, tolerance=tolerance, sized_for=power)


def require_thorough_size(store: Store, parameters: DetectParameters) -> None:
    """Raises UsageError if a thorough detection would have to examine more pictures than THOROUGH_AT_MOST."""
    if parameters.depth is Depth.THOROUGH and parameters.verify:
        with store.read() as database:
            count = random_pairs.count(database, SCHEME, LEAST_DETAIL)
        if count > THOROUGH_AT_MOST:
            raise UsageError("detect.too_many_for_thorough", n=count, most=THOROUGH_AT_MOST, field="depth")


def has_outgrown(parameters: DetectParameters, pictures: int) -> bool:
    """Whether so many pictures have passed another power of two since the tolerance was chosen. Fewer do not count: the
    next full detection sets the tolerance for them."""
    return parameters.sized_for >= 0 and size_class(pictures) > parameters.sized_for
