"""Evidence: led either way, and in words of both languages."""

import pytest

from index.model import Facts, Turn
from index.verification.evidence import ENGLISH, FRENCH, mirrored, of_files, of_same_pixels, sentence

FULL = {
    "turn": "rotate_90",
    "scale": 0.5,
    "crop": {"of": "first", "box": [0.1, 0.1, 0.9, 0.9]},
    "tilt": 1.5,
    "stretch": 0.8,
    "sharpness": 0.5,
    "noise": 4.0,
    "tone": {"brightness": 20, "contrast": 0.5, "grey": "second", "saturation": 2.0, "warmth": 15},
    "changed": 0.04,
    "jpeg": [92, 75],
    "lost": ["exif"],
    "similarity": 0.97,
}


def test_an_account_led_back_and_forth_is_itself():
    assert mirrored(mirrored(FULL)) == FULL
    back = mirrored(FULL)
    assert back["turn"] == "rotate_270"
    assert back["scale"] == 2.0
    assert back["crop"]["of"] == "second"
    assert back["tone"] == {"brightness": -20, "contrast": 2.0, "grey": "first", "saturation": 0.5, "warmth": -15}
    assert (back["sharpness"], back["noise"]) == (2.0, 0.25)
    # What is wider in one is higher in the other, which is turned by a quarter.
    assert back["stretch"] == 0.8
    assert mirrored({"stretch": 0.8}) == {"stretch": 1.25}
    assert back["jpeg"] == [75, 92]
    assert back["gained"] == ["exif"]
    assert "lost" not in back


def test_extremes_are_led_back_too():
    assert mirrored({"tone": {"contrast": 0.0}, "scale": 0.0}) == {"tone": {"contrast": 100.0}, "scale": 10_000.0}
    assert mirrored({"tone": {"contrast": 1e6}})["tone"]["contrast"] == 0.01


@pytest.mark.parametrize(
    ("told", "english", "french"),
    [
        (
            {"turn": "flip_horizontal", "scale": 0.5, "jpeg": [92, 75], "lost": ["exif"]},
            "mirrored, half the size, JPEG 92 to 75, no EXIF",
            "en miroir, réduite de moitié, de JPEG 92 à 75, sans EXIF",
        ),
        ({}, "the same picture", "la même image"),
        ({"pixels": True, "formats": ["BMP", "PNG"]}, "the same pixels, BMP to PNG", "les mêmes pixels, de BMP à PNG"),
        ({"scale": 0.333}, "reduced to 33 %", "réduite à 33 %"),
        (
            {"crop": {"of": "first", "box": [0, 0, 0.8, 0.5]}},
            "cropped to 40 % of the picture",
            "recadrée à 40 % de l'image",
        ),
        ({"tone": {"grey": "second", "brightness": -30}}, "in greys, darker", "en niveaux de gris, plus sombre"),
        (
            {"scale": 0.541, "stretch": 0.75, "tone": {"saturation": 1.6, "warmth": -20}, "sharpness": 0.5},
            "reduced to 62 %, squeezed to 75 % in width, stronger colours, colder colours, softer",
            "réduite à 62 %, comprimée à 75 % en largeur, couleurs plus vives, couleurs plus froides, plus floue",
        ),
        ({"noise": 3.0}, "noisier", "plus bruitée"),
        ({"scale": 1.0954, "stretch": 1.2}, "stretched to 120 % in width", "étirée à 120 % en largeur"),
        ({"scale": 1.2994}, "enlarged to 130 %", "agrandie à 130 %"),
        ({"scale": 0.984}, "reduced to 98.4 %", "réduite à 98,4 %"),
        ({"lost": ["exif", "gps", "xmp"]}, "no EXIF, GPS or XMP", "sans EXIF, GPS ni XMP"),
        ({"gained": ["exif", "icc"]}, "with EXIF and ICC", "avec EXIF et ICC"),
        ({"formats": ["GIF", "WEBP"]}, "GIF to WebP", "de GIF à WebP"),
        ({"changed": 0.003}, "1 % of it shows something else", "autre chose sur 1 % de l'image"),
        ({"jpeg": [90, 90]}, "the same picture", "la même image"),
        ({"formats": ["PNG", "JPEG"], "jpeg": [0, 85]}, "PNG to JPEG 85", "de PNG à JPEG 85"),
        (
            {"tilt": -2.5, "changed": 0.05},
            "tilted by 2.5°, 5 % of it shows something else",
            "inclinée de 2,5°, autre chose sur 5 % de l'image",
        ),
    ],
)
def test_sentences(told: dict, english: str, french: str):
    assert sentence(told) == english
    assert sentence(told, "fr") == french


def test_both_languages_have_the_same_words():
    assert set(ENGLISH) == set(FRENCH)
    assert all(turn in ENGLISH for turn in Turn if turn is not Turn.NONE)


def test_what_the_files_tell():
    first = Facts("JPEG", 10, 10, jpeg_quality=92, metadata=("exif", "gps"))
    second = Facts("PNG", 10, 10, metadata=("icc",))
    told = of_files(first, second)
    assert told == {"jpeg": [92, 0], "formats": ["JPEG", "PNG"], "lost": ["exif", "gps"], "gained": ["icc"]}
    assert of_same_pixels(first, second)["pixels"] is True
