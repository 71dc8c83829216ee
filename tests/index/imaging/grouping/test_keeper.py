"""The image to keep: by criteria in order, near-ties told, and never by chance."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.grouping.keeper import CRITERIA, Candidate, Reason, propose_keeper, quality_rank
from index.model import Facts

PLAIN: dict[str, Any] = {"format": "JPEG", "width": 4000, "height": 3000, "jpeg_quality": 90, "taken": "2019-07-14"}


def candidate(image_id: int, facts: dict[str, Any] | None = None, **given: Any) -> Candidate:
    path = f"/photos/{image_id}.jpg".encode()
    values: dict[str, Any] = {"path": path, "size_bytes": 1000, "mtime_ns": 10**18, "protected": False, "priority": 0}
    return Candidate(image_id=image_id, facts=Facts(**PLAIN | (facts or {})), **values | given)


@pytest.mark.parametrize(
    ("criterion", "better", "worse"),
    [
        ("whole", candidate(1, {"width": 1000}), candidate(2, {"width": 9000}, whole=False, protected=True)),
        ("coloured", candidate(1, {"width": 1000}), candidate(2, {"width": 9000}, coloured=False)),
        ("resolution", candidate(1, {"width": 4200, "height": 3150}), candidate(2, {"metadata": ("exif",)})),
        ("metadata", candidate(1, {"metadata": ("exif",)}), candidate(2, {"format": "PNG"})),
        ("colours", candidate(1, size_bytes=10**6), candidate(2, {"format": "PNG", "mode": "P"}, size_bytes=5 * 10**6)),
        ("first_saved", candidate(1), candidate(2, {"format": "PNG", "earlier_quality": 90})),
        ("lossless", candidate(1, {"format": "PNG", "jpeg_quality": 0}), candidate(2, size_bytes=9000)),
        ("jpeg_quality", candidate(1, {"jpeg_quality": 94}), candidate(2, protected=True)),
        ("protected", candidate(1, protected=True), candidate(2, priority=9)),
        ("priority", candidate(1, priority=1), candidate(2, {"taken": "2001-01-01"})),
        ("taken", candidate(1, {"taken": "2018-01-01"}), candidate(2, size_bytes=9000)),
        ("size", candidate(1, size_bytes=1001), candidate(2, mtime_ns=1)),
        ("age", candidate(1, mtime_ns=1), candidate(2, path=b"/a")),
        ("path", candidate(1, path=b"/photos/a.jpg"), candidate(2, path=b"/photos/copies/a.jpg")),
    ],
)  # fmt: skip
def test_each_criterion_decides_before_those_after_it(criterion: str, better: Candidate, worse: Candidate) -> None:
    proposal = propose_keeper([worse, better])
    assert (proposal.image_id, proposal.decided_by) == (1, criterion)
    assert proposal.tie is (criterion == "path")


def test_a_difference_too_small_to_see_is_a_tie_that_the_next_criterion_decides() -> None:
    larger = candidate(1, {"width": 4010})
    richer = candidate(2, {"metadata": ("exif",)})
    small = candidate(3, {"width": 400})
    proposal = propose_keeper([larger, richer, small])
    assert proposal.image_id == 2
    assert proposal.reasons == (Reason("resolution", 2, 3, "4010x3000"), Reason("metadata", 1, 2, "exif"))


def test_a_small_copy_in_a_folder_of_high_priority_does_not_replace_the_original() -> None:
    original, copy = candidate(1), candidate(2, {"width": 1024, "height": 768}, protected=True, priority=9)
    assert propose_keeper([copy, original]).image_id == 1
    assert propose_keeper([copy, original], ["priority", *CRITERIA]).image_id == 2


def test_what_was_stretched_is_not_larger() -> None:
    original, wide = candidate(1, {"width": 666, "height": 573}), candidate(2, {"width": 1600, "height": 400})
    proposal = propose_keeper([wide, replace(original, facts=replace(original.facts, metadata=("exif",)))])
    assert (proposal.image_id, proposal.decided_by) == (1, "metadata")
    assert propose_keeper([wide, original], ["resolution"]).tie
    wider = candidate(4, {"width": 666 * 2, "height": 573})
    assert propose_keeper([wider, original], ["resolution"]).tie
    turned = candidate(3, {"width": 573 * 2, "height": 666 * 2})
    assert propose_keeper([original, turned, wide], ["resolution", "size"]).reasons[0] == Reason(
        "resolution", 2, 3, "1146x1332"
    )


def test_jpeg_quality_is_no_word_on_other_formats() -> None:
    webp = candidate(1, {"format": "WEBP", "jpeg_quality": 0}, size_bytes=9)
    jpeg = candidate(2, {"jpeg_quality": 99}, size_bytes=8)
    assert propose_keeper([jpeg, webp]).decided_by == "size"


def test_a_quality_that_an_earlier_jpeg_did_not_have_is_none() -> None:
    original = candidate(1, {"jpeg_quality": 60}, size_bytes=1000)
    again = candidate(2, {"jpeg_quality": 95, "earlier_quality": 59}, size_bytes=2000)
    worse = candidate(3, {"jpeg_quality": 40}, size_bytes=500)
    proposal = propose_keeper([again, original, worse])
    assert proposal.image_id == 1
    assert proposal.reasons == (Reason("first_saved", 2, 3, ""), Reason("jpeg_quality", 1, 2, "60"))
    # Where the first is gone, what was made from it is the best there is.
    assert propose_keeper([again, worse]).reasons == (Reason("jpeg_quality", 1, 2, "59"),)
    png = candidate(4, {"format": "PNG", "jpeg_quality": 0, "earlier_quality": 59}, size_bytes=9000)
    assert propose_keeper([png, original]).image_id == 1
    assert propose_keeper([png, worse]).decided_by == "size"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"jpeg_quality": 70}, {"jpeg_quality": 95, "earlier_quality": 69}),
        # Estimated: a few points more than the JPEG had that it was.
        ({"jpeg_quality": 70}, {"format": "PNG", "jpeg_quality": 0, "earlier_quality": 73}),
        ({"jpeg_quality": 95, "earlier_quality": 69}, {"jpeg_quality": 50}),
        ({"jpeg_quality": 70}, {"format": "PNG", "jpeg_quality": 0, "mode": "P"}),
        ({"format": "PNG", "jpeg_quality": 0}, {"jpeg_quality": 98}),
        ({"width": 5000, "jpeg_quality": 95, "earlier_quality": 69}, {"jpeg_quality": 90}),
    ],
)
def test_the_reference_is_the_image_of_which_compression_has_left_most(
    better: dict[str, Any], worse: dict[str, Any]
) -> None:
    photograph_bytes = 10**7
    ranks = [quality_rank(Facts(**PLAIN | facts), photograph_bytes) for facts in (better, worse)]
    assert ranks[0] < ranks[1]


def test_a_drawing_in_a_palette_has_all_its_colours() -> None:
    palette = {"format": "PNG", "mode": "P", "jpeg_quality": 0}
    drawing, copy = candidate(1, palette, size_bytes=10**6), candidate(2, size_bytes=2 * 10**6)
    assert propose_keeper([copy, drawing]).decided_by == "lossless"
    photograph = candidate(3, palette, size_bytes=4 * 10**6)
    assert propose_keeper([copy, photograph]).reasons == (Reason("colours", 1, 2, ""),)


def test_quality_that_no_eye_sees_is_no_reason_between_an_original_and_an_altered_copy() -> None:
    original = candidate(1, {"jpeg_quality": 80}, mtime_ns=1)
    brightened = candidate(2, {"jpeg_quality": 95}, mtime_ns=2, reworked=True)
    again = candidate(3, {"jpeg_quality": 70}, mtime_ns=0)
    assert propose_keeper([again, brightened, original]).reasons == (
        Reason("jpeg_quality", 2, 3, "80"),
        Reason("age", 1, 2, "1970-01-01T00:00:00+00:00"),
    )
    poor = candidate(4, {"jpeg_quality": 30}, mtime_ns=1)
    assert propose_keeper([poor, brightened]).reasons == (Reason("jpeg_quality", 1, 2, "95"),)


def test_bytes_that_sharpening_or_noise_has_added_are_no_reason_and_age_is() -> None:
    original = candidate(1, size_bytes=1000, mtime_ns=1)
    sharpened = candidate(2, size_bytes=1500, mtime_ns=2, reworked=True)
    proposal = propose_keeper([sharpened, original])
    assert (proposal.image_id, proposal.decided_by) == (1, "age")
    assert propose_keeper([replace(sharpened, reworked=False), original]).decided_by == "size"


def test_the_criteria_given_are_followed_and_no_others() -> None:
    old, large = candidate(1, mtime_ns=1), candidate(2, {"width": 8000, "height": 6000})
    assert propose_keeper([old, large], ["age", "resolution"]).image_id == 1
    assert propose_keeper([old, large], ["resolution"]).image_id == 2
    tied = propose_keeper([candidate(2), candidate(1)], ["resolution"])
    assert (tied.image_id, tied.tie, tied.decided_by) == (1, True, "path")


def test_times_are_told_in_words_whatever_they_are() -> None:
    first = propose_keeper([candidate(1, mtime_ns=0), candidate(2)])
    assert first.reasons[-1].value == "1970-01-01T00:00:00+00:00"
    assert propose_keeper([candidate(1, mtime_ns=-(2**100)), candidate(2)]).reasons[-1].value.startswith("0001-")


def test_one_image_needs_no_reason() -> None:
    proposal = propose_keeper([candidate(7)])
    assert (proposal.image_id, proposal.reasons, proposal.decided_by, proposal.tie) == (7, (), "", False)


few = st.integers(0, 2)
candidates = st.lists(
    st.builds(
        lambda width, quality, blocks, size, age, protected, whole: candidate(
            0, {"width": 4000 + 60 * width, "jpeg_quality": 90 + quality, "metadata": ("exif", "gps")[:blocks]},
            size_bytes=size, mtime_ns=age, protected=protected, whole=whole,
        ),
        few, few, few, few, few, st.booleans(), st.booleans(),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@given(candidates, st.randoms(use_true_random=False), st.permutations(tuple(CRITERIA)))
def test_the_order_of_the_images_has_no_say(made: list[Candidate], random: Any, criteria: list[str]) -> None:
    named = [
        Candidate(n, b"/%d" % n, c.facts, c.size_bytes, c.mtime_ns, c.protected, c.priority, c.whole, c.coloured)
        for n, c in enumerate(made)
    ]
    shuffled = named.copy()
    random.shuffle(shuffled)
    proposal = propose_keeper(named, criteria)
    assert proposal == propose_keeper(shuffled, criteria)
    assert [reason.of for reason in proposal.reasons] == [len(named), *(r.left for r in proposal.reasons)][:-1]
