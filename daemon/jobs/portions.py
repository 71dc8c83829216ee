"""The steps of a batch in portions, each of which is checked and done between two commits."""

from collections.abc import Iterator, Sequence
from typing import Final

from daemon.jobs.naming import is_same_stem
from index.records.batches import Step

# Steps between two commits: enough that the disk is not waited for at each, few enough to be checked just before.
AT_A_TIME: Final = 16
# Where many images have one stem ("scan.001" and so on), which would otherwise stay together.
MOST_AT_A_TIME: Final = 8 * AT_A_TIME


def portions(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Some steps at a time, those that go with an image in one portion with it, and images of one stem together."""
    portion: list[Step] = []
    image: Step | None = None
    for step in steps:
        if step.companion_of is None:
            is_apart = image is None or not is_same_stem(image, step) or len(portion) >= MOST_AT_A_TIME
            if len(portion) >= AT_A_TIME and is_apart:
                yield portion
                portion = []
            image = step
        portion.append(step)
    if portion:
        yield portion
