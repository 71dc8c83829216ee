"""Groups: around a reference, never a chain, the same whatever the order."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.imaging.grouping.groups import COMPARED, HELD_BACK, Edge, Node, Star, components, find_stars, undecided
from index.model import Kind


def node(content_id: int, files: int = 1, pixels: int = 0, side: int = 1000) -> Node:
    digest = content_id.to_bytes(8, "big") * 4
    return Node(content_id, digest, (-pixels, digest), files, side)


def edge(a: int, b: int, kind: Kind = Kind.NEAR, distance: int = 5, confidence: float = 0.9) -> Edge:
    return Edge(min(a, b), max(a, b), kind, distance, confidence)


def shape(stars):
    return {(star.reference_id, str(star.kind), frozenset(map(star.member_id, star.edges))) for star in stars}


def nodes_of(*ids: int, **more: int) -> dict[int, Node]:
    return {content_id: node(content_id, **more) for content_id in ids}


def test_a_chain_is_not_one_group():
    """1~2~3~4: the middle gathers its neighbours, the end is offered next to the one it matches."""
    stars = find_stars(nodes_of(1, 2, 3, 4), [edge(1, 2), edge(2, 3), edge(3, 4)])
    assert shape(stars) == {(2, "near", frozenset({1, 3})), (3, "near", frozenset({4}))}


def test_the_better_picture_is_the_reference_of_a_clique():
    nodes = {1: node(1), 2: node(2, pixels=9), 3: node(3)}
    stars = find_stars(nodes, [edge(1, 2), edge(1, 3), edge(2, 3)])
    assert shape(stars) == {(2, "near", frozenset({1, 3}))}


def test_copies_of_one_content_are_an_exact_group():
    stars = find_stars({7: node(7, files=3), 8: node(8)}, [])
    assert shape(stars) == {(7, "exact", frozenset())}
    assert stars[0].confidence == 1.0


def test_the_kind_is_that_of_the_weakest_match():
    stars = find_stars(nodes_of(1, 2, 3), [edge(1, 2, Kind.PIXELS, 0, 1.0), edge(1, 3, Kind.NEAR, 4, 0.8)])
    assert shape(stars) == {(1, "near", frozenset({2, 3}))}
    assert stars[0].confidence == 0.8


def test_a_doubtful_picture_never_stands_among_sure_ones():
    edges = [edge(1, 2), edge(2, 3, Kind.POSSIBLE), edge(4, 5, Kind.POSSIBLE)]
    stars = find_stars(nodes_of(1, 2, 3, 4, 5), edges)
    assert shape(stars) == {
        (1, "near", frozenset({2})),
        (2, "possible", frozenset({3})),
        (4, "possible", frozenset({5})),
    }


def test_two_denied_members_are_not_in_one_group_and_the_nearer_is():
    """2 is the middle of 1 and 3, which are denied: the other is offered again once 1 is decided."""
    nodes = {1: node(1), 2: node(2, pixels=9), 3: node(3)}
    edges = [edge(1, 2, distance=1), edge(2, 3, distance=2)]
    assert shape(find_stars(nodes, edges, {(1, 3)})) == {(2, "near", frozenset({1}))}
    assert shape(find_stars(nodes, edges, {(1, 2), (1, 3)})) == {(2, "near", frozenset({3}))}


def test_copies_are_an_exact_group_beside_a_doubtful_one():
    stars = find_stars({7: node(7, files=2), 8: node(8)}, [edge(7, 8, Kind.POSSIBLE)])
    assert shape(stars) == {(7, "exact", frozenset()), (7, "possible", frozenset({8}))}


def test_a_key_begins_with_the_reference_and_says_what_is_doubtful():
    stars = find_stars(nodes_of(1, 2, 3, 4), [edge(1, 2), edge(3, 4, Kind.POSSIBLE)])
    assert [star.key for star in stars] == ["0000000000000001", "p0000000000000003"]


def test_a_thumbnail_brings_no_two_photographs_together_that_are_not_surely_the_same():
    """Two of a burst, 1 and 2, each with a copy; 5 is a small copy that may be of either."""
    nodes = {**nodes_of(1, 2, 3, 4, side=3000), 5: node(5, side=300)}
    edges = [edge(1, 3), edge(2, 4), *(edge(n, 5, distance=n) for n in (1, 2, 3, 4)),
             edge(1, 2, Kind.POSSIBLE), edge(3, 4, Kind.POSSIBLE), edge(1, 4, Kind.POSSIBLE)]  # fmt: skip
    assert shape(find_stars(nodes, edges)) == {(1, "near", frozenset({3, 5})), (2, "near", frozenset({4}))}
    # Without copies of theirs each is offered next to the thumbnail, and none in the place of the other.
    nodes, edges = {1: nodes[1], 2: nodes[2], 5: nodes[5]}, [edge(1, 5), edge(2, 5, distance=9), edges[-3]]
    assert shape(find_stars(nodes, edges)) == {(1, "near", frozenset({5})), (5, "near", frozenset({2}))}


def test_a_picture_of_their_size_brings_together_what_was_changed_in_two_ways():
    """1 is the original, and the two copies are unlike each other by what was done to each."""
    nodes = nodes_of(1, 2, 3, side=3000)
    edges = [edge(1, 2), edge(1, 3), edge(2, 3, Kind.POSSIBLE)]
    assert shape(find_stars(nodes, edges)) == {(1, "near", frozenset({2, 3}))}
    nodes[1] = node(1, side=2400)
    assert shape(find_stars(nodes, edges)) == {(1, "near", frozenset({2, 3}))}


@pytest.mark.parametrize(("side", "apart"), [(1299, False), (1300, True), (2900, True)])
def test_a_reference_is_a_thumbnail_of_what_is_larger_by_three_tenths(side: int, apart: bool):
    """1 is the reference of 2 and 3, which may or may not be the same picture."""
    nodes = {1: node(1, pixels=9, side=1000), 2: node(2, side=side), 3: node(3, side=side)}
    edges = [edge(1, 2, distance=1), edge(1, 3, distance=2), edge(2, 3, Kind.POSSIBLE)]
    together = {(1, "near", frozenset({2, 3}))}
    assert (shape(find_stars(nodes, edges)) != together) is apart


def test_contents_that_take_no_part_are_left_out():
    assert find_stars(nodes_of(1), [edge(1, 2)]) == []


graphs = st.builds(
    lambda size, pairs: (size, sorted({(min(p), max(p)) for p in pairs if p[0] != p[1] and max(p) < size})),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40),
)


@given(graphs, st.randoms(use_true_random=False), st.data())
@settings(max_examples=150, deadline=None)
def test_laws(graph, rng: random.Random, data):
    size, pairs = graph
    kind = st.sampled_from([Kind.NEAR, Kind.PIXELS, Kind.POSSIBLE])
    kinds = data.draw(st.lists(kind, min_size=len(pairs), max_size=len(pairs)))
    drawn = {name: st.sampled_from(values) for name, values in (("files", [1, 2]), ("side", [100, 1000]))}
    nodes = {
        i: node(i, pixels=data.draw(st.integers(0, 2)), **{name: data.draw(values) for name, values in drawn.items()})
        for i in range(size)
    }
    edges = [edge(a, b, kind) for (a, b), kind in zip(pairs, kinds, strict=True)]
    stars = find_stars(nodes, edges)

    shuffled_nodes = dict(rng.sample(sorted(nodes.items()), len(nodes)))
    assert find_stars(shuffled_nodes, rng.sample(edges, len(edges))) == stars

    if pairs:
        denied = set(data.draw(st.lists(st.sampled_from(pairs), max_size=4)))
        for star in find_stars(nodes, edges, denied):
            inside = {star.reference_id, *map(star.member_id, star.edges)}
            assert not any(a in inside and b in inside for a, b in denied), "no denied pair in one group"
        assert find_stars(shuffled_nodes, rng.sample(edges, len(edges)), denied) == find_stars(nodes, edges, denied)

    members = [star.member_id(e) for star in stars for e in star.edges]
    assert len(members) == len(set(members)), "a content is a member once"
    assert len({star.key for star in stars}) == len(stars)
    for star in stars:
        assert all(e in edges and star.reference_id in (e.a_id, e.b_id) for e in star.edges)
        assert star.edges or nodes[star.reference_id].files > 1, "no group of one"
    unsure = {(e.a_id, e.b_id) for e in edges if e.kind is Kind.POSSIBLE}
    for star in stars:
        large = [one for one in map(star.member_id, star.edges) if nodes[one].side > nodes[star.reference_id].side]
        if not star.key.startswith("p"):
            assert unsure.isdisjoint((a, b) for a in large for b in large), "brought together by a thumbnail"
    grouped = {star.reference_id for star in stars} | {star.member_id(e) for star in stars for e in star.edges}
    for e in edges:
        if e.kind is not Kind.POSSIBLE:
            assert {e.a_id, e.b_id} <= grouped, "what matches surely is offered"


def test_components_follow_matches_to_the_end():
    pairs = [(1, 2), (2, 3), (5, 6)]

    def neighbours(members: set[int]):
        return [pair for pair in pairs if members & set(pair)]

    assert components([1], neighbours) == {1, 2, 3}
    assert components([4], neighbours) == {4}


def decided(
    nodes: Mapping[int, Node], proposed: Mapping[tuple[int, int], Edge | None], denied: set[tuple[int, int]]
) -> tuple[list[Star], set[tuple[int, int]]]:
    """The stars after verifying no pairs but those that they depend on, and these pairs. `proposed` gives what comes of
    verifying each."""
    verified: set[tuple[int, int]] = set()
    while True:
        edges = [edge for pair, edge in proposed.items() if pair in verified and edge is not None]
        edges += [
            Edge(*pair, Kind.NEAR, 5, 0.5, assumed=True)
            for pair in sorted(proposed)
            if pair not in verified
        ]  # fmt: skip
        stars = find_stars(nodes, edges, denied)
        more = undecided(stars, nodes, edges, denied)
        if not more:
            return stars, verified
        assert not more & verified
        verified |= more


# What comes of verifying a pair: nothing for other pictures. Near most often, as for pairs that hashes propose.
# What only shows in the two pictures, or in their extent, does not lead on to a third.
outcomes = st.sampled_from([(Kind.NEAR, 0), (Kind.NEAR, 1), (Kind.NEAR, HELD_BACK), (Kind.POSSIBLE, HELD_BACK), None])
proposals = st.dictionaries(
    st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1]), outcomes, max_size=66
)
verdicts = st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1]), max_size=2)


@settings(max_examples=500)
@given(proposals, verdicts)
def test_the_groups_are_those_of_all_pairs_verified(kinds, denied):
    """Whatever the verifier says of the pairs: it need not be transitive."""
    nodes = {n: node(n, files=1 + n % 5 // 4, pixels=n * 7 % 5) for n in range(12)}
    proposed = {
        pair: None if found is None else replace(edge(*pair, found[0]), held_back=found[1])
        for pair, found in kinds.items()
    }
    stars, verified = decided(nodes, proposed, denied)
    assert stars == find_stars(nodes, [one for one in proposed.values() if one is not None], denied)
    # What shows the original is complete: the pairs of the first members of each group with one another and the rest
    # are verified, or follow.
    for star in stars:
        edge_of = {star.member_id(one): one for one in star.edges}
        for one in star.member_ids[:COMPARED]:
            others = [other for other in star.member_ids if not leads(star, edge_of, one, other)]
            pairs = {(min(one, other), max(one, other)) for other in others}
            assert pairs & proposed.keys() - denied <= verified


def leads(star: Star, edge_of: Mapping[int, Edge], one: int, other: int) -> bool:
    """Whether all that leads from one member to the other follows from what leads to both."""
    if star.reference_id in (one, other):
        return False
    return edge_of[one].held_back + edge_of[other].held_back < HELD_BACK


@pytest.mark.parametrize(("held_back", "first"), [(0, 1), (1, COMPARED), (HELD_BACK, COMPARED)])
def test_of_many_copies_only_the_first_members_are_verified_where_they_do_not_follow(held_back: int, first: int):
    nodes = nodes_of(*range(32))
    every = {(a, b): edge(a, b) for a in range(32) for b in range(a + 1, 32)}
    proposed = {pair: replace(one, held_back=held_back) for pair, one in every.items()}
    stars, verified = decided(nodes, proposed, set())
    assert shape(stars) == {(0, "near", frozenset(range(1, 32)))}
    assert verified == {(a, b) for a in range(first) for b in range(a + 1, 32)}


def test_through_equal_pixels_everything_follows():
    """What was noised and what has the pixels of the reference: the one says of the other what it says of that."""
    nodes = nodes_of(1, 2, 3)
    reference = [
        replace(edge(1, 2, Kind.PIXELS), held_back=-HELD_BACK),
        replace(edge(1, 3), held_back=HELD_BACK),
    ]
    edges = [*reference, replace(edge(2, 3), assumed=True)]
    stars = find_stars(nodes, edges)
    assert undecided(stars, nodes, edges) == set()
    edges[0] = replace(edge(1, 2))
    assert undecided(find_stars(nodes, edges), nodes, edges) == {(2, 3)}


def test_what_is_only_assumed_is_not_shown():
    stars = find_stars(nodes_of(1, 2, 3), [edge(1, 2, Kind.PIXELS), replace(edge(1, 3), assumed=True)])
    assert shape(stars) == {(1, "near", frozenset({2, 3}))}
    assert shape([star.verified for star in stars]) == {(1, "pixels", frozenset({2}))}
