"""Bends: a flat thing photographed twice has two forms, and a copy that was cut, framed, turned or resized has one."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from index.imaging.verification.alignment import align
from index.imaging.verification.bends import BENDS, bent_px
from index.imaging.verification.fine_alignment import align_finely
from index.imaging.verification.fine_gates import bends, witnesses
from index.imaging.verification.gate_thresholds import WITNESSES
from index.imaging.verification.sensor_noise import Noise
from index.imaging.verification.verify import Prepared, judge, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph

HEIGHT, WIDTH = 360, 480
POINTS = np.array([(x, y) for y in range(16, HEIGHT, 32) for x in range(16, WIDTH, 32)], np.float64)
# Of a quality at which noise is not compared.
FILE = Facts("JPEG", WIDTH, HEIGHT, jpeg_quality=70)
CORNERS = np.array(((0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)), np.float32)


def similarity(degrees: float, scale: float) -> np.ndarray:
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return np.array(((c, -s, 30.0), (s, c, -20.0), (0, 0, 1)))


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (3, 0.5), (-90, 1.7), (180, 1)])
def test_what_shifts_turns_and_resizes_bends_nothing(degrees: float, scale: float) -> None:
    for stretched in (False, True):
        assert bent_px(similarity(degrees, scale), None, POINTS, stretched=stretched) == pytest.approx(0, abs=1e-9)


def test_a_stretch_is_a_bend_only_where_none_is_expected() -> None:
    wider = np.diag((1.01, 1.0, 1.0))
    assert bent_px(wider, None, POINTS, stretched=False) > 0.5
    assert bent_px(wider, None, POINTS, stretched=True) == pytest.approx(0, abs=1e-9)


def test_a_clear_stretch_is_no_bend() -> None:
    assert bent_px(np.diag((1.2, 1.0, 1.0)), None, POINTS, stretched=False) == pytest.approx(0, abs=1e-9)


def test_perspective_and_what_was_added_to_the_map_bend() -> None:
    seen = cv2.getPerspectiveTransform(CORNERS, CORNERS + np.array(((4, 0), (0, 0), (0, 0), (0, 0)), np.float32))
    assert bent_px(seen, None, POINTS, stretched=True) > 0.3
    curve = np.zeros((2, HEIGHT, WIDTH), np.float32)
    curve[0] = 2 * np.linspace(-1, 1, WIDTH) ** 2
    assert bent_px(np.eye(3), curve, POINTS, stretched=True) > 0.3
    # In pixels of the coarser picture: of half the size, half as far.
    half = bent_px(np.diag((2.0, 2.0, 1.0)), curve, POINTS, stretched=True)
    twice = bent_px(np.diag((0.5, 0.5, 1.0)), curve, POINTS, stretched=True)
    assert half == pytest.approx(bent_px(np.eye(3), curve, POINTS, stretched=True) / 2, rel=1e-3)
    assert twice == pytest.approx(2 * half, rel=1e-3)


def test_few_places_say_nothing_of_a_form() -> None:
    assert bent_px(np.diag((1.1, 1.0, 1.0)), None, POINTS[:5], stretched=False) == 0
    assert bent_px(np.zeros((3, 3)), None, POINTS, stretched=False) == 0


def picture(over: np.ndarray, seed: int) -> Prepared:
    """The middle of a photograph, softened, with grain of its own."""
    seen = cv2.warpPerspective(np.asarray(photograph(4, WIDTH, HEIGHT), np.float32), over, (WIDTH, HEIGHT))
    soft = cv2.GaussianBlur(seen, (0, 0), 1)[36:-36, 48:-48]
    grain = np.random.default_rng(seed).normal(0, 1.5, soft.shape)
    return prepare(np.clip(soft + grain, 0, 255).astype(np.uint8))


def test_another_view_of_a_flat_thing_is_possible_at_most() -> None:
    moved = CORNERS + np.array(((6, 2), (-3, 4), (0, 0), (2, -3)), np.float32)
    whole = prepare(np.asarray(photograph(4, WIDTH, HEIGHT)))
    same, other = (
        judge(whole, picture(over, 5), FILE, FILE, None)
        for over in (np.eye(3), cv2.getPerspectiveTransform(CORNERS, moved))
    )
    assert same.kind is Kind.NEAR
    assert other.kind is Kind.POSSIBLE
    assert "bends" in {gate.name for gate in other.gates if not gate.passed}
    assert other.evidence["reason"] == "exposure"


def test_where_a_hash_proposes_the_pair_only_those_are_asked_that_no_fine_detail_supports() -> None:
    view = prepare(np.asarray(photograph(4, WIDTH, HEIGHT)))
    grey = view.frame(320)
    fine = align_finely(align(Turn.NONE, grey, grey, np.eye(3)), view, view)
    for by_hash, coherence, compared, asked in (
        (False, 0.9, False, True),
        (False, 0.0, True, False),
        (True, 0.0, False, True),
        (True, 0.5, False, False),
    ):
        gates = bends(fine, Noise(coherence=coherence), BENDS, by_hash=by_hash, noise_compared=compared)
        assert [(gate.name, gate.passed) for gate in gates] == [("bends", True)] * asked


def test_a_stretched_copy_needs_details_that_were_measured() -> None:
    view = prepare(np.asarray(photograph(4, WIDTH, HEIGHT)))
    grey = view.frame(320)
    fine = align_finely(align(Turn.NONE, grey, grey, np.eye(3)), view, view)
    none = replace(fine, registration=replace(fine.registration, blocks=0))
    wider = replace(none, coarse=replace(fine.coarse, transform=np.diag((1.2, 1.0, 1.0))))
    assert witnesses(none, WITNESSES, by_hash=True) == ()
    (gate,) = witnesses(wider, WITNESSES, by_hash=True)
    assert not gate.passed
    assert witnesses(replace(wider, registration=fine.registration), WITNESSES, by_hash=True) == ()
