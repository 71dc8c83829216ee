"""PURE: the cosines that decide which pairs a model proposes, and which pairs of the hashes it accepts.

Cosines of different models are not comparable: unrelated photographs have about 0.1 with one, 0.6 with another. So the
limits belong to the model, and are set in its file or the configuration. Those of the included model are fitted by
`fitting.model.limits`.
"""

from dataclasses import astuple, dataclass
from typing import Final

from index.errors import PictureError
from index.imaging.embedding.onnx_file import MODEL
from index.imaging.thresholds import threshold


@dataclass(frozen=True, slots=True)
class CosineLimits:
    """The minimum cosine of a pair, for each use. The defaults are for models without limits of their own."""

    first: float = threshold(
        0.50, "cosine", "Of the nearest picture: it is proposed where it is at least so near. One more pair is cheap."
    )
    further: float = threshold(0.60, "cosine", "Of the next nearest: few unrelated photographs are so near.")
    passing: float = threshold(0.50, "cosine", "Of a pair with near hashes, where the model filters: hash,model.")

    def __str__(self) -> str:
        return ",".join(f"{limit:g}" for limit in astuple(self))


USUAL: Final = CosineLimits()


def parse_limits(text: str) -> CosineLimits | None:
    """The limits in "0.5,0.6,0.5": first, further and passing; None for "". Raises PictureError (reason MODEL)."""
    if not text.strip():
        return None
    try:
        limits = [float(part) for part in text.split(",")]
    except ValueError:
        limits = []
    if len(limits) != 3 or not all(-1 <= limit <= 1 for limit in limits):
        raise PictureError(MODEL, "model.value", name="cosines", value=text)
    return CosineLimits(*limits)
