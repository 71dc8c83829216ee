"""PURE: a picture -> its local features as a compact blob: what a crop, a frame or a tilt leaves of it.

SIFT keypoints (Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 2004) with RootSIFT descriptors
(Arandjelovic and Zisserman, Three Things Everyone Should Know, CVPR 2012), brought to one bit a coefficient. The bits
are signs, after the transform that suits what a descriptor is: a cosine transform over its 4 x 4 cells, a Fourier
transform over its 8 directions. On photographs they are as good as those after principal components, and nothing was
learned but where the signs of the even ones change. Mirroring a picture inverts the odd ones and leaves the even ones,
so that one description serves the picture and its mirror image in every turn.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
# An array of RECORD.
Keypoints = NDArray[Any]

SCHEME: Final = "sift/1"

# A keypoint as stored, 24 bytes: its bits, the key first; its place in 65536ths of the long side; its size on a
# logarithmic scale of 4096 to the octave; its direction in 65536ths of a turn.
RECORD: Final = np.dtype([("code", "<u8", (2,)), ("x", "<u2"), ("y", "<u2"), ("size", "<u2"), ("angle", "<u2")])
FULL: Final = 65536
OCTAVE: Final = 4096
HALF_TURN: Final = 32768

# Most keypoints kept of a picture: 3.6 KB.
KEPT: Final = 150
# Long side of what is described. SIFT itself begins at twice this, and what is finer does not survive a smaller copy.
SIDE: Final = 256
# Keypoints to choose from: nearly always all there are, or the text around a faint picture would be all. Less than
# OpenCV's usual contrast is enough, for skies, walls and fog.
FOUND: Final = 2000
LEAST_CONTRAST: Final = 0.01
# One in this many is kept for its size: they survive noise and small copies best. The others are spread over GRID x
# GRID cells, so that neither text nor foliage takes the room of all else.
LARGEST: Final = 3
GRID: Final = 6

CELLS: Final = 4
DIRECTIONS: Final = 8
# The coefficients by which features are looked up, by number: 8 * (4 * across + along) + direction. Of those that two
# copies most often agree on, the ones that have least to do with each other.
KEY: Final = (25, 1, 3, 2, 34, 66, 36, 35, 42, 10, 8, 12, 74, 18, 44, 16)
# Thousandths above which a coefficient counts as positive: the medians over 9,000 features of 60 photographs, 0 for
# the odd ones. On screens, receipts and charts the bits are balanced nearly as well.
MIDDLES: Final = (
    (723, 153, 0, 192, 0, 44, 0, 40), (9, -24, 0, 0, 0, -6, 0, 1),
    (-95, -124, 0, -63, 0, -27, 0, -12), (-1, 7, 0, -1, 0, 1, 0, 0),
    (0, 0, 10, 0, 3, 0, 0, 0), (0, 0, 32, 0, 4, 0, 2, 0), (0, 0, -6, 0, -1, 0, -1, 0), (0, 0, -7, 0, 0, 0, -1, 0),
    (-56, -8, 0, -30, 0, -12, 0, -7), (0, 4, 0, 0, 0, 1, 0, 0), (13, 9, 0, 9, 0, 3, 0, 1), (0, -2, 0, 0, 0, -1, 0, 0),
    (0, 0, -2, 0, -1, 0, 0, 0), (0, 0, -6, 0, 3, 0, 1, 0), (0, 0, 1, 0, 1, 0, 0, 0), (0, 0, 1, 0, -5, 0, -1, 0),
)  # fmt: skip


def describe(grey: Bytes) -> bytes:
    """The keypoints of a picture given as luma, uint8 (height, width): at most KEPT records, b"" where it is flat.

    256 pixels on the long side are enough, more change nothing of note; it need not be upright. 12 ms.
    """
    height, width = grey.shape
    factor = min(1.0, SIDE / max(height, width))
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    sift: Any = cv2.SIFT_create(FOUND, contrastThreshold=LEAST_CONTRAST)  # type: ignore[attr-defined]
    found, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return b""
    facts = np.array([(*point.pt, point.size, point.angle, point.response) for point in found], np.float32)
    kept = _strongest(facts)
    return _records(facts[kept], descriptors[kept], max(grey.shape)).tobytes()


def keypoints(blob: bytes) -> Keypoints:
    """What `describe` found, as an array of RECORD."""
    return np.frombuffer(blob, RECORD)


def mirrored_codes(points: Keypoints) -> NDArray[np.uint64]:
    """The bits (n, 2) of the same keypoints in the mirrored picture."""
    codes: NDArray[np.uint64] = points["code"] ^ _ODD
    return codes


def _strongest(facts: NDArray[np.float32]) -> NDArray[np.int64]:
    """Which keypoints (n, 5: x, y, size, angle, response) are kept."""
    x, y, size, angle, response = facts.T
    # A total order: what OpenCV finds is the same from run to run, its order need not be.
    by_size = np.lexsort((angle, y, x, -response, -size))
    if len(facts) <= KEPT:
        return by_size
    largest, others = by_size[: KEPT // LARGEST], by_size[KEPT // LARGEST :]
    by_strength = others[np.argsort(-response[others], kind="stable")]
    sides = facts[:, :2].max(axis=0) + 1
    across, down = (facts[by_strength, :2] * GRID / sides).astype(np.int64).T
    # The strongest of every cell, then the second of every cell, and so on.
    by_cell = np.argsort(across * GRID + down, kind="stable")
    cells = (across * GRID + down)[by_cell]
    rank = np.empty(len(cells), np.int64)
    rank[by_cell] = np.arange(len(cells)) - np.searchsorted(cells, cells)
    spread = by_strength[np.argsort(rank, kind="stable")]
    return np.concatenate([largest, spread[: KEPT - len(largest)]])


def _records(facts: NDArray[np.float32], descriptors: NDArray[np.float32], long_side: int) -> Keypoints:
    records = np.empty(len(facts), RECORD)
    x, y, size, angle, _ = facts.T.astype(np.float64)
    records["code"] = _codes(descriptors)
    records["x"] = np.clip(x / long_side * FULL, 0, FULL - 1)
    records["y"] = np.clip(y / long_side * FULL, 0, FULL - 1)
    records["size"] = np.clip((np.log2(size / long_side) + 12) * OCTAVE, 0, FULL - 1)
    records["angle"] = (angle / 360 * FULL).astype(np.int64) % FULL
    return records


def _codes(descriptors: NDArray[np.float32]) -> NDArray[np.uint64]:
    """SIFT descriptors (n, 128) as bits, (n, 2): the sign of every coefficient."""
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1.0))
    return _packed(root @ _BASIS.T > _THRESHOLDS)


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Bits (n, 128) with the key before the others, the first bit of all the highest of the first word."""
    order = [*KEY, *(number for number in range(bits.shape[1]) if number not in KEY)]
    packed = np.ascontiguousarray(np.packbits(bits[:, order], axis=1))
    words: NDArray[np.uint64] = packed.view(">u8").astype(np.uint64)
    return words


