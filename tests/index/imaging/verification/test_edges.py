"""The edges of two pictures: of a copy and its original only one shows the scene beyond the other."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from index.imaging.verification.edges import EDGES, beyond_each
from index.imaging.verification.reasons import EXPOSURE
from index.imaging.verification.transforms import stretch
from index.imaging.verification.verify import Judgement, judge, prepare
from index.model import Facts, Kind, Turn
from support.pictures import photograph

HEIGHT, WIDTH = 300, 400


def grey(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(40, 220, (HEIGHT, WIDTH)).astype(np.float32)


def moved(x: float, y: float, scale: float = 1.0) -> np.ndarray:
    """The map of a first picture whose corner is at (x, y) of the second."""
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1.0]])


@pytest.mark.parametrize(
    ("over", "width"),
    [
        (moved(0, 0), 0.0),
        (moved(3, 0), 3.0),
        (moved(-3, 2), 3.0),
        # Twice the size: counted in pixels of the coarser.
        (stretch((HEIGHT, WIDTH), (2 * HEIGHT, 2 * WIDTH)) @ moved(3, 0), 3.0),
    ],
)
def test_the_lesser_of_two_widest_strips_is_measured(over: np.ndarray, width: float) -> None:
    first = grey()
    scale = 2 if over[0, 0] == 2 else 1
    second = cv2.resize(first, (scale * WIDTH, scale * HEIGHT), interpolation=cv2.INTER_NEAREST)
    assert beyond_each(first, second, over, None) == pytest.approx(width, abs=0.51)
    back = np.linalg.inv(over)
    assert beyond_each(second, first, back, None) == pytest.approx(width, abs=0.51)


@pytest.mark.parametrize("over", [moved(20, 10, 0.8), moved(-20, -10, 1.2)])
def test_of_a_part_and_the_whole_only_one_reaches_beyond(over: np.ndarray) -> None:
    assert beyond_each(grey(), grey(), over, None) < -8


def test_what_was_corrected_after_the_map_counts() -> None:
    bend = np.zeros((2, HEIGHT, WIDTH), np.float32)
    bend[0] = 3
    assert beyond_each(grey(), grey(), moved(3, 0), bend) == pytest.approx(0, abs=0.01)
    assert beyond_each(grey(), grey(), moved(0, 0), bend) == pytest.approx(3, abs=0.01)


def test_a_quarter_turn_and_a_tilt_about_the_middle_move_no_edge_beyond() -> None:
    quarter = np.array([[0, -1.0, HEIGHT - 1], [1, 0, 0], [0, 0, 1]])
    assert beyond_each(grey(), np.rot90(grey(), -1).copy(), quarter, None) == pytest.approx(0, abs=0.01)
    tilt = np.vstack([cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), 2, 1), [0, 0, 1]])
    assert beyond_each(grey(), grey(), tilt, None) < 0.3


def on_black(x: int = 0) -> np.ndarray:
    """A thing that is `x` pixels further to the right on a black background."""
    picture = np.zeros((HEIGHT, WIDTH), np.float32)
    picture[100:180, 150 + x : 240 + x] = grey()[:80, :90]
    return picture


def test_a_thing_that_moved_on_a_plain_background_was_photographed_twice() -> None:
    assert beyond_each(on_black(), on_black(4), moved(4, 0), None) == pytest.approx(4, abs=0.01)
    assert beyond_each(on_black(), on_black(), moved(0, 0), None) <= 0
    # A part of the other, at another size, or on another background at one side.
    assert beyond_each(on_black(), on_black(), moved(-20, -10, 1.2), None) <= 0
    framed = on_black(4)
    framed[:, :4] = 255
    assert beyond_each(on_black(), framed, moved(4, 0), None) <= 0


def test_a_strip_in_one_colour_is_no_scene() -> None:
    second = grey()
    second[:, :4] = 255
    assert beyond_each(grey(), grey(), moved(4, 0), None) == pytest.approx(4, abs=0.01)
    assert beyond_each(grey(), second, moved(4, 0), None) <= 0


def jpeg(picture: Image.Image) -> np.ndarray:
    small = picture.resize((512, 384), Image.Resampling.LANCZOS)
    return np.asarray(small)


def compared(first: Image.Image, second: Image.Image) -> Judgement:
    facts = [Facts("JPEG", *picture.size, jpeg_quality=70) for picture in (first, second)]
    return judge(prepare(jpeg(first)), prepare(jpeg(second)), *facts, Turn.NONE)


def part(scene: Image.Image, left: int, top: int, seed: int) -> Image.Image:
    """An exposure of the part of a scene that begins there, with noise of its own."""
    values = np.asarray(scene.crop((left, top, left + 1024, top + 768)), np.float32)
    noise = np.random.default_rng(seed).normal(0, 4, values.shape)
    return Image.fromarray(np.clip(values + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("seed", [1, 5])
@pytest.mark.parametrize("turn", [None, ImageOps.mirror])
def test_two_exposures_by_hand_are_a_scene(seed: int, turn: object) -> None:
    scene = photograph(seed, 1060, 800)
    first, second = part(scene, 6, 8, seed), ImageEnhance.Brightness(part(scene, 12, 14, seed + 1)).enhance(0.7)
    said = compared(first, second)
    assert [gate.name for gate in said.gates if not gate.passed] == ["edges"]
    assert (said.kind, said.evidence["reason"]) == (Kind.POSSIBLE, EXPOSURE)
    assert next(gate.value for gate in said.gates if gate.name == "edges") == pytest.approx(3, abs=0.7)


@pytest.mark.parametrize("seed", [1, 5])
def test_a_part_is_a_copy(seed: int) -> None:
    whole = part(photograph(seed, 1060, 800), 6, 8, seed)
    said = compared(whole, whole.crop((6, 8, 1018, 764)))
    assert said.kind is Kind.NEAR
    assert next(gate.value for gate in said.gates if gate.name == "edges") < EDGES.max_px / 2
