"""The preprocessing of a preview for a model: one exact definition, since another filter moves cosines by 0.1.

The preview, RGB with at most 512 pixels a side (1,024 of a graphic), is reduced by Pillow's BILINEAR thumbnail to at
most twice the size of the input, then resized to it by Pillow's BICUBIC. Both average over all pixels when reducing.
`stretch` ignores the ratio; `crop` fills the input and cuts off the rest evenly; `pad` fits inside and fills the rest
with the mean, which becomes 0. Each channel is then (p - mean)

std.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from index.imaging.embedding.model_input import ModelInput
from index.model import TURNS, Turn

TRANSPOSES = {
    Turn.FLIP_HORIZONTAL: Image.Transpose.FLIP_LEFT_RIGHT,
    Turn.FLIP_VERTICAL: Image.Transpose.FLIP_TOP_BOTTOM,
    Turn.ROTATE_180: Image.Transpose.ROTATE_180,
    Turn.TRANSPOSE: Image.Transpose.TRANSPOSE,
    # Pillow's rotations are counter-clockwise, ours clockwise.
    Turn.ROTATE_90: Image.Transpose.ROTATE_270,
    Turn.ROTATE_270: Image.Transpose.ROTATE_90,
    Turn.TRANSVERSE: Image.Transpose.TRANSVERSE,
}
# The turns of a picture that is embedded once.
UNTURNED = TURNS[:1]


def to_input(picture: Image.Image, model: ModelInput, turn: Turn = Turn.NONE) -> NDArray[Any]:
    """The input for one RGB picture turned by `turn`: (1, 3, height, width) or (1, height, width, 3), in the model's
    element type."""
    turned = picture if turn is Turn.NONE else picture.transpose(TRANSPOSES[turn])
    # Channel by channel: of single bytes, that is a tenth of the work that it is of floating-point values.
    planes = cv2.split(np.asarray(_fitted(turned, model)))
    if model.channels == "bgr":
        planes = planes[::-1]
    values: NDArray[Any] = np.empty((1, len(planes), model.height, model.width), np.float32)
    for target, plane, mean, std in zip(values[0], planes, model.mean, model.std, strict=True):
        np.subtract(plane, np.float32(mean), out=target)
        np.divide(target, np.float32(std), out=target)
    if model.element == "uint8":
        values = values.round().clip(0, 255)
    if model.layout == "nhwc":
        values = values.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(values, model.element)


def _fitted(picture: Image.Image, model: ModelInput) -> Image.Image:
    width, height = model.width, model.height
    reduced = picture.copy()
    reduced.thumbnail((2 * width, 2 * height), Image.Resampling.BILINEAR)
    if model.fit == "stretch":
        return reduced.resize((width, height), Image.Resampling.BICUBIC)
    choose = max if model.fit == "crop" else min
    factor = choose(width / reduced.width, height / reduced.height)
    scaled = max(1, round(reduced.width * factor)), max(1, round(reduced.height * factor))
    resized = reduced.resize(scaled, Image.Resampling.BICUBIC)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    if model.fit == "crop":
        return resized.crop((left, top, left + width, top + height))
    filled = Image.new("RGB", (width, height), tuple(round(min(255.0, max(0.0, level))) for level in model.mean))
    filled.paste(resized, (-left, -top))
    return filled