def _cosine(size: int) -> NDArray[np.float64]:
    """The DCT-II matrix of order `size`, orthonormal."""
    frequency, place = np.arange(size)[:, None], np.arange(size)[None, :]
    matrix: NDArray[np.float64] = np.cos(np.pi * frequency * (2 * place + 1) / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return matrix


def _fourier(size: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The real Fourier matrix, orthonormal: the mean, then cosine and sine of each frequency; and which are odd."""
    place = np.arange(size)
    rows, odd = [np.full(size, np.sqrt(1 / size))], [False]
    for frequency in range(1, size // 2 + 1):
        angle = 2 * np.pi * frequency * place / size
        last = frequency == size // 2
        rows.append(np.cos(angle) * np.sqrt((1 if last else 2) / size))
        odd.append(False)
        if not last:
            rows.append(np.sin(angle) * np.sqrt(2 / size))
            odd.append(True)
    return np.stack(rows), np.array(odd)


def _transform() -> tuple[NDArray[np.float32], NDArray[np.uint64]]:
    """All products of the three, (128, 128); and the bits of those that mirroring inverts, as two words.

    OpenCV lays a descriptor out as rows across the keypoint's direction, columns along it, directions: mirrored, its
    rows are in reverse, and so are the directions but the first.
    """
    cosine, (fourier, odd) = _cosine(CELLS), _fourier(DIRECTIONS)
    basis = np.einsum("ur,vc,wo->uvwrco", cosine, cosine, fourier).reshape(128, 128)
    odd_rows = np.arange(CELLS) % 2 == 1
    inverted = np.broadcast_to(odd_rows[:, None, None] ^ odd, (CELLS, CELLS, DIRECTIONS)).reshape(1, 128)
    return basis.astype(np.float32), _packed(inverted)[0]


_BASIS, _ODD = _transform()
_THRESHOLDS: Final = (np.array(MIDDLES, np.float32) / 1000).reshape(128)
