"""How the verifier judges pairs that are nearly one picture, by what differs: another exposure, another text, another
colour (none may be near), and copies with something added or another tone (all should be).

On the photographs of a folder, which are all different. One part of them serves to choose limits, another to judge:
`--part fit` takes every other photograph, `--part judge` those between.
"""

import os

# As in the workers: the threads of a matrix product would be counted, and wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import io
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice, pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from index.imaging.verification.verify import judge, prepare
from index.model import TURNS, default_tolerance
from samples.photographs import add_folder, photographs
from samples.seen import HSIZE, Seen

LONG_SIDE = 1024
TEXTS = (
    "SUMMER 2019",
    "When the build is green",
    "Happy birthday",
    "see you at 8",
    "No. 4711",
    "MONDAY AGAIN",
    "hello",
)

Pixels = NDArray[np.float32]
Pair = tuple[bytes, bytes]


class Scene:
    """A photograph, another one that subjects are cut from, and a random generator."""

    def __init__(self, base: Image.Image, donor: Image.Image, seed: int) -> None:
        self.base, self.donor = np.asarray(base, np.float32), np.asarray(donor, np.float32)
        self.rng = np.random.default_rng(seed)

    def text(self) -> str:
        return TEXTS[int(self.rng.integers(len(TEXTS)))]

    def blob(self, share: tuple[float, float]) -> Pixels:
        """A soft mask, float32 (height, width), of an irregular thing that covers a share of the sides."""
        height, width = self.base.shape[:2]
        side = float(self.rng.uniform(*share)) * min(height, width)
        mask = np.zeros((height, width), np.float32)
        centre = self.rng.uniform(0.15, 0.85, 2) * (width, height)
        for _ in range(int(self.rng.integers(2, 6))):
            at = centre + self.rng.normal(0, side / 4, 2)
            axes = np.maximum(2, self.rng.uniform(0.2, 0.5, 2) * side)
            angle = float(self.rng.uniform(0, 180))
            cv2.ellipse(mask, (tuple(map(float, at)), tuple(map(float, 2 * axes)), angle), 1.0, -1)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), float(self.rng.uniform(0.7, 1.6))), np.float32)

    def subject(self) -> Pixels:
        """The other photograph in the size of this one, from which a subject is cut."""
        height, width = self.base.shape[:2]
        return np.asarray(cv2.resize(self.donor, (width, height), interpolation=cv2.INTER_AREA), np.float32)

    def exposed(self, picture: Pixels, sigma: float) -> bytes:
        """A picture as an exposure of its own: with noise of its own, as a JPEG."""
        grain = self.rng.normal(0, sigma, picture.shape) + self.rng.normal(0, 0.7 * sigma, (*picture.shape[:2], 1))
        return jpeg(picture + grain, int(self.rng.integers(88, 97)))


def jpeg(picture: NDArray[np.floating], quality: int = 92) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.clip(np.round(picture), 0, 255).astype(np.uint8)).save(data, "JPEG", quality=quality)
    return data.getvalue()


def over(scene: Pixels, thing: NDArray[Any], mask: Pixels) -> Pixels:
    return np.asarray(scene + mask[..., None] * (thing - scene), np.float32)


def shifted(picture: Pixels, dx: float, dy: float, turn: float = 0.0) -> Pixels:
    height, width = picture.shape[:2]
    over_by = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0), np.float64)
    over_by[:, 2] += np.array((dx, dy))
    return np.asarray(cv2.warpAffine(picture, over_by, (width, height), borderMode=cv2.BORDER_REFLECT), np.float32)


# Other exposures, texts, colours


def moved(scene: Scene, sigma: float, by: tuple[float, float] = (0.02, 0.2)) -> Pair:
    """A subject at two places before one background."""
    mask, subject = scene.blob((0.1, 0.35)), scene.subject()
    distance = float(scene.rng.uniform(*by)) * min(mask.shape)
    angle = float(scene.rng.uniform(0, 2 * np.pi))
    by_x, by_y, turn = distance * np.cos(angle), distance * np.sin(angle), float(scene.rng.normal(0, 2))
    second = over(scene.base, shifted(subject, by_x, by_y, turn), shifted(mask, by_x, by_y, turn))
    return scene.exposed(over(scene.base, subject, mask), sigma), scene.exposed(second, sigma)


