"""What the fits on a folder of photographs share: their arguments, and the photographs in two halves."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Sample = TypeVar("Sample")


def wanted_of(description: str | None, pictures: int) -> argparse.Namespace:
    """The arguments of a fit: `folder`, `pictures` (this many if not given) and `write`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=pictures)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def chosen_and_judged(
    samples_of: Callable[[Sequence[Item], str], Iterable[Sample]], found: Sequence[Item]
) -> tuple[list[Sample], list[Sample]]:
    """The samples on which limits are chosen, and those of other photographs, with another seed, that judge them."""
    return list(samples_of(found[::2], "chosen")), list(samples_of(found[1::2], "judged"))
