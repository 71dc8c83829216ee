"""What was put over a picture is distinguished from what else changes its edges."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from index.imaging.decoding.pictures import Limits
from index.imaging.originality.overlays import CELLS, edge_maps, is_overlaid
from index.imaging.originality.pair_evidence import Member, made_from
from index.imaging.originality.trace import of_bytes, to_bytes
from index.imaging.originality.tracing import trace_of
from index.model import Facts, Turn
from support.pictures import photograph

Edit = Callable[[Image.Image], Image.Image]
SIZE = (640, 480)


@pytest.fixture(scope="module")
def original() -> Image.Image:
    return saved(photograph(5, *SIZE))


def saved(image: Image.Image, quality: int = 92) -> Image.Image:
    return Image.open(io.BytesIO(jpeg(image, quality))).convert("RGB")


def jpeg(image: Image.Image, quality: int = 92, exif: bytes = b"") -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality, exif=exif)
    return target.getvalue()


def maps(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    return edge_maps(*(np.asarray(plane) for plane in image.convert("YCbCr").split()))


def dated(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).text((370, 420), "14.07.2019 11:22", fill=(255, 250, 240), font_size=30)
    return image


def with_sticker(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).rectangle((300, 200, 380, 280), fill="#dd2233", outline="white", width=8)
    return image


def with_hidden_place(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.paste(image.crop((200, 150, 360, 310)).filter(ImageFilter.GaussianBlur(16)), (200, 150))
    return image


def in_squares(image: Image.Image) -> Image.Image:
    image = image.copy()
    place = image.crop((200, 150, 360, 310)).resize((6, 6)).resize((160, 160), Image.Resampling.NEAREST)
    image.paste(place, (200, 150))
    return image


@pytest.mark.parametrize("put_over", [dated, with_sticker])
@pytest.mark.parametrize("quality", [70, 95])
def test_what_was_put_over_a_picture_is_on_the_copy(original: Image.Image, put_over: Edit, quality: int) -> None:
    copy = saved(put_over(original), quality)
    assert is_overlaid(maps(original), maps(copy), Turn.NONE)
    assert not is_overlaid(maps(copy), maps(original), Turn.NONE)


@pytest.mark.parametrize(
    "edit",
    [
        lambda image: image,
        lambda image: image.filter(ImageFilter.UnsharpMask(2, 150, 2)),
        lambda image: image.filter(ImageFilter.GaussianBlur(1)),
        lambda image: ImageEnhance.Contrast(image).enhance(1.5),
        lambda image: ImageEnhance.Brightness(image).enhance(0.6),
        ImageOps.equalize,
        with_hidden_place,
        in_squares,
    ],
    ids=["saved again", "sharpened", "blurred", "more contrast", "darker", "equalized", "hidden place", "in squares"],
)
@pytest.mark.parametrize("busy", [False, True])
def test_other_edits_put_nothing_over_a_picture(original: Image.Image, edit: Edit, busy: bool) -> None:
    if busy:
        noise = np.random.default_rng(1).normal(0, 25, (SIZE[1], SIZE[0], 3))
        original = saved(Image.fromarray((np.asarray(original) + noise).clip(0, 255).astype(np.uint8)))
    copy = saved(edit(original), 80)
    assert not is_overlaid(maps(copy), maps(original), Turn.NONE)
    if edit is not in_squares:
        assert not is_overlaid(maps(original), maps(copy), Turn.NONE)


def test_a_picture_with_text_all_over_is_another_picture(original: Image.Image) -> None:
    copy = original.copy()
    for top in range(0, SIZE[1], 40):
        ImageDraw.Draw(copy).text((10, top), "not for publication " * 3, fill="white", font_size=30)
    assert not is_overlaid(maps(original), maps(copy), Turn.NONE)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_it_is_a_proof_in_whichever_way_the_files_lie(original: Image.Image, orientation: int) -> None:
    """The original is stored turned, as cameras do; its stamped copy is upright and mirrored."""
    lying = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turn = lying[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = original if turn is None else original.transpose(turn)
    first = member(jpeg(stored, 92, exif.tobytes()))
    second = member(jpeg(ImageOps.mirror(dated(original))))
    evidence = {"turn": "flip_horizontal"}
    assert made_from(first, second, evidence)["overlaid"] == 1.0
    assert "overlaid" not in made_from(second, first, evidence)
    assert "overlaid" not in made_from(first, second, evidence | {"scale": 0.5})
    assert "overlaid" not in made_from(first, second, evidence | {"tilt": 2.0})


def member(data: bytes) -> Member:
    trace = of_bytes(to_bytes(trace_of(data, Limits())))
    return Member(Facts("JPEG", *SIZE, "RGB"), trace, len(data))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (5, 300)])
def test_a_picture_of_a_few_pixels_has_a_map(shape: tuple[int, int]) -> None:
    maps_of = edge_maps(*[np.full(shape, 7, np.uint8)] * 3)
    assert all(edges.shape == (CELLS, CELLS) and not edges.any() for edges in maps_of)
    assert not is_overlaid(maps_of, maps_of, Turn.NONE)
