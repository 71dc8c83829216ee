"""Trains the model: python -m fitting.model.train FOLDER --out DIR [--steps N] [--from published|FILE]

Goes on from DIR/checkpoint.pt where there is one; an interruption loses at most 20 steps. Only blocks 11 to 15, the
last convolution and the head are trained. The loss is InfoNCE (van den Oord et al. 2018) with KoLeo, as in SSCD (Pizzi
et al. 2022): copies near, all else far, and spread. A memory of earlier vectors (Wang et al. 2020) was tried and left:
all vectors moved away from the remembered ones together, and so nearer to each other.
"""

import argparse
import json
import math
import os
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from fitting.model.batches import Batch, Mixture, batch, chosen
from fitting.model.network import DIMENSIONS, FEATURES, FIRST_TRAINED, SIDE, Embedder, published
from fitting.model.photographs import Photograph, listing, opened, photographs
from fitting.model.preparation import square, values

EVERY: Final = 20


@dataclass(frozen=True)
class Recipe:
    """What determines the result, in addition to the photographs and the code."""

    steps: int = 400
    # Only the head, from its start by principal components, before the blocks under it are moved.
    head_steps: int = 60
    mixture: Mixture = field(default_factory=Mixture)
    temperature: float = 0.05
    koleo: float = 0.3
    body_rate: float = 1e-4
    head_rate: float = 5e-4
    decay: float = 1e-4
    # A near view of a photograph counts a quarter: the next frame of a burst is no copy, but nearer than all else.
    near_weight: float = 0.25
    # What ships is the mean of the weights over about the last 100 steps.
    averaging: float = 0.99
    seed: int = 18
    # From this step on, similar photographs share steps; by chance, few do. `neighbours` of each, and none that is as
    # near as a copy: it may be one.
    alike_from: int = 120
    neighbours: int = 3
    copy_cosine: float = 0.85


