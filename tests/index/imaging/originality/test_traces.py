"""What one picture's file and pixels show, and what two show of each other."""

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageEnhance, ImageFilter, ImageOps

from index.imaging.decoding.pictures import Limits
from index.imaging.originality.jpeg_structure import JpegStructure, jpeg_structure
from index.imaging.originality.pair_evidence import Member, made_from
from index.imaging.originality.trace import FULL, Trace, of_bytes, to_bytes
from index.imaging.originality.tracing import trace_of
from index.model import Facts
from support.pictures import photograph

Edit = Callable[[Image.Image], Image.Image]


def jpeg(image: Image.Image, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", **options)
    return target.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def traced(data: bytes) -> Trace:
    return trace_of(data, Limits())


def facts(data: bytes) -> Facts:
    with Image.open(io.BytesIO(data)) as image:
        return Facts(image.format or "", image.width, image.height, image.mode)


def member(data: bytes) -> Member:
    return Member(facts(data), traced(data), len(data))


@pytest.fixture(scope="module")
def camera() -> bytes:
    return jpeg(photograph(3, 500, 380), quality=88, subsampling=2)


@pytest.mark.parametrize(
    ("edit", "evidence"),
    [
        (lambda image: image, {}),
        (lambda image: ImageOps.grayscale(image).convert("RGB"), {"tone": {"grey": "second"}}),
        (ImageOps.mirror, {"turn": "flip_horizontal"}),
        (lambda image: image.transpose(Image.Transpose.ROTATE_90), {"turn": "rotate_270"}),
        (lambda image: ImageEnhance.Brightness(image).enhance(1.2), {"tone": {"brightness": 20, "contrast": 1.2}}),
    ],
    ids=["saved again", "grey", "mirrored", "turned", "brightened"],
)
def test_the_compression_of_the_original_is_found_in_its_copy_and_not_the_other_way(
    camera: bytes, edit: Edit, evidence: dict[str, Any]
) -> None:
    copy = jpeg(edit(opened(camera)), quality=97, subsampling=0)
    assert made_from(member(camera), member(copy), evidence)["coded"] > 0.3
    assert "coded" not in made_from(member(copy), member(camera), evidence)


@pytest.mark.parametrize("quality", [70, 90, 97])
def test_two_files_made_from_one_picture_do_not_show_each_others_compression(quality: int) -> None:
    picture = photograph(4, 500, 380)
    one, other = (member(jpeg(picture, quality=q)) for q in (quality, 85))
    assert "coded" not in {**made_from(one, other, {}), **made_from(other, one, {})}


def test_a_picture_that_was_straightened_has_empty_corners(camera: bytes) -> None:
    tilted = jpeg(opened(camera).rotate(2.5, Image.Resampling.BICUBIC), quality=95)
    assert (traced(camera).pixels.wedges, traced(tilted).pixels.wedges) == (0, 4)
    evidence = {"tilt": 2.5}
    assert made_from(member(camera), member(tilted), evidence)["straightened"] == 1
    assert "straightened" not in made_from(member(tilted), member(camera), {"tilt": -2.5})


def test_a_dark_corner_is_not_an_empty_one() -> None:
    y, x = np.mgrid[-1:1:300j, -1:1:400j]
    vignette = np.clip(1.2 - 0.5 * (x**2 + y**2), 0, 1)[..., None]
    pixels = np.asarray(photograph(5, 400, 300)) * vignette
    assert traced(jpeg(Image.fromarray(pixels.astype(np.uint8)), quality=92)).pixels.wedges < 2


@pytest.mark.parametrize("factor", [1.5, 2, 3])
def test_what_was_enlarged_has_no_detail_of_its_own(factor: float) -> None:
    # With noise up to its own resolution, as cameras leave it.
    grain = np.random.default_rng(1).normal(0, 6, (300, 400, 1))
    small = Image.fromarray(np.clip(np.asarray(photograph(6, 400, 300)) + grain, 0, 255).astype(np.uint8))
    large = small.resize((round(400 * factor), round(300 * factor)), Image.Resampling.LANCZOS)
    original, copy = member(jpeg(small, quality=95)), member(jpeg(large, quality=95))
    found = made_from(original, copy, {"scale": factor})
    assert found["no_detail"] > 0.5
    assert "detail" not in made_from(copy, original, {"scale": 1 / factor})


def test_what_was_reduced_is_not_taken_for_the_first(camera: bytes) -> None:
    small = jpeg(opened(camera).resize((300, 228), Image.Resampling.LANCZOS), quality=90)
    assert "no_detail" not in made_from(member(small), member(camera), {"scale": 500 / 300})
    assert "detail" in made_from(member(camera), member(small), {"scale": 300 / 500})


def test_the_record_of_a_camera_and_the_signature_of_an_editor_are_read(camera: bytes) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon", "EOS 6D"
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    detail[33434], detail[33437], detail[34855] = (1, 250), (28, 10), 200
    detail[0x927C] = b"note" * 20
    recorded = jpeg(opened(camera), quality=88, exif=exif)
    exif[ExifTags.Base.Software] = "GIMP 2.10.36"
    edited = jpeg(opened(camera), quality=88, exif=exif)
    marks = traced(recorded).marks
    assert (marks.record, marks.maker_note, marks.editor) == (FULL, True, "")
    found = made_from(member(recorded), member(camera), {})
    assert {"no_record", "maker_note"} <= found.keys()
    assert made_from(member(recorded), member(edited), {})["signed"] == 1
    assert "signed" not in made_from(member(edited), member(recorded), {})


def test_a_thumbnail_that_shows_another_picture_is_reported(camera: bytes) -> None:
    def with_thumbnail(shown: Image.Image) -> bytes:
        small = io.BytesIO()
        shown.resize((160, 120)).save(small, "JPEG", exif=b"")
        # The main directory holds an orientation, the second one where the thumbnail is.
        block = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x0112, 3, 1, 1, 26)
        block += struct.pack(
            "<HHHIIHHIIHHIII", 3, 0x0103, 3, 1, 6, 0x0201, 4, 1, 68, 0x0202, 4, 1, len(small.getvalue()), 0
        )
        return jpeg(opened(camera).resize((480, 360)), quality=90, exif=block + small.getvalue())

    assert traced(with_thumbnail(opened(camera))).marks.thumbnail == "same"
    assert traced(with_thumbnail(photograph(9, 500, 375))).marks.thumbnail == "other"


