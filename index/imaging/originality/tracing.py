"""The bytes of a picture -> its trace: one decode at full size for each content, done once for all time."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from index.imaging.decoding.pictures import TURN_OF_ORIENTATION, Limits, opened, remaining_orientation
from index.imaging.originality.block_traces import coefficient_histograms, grids
from index.imaging.originality.file_marks import file_marks
from index.imaging.originality.jpeg_structure import jpeg_structure
from index.imaging.originality.overlays import edge_maps
from index.imaging.originality.pixel_traces import pixel_traces
from index.imaging.originality.trace import Trace


def trace_of(data: bytes, limits: Limits) -> Trace:
    """The trace of a picture. Raises PictureError."""
    with opened(data, limits) as image:
        structure = jpeg_structure(data)
        if structure.luminance and image.mode == "RGB":
            # The luminance as it was coded, not rounded once more.
            image.draft("YCbCr", image.size)
        image.load()
        # One copy of the pixels: each takes as long as a quarter of the decoding.
        luminance, blue, red = (np.asarray(plane, np.uint8) for plane in cv2.split(np.asarray(_in_ycbcr(image))))
        marks = file_marks(image, luminance)
        pixels = pixel_traces(luminance, blue, red)
        height, width = luminance.shape
        blocks = tuple(coefficient_histograms(luminance, *place) for place in grids(width, height))
        turn = TURN_OF_ORIENTATION.get(remaining_orientation(image))
        weak, strong = (_shown(edges, turn) for edges in edge_maps(luminance, blue, red))
    return Trace(width, height, structure, marks, pixels, blocks, (weak, strong))


def _shown(edges: NDArray[np.uint8], turn: Image.Transpose | None) -> NDArray[np.uint8]:
    return edges if turn is None else np.asarray(Image.fromarray(edges).transpose(turn))


def _in_ycbcr(image: Image.Image) -> Image.Image:
    if image.mode == "YCbCr":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        levels = np.asarray(image).astype(np.float64)
        high = max(1.0, float(levels.max()))
        image = Image.fromarray((levels * (255.0 / high)).clip(0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB").convert("YCbCr")
