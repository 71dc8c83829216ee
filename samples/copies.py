"""Originals as cameras, scanners and screens leave them, and copies as people and programs make them.

Each kind of copy belongs to a family; a fit holds out whole families and encoders, since weights that only know the
kinds they were fitted on are worth nothing on others.
"""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from index.imaging.decoding.camera_record import STANDARD_LUMINANCE

Picture = Image.Image
R = Image.Resampling
FILTERS: Final = (R.LANCZOS, R.BICUBIC, R.BILINEAR, R.HAMMING, R.BOX)
CAMERAS: Final = (
    ("Canon", "EOS 6D"),
    ("SONY", "ILCE-6000"),
    ("Google", "Pixel 6"),
    ("FUJIFILM", "X-T3"),
    ("OLYMPUS", "E-M5"),
)
EDITORS: Final = ("Adobe Photoshop 24.1", "GIMP 2.10.30", "Snapseed", "Picasa", "darktable 4.2", "Photos 1.5")


@dataclass
class File:
    """A file that is not on a disk: bytes, path, time in s; `parent` is its place in the tree, None for the root."""

    data: bytes
    path: str
    mtime_s: float
    kind: str
    family: str
    encoder: str
    parent: int | None = None
    turn: str = "none"
    extra: dict[str, Any] = field(default_factory=dict)


def _scaled(im: Picture, factor: float, how: Any = R.LANCZOS) -> Picture:
    return im.resize((max(8, round(im.width * factor)), max(8, round(im.height * factor))), how)


def _array(im: Picture) -> Any:
    return np.asarray(im.convert("RGB")).astype(np.float32)


def _image(values: Any) -> Picture:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _gamma(im: Picture, gamma: float) -> Picture:
    return _image(255 * (_array(im) / 255) ** gamma)


def _curve(im: Picture, rng: random.Random) -> Picture:
    strength = rng.choice((-1, 1)) * rng.uniform(0.1, 0.3)
    values = _array(im) / 255
    return _image(255 * (values - strength * np.sin(2 * np.pi * values) / (2 * np.pi)))


def _warm(im: Picture, by: float) -> Picture:
    return _image(_array(im) * np.array([1 + by, 1.0, 1 - by], np.float32))


def _grain(im: Picture, rng: random.Random) -> Picture:
    noise = np.random.default_rng(rng.randrange(2**31)).normal(0, rng.uniform(3, 9), (im.height, im.width, 1))
    return _image(_array(im) + noise)


def _denoised(im: Picture, rng: random.Random) -> Picture:
    values = np.asarray(im.convert("RGB"))
    how = rng.randrange(3)
    if how == 0:
        return Image.fromarray(cv2.bilateralFilter(values, 5, 25, 3))
    return Image.fromarray(
        cv2.medianBlur(values, 3) if how == 1 else cv2.fastNlMeansDenoisingColored(values, None, 4, 4, 5, 11)
    )


def _vignette(im: Picture) -> Picture:
    y, x = np.mgrid[-1 : 1 : im.height * 1j, -1 : 1 : im.width * 1j]
    return _image(_array(im) * (1 - 0.35 * np.clip((x**2 + y**2) / 2, 0, 1))[..., None])


def _like_ai(im: Picture, factor: float, rng: random.Random) -> Picture:
    """Enlarged with sharp edges, clean areas and a little invented texture, as networks for super-resolution do."""
    large = np.asarray(_scaled(im.convert("RGB"), factor, rng.choice((R.BICUBIC, R.LANCZOS))))
    for _ in range(rng.choice((1, 2))):
        large = cv2.bilateralFilter(large, 5, 20, 3)
    values = large.astype(np.float32)
    soft = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.8, 1.6))
    values = values + rng.uniform(0.8, 1.8) * (values - soft)
    low, high = cv2.erode(large, np.ones((3, 3))), cv2.dilate(large, np.ones((3, 3)))
    if rng.random() < 0.5:
        values = np.clip(values, low.astype(np.float32) - 4, high.astype(np.float32) + 4)
    texture = np.random.default_rng(rng.randrange(2**31)).normal(0, rng.uniform(0.0, 2.0), values.shape[:2])
    edges = cv2.GaussianBlur(np.abs(values - soft).mean(axis=2), (0, 0), 2)
    return _image(values + (texture * np.minimum(1, edges / 8))[..., None])


