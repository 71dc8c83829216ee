"""Explains why two files are duplicates or not: applies the gates of a detection to them, one by one.

Runs in the process of the command, on files that the user names, without an index. Only a model runs in a worker.
"""

import os
import tempfile
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from daemon.processes.model_task import EmbedTask, ModelTask, check_model, embed_preview
from daemon.processes.verify_task import (
    transforms_by_frame,
    transforms_in_previews,
    verify_inside_frames,
    verify_on_black,
)
from daemon.processes.worker_pool import WorkerLimits, WorkerPool
from index.errors import PictureError, UsageError
from index.imaging.candidates.border_detection import Map
from index.imaging.candidates.crop_hashes import crop_hashes, crop_tolerance, separate
from index.imaging.candidates.features.descriptors import describe
from index.imaging.candidates.perceptual_hash import hamming, hash_grey, rows_of
from index.imaging.candidates.search.hash_index import HashIndex
from index.imaging.decoding import pictures
from index.imaging.decoding.pixel_digest import pixel_digest
from index.imaging.embedding.vectors import cosines
from index.imaging.verification.edit_evidence import of_same_pixels, sentence
from index.imaging.verification.file_facts import kind_of_same_pixels
from index.imaging.verification.verify import prepare
from index.messages import LANGUAGES, Message
from index.model import TURNS, Kind, Turn, default_tolerance
from index.paths import display


def explain(
    first: bytes, second: bytes, hsize: int, tolerance: int | None, model: ModelTask | None = None
) -> dict[str, Any]:
    """The verdict with every gate, including that of a model if one is given. Raises UsageError if a file cannot be
    read as a picture, and PictureError if the model fails."""
    limits = pictures.Limits()
    limit = default_tolerance(hsize) if tolerance is None else tolerance
    read = [_read(path, limits) for path in (first, second)]
    datas, decoded, previews = zip(*read, strict=True)
    facts = decoded[0].facts, decoded[1].facts
    gates = []
    same_bytes = datas[0] == datas[1]
    gates.append(_gate("bytes", int(same_bytes), 1, same_bytes))
    same_pixels = same_bytes or (
        (facts[0].width, facts[0].height) == (facts[1].width, facts[1].height)
        and (digests := [pixel_digest(data, limits) for data in datas])[0] == digests[1] != b""
    )
    gates.append(_gate("pixels", int(same_pixels), 1, same_pixels))
    index = HashIndex(hsize)
    index.extend(np.stack([rows_of(hash_grey(picture.grey, picture.box), hsize) for picture in decoded]))
    pairs = next(iter(index.pairs(1, hsize * hsize)))
    distance, turn = int(pairs.distance[0]), TURNS[pairs.turn[0]]
    gates.append(_gate("hash", distance, limit, distance <= limit))
    hint = turn if distance <= limit else None
    cosine, by_model = None, False
    if model is not None:
        cosine, least = _cosine(model, previews)
        by_model = cosine >= least
        gates.append(_gate("model", round(cosine, 4), least, by_model))
    placed: tuple[Map, ...] | None = None
    picture, other_picture = (prepare(_pixels(preview)) for preview in previews)
    if hint is None:
        by_part, most_by_part = _distance_of_parts(decoded, hsize), crop_tolerance(limit)
        gates.append(_gate("part", by_part, most_by_part, by_part <= most_by_part))
        if by_part <= most_by_part:
            hint, placed = Turn.NONE, transforms_by_frame(picture, other_picture)
        elif not by_model:
            placed = transforms_in_previews(
                picture, other_picture, describe(picture.grey), describe(other_picture.grey)
            )
    judgement = verify_inside_frames(picture, other_picture, facts, hint, placed)
    if judgement.kind is Kind.NEAR and all(file.transparent for file in facts):
        on_black = [prepare(_pixels(pictures.preview(data, limits, pictures.BLACK))) for data in datas]
        judgement = verify_on_black(judgement, on_black[0], on_black[1], facts, placed)
    gates += [_gate(gate.name, gate.value, gate.limit, gate.passed) for gate in judgement.gates]
    kind = Kind.EXACT if same_bytes else kind_of_same_pixels(*facts) if same_pixels else judgement.kind
    evidence = of_same_pixels(*facts) if same_pixels else judgement.evidence
    if cosine is not None:
        evidence = {**evidence, "cosine": round(cosine, 4)} if kind else evidence
    proposed = same_pixels or hint is not None
    return {
        "verdict": _verdict(kind, proposed or by_model),
        "kind": kind,
        "proposed_by_hash": proposed,
        "distance": distance,
        "turn": str(Turn.NONE if same_pixels else judgement.turn),
        "evidence": evidence,
        "sentence": {language: sentence(evidence, language) for language in LANGUAGES} if kind else {},
        "gates": gates,
    }


def _cosine(model: ModelTask, previews: Sequence[bytes]) -> tuple[float, float]:
    """The cosine of two pictures by a model, which runs in its own process, and the lowest cosine for a proposal."""
    with tempfile.TemporaryDirectory(prefix="comparimg-") as folder, WorkerPool(1, WorkerLimits()) as pool:
        least, vectors = pool.call(check_model, model).limits.first, []
        for number, preview in enumerate(previews):
            view = os.path.join(folder, f"{number}.jpg")
            with open(view, "xb") as file:
                file.write(preview)
            vectors.append(np.frombuffer(pool.call(embed_preview, EmbedTask(model, view)), np.int8))
    return float(cosines(vectors[0][None], vectors[1])[0]), least


def _read(path: bytes, limits: pictures.Limits) -> tuple[bytes, pictures.Decoded, bytes]:
    """The bytes of a file, the decoded picture, its preview."""
    try:
        data = pictures.read(path)[0]
        return data, pictures.decode(data, limits), pictures.preview(data, limits)
    except PictureError as error:
        raise UsageError("ctl.not_comparable", path=display(path), problem=error.message) from error


def _distance_of_parts(decoded: Sequence[pictures.Decoded], hsize: int) -> int:
    """The smallest Hamming distance between one whole picture and a crop of the other."""
    wholes = [hash_grey(picture.grey, picture.box).bits[hsize] for picture in decoded]
    parts = [crop_hashes(picture.grey, picture.box).values() for picture in decoded]
    pairs = [(wholes[k], bits) for k in (0, 1) for part in parts[1 - k] for bits in separate(part.bits[hsize], hsize)]
    size = hsize * hsize // 8
    return min(int(hamming(*(np.frombuffer(bits, np.uint8, size) for bits in pair))) for pair in pairs)


def _gate(name: str, value: float, limit: float, passed: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "limit": limit,
        "passed": bool(passed),
        "meaning": str(Message(f"gate.{name}")),
    }


def _verdict(kind: Kind | None, proposed: bool) -> str:
    if kind is None:
        return "not duplicates"
    if not proposed:
        return f"{kind}, but too far apart for their hashes to propose them"
    return str(kind)


def _pixels(preview: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(preview, np.uint8), cv2.IMREAD_COLOR_RGB)
