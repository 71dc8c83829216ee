"""Fits the cosines from which a model proposes pairs: python -m fitting.model.limits MODEL.onnx FOLDER --out FILE.json

"first" is the highest cosine that loses at most LOST of the copies whose original is nearest of all: it costs one
comparison a picture. "further" is the least cosine that at most STRANGE of the strangers pass, pairs of a copy and
another photograph: of a library of 2,000 photographs, one for each. "passing" is the highest cosine that loses at most
LOST of the copies that near hashes find: those that keep the whole picture and are not turned.

The photographs are those of FOLDER that were held out of the training. On one half of them, by digest, limits are
fitted; the other half judges: what each limit loses there, and what it lets pass of pairs of a copy and a stranger.
FILE gets limits and figures, MODEL the limits, in its metadata.
"""

import argparse
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from fitting.model.measure import Model, upright
from fitting.model.photographs import Photograph, photographs
from index.imaging.embedding.vector_index import PROPOSALS
from samples.edits import EDITS

LOST: Final = 0.001
STRANGE: Final = 5e-4
# Limits are rounded to a multiple of it, down, and up where strangers decide.
STEP: Final = 0.01
KEY: Final = "comparimg.cosines"
# Of EDITS, those that leave the whole picture as it is but for its tones and its detail.
WHOLE: Final = frozenset({"recompressed, quality 20", "a quarter of the sides", "brighter", "grey", "blurred"})
LIMITS: Final = ("first", "further", "passing")


@dataclass(frozen=True)
class Copies:
    """Copies of the photographs that were asked for: of each the cosine with its original, how many wrong pictures are
    nearer, and whether it is of WHOLE; and the cosines of all copies with the photographs they were not made of."""

    cosine: NDArray[np.float32]
    nearer: NDArray[np.int64]
    whole: NDArray[np.bool_]
    strangers: NDArray[np.float32]

    def decided_by(self, limit: str) -> NDArray[np.float32]:
        """The cosines of the copies that a limit decides on."""
        among = {
            "first": self.nearer == 0,
            "further": (self.nearer > 0) & (self.nearer < PROPOSALS.nearest),
            "passing": self.whole,
        }
        return self.cosine[among[limit]]


def copies_of(chosen: Sequence[Photograph], others: NDArray[np.float32], model: Model) -> Copies:
    """A copy by each edit of every photograph that was chosen. `others` are the vectors of further photographs, (n, d),
    which may be nearer than the original."""
    pictures = [upright(one.path) for one in chosen]
    known = np.concatenate([np.stack([model.vector(im) for im in pictures]), others])
    cosines, nearer, whole, strangers = [], [], [], []
    for number, (photograph, im) in enumerate(zip(chosen, pictures, strict=True)):
        rng = random.Random(photograph.digest)
        for kind, edit in EDITS.items():
            row = known @ model.vector(edit(im, rng))
            wrong = np.delete(row, number)
            cosines.append(row[number])
            nearer.append(int((wrong > row[number]).sum()))
            whole.append(kind in WHOLE)
            strangers.append(wrong)
    return Copies(np.array(cosines), np.array(nearer), np.array(whole), np.concatenate(strangers))


def limit_of(cosines: NDArray[np.float32]) -> float:
    """The highest limit that loses at most LOST of these, rounded down; if there are too few of them, their least."""
    lowest = np.sort(cosines)
    return round(math.floor(float(lowest[int(LOST * len(lowest))]) / STEP) * STEP, 4)


def limits_of(copies: Copies) -> dict[str, float]:
    """The limits by their names."""
    strange = math.ceil(float(np.quantile(copies.strangers, 1 - STRANGE)) / STEP) * STEP
    return {
        "first": limit_of(copies.decided_by("first")),
        "further": round(strange, 4),
        "passing": limit_of(copies.decided_by("passing")),
    }


def figures(limits: dict[str, float], judged: Copies) -> dict[str, dict[str, float]]:
    """What each limit does on copies that it was not fitted on."""
    result = {}
    for name, limit in limits.items():
        among = judged.decided_by(name)
        result[name] = {
            "limit": limit,
            "copies": len(among),
            "lost": round(float((among < limit).mean()), 5) if len(among) else 0.0,
            "strangers that pass": round(float((judged.strangers >= limit).mean()), 7),
        }
    return result


def write_into(path: Path, limits: dict[str, float]) -> None:
    """Put the limits into the metadata of a model, in place of those that it may have."""
    model = onnx.load(str(path))
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    for key, value in (*kept, (KEY, ",".join(f"{limits[name]:g}" for name in LIMITS))):
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path, help="the photographs of the training")
    parser.add_argument("--out", type=Path, required=True, help="limits and figures, as JSON")
    given = parser.parse_args()
    model = Model(given.model)
    held_out = [one for one in photographs(given.folder) if one.held_out]
    # By another part of the digest than decides which are held out.
    halves = [[one for one in held_out if int(one.digest[8:16], 16) % 2 == half] for half in (0, 1)]
    if not all(halves):
        parser.error(f"{len(held_out)} photographs of {given.folder} were held out of the training: too few")
    vectors = [np.stack([model.vector(upright(one.path)) for one in half]) for half in halves]
    fitted, judged = copies_of(halves[0], vectors[1], model), copies_of(halves[1], vectors[0], model)
    limits = limits_of(fitted)
    table: dict[str, Any] = {"photographs": [len(half) for half in halves], "limits": figures(limits, judged)}
    given.out.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    write_into(given.model, limits)
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
