"""Further frames, what is behind the pictures and the times decide by the files' facts alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from index.imaging.verification.file_facts import attachments, frames, is_same_moment, kind_of_same_pixels
from index.model import Attachment, Facts, Kind

STILL = Facts("JPEG", 400, 300)
FILM, OTHER_FILM = Attachment("film", 1000, "a"), Attachment("film", 1000, "b")
GAIN_MAP = Attachment("gain_map", 50, "c")
TRAILER = Attachment("trailer", 70, "d")


def with_parts(*parts: Attachment) -> Facts:
    return replace(STILL, attachments=parts)


def test_frames() -> None:
    animation = Facts("GIF", 400, 300, frames=12)
    assert frames((STILL, STILL)) == ()
    for pair in ((animation, animation), (STILL, animation), (animation, STILL)):
        assert not frames(pair)[0].passed, "only the first frame was compared"


def test_attachments() -> None:
    for pair in ((STILL, STILL), (with_parts(FILM), STILL), (with_parts(FILM), with_parts(GAIN_MAP))):
        assert attachments(pair) == ()
    assert attachments((with_parts(FILM, GAIN_MAP), with_parts(FILM)))[0].passed
    assert not attachments((with_parts(FILM), with_parts(OTHER_FILM)))[0].passed


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (STILL, STILL, Kind.PIXELS),
        (with_parts(FILM), with_parts(FILM), Kind.PIXELS),
        (with_parts(TRAILER), STILL, Kind.PIXELS),
        (with_parts(FILM), STILL, Kind.NEAR),
        (STILL, with_parts(GAIN_MAP), Kind.NEAR),
        (with_parts(FILM), with_parts(OTHER_FILM), Kind.POSSIBLE),
    ],
)
def test_equal_pixels_are_no_equal_files_where_one_holds_more(first: Facts, second: Facts, kind: Kind) -> None:
    assert kind_of_same_pixels(first, second) is kind
    assert kind_of_same_pixels(second, first) is kind


@pytest.mark.parametrize(
    ("apart", "same"),
    [
        (timedelta(), True),
        (timedelta(hours=1), True),
        (timedelta(hours=5, minutes=30), True),
        (timedelta(hours=-11), True),
        (timedelta(seconds=1), False),
        (timedelta(hours=1, seconds=2), False),
        (timedelta(minutes=20), False),
        (timedelta(days=2), False),
    ],
)
def test_clocks_of_two_time_zones_show_one_moment(apart: timedelta, same: bool) -> None:
    taken = datetime(2019, 7, 14, 22, 15, 7)  # noqa: DTZ001 - EXIF has no zone
    assert is_same_moment(taken.isoformat(), (taken + apart).isoformat()) is same


def test_what_is_no_time_is_compared_as_text() -> None:
    assert is_same_moment("Canon EOS 80D", "Canon EOS 80D")
    assert not is_same_moment("Canon EOS 80D", "Canon EOS 90D")
