"""What the options make of a picture: its size, its name, and whether there is anything to do."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import UsageError
from index.imaging.encoding.compression import (
    CompressionOptions,
    Format,
    Target,
    fitted,
    is_done,
    is_worth_it,
    result_name,
)
from index.settings import parse_resolution

SIDES = st.integers(1, 20_000)
HD = CompressionOptions(width=1920, height=1080)
OPTIONS = st.builds(CompressionOptions, width=SIDES, height=SIDES, keep_ratio=st.booleans(), enlarge=st.booleans())


@given(SIDES, SIDES, OPTIONS)
def test_a_result_fits_and_never_grows_unasked(width: int, height: int, options: CompressionOptions) -> None:
    across, down = fitted(width, height, options)
    assert 1 <= across <= options.width
    assert 1 <= down <= options.height
    if not options.enlarge:
        assert across <= width
        assert down <= height


@given(SIDES, SIDES, OPTIONS)
def test_the_ratio_is_kept_to_a_pixel(width: int, height: int, options: CompressionOptions) -> None:
    if options.keep_ratio:
        across, down = fitted(width, height, options)
        factor = min(options.width / width, options.height / height, float("inf") if options.enlarge else 1)
        assert abs(across - max(1, width * factor)) <= 1
        assert abs(down - max(1, height * factor)) <= 1


@pytest.mark.parametrize(
    ("size", "options", "becomes"),
    [
        ((4000, 3000), CompressionOptions(), (4000, 3000)),
        ((4000, 3000), CompressionOptions(enlarge=True), (4000, 3000)),
        ((4000, 3000), HD, (1440, 1080)),
        ((3000, 4000), HD, (810, 1080)),
        ((100, 50), HD, (100, 50)),
        ((100, 50), replace(HD, enlarge=True), (1920, 960)),
        ((4000, 3000), replace(HD, keep_ratio=False), (1920, 1080)),
        ((4000, 300), replace(HD, keep_ratio=False), (1920, 300)),
        ((20_000, 1), HD, (1920, 1)),
    ],
)
def test_sizes(size: tuple[int, int], options: CompressionOptions, becomes: tuple[int, int]) -> None:
    assert fitted(*size, options) == becomes


@pytest.mark.parametrize("text", [" ", "x", "800x", "x600", "0x600", "800x-1", "70000x1", "8e2x600", "٣x٣"])
def test_what_is_no_resolution_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="resolution"):
        parse_resolution(text)


def test_a_resolution_is_width_and_height() -> None:
    assert parse_resolution("") == (0, 0)
    assert parse_resolution("800x600") == parse_resolution("800X600") == (800, 600)
    assert parse_resolution("1920") == (1920, 1920)


@pytest.mark.parametrize("letter", ["a", "é", "漢", "🌍"])
def test_a_name_stays_within_what_a_file_system_allows(letter: str) -> None:
    name = (letter * 255).encode()[:251].decode(errors="ignore").encode() + b".jpg"
    beside = result_name(name, "JPEG", CompressionOptions(), next_to_source=True)
    assert len(beside) <= 255
    assert beside.decode().endswith("_resize.jpg")
    assert len(result_name(name, "JPEG", CompressionOptions(format=Format.WEBP), next_to_source=False)) <= 255
    assert result_name(b"short.jpg", "JPEG", CompressionOptions(), next_to_source=True) == b"short_resize.jpg"


@pytest.mark.parametrize(
    ("name", "source", "options", "beside", "made"),
    [
        (b"a.jpg", "JPEG", CompressionOptions(), True, b"a_resize.jpg"),
        (b"A.JPEG", "JPEG", CompressionOptions(), True, b"A_resize.JPEG"),
        (b"a.b.png", "PNG", CompressionOptions(), True, b"a.b_resize.png"),
        (b"a.bmp", "BMP", CompressionOptions(), True, b"a_resize.png"),
        (b"a.bmp", "BMP", CompressionOptions(), False, b"a.png"),
        (b"a.jpg", "JPEG", CompressionOptions(), False, b"a.jpg"),
        (b"a.jpg", "PNG", CompressionOptions(), False, b"a.png"),
        (b"a.jpg", "JPEG", CompressionOptions(format=Format.WEBP), False, b"a.webp"),
        (b"a", "JPEG", CompressionOptions(), True, b"a_resize.jpg"),
        (b"\xff.jpg", "JPEG", CompressionOptions(format=Format.AVIF), True, b"\xff_resize.avif"),
    ],
)
def test_names_of_results(name: bytes, source: str, options: CompressionOptions, beside: bool, made: bytes) -> None:
    assert result_name(name, source, options, beside) == made


def test_a_gain_is_worth_it_from_the_least_on() -> None:
    options = CompressionOptions(least_gain=0.1)
    assert is_worth_it(1000, 900, options)
    assert not is_worth_it(1000, 901, options)
    assert is_worth_it(1000, 5000, CompressionOptions(enlarge=True))


def test_what_was_made_for_less_is_not_made_again_for_more() -> None:
    high, fine = Target.HIGH, Target.VISUALLY_LOSSLESS
    assert is_done(high, 55, CompressionOptions(target=fine))
    assert is_done(high, 55, CompressionOptions(target=high))
    assert not is_done(fine, 90, CompressionOptions(target=high))
    assert not is_done(None, 50, CompressionOptions(target=high))
    assert is_done(high, 55, CompressionOptions(quality=80))
    assert not is_done(None, 85, CompressionOptions(quality=80))
    assert not is_done(None, 0, CompressionOptions(quality=80))


def test_equal_options_have_equal_keys_and_different_ones_different_keys() -> None:
    different = [
        CompressionOptions(),
        CompressionOptions(quality=80),
        CompressionOptions(target=Target.HIGH),
        CompressionOptions(width=800, height=600),
        CompressionOptions(keep_ratio=False),
        CompressionOptions(enlarge=True),
        CompressionOptions(format=Format.AVIF),
        CompressionOptions(strip=True),
        CompressionOptions(colours=16),
        CompressionOptions(least_gain=0),
    ]
    assert len({options.key for options in different}) == len(different)
    assert [CompressionOptions.from_key(options.key) for options in different] == different
    assert CompressionOptions().key == CompressionOptions().key


def test_keys_of_earlier_versions_mean_what_they_meant() -> None:
    assert CompressionOptions.from_key("{}") == HD
    assert CompressionOptions.from_key('{"height": 65535, "width": 65535}') == CompressionOptions()
    assert json.loads(CompressionOptions(quality=80).key) == {"height": 65535, "quality": 80, "width": 65535}


def test_keys_that_cannot_be_read_are_refused() -> None:
    for unreadable in ("", "quality 80", '{"of a later version": 1}', '{"target": "perfect"}'):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the words
            CompressionOptions.from_key(unreadable)
