"""PURE: the structure of an ONNX file, read before anything is run that could execute it.

An ONNX file is a protocol buffer (github.com/onnx/onnx, onnx.proto). A runtime follows references from it to other
files ("external data"): if the model is given as bytes, onnxruntime reads any file that the service can read. So the
file is walked here field by field, whatever the order or repetition of its fields, and refused if any tensor in any
graph, function or attribute refers to data outside of it. Nothing of the file is copied or executed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from index.errors import PictureError

# The reason of every failure of the model, as opposed to the picture.
MODEL: Final = "model"
MAX_BYTES: Final = 2**30
# The depth of nested messages; protobuf itself refuses more than 100.
MAX_DEPTH: Final = 100
# The fields of a message by number, with the kind of message in them. All others are values.
MESSAGES: Final[Mapping[str, Mapping[int, str]]] = {
    "model": {7: "graph", 8: "opset", 14: "entry", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 15: "sparse"},
    "node": {5: "attribute"},
    "function": {7: "node", 11: "attribute", 9: "opset"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
# The operator sets that onnxruntime has on a CPU.
DOMAINS: Final = frozenset(("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"))
# Operators of these sets that name files or programs to load.
REFUSED_OPERATORS: Final = frozenset(("EPContext", "PyOp"))
# Supported element types of inputs and outputs, by their number in onnx.proto.
ELEMENTS: Final[Mapping[int, str]] = {1: "float32", 2: "uint8", 10: "float16", 11: "float64"}

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: its name, the name of its element type ("" if unsupported), and its shape. None is a
    dimension that is not fixed; a shape of None is not stated."""

    name: str
    element: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The structure stated by a file. `inputs` are those that a caller must give: not those with an initial value."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str]


@dataclass
class _Found:
    """The findings of the walk so far."""

    inputs: list[memoryview] = field(default_factory=list)
    outputs: list[memoryview] = field(default_factory=list)
    initialized: set[str] = field(default_factory=set)
    metadata: dict[str, str] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    graphs: int = 0


def read_structure(data: bytes) -> OnnxFile:
    """The inputs, outputs and metadata of a model. Raises PictureError (reason MODEL) for a file that is larger than
    MAX_BYTES, ill-formed, or that refers to anything outside of it."""
    if len(data) > MAX_BYTES:
        raise PictureError(MODEL, "model.too_large", megabytes=-(-len(data) >> 20), limit=MAX_BYTES >> 20)
    found = _Found()
    # An explicit stack: no file can exhaust that of the interpreter.
    waiting: list[tuple[str, memoryview, int]] = [("model", memoryview(data), 0)]
    while waiting:
        kind, message, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _ill_formed()
        inner = MESSAGES.get(kind, {})
        for number, wire, value in _fields(message):
            if number in inner and isinstance(value, memoryview) and wire == LENGTH:
                waiting.append((inner[number], value, depth + 1))
            _note(found, kind, depth, number, value)
    if not found.graphs:
        raise _ill_formed()
    unknown = found.domains - DOMAINS - found.defined
    if unknown:
        raise PictureError(MODEL, "model.operators", domain=min(unknown))
    inputs = tuple(tensor for tensor in map(_tensor, found.inputs) if tensor.name not in found.initialized)
    return OnnxFile(inputs, tuple(map(_tensor, found.outputs)), found.metadata)


def _note(found: _Found, kind: str, depth: int, number: int, value: "int | memoryview") -> None:
    """Record what is needed from one field, and refuse what is not allowed."""
    match kind, number:
        case "tensor", _ if number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0):
            raise PictureError(MODEL, "model.external_data")
        case "model", 7:
            found.graphs += 1
        case "model", 14:
            entry = dict.fromkeys((1, 2), "")
            for inner, _, text in _fields(_message(value)):
                if inner in entry:
                    entry[inner] = _text(text)
            found.metadata[entry[1]] = entry[2]
        case "graph", 11 if depth == 1:
            found.inputs.append(_message(value))
        case "graph", 12 if depth == 1:
            found.outputs.append(_message(value))
        case "tensor", 8 if depth == 2:
            found.initialized.add(_text(value))
        case "node", 4 if _text(value) in REFUSED_OPERATORS:
            raise PictureError(MODEL, "model.operators", domain=_text(value))
        case "node", 7:
            found.domains.add(_text(value))
        case "function", 10:
            found.defined.add(_text(value))


def _tensor(value_info: memoryview) -> Tensor:
    """A ValueInfoProto."""
    name, element, shape = "", "", None
    for number, _, value in _fields(value_info):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for kind, _, tensor_type in _fields(_message(value)):
                if kind == 1:
                    element, shape = _type(_message(tensor_type))
    return Tensor(name, element, shape)


def _type(tensor_type: memoryview) -> tuple[str, tuple[int | None, ...] | None]:
    """A TypeProto.Tensor: the name of its element type, and its shape."""
    element, shape = "", None
    for number, _, value in _fields(tensor_type):
        if number == 1 and isinstance(value, int):
            element = ELEMENTS.get(value, "")
        elif number == 2:
            shape = tuple(_dimension(_message(one)) for inner, _, one in _fields(_message(value)) if inner == 1)
    return element, shape


def _dimension(dimension: memoryview) -> int | None:
    for number, _, value in _fields(dimension):
        if number == 1 and isinstance(value, int):
            # Some exporters write -1 or 0 for a dimension that is not fixed.
            return value if 0 < value < 2**31 else None
    return None


def _message(value: "int | memoryview") -> memoryview:
    if isinstance(value, int):
        raise _ill_formed()
    return value


def _text(value: "int | memoryview") -> str:
    return str(bytes(_message(value)), "utf-8", "replace")


def _fields(message: memoryview) -> Iterator[tuple[int, int, "int | memoryview"]]:
    """The fields of a message: number, wire type, and the value: an integer, or the bytes of anything else."""
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise _ill_formed()
        if wire == VARINT:
            value, at = _varint(message, at)
            yield number, wire, value
            continue
        if wire == LENGTH:
            size, at = _varint(message, at)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            # Groups: no exporter writes them.
            raise _ill_formed()
        if size > end - at:
            raise _ill_formed()
        yield number, wire, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in base 128 and where it ends: of ten bytes at most, and 64 bits."""
    value = 0
    for place in range(10):
        if at + place >= len(message):
            break
        byte = message[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & (2**64 - 1), at + place + 1
    raise _ill_formed()


def _ill_formed() -> PictureError:
    return PictureError(MODEL, "model.ill_formed")
