"""PNG are packed by oxipng, small ones at two levels, of which neither is always the smaller."""

from types import SimpleNamespace

import pytest

from index.imaging.encoding import encoders


@pytest.mark.parametrize(
    ("length", "sizes", "taken"),
    [
        (encoders.SMALL_BYTES, {encoders.OXIPNG_LEVEL: 50, encoders.THOROUGH_LEVEL: 60}, 50),
        (encoders.SMALL_BYTES, {encoders.OXIPNG_LEVEL: 60, encoders.THOROUGH_LEVEL: 50}, 50),
        (encoders.SMALL_BYTES + 1, {encoders.OXIPNG_LEVEL: 60}, 60),
    ],
)
def test_the_smaller_of_both_is_taken_where_a_second_costs_little(
    length: int, sizes: dict[int, int], taken: int, monkeypatch: pytest.MonkeyPatch
):
    packer = SimpleNamespace(optimize_from_memory=lambda _, level: bytes(sizes[level]))
    monkeypatch.setattr(encoders, "oxipng", packer)
    assert len(encoders.repacked_png(bytes(length))) == taken