def test_a_trace_survives_the_index(camera: bytes) -> None:
    trace = traced(camera)
    again = of_bytes(to_bytes(trace))
    assert (again.jpeg, again.marks, again.pixels) == (trace.jpeg, trace.marks, trace.pixels)
    assert all(np.array_equal(one, other) for one, other in zip(again.blocks, trace.blocks, strict=True))
    assert len(to_bytes(trace)) < 10_000


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (20, 16), 7),
        Image.new("P", (300, 200)),
        Image.new("RGBA", (200, 300), (9, 9, 9, 0)),
        Image.new("I;16", (80, 90), 900),
        Image.new("1", (90, 90), 1),
        Image.new("RGB", (1, 1)),
        photograph(1, 300, 70).filter(ImageFilter.BLUR),
    ],
    ids=["tiny", "palette", "transparent", "deep", "bits", "one pixel", "low"],
)
def test_every_kind_of_picture_has_a_trace(image: Image.Image) -> None:
    target = io.BytesIO()
    image.save(target, "PNG")
    trace = traced(target.getvalue())
    assert (trace.width, trace.height) == image.size
    found = made_from(Member(facts(target.getvalue()), trace), Member(facts(target.getvalue()), trace), {})
    assert all(name.startswith("same_") for name in found)


@pytest.mark.parametrize("cut", range(0, 700, 23))
def test_a_broken_head_of_a_jpeg_says_less_and_raises_nothing(camera: bytes, cut: int) -> None:
    structure = jpeg_structure(camera[:cut] + b"\xff\xdb\x00\x05\x10")
    assert structure.luminance in ((), jpeg_structure(camera).luminance) or len(structure.luminance) == 64


def test_what_a_program_leaves_in_a_jpeg_is_named(camera: bytes) -> None:
    photoshop = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x06FBMD0a"
    segment = b"\xff\xed" + (len(photoshop) + 2).to_bytes(2, "big") + photoshop
    assert jpeg_structure(camera[:2] + segment + camera[2:]).marks == ("facebook", "jfif")
    assert jpeg_structure(b"GIF89a") == JpegStructure()
    progressive = jpeg_structure(jpeg(opened(camera), quality=80, progressive=True, subsampling=0))
    assert (progressive.progressive, progressive.subsampled) == (True, False)


def encoded(image: Image.Image, kind: str, quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, quality=quality)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_reduced_jpeg_is_not_the_original_of_a_picture_of_the_web(kind: str) -> None:
    web = encoded(photograph(3, 900, 675).resize((600, 450), Image.Resampling.BICUBIC), kind, 85)
    small = jpeg(opened(web).resize((410, 308)), quality=90)
    found = made_from(member(small), member(web), {"scale": 600 / 410})
    assert "converted" not in found


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_conversion_proves_little_where_no_camera_recorded_the_jpeg(kind: str) -> None:
    picture = photograph(3, 500, 380)
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Canon", "Canon EOS 80D"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:07:14 11:22:33"
    web = member(encoded(picture, kind, 80))
    assert made_from(member(jpeg(picture, quality=90)), web, {})["converted"] < 0.5
    assert made_from(member(jpeg(picture, quality=90, exif=exif)), web, {})["converted"] == 1
