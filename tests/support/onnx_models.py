"""Small ONNX files, written as the protocol buffers that they are: for tests of what models may be, and may not.

The numbers are those of the fields in onnx.proto.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, UINT8, INT8, INT64, BOOL, FLOAT16 = 1, 2, 3, 7, 9, 10
NUMBERS = {"float32": FLOAT, "uint8": UINT8, "int8": INT8, "int64": INT64, "bool": BOOL, "float16": FLOAT16}
Value = int | float | str | bytes | Sequence[int]


def varint(number: int) -> bytes:
    out = bytearray()
    number &= 2**64 - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: a varint, or whatever has a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: NDArray[Any], extra: bytes = b"") -> bytes:
    dims = b"".join(field(1, side) for side in values.shape)
    return dims + field(2, NUMBERS[values.dtype.name]) + field(8, name) + field(9, values.tobytes()) + extra


def external(location: str, name: str = "w", size: int = 4) -> bytes:
    """A tensor of bytes whose data lie in another file."""
    entry = field(1, "location") + field(2, location)
    return field(1, size) + field(2, UINT8) + field(8, name) + field(13, entry) + field(14, 1)


def attribute(name: str, value: "Value | Attribute") -> bytes:
    if isinstance(value, Attribute):
        return field(1, name) + field(value.number, value.data) + field(20, value.kind)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, str | bytes):
        return field(1, name) + field(4, value) + field(20, 3)
    assert not isinstance(value, float)
    return field(1, name) + b"".join(field(8, one) for one in value) + field(20, 7)


class Attribute:
    """A tensor (t) or a graph (g) as an attribute."""

    def __init__(self, number: int, kind: int, data: bytes) -> None:
        self.number, self.kind, self.data = number, kind, data

    @classmethod
    def tensor(cls, data: bytes) -> "Attribute":
        return cls(5, 4, data)

    @classmethod
    def graph(cls, data: bytes) -> "Attribute":
        return cls(6, 5, data)


def node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: "Value | Attribute"
) -> bytes:
    data = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    data += field(4, operator) + (field(7, domain) if domain else b"")
    return data + b"".join(field(5, attribute(name, value)) for name, value in attributes.items())


def value(name: str, shape: Sequence[int | str] | None, element: int = FLOAT) -> bytes:
    tensor_type = field(1, element)
    if shape is not None:
        sides = b"".join(field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in shape)
        tensor_type += field(2, sides)
    return field(1, name) + field(2, field(1, tensor_type))


def graph(
    nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], tensors: Sequence[bytes] = ()
) -> bytes:
    parts = [*(field(1, one) for one in nodes), field(2, "g"), *(field(5, one) for one in tensors)]
    return b"".join([*parts, *(field(11, one) for one in inputs), *(field(12, one) for one in outputs)])


def model(
    of_graph: bytes, metadata: Mapping[str, str] | None = None, opset: int = 17, domains: Sequence[str] = ()
) -> bytes:
    sets = [field(8, field(2, opset)), *(field(8, field(1, name) + field(2, 1)) for name in domains)]
    entries = [field(14, field(1, key) + field(2, text)) for key, text in (metadata or {}).items()]
    return field(1, 8) + field(7, of_graph) + b"".join(sets) + b"".join(entries)


def thumbnail_model(
    side: int = 32,
    cells: int = 8,
    layout: str = "nchw",
    element: int = FLOAT,
    metadata: Mapping[str, str] | None = None,
    count: int | str = "n",
    opset: int = 17,
) -> bytes:
    """A model whose vector is the picture in cells x cells pixels, in three colours: enough to find copies by."""
    nodes, name = [], "image"
    if element != FLOAT:
        nodes.append(node("Cast", [name], ["cast"], to=FLOAT))
        name = "cast"
    if layout == "nhwc":
        nodes.append(node("Transpose", [name], ["turned"], perm=[0, 3, 1, 2]))
        name = "turned"
    if element == UINT8:
        nodes.append(node("Sub", [name, "grey"], ["centred"]))
        name = "centred"
    sides = [side // cells] * 2
    nodes.append(node("AveragePool", [name], ["small"], kernel_shape=sides, strides=sides))
    nodes.append(node("Flatten", ["small"], ["embedding"], axis=1))
    shape = [count, 3, side, side] if layout == "nchw" else [count, side, side, 3]
    said = {"comparimg.mean": "127", "comparimg.std": "128"} if element != UINT8 else {}
    return model(
        graph(
            nodes,
            [value("image", shape, element)],
            [value("embedding", [count, 3 * cells * cells])],
            [tensor("grey", np.full((1,), 127, np.float32))],
        ),
        said if metadata is None else metadata,
        opset,
    )


def embedding(nodes: Sequence[bytes], tensors: Sequence[bytes] = (), domains: Sequence[str] = ()) -> bytes:
    """A model of a picture of 8 x 8 whose output `embedding` some nodes make."""
    return model(
        graph(nodes, [value("image", ["n", 3, 8, 8])], [value("embedding", None)], tensors), domains=domains
    )  # fmt: skip


def sums_of_products() -> bytes:
    """A model of integers, whose 16 numbers are each 127 times the sum of all that the picture is given as."""
    return embedding(
        [
            node("Cast", ["image"], ["whole"], to=UINT8),
            node("Flatten", ["whole"], ["flat"], axis=1),
            node("MatMulInteger", ["flat", "weights"], ["sums"]),
            node("Cast", ["sums"], ["embedding"], to=FLOAT),
        ],
        [tensor("weights", np.full((192, 16), 127, np.int8))],
    )


def endless() -> bytes:
    """A loop that ends after 2^62 rounds."""
    body = graph(
        [node("Identity", ["go"], ["on"]), node("Identity", ["x"], ["y"])],
        [value("i", [], INT64), value("go", [], BOOL), value("x", None)],
        [value("on", [], BOOL), value("y", None)],
    )
    loop = node("Loop", ["most", "true", "image"], ["embedding"], body=Attribute.graph(body))
    return embedding([loop], [tensor("most", np.array(2**62)), tensor("true", np.array(True))])


def doubling() -> bytes:
    """Functions of which each calls the next one twice: a call of the first means 2^30 nodes."""
    sets = field(9, field(2, 17)) + field(9, field(1, "own") + field(2, 1))
    functions = []
    for number in range(30):
        calls = [node(f"F{number + 1}", [one], [other], "own") for one, other in (("x", "y"), ("y", "z"))]
        nodes = calls if number < 29 else [node("Identity", ["x"], ["z"])]
        parts = [field(1, f"F{number}"), field(4, "x"), field(5, "z"), *(field(7, one) for one in nodes)]
        functions.append(b"".join(parts) + sets + field(10, "own"))
    called = embedding([node("F0", ["image"], ["a"], "own"), node("Flatten", ["a"], ["embedding"])], domains=["own"])
    return called + b"".join(field(25, one) for one in functions)


def sparse(sides: Sequence[int], at: int) -> bytes:
    """A model with a sparse tensor of some sides, of which one value is given, and added to the picture."""
    values = field(15, field(1, tensor("w", np.ones(1, np.float32))) + field(2, tensor("at", np.array([at])))
                   + b"".join(field(3, side) for side in sides))  # fmt: skip
    nodes = [node("Add", ["image", "w"], ["a"]), node("Flatten", ["a"], ["embedding"])]
    of_graph = graph(nodes, [value("image", ["n", 3, 8, 8])], [value("embedding", None)])
    return model(of_graph + values)


# What a hostile or broken file may be, by what is wrong with it.
HOSTILE: Mapping[str, bytes] = {
    "an absolute path": embedding([node("Cast", ["w"], ["embedding"], to=FLOAT)], [external("/etc/passwd")]),
    "a path upwards": embedding([node("Cast", ["w"], ["embedding"], to=FLOAT)], [external("../../../etc/passwd")]),
    "a file beside": embedding([node("Cast", ["w"], ["embedding"], to=FLOAT)], [external("beside.bin")]),
    "a tensor of 160 GB": embedding(
        [node("Expand", ["one", "sides"], ["embedding"])],
        [tensor("one", np.ones(1, np.float32)), tensor("sides", np.array([200_000, 200_000]))],
    ),
    "memory for each picture": embedding(
        [node("Expand", ["image", "sides"], ["b"]), node("ReduceSum", ["b"], ["embedding"], keepdims=0)],
        [tensor("sides", np.array([100_000, 1, 3, 8, 8]))],
    ),
    "an endless loop": endless(),
    "functions that double": doubling(),
    "a sparse tensor of 40 GB": sparse([100_000, 100_000], 5),
    "a value outside of its sparse tensor": sparse([8], 2**40),
    "an operator of others": embedding(
        [node("Evil", ["image"], ["embedding"], "evil.example")], domains=["evil.example"]
    ),
    "an unknown operator": embedding([node("Evil", ["image"], ["embedding"])]),
    "no number": embedding(
        [node("Sub", ["image", "image"], ["z"]), node("Div", ["z", "z"], ["n"]), node("Flatten", ["n"], ["embedding"])]
    ),
    "always the same": embedding(
        [node("Sub", ["image", "image"], ["z"]), node("Add", ["z", "c"], ["a"]), node("Flatten", ["a"], ["embedding"])],
        [tensor("c", np.ones(1, np.float32))],
    ),
    "by chance": embedding([node("RandomNormalLike", ["image"], ["r"]), node("Flatten", ["r"], ["embedding"])]),
    "text": embedding([node("Constant", [], ["embedding"], value_string="secret")]),
    "no dimension": embedding(
        [node("Flatten", ["image"], ["f"]), node("Slice", ["f", "low", "low", "axis"], ["embedding"])],
        [tensor("low", np.array([0])), tensor("axis", np.array([1]))],
    ),
    "another infinity": embedding(
        [node("Flatten", ["image"], ["f"]), node("Div", ["f", "nothing"], ["embedding"])],
        [tensor("nothing", np.zeros(1, np.float32))],
    ),
    "eight numbers": embedding(
        [node("ReduceMean", ["image"], ["m"], axes=[1, 2], keepdims=0), node("Flatten", ["m"], ["embedding"])]
    ),
    "a cycle": embedding([node("Identity", ["b"], ["a"]), node("Identity", ["a"], ["b"])]),
    "a cut file": thumbnail_model()[:200],
    "garbage": bytes(range(256)) * 16,
    "nothing": b"",
    "a picture": b"\xff\xd8\xff\xe0" + bytes(1000),
}
