"""Puts the zeros that a model adds before a convolution into the convolution: they cost a pass over the picture each.

Networks made with TensorFlow's "same" padding have more zeros to the right and below, which PyTorch adds by a step of
its own. Between 8-bit integers such a step runs in float, with a conversion before and after it. A convolution has
padding of its own, which may be uneven, too, and gives the same numbers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import numpy_helper

# The conversions that may be between the zeros and the convolution, after those have become 8-bit integers.
CONVERSIONS: Final = ("QuantizeLinear", "DequantizeLinear")


def without_pads(model: Any) -> int:
    """Put the zeros of each Pad of height and width into the convolution behind it. Returns how many.

    What must hold for the same result: the Pad is followed by this convolution alone, and 8-bit integers have the same
    scale before it as after it, so that the second conversion changes nothing.
    """
    graph = model.graph
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    done = 0
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        behind = _chain(graph, pad)
        pads = _pads(pad, values)
        if pads is None or behind is None or not _same_scale(made_by.get(pad.input[0]), behind, values):
            continue
        *conversions, convolution = behind
        (own,) = [one for one in convolution.attribute if one.name == "pads"]
        own.ints[:] = [before + added for before, added in zip(own.ints, pads, strict=True)]
        before = made_by.get(pad.input[0])
        if conversions and before is not None:
            # Already 8-bit integers: the conversions behind the zeros repeat those before them.
            convolution.input[0] = pad.input[0]
            removed = [pad, *conversions]
        else:
            (conversions or [convolution])[0].input[0] = pad.input[0]
            removed = [pad]
        for node in removed:
            graph.node.remove(node)
        done += 1
    _remove_unused(graph)
    return done


def _chain(graph: Any, pad: Any) -> list[Any] | None:
    """The conversions behind a Pad and the convolution behind them; None if anything else uses what it gives."""
    chain, name = [], pad.output[0]
    while True:
        users = [node for node in graph.node if name in node.input]
        if len(users) != 1 or users[0].input[0] != name:
            return None
        chain.append(users[0])
        if users[0].op_type == "Conv":
            return chain
        if users[0].op_type not in CONVERSIONS:
            return None
        name = users[0].output[0]


def _pads(pad: Any, values: Mapping[str, Any]) -> list[int] | None:
    """Zeros above, to the left, below and to the right; None if it adds anything else, or elsewhere."""
    mode = next((one.s for one in pad.attribute if one.name == "mode"), b"constant")
    value = values.get(pad.input[2], np.ones(1)) if len(pad.input) > 2 and pad.input[2] else np.zeros(1)
    sides = values.get(pad.input[1], np.zeros(0)).tolist()
    if mode != b"constant" or np.any(value) or len(sides) != 8 or any(sides[:2]) or any(sides[4:6]):
        return None
    return [*sides[2:4], *sides[6:8]]


def _same_scale(before: Any, behind: list[Any], values: Mapping[str, Any]) -> bool:
    """Whether no number changes between what a Pad is given and what the convolution gets."""
    if len(behind) == 1 or before is None:
        # Not converted, or the input itself, which is converted once either way.
        return True
    if before.op_type != "DequantizeLinear":
        return False
    ours = [values[name] for name in before.input[1:]]
    return all(
        np.array_equal(own, values[name])
        for node in behind[:-1]
        for own, name in zip(ours, node.input[1:], strict=True)
    )


def _remove_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    for one in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(one)


def without_pads_in(path: Path) -> None:
    """Rewrite a file."""
    model = onnx.load(str(path))
    print(f"{without_pads(model)} steps of padding put into convolutions")
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
