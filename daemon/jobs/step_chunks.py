"""Splits the steps of a batch into chunks, each of which is checked and done between two commits."""

from collections.abc import Iterator, Sequence
from typing import Final

from daemon.jobs.target_names import is_same_stem
from index.database.records.batches import Step

# Steps between two commits: enough to save syncs, few enough to be checked just before they are done.
CHUNK_STEPS: Final = 16
# The limit for images of one stem ("scan.001" and so on), which otherwise stay together.
MOST_CHUNK_STEPS: Final = 8 * CHUNK_STEPS


def step_chunks(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Chunks of steps. Companion steps are in the chunk of their image, and images of one stem are in one chunk."""
    chunk: list[Step] = []
    image: Step | None = None
    for step in steps:
        if step.companion_of is None:
            is_apart = image is None or not is_same_stem(image, step) or len(chunk) >= MOST_CHUNK_STEPS
            if len(chunk) >= CHUNK_STEPS and is_apart:
                yield chunk
                chunk = []
            image = step
        chunk.append(step)
    if chunk:
        yield chunk
