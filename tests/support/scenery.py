"""Landscapes that look like holiday photographs, drawn from a seed: for pictures of the page, not for measuring.

from support.scenery import landscape
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Field = NDArray[np.float64]

# Sky above, sky at the horizon, far hills, near hills: dusk, noon, dawn, fog, autumn, winter.
PALETTES = (
    ((38, 54, 96), (246, 168, 112), (126, 104, 138), (28, 34, 54)),
    ((58, 126, 196), (206, 230, 242), (124, 160, 176), (38, 84, 54)),
    ((104, 120, 178), (255, 206, 178), (168, 138, 160), (70, 62, 84)),
    ((150, 168, 180), (226, 230, 228), (168, 182, 186), (70, 92, 90)),
    ((74, 134, 178), (250, 226, 176), (186, 132, 92), (120, 60, 34)),
    ((84, 128, 182), (226, 236, 246), (176, 194, 216), (98, 116, 140)),
)


def landscape(seed: int, width: int = 1600, height: int = 1200) -> Image.Image:
    """A sky with a sun and clouds over hills, with water in front of some; another one for every seed."""
    random = np.random.default_rng(seed)
    zenith, horizon, far, near = (np.array(colour, float) for colour in PALETTES[seed % len(PALETTES)])
    down = np.linspace(0, 1, height)[:, None]
    picture = _mixed(zenith, horizon, np.broadcast_to(np.clip(down / 0.62, 0, 1) ** 1.3, (height, width)))
    _shine(picture, random, width, height)
    _clouds(picture, random, horizon)
    layers = int(random.integers(4, 7))
    start, end = random.uniform(0.42, 0.52), random.uniform(0.78, 0.95)
    for layer in range(layers):
        share = layer / (layers - 1)
        ridge = start + (end - start) * share + (0.1 - 0.05 * share) * _ridge(random, width, rough=0.45 + 0.2 * share)
        colour = far + (near - far) * share
        below = down - ridge[None, :]
        shade = 1 - 0.35 * np.clip(below * 3, 0, 1)
        mask = np.clip(below * height / 1.5, 0, 1)
        grain = 1 + 0.05 * share * random.standard_normal((height, width))
        picture += mask[..., None] * (colour * (shade * grain)[..., None] - picture)
    if seed % 3 == 1:
        _water(picture, random, height)
    picture += random.normal(0, 2.2, (height, width, 1))
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.5))


def _mixed(one: Field, other: Field, share: Field) -> Field:
    return one + (other - one) * share[..., None]


def _shine(picture: Field, random: np.random.Generator, width: int, height: int) -> None:
    x, y, size = random.uniform(0.15, 0.85) * width, random.uniform(0.16, 0.4) * height, 0.035 * width
    rows, columns = np.mgrid[0:height, 0:width]
    away = np.hypot(rows - y, columns - x)
    picture += np.clip(1.5 - away / size, 0, 1)[..., None] * (np.array([255, 248, 226]) - picture)
    picture += (70 * np.exp(-((away / (5 * size)) ** 1.1)))[..., None] * np.array([1.0, 0.85, 0.6])


def _clouds(picture: Field, random: np.random.Generator, horizon: Field) -> None:
    height, width = picture.shape[:2]
    total = np.zeros((height, width))
    for octave in range(5):
        cells = random.standard_normal((4 * 2**octave, 2 * 2**octave)).astype(np.float32)
        total += np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)) / 1.7**octave
    cover = np.clip((total - total.mean()) / total.std() - 0.55, 0, 1.4) / 1.4
    cover *= np.clip(1.1 - np.linspace(0, 2.1, height), 0, 1)[:, None]
    picture += (0.8 * cover)[..., None] * (0.35 * horizon + 165 - picture)


def _ridge(random: np.random.Generator, width: int, rough: float) -> Field:
    """A line of hills by midpoints moved at random, mean 0."""
    points = random.uniform(-1, 1, 4)
    spread = 1.0
    while len(points) < width:
        spread *= rough
        middles = (points[1:] + points[:-1]) / 2 + random.uniform(-spread, spread, len(points) - 1)
        points = np.insert(points, np.arange(1, len(points)), middles)
    line = np.interp(np.linspace(0, 1, width), np.linspace(0, 1, len(points)), points)
    return np.asarray(line - line.mean())


def _water(picture: Field, random: np.random.Generator, height: int) -> None:
    top = int(height * random.uniform(0.72, 0.8))
    depth = height - top
    mirrored = picture[top - depth : top][::-1].copy()
    for row in range(depth):
        shift = int(random.normal(0, 1 + 8 * row / depth))
        mirrored[row] = np.roll(mirrored[row], shift, axis=0)
    picture[top:] = 0.74 * mirrored + 0.16 * np.array([40, 70, 90])
