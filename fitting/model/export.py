"""Writes the model that ships: python -m fitting.model.export WEIGHTS.pt FOLDER --out FILE.onnx

First in float, then in 8-bit integers: weights by channel, activations by the ranges that training photographs and
copies of them reach. Ends with 1 where the result does not do what it says of itself.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from fitting.model.alterations import altered
from fitting.model.network import DIMENSIONS, Embedder
from fitting.model.padding import without_pads_in
from fitting.model.photographs import opened, photographs
from fitting.model.preparation import DEVIATION, MEAN, SIDE, square, values

OPSET: Final = 17
CALIBRATED_ON: Final = 192
# Of 8-bit integers, the least cosine with the vector in float: the mean over pictures, and of any one.
MEAN_AGREEMENT: Final = 0.98
METADATA: Final = {
    "comparimg.name": "comparimg-lite0-1",
    "comparimg.kind": "embedding",
    "comparimg.size": f"{SIDE}x{SIDE}",
    "comparimg.fit": "stretch",
    "comparimg.resize": f"bilinear-{2 * SIDE},bicubic",
    "comparimg.channels": "RGB",
    "comparimg.mean": ",".join([f"{MEAN:.0f}"] * 3),
    "comparimg.std": ",".join([f"{DEVIATION:.0f}"] * 3),
    "comparimg.distance": "cosine",
    "comparimg.licence": "Apache-2.0; of the weights of EfficientNet-Lite0, changed: see the file next to this one",
}


class Calibration(CalibrationDataReader):
    """Pictures one by one, as quantisation asks for them."""

    def __init__(self, inputs: Sequence[NDArray[np.float32]]) -> None:
        self.left: Iterator[NDArray[np.float32]] = iter(inputs)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        one = next(self.left, None)
        return None if one is None else {"image": one}


def session(path: Path) -> Any:
    """A session on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def in_float(model: Embedder, path: Path) -> None:
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["embedding"]}
    names["dynamic_axes"] = {"image": {0: "n"}, "embedding": {0: "n"}}
    picture = torch.zeros(1, 3, SIDE, SIDE)
    torch.onnx.export(model.eval(), (picture,), str(path), opset_version=OPSET, dynamo=False, **names)


def in_integers(source: Path, path: Path, inputs: Sequence[NDArray[np.float32]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            Calibration(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Add", "Clip"],
        )


def described(path: Path) -> None:
    """Writes METADATA into the file, and takes out what names the machine it was made on."""
    model = onnx.load(str(path))
    del model.metadata_props[:]
    for key, value in METADATA.items():
        model.metadata_props.add(key=key, value=value)
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def problems(floats: Path, integers: Path, model: Embedder, inputs: Sequence[NDArray[np.float32]]) -> list[str]:
    """What is wrong with the files; nothing, where they can ship. Prints how near they are to each other."""
    whole = np.concatenate(inputs)
    with torch.no_grad():
        expected = np.concatenate([model(torch.from_numpy(one)).numpy() for one in inputs])
    in_floats = np.concatenate([session(floats).run(None, {"image": one})[0] for one in inputs])
    run = session(integers)
    alone = np.concatenate([run.run(None, {"image": one})[0] for one in inputs])
    together = run.run(None, {"image": whole})[0]
    agreement = (alone * in_floats).sum(axis=1)
    print(f"float against torch, least cosine {(expected * in_floats).sum(axis=1).min():.6f}")
    print(f"integers against float, cosine: mean {agreement.mean():.4f}, least {agreement.min():.4f}")
    found = []
    if alone.shape != (len(inputs), DIMENSIONS) or not np.isfinite(alone).all():
        found.append(f"vectors of shape {alone.shape}, finite: {np.isfinite(alone).all()}")
    if np.abs(np.linalg.norm(alone, axis=1) - 1).max() > 1e-4:
        found.append("vectors are not of length 1")
    if (expected * in_floats).sum(axis=1).min() < 0.9999:
        found.append("the export is not what was trained")
    if agreement.mean() < MEAN_AGREEMENT:
        found.append(f"the integers are off: mean cosine {agreement.mean():.4f}")
    if (alone * together).sum(axis=1).min() < 0.9999:
        found.append("a picture among others is not what it is alone")
    if not np.array_equal(alone[0], run.run(None, {"image": inputs[0]})[0][0]):
        found.append("not the same twice")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path, help="the photographs of the training")
    parser.add_argument("--out", type=Path, required=True, help="in integers; next to it, in float")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = Embedder()
    model.load_state_dict(torch.load(given.weights, weights_only=True))
    rng = random.Random(0)
    found = photographs(given.folder)
    training, held_out = ([one for one in found if one.held_out == out] for out in (False, True))
    chosen = rng.sample(training, min(len(training), CALIBRATED_ON // 2))
    pictures = [opened(one.path) for one in chosen]
    inputs = [values([square(im)]) for each in pictures for im in (each, altered(each, rng))]
    # Of very few photographs none may be held out.
    others = [opened(one.path) for one in (held_out or training)[:16]]
    floats = given.out.with_suffix(".float.onnx")
    in_float(model, floats)
    described(floats)
    in_integers(floats, given.out, inputs)
    without_pads_in(given.out)
    described(given.out)
    wrong = problems(floats, given.out, model, [values([square(im)]) for im in others])
    print(f"{given.out}: {given.out.stat().st_size} bytes")
    for one in wrong:
        print(one, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
