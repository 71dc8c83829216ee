"""An ONNX file is understood, and refused where it refers to anything outside of it, wherever that is."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import PictureError
from index.imaging.embedding.onnx_file import MODEL, Tensor, read_structure
from support import onnx_models as onnx

IMAGE = onnx.value("image", ["n", 3, 8, 8])
OUT = onnx.value("embedding", ["n", 192])
OUTSIDE = onnx.external("/etc/passwd")
IDENTITY = onnx.node("Identity", ["image"], ["embedding"])
INNER = onnx.graph([], [], [], [OUTSIDE])


def refusal(data: bytes) -> str:
    with pytest.raises(PictureError) as refused:
        read_structure(data)
    assert refused.value.reason == MODEL
    return refused.value.message.code


def test_inputs_outputs_and_metadata_are_read() -> None:
    weights = onnx.tensor("w", np.zeros((2, 2), np.float32))
    graph = onnx.graph([IDENTITY], [IMAGE, onnx.value("w", [2, 2])], [OUT, onnx.value("odd", None, 9)], [weights])
    file = read_structure(onnx.model(graph, {"comparimg.fit": "crop", "é": "ü"}))
    assert file.inputs == (Tensor("image", "float32", (None, 3, 8, 8)),)
    assert file.outputs == (Tensor("embedding", "float32", (None, 192)), Tensor("odd", "", None))
    assert file.metadata == {"comparimg.fit": "crop", "é": "ü"}


HIDDEN: dict[str, bytes] = {
    "an initial value": onnx.model(onnx.graph([IDENTITY], [IMAGE], [OUT], [OUTSIDE])),
    "the attribute of a node": onnx.model(
        onnx.graph([onnx.node("Constant", [], ["c"], value=onnx.Attribute.tensor(OUTSIDE))], [IMAGE], [OUT])
    ),
    "a list of tensors": onnx.model(
        onnx.graph([onnx.node("X", [], ["c"], value=onnx.Attribute(10, 9, OUTSIDE))], [IMAGE], [OUT])
    ),
    "a graph within a node": onnx.model(
        onnx.graph([onnx.node("If", ["c"], ["o"], then_branch=onnx.Attribute.graph(INNER))], [IMAGE], [OUT])
    ),
    "a function": onnx.model(onnx.graph([IDENTITY], [IMAGE], [OUT]))
    + onnx.field(25, onnx.field(7, onnx.node("Constant", [], ["c"], value=onnx.Attribute.tensor(OUTSIDE)))),
    "what it was trained with": onnx.model(onnx.graph([IDENTITY], [IMAGE], [OUT]))
    + onnx.field(20, onnx.field(1, INNER)),
    "a sparse tensor": onnx.model(
        onnx.graph([IDENTITY], [IMAGE], [OUT]) + onnx.field(15, onnx.field(1, OUTSIDE))
    ),
    "the indices of a sparse tensor": onnx.model(
        onnx.graph([IDENTITY], [IMAGE], [OUT]) + onnx.field(15, onnx.field(2, OUTSIDE))
    ),
    "a second graph, merged into the first": onnx.model(onnx.graph([IDENTITY], [IMAGE], [OUT])) + onnx.field(7, INNER),
    "a location of more than 32 bits": onnx.model(
        onnx.graph([IDENTITY], [IMAGE], [OUT], [onnx.field(8, "w") + onnx.field(14, 2**32 + 1)])
    ),
    "a location said twice": onnx.model(
        onnx.graph([IDENTITY], [IMAGE], [OUT], [onnx.field(14, 1) + onnx.field(14, 0)])
    ),
    "an address in memory": onnx.model(
        onnx.graph([IDENTITY], [IMAGE], [OUT], [onnx.external("*/_ORT_MEM_ADDR_/*")])
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", HIDDEN.values(), ids=HIDDEN)
def test_data_outside_of_the_file_are_refused_wherever_they_are_named(data: bytes) -> None:
    assert refusal(data) == "model.external_data"


def test_operators_of_others_are_refused_and_those_of_the_file_itself_are_not() -> None:
    foreign = onnx.graph([onnx.node("Evil", ["image"], ["embedding"], domain="evil.example")], [IMAGE], [OUT])
    assert refusal(onnx.model(foreign, domains=["evil.example"])) == "model.operators"
    own = onnx.field(25, onnx.field(1, "Evil") + onnx.field(10, "evil.example"))
    assert read_structure(onnx.model(foreign) + own).outputs
    context = onnx.graph([onnx.node("EPContext", ["image"], ["embedding"], domain="com.microsoft")], [IMAGE], [OUT])
    assert refusal(onnx.model(context)) == "model.operators"


def nested(depth: int) -> bytes:
    inner = onnx.graph([], [], [])
    for _ in range(depth):
        inner = onnx.graph([onnx.node("If", ["c"], ["o"], then_branch=onnx.Attribute.graph(inner))], [], [])
    return onnx.model(inner)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 4096,
        b"\xff" * 4096,
        b"not a model at all",
        onnx.model(b"")[:1] + b"\xff" * 10,  # A number without an end.
        onnx.field(7, b"")[:1] + onnx.varint(2**40),  # A length beyond the file.
        onnx.field(1, 8),  # No graph.
        bytes([7 << 3 | 3, 7 << 3 | 4]),  # A group.
        nested(40),
    ],
    ids=["empty", "zeros", "ones", "text", "endless number", "too long", "no graph", "group", "deep"],
)
def test_what_is_ill_formed_is_refused(data: bytes) -> None:
    assert refusal(data) == "model.ill_formed"


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_any_bytes_are_understood_or_refused(noise: bytes, place: int, byte: int) -> None:
    sound = onnx.thumbnail_model(8, 2)
    changed = bytearray(sound)
    changed[place % len(sound)] = byte
    attempts: list[Callable[[], object]] = [
        lambda: read_structure(noise),
        lambda: read_structure(bytes(changed)),
        lambda: read_structure(sound[: place % len(sound)]),
    ]
    for attempt in attempts:
        try:
            attempt()
        except PictureError as refused:
            assert refused.reason == MODEL
