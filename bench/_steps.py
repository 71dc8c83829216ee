"""What runs in a decoding process when bench.decode measures: the bare loop, and the steps of indexing one by one."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from index.imaging.candidates.perceptual_hash import hash_grey
from index.imaging.decoding import facts, pictures
from index.imaging.decoding.pictures import Limits

TIMES = 5


def decode_all(paths: Sequence[bytes]) -> None:
    """The limit: open each file and decode it at the scale that indexing uses, and nothing else."""
    for path in paths:
        with Image.open(path) as image:
            image.draft("L", (pictures.DRAFT_SIDE, pictures.DRAFT_SIDE))
            image.load()


def steps_us(paths: Sequence[bytes]) -> dict[str, float]:
    """The minimum of each step over several runs, in microseconds, on average over some files."""
    datas = [pictures.read(path)[0] for path in paths]
    decoded = [pictures.decode(data, Limits()) for data in datas]
    return {
        "bare": _mean_us(lambda path: decode_all([path]), paths),
        "read": _mean_us(pictures.read, paths),
        "digest": _mean_us(pictures.digest, datas),
        "header": _mean_us(_header, datas),
        "decode": _mean_us(lambda data: pictures.decode(data, Limits()), datas),
        "hash": _mean_us(lambda picture: hash_grey(picture.grey, picture.box), decoded),
    }


def _header(data: bytes) -> None:
    with pictures.opened(data, Limits()) as image:
        facts.facts_of(image)


def _mean_us(step: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    return 1e6 * statistics.mean(min(_seconds(step, argument) for _ in range(TIMES)) for argument in arguments)


def _seconds(step: Callable[[Any], object], argument: Any) -> float:
    start_s = time.perf_counter()
    step(argument)
    return time.perf_counter() - start_s
