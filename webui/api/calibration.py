"""REST: how many wrong pairs a tolerance is expected to propose in this library, and how many are then let through."""

from collections.abc import Sequence

from index.candidates.calibration import Expectation, let_through, poisson_interval, wrong_pairs
from index.records import samples
from index.records.samples import Measured
from webui import shapes_found
from webui.refusals import Refusal
from webui.routes import API, Call, Route
from webui.shapes import optional_time

# Beyond two fifths of the bits nearly every pair is near, and nobody asks.
HIGHEST_SHARE = 0.4


def get_calibration(call: Call) -> shapes_found.Calibration:
    query: shapes_found.CalibrationQuery = call.query
    hsize = int(query.hsize)
    if query.tolerance > hsize**2:
        raise Refusal(400, "bad_request", f"0 to {hsize**2} is accepted at hsize {hsize}.", field="tolerance")
    with call.store.read() as database:
        told = samples.kept(database)
    distances = [] if told is None else told.distances(hsize, query.turns)
    asked = range(int(hsize**2 * HIGHEST_SHARE) + 1) if query.tolerance < 0 else [query.tolerance]
    items = [] if told is None or not distances else [
        _expected(told, distances, hsize, query.turns, tolerance) for tolerance in asked
    ]
    return shapes_found.Calibration(
        hsize=hsize,
        turns=query.turns,
        measured=optional_time(None if told is None else told.at_ns),
        images=0 if told is None else told.images,
        pairs=len(distances),
        judged=0 if told is None else told.judged,
        accepted=0 if told is None else told.accepted,
        items=items,
    )


def _expected(
    told: Measured, distances: Sequence[int], hsize: int, turns: bool, tolerance: int
) -> shapes_found.ExpectedWrong:
    counted = told.counted(hsize, turns, tolerance)
    wrong = wrong_pairs(distances, told.images, tolerance) if counted is None else poisson_interval(counted)
    left = let_through(wrong, told.judged, told.accepted)
    return shapes_found.ExpectedWrong(
        tolerance=tolerance, counted=counted is not None, proposed=_interval(wrong), let_through=_interval(left)
    )


def _interval(expected: Expectation) -> shapes_found.Interval:
    return shapes_found.Interval(low=expected.low, guess=expected.guess, high=expected.high)


ROUTES = (
    Route(
        "GET", f"{API}/calibration", get_calibration,
        "How many wrong pairs each tolerance would propose here, and how many are let through", "groups",
        shapes_found.Calibration, query=shapes_found.CalibrationQuery,
    ),
)  # fmt: skip
