"""The tasks of worker processes with a model: check a file, embed a preview. A model runs nowhere else.

A process keeps the last model that it loaded. Every failure with the reason MODEL is one of the model, not of a
picture.
"""

import io
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import blake3
import numpy as np
from PIL import Image

from index import operating_system
from index.errors import PictureError
from index.imaging.embedding import inference
from index.imaging.embedding.cosine_limits import CosineLimits
from index.imaging.embedding.model_input import ModelInput, ModelOptions
from index.imaging.embedding.onnx_file import MODEL
from index.imaging.embedding.preprocessing import to_input
from index.imaging.embedding.vectors import cosines, vector_of
from index.messages import of_os_error
from index.model import TURNS

# The beginning of the name of a vector's scheme: another preprocessing or another form of vectors gives other vectors.
SCHEME: Final = "vector/2"
# The model that comes with the program.
SHIPPED: Final = Path(inference.__file__).with_name("default.onnx")
# The side of the pictures that a model is checked with, as of a preview.
CHECKED_SIDE: Final = 512
# Two pictures that have nothing in common: a model that gives the same vector for both is useless.
SAME: Final = 0.9999
TIMED_RUNS: Final = 5
# The reason if a preview cannot be read; it can be made again.
NO_VIEW: Final = "no_view"


@dataclass(frozen=True, slots=True)
class ModelTask:
    """The model to run: its file, its settings, the digest that the file should have (b"" for any), and the length of
    its vectors if known."""

    path: str
    options: ModelOptions
    provider: str
    digest: bytes = b""
    dimensions: int = 0


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What a check found. `key` identifies the vectors that this model gives. `milliseconds` are of processor time for
    one picture, `megabytes` is the peak memory of the process, `others` are the outputs that are not used."""

    key: str
    digest: bytes
    input: ModelInput
    limits: CosineLimits
    dimensions: int
    milliseconds: float
    megabytes: int
    cosine: float
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """One preview, to be embedded in the first `turns` of TURNS."""

    model: ModelTask
    view: str
    turns: int = 1


def check_model(task: ModelTask) -> ModelReport:
    """Load a model and run it on two pictures. Raises PictureError (reason MODEL) if it cannot be loaded, or if its
    vectors are useless: not finite, not the same twice, or the same for different pictures."""
    model = inference.load(task.path, task.options, task.provider)
    first, second = (to_input(picture, model.input) for picture in _pictures())
    vectors = [vector_of(model.run(values)) for values in (first, second, first)]
    if not np.array_equal(vectors[0], vectors[2]):
        raise PictureError(MODEL, "model.not_deterministic")
    cosine = float(cosines(vectors[0][None], vectors[1])[0])
    if cosine > SAME:
        raise PictureError(MODEL, "model.all_the_same")
    return ModelReport(
        key=_key(model),
        digest=model.digest,
        input=model.input,
        limits=model.limits,
        dimensions=len(vectors[0]),
        milliseconds=_milliseconds(model),
        megabytes=operating_system.largest_memory_kb() >> 10,
        cosine=cosine,
        others=tuple(one.name for one in model.session.get_outputs() if one.name != model.input.output),
    )


def embed_preview(task: EmbedTask) -> bytes:
    """The vectors of one preview, int8 (turns, d), as bytes. Raises PictureError."""
    model = _loaded(task.model)
    try:
        with open(task.view, "rb") as file:
            data = file.read()
    except OSError as error:
        raise PictureError(NO_VIEW, "picture.preview_unreadable", error=of_os_error(error)) from error
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            picture = image if image.mode == "RGB" else image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError(NO_VIEW, "picture.preview_broken") from error
    vectors = [vector_of(model.run(to_input(picture, model.input, turn))) for turn in TURNS[: task.turns]]
    return np.stack(vectors).tobytes()


@lru_cache(maxsize=1)
def _loaded(task: ModelTask) -> inference.Model:
    model = inference.load(task.path, task.options, task.provider)
    if task.digest not in (b"", model.digest):
        raise PictureError(MODEL, "model.changed")
    return model


def _key(model: inference.Model) -> str:
    """The scheme, the file and its settings: everything that changes a vector."""
    made = blake3.blake3(model.digest + repr(sorted(asdict(model.input).items())).encode()).hexdigest()
    return f"{SCHEME} {made[:32]}"


def _milliseconds(model: inference.Model) -> float:
    """The minimum of several runs, preprocessing included: the rest is other work on the machine."""
    picture, _ = _pictures()
    times = []
    for _ in range(TIMED_RUNS):
        started = time.process_time()
        model.run(to_input(picture, model.input))
        times.append(time.process_time() - started)
    return round(1000 * min(times), 2)


def _pictures() -> tuple[Image.Image, Image.Image]:
    """Two pictures that differ in every respect: coloured hills, and rings in grey."""
    y, x = np.mgrid[0:CHECKED_SIDE, 0:CHECKED_SIDE] / CHECKED_SIDE
    hills = [128 + 100 * np.sin(2 * np.pi * (fx * x + fy * y)) for fx, fy in ((2, 1), (1, 3), (4, -2))]
    rings = 128 + 120 * np.cos(60 * np.hypot(x - 0.5, y - 0.5))
    return _picture(hills), _picture([rings] * 3)


def _picture(channels: list[Any]) -> Image.Image:
    return Image.fromarray(np.stack(channels, axis=2).round().clip(0, 255).astype(np.uint8))
