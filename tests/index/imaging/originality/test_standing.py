"""Which picture of a group is the original, how sure that is, and what is said of it."""

import time
from typing import Any

import numpy as np
import pytest

from index.imaging.decoding.capture_date import is_plausible
from index.imaging.originality.account import SENTENCES, sentence
from index.imaging.originality.file_signs import FileSeen, file_signs
from index.imaging.originality.fitted import weights
from index.imaging.originality.group_evidence import chances, group_evidence, is_of_names
from index.imaging.originality.model import PROOFS, posterior, share_of_two
from index.imaging.originality.standing import is_beyond_signs, standing
from index.messages import LANGUAGES

GIVEN = {"part": 4.0, "grey": 4.0, "later": 2.0, "name_of_copy": 2.0, "coded": 3.5, "uncoded": 1.0}


def seen(name: str, time_s: int = 0) -> list[FileSeen]:
    """A file of that name, written so many seconds after a day of 2001."""
    return [FileSeen(name.encode(), (10**9 + time_s) * 10**9)]


def of_pair(forward: dict[str, float], back: dict[str, float] | None = None, **files: Any) -> Any:
    return standing({10: 0, 20: 1}, files or {}, {(10, 20): (forward, back or {})}, GIVEN)


def test_a_proof_makes_sure_and_a_sign_does_not() -> None:
    proven = of_pair({"part": 1.0})
    assert (proven.best, proven.sure, proven.disproved) == (0, True, {1})
    guessed = standing(
        {10: 0, 20: 1}, {10: seen("/a.jpg"), 20: seen("/a - Copy.jpg", 10**6)}, {(10, 20): ({}, {})}, GIVEN
    )
    assert (guessed.best, guessed.sure) == (0, False)
    assert guessed.shares[0] > 0.9


def test_signs_of_many_pictures_together_are_not_sure_either() -> None:
    pictures = {n: n for n in range(12)}
    files = {n: seen(f"/a{n}.jpg" if n == 0 else f"/a{n} - Copy.jpg", n * 10**6) for n in pictures}
    pairs: Any = {(i, j): ({}, {}) for i in pictures for j in pictures if i < j}
    assert not standing(pictures, files, pairs, GIVEN).sure


@pytest.mark.parametrize(("copies", "sure"), [(0, False), (3, True), (6, True)])
def test_a_picture_that_more_were_made_from_leads_one_that_signs_call_a_copy(copies: int, sure: bool) -> None:
    """Signs alone say that the second is a copy; the others show the table of the first and not that of the second."""
    pictures = {n: n for n in range(2 + copies)}
    files = {n: seen(f"/a{n}.jpg" if n != 1 else "/a - Copy.jpg", 10**6 if n == 1 else 0) for n in pictures}
    pairs: Any = {(0, n): ({"coded": 1.0, "table": 4.0}, {}) for n in range(2, 2 + copies)}
    pairs |= {(1, n): ({"no_table": 0.5}, {}) for n in range(2, 2 + copies)}
    found = standing(pictures, files, {(0, 1): ({}, {}), **pairs}, GIVEN)
    assert (found.best, found.sure) == (0, sure)
    assert sum(found.shares.values()) == pytest.approx(1)


def test_tables_that_show_too_weakly_for_a_proof_add_up() -> None:
    """None of the others is proven to be a copy, and each shows a little of the table of the first."""
    pictures = {n: n for n in range(8)}
    weak: Any = {(0, n): ({"table": 1.0}, {}) for n in range(2, 8)}
    weak |= {(1, n): ({"no_table": 0.5}, {}) for n in range(2, 8)}
    found = standing(pictures, {}, {(0, 1): ({}, {}), **weak}, GIVEN)
    assert (found.best, found.sure) == (0, False)
    assert found.shares[0] > 3 * found.shares[1]


def test_the_signs_of_one_file_are_not_multiplied_by_the_size_of_its_group() -> None:
    """The name and time of a file lead in each of its pairs; together they count as those of one."""
    none, by_many_signs = np.zeros(2), np.array([0.0, -20.0])
    assert not is_beyond_signs(by_many_signs, none, none)
    assert is_beyond_signs(by_many_signs, np.array([0.0, -3.0]), none)
    assert is_beyond_signs(by_many_signs, none, np.array([3.0, 0.0]))


