"""What a wish makes of a picture: its size, its name, and whether there is anything to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.encoding.compression import Format, Target, Wish, fitted, is_done, is_worth_it, result_name
from index.errors import UsageError
from index.settings import parse_resolution

SIDES = st.integers(1, 20_000)
WISHES = st.builds(Wish, width=SIDES, height=SIDES, keep_ratio=st.booleans(), enlarge=st.booleans())


@given(SIDES, SIDES, WISHES)
def test_a_result_fits_and_never_grows_unasked(width: int, height: int, wish: Wish) -> None:
    across, down = fitted(width, height, wish)
    assert 1 <= across <= wish.width
    assert 1 <= down <= wish.height
    if not wish.enlarge:
        assert across <= width
        assert down <= height


@given(SIDES, SIDES, WISHES)
def test_the_ratio_is_kept_to_a_pixel(width: int, height: int, wish: Wish) -> None:
    if wish.keep_ratio:
        across, down = fitted(width, height, wish)
        factor = min(wish.width / width, wish.height / height, float("inf") if wish.enlarge else 1)
        assert abs(across - max(1, width * factor)) <= 1
        assert abs(down - max(1, height * factor)) <= 1


@pytest.mark.parametrize(
    ("size", "wish", "becomes"),
    [
        ((4000, 3000), Wish(), (1440, 1080)),
        ((3000, 4000), Wish(), (810, 1080)),
        ((100, 50), Wish(), (100, 50)),
        ((100, 50), Wish(enlarge=True), (1920, 960)),
        ((4000, 3000), Wish(keep_ratio=False), (1920, 1080)),
        ((4000, 300), Wish(keep_ratio=False), (1920, 300)),
        ((20_000, 1), Wish(), (1920, 1)),
    ],
)
def test_sizes(size: tuple[int, int], wish: Wish, becomes: tuple[int, int]) -> None:
    assert fitted(*size, wish) == becomes


@pytest.mark.parametrize("text", ["", "x", "800", "800x", "x600", "0x600", "800x-1", "70000x1", "8e2x600", "٣x٣"])
def test_what_is_no_resolution_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="resolution"):
        parse_resolution(text)


def test_a_resolution_is_width_and_height() -> None:
    assert parse_resolution("800x600") == parse_resolution("800X600") == (800, 600)


@pytest.mark.parametrize(
    ("name", "source", "wish", "beside", "made"),
    [
        (b"a.jpg", "JPEG", Wish(), True, b"a_resize.jpg"),
        (b"A.JPEG", "JPEG", Wish(), True, b"A_resize.JPEG"),
        (b"a.b.png", "PNG", Wish(), True, b"a.b_resize.png"),
        (b"a.bmp", "BMP", Wish(), True, b"a_resize.png"),
        (b"a.bmp", "BMP", Wish(), False, b"a.png"),
        (b"a.jpg", "JPEG", Wish(), False, b"a.jpg"),
        (b"a.jpg", "PNG", Wish(), False, b"a.png"),
        (b"a.jpg", "JPEG", Wish(format=Format.WEBP), False, b"a.webp"),
        (b"a", "JPEG", Wish(), True, b"a_resize.jpg"),
        (b"\xff.jpg", "JPEG", Wish(format=Format.AVIF), True, b"\xff_resize.avif"),
    ],
)
def test_names_of_results(name: bytes, source: str, wish: Wish, beside: bool, made: bytes) -> None:
    assert result_name(name, source, wish, beside) == made


def test_a_gain_is_worth_it_from_the_least_on() -> None:
    wish = Wish(least_gain=0.1)
    assert is_worth_it(1000, 900, wish)
    assert not is_worth_it(1000, 901, wish)
    assert is_worth_it(1000, 5000, Wish(enlarge=True))


def test_what_was_made_for_less_is_not_made_again_for_more() -> None:
    high, fine = Target.HIGH, Target.VISUALLY_LOSSLESS
    assert is_done(high, 55, Wish(target=fine))
    assert is_done(high, 55, Wish(target=high))
    assert not is_done(fine, 90, Wish(target=high))
    assert not is_done(None, 50, Wish(target=high))
    assert is_done(high, 55, Wish(quality=80))
    assert not is_done(None, 85, Wish(quality=80))
    assert not is_done(None, 0, Wish(quality=80))


def test_equal_wishes_have_equal_keys_and_others_others() -> None:
    wishes = [
        Wish(), Wish(quality=80), Wish(target=Target.HIGH), Wish(width=800), Wish(keep_ratio=False), Wish(enlarge=True),
        Wish(format=Format.AVIF), Wish(strip=True), Wish(colours=16), Wish(least_gain=0),
    ]  # fmt: skip
    assert len({wish.key for wish in wishes}) == len(wishes)
    assert [Wish.from_key(wish.key) for wish in wishes] == wishes
    assert Wish().key == Wish().key
    for unreadable in ("", "quality 80", '{"of a later version": 1}', '{"target": "perfect"}'):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the words
            Wish.from_key(unreadable)
