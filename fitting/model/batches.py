"""What one step of training sees: pairs of copies, and pictures that look like them and are not.

A step is made from its number and the seed alone, so that a training that was interrupted goes on as if it were not.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fitting.model.alterations import Picture, altered, gently_altered
from fitting.model.lookalikes import halves, near_view, receipts, screens
from fitting.model.preparation import varied_square


@dataclass(frozen=True)
class Mixture:
    """How many of each a step has. `split` photographs give two pairs each; `drawn` is for receipts and for screens."""

    whole: int = 34
    split: int = 3
    drawn: int = 2
    near: int = 8

    @property
    def pairs(self) -> int:
        return self.whole + 2 * self.split + 2 * self.drawn

    @property
    def photographs(self) -> int:
        return self.whole + self.split


@dataclass
class Batch:
    """Squares: first pairs of copies, 2n and 2n + 1; then, from 2 * `pairs` on, near views that are copies of none.

    `origins` names the photograph of each; two halves have the same, and drawn pictures have numbers below 0.
    """

    pairs: int
    squares: list[Picture] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)

    def add_pair(self, im: Picture, origin: int, rng: random.Random) -> None:
        one = im if rng.random() < 0.5 else gently_altered(im, rng)
        self.squares += [varied_square(one, rng), varied_square(altered(im, rng), rng)]
        self.origins += [origin, origin]


def chosen(step: int, count: int, each: int, seed: int, neighbours: Sequence[Sequence[int]] | None = None) -> list[int]:
    """The numbers, of `count`, of the `each` photographs of a step: all once, in an order of chance, then again.

    With `neighbours`, those that look most like a photograph follow it, and so share its step.
    """
    result: list[int] = []
    orders: dict[int, list[int]] = {}
    for place in range(step * each, (step + 1) * each):
        turn = place // count
        if turn not in orders:
            orders[turn] = ordered(random.Random(f"{seed} order {turn}"), count, neighbours)
        result.append(orders[turn][place % count])
    return result


def ordered(rng: random.Random, count: int, neighbours: Sequence[Sequence[int]] | None) -> list[int]:
    """All numbers below `count` by chance, each followed by its neighbours that had not come before."""
    order = list(range(count))
    rng.shuffle(order)
    if neighbours is None:
        return order
    return list(dict.fromkeys(number for first in order for number in (first, *neighbours[first])))


def batch(
    step: int, seed: int, mixture: Mixture, photographs: Sequence[int], picture: Callable[[int], Picture]
) -> Batch:
    """The batch of a step. `photographs` are the numbers of its photographs; `picture` opens one."""
    rng = random.Random(f"{seed} step {step}")
    result = Batch(mixture.pairs)
    pictures = [picture(number) for number in photographs]
    for im, number in zip(pictures[: mixture.whole], photographs, strict=False):
        result.add_pair(im, number, rng)
    for im, number in zip(pictures[mixture.whole :], photographs[mixture.whole :], strict=True):
        for half in halves(im, rng):
            result.add_pair(half, number, rng)
    # Numbers below 0 for pictures other than photographs, each once.
    drawn = [*receipts(rng, mixture.drawn), *screens(rng, mixture.drawn, pictures[0])]
    for place, im in enumerate(drawn):
        result.add_pair(im, -1 - step * len(drawn) - place, rng)
    for place in range(mixture.near):
        near = near_view(pictures[place], pictures[(place + 1) % len(pictures)], rng)
        result.squares.append(varied_square(near, rng))
        result.origins.append(photographs[place])
    return result
