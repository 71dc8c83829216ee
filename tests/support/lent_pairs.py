"""Pairs of made-up pictures, for the tests of lent work."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from daemon.processes.verify_task import PairTask, verify_pair
from daemon.processes.worker import of_item
from daemon.processes.worker_pool import WorkerPool
from index.model import Facts, Turn

Pair = tuple[int, int]


class Pairs:
    """Pictures of six kinds, each with copies of it; all their pairs, and what a verifier says of each at home."""

    def __init__(self, folder: Path, pictures: int, copies: int) -> None:
        folder.mkdir()
        views = [self._view(folder, number, number // copies, number % copies) for number in range(pictures * copies)]
        self.tasks = [
            ((a, b), PairTask(a, b, str(views[a][0]), str(views[b][0]), views[a][1], views[b][1],
                              Turn.NONE if a // copies == b // copies else None))
            for a in range(len(views)) for b in range(a + 1, len(views))
        ]  # fmt: skip
        self.expected = {pair: said(verify_pair(task)) for pair, task in self.tasks}

    @staticmethod
    def _view(folder: Path, number: int, seed: int, copy: int) -> tuple[Path, Facts]:
        cells = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(cells).resize((448, 336), Image.Resampling.BICUBIC)
        if copy % 2:
            image = image.crop((20, 12, 440, 330))
        view = folder / f"{number}.jpg"
        image.save(view, quality=90 - 7 * copy)
        return view, Facts("JPEG", *image.size, jpeg_quality=90 - 7 * copy, camera="One" if copy else "")

    def judge(self, pool: WorkerPool) -> dict[Pair, Any]:
        """What the pool says of every pair. Each is answered once."""
        return gather(pool.run(partial(of_item, verify_pair), self.tasks))


def gather(outcomes: Any) -> dict[Pair, Any]:
    found: dict[Pair, Any] = {}
    for outcome in outcomes:
        pair = outcome.item[0]
        assert pair not in found, "answered twice"
        found[pair] = outcome.failure.reason if outcome.failure else said(outcome.value)
    return found


def said(judgement: Any) -> tuple[Any, ...]:
    """What the index keeps of a judgement."""
    evidence = json.dumps(judgement.evidence, sort_keys=True)
    return judgement.kind, judgement.confidence, judgement.turn, evidence
