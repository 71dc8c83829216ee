"""PURE: the input and output of a model, from the configuration, else from the file, else the usual values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from index.errors import PictureError
from index.imaging.embedding.cosine_limits import USUAL, CosineLimits, parse_limits
from index.imaging.embedding.onnx_file import MODEL, OnnxFile, Tensor

FITS: Final = ("stretch", "crop", "pad")
LAYOUTS: Final = ("nchw", "nhwc")
CHANNELS: Final = ("rgb", "bgr")
# The default values: those of ImageNet, with which torchvision, timm, DINOv2 and SSCD train.
USUAL_SIDE: Final = 224
USUAL_MEAN: Final = (123.675, 116.28, 103.53)
USUAL_STD: Final = (58.395, 57.12, 57.375)
MAX_SIDE: Final = 2048
# The prefix of keys in the metadata of a file: comparimg.size = 224x224.
PREFIX: Final = "comparimg."


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The configuration of a model; "" leaves a value to the file. `mean` and `std` are numbers from 0 to 255 separated
    by commas, one or three. `cosines` are the three limits of CosineLimits."""

    size: str = ""
    fit: str = ""
    mean: str = ""
    std: str = ""
    layout: str = ""
    channels: str = ""
    output: str = ""
    cosines: str = ""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The one definition of the input of a model, and which of its outputs is the vector.

    `element` is the type of the numbers: float32, float16 or uint8. The picture is fitted to `width` x `height` pixels
    by `fit` (imaging.embedding.preprocessing); a pixel p of 0 to 255 becomes (p - mean)

    std.
    """

    name: str
    output: str
    element: str
    width: int
    height: int
    fit: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    layout: str
    channels: str


def resolve(file: OnnxFile, options: ModelOptions) -> ModelInput:
    """The input of a model. Raises PictureError (reason MODEL) if it is not a model of one image, or if its description
    contradicts itself."""
    if len(file.inputs) != 1:
        names = ", ".join(tensor.name for tensor in file.inputs)
        raise PictureError(MODEL, "model.inputs", n=len(file.inputs), names=names)
    image = file.inputs[0]
    if image.element not in ("float32", "float16", "uint8"):
        raise PictureError(MODEL, "model.element", name=image.name)
    if image.shape is not None and len(image.shape) != 4:
        raise PictureError(MODEL, "model.shape", name=image.name, shape=_shown(image.shape))
    said = {name: _said(file.metadata, options, name) for name in ("size", "fit", "mean", "std", "layout", "channels")}
    shape = image.shape or (None,) * 4
    layout = _one_of("layout", said["layout"].lower(), LAYOUTS) or ("nhwc" if _is_last(shape) else "nchw")
    count, planes, height, width = shape if layout == "nchw" else (shape[0], shape[3], shape[1], shape[2])
    if count not in (None, 1) or planes not in (None, 3):
        raise PictureError(MODEL, "model.shape", name=image.name, shape=_shown(shape))
    wanted = (
        parse_size(said["size"]) if said["size"] else (width or height or USUAL_SIDE, height or width or USUAL_SIDE)
    )
    if width not in (None, wanted[0]) or height not in (None, wanted[1]):
        raise PictureError(MODEL, "model.size", width=wanted[0], height=wanted[1], shape=_shown(shape))
    # Whole numbers are unchanged pixels, unless another mean or deviation is set.
    plain = image.element == "uint8"
    return ModelInput(
        name=image.name,
        output=_output(file, options.output or file.metadata.get(f"{PREFIX}output", "")),
        element=image.element,
        width=wanted[0],
        height=wanted[1],
        fit=_one_of("fit", said["fit"].lower(), FITS) or "stretch",
        mean=parse_numbers("mean", said["mean"]) or ((0.0,) * 3 if plain else USUAL_MEAN),
        std=parse_numbers("std", said["std"]) or ((1.0,) * 3 if plain else USUAL_STD),
        layout=layout,
        channels=_one_of("channels", said["channels"].lower(), CHANNELS) or "rgb",
    )


def limits_of(file: OnnxFile, options: ModelOptions) -> CosineLimits:
    """The limits of cosine for a model. Raises PictureError (reason MODEL)."""
    return parse_limits(_said(file.metadata, options, "cosines")) or USUAL


def parse_numbers(name: str, text: str) -> tuple[float, float, float] | None:
    """Three numbers separated by commas, or one for all three; None for "". Raises PictureError."""
    if not text:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    numbers *= 3 if len(numbers) == 1 else 1
    least = 0.001 if name == "std" else -1000
    if len(numbers) != 3 or not all(least <= number <= 1000 for number in numbers):
        raise PictureError(MODEL, "model.value", name=name, value=text)
    return numbers[0], numbers[1], numbers[2]


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of "224x224", or of "224". Raises PictureError (reason MODEL)."""
    width, _, height = text.lower().partition("x")
    sides = [width, height or width]
    if not all(side.isascii() and side.isdecimal() and len(side) < 6 and 16 <= int(side) <= MAX_SIDE for side in sides):
        raise PictureError(MODEL, "model.value", name="size", value=text)
    return int(sides[0]), int(sides[1])


def _said(metadata: Mapping[str, str], options: ModelOptions, name: str) -> str:
    given: str = getattr(options, name)
    return (given or metadata.get(PREFIX + name, "")).strip()


def _one_of(name: str, value: str, accepted: Sequence[str]) -> str:
    if value and value not in accepted:
        raise PictureError(MODEL, "model.value", name=name, value=value)
    return value


def _is_last(shape: Sequence[Any]) -> bool:
    """Whether the colours are the last dimension of four."""
    return bool(shape[3] == 3 and shape[1] != 3)


def _output(file: OnnxFile, wanted: str) -> str:
    """The name of the output: the requested one, else the first that has the shape of a vector, else the first."""
    if wanted:
        if wanted not in {tensor.name for tensor in file.outputs}:
            names = ", ".join(tensor.name for tensor in file.outputs)
            raise PictureError(MODEL, "model.output", name=wanted, names=names)
        return wanted
    numeric = [tensor for tensor in file.outputs if tensor.element in ("float32", "float16", "float64")]
    if not numeric:
        raise PictureError(MODEL, "model.no_output")
    return next(filter(_is_vector, numeric), numeric[0]).name


def _is_vector(tensor: Tensor) -> bool:
    return tensor.shape is not None and len(tensor.shape) == 2


def _shown(shape: Sequence[int | None]) -> str:
    return " x ".join("?" if side is None else str(side) for side in shape)
