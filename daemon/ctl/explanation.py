"""Why two files are duplicates or not: the gates of a detection, one after the other, on these two alone.

Runs in the process that asks, on files the user names: no index, no worker.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from daemon.processes.judging import judge_framed, placed_by_frame, placed_in_views
from index.candidates.features import describe
from index.candidates.fingerprint import hamming, hash_grey, rows_of
from index.candidates.framing import Map
from index.candidates.parts import part_hashes, part_tolerance, separate
from index.candidates.search import HashIndex
from index.errors import PictureError, UsageError
from index.images import pictures
from index.model import TURNS, Kind, Turn, default_tolerance
from index.records.catalogue import display
from index.verification.evidence import of_same_pixels, sentence
from index.verification.verify import prepare

MEANINGS = {
    "bytes": "the files hold the same bytes",
    "pixels": "the files decode to the same pixels",
    "hash": "bits in which the perceptual hashes differ, in the best of 8 turns; more than the limit is no candidate",
    "part": "the same, unturned, between one picture and a part of the other: in a frame, levelled, nine tenths of it",
    "aligned": "one can be laid over the other at all",
    "texture": "blocks with enough texture to be compared",
    "contained": "share of one picture that the other shows too",
    "exclusive": "share of a picture that the other does not show, where neither is a part of the other",
    "correlation": "median correlation of the blocks",
    "different": "share of the blocks that show something else (one place may: a stamp, a caption)",
    "readable": "share of the detail of a drawing or text that is lost in the smaller, where another may hide",
    "detail": "share of the blocks of a drawing or text that show something else, at a finer scale",
    "witnesses": "blocks whose details could be measured: asked for where no hash speaks for the pair",
    "registration": "pixels by which details are shifted against each other: copies fall on each other",
    "frames": "frames or pages of the one, of which only the first is compared, for those of the other",
    "capture": "share of the time and the camera, where both files tell, that is the same (noise can overrule)",
    "inside": "1 where what lies inside the frames of both is the same picture by itself",
    "exposure": "agreement of the noise: about 1 in a copy, less between two exposures of one scene",
}


def explain(first: bytes, second: bytes, hsize: int, tolerance: int | None) -> dict[str, Any]:
    """The verdict with every gate. Raises UsageError where a file cannot be read as a picture."""
    limits = pictures.Limits()
    limit = default_tolerance(hsize) if tolerance is None else tolerance
    read = [_read(path, limits) for path in (first, second)]
    datas, decoded, views = zip(*read, strict=True)
    facts = decoded[0].facts, decoded[1].facts
    gates = []
    same_bytes = datas[0] == datas[1]
    gates.append(_gate("bytes", int(same_bytes), 1, same_bytes))
    same_pixels = same_bytes or (
        (facts[0].width, facts[0].height) == (facts[1].width, facts[1].height)
        and (digests := [pictures.pixel_digest(data, limits) for data in datas])[0] == digests[1] != b""
    )
    gates.append(_gate("pixels", int(same_pixels), 1, same_pixels))
    index = HashIndex(hsize)
    index.extend(np.stack([rows_of(hash_grey(one.grey, one.box), hsize) for one in decoded]))
    pairs = next(iter(index.pairs(1, hsize * hsize)))
    distance, turn = int(pairs.distance[0]), TURNS[pairs.turn[0]]
    gates.append(_gate("hash", distance, limit, distance <= limit))
    hint = turn if distance <= limit else None
    placed: tuple[Map, ...] | None = None
    one, other = (prepare(_pixels(view)) for view in views)
    if hint is None:
        by_part, most_by_part = _distance_of_parts(decoded, hsize), part_tolerance(limit)
        gates.append(_gate("part", by_part, most_by_part, by_part <= most_by_part))
        if by_part <= most_by_part:
            hint, placed = Turn.NONE, placed_by_frame(one, other)
        else:
            placed = placed_in_views(one, other, describe(one.grey), describe(other.grey))
    said = judge_framed(one, other, facts, hint, placed)
    gates += [_gate(gate.name, gate.value, gate.limit, gate.passed) for gate in said.gates]
    kind = Kind.EXACT if same_bytes else Kind.PIXELS if same_pixels else said.kind
    evidence = of_same_pixels(*facts) if same_pixels else said.evidence
    proposed = same_pixels or hint is not None
    return {
        "verdict": _verdict(kind, proposed),
        "kind": kind,
        "proposed_by_hash": proposed,
        "distance": distance,
        "turn": str(Turn.NONE if same_pixels else said.turn),
        "evidence": evidence,
        "sentence": {language: sentence(evidence, language) for language in ("en", "fr")} if kind else {},
        "gates": gates,
    }


def _read(path: bytes, limits: pictures.Limits) -> tuple[bytes, pictures.Decoded, bytes]:
    """The bytes of a file, what decoding tells, its view."""
    try:
        data = pictures.read(path)[0]
        return data, pictures.decode(data, limits), pictures.view(data, limits)
    except PictureError as error:
        raise UsageError(f"{display(path)} cannot be compared: {error.message}.") from error


def _distance_of_parts(decoded: Sequence[pictures.Decoded], hsize: int) -> int:
    """The least distance between the whole of one picture and a part of the other."""
    wholes = [hash_grey(one.grey, one.box).bits[hsize] for one in decoded]
    parts = [part_hashes(one.grey, one.box).values() for one in decoded]
    pairs = [(wholes[k], bits) for k in (0, 1) for part in parts[1 - k] for bits in separate(part.bits[hsize], hsize)]
    size = hsize * hsize // 8
    return min(int(hamming(*(np.frombuffer(bits, np.uint8, size) for bits in pair))) for pair in pairs)


def _gate(name: str, value: float, limit: float, passed: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": limit, "passed": bool(passed), "meaning": MEANINGS[name]}


def _verdict(kind: Kind | None, proposed: bool) -> str:
    if kind is None:
        return "not duplicates"
    if not proposed:
        return f"{kind}, but too far apart for their hashes to propose them"
    return str(kind)


def _pixels(view: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(view, np.uint8), cv2.IMREAD_COLOR_RGB)
