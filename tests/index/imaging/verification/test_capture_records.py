"""What cameras recorded: whether two files are of one exposure."""

from dataclasses import replace
from typing import Any

import pytest

from index.imaging.verification.capture_records import is_intact, records
from index.model import CameraRecord, Facts

AS_WRITTEN = CameraRecord(
    make="Example", software="1.0", modified="2024:05:17 12:00:00", original="2024:05:17 12:00:00", exposure_s=1 / 60,
    aperture=5.6, iso=100, bias_ev=0.0, maker_note="aa", tables="bb", declared=(6000, 4000),
)  # fmt: skip
PHOTO = Facts("JPEG", 6000, 4000, camera="Example 1", jpeg_quality=97, record=AS_WRITTEN)
COPY = replace(PHOTO, record=replace(AS_WRITTEN, tables="cc", standard_tables=True))


def passes(first: Facts, second: Facts, *, turned: bool = False) -> bool | None:
    found = [gate.passed for gate in records(first, second, turned=turned)]
    assert found == [gate.passed for gate in records(second, first, turned=turned)]
    return found[0] if found else None


def test_two_files_as_one_camera_wrote_them_are_two_exposures() -> None:
    assert is_intact(PHOTO)
    assert passes(PHOTO, PHOTO) is False
    assert passes(PHOTO, replace(PHOTO, record=replace(AS_WRITTEN, maker_note="ab"))) is False


@pytest.mark.parametrize(
    "change",
    [
        {"tables": "cc", "standard_tables": True},
        {"tables": "cc"},
        {"maker_note": ""},
        {"software": "Editor"},
        {"modified": "2024:06:01 08:00:00"},
        {"declared": (3000, 2000)},
        {"exposure_s": 0.0167},
    ],
    ids=str,
)
def test_a_copy_that_keeps_the_record_is_a_copy(change: dict[str, Any]) -> None:
    copy = replace(PHOTO, record=replace(AS_WRITTEN, **change))
    assert passes(COPY, copy) in (True, None)
    if "exposure_s" not in change:
        assert passes(PHOTO, copy) in (True, None)


def test_a_lossless_turn_is_a_copy() -> None:
    assert passes(PHOTO, PHOTO, turned=True) is True


def test_what_an_editor_saved_with_all_of_the_record_is_a_copy() -> None:
    moment = replace(PHOTO, record=replace(AS_WRITTEN, subseconds="42"))
    assert passes(moment, moment) is True


@pytest.mark.parametrize(
    "change",
    [
        {"exposure_s": 1 / 30},
        {"aperture": 8.0},
        {"iso": 125},
        {"bias_ev": -0.33},
        {"subseconds": "5"},
        {"unique_id": "5"},
        {"burst_id": "5"},
        {"numbers": ("0x00a7:5",)},
    ],
    ids=str,
)
def test_records_that_differ_prove_two_exposures_of_resaved_files_too(change: dict[str, Any]) -> None:
    known = {"subseconds": "4", "unique_id": "4", "burst_id": "4", "numbers": ("0x00a7:4", "0xb04a:5")}
    first = replace(COPY, record=replace(COPY.record, **known))
    assert passes(first, first) is True
    assert passes(first, replace(COPY, record=replace(first.record, **change))) is False
    assert passes(first, replace(COPY, record=CameraRecord())) is None, "stripped: it says nothing"


def test_a_clock_set_right_changes_fractions_too() -> None:
    early = replace(COPY, record=replace(COPY.record, subseconds="4"))
    late = replace(COPY, record=replace(COPY.record, original="2024:05:17 13:00:00", subseconds="0"))
    assert passes(early, late) is True