def _stamp(im: Picture, rng: random.Random) -> Picture:
    im = im.copy()
    text, where = rng.choice((("14.07.2019 11:22", (0.05, 0.9)), ("© M. Dupont", (0.6, 0.05)), ("Sommer", (0.3, 0.8))))
    colour = rng.choice(((255, 255, 255), (255, 200, 0), (20, 20, 20)))
    ImageDraw.Draw(im).text(
        (im.width * where[0], im.height * where[1]),
        text,
        fill=colour,
        font_size=max(12, im.height // rng.randint(14, 26)),
    )
    return im


def _sticker(im: Picture, rng: random.Random) -> Picture:
    """A disc or a box in one colour, with an outline, as messengers and editors put over pictures."""
    im = im.copy()
    side = round(min(im.size) * rng.uniform(0.08, 0.2))
    left, top = rng.randrange(im.width - side), rng.randrange(im.height - side)
    fill, line = rng.sample(("#ffcc33", "#dd2233", "#ffffff", "#111111", "#2277dd"), 2)
    draw = ImageDraw.Draw(im)
    shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
    shape((left, top, left + side, top + side), fill=fill, outline=line, width=max(2, side // 12))
    return im


def _hidden(im: Picture, rng: random.Random) -> Picture:
    """A place, such as a face or a number plate, that was blurred or made of large squares."""
    side = round(min(im.size) * rng.uniform(0.1, 0.25))
    left, top = rng.randrange(im.width - side), rng.randrange(im.height - side)
    place = im.crop((left, top, left + side, top + side))
    if rng.random() < 0.5:
        place = place.filter(ImageFilter.GaussianBlur(side / 10))
    else:
        place = place.resize((6, 6), R.BOX).resize(place.size, R.NEAREST)
    im = im.copy()
    im.paste(place, (left, top))
    return im


def _cropped(im: Picture, rng: random.Random) -> Picture:
    left, right = sorted((rng.uniform(0, 0.14), rng.uniform(0.84, 1.0)))
    top, bottom = sorted((rng.uniform(0.01, 0.14), rng.uniform(0.84, 0.98)))
    return im.crop((round(im.width * left), round(im.height * top), round(im.width * right), round(im.height * bottom)))


def _to_shape(im: Picture, rng: random.Random) -> Picture:
    return (
        ImageOps.fit(
            im,
            (im.width, round(im.width * 9 / 16)) if im.width > im.height else (round(im.height * 4 / 5.4), im.height),
            R.LANCZOS,
        )
        if rng.random() < 0.5
        else im.crop((0, round(im.height * 0.08), im.width, round(im.height * 0.92)))
    )


def _framed(im: Picture, rng: random.Random) -> Picture:
    colour = rng.choice(((255, 255, 255), (0, 0, 0), (240, 235, 220), (30, 30, 60)))
    border = round(min(im.size) * rng.uniform(0.03, 0.12))
    return ImageOps.expand(im, (border, border, border, border * rng.choice((1, 1, 3))), colour)


def _letterboxed(im: Picture) -> Picture:
    side = max(im.size)
    return ImageOps.pad(im, (side, side), R.LANCZOS, (0, 0, 0))


def _tilted(im: Picture, rng: random.Random) -> Picture:
    fill = rng.choice(((0, 0, 0), (255, 255, 255), (128, 128, 128)))
    return im.rotate(rng.choice((-1, 1)) * rng.uniform(1.0, 4.0), rng.choice((R.BICUBIC, R.BILINEAR)), fillcolor=fill)


def _straightened(im: Picture, rng: random.Random) -> Picture:
    degrees = rng.uniform(1.0, 3.0)
    turned = im.rotate(degrees, R.BICUBIC)
    margin = np.sin(np.radians(degrees)) * max(im.size) / 2 + 2
    return turned.crop((round(margin), round(margin), round(im.width - margin), round(im.height - margin)))


def _sharpened(im: Picture, rng: random.Random) -> Picture:
    return im.filter(ImageFilter.UnsharpMask(rng.uniform(0.8, 2.5), rng.randint(60, 180), rng.randint(0, 3)))


def _reduced_by_area(im: Picture, rng: random.Random) -> Picture:
    factor = rng.uniform(0.4, 0.9)
    return Image.fromarray(cv2.resize(np.asarray(im), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def _cropped_to_size(im: Picture, rng: random.Random) -> Picture:
    part = _cropped(im, rng)
    return _scaled(part, max(im.width / part.width, im.height / part.height))


QUARTERS: Final = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
SHARPER: Final = ImageFilter.UnsharpMask(1, 80, 1)
MUCH_SHARPER: Final = ImageFilter.UnsharpMask(2, 120, 1)
E = ImageEnhance
Edit = Callable[[Picture, random.Random], Picture]
# kind -> family, edit
KINDS: Final[dict[str, tuple[str, Edit]]] = {
    "plain": ("plain", lambda i, r: i),
    "plain_again": ("plain", lambda i, r: i),
    "plain_third": ("plain", lambda i, r: i),
    "reduced": ("reduced", lambda i, r: _scaled(i, r.uniform(0.35, 0.93), r.choice(FILTERS))),
    "reduced_cv": ("reduced", _reduced_by_area),
    "reduced_sharp": ("reduced", lambda i, r: _scaled(i, r.uniform(0.4, 0.8)).filter(SHARPER)),
    "enlarged": ("enlarged", lambda i, r: _scaled(i, r.uniform(1.15, 2.6), r.choice(FILTERS[:3]))),
    "doubled": ("enlarged", lambda i, r: _scaled(i, 2, r.choice(FILTERS[:3]))),
    "enlarged_ai": ("enlarged_ai", lambda i, r: _like_ai(i, r.choice((1.5, 2, 2, 3, 4)), r)),
    "enlarged_sharp": ("enlarged_ai", lambda i, r: _scaled(i, r.uniform(1.2, 2)).filter(MUCH_SHARPER)),
    "brighter": ("tone", lambda i, r: E.Brightness(i).enhance(r.uniform(1.12, 1.4))),
    "darker": ("tone", lambda i, r: E.Brightness(i).enhance(r.uniform(0.65, 0.9))),
    "contrast": ("tone", lambda i, r: E.Contrast(i).enhance(r.choice((0.72, 0.8, 0.87, 1.16, 1.3, 1.45)))),
    "gamma": ("curve", lambda i, r: _gamma(i, r.choice((r.uniform(0.6, 0.85), r.uniform(1.2, 1.6))))),
    "curve": ("curve", _curve),
    "levels": ("curve", lambda i, r: ImageOps.autocontrast(i, cutoff=r.uniform(0.2, 2))),
    "saturated": ("colour", lambda i, r: E.Color(i).enhance(r.choice((0.5, 1.4, 1.7)))),
    "warmer": ("colour", lambda i, r: _warm(i, r.choice((-1, 1)) * r.uniform(0.06, 0.15))),
    "grey": ("grey", lambda i, r: ImageOps.grayscale(i).convert(r.choice(("RGB", "L")))),
    "sepia": ("colour", lambda i, r: ImageOps.colorize(ImageOps.grayscale(i), "black", "#f3e3c0", "#8a6a45")),
    "sharpened": ("sharp", _sharpened),
    "clarity": ("sharp", lambda i, r: i.filter(ImageFilter.UnsharpMask(r.uniform(8, 20), r.randint(20, 50), 0))),
    "blurred": ("soft", lambda i, r: i.filter(ImageFilter.GaussianBlur(r.uniform(0.5, 1.2)))),
    "denoised": ("soft", _denoised),
    "grain": ("grain", _grain),
    "vignette": ("curve", lambda i, r: _vignette(i)),
    "rotated": ("turned", lambda i, r: i.transpose(r.choice(QUARTERS))),
    "mirrored": ("turned", lambda i, r: ImageOps.mirror(i)),
    "cropped": ("part", _cropped),
    "cropped_reduced": ("part", lambda i, r: _scaled(_cropped(i, r), r.uniform(0.5, 0.9))),
    "cropped_enlarged": ("part", _cropped_to_size),
    "shape": ("part", _to_shape),
    "framed": ("framed", _framed),
    "letterboxed": ("framed", lambda i, r: _letterboxed(i)),
    "stamped": ("stamped", _stamp),
    "sticker": ("stamped", _sticker),
    "hidden": ("hidden", _hidden),
    "tilted": ("tilted", _tilted),
    "straightened": ("tilted", _straightened),
}  # fmt: skip

# encoder -> whether a phone or person uses it for copies, by weight
ENCODERS: Final = ("pillow", "pillow_low", "progressive", "opencv", "photoshop", "webp_back", "png", "webp", "gif")
ENCODER_WEIGHTS: Final = (6, 3, 3, 3, 3, 1, 1, 1, 0.3)


def table_like(quality: int, rng: random.Random) -> list[list[int]]:
    """Quantisation tables like those of cameras and Photoshop: not those of libjpeg, but similar."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    luminance, chroma = [], []
    tilt = rng.uniform(-0.3, 0.3)
    for place, entry in enumerate(STANDARD_LUMINANCE):
        value = entry * scale / 100 * (1 + tilt * (place / 63 - 0.5)) * rng.uniform(0.93, 1.07)
        luminance.append(max(1, min(255, round(value))))
        chroma.append(max(1, min(255, round(value * rng.uniform(1.0, 1.3)))))
    return [_unzigzag(luminance), _unzigzag(chroma)]


def _unzigzag(values: list[int]) -> list[int]:
    # Pillow takes tables in zigzag order since 8.3.
    return values


def encode(im: Picture, encoder: str, rng: random.Random, exif: bytes | None = None) -> tuple[bytes, str]:
    """The bytes of a copy and the extension of its name."""
    target = io.BytesIO()
    given: dict[str, Any] = {"exif": exif} if exif else {}
    rgb = im if im.mode in ("RGB", "L") else im.convert("RGB")
    if encoder == "png":
        im.save(target, "PNG", **given)
        return target.getvalue(), ".png"
    if encoder == "webp":
        im.save(target, "WEBP", quality=rng.randint(60, 95), **given)
        return target.getvalue(), ".webp"
    if encoder == "gif":
        rgb.convert("P", palette=Image.Palette.ADAPTIVE).save(target, "GIF")
        return target.getvalue(), ".gif"
    if encoder == "webp_back":
        rgb.save(target, "WEBP", quality=rng.randint(55, 90))
        rgb = Image.open(io.BytesIO(target.getvalue())).convert("RGB")
        target = io.BytesIO()
        encoder = "pillow"
    if encoder == "opencv" and not given:
        values = np.asarray(rgb)
        values = values[..., ::-1] if values.ndim == 3 else values
        _, data = cv2.imencode(".jpg", values, [cv2.IMWRITE_JPEG_QUALITY, rng.choice((85, 90, 95, 95, 98))])
        return data.tobytes(), ".jpg"
    if encoder == "pillow_low":
        given |= {"quality": rng.randint(60, 80)}
    elif encoder == "progressive":
        given |= {"quality": rng.choice((75, 80, 85, 90, 94)), "progressive": True, "optimize": True}
    elif encoder == "photoshop":
        given |= {
            "qtables": table_like(rng.randint(80, 98), rng),
            "subsampling": rng.choice((0, 0, 2)),
            "optimize": True,
        }
    else:
        given |= {"quality": rng.choice((85, 90, 92, 94, 95, 95, 96, 98, 100)), "subsampling": rng.choice((0, 2))}
    rgb.save(target, "JPEG", **given)
    return target.getvalue(), ".jpg"


def record(rng: random.Random, when: str, full: bool, size: tuple[int, int]) -> Image.Exif:
    """EXIF as a camera writes it: with a date `when`, and, if `full`, what it records of the exposure."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = rng.choice(CAMERAS)
    exif[ExifTags.Base.DateTime] = when
    if rng.random() < 0.6:
        exif[ExifTags.Base.Software] = rng.choice(("Ver.1.02", "A127FXXU5", "15.4.1", "HDR+ 1.0.38"))
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    detail[ExifTags.Base.DateTimeOriginal] = detail[ExifTags.Base.DateTimeDigitized] = when
    if full:
        detail[33434], detail[33437], detail[34855], detail[37386] = (
            (1, rng.choice((60, 250, 500))),
            (28, 10),
            200,
            (35, 1),
        )
        detail[0xA002], detail[0xA003] = size
        if rng.random() < 0.5:
            detail[0x927C] = bytes(rng.randrange(256) for _ in range(300))
    return exif
