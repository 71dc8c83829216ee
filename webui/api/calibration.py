"""REST: the expected number of false pairs for a tolerance in this library, and how many the verifier accepts."""

from collections.abc import Sequence

from index.database.records import random_pairs
from index.database.records.random_pairs import SampleMeasurement
from index.imaging.candidates.calibration import Expectation, false_candidates, false_matches, poisson_interval
from webui.api import calibration_schemas
from webui.http_errors import HttpError
from webui.routes import API, Call, Route
from webui.schemas import optional_time

# With a tolerance above two fifths of the bits, nearly every pair is a candidate, which is of no use.
HIGHEST_SHARE = 0.4
# In hundredths.
COSINES = range(30, 100, 5)


def get_calibration(call: Call) -> calibration_schemas.Calibration:
    query: calibration_schemas.CalibrationQuery = call.query
    hsize = int(query.hsize)
    if query.tolerance > hsize**2:
        raise HttpError(
            400, "bad_request", "calibration.tolerance_out_of_range", most=hsize**2, hsize=hsize, field="tolerance"
        )
    with call.store.read() as database:
        measurement = random_pairs.read(database)
    distances = [] if measurement is None else measurement.distances(hsize, query.turns)
    tolerances = range(int(hsize**2 * HIGHEST_SHARE) + 1) if query.tolerance < 0 else [query.tolerance]
    items = (
        []
        if measurement is None or not distances
        else [_expected(measurement, distances, hsize, query.turns, tolerance) for tolerance in tolerances]
    )
    return calibration_schemas.Calibration(
        hsize=hsize,
        turns=query.turns,
        measured=optional_time(None if measurement is None else measurement.at_ns),
        images=0 if measurement is None else measurement.images,
        pairs=len(distances),
        judged=0 if measurement is None else measurement.judged,
        accepted=0 if measurement is None else measurement.accepted,
        items=items,
        cosines=[] if measurement is None else _by_cosine(measurement),
    )


def _by_cosine(measurement: SampleMeasurement) -> list[calibration_schemas.ExpectedAtCosine]:
    distances = measurement.vector_distances()
    if not distances:
        return []
    return [
        calibration_schemas.ExpectedAtCosine(
            cosine=percent / 100,
            proposed=_interval(false_candidates(distances, measurement.images, 1000 - 10 * percent)),
        )
        for percent in COSINES
    ]


def _expected(
    measurement: SampleMeasurement, distances: Sequence[int], hsize: int, turns: bool, tolerance: int
) -> calibration_schemas.ExpectedWrong:
    counted = measurement.false_candidates_within(hsize, turns, tolerance)
    wrong = false_candidates(distances, measurement.images, tolerance) if counted is None else poisson_interval(counted)
    accepted = false_matches(wrong, measurement.judged, measurement.accepted)
    return calibration_schemas.ExpectedWrong(
        tolerance=tolerance, counted=counted is not None, proposed=_interval(wrong), let_through=_interval(accepted)
    )


def _interval(expected: Expectation) -> calibration_schemas.Interval:
    return calibration_schemas.Interval(low=expected.low, guess=expected.guess, high=expected.high)


ROUTES = (
    Route(
        "GET", f"{API}/calibration", get_calibration,
        "Expected false pairs per tolerance in this library, and how many the verifier accepts", "groups",
        calibration_schemas.Calibration, query=calibration_schemas.CalibrationQuery,
    ),
)  # fmt: skip