def test_names_and_times_count_up_to_a_limit_and_do_not_choose() -> None:
    """However much they say, and however many files they are the names of."""
    nothing, names = np.zeros(3), np.array([50.0, 0.0, 0.0])
    share, chosen = chances(nothing, names)
    assert share[0] == pytest.approx(np.exp(4) / (np.exp(4) + 2))
    assert not chosen
    assert chances(np.array([1.0, 0.0, -1.0]), names)[1]
    against, _ = chances(np.array([6.0, 0.0, 0.0]), np.array([-50.0, 0.0, 0.0]))
    assert against[0] < 0.97


def test_what_pairs_show_is_counted_for_each_picture() -> None:
    pairs: Any = [
        ((0, 1), ({"coded": 1.0, "same_turn": 1.0, "other_size": 1.0}, {"same_turn": 1.0})),
        ((2, 0), ({"coded": 0.4}, {"later": 1.0})),
    ]
    numbers = group_evidence(3, pairs)
    assert numbers["makes_coded"].tolist() == [0.5, 0.0, 0.4]
    assert numbers["made_coded"].tolist() == [0.2, 1.0, 0.0]
    assert numbers["most_made_coded"].tolist() == [0.4, 1.0, 0.0]
    assert numbers["makes_later"].tolist() == [0.5, 0.0, 0.0]
    assert numbers["same_turn"].tolist() == [0.5, 1.0, 0.0]
    assert "makes_other_size" in numbers
    assert not any("makes_same" in name for name in numbers)
    assert {name for name in numbers if is_of_names(name)} == {"makes_later", "made_later", "most_made_later"}


@pytest.mark.parametrize(
    ("counted", "sure"), [({"makes_depth": 9.0}, True), ({"made_depth": 9.0}, False), ({"makes_later": 9.0}, False)]
)
def test_what_is_counted_makes_the_likeliest_picture_sure_and_never_another_one(
    counted: dict[str, float], sure: bool
) -> None:
    """Only times choose the first, by pairs; what is counted says the same, or that of another, or times again."""
    files = {n: seen(f"/{n}.jpg", n * 10**6) for n in range(3)}
    deeper: Any = ({"depth": 1.0}, {})
    pairs: Any = {(0, 1): deeper, (0, 2): deeper, (1, 2): ({}, {})}
    alone = standing({n: n for n in range(3)}, files, pairs, GIVEN)
    both = standing({n: n for n in range(3)}, files, pairs, GIVEN, of_counts=counted)
    assert (alone.best, alone.sure) == (0, False)
    assert (both.best, both.sure) == (0, sure)


def in_group(changed: int, count: int, back: dict[str, float] | None = None) -> Any:
    """A group in which one picture alone was sharpened, and all others look the same."""
    same, other = ({"same_detail": 1.0}, {"same_detail": 1.0}), ({"other_detail": 1.0}, {"other_detail": 1.0})
    pairs: Any = {(i, j): other if changed in (i, j) else same for i in range(count) for j in range(i + 1, count)}
    if back:
        pairs[0, 1] = ({**pairs[0, 1][0]}, {**pairs[0, 1][1], **back})
    return standing({n: n for n in range(count)}, {}, pairs, GIVEN)


def test_a_picture_that_alone_differs_from_many_alike_is_not_what_they_were_made_from() -> None:
    """Had they been made from it, all of them would have been changed back alike. Of two, this says nothing."""
    assert in_group(1, 2).shares == {0: 0.5, 1: 0.5}
    of_three, of_ten = in_group(1, 3), in_group(1, 10)
    assert of_three.shares[0] > 2 * of_three.shares[1]
    assert of_ten.shares[0] > 20 * of_ten.shares[1]
    assert not of_ten.sure


def test_a_proof_outweighs_what_a_group_has_in_common() -> None:
    """The sharpened one has what the others lack: they were made from another copy of it."""
    assert not in_group(1, 4, {"part": 1.0, "grey": 1.0}).sure


def test_copies_that_show_both_of_two_pictures_decide_nothing_between_them() -> None:
    """Each of the others is a part of either of the first two."""
    pictures = {n: n for n in range(8)}
    pairs: Any = {(first, n): ({"part": 1.0}, {}) for first in (0, 1) for n in range(2, 8)}
    found = standing(pictures, {}, {(0, 1): ({}, {}), **pairs}, GIVEN)
    assert found.shares[0] == pytest.approx(found.shares[1])
    assert not found.sure


