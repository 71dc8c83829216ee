"""PURE: a trace: all that is kept of a picture to compare its origin with that of others, and its form in the index."""

import base64
import json
import zlib
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.imaging.originality.block_traces import BINS, COEFFICIENTS, Histograms
from index.imaging.originality.jpeg_structure import JpegStructure
from index.imaging.originality.overlays import CELLS
from index.imaging.originality.pixel_traces import PixelTraces

Bytes = NDArray[np.uint8]

# Stored with every trace; those of another version are made again.
VERSION: Final = "trace/6"


# What a file records of its capture.
NO_RECORD, DATE_ONLY, CAMERA, FULL = range(4)


@dataclass(frozen=True, slots=True)
class FileMarks:
    """`record` is how much the file says of its capture: NO_RECORD, DATE_ONLY, CAMERA or FULL. `editor` is the
    program that signed; `history` whether XMP has a history of editing; `modified` whether the date of the file's
    last change is later than that of the capture; `recorded` the sides in pixels that EXIF gives, the shorter
    first, (0, 0) for none; `resized` whether the picture has others; `thumbnail` is "", "same" or "other" (it shows
    another picture than the file does).
    """

    record: int = NO_RECORD
    maker_note: bool = False
    editor: str = ""
    history: bool = False
    rendered: int = 0
    modified: bool = False
    recorded: tuple[int, int] = (0, 0)
    resized: bool = False
    turned: bool = False
    thumbnail: str = ""


@dataclass(frozen=True, eq=False)
class Trace:
    """`blocks` are the histograms of the coefficients for each place where an earlier JPEG's blocks may begin; `width`
    and `height` are those of the pixels as stored. `edges` are the two `edge_maps` of the picture as it is shown."""

    width: int
    height: int
    jpeg: JpegStructure
    marks: FileMarks
    pixels: PixelTraces
    blocks: tuple[Histograms, ...]
    edges: tuple[Bytes, Bytes]


def to_bytes(trace: Trace) -> bytes:
    kept: dict[str, Any] = {
        "size": [trace.width, trace.height],
        "jpeg": _fields(trace.jpeg),
        "marks": _fields(trace.marks),
        "pixels": _fields(trace.pixels),
        "blocks": [_text(histograms) for histograms in trace.blocks],
        "edges": [_text(edges) for edges in trace.edges],
    }
    return zlib.compress(json.dumps(kept, separators=(",", ":")).encode("ascii"), 6)


def _fields(part: JpegStructure | FileMarks | PixelTraces) -> dict[str, Any]:
    # As asdict, which copies each number of a spectrum alone: a tenth of the time of a trace.
    return {field.name: getattr(part, field.name) for field in fields(part)}


def of_bytes(data: bytes) -> Trace:
    kept = json.loads(zlib.decompress(data))
    structure: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept["jpeg"].items()
    }
    pixels: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in kept["pixels"].items()
    }
    blocks = tuple(_array(text, (len(COEFFICIENTS), BINS)) for text in kept["blocks"])
    weak, strong = (_array(text, (CELLS, CELLS)) for text in kept["edges"])
    width, height = kept["size"]
    marks = FileMarks(**kept["marks"] | {"recorded": tuple(kept["marks"]["recorded"])})
    return Trace(width, height, JpegStructure(**structure), marks, PixelTraces(**pixels), blocks, (weak, strong))


def _text(values: Bytes) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _array(text: str, shape: tuple[int, int]) -> Bytes:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)
