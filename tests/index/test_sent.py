"""What processes send each other arrives as it was."""

import pickle
from dataclasses import dataclass, fields

from index.imaging.decoding.pictures import Limits
from index.model import Attachment, CameraRecord, Description, Facts, Hashes, Identity, Reading, Sent

FACTS = Facts(
    "JPEG", 300, 200, metadata=("exif",), record=CameraRecord(make="Canon", exposure_s=0.5, tables="ab"),
    attachments=(Attachment("film", 5, "cd"),), description=Description(title="A", place=(1.0, 2.0)),
)  # fmt: skip
READING = Reading(
    b"/a", Identity(1, 2, 3, 4), b"digest", FACTS, Hashes("s", {8: b"x"}), {"part": Hashes("s", {8: b"y"})}
)


def test_values_arrive_as_they_were() -> None:
    for value in (READING, FACTS, Limits(1, 2), Reading(b"/a", Identity(1, 2, 3, 4), failure="empty")):
        arrived = pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
        assert arrived == value
        assert type(arrived) is type(value)


def test_a_class_below_another_has_its_own_fields() -> None:
    pickle.dumps(READING)
    assert Below.__reduce__(Below(1, 2, 3)) == (Below, (1, 2, 3))
    assert [field.name for field in fields(Below)] == ["first", "second", "third"]


@dataclass(frozen=True, slots=True)
class Above(Sent):
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Below(Above):
    third: int
