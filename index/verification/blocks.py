"""PURE: a matrix cut into square blocks."""

from typing import Any

from numpy.typing import NDArray


def in_blocks(picture: NDArray[Any], side: int) -> NDArray[Any]:
    """(height, width) -> (height // side, width // side, side * side); what is left over at the right and below is
    left out."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    whole = picture[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return whole.swapaxes(1, 2).reshape(rows, columns, side * side)
