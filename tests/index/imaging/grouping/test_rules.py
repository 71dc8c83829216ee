"""Rules: what they keep, what gives way, and that no group is left bare."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from index.imaging.grouping.keeper import CRITERIA, KeeperCandidate
from index.imaging.grouping.rules import Rule, RuledFile, judge
from index.model import Attachment, Choice, Facts, Kind


def file(
    image_id: int, *, content: int = 0, kind: Kind = Kind.PIXELS, path: str = "", width: int = 400,
    protected: bool = False, device: int = 1, by_user: bool = False,
) -> RuledFile:  # fmt: skip
    facts = Facts("JPEG", width, width * 3 // 4, jpeg_quality=90)
    name = (path or f"/p/{image_id}.jpg").encode()
    candidate = KeeperCandidate(image_id, name, facts, 1000, image_id, protected, 0)
    return RuledFile(candidate, content or image_id, kind, device, b"%d" % (content or image_id), by_user)


def victims(rule: Rule, *files: RuledFile) -> list[tuple[int, ...]]:
    return [ruling.victims for ruling in judge(rule, files)]


REFERENCE = file(1, kind=Kind.EXACT, width=4000)


def test_the_better_picture_is_kept_with_the_reason() -> None:
    (ruling,) = judge(Rule(Choice.TRASH), [REFERENCE, file(2), file(3)])
    assert (ruling.keepers, ruling.victims) == ((1,), (2, 3))
    assert (ruling.decided_by, ruling.value) == ("resolution", "4000x3000")


def test_kinds_are_those_of_the_match_with_the_image_kept() -> None:
    files = [REFERENCE, file(2), file(3, kind=Kind.NEAR), file(4, kind=Kind.POSSIBLE)]
    assert victims(Rule(Choice.TRASH), *files) == [(2,)], "only what is proven equal, until a person widens it"
    assert victims(Rule(Choice.TRASH, kinds=(Kind.NEAR,)), *files) == [(3,)]
    assert victims(Rule(Choice.TRASH, kinds=tuple(Kind)), *files) == [(2, 3, 4)]
    # Both were compared to the reference only: two near ones may be further apart than near.
    both = Rule(Choice.TRASH, kinds=(Kind.PIXELS, Kind.NEAR))
    assert victims(both, REFERENCE, file(2), file(5, kind=Kind.NEAR, width=5000)) == [(1, 2)]


def test_exact_copies_are_settled_among_themselves() -> None:
    files = [REFERENCE, file(2, content=1, kind=Kind.EXACT, width=4000), file(3, content=9), file(4, content=9)]
    rule = Rule(Choice.TRASH, kinds=(Kind.EXACT,), decides_ties=True, criteria=("path",))
    assert victims(rule, *files) == [(2,), (4,)]


def test_a_tie_is_left_open_unless_the_path_may_decide() -> None:
    pair = [file(1, kind=Kind.EXACT), file(2)]
    (open_one,) = judge(Rule(Choice.TRASH, criteria=("resolution",)), pair)
    assert (open_one.tie, open_one.victims) == (True, ())
    (ruling,) = judge(Rule(Choice.TRASH, criteria=("resolution",), decides_ties=True), pair)
    assert (ruling.victims, ruling.decided_by) == ((2,), "path")


def test_what_a_person_decided_stands() -> None:
    assert judge(Rule(Choice.TRASH), [REFERENCE, file(2, by_user=True), file(3)]) == []


def test_what_is_protected_never_gives_way() -> None:
    assert victims(Rule(Choice.TRASH, criteria=("resolution",)), REFERENCE, file(2, protected=True), file(3)) == [(3,)]


def test_only_equal_bytes_on_one_file_system_are_linked() -> None:
    files = [REFERENCE, file(2, content=1, kind=Kind.EXACT, width=4000), file(3),
             file(4, content=1, kind=Kind.EXACT, width=4000, device=2)]  # fmt: skip
    rule = Rule(Choice.LINK, criteria=("path",), decides_ties=True)
    assert victims(rule, *files) == [(2,)]


def test_one_folder_gives_way_to_another() -> None:
    rule = Rule(Choice.TRASH, keep=b"/keep", give_way=b"/old/")
    files = [file(1, path="/old/a.jpg", kind=Kind.EXACT, width=9000), file(2, path="/keep/a.jpg"),
             file(3, path="/old/deep/b.jpg"), file(4, path="/elsewhere/c.jpg"),
             file(5, path="/older/d.jpg")]  # fmt: skip
    (ruling,) = judge(rule, files)
    assert (ruling.keepers, ruling.victims, ruling.decided_by) == ((2,), (1, 3), "folders")
    assert not ruling.tie
    assert judge(rule, files[:1] + files[2:]) == []


def test_one_folder_alone_is_no_rule_of_folders() -> None:
    files = [file(1, path="/keep/a.jpg", kind=Kind.EXACT), file(2, path="/old/a.jpg", width=4000)]
    for rule in (Rule(Choice.TRASH, keep=b"/keep"), Rule(Choice.TRASH, give_way=b"/old")):
        (ruling,) = judge(rule, files)
        assert (ruling.keepers, ruling.victims, ruling.decided_by) == ((2,), (1,), "resolution")


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(list(Kind)), st.integers(100, 103), st.booleans(), st.booleans()),
        min_size=1, max_size=8,
    ),
    st.sampled_from([Choice.TRASH, Choice.LINK, Choice.MOVE]),
    st.sets(st.sampled_from(list(Kind)), min_size=1),
    st.booleans(),
    st.permutations(list(CRITERIA)),
)  # fmt: skip
def test_no_rule_leaves_a_group_without_an_image_that_stays(rows, choice, kinds, decides, criteria) -> None:
    files = [
        file(number, content=content + 1, kind=kind if number else Kind.EXACT, width=width, protected=protected,
             by_user=False)
        for number, (content, kind, width, protected, _) in enumerate(rows)
    ]  # fmt: skip
    rule = Rule(choice, criteria=tuple(criteria), kinds=tuple(kinds), decides_ties=decides)
    rulings = judge(rule, files)
    gone = {image_id for ruling in rulings for image_id in ruling.victims}
    kept = {image_id for ruling in rulings for image_id in ruling.keepers}
    assert not gone & kept
    assert gone < {one.candidate.image_id for one in files}
    assert not gone & {one.candidate.image_id for one in files if one.candidate.protected}


def test_nothing_gives_way_to_what_lacks_a_part_of_it() -> None:
    def with_facts(plain: RuledFile, **facts: Any) -> RuledFile:
        return plain._replace(candidate=plain.candidate._replace(facts=replace(plain.candidate.facts, **facts)))

    kept, other = file(1, kind=Kind.EXACT, path="/keep/1.jpg"), file(2, path="/copies/2.jpg")
    by_folders = Rule(Choice.TRASH, keep=b"/keep", give_way=b"/copies")
    assert victims(by_folders, kept, other) == [(2,)]
    for facts in ({"bit_depth": 16}, {"attachments": (Attachment("film", 1000),)}):
        assert victims(by_folders, kept, with_facts(other, **facts)) == []
        assert victims(by_folders, with_facts(kept, **facts), with_facts(other, **facts)) == [(2,)]
        assert victims(by_folders, with_facts(kept, **facts), other) == [(2,)]
    damaged = with_facts(kept, damage="Corrupt JPEG data")
    assert victims(by_folders, damaged, other) == []
    assert victims(by_folders, damaged, with_facts(other, damage="Corrupt JPEG data")) == [(2,)]
    trailer = with_facts(other, attachments=(Attachment("trailer", 70),))
    assert victims(by_folders, kept, trailer) == [(2,)], "a maker's record shows nothing"