def test_what_two_pictures_lack_alike_says_nothing_of_which_of_them_was_copied() -> None:
    """The first two are both larger than the others; noise shows it more clearly for one than for the other."""
    pictures = {n: n for n in range(8)}
    files = {n: seen("/a - Copy.jpg" if n == 1 else f"/a{n}.jpg", 10**6 if n == 1 else 0) for n in pictures}
    pairs: Any = {(first, n): ({"part": 1.0 - first / 2}, {}) for first in (0, 1) for n in range(2, 8)}
    found = standing(pictures, files, {(0, 1): ({}, {}), **pairs}, GIVEN)
    assert (found.best, found.sure) == (0, False)


def test_where_every_picture_has_a_proof_against_it_the_original_is_not_here() -> None:
    """One is grey, the other a part: neither was made from the other."""
    both = standing(
        {1: 0, 2: 1, 3: 2},
        {},
        {(1, 2): ({"part": 1.0}, {}), (2, 3): ({"grey": 1.0}, {}), (1, 3): ({}, {"grey": 1.0})},
        GIVEN,
    )
    assert both.absent
    assert not both.sure
    assert not of_pair({"part": 1.0}).absent


def test_findings_that_contradict_each_other_leave_it_open() -> None:
    assert not of_pair({"part": 1.0}, {"coded": 1.0}).sure
    assert of_pair({}).shares == {0: 0.5, 1: 0.5}


def test_contents_with_the_same_pixels_are_one_picture_that_never_is_uncertain() -> None:
    assert standing({1: 0, 2: 0, 3: 0}, {}, {}, GIVEN).sure
    mixed = standing({1: 0, 2: 0, 3: 1}, {}, {(1, 3): ({}, {}), (2, 3): ({"part": 1.0}, {})}, GIVEN)
    assert (mixed.best, mixed.sure, set(mixed.shares)) == (0, True, {0, 1})


@pytest.mark.parametrize("picture", [0, 1])
def test_a_conversion_with_the_same_pixels_does_not_speak_against_the_file_it_was_made_from(picture: int) -> None:
    """Content 20 is a JPEG, and 30 a BMP or a JPEG without a record that was made from it."""
    picture_of = {10: 1 - picture, 20: picture, 30: picture}
    pairs: Any = {(10, 20): ({}, {"grey": 0.9}), (10, 30): ({"part": 1.0}, {})}
    found = standing(picture_of, {}, pairs, GIVEN)
    assert (found.best, found.sure) == (picture, True)
    assert found.speaks[picture, 1 - picture] == {"grey": 3.6}
    backwards: Any = {(b, a): both[::-1] for (a, b), both in pairs.items()}
    assert standing(picture_of, {}, backwards, GIVEN).speaks == found.speaks


@pytest.mark.parametrize("ids", [(20, 30), (30, 20)])
def test_of_two_contents_alike_the_first_one_counts_whatever_their_ids(ids: tuple[int, int]) -> None:
    first, second = ids
    picture_of = {10: 0, first: 1, second: 1}
    pairs: Any = {(10, first): ({"grey": 1.0}, {}), (10, second): ({"part": 1.0}, {})}
    found = standing(picture_of, {}, pairs, GIVEN)
    assert found.speaks[0, 1] == {"grey": 4.0}


def test_a_pair_that_was_not_compared_follows_from_what_both_were_compared_with() -> None:
    """A chain of copies: the second was made from the first, the third from the second."""
    chain = standing({1: 0, 2: 1, 3: 2}, {}, {(1, 2): ({"part": 1.0}, {}), (2, 3): ({"part": 1.0}, {})}, GIVEN)
    assert (chain.best, chain.sure) == (0, True)


def test_what_was_made_from_a_copy_need_not_be_compared_with_the_original_for_certain() -> None:
    """The third was made from the second, and nothing shows that of the first."""
    nothing: Any = ({}, {})
    proven = ({"part": 1.0, "grey": 1.0}, {})
    tree = standing({1: 0, 2: 1, 3: 2}, {}, {(1, 2): proven, (2, 3): proven, (1, 3): nothing}, GIVEN)
    assert (tree.best, tree.sure, tree.disproved) == (0, True, {1, 2})
    open_end = standing({1: 0, 2: 1, 3: 2}, {}, {(1, 2): proven, (2, 3): nothing, (1, 3): nothing}, GIVEN)
    assert not open_end.sure


