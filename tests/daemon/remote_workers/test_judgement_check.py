"""Only what a verifier of ours can say is taken from another machine, and it says what it says at home."""

import contextlib
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.remote_workers.judgement_check import (
    FEATURE_BYTES,
    features_of_bytes,
    judgement_of_bytes,
    judgement_to_bytes,
    vectors_of_bytes,
)
from index.imaging.candidates.features.descriptors import DETECTED
from index.imaging.verification.edit_evidence import of_files
from index.imaging.verification.verify import Judgement
from index.model import Attachment, Facts, Kind, Turn

FIRST = Facts("JPEG", 400, 300, jpeg_quality=90, camera="One", metadata=("exif",))
SECOND = Facts("PNG", 400, 300, taken="2020-01-01T10:00:00", attachments=(Attachment("film", 9),))
MEASURED: dict[str, Any] = {
    "turn": "rotate_90", "scale": 0.5, "stretch": 1.2, "crop": {"of": "first", "box": [0, 0.1, 1, 0.9]},
    "frame": "second", "tilt": -1.5, "tone": {"brightness": 12, "contrast": np.float64(0.9), "grey": "first"},
    "sharpness": 0.5, "noise": 2.0, "changed": 0.02, "where": {"first": [0, 0, 0.5, 0.5], "second": [0, 0, 1, 1]},
    "similarity": 0.98,
}  # fmt: skip


def test_a_judgement_comes_back_as_it_was() -> None:
    judgement = Judgement(Kind.NEAR, 0.75, Turn.ROTATE_90, MEASURED | of_files(FIRST, SECOND), ())
    back = judgement_of_bytes(judgement_to_bytes(judgement), FIRST, SECOND)
    assert (back.kind, back.confidence, back.turn) == (Kind.NEAR, 0.75, Turn.ROTATE_90)
    assert json.dumps(back.evidence, sort_keys=True) == json.dumps(judgement.evidence, sort_keys=True)
    assert type(back.evidence["tone"]["brightness"]) is int, "it is written into the index as it was measured"


def test_no_judgement_and_a_reason() -> None:
    for judgement in (
        Judgement(None, 0.0, Turn.NONE, {}, ()),
        Judgement(Kind.POSSIBLE, 0.4, Turn.NONE, {"reason": "text", "similarity": 0.9}, ()),
    ):
        back = judgement_of_bytes(judgement_to_bytes(judgement), FIRST, FIRST)
        assert back.evidence == judgement.evidence | (of_files(FIRST, FIRST) if judgement.kind else {})


def answer(**changes: Any) -> bytes:
    evidence = changes.pop("evidence", {"similarity": 0.9})
    whole = {"kind": "near", "confidence": 0.9, "turn": "none", "evidence": evidence, **changes}
    return json.dumps({name: value for name, value in whole.items() if value != "left out"}).encode()


@pytest.mark.attack("a worker answers what no verifier says")
@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"\xff", b"[" * 100_000, pickle.dumps(Judgement(None, 0.0, Turn.NONE, {}, ())),
        answer(kind="exact"), answer(kind="pixels"), answer(kind="sure"), answer(kind=1),
        answer(confidence=1.01), answer(confidence=-0.1), answer(confidence="1"), answer(confidence=math.nan),
        answer(confidence=math.inf), answer(turn="round"), answer(turn="left out"), answer(more=1),
        answer(kind="possible", confidence=0.9), answer(kind=None, confidence=0.0), answer(kind=None, evidence={}),
        answer(evidence={"pixels": True}), answer(evidence={"camera": ["<b>", "x"]}),
        answer(evidence={"formats": ["A", "B"]}),
        answer(evidence={"turn": "rotate_90"}), answer(evidence={"scale": 1e9}), answer(evidence={"scale": -1}),
        answer(evidence={"scale": "2"}), answer(evidence={"stretch": 0}), answer(evidence={"tilt": 1e300}),
        answer(evidence={"crop": {"of": "third", "box": [0, 0, 1, 1]}}), answer(evidence={"crop": {"of": "first"}}),
        answer(evidence={"crop": {"of": "first", "box": [0, 0, 1, 99]}}),
        answer(evidence={"where": {"third": [0, 0, 1, 1]}}), answer(evidence={"where": {"first": [0, 0, 1]}}),
        answer(evidence={"where": {"first": [0, 0, 1, -7]}}),
        answer(evidence={"reason": "text"}), answer(kind="possible", confidence=0.1, evidence={"reason": "<script>"}),
        answer(evidence={"tone": {"grey": "both"}}), answer(evidence={"tone": {"hue": 1}}), answer(evidence=[]),
    ],
)  # fmt: skip
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        judgement_of_bytes(data, FIRST, SECOND)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        judgement_of_bytes(data, FIRST, SECOND)


def test_what_an_answer_says_of_the_files_is_said_by_the_service() -> None:
    judgement = Judgement(Kind.NEAR, 0.9, Turn.NONE, {"similarity": 0.9, "camera": ["<b>", "x"], "lost": ["rm"]}, ())
    back = judgement_of_bytes(judgement_to_bytes(judgement), FIRST, SECOND)
    assert back.evidence == {"similarity": 0.9} | of_files(FIRST, SECOND)


def test_features_and_vectors_have_their_sizes() -> None:
    assert features_of_bytes(b"") == b""
    assert len(features_of_bytes(bytes(FEATURE_BYTES * DETECTED))) == FEATURE_BYTES * DETECTED
    for data in (bytes(FEATURE_BYTES * (DETECTED + 1)), bytes(FEATURE_BYTES - 1)):
        with pytest.raises(ValueError, match="no features"):
            features_of_bytes(data)
    vector = np.zeros(16, np.int8)
    vector[3] = -127
    assert vectors_of_bytes(vector.tobytes() * 2, 2, 16) == vector.tobytes() * 2
    for data, turns, dimensions in ((vector.tobytes(), 2, 16), (bytes(16), 1, 16), (b"", 1, 0), (b"\x80" * 16, 1, 16)):
        with pytest.raises(ValueError, match="vectors"):
            vectors_of_bytes(data, turns, dimensions)
