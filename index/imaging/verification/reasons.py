"""PURE: the gates that a pair failed -> why it is only possibly the same picture, where that is known.

    exposure    another photograph of the same scene
    text        the same page, screen or picture with another text
    colour      the same picture but for the colour of something
    unclear     none of these: too little could be compared
    alike       a model finds them alike, and the pictures themselves were not compared

Pairs of the first three are scenes: they belong together, and none of them is a copy of another.
"""

from collections.abc import Iterable
from typing import Final

from index.imaging.verification.gate_thresholds import Gate
from index.imaging.verification.places import Place

EXPOSURE: Final = "exposure"
TEXT: Final = "text"
COLOUR: Final = "colour"
UNCLEAR: Final = "unclear"
ALIKE: Final = "alike"
OF_SCENES: Final = frozenset((EXPOSURE, TEXT, COLOUR))

OF_EXPOSURES: Final = frozenset(("registration", "edges", "bends", "exposure", "capture", "records", "clipped"))
# What these show is in the records of the cameras, whatever became of the pixels.
OF_RECORDS: Final = frozenset(("capture", "records"))
OF_TEXT: Final = frozenset(("readable", "detail", "letters"))
OF_FILES: Final = frozenset(("frames", "attachments"))


def reason(gates: Iterable[Gate], places: tuple[Place, ...], *, graphic: bool, damaged: bool = False) -> str:
    """Why a pair that failed some of these gates is only possible, as listed above; "" where the evidence of the files
    says it: one has more frames, or something attached. What a `damaged` picture shows instead of its own is no scene.
    """
    failed = {gate.name for gate in gates if not gate.passed}
    if damaged and not failed & OF_RECORDS:
        return "" if failed <= OF_FILES else UNCLEAR
    changed = TEXT if graphic or (places and all(place.ink for place in places)) else EXPOSURE
    if failed & OF_TEXT:
        return TEXT
    if failed & OF_EXPOSURES:
        return EXPOSURE
    if failed & {"added", "different"}:
        return changed
    if "colour" in failed:
        return COLOUR
    return "" if failed <= OF_FILES else UNCLEAR
