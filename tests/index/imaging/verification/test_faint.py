"""What is faint: two plain pictures may share lines that cross, and are copies only if their shading agrees as well."""

import cv2
import numpy as np

from index.imaging.verification.alignment import align
from index.imaging.verification.faint import FAINT, faint_agreement
from index.imaging.verification.fine_alignment import align_finely
from index.imaging.verification.fine_gates import faint
from index.imaging.verification.sensor_noise import Noise
from index.imaging.verification.verify import Judgement, judge, prepare
from index.model import Facts, Kind, Turn

HEIGHT, WIDTH = 360, 480
COVERED = np.ones((HEIGHT, WIDTH), bool)
# A stretch and a tilt, as the wrong map of two floors with one pattern has.
OVER = np.array([[1.06, -0.05, 4.0], [0.05, 0.97, -6.0], [0, 0, 1]])
FILE = Facts("JPEG", WIDTH, HEIGHT, jpeg_quality=92)


def shading(seed: int, levels: float = 2.2) -> np.ndarray:
    """Smooth cloth: float32 (height, width) around 0."""
    grain = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    smooth = cv2.GaussianBlur(grain, (0, 0), 4)
    return np.asarray(smooth * (levels / smooth.std()), np.float32)


def plain(seed: int) -> np.ndarray:
    """Smooth cloth with corners on it: the corners are the same for each seed, the cloth and the noise are others."""
    picture = np.full((HEIGHT, WIDTH), 170, np.float32)
    rng = np.random.default_rng(7)
    for _ in range(4):
        middle = rng.uniform(0.15, 0.85, 2) * (WIDTH, HEIGHT)
        corners = middle + rng.uniform(-70, 70, (3, 2))
        cv2.fillPoly(picture, [corners.astype(np.int32)], float(rng.uniform(70, 130)), cv2.LINE_AA)
    noise = np.random.default_rng(seed + 100).normal(0, 1, picture.shape)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7) + shading(seed) + noise, np.float32)


def warped(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.warpPerspective(picture, OVER, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.float32)


def judged(first: np.ndarray, second: np.ndarray) -> Judgement:
    views = [
        prepare(cv2.cvtColor(np.clip(picture, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2RGB))
        for picture in (first, second)
    ]
    return judge(views[0], views[1], FILE, FILE, None, [OVER])


def test_the_shading_of_a_copy_agrees_and_that_of_another_picture_does_not() -> None:
    copy, blocks = faint_agreement(plain(1) * 0.9, plain(1), COVERED)
    other, of_other = faint_agreement(plain(2), plain(1), COVERED)
    assert copy > 0.95
    assert other < 0.3
    assert min(blocks, of_other) > 100


def test_what_is_flat_or_textured_or_only_partly_shown_does_not_count() -> None:
    assert faint_agreement(plain(1) * 0, plain(1) * 0, COVERED) == (0.0, 0)
    assert faint_agreement(shading(1, 60), shading(1, 60), COVERED)[1] == 0
    assert faint_agreement(shading(1)[:15], shading(1)[:15], COVERED[:15]) == (0.0, 0)
    partly = COVERED.copy()
    partly[::16] = False
    assert faint_agreement(shading(1), shading(1), partly)[1] == 0


def test_seams_of_one_pattern_on_other_cloth_are_possible_at_most() -> None:
    same, other = judged(plain(1), warped(plain(1))), judged(plain(1), warped(plain(2)))
    assert same.kind is Kind.NEAR
    assert other.kind is not Kind.NEAR
    failed = [gate for gate in other.gates if not gate.passed]
    assert "faint" in {gate.name for gate in failed}


def test_no_gate_where_a_hash_proposes_the_pair_or_the_finest_detail_agrees() -> None:
    view = prepare(cv2.cvtColor(plain(1).astype(np.uint8), cv2.COLOR_GRAY2RGB))
    grey = view.frame(320)
    fine = align_finely(align(Turn.NONE, grey, grey, np.eye(3)), view, view)
    unsure, sure = Noise(coherence=0.1), Noise(coherence=FAINT.sure_coherence)
    (gate,) = faint(fine, unsure, FAINT, graphic=False, by_hash=False)
    assert gate.passed
    assert not faint(fine, unsure, FAINT, graphic=False, by_hash=True)
    assert not faint(fine, sure, FAINT, graphic=False, by_hash=False)
