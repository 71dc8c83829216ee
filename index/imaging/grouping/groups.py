"""PURE: forms groups from matches, each around one reference, deterministic for any order of the input.

A group is a star: every member is matched to the reference itself. So no chain A~B~C joins pictures that were never
compared, and two members are never further apart than two matches. Stars are chosen greedily, the content with most
members still free first (the classical approximation of a smallest dominating set; Chvatal, A Greedy Heuristic for the
Set-Covering Problem, 1979); ties go to the better picture. A content is a member of at most one group; a member may
also be the reference of a second group, for a copy that matches it but not its own reference.

Two contents with a verdict are never in one group, not even as members of a third one's: the nearer one is, and the
other is shown in a separate group, or once the first is decided. Two contents that are only possibly the same are not
grouped through a much smaller reference either, in which their difference cannot be seen: two photographs of a burst
are not copies of each other because a thumbnail could be of either.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from index.imaging.thresholds import threshold
from index.model import KINDS, Kind

Rank = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """Reasons to keep two members in separate groups."""

    much_larger: float = threshold(
        1.3,
        "ratio of shorter sides",
        "A reference so many times smaller than two members shows less of them than they do of each other.",
    )


GROUP: Final = GroupLimits()

# The first members of a group, including the reference, that are verified with all others of it where that shows more
# than what leads from the reference to both, since the statements about the others start from the proposed image, which
# is mostly among these. A group of 50 takes 144 pairs at most.
COMPARED: Final = 3
# What two edges hold back (see `Edge`) from which on their members are verified with each other.
HELD_BACK: Final = 2
# The first members whose traces are all compared with each other. How two of them differ follows from how each differs
# from the reference: with only the reference verified, as many originals of 61 trees were certain. They make at most
# 780 pairs of a few milliseconds each.
TRACED: Final = 40
# 64 bits of the reference's digest: one chance in 10 million of two groups sharing a key among a million.
KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Node:
    """A content that takes part. `rank` puts better pictures first and ends with the digest, so that no two are equal.
    `files` is the number of files with these bytes, each counted once for any number of paths. `side` is the shorter
    side in pixels."""

    content_id: int
    digest: bytes
    rank: Rank
    files: int
    side: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A match of two contents, a < b. A `scene` is a possible match that is known not to be a copy. An `assumed` match
    was proposed and not verified.

    `held_back` is how much of its evidence leads no further, to a third content: HELD_BACK for what only a comparison
    of two pictures shows, 1 for a crop or a frame, which leads to whatever is whole. Equal pixels make up for all of
    that: through them everything leads on."""

    a_id: int
    b_id: int
    kind: Kind
    distance: int
    confidence: float
    scene: bool = False
    assumed: bool = False
    held_back: int = 0


@dataclass(frozen=True, slots=True)
class Star:
    """One group: the reference, the edges to its members, and the kind of its weakest match."""

    key: str
    kind: Kind
    reference_id: int
    edges: tuple[Edge, ...]

    @property
    def confidence(self) -> float:
        """The confidence of the weakest match, 1.0 if there are only equal bytes."""
        return min((edge.confidence for edge in self.edges), default=1.0)

    @property
    def scene(self) -> bool:
        """Whether none of its members is a copy of the reference: other exposures, texts or colours of one scene."""
        return bool(self.edges) and all(edge.scene for edge in self.edges)

    @property
    def member_ids(self) -> list[int]:
        """The reference and then the members, the nearest first."""
        return [self.reference_id, *map(self.member_id, self.edges)]

    @property
    def verified(self) -> "Star":
        """The star without the edges that are only assumed."""
        edges = tuple(edge for edge in self.edges if not edge.assumed)
        kind = max((edge.kind for edge in edges), key=KINDS.index, default=Kind.EXACT)
        return self if len(edges) == len(self.edges) else replace(self, kind=kind, edges=edges)

    def member_id(self, edge: Edge) -> int:
        return edge.b_id if edge.a_id == self.reference_id else edge.a_id


