"""What the fits about originals share: groups made of the photographs of a folder, what is proposed for them, and the
file of the weights."""

import json
import os
import pickle
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import cv2
import numpy as np

from index.imaging.originality.fitted import weights
from index.imaging.originality.inheritance import GroupWeights
from index.imaging.originality.standing import NO_WEIGHTS, Standing, standing
from samples.cases import Case, compared, make_case

WEIGHTS: Final = Path(__file__).parents[1] / "index/imaging/originality/weights.json"
# The certainties between which reliability is counted.
EDGES: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)

Made = TypeVar("Made")


class Growth(NamedTuple):
    """How groups of a kind are made: the share of the copies made of one picture, whether that was edited, and of one
    round of all kinds how many groups have this one."""

    of_original: float
    edited: bool
    often: int


class Task(NamedTuple):
    """A group to be made: the file of the photograph, the seed, the number of copies, and the kind."""

    photo: str
    seed: int
    copies: int
    kind: str
    growth: Growth


def one_round(kinds: Mapping[str, Growth]) -> tuple[str, ...]:
    return tuple(kind for kind, growth in kinds.items() for _ in range(growth.often))


def photographs_of(folder: str, rng: random.Random) -> list[str]:
    """The files of the photographs of a folder, shuffled."""
    photos = sorted(str(path) for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    rng.shuffle(photos)
    return photos


def grown(tasks: Sequence[Task]) -> list[tuple[str, Case]]:
    """The groups with their kinds, without those whose copies were not recognised."""
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        return [found for found in pool.map(_grow, tasks) if found is not None]


def _grow(task: Task) -> tuple[str, Case] | None:
    cv2.setNumThreads(1)
    growth = task.growth
    case = compared(make_case(task.photo, task.seed, task.copies, growth.of_original, edited=growth.edited))
    if case is None:
        return None
    case.look()
    return task.kind, case


def is_usable(case: Case) -> bool:
    """Of two pictures, no third one says anything; and the original has to be one of the group."""
    return len(case.pairs) > 1 and any(first == 0 for first, _ in case.pairs)


def kept_in(cache: str, make: Callable[[], Made]) -> Made:
    """What `make` returns; read from the file `cache` if that exists, and otherwise kept there. "" is no file."""
    if not cache:
        return make()
    file = Path(cache)
    if file.exists():
        found: Made = pickle.loads(file.read_bytes())
        return found
    file.write_bytes(pickle.dumps(made := make()))
    return made


def ranked(case: Case, of_group: GroupWeights, of_counts: Mapping[str, float] = NO_WEIGHTS) -> Standing:
    """The standing of the files of a case, with the weights of pairs that ship."""
    findings = {pair: (found.forward, found.backward) for pair, found in case.pairs.items()}
    members = sorted({0, *(place for pair in findings for place in pair)})
    files = {member: [case.seen[member]] for member in members}
    return standing({member: member for member in members}, files, findings, weights(), of_group, of_counts)


def outcomes(found: Sequence[Standing]) -> dict[str, float]:
    """Shares of the groups whose original, the first file, is proposed, certain, or certain to be another."""
    return {
        "first_right": round(float(np.mean([one.best == 0 for one in found])), 3),
        "sure_and_right": round(float(np.mean([one.sure and one.best == 0 for one in found])), 3),
        "sure_and_wrong": round(float(np.mean([one.sure and one.best != 0 for one in found])), 3),
    }


def shipped_fields() -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(WEIGHTS.read_text("utf-8"))
    return fields


def ship(fields: Mapping[str, Any]) -> None:
    """Replace these fields of weights.json."""
    WEIGHTS.write_text(json.dumps(shipped_fields() | dict(fields), indent=1) + "\n", "utf-8")