def fronts(model: Embedder, squares: Tensor) -> Tensor:
    """The maps of the part that is not trained. Four pictures at a time stay in the processor's cache; bfloat16, where
    it is faster, has an error far below that of the 8-bit integers of the result."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_faster()):
        parts = [model.front(part) for part in squares.contiguous(memory_format=torch.channels_last).split(4)]
    return torch.cat(parts).float()


@cache
def bfloat16_is_faster() -> bool:
    """Whether this processor computes in bfloat16. One that only imitates it takes fifteen times as long as in float,
    one that has it half as long; so it is measured."""
    front = Embedder().to(memory_format=torch.channels_last).front
    blank = torch.zeros(1, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)

    def spent_s(enabled: bool) -> float:
        times = []
        for _ in range(3):
            begun = time.process_time()
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                front(blank)
            times.append(time.process_time() - begun)
        return min(times)

    return spent_s(enabled=True) < spent_s(enabled=False)


def loss_of(vectors: Tensor, origins: Tensor, pairs: int, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """InfoNCE and KoLeo of a batch. `vectors` [2 * pairs + near, d]; the copy of row n is row n xor 1."""
    rows = 2 * pairs
    cosines = vectors[:rows] @ vectors.T
    itself = torch.eye(rows, len(vectors), dtype=torch.bool)
    near = (origins[:rows, None] == origins[None]) & (torch.arange(len(vectors)) >= rows)
    logits = cosines / recipe.temperature + near * math.log(recipe.near_weight)
    logits = logits.masked_fill(itself, -1e9)
    copies = torch.arange(rows) ^ 1
    info = functional.cross_entropy(logits, copies)
    ours = itself | functional.one_hot(copies, len(vectors)).bool() | near
    nearest = cosines.masked_fill(ours, -2).max(1).values
    koleo = -(2 - 2 * nearest).clamp(min=1e-6).sqrt().log().mean()
    return info, koleo


def started_head(model: Embedder, chosen_photographs: list[Photograph]) -> None:
    """The head by the principal components of the features of whole photographs, whitened but for a ridge."""
    parts = []
    with torch.no_grad():
        for place in range(0, len(chosen_photographs), 16):
            squares = [square(opened(one.path)) for one in chosen_photographs[place : place + 16]]
            parts.append(model.features(fronts(model, torch.from_numpy(values(squares)))))
        features = torch.cat(parts)
        model.mean.copy_(features.mean(0))
        spread, axes = torch.linalg.eigh(torch.cov(features.T))
        spread, axes = spread[-DIMENSIONS:], axes[:, -DIMENSIONS:]
        model.head.weight.copy_((axes / (spread + 0.1 * spread.mean()).sqrt()).T / math.sqrt(DIMENSIONS))
        model.head.bias.zero_()


def started(source: str, chosen_photographs: list[Photograph]) -> Embedder:
    """The model to begin with: of the published backbone, or of a file of weights that this program wrote."""
    model = Embedder()
    if source == "published":
        model.load_state_dict(model.state_dict() | published())
        model = model.to(memory_format=torch.channels_last)
        started_head(model, chosen_photographs[: FEATURES // 2])
    else:
        model.load_state_dict(torch.load(source, weights_only=True))
    return model.to(memory_format=torch.channels_last)


def neighbours(model: Embedder, training: list[Photograph], recipe: Recipe) -> list[list[int]]:
    """Of each photograph the numbers of those nearest to it, nearest first."""
    with torch.no_grad():
        parts = []
        for place in range(0, len(training), 16):
            squares = [square(opened(one.path)) for one in training[place : place + 16]]
            parts.append(model.tail(fronts(model, torch.from_numpy(values(squares)))))
        vectors = torch.cat(parts)
        cosines = vectors @ vectors.T
        cosines[cosines > recipe.copy_cosine] = -1
        return cosines.topk(recipe.neighbours, dim=1).indices.tolist()


def trained_parts(model: Embedder) -> tuple[list[Tensor], list[Tensor]]:
    """What is trained, of the body and of the head; the rest is frozen."""
    model.requires_grad_(False)
    body = [*model.blocks[FIRST_TRAINED:].parameters(), *model.last.parameters()]
    head = list(model.head.parameters())
    for part in (*body, *head):
        part.requires_grad_(True)
    return body, head


def rate(step: int, done: float) -> float:
    """The share of the learning rates at a step: up in 20 steps, down along a cosine to a twentieth at `done` 1."""
    return min(1.0, (step + 1) / 20) * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a temporary file and rename it: a checkpoint is complete, or the previous one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def train(training: list[Photograph], out: Path, source: str, recipe: Recipe, stop_s: float) -> Embedder:
    """Trains, with a line for every tenth step, and gives the model with averaged weights.

    Ends before the steps are done once `stop_s` of seconds are over, or where the file DIR/stop exists.
    """
    begun = time.monotonic()
    mixture = recipe.mixture
    checkpoint = out / "checkpoint.pt"
    saved = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None
    model = started(source, training) if saved is None else Embedder().to(memory_format=torch.channels_last)
    body, head = trained_parts(model)
    optimizer = torch.optim.AdamW([{"params": body}, {"params": head}], weight_decay=recipe.decay)
    first = 0
    if saved is not None:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    average = {name: part.clone() for name, part in (saved["average"] if saved else model.state_dict()).items()}
    alike: list[list[int]] | None = saved.get("alike") if saved else None
    head_steps = recipe.head_steps if source == "published" else 0
    for step in range(first, recipe.steps):
        if alike is None and step >= recipe.alike_from:
            alike = neighbours(model, training, recipe)
        numbers = chosen(step, len(training), mixture.photographs, recipe.seed, alike)
        seen: Batch = batch(step, recipe.seed, mixture, numbers, lambda number: opened(training[number].path))
        maps = fronts(model, torch.from_numpy(values(seen.squares)))
        origins = torch.tensor(seen.origins)
        share = rate(step, min(1.0, max(step / recipe.steps, (time.monotonic() - begun) / stop_s)))
        for group, full in zip(optimizer.param_groups, (recipe.body_rate, recipe.head_rate), strict=True):
            group["lr"] = full * share
        if step < head_steps:
            optimizer.param_groups[0]["lr"] = 0.0
            with torch.no_grad():
                features = model.features(maps)
            vectors = functional.normalize(model.head(features), dim=1)
        else:
            vectors = model.tail(maps)
        info, koleo = loss_of(vectors, origins, seen.pairs, recipe)
        optimizer.zero_grad()
        (info + recipe.koleo * koleo).backward()
        optimizer.step()
        keep = min(recipe.averaging, (step + 1) / (step + 10))
        for name, part in model.state_dict().items():
            average[name].lerp_(part, 1 - keep)
        if step % 10 == 0:
            spent = time.monotonic() - begun
            print(f"{step} InfoNCE {info.item():.3f} KoLeo {koleo.item():.3f} {spent:.0f} s", flush=True)
        over = time.monotonic() - begun > stop_s or (out / "stop").exists()
        if over or (step + 1) % EVERY == 0 or step + 1 == recipe.steps:
            state = {"model": model.state_dict(), "average": average, "optimizer": optimizer.state_dict()}
            save(checkpoint, state | {"alike": alike, "step": step + 1})
        if over:
            break
    model.load_state_dict(average)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs to train on; one in ten only measures")
    parser.add_argument("--out", type=Path, required=True, help="where checkpoint.pt and weights.pt go")
    parser.add_argument("--from", dest="source", default="published", help="published, or a weights.pt to go on from")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so long, whatever is reached")
    parser.add_argument("--rate", type=float, default=1.0, help="learning rates, as a factor of the recipe's")
    parser.add_argument("--sources", type=Path, help="JSON: where the photographs are from, by the prefixes of names")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(Recipe.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    found = photographs(given.folder)
    training = [one for one in found if not one.held_out]
    needed = Recipe().mixture.photographs
    if len(training) < needed:
        parser.error(f"{len(training)} photographs to train on in {given.folder}; at least {needed} are needed")
    unknown = [{"prefix": "", "name": "not given", "address": "", "licence": "not given"}]
    sources = json.loads(given.sources.read_text("utf-8")) if given.sources else unknown
    (given.out / "photographs.json").write_text(listing(found, sources), "utf-8")
    rates = {"body_rate": Recipe.body_rate * given.rate, "head_rate": Recipe.head_rate * given.rate}
    recipe = Recipe(steps=given.steps, **rates)
    model = train(training, given.out, given.source, recipe, given.seconds)
    save(given.out / "weights.pt", {name: part.contiguous() for name, part in model.state_dict().items()})


if __name__ == "__main__":
    main()
