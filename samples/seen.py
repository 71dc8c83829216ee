"""A picture as the program has it when it compares two: its facts, its hash and its view."""

import cv2
import numpy as np

from index.imaging.candidates.perceptual_hash import hash_grey, rows_of
from index.imaging.candidates.search.hash_index import HashIndex
from index.imaging.decoding import pictures
from index.imaging.decoding.pictures import Limits

HSIZE = 16


class Seen:
    """A picture as the index and the verifier have it."""

    def __init__(self, data: bytes) -> None:
        decoded = pictures.decode(data, Limits())
        self.facts = decoded.facts
        self.rows = rows_of(hash_grey(decoded.grey, decoded.box), HSIZE)
        view = np.frombuffer(pictures.preview(data, Limits()), np.uint8)
        self.view = np.asarray(cv2.imdecode(view, cv2.IMREAD_COLOR_RGB), np.uint8)

    def distance(self, other: "Seen") -> tuple[int, int]:
        index = HashIndex(HSIZE)
        index.extend(np.stack([self.rows, other.rows]))
        proposed = next(iter(index.pairs(1, HSIZE * HSIZE)))
        return int(proposed.distance[0]), int(proposed.turn[0])
