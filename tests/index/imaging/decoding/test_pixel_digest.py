"""Equal digests mean equal pixels: in all bits, in all frames, under the profile that is meant."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from index.imaging.decoding.bit_depth import bit_depth
from index.imaging.decoding.colour_profile import in_srgb, is_srgb
from index.imaging.decoding.pictures import Limits, decode
from index.imaging.decoding.pixel_digest import pixel_digest
from support.pictures import photograph

LIMITS = Limits(max_pixels=50_000_000)
PICTURE = photograph(1, 160, 120)
OTHER = photograph(2, 160, 120)
THIRD = photograph(3, 160, 120)


def packed(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def digest(data: bytes) -> bytes:
    return pixel_digest(data, LIMITS)


def coded(values: np.ndarray, ending: str) -> bytes:
    return bytes(cv2.imencode(ending, values)[1])


def of_profile(name: bytes, tone: float, red: tuple[float, float] = (0.64, 0.33)) -> bytes:
    """An ICC profile of a matrix and one gamma, with any name: for what it does, not for what it is called."""
    colours = [red, (0.30, 0.60), (0.15, 0.06)]
    xyz = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in colours]).T
    white = np.array([0.9505, 1.0, 1.089])
    scaled = xyz * np.linalg.solve(xyz, white)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50 = np.array([0.9642, 1.0, 0.8249])
    adapted = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ white)) @ bradford @ scaled

    def fixed(values: Any) -> bytes:
        return b"".join(round(float(value) * 65536).to_bytes(4, "big", signed=True) for value in values)

    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(tone * 256).to_bytes(2, "big") + bytes(2)
    text = b"desc" + bytes(4) + (len(name) + 1).to_bytes(4, "big") + name + bytes(1 + 4 + 4 + 2 + 1 + 67)
    tags = {b"desc": text, b"wtpt": b"XYZ " + bytes(4) + fixed(d50)}
    tags |= {key: b"XYZ " + bytes(4) + fixed(adapted[:, at]) for at, key in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, position = b"", b"", 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += key + (position + len(body)).to_bytes(4, "big") + len(padded).to_bytes(4, "big")
        body += padded
    header = bytes(4) + bytes(4) + bytes.fromhex("02100000") + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += fixed(d50) + bytes(48)
    profile = header + len(tags).to_bytes(4, "big") + table + body
    return len(profile).to_bytes(4, "big") + profile[4:]


# Frames


@pytest.mark.parametrize(("form", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
def test_all_frames_count(form: str, options: dict[str, Any]) -> None:
    def moving(*frames: Image.Image) -> bytes:
        return digest(packed(frames[0], form, save_all=True, append_images=frames[1:], **options))

    wanted = moving(PICTURE, OTHER, THIRD)
    assert wanted == moving(PICTURE, OTHER, THIRD) != b""
    others = [moving(PICTURE, OTHER), moving(PICTURE, THIRD, OTHER), moving(PICTURE, OTHER, PICTURE), moving(PICTURE)]
    assert len({wanted, *others}) == 5


def test_frames_without_loss_are_equal_in_any_format() -> None:
    frames = {"save_all": True, "append_images": [OTHER, THIRD], "duration": 100}
    assert digest(packed(PICTURE, "PNG", **frames)) == digest(packed(PICTURE, "WEBP", lossless=True, **frames))


def test_more_pixels_in_all_frames_than_allowed_have_no_digest() -> None:
    data = packed(PICTURE, "GIF", save_all=True, append_images=[OTHER])
    assert pixel_digest(data, Limits(max_pixels=160 * 120)) == b""


# Bits


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_deep_picture_is_never_its_export_of_eight_bits(ending: str, channels: int) -> None:
    eight = np.asarray(PICTURE.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    deep = eight.astype(np.uint16) * 257
    data = coded(deep, ending)
    assert decode(data, LIMITS).facts.bit_depth == 16
    wanted = digest(data)
    assert wanted not in (b"", digest(coded(eight, ending)))
    changed = deep.copy()
    changed[5, 5] ^= 1
    assert digest(coded(changed, ending)) not in (b"", wanted), "the last bit counts"


def test_the_same_deep_pixels_have_one_digest() -> None:
    deep = np.asarray(PICTURE).astype(np.uint16) * 257
    assert digest(coded(deep, ".png")) == digest(coded(deep, ".tiff"))


@pytest.mark.parametrize(
    ("picture", "form", "bits"),
    [
        (PICTURE, "JPEG", 8),
        (PICTURE, "PNG", 8),
        (PICTURE.convert("1"), "PNG", 8),
        (PICTURE.convert("P"), "GIF", 8),
        (PICTURE, "AVIF", 8),
        (PICTURE.convert("F"), "TIFF", 32),
        (PICTURE.convert("I"), "TIFF", 32),
    ],
)
def test_bits_of_a_channel(picture: Image.Image, form: str, bits: int) -> None:
    data = packed(picture, form)
    with Image.open(io.BytesIO(data)) as image:
        assert bit_depth(data, image) == bits


def test_jpeg_2000_of_16_bits_is_not_its_8_bits() -> None:
    levels = np.asarray(PICTURE).astype(np.uint16) * 257
    data = cv2.imencode(".jp2", levels)[1].tobytes()
    with Image.open(io.BytesIO(data)) as image:
        assert (image.mode, bit_depth(data, image)) == ("RGB", 16)
    assert decode(data, LIMITS).facts.bit_depth == 16
    assert pixel_digest(data, LIMITS) == b""
    assert pixel_digest(packed(PICTURE, "JPEG2000"), LIMITS) == pixel_digest(packed(PICTURE, "PNG"), LIMITS)


# Transparency


def test_the_colour_under_what_is_fully_transparent_does_not_count() -> None:
    pixels = np.asarray(PICTURE.convert("RGBA")).copy()
    pixels[:60, :, 3] = 0
    hidden = pixels.copy()
    hidden[:60, :, :3] = 77
    assert digest(packed(Image.fromarray(pixels))) == digest(packed(Image.fromarray(hidden)))
    pixels[80, 80, 3] = 254
    assert digest(packed(Image.fromarray(pixels))) != digest(packed(Image.fromarray(hidden)))


# Colours


def test_a_profile_is_known_by_what_it_does() -> None:
    wide = of_profile(b"sRGB", 2.2, red=(0.735, 0.265))
    assert not is_srgb(wide), "it is only called sRGB"
    assert is_srgb(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    plain = digest(packed(PICTURE))
    assert digest(packed(PICTURE, icc_profile=wide)) != plain
    renamed = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"s\0R\0G\0B", b"x\0y\0z\0w")
    assert digest(packed(PICTURE, icc_profile=renamed)) == plain
    assert digest(packed(PICTURE, icc_profile=b"no profile at all")) == plain


def test_wide_colours_are_converted_whatever_their_profile_is_called() -> None:
    colour = np.full((8, 8, 3), (180, 120, 90), np.uint8)
    for profile in (of_profile(b"sRGB", 2.2, red=(0.735, 0.265)), of_profile(b"sRGB IEC61966-2.1", 1.0)):
        shown = np.asarray(in_srgb(Image.fromarray(colour), profile), np.int16)
        assert np.abs(shown - colour).max() > 5
    same = np.asarray(in_srgb(Image.fromarray(colour), of_profile(b"another name", 2.2)), np.int16)
    assert np.abs(same - colour).max() <= 3


def test_a_declared_gamma_counts() -> None:
    def with_gamma(gamma: int) -> bytes:
        chunks = PngImagePlugin.PngInfo()
        chunks.add(b"gAMA", gamma.to_bytes(4, "big"))
        return digest(packed(PICTURE, pnginfo=chunks))

    plain = digest(packed(PICTURE))
    assert with_gamma(45_455) == plain
    assert with_gamma(100_000) != plain
