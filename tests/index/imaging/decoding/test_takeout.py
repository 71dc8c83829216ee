"""The JSON of Google Takeout, and what pretends to be it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.imaging.decoding.takeout import read_takeout
from index.model import Description

SAID = {
    "title": "../../etc/passwd",
    "description": "At the sea\x00",
    "photoTakenTime": {"timestamp": "1563093062", "formatted": "14.07.2019"},
    "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0},
    "geoDataExif": {"latitude": -33.857, "longitude": 151.215},
}


def test_time_place_and_caption_are_read() -> None:
    assert read_takeout(json.dumps(SAID).encode()) == Description(
        taken="2019-07-14T08:31:02", zone="+00:00", dated_by="takeout", place=(-33.857, 151.215), caption="At the sea"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"null", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"{" + b" " * 2**18 + b"}", b"\xff\xfe",
        b'{"photoTakenTime": {"timestamp": "' + b"9" * 5000 + b'"}}', b'{"photoTakenTime": {"timestamp": true}}',
        b'{"photoTakenTime": {"timestamp": -1e400}}', b'{"photoTakenTime": 5, "description": [], "geoData": "x"}',
        b'{"geoData": {"latitude": NaN, "longitude": Infinity}}', b'{"geoData": {"latitude": 1e3, "longitude": 0}}',
        b'{"geoData": {"latitude": ' + b"9" * 400 + b', "longitude": 1}}',
    ],
)  # fmt: skip
def test_what_is_no_such_file_says_nothing(data: bytes) -> None:
    assert read_takeout(data) == Description()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*SAID, "timestamp", "latitude",
                                                                                    "longitude"]), inner)))  # fmt: skip
def test_no_json_raises(value: object) -> None:
    read_takeout(json.dumps(value).encode())