def find_stars(
    nodes: Mapping[int, Node], edges: Iterable[Edge], denied: Set[tuple[int, int]] = frozenset()
) -> list[Star]:
    """The groups among `nodes`, sorted by key. O(E log E) time for E edges. `denied` are pairs (a < b) with a verdict.

    Sure matches are grouped first. `possible` matches then make groups of their own, of contents that are in no sure
    group, so that a doubtful picture is never shown among sure ones.
    """
    sure: dict[int, list[Edge]] = defaultdict(list)
    doubtful: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.a_id in nodes and edge.b_id in nodes and (edge.a_id, edge.b_id) not in denied:
            side = doubtful if edge.kind is Kind.POSSIBLE else sure
            side[edge.a_id].append(edge)
            side[edge.b_id].append(edge)
    taken: set[int] = set()
    stars: list[Star] = []
    apart = _neighbours(denied)
    unsure = _neighbours((edge.a_id, edge.b_id) for found in doubtful.values() for edge in found)
    for prefix, adjacent in (("", sure), ("p", doubtful)):
        together: dict[int, set[int]] = defaultdict(set)

        def members(
            content_id: int, adjacent: dict[int, list[Edge]] = adjacent, together: dict[int, set[int]] = together
        ) -> Sequence[Edge]:
            free = [edge for edge in adjacent[content_id] if _other(edge, content_id) not in taken]
            return _compatible(nodes, content_id, free, together[content_id], apart, unsure)

        for free_reference in (True, False):
            for reference_id, star_edges in _cover(nodes, adjacent, members, taken, free_reference):
                together[reference_id].update(_other(edge, reference_id) for edge in star_edges)
                stars.append(_star(nodes, reference_id, star_edges, prefix))
        if adjacent is sure:
            for node in nodes.values():
                if node.files > 1 and node.content_id not in taken:
                    taken.add(node.content_id)
                    stars.append(_star(nodes, node.content_id, [], prefix))
    return sorted(_merged(stars, nodes), key=lambda star: star.key)


def undecided(
    stars: Iterable[Star], nodes: Mapping[int, Node], edges: Iterable[Edge], denied: Set[tuple[int, int]] = frozenset()
) -> set[tuple[int, int]]:
    """The assumed pairs on which these stars, found with all assumed edges, depend. If there are none, the stars are
    those that would be found with every pair verified.

    The reason: stars are chosen by the number of their members. An assumed edge can only add to that: if the chosen
    stars have none, they have as many as with all pairs verified, and no other star has more than was assumed. Assumed
    pairs also count if two pictures are kept apart: contents with a verdict, and members much larger than their
    reference. The first members are compared with all others, since the original is found by these pairs, but where
    what leads from one to the other follows from what leads from the reference to both.
    """
    assumed = {(edge.a_id, edge.b_id) for edge in edges if edge.assumed}
    if not assumed:
        return set()
    apart = {content_id for pair in denied for content_id in pair}
    found = {pair for pair in assumed - denied if not apart.isdisjoint(pair)}
    for star in stars:
        member_ids = star.member_ids
        open_edges = {(edge.a_id, edge.b_id) for edge in star.edges if edge.assumed}
        if open_edges:
            # Further dependencies are found when these are known.
            found |= open_edges
            continue
        least = GROUP.much_larger * nodes[star.reference_id].side
        larger = [content_id for content_id in member_ids[1:] if nodes[content_id].side >= least]
        pairs = {(min(one, other), max(one, other)) for one in larger for other in larger}
        for place, edge in enumerate(star.edges[: COMPARED - 1]):
            for other in star.edges[place + 1 :]:
                if edge.held_back + other.held_back >= HELD_BACK:
                    ends = star.member_id(edge), star.member_id(other)
                    pairs.add((min(ends), max(ends)))
        found |= pairs & assumed - denied
    return found


