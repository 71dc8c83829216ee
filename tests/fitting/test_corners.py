"""The fit of what a corner counts that many pictures have: a scene is the same for a seed, and the figures hold."""

from collections import Counter

import pytest

from fitting import corners as fitting
from index.imaging.candidates.features.corner_limits import FIGURES, FITTED
from index.imaging.candidates.features.feature_index import PROPOSAL
from support.pictures import photograph

WITHOUT = Counter({fitting.RIGHT: 1000, fitting.RIGHT_OF_MANY: 1000, fitting.WRONG: 500})


def counts(right: int, of_many: int, wrong: int) -> Counter[str]:
    return Counter({fitting.RIGHT: right, fitting.RIGHT_OF_MANY: of_many, fitting.WRONG: wrong})


def test_the_same_seed_makes_the_same_scene_and_another_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "CROPS", 1)
    once, again, other = (fitting.scene([photograph(1, 300, 240)], seed) for seed in ("a", "a", "b"))
    assert [one.to_bytes() for one in once.pictures] == [one.to_bytes() for one in again.pictures]
    assert [one.to_bytes() for one in once.pictures] != [one.to_bytes() for one in other.pictures]
    assert len(once.pictures) == 6


def test_a_fit_has_the_fewest_wrong_pairs_among_those_that_keep_the_right_ones() -> None:
    with_limit = {
        1: counts(1000, 900, 10),
        2: counts(999, 996, 60),
        4: counts(1000, 996, 60),
        8: counts(1000, 1000, 90),
    }
    assert fitting.fit(with_limit, WITHOUT) == 4


def test_without_a_limit_that_keeps_enough_every_corner_counts_in_full() -> None:
    assert fitting.fit({1: counts(900, 1000, 0)}, WITHOUT) == fitting.NONE


@pytest.mark.parametrize("part", ["chosen_on", "judged_on"])
def test_the_shipped_limit_is_the_one_in_use_with_its_figures(part: str) -> None:
    assert FITTED == {"shared_by": PROPOSAL.shared_by}
    for kind, (with_limit, without) in FIGURES[part].items():
        assert with_limit < without if kind == fitting.WRONG else with_limit >= 0.99 * without, kind
