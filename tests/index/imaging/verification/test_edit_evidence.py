"""Evidence: reversed, and as sentences in both languages."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.imaging.verification.edit_evidence import (
    account,
    of_files,
    of_same_pixels,
    reversed_evidence,
    sentence,
)
from index.messages import Message, catalogue
from index.model import Facts, Turn

CASES = json.loads(Path(__file__).with_name("evidence_sentences.json").read_text())

FULL = {
    "turn": "rotate_90",
    "scale": 0.5,
    "crop": {"of": "first", "box": [0.1, 0.1, 0.9, 0.9]},
    "tilt": 1.5,
    "stretch": 0.8,
    "sharpness": 0.5,
    "noise": 4.0,
    "tone": {"brightness": 20, "contrast": 0.5, "grey": "second", "saturation": 2.0, "warmth": 15, "hue": 150},
    "changed": 0.04,
    "jpeg": [92, 75],
    "lost": ["exif"],
    "similarity": 0.97,
}


def test_evidence_reversed_twice_is_unchanged():
    assert reversed_evidence(reversed_evidence(FULL)) == FULL
    back = reversed_evidence(FULL)
    assert back["turn"] == "rotate_270"
    assert back["scale"] == 2.0
    assert back["crop"]["of"] == "second"
    assert back["tone"] == {
        "brightness": -20,
        "contrast": 2.0,
        "grey": "first",
        "saturation": 0.5,
        "warmth": -15,
        "hue": -150,
    }
    assert (back["sharpness"], back["noise"]) == (2.0, 0.25)
    # What is wider in one is higher in the other, which is turned by a quarter.
    assert back["stretch"] == 0.8
    assert reversed_evidence({"stretch": 0.8}) == {"stretch": 1.25}
    assert back["jpeg"] == [75, 92]
    assert back["gained"] == ["exif"]
    assert "lost" not in back


def test_all_that_names_a_side_is_exchanged():
    evidence = {
        "frame": "first",
        "where": {"first": [0.1, 0.2, 0.3, 0.4], "second": [0.5, 0.6, 0.7, 0.8]},
        "formats": ["PNG", "JPEG"],
        "frames": [1, 12],
        "taken": ["2019-07-14T10:00:00", "2020-01-01T00:00:00"],
        "camera": ["A", "B"],
        "gained": ["icc"],
    }
    assert reversed_evidence(evidence) == {
        "frame": "second",
        "where": {"first": [0.5, 0.6, 0.7, 0.8], "second": [0.1, 0.2, 0.3, 0.4]},
        "formats": ["JPEG", "PNG"],
        "frames": [12, 1],
        "taken": ["2020-01-01T00:00:00", "2019-07-14T10:00:00"],
        "camera": ["B", "A"],
        "lost": ["icc"],
    }


def test_the_order_of_names_does_not_show_the_direction():
    evidence = {
        "attachments": {"gained": [["film", 3]], "lost": [["depth_map", 2]]},
        "gained": ["icc"],
        "jpeg": [90, 80],
        "tone": {"brightness": 3, "contrast": 0.5, "grey": "first", "hue": 4.0, "saturation": 0.5, "warmth": 2},
        "where": {"first": [0.1, 0.2, 0.3, 0.4], "second": [0.5, 0.6, 0.7, 0.8]},
    }
    for stored in (evidence, json.loads(json.dumps(reversed_evidence(evidence), sort_keys=True))):
        assert json.dumps(reversed_evidence(stored)) == json.dumps(reversed_evidence(stored), sort_keys=True)


def test_factors_are_rounded_as_they_were_measured():
    evidence = {"scale": 3.0, "stretch": 1.7, "sharpness": 3.0, "tone": {"contrast": 0.7}}
    assert reversed_evidence(evidence) == {
        "scale": 0.3333, "stretch": 0.588, "sharpness": 0.33, "tone": {"contrast": 1.43},
    }  # fmt: skip
    assert reversed_evidence({"scale": 1e6, "noise": 1e6}) == {"scale": 0.0001, "noise": 0.01}


# What each turn does to x and y, where y points down: its matrix.
MATRICES = {
    Turn.NONE: [[1, 0], [0, 1]],
    Turn.FLIP_HORIZONTAL: [[-1, 0], [0, 1]],
    Turn.FLIP_VERTICAL: [[1, 0], [0, -1]],
    Turn.ROTATE_180: [[-1, 0], [0, -1]],
    Turn.TRANSPOSE: [[0, 1], [1, 0]],
    Turn.ROTATE_90: [[0, -1], [1, 0]],
    Turn.ROTATE_270: [[0, 1], [-1, 0]],
    Turn.TRANSVERSE: [[0, -1], [-1, 0]],
}


@pytest.mark.parametrize("turn", list(Turn))
@pytest.mark.parametrize("degrees", [3.5, -10.0])
def test_a_tilt_and_its_reverse_cancel_out(turn: Turn, degrees: float):
    """The second picture is the first turned, then tilted clockwise; the reverse must lead back to the first."""
    evidence = {"tilt": degrees} if turn is Turn.NONE else {"turn": str(turn), "tilt": degrees}
    there, back = transform_of(evidence), transform_of(reversed_evidence(evidence))
    assert np.allclose(back @ there, np.eye(2))


def transform_of(evidence: dict) -> np.ndarray:
    angle = np.radians(evidence["tilt"])
    clockwise = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return clockwise @ np.array(MATRICES[Turn(evidence.get("turn", Turn.NONE))])


def test_extreme_values_are_reversed_too():
    assert reversed_evidence({"tone": {"contrast": 0.0}, "scale": 0.0}) == {
        "tone": {"contrast": 100.0},
        "scale": 10_000.0,
    }
    assert reversed_evidence({"tone": {"contrast": 1e6}})["tone"]["contrast"] == 0.01


@pytest.mark.parametrize(
    ("evidence", "english", "french"),
    [
        (
            {"turn": "flip_horizontal", "scale": 0.5, "jpeg": [92, 75], "lost": ["exif"]},
            "mirrored, half the size, JPEG 92 to 75, no EXIF",
            "en miroir, réduite de moitié, de JPEG 92 à 75, sans EXIF",
        ),
        ({}, "the same picture", "la même image"),
        ({"pixels": True, "formats": ["BMP", "PNG"]}, "the same pixels, BMP to PNG", "les mêmes pixels, de BMP à PNG"),
        ({"scale": 0.333}, "reduced to 33%", "réduite à 33\u202f%"),
        (
            {"crop": {"of": "first", "box": [0, 0, 0.8, 0.5]}},
            "cropped to 40% of the picture",
            "recadrée à 40\u202f% de l’image",
        ),
        (
            {"tone": {"grey": "second", "brightness": -30}},
            "in black and white, darker",
            "en noir et blanc, plus sombre",
        ),
        (
            {"scale": 0.541, "stretch": 0.75, "tone": {"saturation": 1.6, "warmth": -20}, "sharpness": 0.5},
            "reduced to 62%, squeezed to 75% in width, stronger colours, cooler colours, softer",
            (
                "réduite à 62\u202f%, comprimée à 75\u202f% en largeur, couleurs plus vives, couleurs plus froides,"
                " plus floue"
            ),
        ),
        ({"noise": 3.0}, "noisier", "plus bruitée"),
        (
            {"scale": 1.0954, "stretch": 1.2},
            "stretched to 120% in width",
            "étirée à 120\u202f% en largeur",
        ),
        ({"scale": 1.2994}, "enlarged to 130%", "agrandie à 130\u202f%"),
        ({"scale": 0.984}, "reduced to 98.4%", "réduite à 98,4\u202f%"),
        ({"lost": ["exif", "gps", "xmp"]}, "no EXIF, GPS or XMP", "sans EXIF, GPS ni XMP"),
        ({"gained": ["exif", "icc"]}, "with EXIF and ICC", "avec EXIF et ICC"),
        ({"formats": ["GIF", "WEBP"]}, "GIF to WebP", "de GIF à WebP"),
        ({"changed": 0.003}, "1% of it differs", "1\u202f% de l’image diffère"),
        ({"jpeg": [90, 90]}, "the same picture", "la même image"),
        ({"formats": ["PNG", "JPEG"], "jpeg": [0, 85]}, "PNG to JPEG 85", "de PNG à JPEG 85"),
        (
            {"tilt": -2.5, "changed": 0.05},
            "tilted by 2.5°, 5% of it differs",
            "inclinée de 2,5°, 5\u202f% de l’image diffère",
        ),
    ],
)
def test_sentences(evidence: dict, english: str, french: str):
    assert sentence(evidence) == english
    assert sentence(evidence, "fr") == french


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["en"][:40])
def test_a_sentence_is_what_it_always_was(case):
    assert sentence(case["evidence"]) == case["en"]
    assert sentence(case["evidence"], "fr") == case["fr"]


def test_these_sentences_use_every_wording_there_is():
    messages = [message for case in CASES for message in account(case["evidence"])]
    messages += [value for message in messages for value in message.params.values() if isinstance(value, Message)]
    known = {code for code in catalogue("en") if code.startswith(("evidence.", "size."))}
    assert {message.code for message in messages} == known - {"evidence.made_from", "evidence.proposed"}


def test_files_that_agree_or_do_not_say_leave_no_evidence():
    file = Facts("PNG", 10, 10, taken="2019-07-14T10:00:00", camera="A")
    assert of_files(file, file) == {}
    assert of_files(file, Facts("PNG", 10, 10, frames=3)) == {"frames": [1, 3]}
    other = Facts("PNG", 10, 10, taken="2019-07-14T10:00:00", camera="B")
    assert of_files(file, other) == {"camera": ["A", "B"]}


def test_evidence_compares_the_facts_of_the_files():
    first = Facts("JPEG", 10, 10, jpeg_quality=92, metadata=("exif", "gps"))
    second = Facts("PNG", 10, 10, metadata=("icc",))
    evidence = of_files(first, second)
    assert evidence == {"jpeg": [92, 0], "formats": ["JPEG", "PNG"], "lost": ["exif", "gps"], "gained": ["icc"]}
    assert of_same_pixels(first, second) == {"pixels": True, "similarity": 1.0, **evidence}


def test_a_clock_of_another_time_zone_is_no_other_time():
    file = Facts("JPEG", 10, 10, taken="2019-07-14T23:15:07")
    later = replace(file, taken="2019-07-15T04:45:07")
    assert of_files(file, later) == {"clock": 5.5}
    assert reversed_evidence(of_files(file, later)) == of_files(later, file) == {"clock": -5.5}
    assert "taken" in of_files(file, replace(file, taken="2019-07-15T04:45:08"))


def test_the_bits_of_a_raw_files_preview_are_compared_with_nothing():
    deep = Facts("TIFF", 400, 300, bit_depth=16)
    assert of_files(deep, Facts("PNG", 400, 300))["depth"] == [16, 8]
    assert "depth" not in of_files(deep, Facts("NEF", 400, 300))
    assert "depth" not in of_files(Facts("NEF", 400, 300), deep)
