"""PURE: grey matrix -> perceptual hashes at three sizes, in all 8 turns, without turning a pixel.

The hash is imagehash's `phash` (after Krawetz, Looks Like It, 2011): Lanczos to 4H x 4H, two-dimensional DCT-II, the
lowest H x H frequencies, a bit where the coefficient is above their median. Mirroring a picture changes the sign of
its odd frequencies and transposing it transposes the block, so one block gives the hash of every turn.
"""

from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.model import HSIZES, Hashes

Bytes = NDArray[np.uint8]

SCHEME: Final = "phash/1"

# imagehash's highfreq_factor: the picture is sampled at four times the frequencies that are kept.
OVERSAMPLING: Final = 4

# Rows of a turned array that are the base rows (NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, ROTATE_180) transposed: to turn
# by 90 degrees clockwise is to flip vertically and then to transpose.
TRANSPOSED_ROWS: Final = (0, 2, 1, 3)


def hash_grey(grey: Bytes) -> Hashes:
    """The hashes of a picture given as luma, uint8 of shape (height, width), both at least 1.

    At each hsize the first row equals `imagehash.phash(hash_size=hsize)` of the same grey picture, but for the bits
    that its rounding to whole grey values after each resampling decides (about 1 in 300).
    """
    height, width = grey.shape
    down = np.concatenate([_analysis(hsize, height) for hsize in HSIZES]) @ grey.astype(np.float32)
    bits, start = {}, 0
    for hsize in HSIZES:
        bits[hsize] = _hash_rows(down[start : start + hsize] @ _analysis(hsize, width).T)
        start += hsize
    return Hashes(SCHEME, bits)


def turned(rows: Bytes, hsize: int) -> Bytes:
    """The hashes in all 8 turns: uint8 (n, 4, hsize*hsize/8) -> (n, 8, hsize*hsize/8), in the order of `Turn`."""
    bits = np.unpackbits(rows, axis=2).reshape(len(rows), 4, hsize, hsize)
    other = bits[:, TRANSPOSED_ROWS].swapaxes(2, 3).reshape(len(rows), 4, hsize * hsize)
    return np.concatenate([rows, np.packbits(other, axis=2)], axis=1)


def rows_of(hashes: Hashes, hsize: int) -> Bytes:
    """The 4 stored rows at one hsize, uint8 of shape (4, hsize*hsize/8)."""
    return np.frombuffer(hashes.bits[hsize], np.uint8).reshape(4, hsize * hsize // 8)


def hamming(a: Bytes, b: Bytes) -> NDArray[np.int64]:
    """The number of differing bits along the last axis of two arrays of packed bits."""
    return np.bitwise_count(np.bitwise_xor(a, b)).sum(axis=-1, dtype=np.int64)


def to_hex(packed: bytes) -> str:
    """A hash as imagehash prints it: its bits row by row, as one hexadecimal number."""
    return packed.hex()


def from_hex(text: str) -> bytes:
    """The packed bits of a hash as imagehash prints it. Raises ValueError."""
    return bytes.fromhex(text)


@lru_cache(maxsize=512)
def _analysis(hsize: int, size: int) -> NDArray[np.float32]:
    """Lanczos resampling from `size` to 4*hsize pixels followed by the first hsize rows of the DCT-II: one matrix of
    shape (hsize, size). Both are linear, and one product is a tenth of the cost of resampling first."""
    return (_dct(hsize) @ _lanczos(size, hsize * OVERSAMPLING)).astype(np.float32)


def _dct(hsize: int) -> NDArray[np.float64]:
    """The first hsize rows of the DCT-II matrix of order 4*hsize (Ahmed, Natarajan and Rao, 1974)."""
    side = hsize * OVERSAMPLING
    frequency, place = np.arange(hsize)[:, None], np.arange(side)[None, :]
    return 2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * side))


def _lanczos(size: int, side: int) -> NDArray[np.float64]:
    """Pillow's LANCZOS resampling of a line of `size` pixels to `side` as a matrix (side, size), rounding apart."""
    scale = size / side
    stretch = max(scale, 1.0)
    centre = (np.arange(side)[:, None] + 0.5) * scale
    distance = (np.arange(size)[None, :] + 0.5 - centre) / stretch
    weights = np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


@cache
def _signs(hsize: int) -> NDArray[np.float32]:
    """What each flip multiplies the coefficients by: shape (4, hsize, hsize), in the order of the stored rows."""
    odd = np.where(np.arange(hsize) % 2, np.float32(-1), np.float32(1))
    across, down = np.broadcast_to(odd, (hsize, hsize)), np.broadcast_to(odd[:, None], (hsize, hsize))
    return np.stack([np.ones((hsize, hsize), np.float32), across, down, across * down])


def _hash_rows(spectrum: NDArray[np.float32]) -> bytes:
    rows = (_signs(len(spectrum)) * spectrum).reshape(4, -1)
    middle = rows.shape[1] // 2
    # The median by hand: numpy's own takes longer than the rest of the hash.
    low, high = np.partition(rows, (middle - 1, middle), axis=1)[:, middle - 1 : middle + 1].T
    return np.packbits(rows > ((low + high) / 2)[:, None], axis=1).tobytes()