def test_a_group_of_fifty_takes_milliseconds() -> None:
    pairs: Any = {(i, j): ({"part": 1.0}, {}) for i in range(8) for j in range(i + 1, 50)}
    files = {n: seen(f"/{n}.jpg", n) for n in range(50)}
    begin = time.process_time()
    result = standing({n: n for n in range(50)}, files, pairs, GIVEN)
    assert time.process_time() - begin < 0.5
    assert (result.best, result.sure) == (0, True)


def test_the_posterior_is_a_distribution_and_follows_the_odds() -> None:
    odds = np.array([[0.0, 3.0, 3.0], [-3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]])
    shares = posterior(odds)
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > 0.9
    assert shares[1] == pytest.approx(shares[2])


@pytest.mark.parametrize("odds", [-8.0, -1.0, 0.0, 0.3, 8.0])
def test_of_two_pictures_the_posterior_is_had_without_arrays(odds: float) -> None:
    assert share_of_two(odds) == pytest.approx(posterior(np.array([[0.0, odds], [-odds, 0.0]]))[0], rel=1e-12)


def test_every_finding_has_a_sentence_in_both_languages_and_a_weight_of_at_least_nothing() -> None:
    assert set(weights()) <= set(SENTENCES)
    assert set(SENTENCES) >= PROOFS
    assert all(0 <= weight <= 6 for weight in weights().values())
    for name in SENTENCES:
        texts = {sentence([name], language) for language in LANGUAGES}
        assert len(texts) == 2
        assert not any(text.startswith("origin.") for text in texts)


@pytest.mark.parametrize(
    ("original", "copy", "sign"),
    [
        ("/p/IMG_0001.jpg", "/p/IMG_0001 - Copy.jpg", "name_of_copy"),
        ("/p/IMG_0001.jpg", "/p/IMG_0001 (1).jpg", "name_of_copy"),
        ("/p/IMG_0001.jpg", "/p/IMG_0001~2.jpg", "name_of_copy"),
        ("/p/IMG_0001.jpg", "/p/IMG_0001_Kopie.jpg", "name_longer"),
        ("/p/a.jpg", "/p/a kopie.jpg", "name_of_copy"),
        ("/p/a.jpg", "/p/a-edited.jpg", "name_of_copy"),
        ("/p/a.jpg", "/p/IMG-20230102-WA0004.jpg", "name_of_messenger"),
        ("/p/DSC01234.jpg", "/p/Mamie.jpg", "name_of_camera"),
        ("/p/a.jpg", "/p/q/a.jpg", "deeper"),
        ("/p/a.jpg", "/p/WhatsApp Images/a.jpg", "folder_of_copies"),
    ],
)
def test_names_and_folders_of_copies_are_known(original: str, copy: str, sign: str) -> None:
    one, other = FileSeen(original.encode(), 0), FileSeen(copy.encode(), 0)
    assert sign in file_signs(one, other)
    assert sign not in file_signs(other, one)


def test_times_within_two_minutes_say_nothing_and_the_time_of_the_capture_does() -> None:
    taken = "2019-07-14T11:22:33"
    at = 1_563_103_353 * 10**9
    zone = at - 7200 * 10**9
    assert "later" not in file_signs(FileSeen(b"/a", at), FileSeen(b"/b", at + 119 * 10**9))
    assert "later" in file_signs(FileSeen(b"/a", at), FileSeen(b"/b", at + 121 * 10**9))
    assert "later" not in file_signs(FileSeen(b"/a", 0), FileSeen(b"/b", at))
    assert "time_of_capture" in file_signs(FileSeen(b"/a", zone, taken), FileSeen(b"/b", at + 10**15, taken))


@pytest.mark.parametrize(
    ("taken", "plausible"),
    [
        ("2019-07-14T11:22:33", True),
        ("2000-01-01T00:00:00", False),
        ("1970-01-01T00:00:00", False),
        ("1980-01-01T00:00:12", False),
        ("0001-01-01T00:00:00", False),
        ("2012-01-01T00:00:00", False),
        ("2012-01-01T00:07:00", True),
        ("2999-05-05T10:00:00", False),
        ("1904-03-01T10:00:00", False),
        ("", False),
        ("a day", False),
    ],
)
def test_a_date_that_no_photograph_can_have_is_none(taken: str, plausible: bool) -> None:
    assert is_plausible(taken) is plausible