def stirred(scene: Scene, sigma: float) -> Pair:
    """A subject that hardly moves: a head that turns, a hand."""
    return moved(scene, sigma, (0.006, 0.02))


def entered(scene: Scene, sigma: float) -> Pair:
    """A subject in one of two exposures only."""
    second = over(scene.base, scene.subject(), scene.blob((0.08, 0.3)))
    return scene.exposed(scene.base, sigma), scene.exposed(second, sigma)


def changed(scene: Scene, sigma: float) -> Pair:
    """A place that shows one thing, and another: eyes that close, a screen that changes."""
    mask, subject = scene.blob((0.05, 0.2)), scene.subject()
    other = np.ascontiguousarray(subject[::-1, ::-1])
    return scene.exposed(over(scene.base, subject, mask), sigma), scene.exposed(over(scene.base, other, mask), sigma)


def two_captions(scene: Scene) -> Pair:
    first, second = scene.rng.choice(len(TEXTS), 2, replace=False)
    kind = (band, written, outlined)[int(scene.rng.integers(3))]
    return jpeg(kind(scene, TEXTS[first])), jpeg(kind(scene, TEXTS[second]))


def recoloured(scene: Scene) -> Pair:
    """A thing in two colours of one brightness."""
    mask = scene.blob((0.2, 0.5))
    thing = cv2.GaussianBlur(scene.base, (0, 0), 1)
    lab = cv2.cvtColor(np.clip(thing / 255, 0, 1), cv2.COLOR_RGB2LAB)
    angle = float(scene.rng.uniform(0, 2 * np.pi))
    strength = float(scene.rng.uniform(25, 50))
    made = []
    for turn in (angle, angle + float(scene.rng.uniform(1.5, 4.5))):
        tinted = lab.copy()
        tinted[..., 1], tinted[..., 2] = strength * np.cos(turn), strength * np.sin(turn)
        made.append(over(scene.base, 255 * cv2.cvtColor(tinted, cv2.COLOR_LAB2RGB), mask))
    return jpeg(made[0]), jpeg(made[1])


def bracketed(scene: Scene) -> Pair:
    """Two exposures of a scene that has more contrast than a file, two or three stops apart."""
    light: NDArray[Any] = (np.clip(scene.base, 0, 255) / 255) ** 2.2
    light = cv2.GaussianBlur(light, (0, 0), 0.7) ** 1.5 * 3.0
    apart = float(scene.rng.uniform(1.6, 3.0))
    made = []
    for stops in (apart / 2, -apart / 2):
        signal: NDArray[Any] = light * 2**stops
        signal = signal + scene.rng.normal(0, 1, signal.shape) * np.sqrt(signal * 2e-4 + 4e-6)
        made.append(jpeg(255 * np.clip(signal, 0, 1) ** (1 / 2.2)))
    return made[0], made[1]


# Copies


def drawn(scene: Scene, draw: Callable[[ImageDraw.ImageDraw, int, int], None]) -> Pixels:
    height, width = scene.base.shape[:2]
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw(ImageDraw.Draw(layer), width, height)
    picture = Image.fromarray(scene.base.astype(np.uint8)).convert("RGBA")
    return np.asarray(Image.alpha_composite(picture, layer).convert("RGB"), np.float32)


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(9, round(size)))


