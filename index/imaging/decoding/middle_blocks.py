"""The middle of a decoded picture in whole blocks of JPEG, in which double_jpeg looks for traces of an earlier one."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from index.imaging.decoding import double_jpeg
from index.model import RAW_FORMATS

Bytes = NDArray[np.uint8]

# Formats in which no trace of an earlier JPEG is searched for: they round coefficients of blocks themselves, or the
# blocks belong to a preview.
NOT_JPEG_BEFORE: Final = frozenset({"HEIF", "JXL"}) | RAW_FORMATS


def own_entry(image: Image.Image) -> int:
    """The first entry of the luminance table of a JPEG, 0 for other files."""
    tables = getattr(image, "quantization", None)
    return tables[0][0] if tables and 0 in tables else 0


def of_picture(image: Image.Image, reduction: int) -> tuple[NDArray[np.uint8], int] | None:
    """Input for double_jpeg.earlier_quality: the luminance of the middle of the picture, decoded at 1/reduction, and
    the side of a block in it. None for modes that JPEG does not have, and for formats that round coefficients of blocks
    themselves: their traces look like those of a poor JPEG."""
    if image.mode not in ("L", "RGB", "RGBA", "P") or image.format in NOT_JPEG_BEFORE:
        return None
    block = double_jpeg.BLOCK_PX // reduction
    middle = image.crop(_middle_box(image.width, image.height, block))
    # Through RGB, since palettes and transparent pictures have no luminance of their own.
    grey = middle if middle.mode == "L" else middle.convert("RGB").convert("L")
    return np.asarray(grey), block


def of_luma(luma: Bytes, reduction: int) -> tuple[Bytes, int]:
    """The same of the luma of a JPEG."""
    block = double_jpeg.BLOCK_PX // reduction
    left, top, right, bottom = _middle_box(luma.shape[1], luma.shape[0], block)
    return luma[top:bottom, left:right], block


def _middle_box(width: int, height: int, block: int) -> tuple[int, int, int, int]:
    """The middle of a picture, from the start of a block."""
    most = double_jpeg.MOST_BLOCKS * block
    across, down = min(width, most), min(height, most)
    left, top = (width - across) // 2 // block * block, (height - down) // 2 // block * block
    return left, top, left + across, top + down
