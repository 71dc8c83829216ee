"""PURE: what two files' cameras recorded -> whether they prove two exposures.

Settings, fractions of a second, identifiers and the numbers that a camera counts with are taken over by whatever copies
a file, so two that differ are of two exposures. Where nothing differs, one thing is left: a camera writes one file of
an exposure. Two files that are both as a camera wrote them are two exposures, unless a lossless turn lies between.
"""

from collections.abc import Iterator

from index.imaging.verification.gate_thresholds import RECORDS, Gate, Records
from index.model import CameraRecord, Facts


def records(first: Facts, second: Facts, *, turned: bool, limits: Records = RECORDS) -> tuple[Gate, ...]:
    """Whether the records allow for one exposure; no gate where neither says anything. `turned` is whether one picture
    is turned or mirrored against the other."""
    differing = set(differences(first.record, second.record, limits))
    if not turned and are_of_one_camera(first, second) and not _same_moment(first.record, second.record):
        differing.add("files")
    if not differing and not (first.record.maker_note and second.record.maker_note):
        return ()
    return (Gate("records", len(differing), 0, passed=not differing),)


def differences(first: CameraRecord, second: CameraRecord, limits: Records = RECORDS) -> Iterator[str]:
    """What both recorded and recorded differently."""
    for name in ("exposure_s", "aperture", "iso"):
        one, other = getattr(first, name), getattr(second, name)
        if one and other and max(one, other) > limits.same_setting * min(one, other):
            yield name
    if (
        first.bias_ev is not None
        and second.bias_ev is not None
        and abs(first.bias_ev - second.bias_ev) > limits.same_bias_ev
    ):
        yield "bias_ev"
    if first.original == second.original:
        # Where the dates differ, a clock may have been set right afterwards, together with its fractions.
        yield from _texts(first, second, "subseconds")
    yield from _texts(first, second, "unique_id", "burst_id")
    numbered, other_numbered = (dict(number.split(":", 1) for number in each.numbers) for each in (first, second))
    if any(numbered[tag] != other_numbered[tag] for tag in numbered.keys() & other_numbered.keys()):
        yield "numbers"


def _texts(first: CameraRecord, second: CameraRecord, *names: str) -> Iterator[str]:
    for name in names:
        one, other = getattr(first, name), getattr(second, name)
        if one and other and one != other:
            yield name


def are_of_one_camera(first: Facts, second: Facts) -> bool:
    """Whether both are as one and the same camera wrote them: same model, firmware, tables and size."""
    same = first.camera == second.camera and first.orientation == second.orientation
    same = same and (first.width, first.height) == (second.width, second.height)
    same = same and first.record.tables == second.record.tables and first.record.software == second.record.software
    return same and is_intact(first) and is_intact(second)


def is_intact(file: Facts) -> bool:
    """Whether a file is as its camera wrote it: with a maker note, tables that are the camera's own, the size that its
    EXIF declares, and no later date."""
    record = file.record
    whole = bool(file.camera and record.maker_note and record.tables and not record.standard_tables)
    full_size = sorted(record.declared) == sorted((file.width, file.height))
    return whole and full_size and record.modified in ("", record.original)


def _same_moment(first: CameraRecord, second: CameraRecord) -> bool:
    """Whether the record itself says that it is of one exposure: the same fraction of a second, and a maker note, which
    counts and measures, equal to the last byte. An editor that keeps all of it has saved one of them."""
    return bool(first.subseconds) and first.subseconds == second.subseconds and first.maker_note == second.maker_note