def band(scene: Scene, text: str) -> Pixels:
    dark = bool(scene.rng.integers(2))
    paper, ink = ((0, 0, 0, 255), (255, 255, 255, 255)) if dark else ((255, 255, 255, 255), (0, 0, 0, 255))
    size, top = float(scene.rng.uniform(0.05, 0.09)), bool(scene.rng.integers(2))

    def draw(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
        y = 0 if top else height - 1.6 * size * height
        pen.rectangle((0, y, width, y + 1.6 * size * height), fill=paper)
        pen.text((width / 2, y + 0.8 * size * height), text, fill=ink, font=font(size * height), anchor="mm")

    return drawn(scene, draw)


def written(scene: Scene, text: str) -> Pixels:
    ink = [(255, 160, 40, 255), (255, 255, 255, 255), (255, 230, 0, 255), (220, 30, 30, 255)][
        int(scene.rng.integers(4))
    ]
    size, x = float(scene.rng.uniform(0.035, 0.07)), float(scene.rng.uniform(0.3, 0.7))

    def draw(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
        pen.text((x * width, 0.94 * height), text, fill=ink, font=font(size * height), anchor="mm")

    return drawn(scene, draw)


def outlined(scene: Scene, text: str) -> Pixels:
    size = float(scene.rng.uniform(0.06, 0.1))

    def draw(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
        stroke = max(1, round(size * height / 14))
        pen.text(
            (width / 2, 0.08 * height), text, fill="white", font=font(size * height), anchor="mm",
            stroke_width=stroke, stroke_fill="black",
        )  # fmt: skip

    return drawn(scene, draw)


def logo(scene: Scene) -> Pixels:
    alpha = int(scene.rng.integers(110, 256))
    colour = tuple(int(level) for level in scene.rng.integers(0, 256, 3))

    def draw(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
        side = min(width, height) / 8
        x, y = (0.03 * width, width - side - 0.03 * width)[int(scene.rng.integers(2))], 0.03 * height
        pen.ellipse((x, y, x + side, y + side), fill=(*colour, alpha))
        low, high = y + 4 * side / 5, y + side / 5
        pen.polygon([(x + side / 2, high), (x + side / 5, low), (x + 4 * side / 5, low)], fill=(255, 255, 255, alpha))

    return drawn(scene, draw)


def watermark(scene: Scene) -> Pixels:
    alpha, text = int(scene.rng.integers(110, 200)), scene.text()

    def draw(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
        pen.text((width / 2, height / 2), text, fill=(255, 255, 255, alpha), font=font(0.08 * height), anchor="mm")

    return drawn(scene, draw)


def sticker(scene: Scene) -> Pixels:
    colours = [tuple(int(level) for level in scene.rng.integers(0, 256, 3)) for _ in range(3)]

    def draw(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
        side = float(scene.rng.uniform(0.12, 0.25)) * min(width, height)
        x, y = scene.rng.uniform(0.02, 0.25) * width, scene.rng.uniform(0.6, 0.75) * height
        pen.rounded_rectangle((x, y, x + side, y + side), side / 5, fill=colours[0])
        pen.ellipse((x + 0.2 * side, y + 0.2 * side, x + 0.45 * side, y + 0.5 * side), fill=colours[1])
        pen.rectangle((x + 0.3 * side, y + 0.65 * side, x + 0.8 * side, y + 0.8 * side), fill=colours[2])

    return drawn(scene, draw)


def code(scene: Scene) -> Pixels:
    def draw(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
        cell = min(width, height) / 120
        x0, y0 = width - 26 * cell, height - 26 * cell
        pen.rectangle((x0 - cell, y0 - cell, x0 + 24 * cell, y0 + 24 * cell), fill="white")
        for row, line in enumerate(scene.rng.integers(0, 2, (23, 23))):
            for column, black in enumerate(line):
                if black:
                    x, y = x0 + column * cell, y0 + row * cell
                    pen.rectangle((x, y, x + cell, y + cell), fill="black")

    return drawn(scene, draw)


def altered(scene: Scene, alter: Callable[[Scene], Pixels]) -> Pair:
    return jpeg(scene.base, 95), jpeg(alter(scene), int(scene.rng.integers(75, 95)))


def hue_turned(scene: Scene) -> Pixels:
    hsv = cv2.cvtColor(scene.base.astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.int32)
    hsv[..., 0] = (hsv[..., 0] + int(scene.rng.integers(20, 160))) % 180
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)


def toned(scene: Scene) -> Pixels:
    gamma = float(scene.rng.uniform(0.5, 1.9))
    gain = scene.rng.uniform(0.85, 1.15, 3)
    return np.asarray(255 * (scene.base / 255) ** gamma * gain, np.float32)


def darkened(scene: Scene) -> Pixels:
    return scene.base * float(scene.rng.uniform(0.35, 0.7))


def brightened(scene: Scene) -> Pixels:
    return scene.base * float(scene.rng.uniform(1.2, 1.8))


def sharpened(scene: Scene) -> Pixels:
    soft = cv2.GaussianBlur(scene.base, (0, 0), float(scene.rng.uniform(1, 3)))
    return scene.base + float(scene.rng.uniform(0.8, 2.0)) * (scene.base - soft)


KINDS: dict[str, tuple[bool, Callable[[Scene], Pair]]] = {
    "moved": (False, lambda scene: moved(scene, 0)),
    "moved, noise 3": (False, lambda scene: moved(scene, 3)),
    "moved, noise 6": (False, lambda scene: moved(scene, 6)),
    "stirred": (False, lambda scene: stirred(scene, 1.5)),
    "entered": (False, lambda scene: entered(scene, 0)),
    "entered, noise 3": (False, lambda scene: entered(scene, 3)),
    "changed": (False, lambda scene: changed(scene, 1.5)),
    "two captions": (False, two_captions),
    "recoloured": (False, recoloured),
    "bracketed": (False, bracketed),
    "caption": (True, lambda scene: altered(scene, lambda of: band(of, of.text()))),
    "date": (True, lambda scene: altered(scene, lambda of: written(of, of.text()))),
    "meme": (True, lambda scene: altered(scene, lambda of: outlined(of, of.text()))),
    "logo": (True, lambda scene: altered(scene, logo)),
    "watermark": (True, lambda scene: altered(scene, watermark)),
    "sticker": (True, lambda scene: altered(scene, sticker)),
    "code": (True, lambda scene: altered(scene, code)),
    "toned": (True, lambda scene: altered(scene, toned)),
    "hue turned": (True, lambda scene: altered(scene, hue_turned)),
    "darkened": (True, lambda scene: altered(scene, darkened)),
    "brightened": (True, lambda scene: altered(scene, brightened)),
    "sharpened": (True, lambda scene: altered(scene, sharpened)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_folder(parser)
    parser.add_argument("--pictures", type=int, default=24, help="as many of them")
    parser.add_argument("--part", choices=("fit", "judge"), default="fit")
    parser.add_argument("--kind", default="", help="only kinds whose names begin so")
    parser.add_argument("--list", action="store_true", help="list what is judged wrongly")
    options = parser.parse_args()
    if options.folder is None:
        print("Not measured: this takes photographs, as PHOTOS=DIR make bench names them.")
        return
    cv2.setNumThreads(1)
    part = slice(options.part == "judge", None, 2)
    originals = list(islice(photographs(options.folder, LONG_SIDE, 2, part), options.pictures + 1))
    print("| pair | copies | proposed | near | possible | ms a pair |\n|---|---|---|---|---|---|")
    for name, (copies, make) in KINDS.items():
        if name.startswith(options.kind):
            report(name, copies, make, originals, options.list)


def report(
    name: str, copies: bool, make: Callable[[Scene], Pair], originals: list[tuple[str, Image.Image]], listed: bool
) -> None:
    kinds: dict[str, int] = defaultdict(int)
    spent_s, wrong = 0.0, []
    for number, ((path, base), (_, donor)) in enumerate(pairwise(originals)):
        first, second = (Seen(data) for data in make(Scene(base, donor, number)))
        distance, turn = first.distance(second)
        if distance > default_tolerance(HSIZE):
            continue
        start_s = time.process_time()
        judgement = judge(prepare(first.view), prepare(second.view), first.facts, second.facts, TURNS[turn])
        spent_s += time.process_time() - start_s
        kinds["proposed"] += 1
        kinds[str(judgement.kind or "")] += 1
        if (judgement.kind == "near") != copies:
            failed = ", ".join(f"{gate.name} {gate.value}" for gate in judgement.gates if not gate.passed)
            wrong.append(f"    {number} {path}: {judgement.kind} {failed} {judgement.evidence}")
    each_ms = 1000 * spent_s / max(1, kinds["proposed"])
    word = "yes" if copies else "no"
    print(
        f"| {name} | {word} | {kinds['proposed']} | {kinds['near']} | {kinds['possible']} | {each_ms:.1f} |", flush=True
    )
    if listed:
        print("\n".join(wrong))


if __name__ == "__main__":
    main()
