"""Facts of a picture in the index."""

import pytest

from index.database.fields import CameraRecordField
from index.model import CameraRecord


@pytest.mark.parametrize(
    "record",
    [
        CameraRecord(),
        CameraRecord("Example", bias_ev=0.0, iso=100.0, numbers=("0x0008:7", "0x1101:1"), declared=(64, 48)),
        CameraRecord(original="2024:05:17 12:34:56", subseconds="7", tables="0a", standard_tables=True),
    ],
)
def test_what_a_camera_wrote_is_kept_as_it_was(record: CameraRecord) -> None:
    field = CameraRecordField()
    assert field.python_value(field.db_value(record)) == record


def test_what_a_file_does_not_have_takes_no_room() -> None:
    assert CameraRecordField().db_value(CameraRecord()) == "{}"
