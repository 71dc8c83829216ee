"""PURE: computes perceptual hashes of a grey matrix at three sizes, for all 8 turns, without turning a pixel.

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
Floats = NDArray[np.float32]
# Left, top, right, bottom, in pixels, with fractions.
Box = tuple[float, float, float, float]

# The version of the hashes of pictures and their parts. Files with hashes of another version are read again.
SCHEME: Final = "phash/2"
# Below this quality (as in PDQ, 0 to 100) a hash is meaningless; PDQ itself discards up to 49.
LEAST_DETAIL: Final = 5

# imagehash's highfreq_factor: the picture is sampled at four times the frequencies that are kept.
OVERSAMPLING: Final = 4
LANCZOS_TAPS: Final = 3

# Rows of a turned array that are the base rows (NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, ROTATE_180) transposed: to turn
# by 90 degrees clockwise is to flip vertically and then to transpose.
TRANSPOSED_ROWS: Final = (0, 2, 1, 3)


def hash_grey(grey: Bytes, box: Box | None = None) -> Hashes:
    """The hashes of a picture given as luma, uint8 of shape (height, width), both at least 1.

    `box` is the part of the matrix to hash, else all of it. Scaled decoding of 533 pixels by 1/2 gives 267, of which
    the picture takes 266.5: with this box the hash differs from that of the full picture a third as much as without.

    At each hsize the first row equals `imagehash.phash(hash_size=hsize)` of the same grey picture, except for the bits
    that depend on its rounding to whole grey values after each resampling (about 1 in 300).
    """
    height, width = grey.shape
    left, top, right, bottom = box or (0.0, 0.0, float(width), float(height))
    # Centred on zero, so that the coefficients of a flat picture are zero and not rounding errors. Always in the same
    # memory order, so that the sums of the product are always the same.
    level = float(grey[0, 0])
    down = _analyses(height, top, bottom) @ np.subtract(grey, level, dtype=np.float32, order="C")
    across = _analyses(width, left, right)
    bits, start = {}, 0
    for hsize in HSIZES:
        rows = slice(start, start + hsize)
        spectrum = down[rows] @ across[rows].T
        spectrum[0, 0] += level * (2 * OVERSAMPLING * hsize) ** 2
        bits[hsize] = _hash_rows(spectrum)
        start += hsize
    return Hashes(SCHEME, bits)


def hash_parts(grey: Bytes, side: int, starts: tuple[int, ...]) -> Hashes:
    """The hashes of square parts of a square picture, uint8 (n, n), unturned: one row for each. The parts have this
    side, and begin at each of these places down, at each of them across.

    Each product serves all parts: it takes half the time of one for each.
    """
    # Around the level of the first part: see hash_grey.
    level = float(grey[starts[0], starts[0]])
    analyses = _analyses_of_parts(len(grey), side, starts)
    down = analyses @ np.subtract(grey, level, dtype=np.float32, order="C")
    bits, start, count = {}, 0, len(starts)
    for hsize in HSIZES:
        rows = slice(start, start + count * hsize)
        spectra = (down[rows] @ analyses[rows].T).reshape(count, hsize, count, hsize).swapaxes(1, 2)
        spectra[:, :, 0, 0] += level * (2 * OVERSAMPLING * hsize) ** 2
        bits[hsize] = _cut(spectra.reshape(count * count, hsize * hsize))
        start += count * hsize
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
    counts: NDArray[np.int64] = np.bitwise_count(np.bitwise_xor(a, b)).sum(axis=-1, dtype=np.int64)
    return counts


def to_hex(packed: bytes) -> str:
    """A hash as imagehash prints it: its bits row by row, as one hexadecimal number."""
    return packed.hex()


def from_hex(text: str) -> bytes:
    """The packed bits of a hash as imagehash prints it. Raises ValueError."""
    return bytes.fromhex(text)


@lru_cache(maxsize=256)
def _analyses(size: int, start: float, stop: float) -> Floats:
    """Lanczos resampling of a line of `size` pixels, from `start` to `stop`, to 4*hsize, followed by the first hsize
    rows of the DCT-II: one matrix of shape (hsize, size) for each hsize, one below the other. Both steps are linear,
    and one product is a tenth of the cost of resampling first."""
    matrices = [_dct(hsize) @ _lanczos(size, start, stop, hsize * OVERSAMPLING) for hsize in HSIZES]
    return np.concatenate(matrices).astype(np.float32)


@lru_cache(maxsize=4)
def _analyses_of_parts(size: int, side: int, starts: tuple[int, ...]) -> Floats:
    """Like _analyses, for each part of a line of `size` pixels: for each hsize the matrices of all parts, one below the
    other."""
    of_part, matrices, start = _analyses(side, 0.0, float(side)), [], 0
    for hsize in HSIZES:
        for place in starts:
            matrix = np.zeros((hsize, size), np.float32)
            matrix[:, place : place + side] = of_part[start : start + hsize]
            matrices.append(matrix)
        start += hsize
    return np.concatenate(matrices)


@cache
def _dct(hsize: int) -> NDArray[np.float64]:
    """The first hsize rows of the DCT-II matrix of order 4*hsize (Ahmed, Natarajan and Rao, 1974)."""
    side = hsize * OVERSAMPLING
    frequency, place = np.arange(hsize)[:, None], np.arange(side)[None, :]
    return 2 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * side))


def _lanczos(size: int, start: float, stop: float, side: int) -> NDArray[np.float64]:
    """Pillow's LANCZOS resampling of a line of `size` pixels, from `start` to `stop`, to `side` pixels as a matrix
    of shape (side, size); Pillow's rounding apart."""
    scale = (stop - start) / side
    stretch = max(scale, 1.0)
    centre = start + (np.arange(side)[:, None] + 0.5) * scale
    # Only the pixels that a tap reaches are computed: a library with many picture sizes needs many of these matrices.
    reach = LANCZOS_TAPS * stretch
    pixel = np.floor(centre - reach).astype(np.int64) + np.arange(int(2 * reach) + 2)
    distance = (pixel + 0.5 - centre) / stretch
    inside = (np.abs(distance) < LANCZOS_TAPS) & (pixel >= 0) & (pixel < size)
    weights = np.where(inside, np.sinc(distance) * np.sinc(distance / LANCZOS_TAPS), 0.0)
    matrix = np.zeros((side, size))
    rows = np.broadcast_to(np.arange(side)[:, None], pixel.shape)
    matrix[rows[inside], pixel[inside]] = weights[inside]
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix


@cache
def _signs(hsize: int) -> Floats:
    """The factors by which each flip multiplies the coefficients, (4, hsize, hsize), in the order of the stored
    rows."""
    odd = np.where(np.arange(hsize) % 2, np.float32(-1), np.float32(1))
    across, down = np.broadcast_to(odd, (hsize, hsize)), np.broadcast_to(odd[:, None], (hsize, hsize))
    return np.stack([np.ones((hsize, hsize), np.float32), across, down, across * down])


def _hash_rows(spectrum: Floats) -> bytes:
    return _cut((_signs(len(spectrum)) * spectrum).reshape(4, -1))


def _cut(rows: Floats) -> bytes:
    """A bit for each coefficient above the median of its row."""
    # The median lies between two values. A value is above it if it is above the lower one, which is faster to find.
    below = rows.shape[1] // 2 - 1
    lower = np.partition(rows, below, axis=1)[:, below, None]
    return np.packbits(rows > lower, axis=1).tobytes()
