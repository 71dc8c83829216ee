"""Other copies than those that the weights of the originals are fitted on: kinds of edits that no family there has, for
judging them."""

import io
import random
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from samples.copies import Edit, Picture

R = Image.Resampling


def _array(im: Picture) -> Any:
    return np.asarray(im.convert("RGB"))


def _local_contrast(im: Picture, rng: random.Random) -> Picture:
    planes = cv2.split(cv2.cvtColor(_array(im), cv2.COLOR_RGB2LAB))
    lightness = cv2.createCLAHE(rng.uniform(1.5, 3), (8, 8)).apply(planes[0])
    return Image.fromarray(cv2.cvtColor(cv2.merge((lightness, *planes[1:])), cv2.COLOR_LAB2RGB))


def _split_toned(im: Picture, rng: random.Random) -> Picture:
    values = _array(im).astype(np.float32)
    light = values.mean(axis=2, keepdims=True) / 255
    warm, cold = np.array([12, 4, -10]), np.array([-8, 0, 14])
    toned = values + rng.uniform(0.6, 1.4) * (light * warm + (1 - light) * cold)
    return Image.fromarray(np.clip(np.rint(toned), 0, 255).astype(np.uint8))


def _painted(im: Picture, rng: random.Random) -> Picture:
    return Image.fromarray(cv2.edgePreservingFilter(_array(im), flags=1, sigma_s=rng.uniform(8, 20), sigma_r=0.2))


def _barrel(im: Picture, rng: random.Random) -> Picture:
    """As a correction of the lens leaves it, enlarged so that no corner is empty."""
    values, bend = _array(im), rng.uniform(-0.03, 0.03)
    height, width = values.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    by = (1 + bend * (x**2 + y**2)) / (1 + 2 * max(bend, 0.0))
    across, down = (x * by + 1) * ((width - 1) / 2), (y * by + 1) * ((height - 1) / 2)
    return Image.fromarray(cv2.remap(values, across.astype(np.float32), down.astype(np.float32), cv2.INTER_CUBIC))


def _shown_on_a_screen(im: Picture, rng: random.Random) -> Picture:
    """A screenshot of a viewer with bars above and below."""
    bar = round(im.height * rng.uniform(0.05, 0.12))
    screen = Image.new("RGB", (im.width, im.height + 2 * bar), (28, 28, 30))
    screen.paste(im, (0, bar))
    ImageDraw.Draw(screen).text((bar // 2, bar // 4), "12:41   photo", fill=(235, 235, 235), font_size=max(8, bar // 2))
    return screen


def _sent_twice(im: Picture, rng: random.Random) -> Picture:
    for quality in (rng.randint(70, 88), rng.randint(70, 88)):
        sent = io.BytesIO()
        im.convert("RGB").save(sent, "JPEG", quality=quality)
        im = Image.open(sent).convert("RGB")
    return im


def _down_and_up(im: Picture, rng: random.Random) -> Picture:
    small = im.resize((round(im.width * 0.6), round(im.height * 0.6)), R.BICUBIC)
    return small.resize(im.size, rng.choice((R.BICUBIC, R.LANCZOS)))


def _like_a_network(im: Picture, rng: random.Random) -> Picture:
    """Enlarged with invented texture and hard edges, by steps of two."""
    large = im.convert("RGB").resize((2 * im.width, 2 * im.height), R.BICUBIC)
    values = cv2.detailEnhance(_array(large), sigma_s=4, sigma_r=0.12)
    noise = np.random.default_rng(rng.randrange(2**31)).normal(0, 1.5, values.shape[:2])
    soft = cv2.GaussianBlur(noise, (0, 0), 0.7)[..., None]
    return Image.fromarray(np.clip(np.rint(values + soft), 0, 255).astype(np.uint8))


def _faded(im: Picture, rng: random.Random) -> Picture:
    low = rng.randint(15, 35)
    return im.convert("RGB").point([round(low + level * (245 - low) / 255) for level in range(256)] * 3)


def _glowing(im: Picture, rng: random.Random) -> Picture:
    rgb = im.convert("RGB")
    return Image.blend(rgb, ImageChops.screen(rgb, rgb.filter(ImageFilter.GaussianBlur(6))), rng.uniform(0.25, 0.5))


def _hue(im: Picture, rng: random.Random) -> Picture:
    hue, *rest = im.convert("HSV").split()
    shift = rng.choice((-9, -6, 6, 9))
    return Image.merge("HSV", (hue.point([(level + shift) % 256 for level in range(256)]), *rest)).convert("RGB")


OTHER_KINDS: Final[dict[str, tuple[str, Edit]]] = {
    "local_contrast": ("other", _local_contrast),
    "split_toned": ("other", _split_toned),
    "painted": ("other", _painted),
    "barrel": ("other", _barrel),
    "screen": ("other", _shown_on_a_screen),
    "sent_twice": ("other", _sent_twice),
    "down_and_up": ("other", _down_and_up),
    "network": ("other", _like_a_network),
    "faded": ("other", _faded),
    "glowing": ("other", _glowing),
    "hue": ("other", _hue),
    "posterised": ("other", lambda im, rng: ImageOps.posterize(im.convert("RGB"), rng.choice((5, 6)))),
    "upside_down": ("other", lambda im, _: ImageOps.flip(im)),
    "quarter": ("other", lambda im, _: im.resize((max(8, im.width // 4), max(8, im.height // 4)), R.BOX)),
    "plain_once": ("other", lambda im, _: im),
    "plain_twice": ("other", lambda im, _: im),
}
