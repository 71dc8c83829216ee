"""PURE: two pictures -> is it the same picture, how sure, and the evidence.

The pictures are aligned and compared block by block. The same picture agrees nearly everywhere, and its details fall on
each other, however it was encoded, brightened, cropped or framed; bursts, re-filled forms and screens in another
language agree in many places and differ in many others. What differs in one place or two only, such as stamps and
captions, is reported and accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from index.imaging.verification import transforms
from index.imaging.verification.alignment import FRAME, Aligned, Prepared, alignment_hypotheses, prepare
from index.imaging.verification.coarse_gates import coarse_gates, is_graphic, is_only_stamped
from index.imaging.verification.colours import Colours
from index.imaging.verification.edit_evidence import reversed_evidence
from index.imaging.verification.edit_report import describe_edits
from index.imaging.verification.fine_alignment import align_finely
from index.imaging.verification.fine_gates import fine_gates
from index.imaging.verification.gate_thresholds import FINE_SCALE, POSSIBLE, Gate, Possible
from index.imaging.verification.places import Place
from index.imaging.verification.reasons import reason
from index.imaging.verification.sensor_noise import Noise, noise
from index.imaging.verification.sharpness import Sharpness
from index.imaging.verification.transforms import Map
from index.model import Facts, Kind, Turn

__all__ = ["Gate", "Judgement", "Prepared", "judge", "prepare"]

# Formats that have few colours.
PALETTES: Final = frozenset(("GIF",))


@dataclass(frozen=True, slots=True)
class Judgement:
    """`kind` is NEAR, POSSIBLE or None; the turn and the evidence lead from the first picture to the second."""

    kind: Kind | None
    confidence: float
    turn: Turn
    evidence: dict[str, Any]
    gates: tuple[Gate, ...]


def judge(
    first: Prepared,
    second: Prepared,
    facts_first: Facts,
    facts_second: Facts,
    hint: Turn | None,
    initial: Sequence[Map] | None = None,
) -> Judgement:
    """Whether two pictures are the same.

    `hint` is the turn that the hashes suggest, None where no hash proposes the pair. `initial` are approximate maps
    from pixels of the first to pixels of the second, from a border or from local features: empty where these suggest
    none, None where they were not asked.

    The order of the pictures does not matter: exchanged, they get the same judgement with its evidence reversed.
    """
    if first.comes_before(second):
        inverse = (
            None if initial is None else [back for over in initial if (back := transforms.inverted(over)) is not None]
        )
        judgement = _judge(second, first, facts_second, facts_first, hint.inverse if hint else None, inverse)
        return replace(judgement, turn=judgement.turn.inverse, evidence=reversed_evidence(judgement.evidence))
    return _judge(first, second, facts_first, facts_second, hint, initial)


def _judge(
    first: Prepared,
    second: Prepared,
    facts_first: Facts,
    facts_second: Facts,
    hint: Turn | None,
    initial: Sequence[Map] | None,
) -> Judgement:
    best = _best_hypothesis(first, second, hint, initial)
    if best is None:
        gate = Gate("aligned", 0.0, 1.0, passed=False)
        return Judgement(None, 0.0, hint or Turn.NONE, {}, (gate,))
    graphic = is_graphic(first, second)
    similarity, of_noise, of_sharpness, of_colours = best.similarity, Noise(), Sharpness(), Colours()
    places: tuple[Place, ...] = ()
    if similarity.median < FINE_SCALE.min_median or similarity.different_share > FINE_SCALE.max_different:
        gates = coarse_gates(best, graphic=graphic)
    else:
        facts = (facts_first, facts_second)
        palette = any(file.format in PALETTES for file in facts)
        # In less than the frame, the colours of a JPEG are too coarse to be compared.
        coloured = all(max(file.width, file.height) >= FRAME for file in facts)
        fine = align_finely(best, first, second, palette=palette, coloured=coloured)
        best = fine.coarse
        gates = coarse_gates(best, graphic=graphic)
        if all(gate.passed for gate in gates):
            of_noise, of_sharpness = noise(fine.first, fine.second, fine.where), fine.sharpness
            gates += fine_gates(fine, facts, of_noise, graphic=graphic, by_hash=hint is not None)
            places, of_colours = fine.places, fine.colours
    kind = _kind(best, gates, POSSIBLE)
    if kind is None:
        return Judgement(None, 0.0, best.turn, {}, gates)
    turn, evidence = describe_edits(best, first, second, facts_first, facts_second, of_noise, of_sharpness, of_colours)
    damaged = bool(facts_first.damage or facts_second.damage)
    if kind is Kind.POSSIBLE and (why := reason(gates, places, graphic=graphic, damaged=damaged)):
        evidence["reason"] = why
    if places and "changed" not in evidence:
        evidence["changed"] = round(max(0.001, sum(place.share for place in places)), 3)
    return Judgement(kind, _confidence(best, kind), turn, evidence, gates)


def _best_hypothesis(
    first: Prepared, second: Prepared, hint: Turn | None, initial: Sequence[Map] | None
) -> Aligned | None:
    best: Aligned | None = None
    for aligned in alignment_hypotheses(first, second, hint, initial):
        if best is None or aligned.score > best.score:
            best = aligned
        if best.settled:
            break
    return best


def _kind(aligned: Aligned, gates: tuple[Gate, ...], limits: Possible) -> Kind | None:
    """The verdict of the gates: NEAR if all pass, POSSIBLE if only what a person should look at fails."""
    passed = {gate.name: gate.passed for gate in gates}
    if all(passed.values()):
        return Kind.NEAR
    similarity = aligned.similarity
    if "registration" in passed:
        # Everything but the fine detail agrees.
        return Kind.POSSIBLE
    if not passed["contained"]:
        return None
    if not passed["texture"]:
        return Kind.POSSIBLE if similarity.textured == 0 or similarity.median >= limits.min_median else None
    few = similarity.different_share <= limits.max_different or is_only_stamped(similarity)
    return Kind.POSSIBLE if similarity.median >= limits.min_median and few else None


def _confidence(aligned: Aligned, kind: Kind) -> float:
    """From 0 to 1, falling with what differs; at most 0.5 for what is only possible."""
    similarity = aligned.similarity
    sure = float(np.clip(similarity.median, 0, 1)) * (1 - similarity.different_share)
    return round(sure if kind is Kind.NEAR else min(0.5, sure / 2), 4)
