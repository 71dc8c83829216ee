"""How well a model finds copies: python -m fitting.model.measure MODEL.onnx FOLDER [--truth FILE]

Of photographs that were never trained on, copies are made by edits that are written apart from those of the training.
With --truth, FOLDER holds copies that are made already, and FILE says of what: {path: {"label", "transform", "hard"}}.
"""

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fitting.model.photographs import photographs
from fitting.model.preparation import square, values
from samples.edits import EDITS

Picture = Image.Image
RARE: Final = (1e-4, 1e-5)


@dataclass
class Seen:
    """A picture of the set: its label, how it was made, and the look-alikes it belongs to."""

    label: int
    kind: str
    hard: str | None


class Model:
    """A model on one core. `spent_s` is the processor time of all vectors so far."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.run = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run
        self.spent_s = 0.0

    def vector(self, im: Picture) -> NDArray[np.float32]:
        given = values([square(im)])
        begun = time.process_time()
        result: NDArray[np.float32] = self.run(None, {"image": given})[0][0]
        self.spent_s += time.process_time() - begun
        return result


def upright(path: Path) -> Picture:
    """The whole picture, upright, in RGB."""
    with Image.open(path) as file:
        return ImageOps.exif_transpose(file).convert("RGB")


def made(folder: Path, model: Model) -> tuple[list[Seen], NDArray[np.float32]]:
    """The held-out photographs of a folder and a copy by each of EDITS; the others of the folder, unaltered."""
    seen, vectors = [], []
    for label, photograph in enumerate(photographs(folder)):
        im = upright(photograph.path)
        seen.append(Seen(label, "base", None))
        vectors.append(model.vector(im))
        if photograph.held_out:
            rng = random.Random(photograph.digest)
            for kind, edit in EDITS.items():
                seen.append(Seen(label, kind, None))
                vectors.append(model.vector(edit(im, rng)))
    return seen, np.stack(vectors)


def given(folder: Path, truth: Path, model: Model) -> tuple[list[Seen], NDArray[np.float32]]:
    """The pictures of a set with its truth."""
    table: dict[str, dict[str, Any]] = json.loads(truth.read_text("utf-8"))
    seen = [Seen(entry["label"], entry["transform"], entry["hard"]) for entry in table.values()]
    return seen, np.stack([model.vector(upright(folder / name)) for name in table])


def figures(seen: Sequence[Seen], vectors: NDArray[np.float32]) -> dict[str, Any]:
    """For each kind of copy: how often fewer than 1, 5 and 20 wrong pictures are nearer than the original.

    And how often its cosine is above that which one in 10,000 and in 100,000 copies and strangers have.
    """
    labels = np.array([one.label for one in seen])
    bases = np.array([one.kind == "base" and one.hard is None for one in seen])
    place = {one.label: n for n, one in enumerate(seen) if one.kind == "base"}
    queries = [n for n, one in enumerate(seen) if one.kind != "base"]
    strange = []
    results: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for n in queries:
        cosines = vectors @ vectors[n]
        right = float(cosines[place[seen[n].label]])
        wrong = labels != seen[n].label
        results[seen[n].kind].append((int((cosines[wrong] > right).sum()), right))
        strange.append(cosines[wrong & bases])
    levels = [float(np.quantile(np.concatenate(strange), 1 - share)) for share in RARE]
    results["all"] = [one for each in list(results.values()) for one in each]
    table: dict[str, dict[str, float]] = {}
    for kind, rows in sorted(results.items()):
        nearer, right = np.array(rows).T
        table[kind] = {"copies": len(rows)}
        table[kind] |= {f"<{k}": round(float((nearer < k).mean()), 4) for k in (1, 5, 20)}
        for share, level in zip(RARE, levels, strict=True):
            table[kind][f"at {share:g}"] = round(float((right > level).mean()), 4)
    return {"cosines of strangers": dict(zip(map(str, RARE), levels, strict=True)), "kinds": table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--truth", type=Path)
    args = parser.parse_args()
    model = Model(args.model)
    seen, vectors = given(args.folder, args.truth, model) if args.truth else made(args.folder, model)
    result = figures(seen, vectors)
    print(f"{len(seen)} pictures, {1000 * model.spent_s / len(seen):.1f} ms each on one core")
    for share, level in result["cosines of strangers"].items():
        print(f"cosine that a share of {share} of strangers pass: {level:.3f}")
    for kind, row in result["kinds"].items():
        print(f"{kind:26}", *(f"{name} {value:<7}" for name, value in row.items()))


if __name__ == "__main__":
    main()
