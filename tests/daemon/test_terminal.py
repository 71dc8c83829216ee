"""What a terminal is given of names that could hide something."""

import pytest

from daemon.terminal import printable

FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
HEART = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}\N{ZERO WIDTH JOINER}\N{MAN}"


@pytest.mark.parametrize("name", [FAMILY, HEART, f"a {FAMILY}.jpg", "été.jpg"])
def test_an_emoji_keeps_its_joiners(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize("hidden", ["\N{ZERO WIDTH JOINER}", "\N{RIGHT-TO-LEFT OVERRIDE}", "\x1b", "\n"])
def test_what_hides_or_moves_text_is_replaced(hidden: str) -> None:
    assert printable(f"a{hidden}b") == "a\N{REPLACEMENT CHARACTER}b"
    assert printable(f"{hidden}b") == "\N{REPLACEMENT CHARACTER}b"
