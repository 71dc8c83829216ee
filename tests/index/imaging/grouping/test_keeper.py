"""The image to keep: by criteria in order, near-ties reported, and never by chance."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.imaging.grouping.keeper import (
    CRITERIA,
    KeeperCandidate,
    Reason,
    holds_what_is_lost,
    propose_keeper,
    quality_rank,
)
from index.model import Attachment, Facts

PLAIN: dict[str, Any] = {"format": "JPEG", "width": 4000, "height": 3000, "jpeg_quality": 90, "taken": "2019-07-14"}
# In 1998.
OLD = 9 * 10**17


def candidate(image_id: int, facts: dict[str, Any] | None = None, **given: Any) -> KeeperCandidate:
    path = f"/photos/{image_id}.jpg".encode()
    values: dict[str, Any] = {"path": path, "size_bytes": 1000, "mtime_ns": 10**18, "protected": False, "priority": 0}
    found = Facts(**PLAIN | (facts or {}))
    return KeeperCandidate(image_id=image_id, facts=found, **values | {"taken": found.taken} | given)


@pytest.mark.parametrize(
    ("criterion", "better", "worse"),
    [
        ("protected", candidate(1, protected=True), candidate(2, companions=("film",))),
        ("companions", candidate(1, companions=("sidecar",)), candidate(2, {"metadata": ("exif", "gps")})),
        ("metadata", candidate(1, {"metadata": ("exif",)}), candidate(2, {"width": 9000, "metadata": ("icc",)})),
        ("whole", candidate(1, {"width": 1000}), candidate(2, {"width": 9000}, whole=False)),
        ("coloured", candidate(1, {"width": 1000}), candidate(2, {"width": 9000}, coloured=False)),
        ("resolution", candidate(1, {"width": 4200, "height": 3150}), candidate(2, {"format": "PNG"})),
        ("colours", candidate(1, size_bytes=10**6), candidate(2, {"format": "PNG", "mode": "P"}, size_bytes=5 * 10**6)),
        ("first_saved", candidate(1), candidate(2, {"format": "PNG", "earlier_quality": 90})),
        ("lossless", candidate(1, {"format": "PNG", "jpeg_quality": 0}), candidate(2, size_bytes=9000)),
        ("jpeg_quality", candidate(1, {"jpeg_quality": 94}), candidate(2, priority=9)),
        ("priority", candidate(1, priority=1), candidate(2, {"taken": "2001-03-01"})),
        ("taken", candidate(1, {"taken": "2018-03-01"}), candidate(2, size_bytes=9000)),
        ("size", candidate(1, size_bytes=1001), candidate(2, mtime_ns=OLD)),
        ("age", candidate(1, mtime_ns=OLD), candidate(2, path=b"/a")),
        ("path", candidate(1, path=b"/photos/a.jpg"), candidate(2, path=b"/photos/copies/a.jpg")),
    ],
)  # fmt: skip
def test_each_criterion_decides_before_those_after_it(
    criterion: str, better: KeeperCandidate, worse: KeeperCandidate
) -> None:
    proposal = propose_keeper([worse, better])
    assert (proposal.image_id, proposal.decided_by) == (1, criterion)
    assert proposal.tie is (criterion == "path")


def test_a_difference_too_small_to_see_is_a_tie_that_the_next_criterion_decides() -> None:
    larger = candidate(1, {"width": 4010})
    richer = candidate(2, {"metadata": ("exif",)})
    small = candidate(3, {"width": 400})
    proposal = propose_keeper([larger, richer, small], ["resolution", "metadata"])
    assert proposal.image_id == 2
    assert proposal.reasons == (Reason("resolution", 2, 3, "4010x3000"), Reason("metadata", 1, 2, "exif"))


# Just within a tie, and just beyond it: what the better image differs by, and the criterion that decides.
LIMITS = {
    "resolution": ({"width": 4060, "height": 3045}, {"width": 4064, "height": 3048}),
    "jpeg_quality": ({"jpeg_quality": 93}, {"jpeg_quality": 94}),
}


@pytest.mark.parametrize(("later_ns", "criterion"), [(2 * 10**9, "path"), (2 * 10**9 + 1, "age")])
def test_what_was_copied_within_two_seconds_is_of_one_age(later_ns: int, criterion: str) -> None:
    proposal = propose_keeper([candidate(1), candidate(2, mtime_ns=10**18 + later_ns, path=b"/a")])
    assert proposal.decided_by == criterion


@pytest.mark.parametrize("criterion", LIMITS)
def test_a_criterion_decides_from_its_limit_on(criterion: str) -> None:
    tie, decided = LIMITS[criterion]
    assert propose_keeper([candidate(2), candidate(1, tie)]).decided_by == "path"
    proposal = propose_keeper([candidate(2), candidate(1, decided)])
    assert (proposal.image_id, proposal.decided_by) == (1, criterion)


def test_what_is_higher_by_more_than_a_hundredth_alone_was_stretched() -> None:
    assert propose_keeper([candidate(1, {"height": 3100}), candidate(2)], ["resolution"]).tie


@pytest.mark.parametrize(("earlier", "dropped"), [(66, True), (67, False)])
def test_a_copy_may_be_of_a_jpeg_of_about_the_earlier_quality(earlier: int, dropped: bool) -> None:
    original = candidate(1, {"jpeg_quality": 60})
    again = candidate(2, {"jpeg_quality": 95, "earlier_quality": earlier})
    assert (propose_keeper([again, original]).decided_by == "first_saved") is dropped


@pytest.mark.parametrize(("quality", "criterion"), [(57, "age"), (56, "jpeg_quality")])
def test_compression_is_seen_below_sixty(quality: int, criterion: str) -> None:
    original = candidate(1, {"jpeg_quality": quality}, mtime_ns=OLD)
    brightened = candidate(2, {"jpeg_quality": 95}, reworked=True)
    assert propose_keeper([brightened, original]).decided_by == criterion


@pytest.mark.parametrize(("size_bytes", "criterion"), [(2_240_000, "lossless"), (2_250_000, "colours")])
def test_a_palette_of_fewer_bits_than_one_and_a_half_a_pixel_is_a_drawing(size_bytes: int, criterion: str) -> None:
    palette = candidate(1, {"format": "PNG", "mode": "P", "jpeg_quality": 0}, size_bytes=size_bytes)
    assert propose_keeper([candidate(2), palette]).decided_by == criterion


def test_a_small_copy_in_a_folder_of_high_priority_does_not_replace_the_original() -> None:
    original, copy = candidate(1), candidate(2, {"width": 1024, "height": 768}, priority=9)
    assert propose_keeper([copy, original]).image_id == 1
    assert propose_keeper([copy, original], ["priority", *CRITERIA]).image_id == 2


def test_what_was_stretched_is_not_larger() -> None:
    original, wide = candidate(1, {"width": 666, "height": 573}), candidate(2, {"width": 1600, "height": 400})
    proposal = propose_keeper([wide, original._replace(facts=replace(original.facts, metadata=("exif",)))])
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
    # Where the first is missing, what was made from it is the best there is.
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


def test_the_reference_is_the_image_of_the_longer_shorter_side() -> None:
    stretched, original = (Facts(**PLAIN | {"width": width, "height": 1000}) for width in (3000, 1500))
    taller = Facts(**PLAIN | {"width": 1500, "height": 1001})
    ranks = [quality_rank(facts, 1000) for facts in (taller, stretched, original)]
    assert ranks == sorted(ranks)


def test_a_drawing_in_a_palette_has_all_its_colours() -> None:
    palette = {"format": "PNG", "mode": "P", "jpeg_quality": 0}
    drawing, copy = candidate(1, palette, size_bytes=10**6), candidate(2, size_bytes=2 * 10**6)
    assert propose_keeper([copy, drawing]).decided_by == "lossless"
    photograph = candidate(3, palette, size_bytes=4 * 10**6)
    assert propose_keeper([copy, photograph]).reasons == (Reason("colours", 1, 2, ""),)


def test_quality_that_no_eye_sees_is_no_reason_between_an_original_and_an_altered_copy() -> None:
    original = candidate(1, {"jpeg_quality": 80}, mtime_ns=OLD)
    brightened = candidate(2, {"jpeg_quality": 95}, reworked=True)
    again = candidate(3, {"jpeg_quality": 70}, mtime_ns=OLD)
    assert propose_keeper([again, brightened, original]).reasons == (
        Reason("jpeg_quality", 2, 3, "80"),
        Reason("age", 1, 2, "1998-07-09T16:00:00+00:00"),
    )
    poor = candidate(4, {"jpeg_quality": 30}, mtime_ns=OLD)
    assert propose_keeper([poor, brightened]).reasons == (Reason("jpeg_quality", 1, 2, "95"),)


def test_bytes_that_sharpening_or_noise_has_added_are_no_reason_and_age_is() -> None:
    original = candidate(1, size_bytes=1000, mtime_ns=OLD)
    sharpened = candidate(2, size_bytes=1500, mtime_ns=10**18, reworked=True)
    proposal = propose_keeper([sharpened, original])
    assert (proposal.image_id, proposal.decided_by) == (1, "age")
    assert propose_keeper([sharpened._replace(reworked=False), original]).decided_by == "size"


NO_TIMES = {
    "1904": -2_082_844_800, "1970": 0, "1980 in UTC": 315_532_800, "1980 in Paris": 315_529_200,
    "2000 in UTC": 946_684_800, "2000 in New York": 946_702_830, "2010 in Kathmandu": 1_262_283_300,
    "2200": 7_258_204_800, "beyond the calendar": 10**21, "before it": -(10**21),
}  # fmt: skip


@pytest.mark.parametrize("seconds", NO_TIMES.values(), ids=NO_TIMES.keys())
def test_a_time_that_no_file_can_have_is_none(seconds: int) -> None:
    reset, real = candidate(1, mtime_ns=seconds * 10**9), candidate(2)
    proposal = propose_keeper([reset, real])
    assert (proposal.image_id, proposal.decided_by) == (2, "age")
    assert proposal.reasons[-1].value == "2001-09-09T01:46:40+00:00"
    assert propose_keeper([reset, reset._replace(image_id=2, path=b"/a")]).decided_by == "path"


def test_an_hour_of_new_year_is_a_time() -> None:
    party = candidate(1, mtime_ns=946_684_800 * 10**9 + 420 * 10**9)
    assert propose_keeper([candidate(2), party]).image_id == 1


def test_what_a_person_wrote_counts_more_than_blocks_that_say_nothing() -> None:
    of_facebook = candidate(1, {"metadata": ("xmp", "icc", "iptc")}, path=b"/a", picture=1)
    written = candidate(2, {"metadata": ("xmp",)}, written=2, picture=1)
    recorded = candidate(3, {"metadata": ("exif",)}, picture=1)
    for chosen, others in ((2, [of_facebook, written]), (3, [of_facebook, written, recorded])):
        proposal = propose_keeper(others)
        assert (proposal.image_id, proposal.decided_by) == (chosen, "metadata")
    undated = candidate(4, {"metadata": ("exif",), "taken": "1970-01-01T00:00:00"}, picture=1)
    assert propose_keeper([undated, written]).image_id == 2


def test_a_raw_file_or_a_film_next_to_it_counts_more_than_sidecars() -> None:
    described = candidate(1, path=b"/a", companions=("sidecar",))
    for companions in (("raw",), ("film",), ("film", "raw")):
        proposal = propose_keeper([described, candidate(2, companions=companions)])
        assert (proposal.image_id, proposal.decided_by) == (2, "companions")
    both = candidate(3, companions=("raw", "sidecar"))
    assert propose_keeper([candidate(2, companions=("raw",)), both]).image_id == 3


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [("WEBP", "PNG"), ("WEBP", "BMP"), ("GIF", "BMP"), ("PNG", "WEBP"), ("PNG", "TIFF")],
)
def test_of_equal_pixels_the_smaller_file_is_kept_in_formats_that_may_keep_all(smaller: str, larger: str) -> None:
    small = candidate(1, {"format": smaller, "mode": "P", "jpeg_quality": 0}, picture=1, size_bytes=10**6 * 3)
    large = candidate(2, {"format": larger, "jpeg_quality": 0}, picture=1, size_bytes=10**6 * 4)
    proposal = propose_keeper([large, small])
    assert (proposal.image_id, proposal.decided_by, proposal.tie) == (1, "size", False)
    # Of other pixels, that of more colours.
    assert propose_keeper([large._replace(picture=2), small], ["colours", "lossless", "size"]).image_id == 2


def test_ten_images_are_narrowed_down_to_one() -> None:
    proposal = propose_keeper([candidate(n, {"width": 400 * n, "height": 300 * n}) for n in range(1, 11)])
    assert (proposal.image_id, proposal.reasons) == (10, (Reason("resolution", 1, 10, "4000x3000"),))


def test_the_criteria_given_are_followed_and_no_others() -> None:
    old, large = candidate(1, mtime_ns=OLD), candidate(2, {"width": 8000, "height": 6000})
    assert propose_keeper([old, large], ["age", "resolution"]).image_id == 1
    assert propose_keeper([old, large], ["resolution"]).image_id == 2
    tied = propose_keeper([candidate(2), candidate(1)], ["resolution"])
    assert (tied.image_id, tied.tie, tied.decided_by) == (1, True, "path")


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
def test_the_order_of_the_images_does_not_matter(made: list[KeeperCandidate], random: Any, criteria: list[str]) -> None:
    named = [
        KeeperCandidate(n, b"/%d" % n, c.facts, c.size_bytes, c.mtime_ns, c.protected, c.priority, c.whole, c.coloured)
        for n, c in enumerate(made)
    ]
    shuffled = named.copy()
    random.shuffle(shuffled)
    proposal = propose_keeper(named, criteria)
    assert proposal == propose_keeper(shuffled, criteria)
    assert [reason.of for reason in proposal.reasons] == [len(named), *(r.left for r in proposal.reasons)][:-1]


FILM, GAIN_MAP = Attachment("film", 1000), Attachment("gain_map", 100)


@pytest.mark.parametrize(
    ("criterion", "better", "worse"),
    [
        ("sound", {}, {"damage": "Corrupt JPEG data", "metadata": ("exif", "gps")}),
        ("bit_depth", {"format": "TIFF", "bit_depth": 16}, {"format": "PNG", "metadata": ("exif", "gps")}),
        ("attachments", {"attachments": (FILM,)}, {"metadata": ("exif", "gps", "iptc")}),
        ("attachments", {"attachments": (FILM, GAIN_MAP)}, {"attachments": (GAIN_MAP,), "jpeg_quality": 98}),
    ],
)
@pytest.mark.parametrize("criteria", [None, ["size"], ["age", "path"]])
def test_in_any_configuration_what_the_others_lack_is_kept(
    criterion: str, better: dict[str, Any], worse: dict[str, Any], criteria: list[str] | None
) -> None:
    for candidates in ([candidate(1, better), candidate(2, worse, size_bytes=9000, mtime_ns=OLD)],):
        for order in (candidates, candidates[::-1]):
            proposal = propose_keeper(order, criteria)
            assert (proposal.image_id, proposal.decided_by, proposal.tie) == (1, criterion, False)
            assert holds_what_is_lost(candidates[0], candidates[1])


def test_more_bits_or_parts_do_not_make_up_for_fewer_pixels() -> None:
    large = candidate(1)
    for more in ({"bit_depth": 16, "format": "PNG"}, {"attachments": (FILM,)}):
        small = candidate(2, {"width": 400, "height": 300, **more})
        assert propose_keeper([small, large]).image_id == 1
        assert holds_what_is_lost(small, large), "so a rule leaves both"


@pytest.mark.parametrize("criteria", [None, ["size"], ["resolution", "path"]])
@pytest.mark.parametrize(
    "developed",
    [
        {"format": "TIFF", "bit_depth": 16, "width": 6000, "height": 4000, "metadata": ("exif", "gps")},
        {"format": "JPEG", "jpeg_quality": 98, "metadata": ("exif", "gps", "iptc")},
    ],
)
def test_a_raw_file_stays_beside_what_was_developed_from_it(
    criteria: list[str] | None, developed: dict[str, Any]
) -> None:
    raw, copy = candidate(1, {"format": "NEF", "bit_depth": 8}), candidate(2, developed, size_bytes=10**8)
    for order in ([raw, copy], [copy, raw]):
        proposal = propose_keeper(order, criteria)
        assert (proposal.image_id, proposal.decided_by) == (1, "raw")
        assert proposal.tie, "only its preview was compared"
    assert holds_what_is_lost(raw, copy)
    assert propose_keeper([raw, candidate(2, {"format": "DNG"})]).decided_by != "raw"


def test_a_deep_copy_of_a_jpeg_is_not_preferred() -> None:
    copy = candidate(2, {"bit_depth": 16, "format": "TIFF", "jpeg_quality": 0, "earlier_quality": 90})
    assert propose_keeper([copy, candidate(1)]).image_id == 1


def test_a_damaged_picture_that_is_larger_than_the_sound_one_is_left_to_a_person() -> None:
    damaged, small = candidate(1, {"damage": "Corrupt"}), candidate(2, {"width": 400, "height": 300})
    proposal = propose_keeper([damaged, small])
    assert (proposal.image_id, proposal.tie) == (2, True)
    assert quality_rank(small.facts, 1) < quality_rank(damaged.facts, 1)


def test_of_an_animation_and_its_still_a_person_decides_if_the_still_would_be_kept() -> None:
    still, animation = candidate(1, {"format": "PNG"}), candidate(2, {"format": "WEBP", "frames": 3})
    for order in ([still, animation], [animation, still]):
        proposal = propose_keeper(order, ["lossless", "resolution"])
        assert proposal.image_id == 2 or proposal.tie
