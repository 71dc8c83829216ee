"""PURE: the output of a model as a vector of unit length in whole numbers of 8 bits; their signs and cosines.

The vector is scaled so that its largest component is 127, and each component is stored in one byte. With 256 of them,
this moves cosines by less than 0.002.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.errors import PictureError
from index.imaging.embedding.onnx_file import MODEL

LEAST_DIMENSIONS: Final = 16
MOST_DIMENSIONS: Final = 4096

Rows = NDArray[np.int8]
Words = NDArray[np.uint64]


def vector_of(output: NDArray[Any]) -> Rows:
    """The vector of one picture from an output of its model: (d,), int8.

    (1, d) is the vector itself; of (1, tokens, d), as vision transformers give, it is the first token, which represents
    the picture; of (1, d, height, width) the mean over the places. Raises PictureError (reason MODEL).
    """
    values = np.asarray(output, np.float64)
    if values.ndim == 4:
        values = values.mean(axis=(2, 3))
    elif values.ndim == 3:
        values = values[:, 0]
    if values.ndim not in (1, 2) or (values.ndim == 2 and len(values) != 1):
        raise PictureError(MODEL, "model.vector", shape=" x ".join(map(str, output.shape)) or "1")
    values = values.ravel()
    if not LEAST_DIMENSIONS <= len(values) <= MOST_DIMENSIONS:
        raise PictureError(
            MODEL, "model.dimensions", dimensions=len(values), least=LEAST_DIMENSIONS, most=MOST_DIMENSIONS
        )
    if not np.isfinite(values).all():
        raise PictureError(MODEL, "model.not_finite")
    largest = np.abs(values).max()
    if largest == 0:
        raise PictureError(MODEL, "model.zero")
    vector: Rows = np.rint(values * (127 / largest)).astype(np.int8)
    return vector


def words_for(dimensions: int) -> int:
    """How many words of 64 bits hold a sign for each dimension."""
    return -(-dimensions // 64)


def signs(rows: Rows) -> NDArray[np.uint64]:
    """The signs of vectors, (n, d) -> (n, words); a bit is set if a component is positive. Unused bits are clear in
    all."""
    packed = np.zeros((len(rows), words_for(rows.shape[1]) * 8), np.uint8)
    bits = np.packbits(rows > 0, axis=1)
    packed[:, : bits.shape[1]] = bits
    return packed.view(np.uint64)


def cosines(rows: Rows, query: Rows) -> NDArray[np.float32]:
    """The cosine of each row with a query: (n, d), (d,) -> (n,), float32. The order of the two does not matter."""
    return paired_cosines(rows, query)


def paired_cosines(first: Rows, second: Rows) -> NDArray[np.float32]:
    """The cosine of each row with the one at its place in the other, (n, d), or with a single one, (d,)."""
    # Sums of at most 4,096 products of at most 2^14: exact in 32 bits, so the same on every machine.
    a, b = first.astype(np.int32), second.astype(np.int32)
    products = (a * b).sum(axis=-1, dtype=np.int64)
    squares = (a * a).sum(axis=-1, dtype=np.int64) * (b * b).sum(axis=-1, dtype=np.int64)
    likeness: NDArray[np.float32] = (products / np.maximum(np.sqrt(squares.astype(np.float64)), 1e-9)).astype(
        np.float32
    )
    return likeness