def _neighbours(pairs: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    """For each content, those it forms a pair with."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    for a_id, b_id in pairs:
        neighbours[a_id].add(b_id)
        neighbours[b_id].add(a_id)
    return neighbours


def _compatible(
    nodes: Mapping[int, Node],
    reference_id: int,
    edges: Sequence[Edge],
    together: Set[int],
    apart: Mapping[int, Set[int]],
    unsure: Mapping[int, Set[int]],
) -> Sequence[Edge]:
    """Those edges, the nearest first, whose members may be in a group with one another and with its present members."""
    member_ids = [_other(edge, reference_id) for edge in edges]
    if apart.keys().isdisjoint(member_ids) and unsure.keys().isdisjoint(member_ids):
        return edges
    least = GROUP.much_larger * nodes[reference_id].side
    inside = set(together)
    larger = {content_id for content_id in inside if nodes[content_id].side >= least}
    compatible = []
    for edge in sorted(edges, key=lambda edge: _nearness(nodes, reference_id, edge)):
        other = _other(edge, reference_id)
        if inside & apart.get(other, frozenset()):
            continue
        if nodes[other].side >= least:
            if larger & unsure.get(other, frozenset()):
                continue
            larger.add(other)
        inside.add(other)
        compatible.append(edge)
    return compatible


def _cover(
    nodes: Mapping[int, Node],
    adjacent: Mapping[int, list[Edge]],
    members: Callable[[int], Sequence[Edge]],
    taken: set[int],
    free_reference: bool,
) -> Iterable[tuple[int, Sequence[Edge]]]:
    """Choose stars over contents not in `taken`, and add to it. With `free_reference`, the reference must be free as
    well."""
    heap = [
        (-len(members(content_id)), nodes[content_id].rank, content_id)
        for content_id in adjacent
        if not (free_reference and content_id in taken)
    ]
    heapq.heapify(heap)
    while heap:
        promised, rank, content_id = heapq.heappop(heap)
        if free_reference and content_id in taken:
            continue
        edges = members(content_id)
        if not edges:
            continue
        if len(edges) < -promised:
            heapq.heappush(heap, (-len(edges), rank, content_id))
            continue
        taken.add(content_id)
        taken.update(_other(edge, content_id) for edge in edges)
        yield content_id, edges


def _other(edge: Edge, content_id: int) -> int:
    return edge.b_id if edge.a_id == content_id else edge.a_id


def _nearness(nodes: Mapping[int, Node], reference_id: int, edge: Edge) -> tuple[int, int, Rank]:
    return KINDS.index(edge.kind), edge.distance, nodes[_other(edge, reference_id)].rank


def _star(nodes: Mapping[int, Node], reference_id: int, edges: Iterable[Edge], prefix: str) -> Star:
    ordered = tuple(sorted(edges, key=lambda edge: _nearness(nodes, reference_id, edge)))
    kind = max((edge.kind for edge in ordered), key=KINDS.index, default=Kind.EXACT)
    return Star(prefix + nodes[reference_id].digest.hex()[:KEY_LENGTH], kind, reference_id, ordered)


def _merged(stars: Iterable[Star], nodes: Mapping[int, Node]) -> Iterable[Star]:
    """Merge the stars of one key: a reference that was used a second time, for what was left."""
    by_key: dict[str, Star] = {}
    for star in stars:
        known = by_key.get(star.key)
        merged = star
        if known is not None:
            prefix = star.key[:-KEY_LENGTH]
            merged = _star(nodes, star.reference_id, [*known.edges, *star.edges], prefix)
        by_key[merged.key] = merged
    return by_key.values()


def components(start: Iterable[int], neighbours: Callable[[set[int]], Iterable[tuple[int, int]]]) -> set[int]:
    """The connected components of `start`: every content that a chain of matches leads to. `neighbours` returns the
    pairs that touch a set of contents."""
    reached = set(start)
    border = set(reached)
    while border:
        touched = {content_id for pair in neighbours(border) for content_id in pair}
        border = touched - reached
        reached |= border
    return reached
