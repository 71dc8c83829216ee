"""PURE: what speaks for a picture being the original of another -> messages, from the first to the second."""

from collections.abc import Iterable
from typing import Final

from index.messages import Message, render

# Findings that share one sentence.
SENTENCES: Final = {
    "part": "part",
    "framed": "framed",
    "overlaid": "overlaid",
    "grey": "grey",
    "one_frame": "one_frame",
    "straightened": "straightened",
    "no_record": "no_record",
    "less_record": "less_record",
    "maker_note": "less_record",
    "signed": "signed",
    "thumbnail": "thumbnail",
    "other_size": "other_size",
    "recorded_size": "other_size",
    "modified": "modified",
    "upright": "upright",
    "depth": "depth",
    "program": "program",
    "progressive": "program",
    "coded": "coded",
    "uncoded": "uncoded",
    "limited": "limited",
    "uneven": "tones",
    "clipped": "tones",
    "less_busy": "smoother",
    "less_quiet": "smoother",
    "more_busy": "rougher",
    "more_quiet": "rougher",
    "smaller": "smaller",
    "detail": "reduced",
    "quiet_detail": "reduced",
    "reduced_period": "reduced",
    "no_period": "reduced",
    "no_detail": "enlarged",
    "no_quiet_detail": "enlarged",
    "enlarged_period": "enlarged",
    "converted": "converted",
    "from_raw": "converted",
    "lossless": "converted",
    "palette": "converted",
    "saved_again": "saved_again",
    "lower_quality": "lower_quality",
    "poor": "lower_quality",
    "higher_quality": "higher_quality",
    "best": "higher_quality",
    "name_of_copy": "name",
    "name_of_messenger": "name",
    "name_longer": "name",
    "name_of_camera": "name_of_camera",
    "later": "later",
    "time_of_capture": "time_of_capture",
    "deeper": "folder",
    "folder_of_copies": "folder",
}


# What a stronger sentence already says.
WEAKER = {"no_record": "less_record"}


def account(findings: Iterable[str]) -> list[Message]:
    """One message for each thing found, in the order of the findings. If a stronger sentence says it, the weaker one is
    left out."""
    codes = dict.fromkeys(SENTENCES[name] for name in findings)
    said = {weaker for stronger, weaker in WEAKER.items() if stronger in codes}
    return [Message(f"origin.{code}") for code in codes if code not in said]


def sentence(findings: Iterable[str], language: str = "en") -> str:
    return ", ".join(render(message, language) for message in account(findings))
