"""PURE: a view -> its strongest local features, for proposing pairs that no hash of the whole picture can see.

ORB descriptors (Rublee et al., ORB, ICCV 2011) do not change when a picture is turned in its plane; for mirrored copies
the mirrored picture is described as well.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Descriptors = NDArray[np.uint8]

SCHEME: Final = "orb/1"
# Of each picture and of its mirror image: 2 x 200 x 32 bytes.
KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Described:
    """Descriptors of a picture and of its mirror image, uint8 (n, 32) each."""

    plain: Descriptors
    mirrored: Descriptors

    def to_bytes(self) -> bytes:
        return len(self.plain).to_bytes(2, "little") + self.plain.tobytes() + self.mirrored.tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes) -> "Described":
        count = int.from_bytes(blob[:2], "little")
        rows = np.frombuffer(blob, np.uint8, offset=2).reshape(-1, 32)
        return cls(rows[:count], rows[count:])


def describe(grey: NDArray[np.uint8]) -> Described:
    """The strongest features of a view's luma, uint8 (height, width)."""
    return Described(_orb(grey), _orb(np.ascontiguousarray(grey[:, ::-1])))


def _orb(grey: NDArray[np.uint8]) -> Descriptors:
    orb: Any = cv2.ORB_create(KEPT, fastThreshold=10)  # type: ignore[attr-defined]
    _, found = orb.detectAndCompute(grey, None)
    return np.empty((0, 32), np.uint8) if found is None else np.asarray(found[:KEPT], np.uint8)
